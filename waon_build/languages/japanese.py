"""Japanese. Kana says so at once; kanji alone is judged by its characters, its words and its page.

Kanji without kana is where others fail: "any kana" drops 東京都庁舎, and lid.176 takes it for either
language by chance. Here a character or word that only one of the two languages writes decides first
(both countries' character sets are in Python's codecs). What no such sign decides is doubted by
degrees, and the page's own language says how much doubt is too much. Numbers and words: `japanese.toml`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from waon_build.languages import lid
from waon_build.languages.japanese_personal import personal_data
from waon_build.languages.language import Language, any_of, boilerplate_pattern
from waon_build.languages.scripts import HAN, HANGUL, KANA, letters, ranges

_KANA = re.compile(f"[{KANA}]")
_KANA_RUN = re.compile(f"[{KANA}]+")
_HAN = re.compile(f"[{HAN}]")
_HAN_RUN = re.compile(f"[{HAN}]+")
_HANGUL = re.compile(f"[{HANGUL}]")

CHINESE = frozenset({"zh", "yue", "wuu"})
"""Languages, by lid.176 and BCP 47 code, that share the script and are not Japanese."""

_MOST_ODDS = 7.0


def pack(data: dict[str, Any], digest: str) -> Language:
    """The Japanese pack, from the tables of `japanese.toml`."""
    judge = Judge(data["han"], data["chinese"]["words"])
    return Language(
        code=data["code"],
        iso639_3=data["iso639_3"],
        name=data["name"],
        digest=digest,
        own=ranges("kana", "han") + "ー",
        letters_of_a_word=data["letters_of_a_word"],
        boilerplate=boilerplate_pattern(data["boilerplate"]),
        file_name=any_of(data["file_names"]["patterns"]),
        date_or_counter=_dates_and_counters(data["dates_and_counters"]),
        claims=judge.claims,
        is_own=judge.is_japanese,
        personal_data=personal_data(data["address"]["prefectures"]),
    )


class Judge:
    """Tells Japanese from Chinese and the rest. han, chinese: the tables of the data file."""

    def __init__(self, han: dict[str, Any], chinese: list[str]) -> None:
        japan, mainland, taiwan = _written("cp932"), _written("gb2312"), _written("big5")
        common_in_chinese = _rows("gb2312", 16, 55) | _rows("big5", 4, 38)  # level 1 of either
        rare_in_japan = _rows("euc_jp", 48, 84)  # level 2 of JIS X 0208
        old_forms, common = set(han["old_forms"]), set(han["common_in_japan"])
        self._theirs = _class((mainland | taiwan) - japan - set(han["also_japanese"]))
        self._ours = _class(japan - mainland - taiwan)
        self._their_words = re.compile("|".join(chinese))
        self._our_names = re.compile("|".join(map(re.escape, han["names"])))
        self._uncommon = _class((rare_in_japan & common_in_chinese) - old_forms - common)
        self._old_form = _class(old_forms)
        self._particle = _class(han["particles"])
        self._doubt: dict[str, float] = han["doubt"]

    def claims(self, text: str) -> bool | None:
        """Whether a page's text is Japanese, by its script."""
        # Of all characters as large a share as is asked of the letters: no other need be counted.
        if _has_kana(text, max(8, 0.15 * len(text))):
            return True
        kana, han, hangul = _count(_KANA, text), _count(_HAN, text), _count(_HANGUL, text)
        native, all_letters = kana + han, letters(text)
        much = kana >= 8 and kana >= 0.15 * (native + hangul) and native >= 0.1 * all_letters
        if much or (kana >= 3 and kana >= 0.3 * (native + hangul) and native >= 0.5 * all_letters):
            return True
        if (all_letters >= 100 and native < 0.01 * all_letters) or hangul > 2 * native:
            return False
        # No Japanese page runs on without kana, but lists of names do: Chinese must show, too.
        chinese = han >= 30 and kana < 0.05 * han and self._signs(text) < -0.01 * han
        return False if chinese else None

    def is_japanese(self, text: str, page_language: str) -> bool:
        """Whether a caption is Japanese, the language of its page being what it is, or ""."""
        kana, han = _count(_KANA, text), _count(_HAN, text)
        if _HANGUL.search(text) and _count(_HANGUL, text) > kana + han:
            return False
        if kana:
            # Chinese uses a kana here and there for ornament (鮮の味); a sentence of Japanese is half kana.
            return kana >= 0.2 * han or self._signs(text) >= -1
        if not han:
            return page_language == "ja"
        signs = self._signs(text)
        if signs or page_language in CHINESE:
            return signs > 0
        return not self._is_doubted(text, page_language)

    def _signs(self, text: str) -> int:
        """Characters and words that only Japanese writes, less those that only Chinese does."""
        ours = _count(self._ours, text) + _count(self._our_names, text)
        return ours - _count(self._theirs, text) - _count(self._their_words, text)

    def _is_doubted(self, text: str, page_language: str) -> bool:
        weight = self._doubt
        page = {"ja": "on_japanese_page", "": "on_unknown_page"}.get(page_language, "on_other_page")
        doubt = (
            weight["uncommon"] * _count(self._uncommon, text)
            + weight["old_form"] * _count(self._old_form, text)
            + weight["particle"] * _count(self._particle, text)
            + weight["letter"] * min(max(map(len, _HAN_RUN.findall(text))), 8)
        )
        most = weight["model"] * _MOST_ODDS
        # The model costs more than all the rest: it is asked when its answer can change the outcome.
        if not doubt - most <= weight[page] <= doubt + most:
            return doubt > weight[page]
        return doubt + weight["model"] * _odds_of_chinese(text) > weight[page]


def _odds_of_chinese(text: str) -> float:
    """log(p(Chinese) / p(Japanese)) of the model, -7 to 7."""
    found = lid.probabilities(text, most=10)
    chinese = sum(found.get(code, 0.0) for code in CHINESE)
    odds = math.log((chinese + 1e-4) / (found.get("ja", 0.0) + 1e-4))
    return max(-_MOST_ODDS, min(_MOST_ODDS, odds))


def _has_kana(text: str, enough: float) -> bool:
    """Whether `text` has so many kana. Most Japanese text shows it in its first third."""
    found = 0
    for run in _KANA_RUN.finditer(text):
        found += run.end() - run.start()
        if found >= enough:
            return True
    return False


def _count(pattern: re.Pattern[str], text: str) -> int:
    return len(pattern.findall(text))


def _dates_and_counters(data: dict[str, Any]) -> re.Pattern[str]:
    words = "|".join(re.escape(word) for word in sorted(data["words"], key=lambda word: (-len(word), word)))
    # Possessive, longest first: linear. One digit at least, or every 春 would be a date.
    return any_of([rf"(?=\D*\d)(?:{words}|[\d{data['between']}])++", *data["patterns"]])


def _written(codec: str) -> set[str]:
    """The kanji that a character set can write."""
    return {c for c in map(chr, (*range(0x3400, 0xA000), *range(0xF900, 0xFB00))) if c.encode(codec, "ignore")}


def _rows(codec: str, first: int, last: int) -> set[str]:
    """The characters in rows `first` to `last` of a character set: where its level 1 or level 2 lies."""
    cells = (*range(0x40, 0x7F), *range(0xA1, 0xFF)) if codec == "big5" else range(0xA1, 0xFF)
    codes = (bytes((0xA0 + row, cell)) for row in range(first, last + 1) for cell in cells)
    return {code.decode(codec, "ignore") for code in codes} - {""}


def _class(characters: Iterable[str]) -> re.Pattern[str]:
    return re.compile(f"[{''.join(sorted(characters))}]")
