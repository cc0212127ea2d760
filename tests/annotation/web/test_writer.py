"""The one thread that writes: turns of many calls, of which none harms another."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, select

from waon_build.annotation import people
from waon_build.annotation.models import Annotation, Annotator
from waon_build.annotation.web import writer as writers
from waon_build.annotation.web.campaign import utc_now
from waon_build.annotation.web.counts import Count, Counts, count
from waon_build.annotation.web.writer import BusyError, Readers, Writer


def add(connection: Connection) -> str:
    return people.add(connection, utc_now())


def broken(connection: Connection) -> None:
    people.add(connection, utc_now())
    raise ValueError("half-way")


def annotators(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(Annotator)) or 0


def worked(engine: Engine, work: Callable[[Writer], Awaitable[Any]], failed: Callable[[], None] = lambda: None) -> Any:
    """What `work` comes to, with a writer that runs."""

    async def running() -> Any:
        writer = Writer(engine, failed)
        writer.start()
        try:
            return await work(writer)
        finally:
            await writer.stop()

    return asyncio.run(running())


def held_up(writer: Writer) -> tuple[asyncio.Future[None], threading.Event]:
    """Keeps the writer from its next turn until the event is set: what comes in meanwhile makes one turn."""
    go_on = threading.Event()
    return asyncio.ensure_future(writer.alone(lambda: go_on.wait(10) and None)), go_on


def test_a_call_that_fails_takes_nothing_of_the_others_with_it(engine: Engine) -> None:
    async def work(writer: Writer) -> list[Any]:
        waiting, go_on = held_up(writer)
        calls = [asyncio.ensure_future(writer.write(call)) for call in (add, broken, add, broken, add)]
        await asyncio.sleep(0.05)
        go_on.set()
        await waiting
        return await asyncio.gather(*calls, return_exceptions=True)

    results = worked(engine, work)
    assert [type(result) for result in results] == [str, ValueError, str, ValueError, str]
    assert annotators(engine) == 3


def test_many_calls_wait_for_the_disk_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = []
    real = writers.writing
    monkeypatch.setattr(writers, "writing", lambda engine: turns.append(1) or real(engine))

    async def work(writer: Writer) -> None:
        waiting, go_on = held_up(writer)
        calls = [asyncio.ensure_future(writer.write(add)) for _ in range(40)]
        await asyncio.sleep(0.05)
        go_on.set()
        await asyncio.gather(waiting, *calls)

    worked(engine, work)
    assert annotators(engine) == 40
    assert len(turns) == -(-40 // writers.MOST_AT_ONCE)


def test_nobody_hears_of_what_was_not_written(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full at the end of a turn, all of it have failed, and what was counted is forgotten."""
    told: list[str] = []
    real = writers._in_savepoint

    def last_straw(connection: Any, call: Any) -> Any:
        real(connection, call)
        connection.exec_driver_sql("ROLLBACK")  # as SQLite does by itself, and then there is nothing to commit
        raise OSError("no space left on device")

    monkeypatch.setattr(writers, "_in_savepoint", last_straw)

    async def work(writer: Writer) -> Any:
        return await asyncio.gather(writer.write(add), writer.write(add), return_exceptions=True)

    results = worked(engine, work, failed=lambda: told.append("failed"))
    assert all(isinstance(result, Exception) for result in results)
    assert annotators(engine) == 0
    assert set(told) == {"failed"}


def test_too_many_are_turned_away_at_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "MOST_WAITING", 3)

    async def work(writer: Writer) -> list[Any]:
        waiting, go_on = held_up(writer)
        await asyncio.sleep(0.05)
        calls = [asyncio.ensure_future(writer.write(add)) for _ in range(5)]
        await asyncio.sleep(0.05)
        go_on.set()
        await waiting
        return await asyncio.gather(*calls, return_exceptions=True)

    assert [type(result) for result in worked(engine, work)] == [str, str, str, BusyError, BusyError]


def test_what_has_come_in_is_written_before_the_end(engine: Engine) -> None:
    async def work(writer: Writer) -> None:
        for _ in range(20):
            asyncio.ensure_future(writer.write(add))  # noqa: RUF006 - nobody waits for it
        await asyncio.sleep(0)

    worked(engine, work)
    assert annotators(engine) == 20


def test_who_reads_does_not_wait_for_who_writes(engine: Engine) -> None:
    async def work(writer: Writer) -> int:
        readers = Readers(engine)
        slow = asyncio.ensure_future(writer.write(lambda connection: (add(connection), time.sleep(0.5))))
        await asyncio.sleep(0.1)
        found = await readers.read(lambda connection: connection.scalar(select(func.count()).select_from(Annotator)))
        assert not slow.done()
        await slow
        readers.stop()
        return found or 0

    assert worked(engine, work) == 0


# --- counts


@pytest.fixture
def answered(engine: Engine, annotator: Callable[[], str], queued: Callable[..., None]) -> Callable[[int], str]:
    """Somebody, and how many tasks they answered, each in a minute."""

    def made(number: int) -> str:
        queued(range(number))
        who = annotator()
        rows = [
            {
                "task_id": task,
                "annotator_id": who,
                "guideline_version": "1",
                "answers": {},
                "active_ms": 60_000,
                "created_at": utc_now(),
            }
            for task in range(1, number + 1)
        ]
        with engine.begin() as connection:
            connection.execute(Annotation.__table__.insert(), rows)
        return who

    return made


def test_counts_are_kept_up_and_what_was_sent_twice_counts_once(engine: Engine, answered: Callable[[int], str]) -> None:
    who, counts, now = answered(3), Counts(), utc_now()
    with engine.connect() as connection:
        known = counts.of(connection, who, now)
        assert (known.today, known.total, known.active_ms) == (3, 3, 180_000)
        for annotation_id in (known.last + 1, known.last + 1, known.last):
            counts.add(who, annotation_id, 5000)
        assert counts.of(connection, who, now) == Count(known.day, 4, 4, 185_000, known.last + 1)
        counts.forget(who)
        assert counts.of(connection, who, now) == known == count(connection, who, now)


def test_a_new_day_begins_at_nothing(engine: Engine, answered: Callable[[int], str]) -> None:
    who, counts, now = answered(3), Counts(), utc_now()
    with engine.connect() as connection:
        counts.of(connection, who, now)
        tomorrow = counts.of(connection, who, now + timedelta(days=1))
    assert (tomorrow.today, tomorrow.total, tomorrow.active_ms) == (0, 3, 0)
