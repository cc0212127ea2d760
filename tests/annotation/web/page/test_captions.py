"""Captions come from anywhere on the web. Whatever is in one, it is shown as text, and breaks nothing."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.slow

HOSTILE = {
    "markup": "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\"><b>太字</b>",
    "entities": "&lt;b&gt; &amp;amp; {{ 7*7 }} ${7*7} %s \\u0041 </script><!--",
    "right to left": "\u202e逆さまの文\u202e と \u2067عربي\u2066 שלום",
    "unclosed overrides": "\u202e" * 500 + "終わらない",
    "ten thousand characters": "長い文です。" * 1666 + "終わり。",
    "one word of ten thousand": "x" * 10_000,
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈👨🏽‍🚀" * 40,
    "joiners": "\u200d\u200c\ufeff見えない\u200b文字\u2060",
    "combining": "Z̸̧̢͎̪̲͓̯͎̠͉͍͖͕͗̊̈́̋̑̾̚͜͝͝" * 100,
    "one character": "門",
    "blanks": "\u3000 \t\u2003 空白 \u00a0",
}


@pytest.fixture
def office(served: Any, hung: Any) -> Any:
    hung(list(HOSTILE.values()))
    return served(language="ja")


@pytest.mark.parametrize("size", [(1366, 768), (360, 740)], ids=["desk", "phone"])
def test_hostile_captions_are_text_and_break_no_layout(newcomer: Any, size: tuple[int, int]) -> None:
    person = newcomer(viewport={"width": size[0], "height": size[1]})
    left = set(HOSTILE.values())
    while left:
        person.see_picture()
        caption = person.caption
        assert caption in left
        left.remove(caption)
        found = person.page.evaluate(
            """() => {
                const box = document.getElementById("caption-box").getBoundingClientRect();
                const ask = document.getElementById("ask").getBoundingClientRect();
                const style = getComputedStyle(document.getElementById("caption"));
                const page = document.documentElement;
                return {
                    elements: document.getElementById("caption").childElementCount,
                    title: document.title,
                    sideways: page.scrollWidth > page.clientWidth,
                    share: box.height / innerHeight,
                    apart: ask.left >= box.right - 1 || ask.top >= box.bottom - 1,
                    bidi: style.unicodeBidi,
                    dir: document.getElementById("caption").dir,
                };
            }"""
        )
        assert found["elements"] == 0
        assert "taken" not in found["title"]
        assert not found["sideways"]
        assert found["share"] < 0.4
        assert found["apart"]
        assert (found["bidi"], found["dir"]) == ("isolate", "auto")
        person.press("0", "3", "Enter")
    person.page.wait_for_selector("#empty[data-word=nothing_left]")
    person.wait_until_saved()
    assert set(person.said()) == set(HOSTILE.values())
    person.press("h")
    person.page.wait_for_selector(".recent__row")
    assert person.page.locator(".recent__caption script, .recent__caption img").count() == 0


def test_a_long_caption_scrolls_by_keyboard(newcomer: Any) -> None:
    person = newcomer()
    long = HOSTILE["ten thousand characters"]
    person.see_picture()
    while person.caption != long:
        person.press("0", "3", "Enter")
        person.see_picture()
    person.page.locator("#caption-box").focus()
    person.press("End")
    person.wait_for("document.getElementById('caption-box').scrollTop > 1000")
