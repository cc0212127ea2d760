"""What a native speaker knows of a language, as a value: `Language`.

Half of it is data (phrases, patterns), read from the pack's TOML file by `boilerplate_pattern()` and
`any_of()`; the other half are judgements that need code, given by the pack's module. Nothing here
knows a particular language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from waon_build.records import normalised


@dataclass(frozen=True)
class Language:
    """One pack. All its judgements take text that went through `normalise`, and linear time."""

    code: str
    """BCP 47 primary subtag."""
    iso639_3: str
    """Its code in ISO 639-3, as Common Crawl's index has it."""
    name: str
    digest: str
    """Of the pack's data file: part of the fingerprint of what was decided by it."""
    own: str
    """Ranges of the letters of its own scripts, for the inside of a character class."""
    letters_of_a_word: int
    """How many of its letters say as much as one foreign word: what mixed captions are weighed by."""
    boilerplate: re.Pattern[str]
    """Matches folded captions (see `folded`) that are furniture of web sites."""
    file_name: re.Pattern[str]
    """Matches captions that are a file's name."""
    date_or_counter: re.Pattern[str]
    """Matches captions of nothing but numbers, dates and counters."""
    claims: Callable[[str], bool | None]
    """Of a page's text (some thousand characters): True when its script says that it is in this language,
    False when it says that it is not, None when script cannot tell."""
    is_own: Callable[[str, str], bool]
    """Of a caption and its page's language ("" when not known): whether the caption is in this language."""
    personal_data: Callable[[str], str]
    """The kind of personal data in a text, as this language's country writes it: `email`,
    `phone`, `postal_address`, `national_number`; or ""."""

    def normalise(self, text: str) -> str:
        """NFKC, white space folded: what every judgement is made on."""
        return normalised(text)

    def is_boilerplate(self, caption: str) -> bool:
        return self.boilerplate.fullmatch(folded(caption)) is not None

    def is_file_name(self, caption: str) -> bool:
        return self.file_name.fullmatch(caption) is not None

    def is_date_or_counter(self, caption: str) -> bool:
        return self.date_or_counter.fullmatch(caption) is not None


_NOT_TOLD_APART = re.compile(r"[\W_]+")


def folded(caption: str) -> str:
    """`caption` without case, punctuation, spaces and a number at its end: what near-exact means."""
    return _NOT_TOLD_APART.sub("", caption.casefold()).rstrip("0123456789")


def boilerplate_pattern(data: Mapping[str, list[str]]) -> re.Pattern[str]:
    """A pattern for folded captions, from a pack's `[boilerplate]` table.

    It matches each of `phrases`; and what is put together of any `qualifiers`, one of `things` and any
    `tails`, with a `joiner` between or not: サイト + の + ロゴ + 画像.
    """
    joiner = _one_of(map(folded, data["joiners"]))
    qualifiers, things, tails = (_one_of(map(folded, data[key])) for key in ("qualifiers", "things", "tails"))
    # Possessive: no way of reading the words is tried twice, so time is linear. Where a thing begins like a
    # qualifier (メイン, メインビジュアル), it is the thing.
    built = f"(?:(?!{things}){qualifiers}{joiner}?+)*+{things}(?:{joiner}?+(?:{tails}|{things}))*+"
    return re.compile(f"{_one_of(map(folded, data['phrases']))}|{built}")


def any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """One pattern for a list of them; case does not matter."""
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


def _one_of(words: Iterable[str]) -> str:
    """An alternation, longest first."""
    return f"(?:{'|'.join(re.escape(word) for word in sorted(set(words), key=lambda word: (-len(word), word)))})"
