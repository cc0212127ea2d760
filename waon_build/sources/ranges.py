"""Ranges of files that are far away: near ones in one request, several under way at once, tried again when it helps.

Memory is bounded by the requests under way, whatever the number of ranges. Nothing here knows what the bytes are.
"""

from __future__ import annotations

import errno
import io
import random
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any, NamedTuple, TypeVar

import aiohttp
from fsspec.exceptions import FSTimeoutError
from fsspec.implementations.http import HTTPFileSystem

from waon_build.records import InputError, in_a_line
from waon_build.sources.files import Files

GAP = 64 << 10
"""Bytes between two ranges that are read and thrown away, rather than asked around: a request costs as much time."""
LONGEST = 2 << 20
"""Bytes of one request at most, unless a single range is longer."""
TRIES = 5
_LONGEST_WAIT = 60.0

Result = TypeVar("Result")


class Range(NamedTuple):
    """Bytes of one file. path: below the location of the source."""

    path: str
    offset: int
    length: int

    @property
    def end(self) -> int:
        return self.offset + self.length


class GoneError(Exception):
    """What is asked for is not there, and asking again will not help."""


def spans(ranges: Iterable[Range]) -> Iterator[list[Range]]:
    """Neighbours in one file, at most GAP bytes apart and LONGEST together, for one request each. ranges: sorted by
    path, then offset. Every range comes once, in its order."""
    span: list[Range] = []
    end = 0
    for one in ranges:
        near = span and one.path == span[0].path and 0 <= one.offset - end <= GAP
        if not near or one.end - span[0].offset > LONGEST:
            if span:
                yield span
            span = []
        span.append(one)
        end = one.end
    if span:
        yield span


class Store:
    """Where ranges are read: the files below one location. files: how they are opened."""

    def __init__(self, files: Files, location: str) -> None:
        self.location = location.rstrip("/")
        self._fs, self._root = files.system(self.location)

    def read(self, path: str, start: int, end: int) -> bytes:
        """Bytes `start` to `end` of a file: fewer when it ends before. Raises GoneError, InputError when the server
        knows no ranges, and OSError when it was asked TRIES times, or asks for a long pause: it may answer later."""
        return _tried(path, lambda: self._read(self._at(path), start, end))

    def info(self, path: str) -> dict[str, Any]:
        """What the store tells of a file: `size`, and what changes with it. Raises as `read` does."""
        return _tried(path, lambda: dict(self._fs.info(self._at(path))))

    def size(self, path: str) -> int:
        """Bytes of a file. Raises as `read` does."""
        size = self.info(path).get("size")
        if size is None:
            raise InputError(f"{self.location}/{path}: the server does not say how long it is: name another location")
        return int(size)

    def whole(self, path: str) -> bytes:
        """All bytes of a file. Raises as `read` does."""
        return _tried(path, lambda: bytes(self._fs.cat_file(self._at(path))))

    def folders(self, path: str) -> list[str]:
        """The names of what lies in a folder. Raises as `read` does."""
        found = _tried(path, lambda: list(self._fs.ls(self._at(path), detail=False, refresh=True)))
        return sorted(str(one).rstrip("/").rsplit("/", 1)[-1] for one in found)

    def _at(self, path: str) -> str:
        """Where a file is. An index may say anything, and gets nothing from beside the location."""
        if ".." in path.split("/"):
            raise GoneError("it is not below the location")
        return f"{self._root}/{path}"

    def _read(self, path: str, start: int, end: int) -> bytes:
        if not isinstance(self._fs, HTTPFileSystem):
            return bytes(self._fs.cat_file(path, start=start, end=end))
        # This way of asking minds a server that sends the whole file instead, which may be gigabytes.
        with self._fs.open(path, "rb", block_size=end - start, cache_type="none", size=end) as file:
            file.seek(start)
            return bytes(file.read(end - start))


class RemoteFile(io.RawIOBase):
    """A file of a store, as a stream that is read by ranges. failed: told of what a read raises, for callers who
    lose it on the way."""

    def __init__(
        self, store: Store, path: str, size: int, failed: Callable[[Exception], None] = lambda error: None
    ) -> None:
        self.size = size
        self._store, self._path, self._at, self._failed = store, path, 0, failed

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self.size)[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        end = min(self.size, self._at + len(buffer))
        if end <= self._at:
            return 0
        try:
            data = self._store.read(self._path, self._at, end)
            if not data:
                raise ConnectionError(
                    f"{self._path}: ends at {self._at} bytes, before the {self.size} that it was said to have"
                )
        except Exception as error:
            self._failed(error)
            raise
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def buffered(store: Store, path: str) -> io.BufferedReader:
    """A file of a store, to be read from its beginning to its end. Raises as `Store.read` does, then and there."""
    return io.BufferedReader(RemoteFile(store, path, store.size(path)), buffer_size=LONGEST)


def read_all(store: Store, ranges: Iterable[Range], at_once: int) -> Iterator[tuple[Range, bytes | GoneError]]:
    """Each range with its bytes, or why there are none, in order. at_once: requests under way. Raises as
    `Store.read` does, except GoneError; and OSError when the store refuses by now what it gave before. Who asks for
    too much is let in nowhere for a while (Common Crawl answers 403): then nothing is gone."""
    latest: Range | None = None
    is_gone = False
    with closing(_answers(store, ranges, at_once)) as answers:
        for one, data in answers:
            if isinstance(data, bytes):
                latest, is_gone = one, False
            elif latest is not None and not is_gone:
                _ask_again(store, latest)
                is_gone = True
            yield one, data
    if latest is not None and is_gone:
        _ask_again(store, latest)


def _ask_again(store: Store, one: Range) -> None:
    try:
        store.read(one.path, one.offset, one.end)
    except GoneError as error:
        raise ConnectionError(f"{one.path}: {error}, for what it gave before: it lets nobody in for now") from error


def _answers(
    store: Store, ranges: Iterable[Range], at_once: int
) -> Generator[tuple[Range, bytes | GoneError], None, None]:
    with ThreadPoolExecutor(at_once, thread_name_prefix="ranges") as pool:
        under_way: deque[tuple[list[Range], Future[bytes]]] = deque()
        try:
            for span in spans(ranges):
                under_way.append((span, pool.submit(store.read, span[0].path, span[0].offset, span[-1].end)))
                if len(under_way) >= at_once:
                    yield from _pieces(*under_way.popleft())
            while under_way:
                yield from _pieces(*under_way.popleft())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _pieces(span: list[Range], answer: Future[bytes]) -> Iterator[tuple[Range, bytes | GoneError]]:
    try:
        data = answer.result()
    except GoneError as error:
        yield from ((one, error) for one in span)
        return
    begin = span[0].offset
    for one in span:
        piece = data[one.offset - begin : one.end - begin]
        yield one, piece or GoneError("the file ends before it")


def _tried(path: str, call: Callable[[], Result]) -> Result:
    """What `call` returns, tried again with backoff, or when the server says, while the cause may pass."""
    for attempt in range(1, TRIES + 1):
        try:
            return call()
        except Exception as error:
            cause = _cause(error)
            if not _is_of_the_store(cause):
                raise
            if (gone := _why_gone(cause)) is not None:
                raise GoneError(gone) from error
            if isinstance(cause, ValueError) or "Credentials" in type(cause).__name__:
                raise InputError(
                    f"{path}: cannot be read by ranges ({_one_line(cause)}): mend the source's `location` or its "
                    "`storage_options` (a public bucket wants `anon: true`)"
                ) from error
            wait = _wait(cause, attempt)
            if attempt == TRIES or wait > _LONGEST_WAIT:
                raise ConnectionError(f"{path}: {_one_line(cause)} (asked {attempt} times)") from error
            time.sleep(wait)
    raise AssertionError("every try returns or raises")


def _is_of_the_store(error: BaseException) -> bool:
    """Whether it is the file or the way to it that failed, by what fsspec's file systems raise of their own."""
    known = isinstance(error, OSError | ValueError | aiohttp.ClientError | FSTimeoutError)
    return known or type(error).__module__.startswith("botocore")


def _cause(error: BaseException) -> BaseException:
    """fsspec says `not found` of every web server's answer that is no success, and keeps the answer as the cause."""
    answer = error.__cause__
    return answer if isinstance(error, FileNotFoundError) and isinstance(answer, aiohttp.ClientError) else error


def _why_gone(error: BaseException) -> str | None:
    if isinstance(error, aiohttp.ClientResponseError):
        return f"HTTP {error.status}" if error.status in (401, 403, 404, 410, 416) else None
    if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "access is denied"
    if isinstance(error, OSError) and error.errno == errno.EINVAL and "range" in str(error):  # S3: InvalidRange
        return "the file ends before it"
    return None


def _wait(error: BaseException, attempt: int) -> float:
    """Seconds: what the server says in Retry-After, or twice as long each time."""
    headers = getattr(error, "headers", None) or {}
    asked = headers.get("Retry-After", "")
    if asked.isdecimal():
        return float(asked)
    return min(2.0 ** (attempt - 1), _LONGEST_WAIT) * random.uniform(0.5, 1.0)  # noqa: S311 - only spreads requests


def _one_line(error: BaseException) -> str:
    status = getattr(error, "status", None)
    return f"HTTP {status}" if status else in_a_line(error)
