"""A WARC (or ARC) file -> the HTML pages in it. What is no page is skipped, each record with a reason.

Damaged files give what can be read: a record cut short, a member that does not decompress, a body that
is not what its headers say. What was wrong is told in words with the offset. After a member that does not
decompress the rest of the file is lost, and said to be. Nothing here looks into a page.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

import brotli
from fastwarc.warc import ArchiveIterator
from warcio.archiveiterator import ArchiveIterator as ArcIterator
from warcio.exceptions import ArchiveLoadFailed

from waon_build.records import InputError, Reason

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
    what="A response whose body cannot be read or decoded.",
    why="The file is damaged there; its tally says where and how.",
)


class Response(NamedTuple):
    """One HTML page as captured. offset: of its record in the file, bytes (compressed).
    body: transfer and content encodings undone. captured_at: the WARC-Date."""

    url: str
    headers: list[tuple[str, str]]
    body: bytes
    captured_at: str
    offset: int


def html_pages(
    stream: IO[bytes], name: str, max_bytes: int, skip: Callable[[Reason], None], problem: Callable[[str], None]
) -> Iterator[Response]:
    """The HTML pages of a WARC file (plain, gzip, lz4 or zstd) or an ARC file, in file order.

    name: of the file, for messages. max_bytes: of a body; a longer one comes one byte longer than that.
    skip: called with the reason for each record that is no page. problem: called with what cannot be
    read. Raises InputError when there is no record at all: it is not a WARC file.
    """
    records = _arc_records(stream) if re.search(r"\.arc(\.gz)?$", name) else _warc_records(stream, max_bytes)
    read = 0
    try:
        for record in records:
            read += 1
            reason = record if isinstance(record, Reason) else _why_not(record)
            if reason is not None or isinstance(record, Reason):
                skip(reason or RECORD_UNREADABLE)
                continue
            if record.missing:
                problem(f"{name}@{record.offset}: truncated_record: {record.missing} bytes are missing")
            body = _decoded(record, max_bytes)
            if body is None:
                problem(f"{name}@{record.offset}: undecodable_body")
                skip(RECORD_UNREADABLE)
                continue
            yield Response(record.url, record.headers, body, record.date, record.offset)
    except (OSError, ArchiveLoadFailed, ValueError, zlib.error) as error:
        if read:
            said = " ".join(str(error).split())[:200]
            problem(f"{name}: damaged_archive after {read} records, the rest of the file is lost: {said}")
    if not read:
        raise InputError(f"{name}: is not a WARC file: no record can be read: check `sources` or fetch the file again")


class _Record(NamedTuple):
    url: str
    date: str
    status: int
    content_type: str
    headers: list[tuple[str, str]]
    body: bytes
    offset: int
    missing: int
    """Bytes that the record announces and does not have."""


_LONGEST_ADDRESS = 4096


def _why_not(record: _Record) -> Reason | None:
    if record.status != 200:
        return NOT_OK
    if record.content_type not in ("text/html", "application/xhtml+xml"):
        return NOT_HTML
    is_address = len(record.url) <= _LONGEST_ADDRESS and re.match(r"https?://[^/]", record.url)
    return None if is_address else BAD_ADDRESS


def _warc_records(stream: IO[bytes], max_bytes: int) -> Iterator[_Record | Reason]:
    # Bodies are decoded here, not by fastwarc: archives keep the headers of an encoding already undone.
    for record in ArchiveIterator(stream, parse_http=True, auto_decode="none", quirks_mode=True):
        kind = str(record.record_type)
        if kind != "response":
            yield REVISIT_RECORD if kind == "revisit" else NOT_A_RESPONSE
            continue
        http = record.http_headers
        if http is None:
            yield RECORD_UNREADABLE
            continue
        announced = record.content_length
        body = record.reader.read(max_bytes + 1)
        yield _Record(
            (record.headers.get("WARC-Target-URI") or "").strip().strip("<>"),
            record.headers.get("WARC-Date") or "",
            http.status_code or 0,
            (record.http_content_type or "").lower(),
            [(str(key), str(value)) for key, value in http.astuples()],
            body,
            record.stream_pos,
            max(0, min(announced, max_bytes + 1) - len(body)),
        )


def _arc_records(stream: IO[bytes]) -> Iterator[_Record | Reason]:
    """ARC, the format before WARC, which fastwarc does not read."""
    archive: Any = ArcIterator(stream, arc2warc=True)
    for record in archive:
        if record.rec_type != "response":
            yield NOT_A_RESPONSE
            continue
        http = record.http_headers
        if http is None:
            yield RECORD_UNREADABLE
            continue
        status = http.get_statuscode() or ""
        yield _Record(
            (record.rec_headers.get_header("WARC-Target-URI") or "").strip(),
            record.rec_headers.get_header("WARC-Date") or "",
            int(status) if status.isdigit() else 0,
            (http.get_header("Content-Type") or "").partition(";")[0].strip().lower(),
            list(http.headers),
            record.raw_stream.read(),
            archive.get_record_offset(),
            0,
        )


# --- bodies


def _decoded(record: _Record, limit: int) -> bytes | None:
    """The body with its transfer and content encodings undone, at most `limit` + 1 bytes of it; None when
    that fails. Bodies that are already decoded under the headers of an encoding are taken as they are."""
    headers = {key.lower(): value.lower() for key, value in record.headers}
    body = record.body
    if "chunked" in headers.get("transfer-encoding", ""):
        body = _unchunked(body)
    for encoding in reversed(re.split(r"[,\s]+", headers.get("content-encoding", ""))):
        undo = _DECODERS.get(encoding)
        if undo is None or not _looks_encoded(body, encoding):
            continue
        try:
            body = undo(body, limit + 1)
        except (zlib.error, brotli.error):
            return body if _looks_like_text(body) else None
    return body[: limit + 1]


_CHUNK = re.compile(rb"[ \t]*([0-9a-fA-F]{1,8})[^\r\n]{0,200}\r?\n")


def _unchunked(body: bytes) -> bytes:
    """The chunks of a body put together; the body itself when it is not chunked. A last chunk that is cut
    short gives what there is of it."""
    pieces: list[bytes] = []
    at = 0
    while found := _CHUNK.match(body, at):
        size = int(found[1], 16)
        if size == 0:
            return b"".join(pieces)
        pieces.append(body[found.end() : found.end() + size])
        at = found.end() + size
        if at >= len(body):
            return b"".join(pieces)
        at += 2 if body[at : at + 2] == b"\r\n" else 1 if body[at : at + 1] == b"\n" else 0
    return b"".join(pieces) if pieces and at >= len(body) - 2 else body


_MOST_MEMBERS = 1_000
"""Members of one gzip body: each costs a copy of what follows it."""


def _inflate(bits: int) -> Callable[[bytes, int], bytes]:
    def inflate(body: bytes, limit: int) -> bytes:
        pieces: list[bytes] = []
        for _ in range(_MOST_MEMBERS):
            stream = zlib.decompressobj(bits)
            pieces.append(stream.decompress(body, limit))
            limit -= len(pieces[-1])
            body = stream.unused_data if stream.eof else b""
            if limit <= 0 or not body.startswith(b"\x1f\x8b"):
                break
        return b"".join(pieces)

    return inflate


def _deflate(body: bytes, limit: int) -> bytes:
    """`deflate` means zlib by the standard, and a bare stream by many servers."""
    try:
        return _inflate(15)(body, limit)
    except zlib.error:
        return _inflate(-15)(body, limit)


def _brotli(body: bytes, limit: int) -> bytes:
    stream = brotli.Decompressor()
    whole: bytes = stream.process(body, output_buffer_limit=limit)
    while len(whole) < limit and not stream.is_finished():
        more = stream.process(b"", output_buffer_limit=limit - len(whole))
        if not more:
            break
        whole += more
    return whole


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _inflate(31),
    "x-gzip": _inflate(31),
    "deflate": _deflate,
    "br": _brotli,
}


def _looks_encoded(body: bytes, encoding: str) -> bool:
    if encoding in ("gzip", "x-gzip"):
        return body.startswith(b"\x1f\x8b")
    return not _looks_like_text(body)


def _looks_like_text(body: bytes) -> bool:
    start = body[:256].lstrip()
    return start.startswith(b"<") and b"\x00" not in start
