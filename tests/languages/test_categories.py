"""The first guess of a caption's field."""

from __future__ import annotations

import pytest

from waon_build.annotation.questions import load
from waon_build.languages.categories import _words as words_of
from waon_build.languages.categories import category


@pytest.mark.parametrize(
    ("caption", "field"),
    [
        ("皿に盛られたたこ焼き", "food"),
        ("桜もちと抹茶", "food"),
        ("満開の桜", "nature"),
        ("桜並木", "scenery"),
        ("雪をかぶった天守閣", "building"),
        ("夏祭りの神輿", "event"),
        ("石垣の上で眠る三毛猫", "animal"),
        ("歌舞伎の舞台", "tradition"),
        ("縁側の風鈴", "everyday"),
        ("むずかしい話", ""),
        ("", ""),
    ],
)
def test_the_words_of_a_caption_tell_its_field(caption: str, field: str) -> None:
    assert category("ja", caption) == field


def test_a_language_without_a_list_guesses_nothing() -> None:
    assert category("tg", "桜") == ""


def test_fields_are_those_that_natives_are_asked_for_and_no_word_is_in_two() -> None:
    known = {option.value for option in load("ja")["category"].options}
    words = words_of("ja")
    assert words is not None
    assert set(words.fields.values()) == known - {"other"}
    listed = sum(len(found) for found in _lists().values())
    assert listed == len(words.fields)


def _lists() -> dict[str, list[str]]:
    import tomllib
    from importlib import resources

    text = (resources.files("waon_build.languages.categories") / "ja.toml").read_text("utf-8")
    return tomllib.loads(text)
