"""Why a caption is dropped, before a download is spent on it.

Each rule is a function from a caption to its reason or None; `text_rules()` puts them in order, and
the first reason counts. What is boilerplate, a file name or a date in a language is that language's
to say (`waon_build/languages`). A caption repeated too often is not judged here: that needs all parts
(stage `plan`). Every rule takes time linear in the caption.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from waon_build.languages import Language
from waon_build.recipe import TextFilters
from waon_build.records import Reason

CAPTION_TOO_SHORT = Reason(
    "caption_too_short",
    stage="text",
    what="A caption of fewer characters than this, after NFKC and folding of white space.",
    why="One character names no picture; two can in Japanese (桜島, 夕焼), where English rules would drop them.",
    setting="filters.text.min_characters",
    source="COYO-700M drops texts of 5 characters or fewer; a word of Japanese has about 2",
)
CAPTION_TOO_LONG = Reason(
    "caption_too_long",
    stage="text",
    what="A caption of more characters than this, after NFKC and folding of white space.",
    why="It is an article or a list of keywords, not a caption.",
    setting="filters.text.max_characters",
    source="COYO-700M: 1000 characters",
)
CAPTION_IS_URL = Reason(
    "caption_is_url",
    stage="text",
    what="A caption that is an address: `https://...`, `www...`, `example.co.jp/a`, `data:...`.",
    why="It says where something is, not what the picture shows. A sentence with an address in it is kept.",
)
CAPTION_IS_FILE_NAME = Reason(
    "caption_is_file_name",
    stage="text",
    what="A caption that is a file's name: `IMG_0123.jpg`, `写真1.png`, `DSC0001`, `スクリーンショット 2024-01-02`.",
    why="Cameras and editors fill it in; it says nothing of the picture.",
)
CAPTION_IS_BOILERPLATE = Reason(
    "caption_is_boilerplate",
    stage="text",
    what="A caption that is, exactly or but for punctuation and a number, a phrase of the pack's list "
    "(`ロゴ`, `サイトのバナー画像`, `クリックで拡大`, `no image`).",
    why="Furniture of web sites. A phrase inside a longer caption is none: `会社のロゴの前に立つ人` is kept.",
)
CAPTION_IS_DATE_OR_COUNTER = Reason(
    "caption_is_date_or_counter",
    stage="text",
    what="A caption of nothing but numbers, dates and counters: `2024年5月3日`, `3枚目`, `図1-2`, `1,980円`.",
    why="Many pictures share it and none is described by it.",
)
CAPTION_IS_SYMBOLS = Reason(
    "caption_is_symbols",
    stage="text",
    what="A caption with a larger share than this of characters that are neither letter, digit nor space, or with "
    "one character ten times in a row.",
    why="Rulers, ratings, emoji and smileys describe nothing.",
    setting="filters.text.max_symbol_share",
)
CAPTION_HAS_EMAIL = Reason(
    "caption_has_email",
    stage="text",
    what="A caption with an e-mail address.",
    why="It reaches a person, and a model may repeat it.",
    setting="filters.text.personal_data",
)
CAPTION_HAS_PHONE = Reason(
    "caption_has_phone",
    stage="text",
    what="A caption with a telephone number as the language's country writes it.",
    why="It reaches a person, and a model may repeat it. Years, prices and product codes are told apart by form.",
    setting="filters.text.personal_data",
    source="Numbering plan of Japan (Ministry of Internal Affairs and Communications)",
)
CAPTION_HAS_POSTAL_ADDRESS = Reason(
    "caption_has_postal_address",
    stage="text",
    what="A caption with a postal address down to the house: `〒160-0023`, `東京都新宿区西新宿2-8-1`.",
    why="It may be someone's home. A place without a house number (`東京都新宿区の夜景`) is kept.",
    setting="filters.text.personal_data",
)
CAPTION_HAS_NATIONAL_NUMBER = Reason(
    "caption_has_national_number",
    stage="text",
    what="A caption with a number that identifies a person to the state, its check digit valid: My Number.",
    why="The law forbids keeping it.",
    setting="filters.text.personal_data",
    source="My Number Act; check digit: Ministry of Internal Affairs ordinance 85 of 2014, article 5",
)
CAPTION_IN_OTHER_SCRIPT = Reason(
    "caption_in_other_script",
    stage="text",
    what="A caption with a smaller share than this of its letters in the language's own scripts; a word in "
    "another script counts as one word's letters (Japanese: two).",
    why="It is in another language, or a bare product name. `iPhone 15 の写真` is kept: 3 letters, 1 foreign word.",
    setting="filters.text.min_language_share",
)
CAPTION_IN_OTHER_LANGUAGE = Reason(
    "caption_in_other_language",
    stage="text",
    what="A caption in the language's scripts but in another language: Chinese, for Japanese.",
    why="Characters and words that only one of the two writes decide, then how much the page's own language lets "
    "kanji alone be doubted: 東京都庁舎 is kept on a Japanese page.",
    source="lid.176 alone calls 1 in 30 Chinese sentences Japanese, and kanji-only captions either by chance",
)

_PERSONAL = {
    "email": CAPTION_HAS_EMAIL,
    "phone": CAPTION_HAS_PHONE,
    "postal_address": CAPTION_HAS_POSTAL_ADDRESS,
    "national_number": CAPTION_HAS_NATIONAL_NUMBER,
}

REASONS = (
    CAPTION_TOO_SHORT,
    CAPTION_TOO_LONG,
    *_PERSONAL.values(),
    CAPTION_IS_URL,
    CAPTION_IS_FILE_NAME,
    CAPTION_IS_DATE_OR_COUNTER,
    CAPTION_IS_BOILERPLATE,
    CAPTION_IS_SYMBOLS,
    CAPTION_IN_OTHER_SCRIPT,
    CAPTION_IN_OTHER_LANGUAGE,
)
"""All that a text rule can answer."""

PERSONAL = frozenset({CAPTION_HAS_EMAIL, *_PERSONAL.values()})
"""The reasons that stand for personal data."""


class Caption(NamedTuple):
    """What a rule looks at. text: the caption, normalised by the language."""

    text: str
    page_language: str


Rule = Callable[[Caption], Reason | None]


class TextFilter:
    """All text rules for one language and one set of thresholds, in order."""

    def __init__(self, settings: TextFilters, language: Language) -> None:
        self._normalise = language.normalise
        self._most = settings.max_characters
        self._rules = text_rules(settings, language)

    def __call__(self, caption: str, page_language: str = "") -> Reason | None:
        """Why `caption` is dropped, or None when it passes."""
        # NFKC makes one character of four at most, and takes quadratic time over runs of marks: what is
        # too long whatever it does is not given to it.
        if len(caption) > 4 * self._most and len(" ".join(caption.split())) > 4 * self._most:
            return CAPTION_TOO_LONG
        seen = Caption(self._normalise(caption), page_language)
        for rule in self._rules:
            reason = rule(seen)
            if reason is not None:
                return reason
        return None


def text_rules(settings: TextFilters, language: Language) -> tuple[Rule, ...]:
    """The rules in the order in which they are asked: cheap before dear, and personal data before
    anything that would file it under a harmless name."""
    return (
        length(settings.min_characters, settings.max_characters),
        *((personal_data(language),) if settings.personal_data else ()),
        url,
        file_name(language),
        date_or_counter(language),
        boilerplate(language),
        symbols(settings.max_symbol_share),
        script(language, settings.min_language_share),
        other_language(language),
    )


def length(least: int, most: int) -> Rule:
    def rule(caption: Caption) -> Reason | None:
        if len(caption.text) < least:
            return CAPTION_TOO_SHORT
        return CAPTION_TOO_LONG if len(caption.text) > most else None

    return rule


_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}(?:@| ?[(\[]at[)\]] ?)(?:[\w-]{1,63}\.){1,8}[a-z]{2,24}(?![\w-])",
    re.ASCII | re.IGNORECASE,
)


class PersonalData:
    """Whether a text reaches a person: a reason of PERSONAL, or None. Of text as it was written."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def __call__(self, text: str) -> Reason | None:
        return self.of(self._language.normalise(text))

    def of(self, normalised: str) -> Reason | None:
        if _EMAIL.search(normalised):
            return CAPTION_HAS_EMAIL
        kind = self._language.personal_data(normalised)
        return _PERSONAL[kind] if kind else None


def personal_data(language: Language) -> Rule:
    found_in = PersonalData(language).of
    return lambda caption: found_in(caption.text)


_URL = re.compile(
    r"(?:https?://|ftp://|www\.|//|data:|file:|javascript:)\S*"
    r"|(?:[a-z0-9-]{1,63}\.){1,8}(?:com|net|org|info|jp|io|dev|app|co|tv|me|cc|cn|kr|tw)(?:[:/?#]\S*)?"
    r"|\.{0,2}/(?:[\w.%-]+/)*[\w.%?&=#-]*|(?:[\w.%-]+/){1,99}[\w%-]+\.[a-z]{2,4}(?:\?\S*)?",
    re.IGNORECASE | re.ASCII,
)


def url(caption: Caption) -> Reason | None:
    return CAPTION_IS_URL if _URL.fullmatch(caption.text) else None


def file_name(language: Language) -> Rule:
    matches = language.file_name.fullmatch
    return lambda caption: CAPTION_IS_FILE_NAME if matches(caption.text) else None


def boilerplate(language: Language) -> Rule:
    return lambda caption: CAPTION_IS_BOILERPLATE if language.is_boilerplate(caption.text) else None


def date_or_counter(language: Language) -> Rule:
    return lambda caption: CAPTION_IS_DATE_OR_COUNTER if language.is_date_or_counter(caption.text) else None


_PLAIN = re.compile(r"(?:[^\W_]| )+")
_TEN_IN_A_ROW = re.compile(r"(.)\1{9}", re.DOTALL)


def symbols(most: float) -> Rule:
    def rule(caption: Caption) -> Reason | None:
        plain = sum(map(len, _PLAIN.findall(caption.text)))
        if len(caption.text) - plain > most * len(caption.text) or _TEN_IN_A_ROW.search(caption.text):
            return CAPTION_IS_SYMBOLS
        return None

    return rule


def script(language: Language, least: float) -> Rule:
    own = re.compile(f"[{language.own}]+")
    foreign = re.compile(rf"[^\W\d_{language.own}]+")

    def rule(caption: Caption) -> Reason | None:
        strangers = foreign.findall(caption.text)
        if not strangers:
            return None if own.search(caption.text) else CAPTION_IN_OTHER_SCRIPT
        natives = sum(map(len, own.findall(caption.text)))
        few = natives < least * (natives + language.letters_of_a_word * len(strangers))
        return CAPTION_IN_OTHER_SCRIPT if few else None

    return rule


def other_language(language: Language) -> Rule:
    return lambda caption: None if language.is_own(*caption) else CAPTION_IN_OTHER_LANGUAGE
