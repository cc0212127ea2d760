"""Which characters a page's bytes are. Declared is tried first, and believed only when it fits.

Order: byte-order mark, the escapes of ISO-2022-JP, `Content-Type` header, `<meta charset>`, UTF-8, then the
encodings that pages without a true declaration are found in, by which of them reads the bytes without error.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress

_META = re.compile(rb"<meta[^>]{0,500}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE)
_XML = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE)
_HEAD = 4096
"""Bytes in which a declaration is looked for: browsers read 1,024, and pages with long comments need more."""

_MEANT = {
    "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932", "x-sjis": "cp932", "windows-31j": "cp932",
    "ms_kanji": "cp932", "euc-jp": "euc_jp", "eucjp": "euc_jp", "x-euc-jp": "euc_jp", "iso-2022-jp": "iso2022_jp_ext",
    "iso-8859-1": "cp1252", "latin1": "cp1252", "ascii": "cp1252", "us-ascii": "cp1252",
    "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "big5": "big5hkscs", "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949", "tis-620": "cp874", "iso-8859-9": "cp1254", "utf8": "utf-8",
}  # fmt: skip
"""What an encoding's name means in practice (WHATWG Encoding Standard): mostly its superset."""

_READ = re.compile(
    "utf-8|iso[-_]?8859-(?:[1-9]|1[013-6])|latin-1|(?:windows-|cp)125[0-8]|koi8-[ru]|(?:shift|euc)[-_]jis[-_x]?(?:2004|0213)"
    "|euc[-_](?:jp|kr)|iso-?2022[-_]jp(?:[-_][1-3]|_ext)?|gb18030|big5(?:-?hkscs)?|cp(?:874|932|949)"
)
"""The encodings that pages are in. Python knows many more, some of which are programs (`unicode-escape`,
`punycode`) or give lone surrogates (`utf-7`). UTF-16 is believed by its byte-order mark alone."""

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_UNDECLARED = ("euc_jp", "cp932", "gb18030", "cp949")
_OF_MANY_BYTES = ("utf-8", "euc_jp", "cp932", "gb18030", "cp949", "big5hkscs", "iso2022_jp_ext")
"""Encodings in which text of another one does not go far without an error: a declaration tells much."""
_ISO_2022_JP = re.compile(rb"\x1b\$[@B]")
"""The escape into kanji. Every other encoding reads it without error, as noise."""
_TOLERATED = 0.005
"""Share of replacement characters up to which a declared encoding is believed: pages have single bad bytes."""


def decode(body: bytes, content_type: str = "") -> str | None:
    """The text of a page, or None when no encoding reads it. content_type: the HTTP header, or "".

    Single undecodable bytes become U+FFFD; lone surrogates never appear.
    """
    for bom, name in _BOMS:
        if body.startswith(bom):
            return body[len(bom) :].decode(name, "replace")
    if b"\x1b" in body and _ISO_2022_JP.search(body) and (text := _strictly(body, "iso2022_jp_ext")) is not None:
        return text
    tolerable = unlikely = None
    tried: set[str] = set()
    for name in _declared(body, content_type):
        if name in tried:
            continue
        tried.add(name)
        text = _decoded(body, name)
        if text is None:
            continue
        if "\ufffd" not in text:  # ten times as fast as to count none
            return text
        if text.count("\ufffd") > _TOLERATED * len(text):
            continue
        if _meant(name) in _OF_MANY_BYTES:
            tolerable = tolerable or text
        else:
            unlikely = unlikely or text
    if (text := _strictly(body, "utf-8")) is not None:
        return text
    # A page with one bad character is what it says it is. Guessing comes after it: GB 18030 reads nearly anything.
    if tolerable is not None:
        return tolerable
    for name in _UNDECLARED:
        text = _strictly(body, name)
        if text is not None:
            return text
    return unlikely if unlikely is not None else _least_damaged(body)


def _declared(body: bytes, content_type: str) -> Iterator[str]:
    head = body[:_HEAD]
    if found := _CHARSET.search(content_type):
        yield found[1]
    for pattern in (_META, _XML):
        if match := pattern.search(head):
            name = match[1].decode("ascii").lower()
            # What says so in ASCII cannot be in UTF-16: the standard reads it as UTF-8.
            yield "utf-8" if name.startswith("utf-16") else name


def _meant(name: str) -> str:
    return _MEANT.get(name.lower(), name.lower())


def _decoded(body: bytes, name: str) -> str | None:
    name = _meant(name)
    return body.decode(name, _ROW_13 if name == "euc_jp" else "replace") if _READ.fullmatch(name) else None


def _strictly(body: bytes, name: str) -> str | None:
    if name == "euc_jp":
        text = body.decode(name, _ROW_13)
        return None if "\ufffd" in text else text
    try:
        return body.decode(name)
    except UnicodeDecodeError:
        return None


_ROW_13 = "waon_build.row_13"


def _row_13(error: UnicodeError) -> tuple[str, int]:
    """Row 13, NEC's ① and ㈱, which every browser reads in EUC-JP and Python's codec does not. What is
    something else becomes U+FFFD."""
    assert isinstance(error, UnicodeDecodeError)
    pair = error.object[error.start : error.start + 2]
    if pair[:1] == b"\xad":
        with suppress(UnicodeDecodeError):
            return pair.decode("euc_jis_2004"), error.start + 2
    return "\ufffd", error.end


codecs.register_error(_ROW_13, _row_13)


def _least_damaged(body: bytes) -> str | None:
    """The reading with the fewest replacement characters, when they are few; binary data has many."""
    texts = [body.decode(name, "replace") for name in ("utf-8", "cp932", "euc_jp")]
    best = min(texts, key=lambda text: text.count("\ufffd"))
    return best if best.count("\ufffd") <= 0.02 * len(best) else None
