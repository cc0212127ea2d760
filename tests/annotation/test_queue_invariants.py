"""Whatever people do and in whatever order: what the queue promises, held by hypothesis."""

from __future__ import annotations

import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from sqlalchemy import select, update

from waon_build.annotation import database, decisions, queue, refusals
from waon_build.annotation.database import writing
from waon_build.annotation.models import (
    Annotation,
    Annotator,
    Decision,
    Kind,
    Lease,
    Outcome,
    Standing,
    State,
    Task,
    live,
)
from waon_build.annotation.order import Plan
from waon_build.annotation.questions import load
from waon_build.annotation.routing import pair_ids, place, put, retire
from waon_build.recipe import AnnotationSettings, QualitySettings

PLAN = Plan(10, quality=QualitySettings(gold_first=0, gold=0, twins=0))
"""One task at a time, as they come, without gold or twins."""

pytestmark = pytest.mark.slow

TASKS = 3
RECIPE = AnnotationSettings(overlap=2, max_overlap=3)
QUESTIONS = load("ja")
GRADES = st.sampled_from([0, 1, 2, 3, "cannot_tell"])


def pair(number: int) -> dict[str, Any]:
    texts = dict.fromkeys(("url", "caption", "caption_source", "page_url", "page_title", "stored_in", "format"), "x")
    numbers = dict.fromkeys(("offset", "size", "width", "height"), 1)
    return {**texts, **numbers, "pair_id": f"{number:016x}", "cluster_id": f"{number:016x}"}


class Queue(RuleBasedStateMachine):
    """A small queue, a few people, and a clock that only goes forward."""

    people: Bundle[str] = Bundle("people")
    leases: Bundle[tuple[str, queue.Leased]] = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.engine = database.connect(f"sqlite:///{self.folder.name}/annotation.db")
        self.now = datetime(2026, 11, 23, tzinfo=UTC)
        self.acknowledged: dict[tuple[int, str], dict[str, Any]] = {}
        put(self.engine, Kind.NORMAL, map(pair, range(TASKS)), RECIPE.overlap, self.now)
        place(self.engine, RECIPE.overlap)

    def teardown(self) -> None:
        self.engine.dispose()
        self.folder.cleanup()

    @rule(target=people)
    def somebody_comes(self) -> str:
        with writing(self.engine) as connection:
            return queue.add_annotator(connection, self.now)

    @rule(target=leases, who=people)
    def lease(self, who: str) -> tuple[str, queue.Leased | None]:
        try:
            with writing(self.engine) as connection:
                leased = next(iter(queue.claim(connection, who, self.now, PLAN)), None)
        except refusals.NotActive:
            return who, None
        assert leased is None or (leased.task.task_id, who) not in self.acknowledged
        return who, leased

    @rule(held=leases, grade=GRADES, flags=st.sampled_from([[], [], ["harmful"]]))
    def submit(self, held: tuple[str, queue.Leased | None], grade: int | str, flags: list[str]) -> None:
        who, leased = held
        if leased is None:
            return
        answers = QUESTIONS.answers({"match": grade, "culture": "not", "flags": flags})
        key = (leased.task.task_id, who)
        try:
            with writing(self.engine) as connection:
                queue.submit(connection, who, leased.task.task_id, leased.token, answers, self.now)
        except refusals.AlreadyAnswered:
            assert key in self.acknowledged
        except (refusals.LeaseLost, refusals.TaskWithdrawn):
            assert key not in self.acknowledged
        else:
            assert self.acknowledged.setdefault(key, answers.values) == answers.values

    @rule(held=leases)
    def renew(self, held: tuple[str, queue.Leased | None]) -> None:
        who, leased = held
        if leased is not None:
            try:
                with writing(self.engine) as connection:
                    queue.renew(connection, who, leased.token, self.now, minutes=10)
            except refusals.LeaseLost:
                pass

    @rule(who=people, task_id=st.integers(1, TASKS), grade=GRADES)
    def correct(self, who: str, task_id: int, grade: int | str) -> None:
        answers = QUESTIONS.answers({"match": grade, "culture": "not"})
        try:
            with writing(self.engine) as connection:
                queue.correct(connection, who, task_id, answers, self.now)
        except refusals.NotAnswered:
            assert (task_id, who) not in self.acknowledged
        else:
            self.acknowledged[task_id, who] = answers.values

    @rule(minutes=st.integers(1, 15))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(who=consumes(people))
    def somebody_is_blocked(self, who: str) -> None:
        with writing(self.engine) as connection:
            connection.execute(update(Annotator).where(Annotator.id == who).values(standing=Standing.BLOCKED))

    @rule(kept=st.sets(st.integers(0, TASKS - 1)))
    def pairs_leave_and_return(self, kept: set[int]) -> None:
        retire(self.engine, Kind.NORMAL, pair_ids(f"{number:016x}" for number in kept), self.now)

    @rule()
    def decide(self) -> None:
        decisions.decide(self.engine, RECIPE, self.now)
        before = self.decided()
        decisions.decide(self.engine, RECIPE, self.now)
        assert self.decided() == before, "deciding again decides anew"
        with self.engine.connect() as connection:
            blocked = set(connection.scalars(select(Annotator.id).where(Annotator.standing == Standing.BLOCKED)))
        said = [(task, values) for (task, who), values in self.acknowledged.items() if who not in blocked]
        flagged = {task for task, values in said if "harmful" in values.get("flags", ())}
        judged = Counter(task for task, _ in said)
        for task, outcome in before.values():
            if outcome == Outcome.ACCEPTED:
                assert task not in flagged
                assert judged[task] >= RECIPE.overlap

    def decided(self) -> dict[int, tuple[int, str]]:
        with self.engine.connect() as connection:
            rows = connection.execute(select(Decision.id, Decision.task_id, Decision.outcome).where(live(Decision)))
            return {row.id: (row.task_id, row.outcome) for row in rows}

    @invariant()
    def overlap_is_never_exceeded_and_the_counters_tell_the_truth(self) -> None:
        with self.engine.connect() as connection:
            answered = Counter(connection.scalars(select(Annotation.task_id).where(live(Annotation))))
            held = Counter(connection.scalars(select(Lease.task_id)))
            blocked = Counter(
                connection.scalars(
                    select(Annotation.task_id)
                    .join(Annotator, Annotator.id == Annotation.annotator_id)
                    .where(live(Annotation), Annotator.standing == Standing.BLOCKED)
                )
            )
            for task in connection.execute(select(Task.id, Task.state, Task.wanted, Task.held, Task.answered)):
                assert (task.held, task.answered) == (held[task.id], answered[task.id])
                assert task.held + task.answered <= task.wanted
                assert task.answered - blocked[task.id] <= RECIPE.max_overlap
                assert task.state != State.WITHDRAWN or task.held == 0

    @invariant()
    def no_acknowledged_answer_is_lost_or_doubled(self) -> None:
        with self.engine.connect() as connection:
            rows = connection.execute(
                select(Annotation.task_id, Annotation.annotator_id, Annotation.answers).where(live(Annotation))
            ).all()
        assert len({row[:2] for row in rows}) == len(rows)
        assert {(task, who): values for task, who, values in rows} == self.acknowledged


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
