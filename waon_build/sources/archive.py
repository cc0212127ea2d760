"""A WARC or ARC file -> its records, whatever of them can be read. What is taken of a record is a subclass's affair.

Damaged files give what can be read: a record cut short, a member that does not decompress, a file that
ends in the middle. What was wrong is told in one word with the offset, and reading goes on at the next
record that is whole.
"""

from __future__ import annotations

import gzip
import re
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import IO, Any, Generic, TypeVar

from fastwarc.warc import ArchiveIterator, WarcRecord
from warcio.archiveiterator import ArchiveIterator as ArcIterator
from warcio.exceptions import ArchiveLoadFailed

from waon_build.records import InputError, Reason, in_a_line

RECORD_UNREADABLE = Reason(
    "record_unreadable",
    stage="extract",
    what="A response whose headers or body cannot be read or decoded.",
    why="The file is damaged there; its tally says where and how.",
)

Taken = TypeVar("Taken")


class Archive(ABC, Generic[Taken]):
    """One archive being read. read: records so far. offset: of the latest one in the file, bytes (compressed)."""

    def __init__(self, stream: IO[bytes], name: str, problem: Callable[[str], None], begins_at: int = 0) -> None:
        """stream: seekable. name: of the file, for messages. problem: called with what cannot be read,
        `NAME@OFFSET: word: detail`. begins_at: where in the file the stream begins, when it is a range of it."""
        self.stream, self.name = stream, name
        self.read, self._last = 0, 0
        self._begins_at, self._problem = begins_at, problem
        self._told: set[int] = set()

    @property
    def offset(self) -> int:
        return self._begins_at + self._last

    @abstractmethod
    def take(self, record: WarcRecord) -> Taken | Reason:
        """What is wanted of a record, or why nothing is."""

    @abstractmethod
    def take_arc(self, record: Any) -> Taken | Reason:
        """As `take`, of a record that warcio read from an ARC file."""

    def records(self) -> Iterator[Taken | Reason]:
        """What is taken of each record that can be read, in file order. Raises InputError when there is none at
        all: it is no archive. Errors of the stream itself are passed on: another try may succeed."""
        yield from self._of_arc() if re.search(r"\.arc(\.gz)?$", self.name) else self._of_warc()
        if not self.read:
            raise InputError(
                f"{self.name}: is not a WARC file: no record can be read: check `sources` or fetch the file again"
            )

    def tell(self, word: str, detail: str) -> None:
        """Report a problem of the latest record, once."""
        if self._last not in self._told:
            self._told.add(self._last)
            self._problem(f"{self.name}@{self.offset}: {word}: {detail}")

    def _of_warc(self) -> Iterator[Taken | Reason]:
        start: int | None = 0
        while start is not None:
            self._last, before = start, self.read
            try:
                yield from self._from(start)
                return
            except (OSError, ValueError, zlib.error) as error:
                if not _is_damage(error):
                    raise
                self.tell("damaged_archive", in_a_line(error))
                if self.read == before:  # it is this record that cannot be read
                    yield RECORD_UNREADABLE
                start = _next_record(self.stream, self._last + 1)

    def _from(self, start: int) -> Iterator[Taken | Reason]:
        self.stream.seek(start)
        plain = self.stream.read(5) == b"WARC/"
        self.stream.seek(start)
        end = start
        # Bodies are decoded by us: archives keep the headers of a coding that is already undone.
        for record in ArchiveIterator(self.stream, parse_http=True, auto_decode="none", quirks_mode=True):
            if plain:
                self._tell_of_gap(end, record.stream_pos)
                end = record.stream_pos + _length(record)
            self._last, self.read = record.stream_pos, self.read + 1
            try:
                found = self.take(record)
            except (OSError, ValueError, zlib.error):
                yield RECORD_UNREADABLE
                raise
            yield found
        if plain:
            self._tell_of_gap(end, self.stream.seek(0, 2))
        elif self.read and not _ends_whole(self.stream, self._last):
            self.tell("truncated_gzip", "the file ends in the middle of a record")

    def _of_arc(self) -> Iterator[Taken | Reason]:
        """As `_of_warc`, for ARC, the format before WARC, which fastwarc does not read."""
        archive: Any = ArcIterator(self.stream, arc2warc=True)
        try:
            for record in archive:
                self._last, self.read = archive.get_record_offset(), self.read + 1
                yield self.take_arc(record)
        except (OSError, ValueError, zlib.error, ArchiveLoadFailed) as error:
            if not _is_damage(error):
                raise
            self.tell("damaged_archive", in_a_line(error))

    def _tell_of_gap(self, end: int, begin: int) -> None:
        """Tell of bytes between two records, which are passed over without a word otherwise."""
        if begin - end > _GAP:
            self._last = end
            self.tell("unreadable_bytes", f"{begin - end} of them hold no record")


_GAP = 100
"""Bytes between two records of a plain file that may be blank lines and the writing of headers."""


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
