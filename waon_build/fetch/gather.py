"""Many URLs to many images at once: ask, decode, set aside. The concurrency of the fetch stage is here.

All URLs are put to the client together: it lets each wait for its host's turn, and bounds the requests
under way. What it brings waits for a decoder, in memory up to a bound and then on disk, so that memory
is bounded by requests under way times `fetch.max_bytes`, whatever is decoded more slowly than it comes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Final, Protocol

from waon_build.fetch.client import REFUSALS, TAKEN_DOWN
from waon_build.fetch.decode import Stored, decode
from waon_build.fetch.spool import Place, Spool
from waon_build.recipe import FetchSettings
from waon_build.records import Image, Reason, Reply
from waon_build.rights.tombstones import Tombstones

DECODER_CRASHED = Reason(
    "decoder_crashed",
    stage="fetch",
    what="A file that ends the process which decodes it, also when it is tried alone.",
    why="One file must not stop a corpus.",
)

HELD_BYTES: Final = 256 << 20
"""Bodies that wait in memory for a decoder; those beyond wait on disk."""


class Asks(Protocol):
    """What is needed of `client.Client`."""

    async def get(self, url: str, *, withdrawn: Callable[[str], bool] = ...) -> Reply: ...


ClientFactory = Callable[[], AbstractAsyncContextManager[Asks]]
Progress = Callable[[int, int], None]
"""Called with (URLs done, URLs asked for) of one part."""


class Gathering:
    """One batch under way. pool: decodes; without one, threads do. spool: takes the stored images; an
    `ok` image's `offset` and `size` are its place there, and its `stored_in` is still empty."""

    def __init__(
        self, settings: FetchSettings, pool: Executor | None, spool: Spool, stones: Tombstones, progress: Progress
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._spool = spool
        self._stones = stones
        self._progress = progress
        self._held = 0

    def run(self, client_factory: ClientFactory, wanted: list[Image]) -> list[Image]:
        """What each URL gave. wanted: their rows so far, of which `attempts` counts on."""
        if not wanted:
            return []
        try:
            return asyncio.run(self._all(client_factory, wanted))
        except ExceptionGroup as errors:  # of the tasks; the first stopped the others
            raise errors.exceptions[0] from None

    async def _all(self, client_factory: ClientFactory, wanted: list[Image]) -> list[Image]:
        self._decoders = asyncio.Semaphore(2 * (os.cpu_count() or 1))
        done: list[Image] = []
        self._progress(0, len(wanted))

        async def bring(before: Image) -> None:
            done.append(await self._one(client, before))
            self._progress(len(done), len(wanted))

        async with client_factory() as client, asyncio.TaskGroup() as group:
            for image in wanted:
                group.create_task(bring(image))
        return done

    async def _one(self, client: Asks, before: Image) -> Image:
        reply = await client.get(before.url, withdrawn=lambda url: self._stones.covers(url=url))
        image = Image(
            before.url,
            status="refused" if reply.reason in REFUSALS else "failed",
            reason=str(reply.reason),
            retryable=reply.retryable,
            attempts=before.attempts + 1,
            http_status=reply.status,
            final_url=reply.final_url,
            rights=reply.rights,
            fetched_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        if not reply.reason:
            image.served_bytes = len(reply.body)
            self._fill(image, await self._decoded(reply))
        return image

    async def _decoded(self, reply: Reply) -> Stored | str:
        body, reply.body = reply.body, b""
        place: Place | None = None
        size = len(body)
        if self._held + size > HELD_BYTES:
            place, body = self._spool.put(body), b""
            size = 0
        self._held += size
        try:
            async with self._decoders:
                data = self._spool.get(place) if place else body
                return await self._decode(data)
        finally:
            self._held -= size

    async def _decode(self, data: bytes) -> Stored | str:
        if self._pool is None:
            return await asyncio.to_thread(decode, data, self._settings)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, decode, data, self._settings)
        except BrokenExecutor:
            return await asyncio.to_thread(_decode_alone, data, self._settings)

    def _fill(self, image: Image, found: Stored | str) -> None:
        if not isinstance(found, Stored):
            image.reason = str(found)
            return
        if self._stones.covers(sha256=found.sha256, phash=found.phash):
            image.status, image.reason = "refused", str(TAKEN_DOWN)
            return
        image.status = "ok"
        for name, value in found._asdict().items():
            if name != "data":
                setattr(image, name, value)
        image.offset, image.size = self._spool.put(found.data)


def _decode_alone(data: bytes, settings: FetchSettings) -> Stored | str:
    """Decode in a process of its own: the pool lost a worker (a crash, or the system was out of memory),
    and which file did it only shows when each is tried alone."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as one:
        try:
            return one.submit(decode, data, settings).result()
        except BrokenExecutor:
            return DECODER_CRASHED
