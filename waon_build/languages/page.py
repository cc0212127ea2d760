"""Which language a page is in, from what it declares and what it says.

Declarations are wrong in both directions in the wild (a template's `lang="en"` around Japanese text;
`lang="ja"` around Chinese), so text wins where it is clear, and a declaration decides the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from waon_build.languages import lid
from waon_build.languages.language import Language
from waon_build.languages.scripts import letter_bytes

READ = 2000
"""Characters of a page's text that are looked at."""
ENOUGH = 60
"""Bytes of letters (UTF-8) that the model needs: 60 letters of Latin, 30 of Cyrillic, 20 of kanji. Of
less it says little, and a declaration is believed instead."""
CLEAR = 0.6
"""Probability from which the model may contradict a declaration."""
UNLIKELY = 0.02
"""Probability of the declared language below which it is contradicted."""
LIKELY = 0.5
"""Probability from which the model is believed where nothing is declared."""

_TAG = re.compile(r"[A-Za-z]{2,3}(?![A-Za-z])")
_NONE = frozenset({"und", "mul", "mis", "zxx", "xx", "xxx"})
# Codes of countries, written by mistake where a language's belongs, and old or broader codes.
_MEANT = {
    "jp": "ja",
    "jpn": "ja",
    "cn": "zh",
    "tw": "zh",
    "chi": "zh",
    "zho": "zh",
    "kr": "ko",
    "kor": "ko",
    "eng": "en",
    "rus": "ru",
    "iw": "he",
    "in": "id",
    "ji": "yi",
}


def language_of_page(packs: Mapping[str, Language], declared: Sequence[str], text: str) -> str:
    """See `waon_build.languages.page_language`. packs: by code."""
    text = text[:READ]
    claims = {code: pack.claims(text) for code, pack in packs.items()}
    for code, claim in claims.items():
        if claim:
            return code
    likely = {code: p for code, p in lid.probabilities(text).items() if claims.get(code) is not False}
    best, p = next(iter(likely.items()), ("", 0.0))
    if letter_bytes(text) < ENOUGH:
        best, p = "", 0.0
    for code in map(_primary, declared):
        if code and claims.get(code) is not False:
            contradicted = p >= CLEAR and likely.get(code, 0.0) < UNLIKELY
            return best if contradicted else code
    return best if p >= LIKELY else ""


def _primary(tag: str) -> str:
    """The primary subtag of a declaration (`ja_JP`, `ja-JP, en` -> `ja`), or "" when it is none."""
    found = _TAG.match(tag.strip())
    code = found[0].lower() if found else ""
    return _MEANT.get(code, code) if code not in _NONE else ""
