"""How often and how many at once: per host, for all parts of one process.

Each part runs an event loop in a thread of its own, so a host's state is shared under one lock that is
never held while waiting. A host that keeps failing, or asks for a long pause, is left alone for the
rest: one of them must not hold up a part for hours. Nothing here makes a request.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from threading import Lock
from typing import Final

from yarl import URL

from waon_build.recipe import FetchSettings

LONGEST_PAUSE: Final = 60.0
"""Seconds a run waits when a host asks for a pause (`Retry-After`, `Crawl-delay`)."""
FAILURES_IN_A_ROW: Final = 10
"""Time-outs, broken connections and server errors after which a host is left alone."""
REST: Final = 600.0
"""Seconds for which it is."""
_LONGEST_BACKOFF: Final = 30.0
_REMEMBERED: Final = 10_000


class HostRests(Exception):  # noqa: N818 - an outcome, not an error
    """The host wants, or needs, to be left alone for longer than a run waits."""


@dataclass(slots=True)
class _Host:
    active: int = 0
    next_start: float = 0.0
    paused_until: float = 0.0
    failures: int = 0
    waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = field(default_factory=deque)


class Politeness:
    """rate: requests started per second and host. concurrency: requests under way at once to one host.

    Thread-safe, and shared by every client of a process that is given it."""

    def __init__(self, rate: float, concurrency: int) -> None:
        self._spacing = 1 / rate
        self._concurrency = concurrency
        self._hosts: dict[str, _Host] = {}
        self._lock = Lock()

    @classmethod
    def of(cls, settings: FetchSettings) -> Politeness:
        return cls(settings.per_host_rate, settings.per_host_concurrency)

    @asynccontextmanager
    async def slot(self, host: str, crawl_delay: float = 0.0) -> AsyncIterator[None]:
        """Wait for one of the host's places and for its next start, and hold the place meanwhile.

        crawl_delay: seconds between two starts that the host asks for. Raises HostRests."""
        await self._place(host)
        try:
            await self._wait_out_pause(host)
            await asyncio.sleep(self._reserve(host, min(crawl_delay, LONGEST_PAUSE)))
            await self._wait_out_pause(host)
            yield
        finally:
            self._leave(host)

    def pause(self, host: str, seconds: float) -> None:
        """Start no request to `host` for `seconds`."""
        with self._lock:
            state = self._state(host)
            state.paused_until = max(state.paused_until, time.monotonic() + seconds)

    def answered(self, host: str) -> None:
        """Note that `host` works."""
        with self._lock:
            self._state(host).failures = 0

    def failed(self, host: str) -> None:
        """Note a failure that is the host's own. After `FAILURES_IN_A_ROW` it rests."""
        with self._lock:
            state = self._state(host)
            state.failures += 1
            if state.failures >= FAILURES_IN_A_ROW:
                state.failures = 0
                state.paused_until = max(state.paused_until, time.monotonic() + REST)

    async def _place(self, host: str) -> None:
        with self._lock:
            state = self._state(host)
            if state.active < self._concurrency:
                state.active += 1
                return
            loop = asyncio.get_running_loop()
            turn = loop.create_future()
            state.waiting.append((loop, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(host)
            raise

    def _reserve(self, host: str, crawl_delay: float) -> float:
        """Take the host's next start, and return the seconds until then."""
        with self._lock:
            state = self._state(host)
            now = time.monotonic()
            start = max(now, state.next_start)
            state.next_start = start + max(self._spacing, crawl_delay)
            return start - now

    async def _wait_out_pause(self, host: str) -> None:
        while True:
            with self._lock:
                left = self._state(host).paused_until - time.monotonic()
            if left <= 0:
                return
            if left > LONGEST_PAUSE:
                raise HostRests(host)
            await asyncio.sleep(left)

    def _leave(self, host: str) -> None:
        """Hand the place on to who has waited longest, or free it."""
        with self._lock:
            state = self._hosts[host]
            while state.waiting:
                loop, turn = state.waiting.popleft()
                try:
                    loop.call_soon_threadsafe(self._hand_over, host, turn)
                except RuntimeError:  # its loop is closed: that part was stopped
                    continue
                return
            state.active -= 1

    def _hand_over(self, host: str, turn: asyncio.Future[None]) -> None:
        if turn.done():
            self._leave(host)
        else:
            turn.set_result(None)

    def _state(self, host: str) -> _Host:
        state = self._hosts.get(host)
        if state is None:
            if len(self._hosts) >= _REMEMBERED:
                self._forget_idle()
            state = self._hosts[host] = _Host()
        return state

    def _forget_idle(self) -> None:
        now = time.monotonic()
        for host, state in list(self._hosts.items()):
            if not state.active and max(state.next_start, state.paused_until) <= now:
                del self._hosts[host]


def host_of(url: str) -> str:
    """The host under which politeness keeps account of `url`, or "" where there is none."""
    try:
        return URL(url).raw_host or ""
    except ValueError:
        return ""


def backoff_seconds(url: str, attempt: int, first: float = 1.0) -> float:
    """How long to wait before asking for `url` again after `attempt` (from 0) failed: doubling from `first`,
    30 s at most, of which each URL takes its own share between a half and the whole, the same in every run."""
    share = int.from_bytes(blake2b(f"{attempt} {url}".encode(), digest_size=4).digest(), "little") / 2**32
    return min(first * 2.0**attempt, _LONGEST_BACKOFF) * (0.5 + share / 2)
