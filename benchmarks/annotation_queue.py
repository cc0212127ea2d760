"""The queue: how fast 100,000 tasks are loaded, and what a claim costs somebody who has answered 50,000.

    python benchmarks/annotation_queue.py [--tasks 100000] [--answered 50000] [--claims 2000]

One process on an SQLite file with `synchronous=FULL`, as the server runs. The goals: loaded in 5 s, a claim
in 2 ms on average in each of the cases below. Potato 2.12 takes 56 ms and Label Studio 1.23 100 to 160 ms
for claim and submit (measured over HTTP: ../shared/notes/annotation.md).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, insert, select, update

from waon_build.annotation import database, gold, order, people, queue
from waon_build.annotation.database import writing
from waon_build.annotation.models import Annotation, Annotator, Kind, State, Task
from waon_build.annotation.questions import load
from waon_build.annotation.routing import place, put
from waon_build.recipe import QualitySettings

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CATEGORIES = ("animal", "building", "event", "everyday", "food", "nature", "other", "scenery", "tradition")
GOLD = 300
"""Gold tasks, half of which that somebody has answered."""
QUALITY = QualitySettings(gold_first=0.1, gold=0.04, twins=0.02)
ANSWERS = load("ja").answers({"match": 3, "culture": "specific", "category": "food"})


def pairs(count: int) -> Iterator[dict[str, Any]]:
    """Pairs of 5,000 hosts, of all categories alike."""
    for number in range(count):
        yield {
            "pair_id": f"{number * 2654435761 % 2**64:016x}",
            "cluster_id": f"{number:016x}",
            "url": f"https://images{number % 5000}.example/{number}.jpg",
            "caption": f"京都の町家でいただく、季節の和菓子と抹茶のひととき（第{number}回）",
            "caption_source": "alt",
            "category": CATEGORIES[number % len(CATEGORIES)],
            "page_url": f"https://site{number % 5000}.example/{number}.html",
            "page_title": "四季の暮らし",
            "stored_in": "g0001-000001",
            "offset": 512 * number,
            "size": 400,
            "format": "jpg",
            "width": 640,
            "height": 480,
        }


def loaded(engine: Engine, count: int, quotas: tuple[str, ...]) -> float:
    begun = time.perf_counter()
    put(engine, Kind.NORMAL, pairs(count), 2, NOON)
    place(engine, 2, quotas)
    return time.perf_counter() - begun


def veteran(engine: Engine, answered: int) -> str:
    """Somebody who has answered the first tasks, each of which another person is still to answer."""
    with writing(engine) as connection:
        who = people.add(connection, NOON)
        first = select(Task.id).order_by(Task.wave, Task.priority, Task.chance, Task.id).limit(answered)
        ids = connection.scalars(first).all()
        given = {"guideline_version": "1", "answers": ANSWERS.values, "created_at": NOON, "annotator_id": who}
        known = connection.scalars(select(Task.pair_id).order_by(Task.id.desc()).limit(GOLD)).all()
        golds = [gold.add(connection, pair_id, Kind.GOLD, {"match": 3}, NOON) for pair_id in known]
        answers = [{"task_id": task_id, **given} for task_id in (*ids, *golds[: GOLD // 2])]
        connection.execute(insert(Annotation), answers)
        connection.execute(update(Task).where(Task.id.in_(first)).values(answered=1))
        floor = connection.scalar(select(Task.wave).where(Task.id == ids[-1])) or 0
        connection.execute(update(Annotator).where(Annotator.id == who).values(floor=floor, given=answered))
    return who


def nothing(connection: Connection, number: int) -> None:
    """Others do nothing meanwhile."""


def worked(
    engine: Engine,
    who: str,
    claims: int,
    plan: order.Plan,
    before: Callable[[Connection, int], None] = nothing,
) -> tuple[str, float]:
    """Claim and submit; how long the claims took, and how many of both a second there were."""
    spent, cpu = [], 0.0
    whole = 0.0
    for number in range(claims):
        now = NOON + timedelta(seconds=number)
        with writing(engine) as connection:
            before(connection, number)
        begun = time.perf_counter()
        with writing(engine) as connection:
            at, cpu_at = time.perf_counter(), time.process_time()
            held = queue.claim(connection, who, now, plan)
            spent.append(1000 * (time.perf_counter() - at))
            cpu += 1000 * (time.process_time() - cpu_at)
        assert held, "nothing is left"
        with writing(engine) as connection:
            queue.submit(connection, who, held[0].task.task_id, held[0].token, ANSWERS, now, queue.How())
        whole += time.perf_counter() - begun
    figures = (
        f"mean {np.mean(spent):6.2f} (CPU {cpu / claims:5.2f})  p99 {np.percentile(spent, 99):6.2f}  "
        f"max {max(spent):6.2f}"
    )
    return figures, claims / whole


def stepped(engine: Engine, who: str, steps: int, plan: order.Plan) -> float:
    """Submit and the next claim in one transaction, three held ahead: how many a second."""
    with writing(engine) as connection:
        held = queue.claim(connection, who, NOON, plan)
    begun = time.perf_counter()
    for _ in range(steps):
        with writing(engine) as connection:
            queue.submit(connection, who, held[0].task.task_id, held[0].token, ANSWERS, NOON, queue.How())
            held = queue.claim(connection, who, NOON, plan)
    return steps / (time.perf_counter() - begun)


def released_by(who: str) -> Callable[[Connection, int], None]:
    """A newcomer takes a task of the first wave and gives it back, before every second claim."""

    def happens(connection: Connection, number: int) -> None:
        if number % 2 == 0:
            held = queue.claim(connection, who, NOON + timedelta(seconds=number), order.Plan(10, 1))
            queue.release(connection, who, [held[0].token], NOON)

    return happens


def asked_again(engine: Engine, every: int) -> Callable[[Connection, int], None]:
    """A task of an early wave that others had closed wants one more answer, now and then."""
    with engine.connect() as connection:
        latest = select(Task.id, Task.wave).where(Task.answered == 0).order_by(Task.wave.desc(), Task.id).limit(2000)
        tasks = connection.execute(latest).all()

    def happens(connection: Connection, number: int) -> None:
        if number % every == 0:
            task = tasks[number // every]
            wave = number // every % 20
            connection.execute(update(Task).where(Task.id == task.id).values(wave=wave, state=State.OPEN))
            order.reopened(connection, [task.id])

    return happens


def came(engine: Engine) -> str:
    with writing(engine) as connection:
        return people.add(connection, NOON)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--answered", type=int, default=50_000)
    parser.add_argument("--claims", type=int, default=2_500)
    options = parser.parse_args()
    plan = order.Plan(10, 1, quality=QUALITY)
    with tempfile.TemporaryDirectory() as folder:
        engine = database.connect(f"sqlite:///{folder}/alone.db")
        print(f"{options.tasks} tasks loaded: {loaded(engine, options.tasks, ()):.1f} s")
        rate = stepped(engine, came(engine), 2000, plan._replace(ahead=3))
        print(f"claim and submit of a newcomer, three ahead, in one transaction: {rate:.0f} a second")
        print(f"a claim of somebody with {options.answered} answers, in ms:")
        who = veteran(engine, options.answered)
        for name, before in (
            ("alone, at overlap 2", nothing),
            ("a newcomer gives early tasks back", released_by(came(engine))),
            ("early tasks want one more answer", asked_again(engine, 10)),
        ):
            show(name, *worked(engine, who, options.claims, plan, before))
        engine.dispose()

        engine = database.connect(f"sqlite:///{folder}/quotas.db")
        loaded(engine, options.tasks, CATEGORIES)
        who = veteran(engine, options.answered)
        show("quotas over 9 categories", *worked(engine, who, options.claims, plan._replace(quotas=(*CATEGORIES, ""))))
        engine.dispose()


def show(name: str, figures: str, rate: float) -> None:
    print(f"  {name:36} {figures}  ({rate:.0f} claims and submits a second)")


if __name__ == "__main__":
    main()
