"""Which script a letter is written in: the ranges, and how many letters of each a text has.

Counting only, no judgement: what a share of kana means is for a language to say. Letters are what
Unicode calls letters; digits, marks, symbols and spaces belong to no script here.
"""

from __future__ import annotations

import re

KANA = (
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fd-\u30ff\u31f0-\u31ff\uff66-\uff6f\uff71-\uff9d\U0001aff0-\U0001b16f"
)
HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
HANGUL = "\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7fb\uffa1-\uffdc"
CYRILLIC = "\u0400-\u0482\u048a-\u052f\u1c80-\u1c88\ua640-\ua66e\ua680-\ua69d"
LATIN = "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u1e00-\u1eff\uff21-\uff3a\uff41-\uff5a"

SCRIPTS = {"kana": KANA, "han": HAN, "hangul": HANGUL, "cyrillic": CYRILLIC, "latin": LATIN}
"""Name of a script -> the ranges of its letters, for the inside of a character class.
Neither `ー` nor the marks of voicing are kana here: they are written in smileys and rulers too."""

_LETTERS = re.compile(r"[^\W\d_]+")


def ranges(*scripts: str) -> str:
    """The ranges of several scripts together, for the inside of a character class."""
    return "".join(SCRIPTS[script] for script in scripts)


def letters(text: str) -> int:
    """How many letters `text` has, in any script."""
    return sum(map(len, _LETTERS.findall(text)))


def letter_bytes(text: str) -> int:
    """How many bytes the letters of `text` take in UTF-8: how much they say, whatever the script."""
    return sum(len(run.encode("utf-8", "replace")) for run in _LETTERS.findall(text))
