"""The addresses that a sitemap lists: XML, an index of further ones, or plain text, gzipped or not.

Source: sitemaps.org, protocol 0.9. Read with a regular expression: sitemaps are flat, often broken, and
a hostile one must not expand entities.
"""

from __future__ import annotations

import re
import zlib
from html import unescape
from typing import Final, NamedTuple

MAX_BYTES: Final = 50 * 1024 * 1024
"""Of one sitemap, unpacked: what the protocol allows."""

_LOCATION = re.compile(rb"<loc\s*>\s*(?:<!\[CDATA\[)?([^<\]]+)")
_INDEX = re.compile(rb"<sitemapindex[\s>]")


class Sitemap(NamedTuple):
    """pages: addresses of pages. sitemaps: addresses of further sitemaps. As written, in their order."""

    pages: list[str]
    sitemaps: list[str]


def read_sitemap(body: bytes) -> Sitemap:
    """What one sitemap lists. body: as served; of a gzipped one at most `MAX_BYTES` are unpacked."""
    if body.startswith(b"\x1f\x8b"):
        body = _unpacked(body)
    if b"<" not in body[:1000]:
        return Sitemap([line for line in _text(body).split() if line.startswith("http")], [])
    found = [unescape(_text(location)).strip() for location in _LOCATION.findall(body)]
    return Sitemap([], found) if _INDEX.search(body[:10_000]) else Sitemap(found, [])


def _unpacked(body: bytes) -> bytes:
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(body, MAX_BYTES)
    except zlib.error:
        return b""


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
