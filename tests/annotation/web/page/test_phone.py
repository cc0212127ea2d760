"""On a phone: 360 pixels wide, with a thumb."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.slow

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
SMALL = """(root) => [...document.querySelectorAll(root + " :is(button, a, select, summary, label, input, textarea)")]
    .filter(one => one.checkVisibility() && !one.closest("[hidden]") && !one.matches("label input, .prose a"))
    .map(one => [one.outerHTML.slice(0, 90), one.getBoundingClientRect()])
    .filter(([, box]) => box.width && (box.width < 43.9 || box.height < 43.9))
    .map(([name, box]) => `${name} ${box.width}x${box.height}`)"""


@pytest.fixture
def phone(newcomer: Any) -> Any:
    person = newcomer(**PHONE)
    person.see_picture()
    return person


WIDE = """(width) => [...document.querySelectorAll("body *")]
    .filter(one => one.checkVisibility() && one.getBoundingClientRect().right > width)
    .map(one => one.cloneNode().outerHTML.slice(0, 100) + Math.round(one.getBoundingClientRect().right))"""


def assert_fits(page: Any) -> None:
    width = page.viewport_size["width"]
    found = page.evaluate("document.documentElement.scrollWidth")
    assert found <= width, page.evaluate(WIDE, width)


def test_five_pairs_are_judged_with_the_thumb(phone: Any) -> None:
    captions = []
    for _ in range(5):
        captions.append(phone.caption)
        for option in ("よく合っている", "固有", "食べ物・飲み物"):
            button = phone.page.locator("#fields .option", has_text=option)
            box = button.bounding_box()
            assert box["y"] + box["height"] <= 740
            assert box["y"] >= 740 / 3
            button.tap()
        phone.page.locator("#next").tap()
        phone.see_picture()
    phone.wait_until_saved()
    assert phone.said() == {caption: {"match": 3, "culture": "specific", "category": "food"} for caption in captions}
    assert set(phone.devices()) == {"touch"}


def test_every_step_fits_the_screen_and_every_target_the_thumb(phone: Any) -> None:
    for _ in range(4):
        assert_fits(phone.page)
        assert phone.page.evaluate("document.documentElement.scrollHeight") <= 740
        assert phone.page.evaluate(SMALL, "body") == []
        assert phone.page.locator("#picture").bounding_box()["height"] > 120
        if phone.page.locator("#fields button.option").count():
            phone.page.locator("#fields button.option").first.tap()
            if phone.question.startswith("日本の文化"):
                phone.page.locator("#fields button.option").first.tap()
                phone.page.locator(".action").first.tap()
    phone.page.locator("#write").tap()
    phone.page.locator("textarea").fill("門松\n" * 40)
    assert_fits(phone.page)
    assert phone.page.evaluate(SMALL, "body") == []


@pytest.mark.parametrize("opened", ["settings", "recent", "skip", "report"])
def test_dialogs_fit_the_screen(phone: Any, opened: str) -> None:
    phone.page.locator(f"[data-do={opened}]").tap()
    phone.page.locator(f"#{opened}").wait_for()
    assert_fits(phone.page)
    box = phone.page.locator(f"#{opened}").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    assert box["height"] <= 740
    assert phone.page.evaluate(SMALL, f"#{opened}") == []


def test_the_guideline_is_a_sheet_that_nothing_lies_behind(phone: Any) -> None:
    assert phone.page.locator("#guide").is_hidden()
    phone.page.locator("[data-guide-toggle]").tap()
    assert phone.page.evaluate("document.activeElement.id") == "guide-close"
    assert phone.page.evaluate("['header', 'pair', 'ask'].every(id => document.getElementById(id).inert)")
    assert "質問1" in phone.page.locator("#guide section:not([hidden]) h3").text_content()
    assert phone.page.evaluate(SMALL, "#guide") == []
    phone.page.keyboard.press("Escape")
    assert phone.page.locator("#guide").is_hidden()
    assert not phone.page.evaluate("document.getElementById('ask').inert")
    phone.page.locator("#fields .option").first.tap()
    assert phone.question.startswith("日本の文化")


def test_two_fingers_enlarge_the_picture(phone: Any) -> None:
    phone.page.locator("#picture").tap()
    phone.page.locator("#zoom").wait_for()
    session = phone.context.new_cdp_session(phone.page)

    def touch(kind: str, *fingers: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(fingers)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (150, 370), (210, 370))
    for step in range(1, 6):
        touch("touchMove", (150 - 15 * step, 370), (210 + 15 * step, 370))
    touch("touchEnd")
    scale = "new DOMMatrix(getComputedStyle(document.querySelector('#zoom-view img')).transform).a"
    phone.wait_for(f"{scale} > 2")
    phone.page.locator("#zoom-fit").tap()
    phone.wait_for(f"{scale} === 1")
    phone.page.locator("#zoom-close").tap()
    assert phone.page.locator("#zoom").is_hidden()


@pytest.mark.parametrize("size", ["normal", "larger"])
@pytest.mark.parametrize("width", [320, 360])
def test_no_page_scrolls_sideways(newcomer: Any, office: Any, width: int, size: str) -> None:
    person = newcomer(viewport={"width": width, "height": 640}, has_touch=True, is_mobile=True)
    person.see_picture()
    person.page.evaluate(
        "([who, size]) => localStorage.setItem(`waon:${who}:preferences`, JSON.stringify({ textSize: size }))",
        [person.who, size],
    )
    for path in ("/judge", "/guideline", "/me", "/nowhere", f"/invite/{office.invite()[1]}"):
        person.page.goto(path)
        person.page.wait_for_load_state("networkidle")
        assert_fits(person.page)
        assert person.page.evaluate(SMALL, "body") == []


def test_a_phone_on_its_side_shows_picture_and_question_side_by_side(newcomer: Any) -> None:
    person = newcomer(viewport={"width": 740, "height": 360}, has_touch=True, is_mobile=True)
    person.see_picture()
    picture, ask = (person.page.locator(one).bounding_box() for one in ("#picture", "#ask"))
    assert picture["x"] + picture["width"] <= ask["x"]
    assert picture["height"] > 150
    assert_fits(person.page)
