"""What a page says of itself, apart from its images: its language, and whether it may be used.

Said in its address, its response's headers and its `<meta>` elements, which a WAT record keeps as well as the
page does. The questions are cheap, and end most pages of a crawl.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

from waon_build import languages, rights
from waon_build.records import Evidence, Reason
from waon_build.sources.addresses import Attributes
from waon_build.sources.figures import LONGEST_TEXT
from waon_build.sources.payload import Header

PAGE_IN_ANOTHER_LANGUAGE = Reason(
    "page_in_another_language",
    stage="extract",
    what="A page that is not in the recipe's language, by its address (`/en/`), its declarations and its text.",
    why="Captions come from the language's own pages; clear text wins over a wrong `lang`, and the address that the "
    "publisher filed a page under wins over both.",
    setting="language",
)
PAGE_REFUSED = Reason(
    "page_refused",
    stage="extract",
    what="A page whose robots meta, X-Robots-Tag, TDM reservation or Content-Usage refuses.",
    why="Its publisher said no. Nothing on it is asked for.",
    source="robots meta and X-Robots-Tag (noai, noimageai, noindex, ...), TDMRep, AIPREF",
)


def is_filed_elsewhere(url: str, language: str) -> bool:
    """Whether a page lies in the folder of another language than this."""
    return _filed_under(url) not in ("", language)


_FILED = re.compile(r"(en|zh|ko|ja)(?:[-_](?:[A-Za-z]{2}|[Hh]an[st]))?")


def _filed_under(url: str) -> str:
    """The language whose folder a page lies in (`/en/`, `/zh-CN/`; the innermost counts), or "". Only codes
    that mean nothing else: `/it/` and `/no/` are words, `/de/` and `/tt/` are bags and users. Templates
    declare `lang="ja"` on English pages whose text quotes much Japanese; the folder is the publisher's own
    filing. The last piece is the page's name (`/words/ko`), unless it is all there is (`/en`)."""
    _, _, rest = url[:LONGEST_TEXT].partition("#")[0].partition("?")[0].partition("://")
    _, *folders = rest.split("/")
    for folder in reversed(folders[:-1] or folders):
        if found := _FILED.fullmatch(folder):
            return found[1]
    return ""


def could_be_in(language: str, text: str) -> bool:
    """Whether a page has a letter of the language's own scripts at all: the cheap question that ends
    most pages of a crawl before they are parsed. Character references may hide letters, so they count."""
    letter, among_ascii = _own_letter(language)
    # Most of a page is ASCII: without it, a letter is looked for in a tenth of the time.
    searched = text if among_ascii else text.encode("utf-8", "ignore").translate(None, _ASCII).decode("utf-8")
    return letter.search(searched) is not None or "&#" in text


_ASCII = bytes(range(128))


@cache
def _own_letter(language: str) -> tuple[re.Pattern[str], bool]:
    """A letter of the language's own scripts; and whether one may be ASCII."""
    letter = re.compile(f"[{languages.get(language).own}]")
    return letter, letter.search(_ASCII.decode()) is not None


def header(headers: Sequence[Header], name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "")


def statements(url: str, headers: Sequence[Header], metas: Sequence[Attributes]) -> list[Evidence]:
    """What a page says of its own use, in its headers and in its meta elements."""
    return rights.statements(url, [*headers, *_as_headers(metas)], _named(metas))


def declared_languages(root: str, headers: Sequence[Header], metas: Sequence[Attributes]) -> list[str]:
    """What a page says its language is, most trusted first. root: the language of its `<html>` element, or ""."""
    said = [root, header(headers, "content-language")]
    said += [
        meta.get("content") or "" for meta in metas if (meta.get("http-equiv") or "").lower() == "content-language"
    ]
    said += [content for name, content in _named(metas) if name == "language"]
    return [one for one in said if one]


def _named(metas: Iterable[Attributes]) -> list[tuple[str, str]]:
    """(name, content) of the meta elements that have both."""
    return [
        ((meta["name"] or "").strip().lower(), meta["content"] or "")
        for meta in metas
        if "name" in meta and "content" in meta
    ]


def _as_headers(metas: Iterable[Attributes]) -> list[Header]:
    """What `<meta http-equiv="X-Robots-Tag">` says, as the header that it stands for."""
    return [
        ("x-robots-tag", meta.get("content") or "")
        for meta in metas
        if (meta.get("http-equiv") or "").strip().lower() == "x-robots-tag"
    ]
