"""Pictures out of the corpus, without what a file may tell beside its pixels, and the last of them kept in memory.

The fetch stage stores pictures without metadata. That nobody's position or camera is ever served does not
rest on that alone: what a file holds beside its pixels is left out here again, without encoding anew.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from typing import NamedTuple

from waon_build.annotation.shown import Shown
from waon_build.corpus import Corpus
from waon_build.records import InputError

MEMORY = 8 << 20
"""Bytes of pictures kept: some hundred. A pair is judged by several people at about the same time."""

MEDIA_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}

_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xDA)}
_OF_PIXELS = {0xE0, 0xE2, 0xEE}
"""JPEG's application segments that belong to the picture: JFIF, colour profile, Adobe's colour transform."""
_END, _SCAN, _COMMENT = 0xD9, 0xDA, 0xFE
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""What ends a scan: in one, 0xFF is followed by nothing or a restart."""
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"pHYs"}
_WEBP_CHUNKS = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP", b"ANIM", b"ANMF"}
_HAS_EXIF_OR_XMP = 0x08 | 0x04


class Picture(NamedTuple):
    data: bytes
    media_type: str


class BrokenPictureError(Exception):
    """What lies in the corpus is no picture of its format, or is gone."""


class Pictures:
    """The pictures of a corpus. May be asked by several threads at once."""

    def __init__(self, corpus: Corpus, memory: int = MEMORY) -> None:
        self._corpus = corpus
        self._memory = memory
        self._kept: OrderedDict[tuple[str, int, int], Picture] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def of(self, task: Shown) -> Picture:
        """The picture of a task. Raises BrokenPictureError."""
        place = (task.stored_in, task.offset, task.size)
        with self._lock:
            picture = self._kept.get(place)
            if picture is not None:
                self._kept.move_to_end(place)
                return picture
        try:
            data = self._corpus.image_bytes(*place)
        except (InputError, OSError) as error:
            raise BrokenPictureError(str(error)) from error
        picture = Picture(stripped(data, task.format), MEDIA_TYPES.get(task.format, ""))
        self._keep(place, picture)
        return picture

    def _keep(self, place: tuple[str, int, int], picture: Picture) -> None:
        with self._lock:
            if place in self._kept or len(picture.data) > self._memory // 4:
                return
            self._kept[place] = picture
            self._size += len(picture.data)
            while self._size > self._memory:
                self._size -= len(self._kept.popitem(last=False)[1].data)


def stripped(data: bytes, format: str) -> bytes:  # noqa: A002 - the column's name
    """A picture without what tells of camera, place, time or words. format: `jpg`, `png` or `webp`.

    Raises BrokenPictureError."""
    try:
        return _FORMATS[format](data)
    except (KeyError, IndexError, ValueError) as error:
        raise BrokenPictureError(f"this is no {format}") from error


def _jpeg(data: bytes) -> bytes:
    if data[:2] != b"\xff\xd8":
        raise ValueError("it does not begin as one")
    pieces, at = [data[:2]], 2
    while True:
        if data[at] != 0xFF:
            raise ValueError("a segment begins with something else")
        marker = data[at + 1]
        if marker == 0xFF:  # filling
            at += 1
            continue
        if marker == _END:  # what was hung on behind, a second picture or a film, stays behind
            return b"".join([*pieces, data[at : at + 2]])
        end = at + 2 if marker in _WITHOUT_LENGTH else at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SCAN:
            following = _MARKER.search(data, end)
            end = following.start() if following else len(data)
        if end > len(data):
            raise ValueError("a segment is longer than the file")
        if not (marker == _COMMENT or (0xE0 <= marker <= 0xEF and marker not in _OF_PIXELS)):
            pieces.append(data[at:end])
        if end == len(data):  # cut short: browsers show what there is
            return b"".join(pieces)
        at = max(end, at + 2)


def _png(data: bytes) -> bytes:
    if data[:8] != _PNG:
        raise ValueError("it does not begin as one")
    pieces, at = [_PNG], 8
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        name = data[at + 4 : at + 8]
        if end > len(data):
            raise ValueError("a chunk is longer than the file")
        if name in _PNG_CHUNKS:
            pieces.append(data[at:end])
        at = end
        if name == b"IEND":
            break
    return b"".join(pieces)


def _webp(data: bytes) -> bytes:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        raise ValueError("it does not begin as one")
    pieces, at = [], 12
    end_of_all = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    while at + 8 <= end_of_all:
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + size + size % 2
        if at + 8 + size > len(data):
            raise ValueError("a chunk is longer than the file")
        if name == b"VP8X":
            pieces.append(data[at : at + 8] + bytes([data[at + 8] & ~_HAS_EXIF_OR_XMP]) + data[at + 9 : end])
        elif name in _WEBP_CHUNKS:
            pieces.append(data[at:end])
        at = end
    body = b"WEBP" + b"".join(pieces)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


_FORMATS = {"jpg": _jpeg, "png": _png, "webp": _webp}
