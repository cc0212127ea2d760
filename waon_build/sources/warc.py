"""A WARC (or ARC) file -> the HTML pages in it. What is no page is skipped, each record with a reason.

Damaged files give what can be read: a record cut short, a member that does not decompress, a file that
ends in the middle. What was wrong is told in one word with the offset, and reading goes on at the next
record that is whole. Nothing here looks into a page.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple
from urllib.parse import urlsplit

from fastwarc.warc import ArchiveIterator, WarcRecord
from warcio.archiveiterator import ArchiveIterator as ArcIterator
from warcio.exceptions import ArchiveLoadFailed

from waon_build.records import InputError, Reason
from waon_build.sources.addresses import LONGEST
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
RECORD_UNREADABLE = Reason(
    "record_unreadable",
    stage="extract",
    what="A response whose headers or body cannot be read or decoded.",
    why="The file is damaged there; its tally says where and how.",
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
    stream: IO[bytes], name: str, max_bytes: int, skip: Callable[[Reason], None], problem: Callable[[str], None]
) -> Iterator[Response]:
    """The HTML pages of a WARC file (plain, gzip, lz4 or zstd) or an ARC file, in file order.

    stream: seekable. name: of the file, for messages. max_bytes: of a body; a longer one comes one byte
    longer than that. skip: called with the reason for each record that is no page. problem: called with
    what cannot be read, `NAME@OFFSET: word: detail`. Raises InputError when there is no record at all: it
    is not a WARC file. Errors of the stream itself are passed on: another try may succeed.
    """
    file = _File(stream, max_bytes, lambda offset, what: problem(f"{name}@{offset}: {what}"))
    for record in file.arc_records() if re.search(r"\.arc(\.gz)?$", name) else file.warc_records():
        if isinstance(record, Reason):
            skip(record)
        else:
            yield record
    if not file.read:
        raise InputError(f"{name}: is not a WARC file: no record can be read: check `sources` or fetch the file again")


class _File:
    """One file being read. read: records so far. last: offset of the latest one."""

    def __init__(self, stream: IO[bytes], max_bytes: int, problem: Callable[[int, str], None]) -> None:
        self.stream, self.max_bytes, self._problem = stream, max_bytes, problem
        self.read, self.last = 0, 0
        self._told: set[int] = set()

    def warc_records(self) -> Iterator[Response | Reason]:
        """Each record that can be read: a page, or why it is none."""
        start: int | None = 0
        while start is not None:
            self.last, before = start, self.read
            try:
                yield from self._records_from(start)
                return
            except (OSError, ValueError, zlib.error) as error:
                if not _is_damage(error):
                    raise
                self._tell("damaged_archive", _one_line(error))
                if self.read == before:  # it is this record that cannot be read
                    yield RECORD_UNREADABLE
                start = _next_record(self.stream, self.last + 1)

    def _records_from(self, start: int) -> Iterator[Response | Reason]:
        self.stream.seek(start)
        plain = self.stream.read(5) == b"WARC/"
        self.stream.seek(start)
        end = start
        # Bodies are decoded by us: archives keep the headers of a coding that is already undone.
        for record in ArchiveIterator(self.stream, parse_http=True, auto_decode="none", quirks_mode=True):
            if plain:
                self._tell_of_gap(end, record.stream_pos)
                end = record.stream_pos + _length(record)
            self.last, self.read = record.stream_pos, self.read + 1
            try:
                found = self._page(record)
            except (OSError, ValueError, zlib.error):
                yield RECORD_UNREADABLE
                raise
            yield found
        if plain:
            self._tell_of_gap(end, self.stream.seek(0, 2))
        elif self.read and not _ends_whole(self.stream, self.last):
            self._tell("truncated_gzip", "the file ends in the middle of a record")

    def _page(self, record: WarcRecord) -> Response | Reason:
        kind = str(record.record_type)
        if kind != "response":
            return REVISIT_RECORD if kind == "revisit" else NOT_A_RESPONSE
        http = record.http_headers
        if http is None or not http.status_code:
            self._tell("unreadable_headers", "they are no HTTP response")
            return RECORD_UNREADABLE
        headers = [(str(key), str(value)) for key, value in http.astuples()]
        url = (record.headers.get("WARC-Target-URI") or "").strip().strip("<>")
        if reason := _why_not(http.status_code, record.http_content_type or "", url):
            return reason
        announced = record.content_length
        body = record.reader.read(self.max_bytes + 1)
        if missing := min(announced, self.max_bytes + 1) - len(body):
            self._tell("truncated_record", f"{missing} bytes are missing")
        return self._response(url, headers, body, record.headers.get("WARC-Date") or "")

    def arc_records(self) -> Iterator[Response | Reason]:
        """As `warc_records`, for ARC, the format before WARC, which fastwarc does not read."""
        archive: Any = ArcIterator(self.stream, arc2warc=True)
        try:
            for record in archive:
                self.last, self.read = archive.get_record_offset(), self.read + 1
                yield self._arc_page(record)
        except (OSError, ValueError, zlib.error, ArchiveLoadFailed) as error:
            if not _is_damage(error):
                raise
            self._tell("damaged_archive", _one_line(error))

    def _arc_page(self, record: Any) -> Response | Reason:
        if record.rec_type != "response":
            return NOT_A_RESPONSE
        http = record.http_headers
        status = (http.get_statuscode() if http else None) or ""
        if not status.isdigit():
            self._tell("unreadable_headers", "they are no HTTP response")
            return RECORD_UNREADABLE
        url = (record.rec_headers.get_header("WARC-Target-URI") or "").strip()
        if reason := _why_not(int(status), http.get_header("Content-Type") or "", url):
            return reason
        body = record.raw_stream.read(self.max_bytes + 1)
        return self._response(url, list(http.headers), body, record.rec_headers.get_header("WARC-Date") or "")

    def _response(self, url: str, headers: list[Header], body: bytes, date: str) -> Response | Reason:
        whole = decoded(body, headers, self.max_bytes + 1)
        if whole is None:
            self._tell("undecodable_body", "it is not in the coding that its headers name")
            return RECORD_UNREADABLE
        return Response(url, headers, whole, date, self.last)

    def _tell_of_gap(self, end: int, begin: int) -> None:
        """Tell of bytes between two records, which are passed over without a word otherwise."""
        if begin - end > _GAP:
            self.last = end
            self._tell("unreadable_bytes", f"{begin - end} of them hold no record")

    def _tell(self, word: str, detail: str) -> None:
        """Report a problem of the latest record, once."""
        if self.last not in self._told:
            self._told.add(self.last)
            self._problem(self.last, f"{word}: {detail}")


_GAP = 100
"""Bytes between two records of a plain file that may be blank lines and the writing of headers."""


def _why_not(status: int, content_type: str, url: str) -> Reason | None:
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


def _length(record: WarcRecord) -> int:
    """Bytes of a plain record."""
    length = record.headers.get("Content-Length") or ""
    headers = sum(len(key.encode()) + len(value.encode()) + 4 for key, value in record.headers.astuples())
    return len("WARC/1.0\r\n") + headers + 4 + (int(length) if length.isdigit() else 0)


def _next_record(stream: IO[bytes], start: int) -> int | None:
    """The offset of the first record at or after `start`, or None."""
    stream.seek(0)
    return _next_plain(stream, start) if stream.read(5) == b"WARC/" else _next_member(stream, start)


_PLAIN = re.compile(rb"\nWARC/[01]\.[0-9]{1,2}\r?\n")


def _next_plain(stream: IO[bytes], start: int) -> int | None:
    """Of a file that is not compressed: where a line says that a record begins."""
    block, longest = 1 << 20, 16
    while True:
        stream.seek(start)
        data = stream.read(block)
        if found := _PLAIN.search(data):
            return start + found.start() + 1
        if len(data) < block:
            return None
        start += len(data) - longest


def _next_member(stream: IO[bytes], start: int) -> int | None:
    """The offset of the first gzip member at or after `start` that holds a record, or None."""
    block, magic = 1 << 20, b"\x1f\x8b\x08"
    while True:
        stream.seek(start)
        data = stream.read(block)
        for found in re.finditer(re.escape(magic), data):
            stream.seek(start + found.start())
            try:
                if zlib.decompressobj(31).decompress(stream.read(4096), 5) == b"WARC/":
                    return start + found.start()
            except zlib.error:
                continue
        if len(data) < block:
            return None
        start += len(data) - len(magic) + 1


def _ends_whole(stream: IO[bytes], start: int) -> bool:
    """Whether the gzip members from `start` to the end of the file are complete. Other compressions are
    taken to be."""
    stream.seek(start)
    member = zlib.decompressobj(31)
    data = stream.read(1 << 16)
    if not data.startswith(b"\x1f\x8b"):
        return True
    while data:
        try:
            member.decompress(data, 1 << 20)
        except zlib.error:
            return False
        data = member.unconsumed_tail or member.unused_data or stream.read(1 << 16)
        if member.eof and data:
            member = zlib.decompressobj(31)
    return member.eof


def _is_damage(error: Exception) -> bool:
    """Whether what could not be read is the file's fault, and not that of the disk or network it comes from:
    readers of formats raise errors of their own, or OSErrors without a number."""
    return not isinstance(error, OSError) or (type(error) in (OSError, gzip.BadGzipFile) and error.errno is None)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
