"""The one thread that writes, so that the event loop never waits for the database, and what may wait longer.

What has come in while one turn was on the disk makes the next: one transaction, a savepoint for each call,
and one wait for the disk for them all. Nobody hears that their answer was taken before that. A call that
fails takes nothing of the others with it; when the commit fails, all of the turn have failed.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine

from waon_build.annotation.database import writing
from waon_build.annotation.prepared import Statements, prepared

Result = TypeVar("Result")
log = logging.getLogger(__name__)

MOST_AT_ONCE = 16
"""Calls of one turn at most: the first of them waits for the last, and all for the disk once."""
MOST_WAITING = 2000
"""More are turned away: they would wait longer than a browser does."""
READERS = 2


class BusyError(Exception):
    """Too many wait already."""


class _Job(NamedTuple):
    """connection: whether it is a call of a turn; else it opens its own transactions."""

    call: Callable[..., Any]
    in_turn: bool
    future: asyncio.Future[Any]


class Writer:
    """Runs calls in turns, in the order in which they come. failed: called when a turn was not written."""

    def __init__(self, engine: Engine, failed: Callable[[], None] = lambda: None) -> None:
        self._engine = engine
        self._failed = failed
        self._statements = Statements(engine.dialect)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """What has come in is done first."""
        self._jobs.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    async def write(self, call: Callable[[Connection], Result]) -> Result:
        """What `call` returns, once it is on the disk; what it raises, and then nothing of it was done.
        Raises BusyError."""
        return await self._queued(call, in_turn=True)

    async def alone(self, call: Callable[[], Result]) -> Result:
        """Runs what opens its own transactions, between two turns."""
        return await self._queued(call, in_turn=False)

    async def _queued(self, call: Callable[..., Result], in_turn: bool) -> Result:
        assert self._loop is not None
        if self._jobs.qsize() >= MOST_WAITING:
            raise BusyError
        future: asyncio.Future[Result] = self._loop.create_future()
        self._jobs.put(_Job(call, in_turn, future))
        return await future

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if job.in_turn:
                following = self._turn(job)
                if following is _STOP:
                    return
                job = following
            if job is not None:
                self._deliver([(job.future, *_outcome(job.call))])

    def _turn(self, first: _Job) -> Any:
        """Run a turn. Returns the job that ended it by being none of a turn, _STOP, or None."""
        jobs, following = [first], None
        while len(jobs) < MOST_AT_ONCE:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None or not job.in_turn:
                following = _STOP if job is None else job
                break
            jobs.append(job)
        try:
            with writing(self._engine) as connection:
                quick = prepared(connection, self._statements)
                outcomes = [(job.future, *_in_savepoint(quick, job.call)) for job in jobs]
        except Exception as error:
            log.exception("a turn was not written")
            self._failed()
            outcomes = [(job.future, None, error) for job in jobs]
        self._deliver(outcomes)
        return following

    def _deliver(self, outcomes: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(_settle, outcomes)
        except RuntimeError:  # the loop has ended: nobody is left to hear it
            log.warning("%d calls were done and nobody heard of it", len(outcomes))


class Readers:
    """A few threads for what only reads, and may take longer: pictures, lists, figures."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._statements = Statements(engine.dialect)
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="reader")

    def stop(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def read(self, call: Callable[[Connection], Result]) -> Result:
        """What `call` returns, of one moment of the database."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._reading, call)

    async def run(self, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _reading(self, call: Callable[[Connection], Result]) -> Result:
        with self._engine.connect() as connection:
            return call(prepared(connection, self._statements))


_STOP = object()


def _outcome(call: Callable[..., Any], *arguments: Any) -> tuple[Any, BaseException | None]:
    try:
        return call(*arguments), None
    except Exception as error:
        return None, error


def _in_savepoint(connection: Connection, call: Callable[[Connection], Any]) -> tuple[Any, BaseException | None]:
    connection.exec_driver_sql("SAVEPOINT call")
    result, error = _outcome(call, connection)
    if error is not None:
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT call")
    connection.exec_driver_sql("RELEASE SAVEPOINT call")
    return result, error


def _settle(outcomes: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
    for future, result, error in outcomes:
        if future.done():  # who asked has gone
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
