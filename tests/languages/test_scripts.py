"""Ranges of letters in `waon_build/languages/scripts.py`."""

from __future__ import annotations

import re
import unicodedata

import pytest

from waon_build.languages import scripts

PREFIXES = {
    "kana": ("HIRAGANA LETTER", "KATAKANA LETTER", "HALFWIDTH KATAKANA LETTER", "HENTAIGANA LETTER"),
    "han": ("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH"),
    "hangul": ("HANGUL SYLLABLE", "HANGUL LETTER", "HANGUL CHOSEONG", "HANGUL JUNGSEONG", "HANGUL JONGSEONG"),
    "cyrillic": ("CYRILLIC CAPITAL LETTER", "CYRILLIC SMALL LETTER"),
}


@pytest.mark.parametrize("script", PREFIXES)
def test_every_letter_that_unicode_names_for_a_script_is_in_its_ranges(script: str):
    pattern = re.compile(f"[{scripts.ranges(script)}]")
    named = [c for c in map(chr, range(0x32000)) if unicodedata.name(c, "").startswith(PREFIXES[script])]
    assert len(named) > 100
    assert [c for c in named if c.isalpha() and not pattern.match(c)] == []


def test_no_letter_is_in_the_ranges_of_two_scripts():
    patterns = [re.compile(f"[{ranges}]") for ranges in scripts.SCRIPTS.values()]
    assert [c for c in map(chr, range(0x32000)) if sum(bool(pattern.match(c)) for pattern in patterns) > 1] == []


def test_only_letters_are_counted():
    assert scripts.letters("桜 3本_(ABC)!ー") == 6
    assert scripts.letter_bytes("桜 3本_(ABC)!ー") == 3 + 3 + 3 + 3


def test_a_lone_surrogate_does_not_stop_the_count():
    assert scripts.letter_bytes("a\ud800b") == 2
