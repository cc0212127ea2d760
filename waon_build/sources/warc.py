"""A WARC (or ARC) file -> the HTML pages in it. What is no page is skipped, each record with a reason.

How archives are read, whole or damaged, is in `archive.py`. Nothing here looks into a page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple
from urllib.parse import urlsplit

from fastwarc.warc import WarcRecord

from waon_build.records import Reason
from waon_build.sources.addresses import LONGEST
from waon_build.sources.archive import RECORD_UNREADABLE, Archive
from waon_build.sources.payload import Header, decoded

NOT_A_RESPONSE = Reason(
    "not_a_response",
    stage="extract",
    what="A WARC record that is no response: request, warcinfo, metadata, conversion, and the like.",
    why="It holds no page.",
)
REVISIT_RECORD = Reason(
    "revisit_record",
    stage="extract",
    what="A WARC record that says: as in an earlier capture.",
    why="The page is where it points to, not here.",
)
NOT_HTML = Reason(
    "not_html",
    stage="extract",
    what="A response of another content type than HTML.",
    why="Only pages hold captions.",
)
NOT_OK = Reason(
    "not_ok",
    stage="extract",
    what="A response with another status than 200.",
    why="An error page or a redirect is not the page.",
)
BAD_ADDRESS = Reason(
    "bad_address",
    stage="extract",
    what="A response whose target is no http address, or one of over 4,096 characters.",
    why="Its links cannot be joined, and nobody could be asked for permission.",
)


class Response(NamedTuple):
    """One HTML page as captured. offset: of its record in the file, bytes (compressed).
    body: transfer and content encodings undone. captured_at: the WARC-Date."""

    url: str
    headers: list[Header]
    body: bytes
    captured_at: str
    offset: int


def html_pages(
    stream: IO[bytes],
    name: str,
    max_bytes: int,
    skip: Callable[[Reason], None],
    problem: Callable[[str], None],
    begins_at: int = 0,
) -> Iterator[Response]:
    """The HTML pages of a WARC file (plain, gzip, lz4 or zstd) or an ARC file, in file order.

    max_bytes: of a body; a longer one comes one byte longer than that. skip: called with the reason for each
    record that is no page. stream, name, problem, begins_at, and what is raised: see `Archive`.
    """
    for record in _Pages(stream, name, problem, begins_at, max_bytes).records():
        if isinstance(record, Reason):
            skip(record)
        else:
            yield record


class _Pages(Archive[Response]):
    """The pages of one archive."""

    def __init__(
        self, stream: IO[bytes], name: str, problem: Callable[[str], None], begins_at: int, max_bytes: int
    ) -> None:
        super().__init__(stream, name, problem, begins_at)
        self.max_bytes = max_bytes

    def take(self, record: WarcRecord) -> Response | Reason:
        kind = str(record.record_type)
        if kind != "response":
            return REVISIT_RECORD if kind == "revisit" else NOT_A_RESPONSE
        http = record.http_headers
        if http is None or not http.status_code:
            self.tell("unreadable_headers", "they are no HTTP response")
            return RECORD_UNREADABLE
        headers = [(str(key), str(value)) for key, value in http.astuples()]
        url = (record.headers.get("WARC-Target-URI") or "").strip().strip("<>")
        if reason := why_no_page(http.status_code, record.http_content_type or "", url):
            return reason
        announced = record.content_length
        body = record.reader.read(self.max_bytes + 1)
        if missing := min(announced, self.max_bytes + 1) - len(body):
            self.tell("truncated_record", f"{missing} bytes are missing")
        return self._response(url, headers, body, record.headers.get("WARC-Date") or "")

    def take_arc(self, record: Any) -> Response | Reason:
        if record.rec_type != "response":
            return NOT_A_RESPONSE
        http = record.http_headers
        status = (http.get_statuscode() if http else None) or ""
        if not status.isdigit():
            self.tell("unreadable_headers", "they are no HTTP response")
            return RECORD_UNREADABLE
        url = (record.rec_headers.get_header("WARC-Target-URI") or "").strip()
        if reason := why_no_page(int(status), http.get_header("Content-Type") or "", url):
            return reason
        body = record.raw_stream.read(self.max_bytes + 1)
        return self._response(url, list(http.headers), body, record.rec_headers.get_header("WARC-Date") or "")

    def _response(self, url: str, headers: list[Header], body: bytes, date: str) -> Response | Reason:
        whole = decoded(body, headers, self.max_bytes + 1)
        if whole is None:
            self.tell("undecodable_body", "it is not in the coding that its headers name")
            return RECORD_UNREADABLE
        return Response(url, headers, whole, date, self.offset)


def why_no_page(status: int, content_type: str, url: str) -> Reason | None:
    """Why a response is no page that candidates are read from, or None."""
    if status != 200:
        return NOT_OK
    if content_type.partition(";")[0].strip().lower() not in ("text/html", "application/xhtml+xml"):
        return NOT_HTML
    return None if _is_address(url) else BAD_ADDRESS


def _is_address(url: str) -> bool:
    if len(url) > LONGEST or not re.match(r"https?://[^/]", url, re.IGNORECASE):
        return False
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        return False
    return bool(parts.hostname)
