"""Many at once, and some of them killed: threads and processes on one SQLite file."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text

from waon_build.annotation import database, queue
from waon_build.annotation.database import writing
from waon_build.annotation.models import Annotation, Lease, Task, live
from waon_build.annotation.order import Plan
from waon_build.annotation.questions import load
from waon_build.recipe import QualitySettings

SAID = {"match": 2, "culture": "related", "category": "food"}
PLAN = Plan(10, quality=QualitySettings(gold_first=0, gold=0, twins=0))
"""One task at a time, as they come, without gold or twins."""

processes: Any = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["waon_build.annotation.queue", "waon_build.annotation.questions"])


def judge_all(engine: Engine, who: str, now: datetime, said: Callable[[int, int], None]) -> int:
    """Judge until nothing is left; `said` hears of each answer after it was acknowledged."""
    answers = load("ja").answers({**SAID})
    count = 0
    while True:
        with writing(engine) as connection:
            leased = next(iter(queue.claim(connection, who, now, PLAN)), None)
        if leased is None:
            return count
        with writing(engine) as connection:
            annotation = queue.submit(connection, who, leased.task.task_id, leased.token, answers, now)
        said(leased.task.task_id, annotation)
        count += 1


def judge_in_process(address: str, who: str, now: datetime, log: str) -> None:
    engine = database.connect(address)
    with open(log, "a", buffering=1) as file:
        judge_all(engine, who, now, lambda task, annotation: print(json.dumps([task, who, annotation]), file=file))
    engine.dispose()


def hold_and_wait(address: str, people: list[str], now: datetime, held: Any) -> None:
    engine = database.connect(address)
    for who in people:
        with writing(engine) as connection:
            assert next(iter(queue.claim(connection, who, now, PLAN)), None) is not None
    held.set()
    time.sleep(600)


def claim_and_hang(address: str, who: str, now: datetime, begun: Any) -> None:
    engine = database.connect(address)
    with writing(engine) as connection:
        leased = queue.claim(connection, who, now, PLAN)[0]
        queue.submit(connection, who, leased.task.task_id, leased.token, load("ja").answers({**SAID}), now)
        begun.set()
        time.sleep(600)


def check(engine: Engine, overlap: int) -> None:
    """What must hold whatever happened."""
    with engine.connect() as connection:
        answers = connection.execute(select(Annotation.task_id, Annotation.annotator_id).where(live(Annotation))).all()
        assert len(set(answers)) == len(answers), "somebody answered a task twice"
        answered = Counter(task for task, _ in answers)
        held = Counter(connection.scalars(select(Lease.task_id)))
        for task in connection.execute(select(Task.id, Task.answered, Task.held)):
            assert (task.answered, task.held) == (answered[task.id], held[task.id])
            assert answered[task.id] + held[task.id] <= overlap
        if engine.dialect.name == "sqlite":
            assert connection.scalar(text("PRAGMA integrity_check")) == "ok"


def test_threads_share_the_queue(
    engine: Engine, queued: Callable[..., None], annotator: Callable[[], str], now: datetime
) -> None:
    queued(range(30), overlap=3)
    people = [annotator() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        counts = list(pool.map(lambda who: judge_all(engine, who, now, lambda *_: None), people))
    assert sum(counts) == 90
    check(engine, 3)


@pytest.mark.slow
def test_eight_processes_share_the_queue(
    engine: Engine,
    queued: Callable[..., None],
    annotator: Callable[[], str],
    now: datetime,
    address: str,
    tmp_path: Path,
) -> None:
    queued(range(60), overlap=3)
    log = tmp_path / "acknowledged"
    workers = [processes.Process(target=judge_in_process, args=(address, annotator(), now, str(log))) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
        assert worker.exitcode == 0
    assert len(log.read_text().splitlines()) == 180
    check(engine, 3)


@pytest.mark.slow
def test_what_a_killed_process_held_returns_after_its_time(
    engine: Engine, queued: Callable[..., None], annotator: Callable[[], str], now: datetime, address: str
) -> None:
    queued(range(4), overlap=1)
    held = processes.Event()
    holder = processes.Process(target=hold_and_wait, args=(address, [annotator() for _ in range(4)], now, held))
    holder.start()
    assert held.wait(60)
    os.kill(holder.pid, signal.SIGKILL)
    holder.join(10)
    who = annotator()
    assert judge_all(engine, who, now + timedelta(minutes=9), lambda *_: None) == 0
    assert judge_all(engine, who, now + timedelta(minutes=10), lambda *_: None) == 4
    check(engine, 1)


@pytest.mark.slow
def test_who_is_killed_in_the_middle_of_a_transaction_has_done_nothing_and_keeps_nobody_waiting(
    engine: Engine, queued: Callable[..., None], annotator: Callable[[], str], now: datetime, address: str
) -> None:
    queued(range(4), overlap=1)
    begun = processes.Event()
    victim = processes.Process(target=claim_and_hang, args=(address, annotator(), now, begun))
    victim.start()
    assert begun.wait(60)
    os.kill(victim.pid, signal.SIGKILL)
    victim.join(10)
    assert judge_all(engine, annotator(), now, lambda *_: None) == 4
    check(engine, 1)


@pytest.mark.slow
def test_no_acknowledged_answer_is_lost_when_judges_are_killed_again_and_again(
    engine: Engine,
    queued: Callable[..., None],
    annotator: Callable[[], str],
    now: datetime,
    address: str,
    tmp_path: Path,
) -> None:
    queued(range(300), overlap=2)
    log = tmp_path / "acknowledged"
    for round_ in range(3):
        at = now + timedelta(hours=round_)
        workers = [
            processes.Process(target=judge_in_process, args=(address, annotator(), at, str(log))) for _ in range(3)
        ]
        for worker in workers:
            worker.start()
        begun = len(log.read_text().splitlines()) if log.exists() else 0
        deadline = time.monotonic() + 30
        while not log.exists() or len(log.read_text().splitlines()) < begun + 20:
            assert time.monotonic() < deadline, "nobody answers"
            time.sleep(0.01)
        for worker in workers:
            os.kill(worker.pid, signal.SIGKILL)
        for worker in workers:
            worker.join(10)
    acknowledged = [json.loads(line) for line in log.read_text().splitlines() if line.endswith("]")]
    assert len(acknowledged) >= 60
    with engine.connect() as connection:
        columns = select(Annotation.task_id, Annotation.annotator_id, Annotation.id)
        stored = {tuple(row) for row in connection.execute(columns)}
        assert {tuple(entry) for entry in acknowledged} <= stored
    later = now + timedelta(days=1)
    for _ in range(2):
        judge_all(engine, annotator(), later, lambda *_: None)
    with engine.connect() as connection:
        assert connection.scalar(select(func.sum(Task.answered))) == 600
    check(engine, 2)
