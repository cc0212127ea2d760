"""The pages of a crawl as a WARC 1.1 file, which any tool of web archives reads.

A record holds the body as it was after its content coding was undone; the headers that this makes
untrue (`Content-Encoding`, `Transfer-Encoding`, `Content-Length`) are kept as `X-Crawler-...`, as
Common Crawl does. The status line is written anew, as HTTP/1.1.
"""

from __future__ import annotations

import hashlib
import uuid
from http import HTTPStatus
from io import BytesIO
from typing import IO

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from waon_build import __version__
from waon_build.records import Reply

_UNTRUE_NOW = frozenset({"content-encoding", "transfer-encoding", "content-length"})
INFO_BYTES = 4096
"""The first record, which says who crawled and when, is shorter."""


class PageArchive:
    """A WARC 1.1 file of pages, each record gzipped by itself, as ISO 28500 has it."""

    def __init__(self, file: IO[bytes], part: str, operator: str) -> None:
        self._writer = WARCWriter(file, gzip=True, warc_version="1.1")
        about = {
            "software": f"waon-build/{__version__}",
            "format": "WARC File Format 1.1",
            "conformsTo": "https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
            "robots": "obeyed",
            "operator": operator,
            "isPartOf": part,
        }
        self._writer.write_record(self._writer.create_warcinfo_record(f"{part}.warc.gz", about))

    def add(self, url: str, reply: Reply) -> None:
        """Write one page as a response record."""
        headers = [
            (f"X-Crawler-{name}" if name.lower() in _UNTRUE_NOW else name, value)
            for name, value in reply.headers
            if (name.lower(), value) != ("content-length", str(len(reply.body)))
        ]
        headers.append(("Content-Length", str(len(reply.body))))
        record = self._writer.create_warc_record(
            url,
            "response",
            payload=BytesIO(reply.body),
            length=len(reply.body),
            http_headers=StatusAndHeaders(_status_line(reply.status), headers, protocol="HTTP/1.1"),
            warc_headers_dict={"WARC-Record-ID": f"<urn:uuid:{_record_id(url, reply.body)}>"},
        )
        self._writer.write_record(record)


def written_at(beginning: bytes) -> str:
    """When an archive was begun, ISO 8601 UTC. beginning: its first `INFO_BYTES`. Raises ValueError when they are
    of something else."""
    try:
        record = next(iter(ArchiveIterator(BytesIO(beginning))))
        return str(record.rec_headers.get_header("WARC-Date"))
    except (StopIteration, ArchiveLoadFailed) as error:
        raise ValueError("not the beginning of an archive of pages") from error


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _record_id(url: str, body: bytes) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{url} {hashlib.sha256(body).hexdigest()}")
