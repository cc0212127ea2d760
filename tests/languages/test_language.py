"""What `Language` does with a pack's data."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waon_build import languages
from waon_build.languages.language import boilerplate_pattern, folded

WORDS = {
    "phrases": ["read more"],
    "joiners": ["の"],
    "qualifiers": ["サイト", "ブログ"],
    "things": ["ロゴ", "アイコン"],
    "tails": ["画像"],
}


@pytest.mark.parametrize(
    "text",
    [
        "Read more",
        "READ MORE »",
        "[read more]",
        "サイトロゴ",
        "サイトのロゴ画像",
        "ロゴ",
        "ブログのサイトのアイコン 02",
    ],
)
def test_what_differs_from_a_phrase_by_punctuation_case_or_a_number_is_boilerplate(text: str):
    assert boilerplate_pattern(WORDS).fullmatch(folded(text))


@pytest.mark.parametrize("text", ["サイト", "画像", "ロゴの前に立つ人", "read more books", "サイトの", ""])
def test_what_says_more_than_a_phrase_is_not_boilerplate(text: str):
    assert not boilerplate_pattern(WORDS).fullmatch(folded(text))


def test_words_that_can_be_read_in_many_ways_take_linear_time():
    """サイトサイトサイト... x: a pattern that backtracks would try 2 ** 50 readings."""
    words = {**WORDS, "qualifiers": ["ロ", "ロロ", "ロロロ", "の"], "things": ["ロゴ"]}
    started = time.perf_counter()
    assert not boilerplate_pattern(words).fullmatch("ロの" * 50_000 + "x")
    assert time.perf_counter() - started < 2


@given(st.text(alphabet=st.characters(), max_size=100))
def test_normalise_is_idempotent(text: str):
    japanese = languages.get("ja")
    once = japanese.normalise(text)
    assert japanese.normalise(once) == once
