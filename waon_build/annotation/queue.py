"""The calls of the queue: lease a task, renew the lease, submit answers, correct them.

Each call takes the connection of a transaction that writes (`database.writing`), so that a caller can
put two into one: submit and take the next. All or nothing of a call is done, and what it refuses it
refuses by name. `now` is an argument: the queue has no clock of its own. What follows from the answers
is for `decisions.py`.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import ClassVar, NamedTuple

from sqlalchemy import Connection, Select, case, delete, exists, insert, literal, select, update

from waon_build.annotation.models import Annotation, Annotator, Lease, Role, Standing, State, Task, free, live
from waon_build.annotation.questions import Answers


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, and has its own name
    """The queue will not do what was asked. word: why, for programs; the text is for people."""

    word: ClassVar[str]


class UnknownAnnotator(Refusal):
    word = "unknown_annotator"


class NotActive(Refusal):
    """The annotator is paused or blocked."""

    word = "not_active"


class UnknownTask(Refusal):
    word = "unknown_task"


class TaskWithdrawn(Refusal):
    """The task was taken out of the queue in the meantime."""

    word = "task_withdrawn"


class LeaseLost(Refusal):
    """The lease ran out, or never was."""

    word = "lease_lost"


class AlreadyAnswered(Refusal):
    """This annotator has answered this task. `correct()` changes an answer."""

    word = "already_answered"


class OverlapReached(Refusal):
    """The task has all the answers it may have."""

    word = "overlap_reached"


class NotAnswered(Refusal):
    """There is nothing to correct."""

    word = "not_answered"


class Shown(NamedTuple):
    """What an annotator sees of a task, and where its image lies. Its kind is not told."""

    task_id: int
    pair_id: str
    caption: str
    url: str
    page_url: str
    page_title: str
    stored_in: str
    offset: int
    size: int
    format: str
    width: int
    height: int


class Leased(NamedTuple):
    """A task held for one annotator until `expires_at`. token: to be shown when submitting."""

    task: Shown
    token: str
    expires_at: datetime


def add_annotator(connection: Connection, now: datetime, role: Role = Role.ANNOTATOR) -> str:
    """A new annotator's pseudonym: 32 random hex digits."""
    pseudonym = secrets.token_hex(16)
    connection.execute(
        insert(Annotator).values(id=pseudonym, role=role, standing=Standing.ACTIVE, created_at=_utc(now))
    )
    return pseudonym


def lease(connection: Connection, annotator: str, now: datetime, minutes: float) -> Leased | None:
    """A task for an annotator, held for `minutes`; None when there is none for them.

    Who holds a task already gets that one again, renewed. Nobody gets a task that they have answered.
    Raises UnknownAnnotator, NotActive.
    """
    _return_expired(connection, now)
    _require_active(connection, annotator)
    until = _utc(now) + timedelta(minutes=minutes)
    held = connection.execute(
        update(Lease)
        .where(Lease.annotator_id == annotator)
        .values(expires_at=until)
        .returning(Lease.task_id, Lease.token)
    ).first()
    if held is not None:
        return Leased(_shown(connection, held.task_id), held.token, until)
    task_id = connection.scalar(_next_for(annotator))
    if task_id is None:
        return None
    return Leased(_shown(connection, task_id), _hold(connection, task_id, annotator, now, until), until)


def lease_task(connection: Connection, annotator: str, task_id: int, now: datetime, minutes: float) -> Leased:
    """One certain task for an annotator. Raises UnknownTask, TaskWithdrawn, AlreadyAnswered,
    OverlapReached, UnknownAnnotator, NotActive."""
    _return_expired(connection, now)
    _require_active(connection, annotator)
    until = _utc(now) + timedelta(minutes=minutes)
    token = connection.scalar(
        update(Lease)
        .where(Lease.annotator_id == annotator, Lease.task_id == task_id)
        .values(expires_at=until)
        .returning(Lease.token)
    )
    if token is None:
        task = connection.execute(
            select(Task.state, (Task.wanted - Task.held - Task.answered).label("free"))
            .where(Task.id == task_id)
            .with_for_update()
        ).first()
        if task is None:
            raise UnknownTask(f"there is no task {task_id}")
        if task.state == State.WITHDRAWN:
            raise TaskWithdrawn(f"task {task_id} is no longer in the queue")
        if live_answer(connection, annotator, task_id) is not None:
            raise AlreadyAnswered(f"task {task_id} has this annotator's answer")
        if task.free < 1:
            raise OverlapReached(f"task {task_id} has all the answers it wants")
        token = _hold(connection, task_id, annotator, now, until)
    return Leased(_shown(connection, task_id), token, until)


def renew(connection: Connection, annotator: str, token: str, now: datetime, minutes: float) -> datetime:
    """Hold a leased task on; returns until when. Raises LeaseLost."""
    until = _utc(now) + timedelta(minutes=minutes)
    renewed = connection.execute(
        update(Lease)
        .where(Lease.token == token, Lease.annotator_id == annotator, Lease.expires_at > _utc(now))
        .values(expires_at=until)
    )
    if renewed.rowcount == 0:
        raise LeaseLost("the time for this task has run out")
    return until


def submit(connection: Connection, annotator: str, task_id: int, token: str, answers: Answers, now: datetime) -> int:
    """Take an annotator's answers to the task that they hold; returns the annotation's id.

    The same answers sent again under the same token are taken once, and the same id is returned: a
    sender who never saw the reply may ask again. Raises LeaseLost, AlreadyAnswered, TaskWithdrawn.
    """
    ended = connection.execute(
        delete(Lease).where(
            Lease.token == token,
            Lease.task_id == task_id,
            Lease.annotator_id == annotator,
            Lease.expires_at > _utc(now),
        )
    )
    if ended.rowcount == 0:
        return _repeated(connection, annotator, task_id, token, answers)
    answered = Task.answered + 1
    connection.execute(
        update(Task)
        .where(Task.id == task_id)
        .values(
            held=Task.held - 1,
            answered=answered,
            state=case((answered >= Task.wanted, literal(State.DONE.value)), else_=Task.state),
        )
    )
    return _append(connection, annotator, task_id, answers, now, token=token)


def correct(connection: Connection, annotator: str, task_id: int, answers: Answers, now: datetime) -> int:
    """Put new answers over an annotator's own; returns the new annotation's id, or that of the present
    one when nothing differs. The earlier answers are kept. Raises NotAnswered."""
    # Two corrections at once would be two successors of one answer: they take turns.
    connection.execute(select(Task.id).where(Task.id == task_id).with_for_update())
    present = live_answer(connection, annotator, task_id)
    if present is None:
        raise NotAnswered(f"task {task_id} has no answer of this annotator")
    if present.answers == answers.values and present.guideline_version == answers.guideline_version:
        return present.id
    return _append(connection, annotator, task_id, answers, now, supersedes=present.id)


def waiting(connection: Connection) -> Iterator[Shown]:
    """The tasks that want answers, in the order in which they are handed out."""
    statement = _SHOWN.where(free(), Task.wave.is_not(None)).order_by(Task.wave, Task.priority, Task.id)
    for row in connection.execution_options(yield_per=1000).execute(statement):
        yield Shown(*row)


class LiveAnswer(NamedTuple):
    id: int
    token: str | None
    guideline_version: str
    answers: dict[str, object]


def _next_for(annotator: str) -> Select[int]:
    """The next free task that an annotator has neither answered nor holds."""
    answered = exists().where(
        Annotation.task_id == Task.id, Annotation.annotator_id == annotator, Annotation.supersedes.is_(None)
    )
    return (
        select(Task.id)
        .where(free(), Task.wave.is_not(None), ~answered)
        .order_by(Task.wave, Task.priority, Task.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def _hold(connection: Connection, task_id: int, annotator: str, now: datetime, until: datetime) -> str:
    token = secrets.token_hex(16)
    connection.execute(update(Task).where(Task.id == task_id).values(held=Task.held + 1))
    connection.execute(
        insert(Lease).values(
            task_id=task_id, annotator_id=annotator, token=token, issued_at=_utc(now), expires_at=until
        )
    )
    return token


def _return_expired(connection: Connection, now: datetime) -> None:
    """Give the tasks of leases that ran out back to the queue."""
    ended = connection.scalars(delete(Lease).where(Lease.expires_at <= _utc(now)).returning(Lease.task_id)).all()
    for task_id, count in sorted(Counter(ended).items()):
        connection.execute(update(Task).where(Task.id == task_id).values(held=Task.held - count))


def _require_active(connection: Connection, annotator: str) -> None:
    """Also makes the calls of one annotator take turns, where the database runs writers side by side."""
    standing = connection.scalar(select(Annotator.standing).where(Annotator.id == annotator).with_for_update())
    if standing is None:
        raise UnknownAnnotator(f"there is no annotator {annotator}")
    if standing != Standing.ACTIVE:
        raise NotActive(f"annotator {annotator} is {standing}")


def _repeated(connection: Connection, annotator: str, task_id: int, token: str, answers: Answers) -> int:
    """What a submit without a lease comes to: the annotation it made the first time, or a refusal."""
    present = live_answer(connection, annotator, task_id)
    if present is not None and present.token == token and present.answers == answers.values:
        return present.id
    if present is not None:
        raise AlreadyAnswered(f"task {task_id} has this annotator's answer")
    if connection.scalar(select(Task.state).where(Task.id == task_id)) == State.WITHDRAWN:
        raise TaskWithdrawn(f"task {task_id} is no longer in the queue")
    raise LeaseLost(f"the time for task {task_id} has run out")


def live_answer(connection: Connection, annotator: str, task_id: int) -> LiveAnswer | None:
    row = connection.execute(
        select(Annotation.id, Annotation.token, Annotation.guideline_version, Annotation.answers).where(
            Annotation.task_id == task_id, Annotation.annotator_id == annotator, live(Annotation)
        )
    ).first()
    return LiveAnswer(*row) if row is not None else None


def _append(
    connection: Connection,
    annotator: str,
    task_id: int,
    answers: Answers,
    now: datetime,
    token: str | None = None,
    supersedes: int | None = None,
) -> int:
    return connection.execute(
        insert(Annotation)
        .values(
            task_id=task_id,
            annotator_id=annotator,
            supersedes=supersedes,
            token=token,
            guideline_version=answers.guideline_version,
            answers=answers.values,
            created_at=_utc(now),
        )
        .returning(Annotation.id)
    ).scalar_one()


_SHOWN = select(*(getattr(Task, "id" if name == "task_id" else name) for name in Shown._fields))


def _shown(connection: Connection, task_id: int) -> Shown:
    return Shown(*connection.execute(_SHOWN.where(Task.id == task_id)).one())


def _utc(now: datetime) -> datetime:
    return now.astimezone(UTC)
