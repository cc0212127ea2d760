"""A WAT file -> what it keeps of each page, and the candidates in that: the cheaper first pass.

Common Crawl writes beside each WARC file a WAT file with, for each page, the response's headers, title, meta
elements, links and images (`src`, `alt`, `title`) as JSON: a fifth of the bytes, and nothing to parse as HTML. It
has no figure captions, `srcset`, lazy addresses, sizes or text around images, and no more than 128 characters of
a title. What it has is judged as a page's own markup is. Format: ia-web-commons, `ExtractingParseObserver`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, NamedTuple

from fastwarc.warc import WarcRecord

from waon_build import languages, rights
from waon_build.recipe import ExtractSettings
from waon_build.records import Reason
from waon_build.sources.addresses import Attributes, absolute, address
from waon_build.sources.archive import RECORD_UNREADABLE, Archive
from waon_build.sources.declared import (
    PAGE_IN_ANOTHER_LANGUAGE,
    PAGE_REFUSED,
    could_be_in,
    declared_languages,
    is_filed_elsewhere,
    statements,
)
from waon_build.sources.figures import LONGEST_TEXT, folded
from waon_build.sources.html import PAGE_TOO_LARGE
from waon_build.sources.payload import Header
from waon_build.sources.references import Page, References
from waon_build.sources.warc import NOT_A_RESPONSE, NOT_HTML, REVISIT_RECORD, why_no_page

Json = Mapping[str, Any]


class Read(NamedTuple):
    """What one page's record gave. archive, offset, length: the WARC file, by its name alone, and the range in
    it that hold the page itself, bytes; length is 0 when the record does not say. captured_at: the WARC-Date."""

    url: str
    page: Page
    archive: str = ""
    offset: int = 0
    length: int = 0
    captured_at: str = ""


def is_wat(path: str) -> bool:
    """Whether a file is a WAT file, by its name."""
    return path.removesuffix(".gz").endswith(".wat")


def read_pages(
    stream: IO[bytes],
    name: str,
    language: str,
    settings: ExtractSettings,
    skip: Callable[[Reason], None],
    problem: Callable[[str], None],
) -> Iterator[Read]:
    """The pages of a WAT file, in file order. language: the recipe's. skip: called with the reason for each record
    that is of no page. stream, name, problem, and what is raised: see `Archive`."""
    for record in _Wat(stream, name, problem, language, settings).records():
        if isinstance(record, Reason):
            skip(record)
        else:
            yield record


_RESPONSE = b'"HTTP-Response-Metadata"'
"""In JSON a quotation mark within a string is escaped: with both, it is a name."""
_OK = re.compile(rb'"Status"\s*:\s*"200"')


class _Wat(Archive[Read]):
    """One WAT file being read."""

    def __init__(
        self, stream: IO[bytes], name: str, problem: Callable[[str], None], language: str, settings: ExtractSettings
    ) -> None:
        super().__init__(stream, name, problem)
        self.language, self.settings = language, settings

    def take_arc(self, record: Any) -> Read | Reason:
        """There are no WAT records in ARC files, whatever a list of files says."""
        return NOT_A_RESPONSE

    def take(self, record: WarcRecord) -> Read | Reason:
        if str(record.record_type) != "metadata":
            return NOT_A_RESPONSE
        most = self.settings.max_page_bytes
        raw: bytes = record.reader.read(most + 1)
        if _RESPONSE not in raw:
            return NOT_A_RESPONSE
        url = (record.headers.get("WARC-Target-URI") or "").strip()
        if len(raw) > most:
            return Read(url, Page(PAGE_TOO_LARGE))
        text = raw.decode("utf-8", "replace")
        if b'"HTML-Metadata"' in raw and _OK.search(raw) and not self._could_be_wanted(url, text):
            return Read(url, Page(PAGE_IN_ANOTHER_LANGUAGE))
        try:
            return self._read(_loaded(text))
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            self.tell("unreadable_envelope", f"it is not what a WAT record is ({type(error).__name__})")
            return RECORD_UNREADABLE

    def _could_be_wanted(self, url: str, text: str) -> bool:
        """Whether a record is worth the time of its JSON: nineteen in twenty are not."""
        return not is_filed_elsewhere(url, self.language) and ("\\u" in text or could_be_in(self.language, text))

    def _read(self, record: Json) -> Read | Reason:
        envelope, container = record["Envelope"], record.get("Container", {})
        about = envelope["WARC-Header-Metadata"]
        if about.get("WARC-Type") == "revisit":
            return REVISIT_RECORD
        response = envelope["Payload-Metadata"]["HTTP-Response-Metadata"]
        headers = _headers(response.get("Headers", {}))
        kind = next((value for key, value in headers if key.lower() == "content-type"), "")
        url = about["WARC-Target-URI"].strip().strip("<>")
        if reason := why_no_page(int(response["Response-Message"]["Status"]), kind, url):
            return reason
        if "HTML-Metadata" not in response:
            return NOT_HTML
        archive, (offset, length) = container.get("Filename", ""), _place(container)
        page = self._page(url, headers, response["HTML-Metadata"], f"{archive or os.path.basename(self.name)}@{offset}")
        return Read(url, page, archive, offset, length, str(about.get("WARC-Date", "")))

    def _page(self, url: str, headers: list[Header], html: Json, source: str) -> Page:
        if is_filed_elsewhere(url, self.language):
            return Page(PAGE_IN_ANOTHER_LANGUAGE)
        head, links = html.get("Head", {}), html.get("Links", [])
        metas: list[Attributes] = head.get("Metas", [])
        evidence = statements(url, headers, metas)
        if any(statement.refuses for statement in evidence):
            return Page(PAGE_REFUSED)
        title = folded(head.get("Title", "")[:LONGEST_TEXT])
        images = [{**link, "src": link.get("url")} for link in links if link.get("path") == "IMG@/src"]
        declared = declared_languages(_root_language(metas), headers, metas)
        if languages.page_language(declared, _text(html, title, metas, links)) != self.language:
            return Page(PAGE_IN_ANOTHER_LANGUAGE)
        licence = rights.licence_url(_licences(head.get("Link", []), links))
        references = References(url, _base(head, url), self.language, title, licence, evidence, source)
        most = self.settings.max_candidates_per_page
        for image in images[:most]:
            references.add(address(image, []), image)
        beyond = images[most:]
        references.beyond((image["src"] or "" for image in beyond), len(beyond))
        return references.page


def _loaded(text: str) -> Json:
    record: Json = json.loads(text.replace("\\u0000", "\\ufffd"))  # as a browser reads it, and no database holds it
    if "\\ud" in text.lower():  # an escape may spell half a character, which no table can hold
        record = json.loads(json.dumps(record, ensure_ascii=False).encode("utf-8", "replace"))
    return record


def _headers(headers: Json) -> list[Header]:
    """A header that was sent several times may have a list of values."""
    found: list[Header] = []
    for name, value in headers.items():
        found += [(name, str(one)) for one in (value if isinstance(value, list) else [value])]
    return found


_LONGEST_FILE = 1 << 40
"""Bytes of a WARC file; real ones have a thousandth of that."""


def _place(container: Json) -> tuple[int, int]:
    """Offset and length of the gzip member that holds the page in its WARC file, bytes; length is 0 when they are not
    said, or cannot be."""
    gzip = container.get("Gzip-Metadata", {})
    lengths = [gzip.get(f"{piece}-Length") for piece in ("Header", "Deflate", "Footer")]
    offset, length = int(container.get("Offset", 0)), sum(map(int, lengths)) if all(lengths) else 0
    return (offset, length) if 0 <= offset < _LONGEST_FILE and 0 <= length < _LONGEST_FILE else (0, 0)


def _root_language(metas: list[Attributes]) -> str:
    """The language of the `<html>` element, which WAT keeps among the meta elements."""
    said = {meta.get("name"): meta.get("content") for meta in metas}
    return said.get("HTML@/lang") or said.get("HTML@/xml:lang") or ""


_TELLING = frozenset(("description", "og:description", "og:title", "twitter:title", "twitter:description"))


def _text(html: Json, title: str, metas: list[Attributes], links: list[Json]) -> str:
    """What there is of the page's words, the most telling first: its text where it was kept, its title and
    description, captions, and what its links say."""
    texts = [html.get("Text", "")[:20_000], title]
    texts += [meta.get("content") or "" for meta in metas if (meta.get("name") or meta.get("property")) in _TELLING]
    texts += [link.get("alt") or link.get("title") or "" for link in links if link.get("path") == "IMG@/src"]
    texts += [link.get("text") or "" for link in links if link.get("path") == "A@/href"]
    return " ".join(filter(None, texts))[:20_000]


def _licences(head: list[Json], links: list[Json]) -> list[tuple[str, str]]:
    """(rel, href) of the links that may declare a licence: of `<link>`, those that say so."""
    found = [(link.get("rel") or "", link.get("url") or "") for link in head]
    declared = [(rel, href) for rel, href in found if "license" in rel.lower().split()]
    return declared + [
        (link.get("rel") or "", link.get("url") or "") for link in links if link.get("path") == "A@/href"
    ]


def _base(head: Json, url: str) -> str:
    joined = absolute(head.get("Base", ""), url) if head.get("Base") else None
    return joined if joined and joined.startswith(("http://", "https://")) else url
