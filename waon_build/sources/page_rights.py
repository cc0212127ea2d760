"""What a page says of its own use when it is asked for again: read from its bytes, without its images."""

from __future__ import annotations

from collections.abc import Sequence

from selectolax.lexbor import LexborHTMLParser

from waon_build.records import Evidence
from waon_build.sources.declared import header, statements
from waon_build.sources.depth import is_too_deep
from waon_build.sources.encoding import decode
from waon_build.sources.payload import Header
from waon_build.sources.surroundings import markable


def page_rights(url: str, headers: Sequence[Header], body: bytes) -> list[Evidence]:
    """The statements of a page as it was served; those of its headers alone when its body is no text."""
    text = decode(body, header(headers, "content-type"))
    if text is None or is_too_deep((marked := markable(text))[0]):
        return statements(url, headers, [])
    return statements(url, headers, [meta.attributes for meta in LexborHTMLParser(marked[1]).tags("meta")])
