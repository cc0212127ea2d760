"""The chains of decisions: what is in force of each task, and how a new decision is laid over it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from statistics import median
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, insert, select

from waon_build.annotation.models import (
    Annotation,
    Annotator,
    Decision,
    Kind,
    Outcome,
    Standing,
    State,
    Task,
    live,
)
from waon_build.annotation.questions import CANNOT_TELL, MATCH, Questions

_PAGE = 2000


class InForce(NamedTuple):
    """The decision that stands of a task."""

    id: int
    outcome: str
    rule: str
    votes: dict[str, Any]
    aggregate: dict[str, Any]


class AcceptedPair(NamedTuple):
    """A pair that natives accepted. annotations: how many. match: median answer, 0 to 3. culture, category:
    the answer that stands, "" when the question was not asked. posterior: how sure it is that the caption
    says what the picture shows, 0 to 1. native_caption: what a native wrote in its place, with their consent
    to publish it; "" when nobody did."""

    pair_id: str
    annotations: int
    match: float
    culture: str
    category: str
    posterior: float
    native_caption: str


def in_force(connection: Connection, task_ids: Sequence[int]) -> dict[int, InForce]:
    """Task -> the decision that stands, of some tasks, at most a few thousand."""
    rows = connection.execute(
        select(
            Decision.task_id, Decision.id, Decision.outcome, Decision.rule, Decision.votes, Decision.aggregate
        ).where(Decision.task_id.in_(task_ids), live(Decision))
    )
    return {row.task_id: InForce(*row[1:]) for row in rows}


def conclude(
    connection: Connection, task_ids: Sequence[int], outcome: Outcome, rule: str, now: datetime, only_decided: bool
) -> None:
    """Lay one outcome over whatever stands of some tasks, at most a few hundred. only_decided: not where
    nothing was decided yet."""
    standing = {
        row.task_id: row
        for row in connection.execute(
            select(Decision.id, Decision.task_id, Decision.outcome, Decision.votes, Decision.aggregate).where(
                Decision.task_id.in_(task_ids), live(Decision)
            )
        )
    }
    rows = [
        row(
            task_id,
            standing[task_id].id if task_id in standing else None,
            outcome,
            rule,
            standing[task_id].votes if task_id in standing else {},
            standing[task_id].aggregate if task_id in standing else {},
            now,
        )
        for task_id in task_ids
        if (task_id in standing or not only_decided)
        and (task_id not in standing or standing[task_id].outcome != outcome)
    ]
    if rows:
        connection.execute(insert(Decision), rows)


def row(
    task_id: int,
    supersedes: int | None,
    outcome: str,
    rule: str,
    votes: dict[str, Any],
    aggregate: dict[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """A decision as it is inserted."""
    return {
        "task_id": task_id,
        "supersedes": supersedes,
        "outcome": outcome,
        "rule": rule,
        "votes": votes,
        "aggregate": aggregate,
        "decided_at": now,
    }


def accepted(engine: Engine, questions: Questions) -> Iterator[AcceptedPair]:
    """The accepted pairs, by pair_id, with what was said of them."""
    written = native_captions(engine, questions)
    statement = (
        select(Task.pair_id, Decision.votes, Decision.aggregate)
        .join(Decision, Decision.task_id == Task.id)
        .where(Task.kind == Kind.NORMAL, Task.state != State.WITHDRAWN)
        .where(live(Decision), Decision.outcome == Outcome.ACCEPTED)
        .order_by(Task.pair_id)
    )
    with engine.connect() as connection:
        for pair_id, votes, aggregate in connection.execution_options(yield_per=_PAGE).execute(statement):
            given = votes[MATCH]
            grades = [int(word) for word, count in given.items() if word != CANNOT_TELL for _ in range(count)]
            yield AcceptedPair(
                pair_id,
                sum(given.values()),
                float(median(grades)),
                aggregate.get("culture", {}).get("answer", ""),
                aggregate.get("category", {}).get("answer", ""),
                float(aggregate.get(MATCH, {}).get("posterior", 1.0)),
                written.get(pair_id, ""),
            )


def native_captions(engine: Engine, questions: Questions) -> dict[str, str]:
    """Pair -> the caption that one of its annotators wrote and lets be published. Of several the last."""
    texts = [
        (asked, consent.name)
        for consent in questions.questions
        if consent.kind == "consent"
        for asked in consent.only_if
        if questions[asked].kind == "text"
    ]
    statement = (
        select(Task.pair_id, Annotation.answers)
        .join(Task, Task.id == Annotation.task_id)
        .join(Annotator, Annotator.id == Annotation.annotator_id)
        .where(Task.kind.in_((Kind.NORMAL, Kind.ADJUDICATION)), Task.state != State.WITHDRAWN)
        .where(live(Annotation), ~Annotation.retracted, Annotator.standing != Standing.BLOCKED)
        .order_by(Annotation.id)
    )
    with engine.connect() as connection:
        return {
            pair_id: str(answers[text])
            for pair_id, answers in connection.execution_options(yield_per=_PAGE).execute(statement)
            for text, consent in texts
            if answers.get(text) and answers.get(consent) is True
        }


def frozen_pairs(engine: Engine) -> set[str]:
    """Pairs that somebody has judged: whatever becomes of their cluster, its canonical does not change."""
    statement = select(Task.pair_id).where(Task.kind == Kind.NORMAL, (Task.answered > 0) | (Task.stale_before > 0))
    with engine.connect() as connection:
        return set(connection.scalars(statement))
