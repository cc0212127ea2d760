"""Reports of harm: one person's word pulls a pair from everybody's queue at once, and from the next release.

It stays out until a coordinator has looked: upheld, it never comes back; dismissed, it goes on where it
was, and the flag of the one who reported it weighs nothing. Who reported by mistake can take it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, case, delete, exists, func, insert, literal, select, update

from waon_build.annotation import events, order
from waon_build.annotation.decided import conclude
from waon_build.annotation.models import Kind, Lease, Outcome, Report, ReportOutcome, State, Task

RULE = "reported"
PULLS = (ReportOutcome.OPEN, ReportOutcome.UPHELD)
_DECIDED = (Kind.NORMAL, Kind.SCREENED_OUT)


class Reported(NamedTuple):
    """A report that waits for a coordinator."""

    id: int
    pair_id: str
    task_id: int
    annotator_id: str
    kind: str
    note: str
    created_at: datetime


class Reporter(NamedTuple):
    """Somebody who has reported: how many of their reports are open, and what became of the others."""

    annotator_id: str
    open: int
    upheld: int
    dismissed: int


class UnknownReport(Exception):  # noqa: N818 - an answer, as the queue's refusals are
    """There is no such report, or somebody has looked at it already."""


def pull(connection: Connection, annotator: str, task_id: int, kind: str, note: str, now: datetime) -> None:
    """Take the pair of a task out of every queue. kind: which flag."""
    pair_id = connection.scalars(select(Task.pair_id).where(Task.id == task_id)).one()
    known = select(Report.id).where(
        Report.pair_id == pair_id,
        Report.annotator_id == annotator,
        Report.kind == kind,
        Report.outcome.in_((*PULLS, ReportOutcome.DISMISSED)),
    )
    if connection.scalar(known) is not None:
        return
    connection.execute(
        insert(Report),
        {
            "pair_id": pair_id,
            "task_id": task_id,
            "annotator_id": annotator,
            "kind": kind,
            "note": note,
            "outcome": ReportOutcome.OPEN,
            "created_at": now,
        },
    )
    tasks = _tasks(connection, pair_id)
    ids = [task.id for task in tasks]
    connection.execute(delete(Lease).where(Lease.task_id.in_(ids)))
    connection.execute(update(Task).where(Task.id.in_(ids)).values(state=State.DONE, held=0))
    decided = [task.id for task in tasks if task.kind in _DECIDED]
    conclude(connection, decided, Outcome.REJECTED, RULE, now, only_decided=False)


def follow(
    connection: Connection,
    annotator: str,
    task_id: int,
    before: Mapping[str, Any],
    flags: Sequence[str],
    now: datetime,
) -> None:
    """Bring an annotator's reports of a pair in line with the flags that they now give. before: their answers up
    to now: what was reported otherwise stays reported."""
    given = [str(word) for answer in before.values() for word in (answer if isinstance(answer, list) else [answer])]
    pair_id = connection.scalars(select(Task.pair_id).where(Task.id == task_id)).one()
    taken_back = (
        update(Report)
        .where(
            Report.pair_id == pair_id,
            Report.annotator_id == annotator,
            Report.outcome == ReportOutcome.OPEN,
            Report.kind.in_([word for word in given if word not in flags]),
        )
        .values(outcome=ReportOutcome.RETRACTED, resolved_at=now)
    )
    if connection.execute(taken_back).rowcount:
        _put_back(connection, pair_id, now)
    for flag in flags:
        pull(connection, annotator, task_id, flag, "", now)


def resolve(connection: Connection, report_id: int, by: str, upheld: bool, now: datetime) -> str:
    """A coordinator has looked; returns the pair_id. Raises UnknownReport."""
    outcome = ReportOutcome.UPHELD if upheld else ReportOutcome.DISMISSED
    pair_id = connection.scalar(
        update(Report)
        .where(Report.id == report_id, Report.outcome == ReportOutcome.OPEN)
        .values(outcome=outcome, resolved_at=now, resolved_by=by)
        .returning(Report.pair_id)
    )
    if pair_id is None:
        raise UnknownReport(f"there is no open report {report_id}")
    events.record(connection, now, by, f"report {outcome}", pair_id, {"report": report_id})
    if not upheld:
        _put_back(connection, pair_id, now)
    return str(pair_id)


def dismiss_all(connection: Connection, annotator: str, by: str, now: datetime) -> int:
    """A coordinator dismisses all open reports of one person; returns how many there were."""
    theirs = select(Report.id).where(Report.annotator_id == annotator, Report.outcome == ReportOutcome.OPEN)
    ids = connection.scalars(theirs.order_by(Report.id)).all()
    for report_id in ids:
        resolve(connection, report_id, by, False, now)
    return len(ids)


def by_person(connection: Connection) -> list[Reporter]:
    """Who has reported, and what became of it, those with most open reports in front."""
    counts = {word: func.sum(case((Report.outcome == word, 1), else_=0)) for word in ReportOutcome}
    order_by = (counts[ReportOutcome.OPEN].desc(), Report.annotator_id)
    columns = (counts[word] for word in (ReportOutcome.OPEN, ReportOutcome.UPHELD, ReportOutcome.DISMISSED))
    rows = connection.execute(select(Report.annotator_id, *columns).group_by(Report.annotator_id).order_by(*order_by))
    return [Reporter(*row) for row in rows]


def open_reports(connection: Connection) -> list[Reported]:
    """The reports that wait for a coordinator, the oldest first."""
    columns = (getattr(Report, name) for name in Reported._fields)
    rows = connection.execute(select(*columns).where(Report.outcome == ReportOutcome.OPEN).order_by(Report.id))
    return [Reported(*row) for row in rows]


def is_pulled(connection: Connection, pair_id: str, but_by: str = "") -> bool:
    """Whether a report keeps a pair out. but_by: whose own reports do not count."""
    return bool(connection.scalar(_IS_PULLED, {"the_pair": pair_id, "the_annotator": but_by}))


def keep_out(connection: Connection) -> None:
    """Close the tasks of pairs that reports keep out, however they have come in again."""
    pairs = select(Report.pair_id).where(Report.outcome.in_(PULLS))
    connection.execute(update(Task).where(Task.state == State.OPEN, Task.pair_id.in_(pairs)).values(state=State.DONE))


def reported_by(connection: Connection, annotator: str, task_id: int) -> set[str]:
    """The flags that an annotator has reported of a task's pair, whatever became of it."""
    pair_id = select(Task.pair_id).where(Task.id == task_id).scalar_subquery()
    mine = select(Report.kind).where(Report.pair_id == pair_id, Report.annotator_id == annotator)
    return set(connection.scalars(mine))


def pulled(connection: Connection, pair_ids: Iterable[str]) -> set[str]:
    """Those of some pairs that reports keep out. pair_ids: at most a few thousand."""
    return set(
        connection.scalars(select(Report.pair_id).where(Report.pair_id.in_(list(pair_ids)), Report.outcome.in_(PULLS)))
    )


def dismissed(connection: Connection) -> dict[tuple[str, str], set[str]]:
    """(pair_id, annotator_id) -> the flags that a coordinator dismissed: they weigh nothing."""
    rows = connection.execute(
        select(Report.pair_id, Report.annotator_id, Report.kind).where(Report.outcome == ReportOutcome.DISMISSED)
    )
    found: dict[tuple[str, str], set[str]] = {}
    for pair_id, annotator, flag in rows:
        found.setdefault((pair_id, annotator), set()).add(flag)
    return found


def _put_back(connection: Connection, pair_id: str, now: datetime) -> None:
    """Into the queue, when no report keeps the pair out any more."""
    if is_pulled(connection, pair_id):
        return
    tasks = _tasks(connection, pair_id)
    state = case((Task.answered < Task.wanted, literal(State.OPEN.value)), else_=literal(State.DONE.value))
    connection.execute(update(Task).where(Task.id.in_([task.id for task in tasks])).values(state=state))
    decided = [task.id for task in tasks if task.kind in _DECIDED]
    conclude(connection, decided, Outcome.UNDECIDED, f"no longer {RULE}", now, only_decided=True)
    order.reopened(connection, [task.id for task in tasks])


def _tasks(connection: Connection, pair_id: str) -> list[Task]:
    """The pair's tasks, but those that were withdrawn."""
    rows = connection.execute(select(Task.id, Task.kind).where(Task.pair_id == pair_id, Task.state != State.WITHDRAWN))
    return list(rows)  # type: ignore[arg-type]


_IS_PULLED = select(
    exists().where(
        Report.pair_id == bindparam("the_pair"),
        Report.outcome.in_(PULLS),
        Report.annotator_id != bindparam("the_annotator"),
    )
)
