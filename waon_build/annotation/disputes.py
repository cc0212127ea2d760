"""What people do not agree on, what waits for one more to say, and what they all agree on: tasks with their votes.

For coordinators. Who said what is not told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, select
from sqlalchemy.orm import aliased

from waon_build.annotation.models import Annotation, Decision, Kind, Outcome, State, Task, live, of_kinds
from waon_build.annotation.shown import SHOWN, Shown

_LOOKED_AT = 2000
"""Decisions that are looked through for those on which all agree, the newest first."""


class Judged(NamedTuple):
    """A task that was decided of. votes: question -> answer -> how often."""

    task: Shown
    outcome: str
    votes: dict[str, dict[str, int]]
    aggregate: dict[str, Any]
    decided_at: datetime


class Adjudication(NamedTuple):
    """A pair that waits for somebody to settle it, or was settled. votes: what the others said. answers: what
    the adjudicator said, None while it waits. is_held: somebody is at it."""

    task: Shown
    votes: dict[str, dict[str, int]]
    answers: dict[str, Any] | None
    is_held: bool


def disagreements(connection: Connection, limit: int = 50) -> list[Judged]:
    """Tasks of which it is undecided what they come to, those decided last in front."""
    return _judged(connection, Decision.outcome == Outcome.UNDECIDED, limit)


def unanimous(connection: Connection, least: int, limit: int = 50) -> list[Judged]:
    """Pairs of which at least `least` people said the very same of all questions, and that are no gold task yet."""
    keyed = aliased(Task)
    has_key = (
        select(keyed.id)
        .where(
            keyed.pair_id == Task.pair_id,
            keyed.kind.in_((Kind.GOLD, Kind.QUALIFICATION)),
            keyed.state == State.OPEN,
        )
        .exists()
    )
    decided = Decision.outcome.in_((Outcome.ACCEPTED, Outcome.REJECTED))
    found = _judged(connection, and_(decided, Task.kind == Kind.NORMAL, Task.answered >= least, ~has_key), _LOOKED_AT)
    return [one for one in found if _is_unanimous(one.votes)][:limit]


def adjudications(connection: Connection, limit: int = 50) -> list[Adjudication]:
    """The pairs that wait for an adjudicator, and behind them those settled last."""
    rows = connection.execute(
        select(*SHOWN, Task.state, Task.held)
        .where(
            Task.kind == Kind.ADJUDICATION,
            Task.state != State.WITHDRAWN,
            (Task.state == State.OPEN) | (Task.answered > 0),
        )
        .order_by(Task.state.desc(), Task.id.desc())  # `open` before `done`
        .limit(limit)
    ).all()
    ids, pairs = [row.task_id for row in rows], [row.pair_id for row in rows]
    said: dict[int, dict[str, Any]] = dict(
        connection.execute(
            select(Annotation.task_id, Annotation.answers)
            .where(Annotation.task_id.in_(ids), live(Annotation), ~Annotation.retracted)
            .order_by(Annotation.id)
        )
        .tuples()
        .all()
    )
    votes: dict[str, dict[str, Any]] = dict(
        connection.execute(
            select(Task.pair_id, Decision.votes)
            .join(Decision, Decision.task_id == Task.id)
            .where(Task.pair_id.in_(pairs), of_kinds((Kind.NORMAL,)), live(Decision))
        )
        .tuples()
        .all()
    )
    shown = len(Shown._fields)
    return [
        Adjudication(Shown(*row[:shown]), votes.get(row.pair_id, {}), said.get(row.task_id), row.held > 0)
        for row in rows
    ]


def shown(connection: Connection, task_ids: Sequence[int]) -> dict[int, Shown]:
    """What is shown of some tasks, by id."""
    rows = connection.execute(select(*SHOWN).where(Task.id.in_(task_ids)))
    return {row.task_id: Shown(*row) for row in rows}


def _is_unanimous(votes: dict[str, dict[str, int]]) -> bool:
    """Whether all gave one answer to each question: a flag that only some set is none."""
    people = max((sum(counts.values()) for counts in votes.values()), default=0)
    return people > 0 and all(list(counts.values()) == [people] for counts in votes.values())


def _judged(connection: Connection, which: ColumnElement[bool], limit: int) -> list[Judged]:
    rows = connection.execute(
        select(*SHOWN, Decision.outcome, Decision.votes, Decision.aggregate, Decision.decided_at)
        .join(Decision, Decision.task_id == Task.id)
        .where(live(Decision), Task.state != State.WITHDRAWN, Task.kind.in_((Kind.NORMAL, Kind.SCREENED_OUT)), which)
        .order_by(Decision.id.desc())
        .limit(limit)
    )
    shown = len(Shown._fields)
    return [Judged(Shown(*row[:shown]), *row[shown:]) for row in rows]
