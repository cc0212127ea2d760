"""One request, without redirects: bounded in bytes and time, its body decoded, every mishap a reason.

Knows nothing of rights or politeness: whoever calls looks at the headers before the body is read.
"""

from __future__ import annotations

import ssl
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from socket import EAI_NODATA, EAI_NONAME
from tempfile import SpooledTemporaryFile
from typing import Final

import aiohttp
from yarl import URL

from waon_build.fetch.asking import reason_of_asking
from waon_build.fetch.guard import ADDRESS_NOT_PUBLIC, NOT_A_WEB_ADDRESS, NotPublicError
from waon_build.records import Reason

TIMED_OUT = reason_of_asking(
    "timed_out",
    what="A request that was not answered in full within this time, redirects and body included.",
    why="A host that drips must not hold up the rest. Asked for again.",
    setting="fetch.timeout_seconds",
)
CONNECTION_FAILED = reason_of_asking(
    "connection_failed",
    what="A connection that could not be made, or broke off.",
    why="There is no whole body. Asked for again.",
)
TLS_FAILED = reason_of_asking(
    "tls_failed",
    what="A host whose certificate does not hold, or that does not speak TLS.",
    why="Nobody knows who answers.",
)
NAME_NOT_RESOLVED = reason_of_asking(
    "name_not_resolved",
    what="A host that no name server knows, or none answered for.",
    why="There is nobody to ask. Asked for again only when the name server was at fault.",
)
ANSWER_MALFORMED = reason_of_asking(
    "answer_malformed",
    what="An answer that is not HTTP, has headers without bound, or a body that is not encoded as it says.",
    why="It does not mean one thing.",
    source="RFC 9112",
)
BODY_TOO_LARGE = reason_of_asking(
    "body_too_large",
    what="A body longer than this, as it says before or as it shows while it is read, compressed or not.",
    why="Memory and bandwidth are bounded.",
    setting="fetch.max_bytes",
)

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_NO_SUCH_NAME: Final = (EAI_NONAME, EAI_NODATA)
"""What a name server that works says of a host; all else says something of the name server, or the network."""
_CHUNK: Final = 1 << 16
_IN_MEMORY: Final = 1 << 20
"""Bytes of a body that is under way; the rest waits on disk: hundreds are under way, and some are slow."""


@dataclass(slots=True)
class Answer:
    """What one request gave. reason: "" when body is whole. truncated: the body was longer than was read."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    reason: str = ""
    retryable: bool = False
    truncated: bool = False
    seconds: float = 0.0

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


async def transfer(
    session: aiohttp.ClientSession,
    url: URL,
    headers: Mapping[str, str],
    max_bytes: int,
    seconds: float,
    refused: Callable[[Answer], str] | None = None,
    truncate: bool = False,
    method: str = "GET",
) -> Answer:
    """Ask for `url` and read at most `max_bytes` of decoded body within `seconds`; of 0 nothing is read, whatever
    there is. Errors and redirects bring no body.

    refused: gives a reason when the body must not be read, from status and headers. truncate: keep the
    beginning of a longer body (a little more than `max_bytes`) instead of giving it up."""
    answer = Answer()
    started = time.monotonic()
    timeout = aiohttp.ClientTimeout(total=max(seconds, 0.001))
    try:
        async with session.request(method, url, headers=headers, allow_redirects=False, timeout=timeout) as response:
            answer.status = response.status
            answer.headers = [(_text(name), _text(value)) for name, value in response.raw_headers]
            if answer.status < 400:
                answer.reason = refused(answer) if refused else ""
            if not answer.reason and answer.status < 300 and max_bytes:
                answer.reason = await _read(response, answer, max_bytes, truncate)
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
        answer.body = b""
        answer.reason, answer.retryable = _mishap(error)
    answer.seconds = time.monotonic() - started
    return answer


async def _read(response: aiohttp.ClientResponse, answer: Answer, max_bytes: int, truncate: bool) -> str:
    if not truncate and (response.content_length or 0) > max_bytes:
        return BODY_TOO_LARGE
    decoder = _Decoder(answer.header("content-encoding"))
    left = max_bytes
    with SpooledTemporaryFile(_IN_MEMORY) as body:
        async for chunk in response.content.iter_chunked(_CHUNK):
            for piece in decoder.decode(chunk, left):
                body.write(piece)
                left -= len(piece)
                if left < 0:
                    if not truncate:
                        return BODY_TOO_LARGE
                    answer.truncated = True
                    answer.body = _all_of(body)
                    return ""
        if not decoder.ended:
            return ANSWER_MALFORMED
        answer.body = _all_of(body)
    return ""


def _all_of(body: SpooledTemporaryFile[bytes]) -> bytes:
    body.seek(0)
    return body.read()


class _Decoder:
    """Undoes one content coding, a bounded piece at a time: a kilobyte may hold a gigabyte."""

    def __init__(self, coding: str) -> None:
        coding = coding.strip().lower()
        if coding in ("br", "zstd", "compress", "x-compress") or "," in coding:
            raise ValueError(f"asked for no {coding}")
        self._coding = coding
        self._inflate: zlib._Decompress | None = None
        self._past_the_end = False

    def decode(self, chunk: bytes, enough: int) -> Iterator[bytes]:
        """The pieces `chunk` holds, until they are more than `enough` bytes in all."""
        if self._coding not in ("gzip", "x-gzip", "deflate"):
            yield chunk
            return
        try:
            while chunk and not self._past_the_end and enough >= 0:
                if self._inflate is None:
                    self._inflate = zlib.decompressobj(self._window(chunk))
                piece = self._inflate.decompress(chunk, _CHUNK)
                enough -= len(piece)
                yield piece
                chunk = self._inflate.unconsumed_tail
                if self._inflate.eof:
                    chunk = self._inflate.unused_data
                    self._inflate = None
                    self._past_the_end = not chunk.startswith(b"\x1f\x8b")
        except zlib.error as error:
            raise ValueError("not encoded as it says") from error

    @property
    def ended(self) -> bool:
        """Whether the body ended where its coding does."""
        return self._inflate is None

    def _window(self, chunk: bytes) -> int:
        if self._coding != "deflate":
            return 16 + zlib.MAX_WBITS
        has_header = chunk[0] & 15 == 8 and (len(chunk) < 2 or (chunk[0] << 8 | chunk[1]) % 31 == 0)
        return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS


def _text(header: bytes) -> str:
    """A name or value as text: UTF-8 as most write it, ISO 8859-1 as HTTP once had it."""
    try:
        return header.decode()
    except UnicodeDecodeError:
        return header.decode("latin-1")


def _mishap(error: Exception) -> tuple[Reason, bool]:
    """The reason for an exception, and whether asking again may help."""
    match error:
        case TimeoutError():
            return TIMED_OUT, True
        case aiohttp.ClientConnectorDNSError(os_error=NotPublicError()):
            return ADDRESS_NOT_PUBLIC, False
        case aiohttp.ClientConnectorDNSError(os_error=cause):
            return NAME_NOT_RESOLVED, cause.errno not in _NO_SUCH_NAME
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return TLS_FAILED, False
        case aiohttp.InvalidURL():
            return NOT_A_WEB_ADDRESS, False
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | OSError():
            return CONNECTION_FAILED, True
        case _:
            return ANSWER_MALFORMED, False
