"""The body of an archived response with its transfer and content codings undone.

Archives keep what a server sent, what a crawler made of it under the server's old headers, or something
between: a coding is undone only where the bytes are so coded. Nothing here knows archives or pages.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence

import brotli

Header = tuple[str, str]


def decoded(body: bytes, headers: Sequence[Header], limit: int) -> bytes | None:
    """At most `limit` bytes of the decoded body; None when it is coded and cannot be decoded at all. A body cut
    short gives what there is of it."""
    if "chunked" in _coding(headers, "transfer-encoding"):
        body = _unchunked(body)
    codings = _coding(headers, "content-encoding")
    for coding in reversed(re.split(r"[,\s]+", codings)) if codings else ():
        undo = _UNDO.get(coding)
        if undo is None or _looks_like_text(body):
            continue
        try:
            body = undo(body, limit)
        except (zlib.error, brotli.error):
            return None
    return body[:limit]


def _coding(headers: Sequence[Header], name: str) -> str:
    return ",".join(value.lower() for key, value in headers if key.lower() == name)


_CHUNK = re.compile(rb"[ \t]*([0-9a-fA-F]{1,8})[^\r\n]{0,200}\r?\n")


def _unchunked(body: bytes) -> bytes:
    """The chunks of a body put together; the body itself when it is not chunked."""
    pieces: list[bytes] = []
    at = 0
    while at < len(body):
        found = _CHUNK.match(body, at)
        if found is None:
            return body
        size = int(found[1], 16)
        if size == 0:
            break
        pieces.append(body[found.end() : found.end() + size])
        at = found.end() + size
        at += 2 if body[at : at + 2] == b"\r\n" else 1 if body[at : at + 1] == b"\n" else 0
    return b"".join(pieces)


_MOST_STREAMS = 1_000
"""Compressed streams of one body: each costs a copy of what follows it."""


def _inflated(body: bytes, limit: int, bits: int) -> bytes:
    """The bytes of one or more compressed streams, one after the other. What comes after them, or after an
    error in them, is let go. Raises zlib.error when nothing can be read."""
    pieces: list[bytes] = []
    while body and limit > 0 and len(pieces) < _MOST_STREAMS:
        stream = zlib.decompressobj(bits)
        try:
            pieces.append(stream.decompress(body, limit))
        except zlib.error:
            if not pieces:
                pieces.append(_until_error(body, bits, limit))
                if not pieces[0]:
                    raise
            break
        limit -= len(pieces[-1])
        body = stream.unused_data
    return b"".join(pieces)


_STRIDE = 1 << 16


def _until_error(body: bytes, bits: int, limit: int) -> bytes:
    """What a damaged stream gives before the damage."""
    stream, whole = zlib.decompressobj(bits), bytearray()
    for start in range(0, len(body), _STRIDE):
        stride, before = body[start : start + _STRIDE], stream.copy()
        try:
            whole += stream.decompress(stride, limit)
        except zlib.error:
            # Of the stride with the damage, what comes before it.
            for at in range(0, len(stride), 256):
                try:
                    whole += before.decompress(stride[at : at + 256], limit)
                except zlib.error:
                    break
            break
        if len(whole) >= limit:
            break
    return bytes(whole[:limit])


def _gunzipped(body: bytes, limit: int) -> bytes:
    return _inflated(body, limit, 31)


def _deflated(body: bytes, limit: int) -> bytes:
    """`deflate` means zlib by the standard, and a bare stream by many servers."""
    try:
        return _inflated(body, limit, 15)
    except zlib.error:
        return _inflated(body, limit, -15)


def _unbrotlied(body: bytes, limit: int) -> bytes:
    stream = brotli.Decompressor()
    whole: bytes = stream.process(body, output_buffer_limit=limit)
    while len(whole) < limit and not stream.is_finished():
        more = stream.process(b"", output_buffer_limit=limit - len(whole))
        if not more:
            break
        whole += more
    return whole


_UNDO: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzipped,
    "x-gzip": _gunzipped,
    "deflate": _deflated,
    "br": _unbrotlied,
}


def _looks_like_text(body: bytes) -> bool:
    """Whether a body is markup already: it was decoded before it was archived."""
    start = body[:256].lstrip(b"\xef\xbb\xbf \t\r\n\f")
    return start.startswith(b"<") and b"\x00" not in start
