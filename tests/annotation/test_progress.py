"""How far the queue is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Engine

from waon_build.annotation import decisions, queue
from waon_build.annotation.database import writing
from waon_build.annotation.models import Kind
from waon_build.annotation.order import Plan
from waon_build.annotation.progress import progress
from waon_build.annotation.questions import Answers
from waon_build.recipe import AnnotationSettings, QualitySettings

PLAN = Plan(10, quality=QualitySettings(gold_first=0, gold=0, twins=0))
"""One task at a time, as they come, without gold or twins."""


def test_tasks_answers_and_decisions_are_counted(
    engine: Engine,
    queued: Callable[..., None],
    annotator: Callable[[], str],
    answer: Callable[..., Answers],
    settings: AnnotationSettings,
    now: datetime,
) -> None:
    """Each live answer once, a correction apart, and screened-out tasks apart from the normal."""
    queued(range(2))
    queued(range(5, 6), kind=Kind.SCREENED_OUT)
    for who in (annotator(), annotator()):
        with writing(engine) as connection:
            leased = queue.lease_task(connection, who, 1, now, minutes=10)
            queue.submit(connection, who, 1, leased.token, answer(2), now)
            queue.correct(connection, who, 1, answer(3), now)
    with writing(engine) as connection:
        next(iter(queue.claim(connection, who, now, PLAN)), None)
    decisions.decide(engine, settings, now)
    assert progress(engine).counts() == {
        "tasks normal, open": 1,
        "tasks normal, done": 1,
        "tasks screened out, open": 1,
        "answers wanted": 4,
        "annotations": 2,
        "corrections": 2,
        "annotators": 2,
        "leases": 1,
        "accepted": 1,
    }


def test_an_empty_queue_counts_nothing(engine: Engine) -> None:
    found = progress(engine)
    assert (found.tasks, found.wanted, found.annotations, found.decisions) == ({}, 0, 0, {})
