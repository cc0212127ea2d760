"""The visible text of a page, and what of it stands around each image.

A mark is put where each image was, in characters that mean nothing in any text and are taken out of the page
before. A page can still write them as character references; all it gets is another context for its images.
"""

from __future__ import annotations

import re
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from waon_build.sources.figures import folded

_OPEN, _CLOSE = "\ue000", "\ue001"
_MARK = re.compile(f"{_OPEN}[0-9]{{1,9}}{_CLOSE}")
_FIRST_BYTE = _OPEN.encode()[:1]
_INVISIBLE = ["script", "style", "template", "noframes", "svg", "head"]


def markable(text: str) -> tuple[str, bytes]:
    """`text` without NUL and what marks are made of; and the same in UTF-8, as the parser takes it."""
    raw = text.encode()
    # Bytes are asked because a byte is found ten times as fast as a character.
    if _FIRST_BYTE in raw or b"\x00" in raw:
        text = text.replace("\x00", "").replace(_OPEN, "").replace(_CLOSE, "")
        raw = text.encode()
    return text, raw


class Surroundings:
    """The text of a page around its images, `each` characters to a side. The tree is used up."""

    def __init__(self, tree: LexborHTMLParser, images: list[LexborNode], each: int) -> None:
        for number, image in enumerate(images):
            image.replace_with(f"{_OPEN}{number}{_CLOSE}")
        tree.strip_tags(_INVISIBLE)
        body: Any = tree.body or tree.root
        self._text = folded(body.text(separator=" ")) if body is not None else ""
        self._marks = {int(mark[0][1:-1]): mark.span() for mark in _MARK.finditer(self._text)}
        self._each = each

    def beginning(self, length: int) -> str:
        """The text of the page's first `length` characters, without marks."""
        return _MARK.sub(" ", self._text[:length])

    def of(self, number: int) -> str:
        """The text around an image, other marks left out; "" for one that is not visible."""
        start, end = self._marks.get(number, (0, 0))
        each = self._each
        if not end or not each:
            return ""
        reach = each + 50  # room for a few other marks
        before, after = self._text[max(0, start - reach) : start], self._text[end : end + reach]
        if _CLOSE not in before and _OPEN not in after:  # as folded as the page's text
            return f"{before.strip()[-each:]} {after.strip()[:each]}".strip()
        if _CLOSE in before:
            before = _MARK.sub("", before)
            before = before[before.find(_CLOSE) + 1 :]
        if _OPEN in after:
            after = _MARK.sub("", after)
            after = after.partition(_OPEN)[0]
        return folded(f"{before.strip()[-each:]} {after.strip()[:each]}")
