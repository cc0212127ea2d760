"""Path patterns as robots.txt has them: a prefix, `*` for any run of characters, a final `$` for the end.

Source: RFC 9309, section 2.2.2. TDMRep and the AIPREF rules of robots.txt use the same ones.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes, urlsplit

_KEPT = "/?=&;:@!$'()*+,~#[]"
_PLAIN = re.compile(r"[A-Za-z0-9._/?=&;:@!$'()*+,~#\[\]-]*")
_MEANT = re.compile(r"(%(?:2[4AFaf]|3[Ff]))")


class Pattern:
    """One path pattern. Matching takes linear time, whatever a hostile file holds."""

    __slots__ = ("_ends", "_pieces", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._ends = text.endswith("$")
        self._pieces = [_spelling(piece) for piece in text.removesuffix("$").split("*")]

    def matches(self, path: str) -> bool:
        """Whether it matches `path` (see `path_of`)."""
        first, *pieces = self._pieces
        if not path.startswith(first):
            return False
        if not pieces:
            return not self._ends or path == first
        position = len(first)
        for piece in pieces[:-1] if self._ends else pieces:
            found = path.find(piece, position)
            if found < 0:
                return False
            position = found + len(piece)
        return not self._ends or (path.endswith(pieces[-1]) and len(path) - len(pieces[-1]) >= position)


def path_of(url: str) -> str:
    """The path and query of `url`, in the one spelling that patterns are compared in."""
    try:
        split = urlsplit(url)
    except ValueError:
        return "/"
    return _spelling((split.path or "/") + (f"?{split.query}" if split.query else ""))


def _spelling(text: str) -> str:
    """Percent-encoding made one: `%7E` and `~` are equal; `%2F` and `/`, `%2A` and `*` are not."""
    if _PLAIN.fullmatch(text):
        return text
    return "".join(
        piece.upper() if number % 2 else quote(unquote_to_bytes(piece), safe=_KEPT)
        for number, piece in enumerate(_MEANT.split(text))
    )
