"""Which links of a page a crawl follows: those of its own site, once each, that nobody asks us not to.

Links are read off the text in one pass, without a tree: to build one takes a parser minutes on pages that
are written for it to. An address is compared in one spelling (`same_site`): no fragment, no default port,
host in lower case. Endless sites are bounded here where an address shows that it leads nowhere, and by
the crawl's page and depth limits where it does not (a calendar, say).
"""

from __future__ import annotations

import re
from collections import Counter
from html import unescape
from typing import Final
from urllib.parse import urljoin, urlsplit, urlunsplit

from waon_build.records import Reply
from waon_build.rights.robots_tag import header_forbids_following, meta_forbids_following
from waon_build.sources.encoding import decode

LONGEST_ADDRESS: Final = 1000
DEEPEST_PATH: Final = 15
"""Segments of a path."""
REPEATED_SEGMENTS: Final = 3
"""Times that one segment may stand in a path: `/a/b/a/b/a/b/a/b` is a link relative to itself."""

_DEFAULT_PORT = {"http": 80, "https": 443}
_NOT_PAGES = re.compile(
    r"[^?]*\.(?:jpe?g|png|gif|webp|avif|svg|ico|bmp|tiff?|heic|css|js|mjs|json|xml|rss|atom|txt|csv|pdf|docx?|xlsx?|pptx?"
    r"|epub|zip|gz|tgz|bz2|xz|7z|rar|lzh|tar|exe|dmg|apk|iso|mp3|m4a|ogg|wav|flac|mp4|m4v|mov|avi|webm|mkv|woff2?|ttf|otf)(?:\?.*)?",
    re.IGNORECASE,
)
# Every alternative runs on to the end of the text when its own end is missing, and none looks back:
# the pass is linear in whatever a page holds.
_ELEMENTS = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(?P<raw>script|style|textarea|title|xmp)\b[^>]*+(?:>|\Z).*?(?:</(?P=raw)\b|\Z)"
    r"|<(?P<name>a|area|base|frame|iframe|meta)(?=[\s/])"
    r"(?P<attributes>(?:[^>\"']++|\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z))*+)",
    re.IGNORECASE | re.DOTALL,
)
_ATTRIBUTE = re.compile(r"([^\s\"'>/=]++)(?:\s*+=\s*+(?:\"([^\"]*+)|'([^']*+)|([^\s>\"']++)))?")


def origin_of(url: str) -> str:
    """`scheme://host[:port]` of a web address in its one spelling, or "" when it is none."""
    try:
        split = urlsplit(url.strip())
        host, port = split.hostname or "", split.port
    except ValueError:
        return ""
    if split.scheme not in ("http", "https") or not host or "@" in split.netloc:
        return ""
    origin = f"{split.scheme}://[{host}]" if ":" in host else f"{split.scheme}://{host}"
    return origin if port in (None, _DEFAULT_PORT[split.scheme]) else f"{origin}:{port}"


def same_site(url: str, origin: str) -> str:
    """`url` in its one spelling when it lies on `origin` and may be worth asking for, or ""."""
    if not origin or len(url) > LONGEST_ADDRESS or origin_of(url) != origin:
        return ""
    split = urlsplit(url.strip())
    segments = [segment for segment in split.path.split("/") if segment]
    if len(segments) > DEEPEST_PATH or max(Counter(segments).values(), default=0) > REPEATED_SEGMENTS:
        return ""
    return origin + urlunsplit(("", "", split.path or "/", split.query, ""))


def links(reply: Reply, origin: str) -> list[str]:
    """The addresses of further pages of `origin` that a page links to, in document order, in their one spelling.

    None when the page asks not to follow its links (X-Robots-Tag, robots meta)."""
    if any(name.lower() == "x-robots-tag" and header_forbids_following(value) for name, value in reply.headers):
        return []
    text = decode(reply.body, reply.header("content-type")) or ""
    base = ""
    written = []
    for name, attributes in _elements(text):
        if name == "meta":
            if meta_forbids_following(attributes.get("name", ""), attributes.get("content", "")):
                return []
        elif name == "base":
            base = base or attributes.get("href", "")
        elif "nofollow" not in attributes.get("rel", "").lower().split():
            written.append(attributes.get("src" if name in ("frame", "iframe") else "href", ""))
    base = _joined(reply.final_url, base) or reply.final_url
    found = (same_site(_joined(base, address), origin) for address in written if address)
    return [url for url in found if url and not _NOT_PAGES.fullmatch(url)]


def _elements(text: str) -> list[tuple[str, dict[str, str]]]:
    """Name and attributes of the elements that hold links or speak of them; of an attribute the first counts."""
    elements = []
    for found in _ELEMENTS.finditer(text):
        if found["name"]:
            attributes: dict[str, str] = {}
            for attribute in _ATTRIBUTE.finditer(found["attributes"]):
                value = attribute[2] or attribute[3] or attribute[4] or ""
                attributes.setdefault(attribute[1].lower(), unescape(value).strip())
            elements.append((found["name"].lower(), attributes))
    return elements


def _joined(base: str, written: str) -> str:
    try:
        return urljoin(base, written)
    except ValueError:
        return ""
