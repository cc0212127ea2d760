"""What a page says of its own use: its headers, its meta elements, and the headers that these stand for."""

from __future__ import annotations

from collections.abc import Sequence

from selectolax.lexbor import LexborHTMLParser

from waon_build import rights
from waon_build.records import Evidence
from waon_build.sources.addresses import Attributes
from waon_build.sources.depth import is_too_deep
from waon_build.sources.encoding import decode
from waon_build.sources.surroundings import markable


def said(url: str, headers: Sequence[tuple[str, str]], metas: Sequence[Attributes]) -> list[Evidence]:
    """The statements of a page. headers: of its response. metas: the attributes of its `<meta>` elements."""
    return rights.statements(url, [*headers, *_as_headers(metas)], named(metas))


def page_rights(url: str, headers: Sequence[tuple[str, str]], body: bytes) -> list[Evidence]:
    """The statements of a page as it was served; those of its headers alone when its body is no text."""
    content_type = next((value for name, value in headers if name.lower() == "content-type"), "")
    text = decode(body, content_type)
    if text is None or is_too_deep((marked := markable(text))[0]):
        return said(url, headers, [])
    return said(url, headers, [meta.attributes for meta in LexborHTMLParser(marked[1]).tags("meta")])


def named(metas: Sequence[Attributes]) -> list[tuple[str, str]]:
    """(name, content) of the meta elements that have both."""
    return [
        ((meta["name"] or "").strip().lower(), meta["content"] or "")
        for meta in metas
        if "name" in meta and "content" in meta
    ]


def _as_headers(metas: Sequence[Attributes]) -> list[tuple[str, str]]:
    """What `<meta http-equiv="X-Robots-Tag">` says, as the header that it stands for."""
    return [
        ("x-robots-tag", meta.get("content") or "")
        for meta in metas
        if (meta.get("http-equiv") or "").strip().lower() == "x-robots-tag"
    ]
