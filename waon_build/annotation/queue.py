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
from datetime import datetime, timedelta
from typing import ClassVar, NamedTuple

from sqlalchemy import Connection, bindparam, case, delete, exists, insert, literal, select, text, update

from waon_build.annotation.models import MISSING, Annotation, Annotator, Lease, Role, Standing, State, Task, free, live
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


class LiveAnswer(NamedTuple):
    """What an annotator says of a task. token: of the lease it was given under."""

    id: int
    token: str | None
    guideline_version: str
    answers: dict[str, object]


def add_annotator(connection: Connection, now: datetime, role: Role = Role.ANNOTATOR) -> str:
    """A new annotator's pseudonym: 32 random hex digits."""
    pseudonym = secrets.token_hex(16)
    connection.execute(
        insert(Annotator), {"id": pseudonym, "role": role, "standing": Standing.ACTIVE, "created_at": now}
    )
    return pseudonym


def lease(connection: Connection, annotator: str, now: datetime, minutes: float) -> Leased | None:
    """A task for an annotator, held for `minutes`; None when there is none for them.

    Who holds a task already gets that one again, renewed. Nobody gets a task that they have answered.
    Raises UnknownAnnotator, NotActive.
    """
    _return_expired(connection, now)
    _require_active(connection, annotator)
    until = now + timedelta(minutes=minutes)
    held = connection.execute(_HOLD_ON_TO_ALL, {"the_annotator": annotator, "the_end": until}).first()
    if held is not None:
        return Leased(_shown(connection, held.task_id), held.token, until)
    found = connection.execute(_NEXT, {"the_annotator": annotator}).first()
    if found is None:
        return None
    task = Shown(*found)
    return Leased(task, _hold(connection, task.task_id, annotator, now, until), until)


def lease_task(connection: Connection, annotator: str, task_id: int, now: datetime, minutes: float) -> Leased:
    """One certain task for an annotator. Raises UnknownTask, TaskWithdrawn, AlreadyAnswered,
    OverlapReached, UnknownAnnotator, NotActive."""
    _return_expired(connection, now)
    _require_active(connection, annotator)
    until = now + timedelta(minutes=minutes)
    these = {"the_annotator": annotator, "the_task": task_id}
    token = connection.scalar(_HOLD_ON_TO, {**these, "the_end": until})
    if token is None:
        task = connection.execute(_ROOM, {"the_task": task_id}).first()
        if task is None:
            raise UnknownTask(f"there is no task {task_id}")
        if task.state == State.WITHDRAWN:
            raise TaskWithdrawn(f"task {task_id} is no longer in the queue")
        if live_answer(connection, annotator, task_id) is not None:
            raise AlreadyAnswered(f"task {task_id} has this annotator's answer")
        if task.room < 1:
            raise OverlapReached(f"task {task_id} has all the answers it wants")
        token = _hold(connection, task_id, annotator, now, until)
    return Leased(_shown(connection, task_id), token, until)


def renew(connection: Connection, annotator: str, token: str, now: datetime, minutes: float) -> datetime:
    """Hold a leased task on; returns until when. Raises LeaseLost."""
    until = now + timedelta(minutes=minutes)
    these = {"the_annotator": annotator, "the_token": token, "the_time": now, "the_end": until}
    if connection.execute(_RENEW, these).rowcount == 0:
        raise LeaseLost("the time for this task has run out")
    return until


def submit(connection: Connection, annotator: str, task_id: int, token: str, answers: Answers, now: datetime) -> int:
    """Take an annotator's answers to the task that they hold; returns the annotation's id.

    The same answers sent again under the same token are taken once, and the same id is returned: a
    sender who never saw the reply may ask again. Raises LeaseLost, AlreadyAnswered, TaskWithdrawn.
    """
    these = {"the_annotator": annotator, "the_task": task_id, "the_token": token, "the_time": now}
    if connection.execute(_END, these).rowcount == 0:
        return _repeated(connection, annotator, task_id, token, answers)
    connection.execute(_COUNT, {"the_task": task_id})
    return _append(connection, annotator, task_id, answers, now, token=token)


def correct(connection: Connection, annotator: str, task_id: int, answers: Answers, now: datetime) -> int:
    """Put new answers over an annotator's own; returns the new annotation's id, or that of the present
    one when nothing differs. The earlier answers are kept. Raises NotAnswered, UnknownAnnotator, NotActive."""
    # Two corrections at once would be two successors of one answer: an annotator's calls take turns here.
    _require_active(connection, annotator)
    present = live_answer(connection, annotator, task_id)
    if present is None:
        raise NotAnswered(f"task {task_id} has no answer of this annotator")
    if present.answers == answers.values and present.guideline_version == answers.guideline_version:
        return present.id
    return _append(connection, annotator, task_id, answers, now, supersedes=present.id)


def live_answer(connection: Connection, annotator: str, task_id: int) -> LiveAnswer | None:
    """What an annotator says of a task, after all corrections."""
    row = connection.execute(_SAID, {"the_annotator": annotator, "the_task": task_id}).first()
    return LiveAnswer(*row) if row is not None else None


def waiting(connection: Connection) -> Iterator[Shown]:
    """The tasks that want answers, in the order in which they are handed out."""
    for row in connection.execution_options(yield_per=1000).execute(_WAITING):
        yield Shown(*row)


def _hold(connection: Connection, task_id: int, annotator: str, now: datetime, until: datetime) -> str:
    token = secrets.token_hex(16)
    connection.execute(_TAKE, {"the_task": task_id})
    connection.execute(
        _LEASE,
        {"task_id": task_id, "annotator_id": annotator, "token": token, "issued_at": now, "expires_at": until},
    )
    return token


def _return_expired(connection: Connection, now: datetime) -> None:
    """Give the tasks of leases that ran out back to the queue."""
    ended = connection.scalars(_END_EXPIRED, {"the_time": now}).all()
    for task_id, count in sorted(Counter(ended).items()):
        connection.execute(_RETURN, {"the_task": task_id, "the_count": count})


def _require_active(connection: Connection, annotator: str) -> None:
    """Also makes the calls of one annotator take turns, where the database runs writers side by side."""
    standing = connection.scalar(_STANDING, {"the_annotator": annotator})
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
    task = connection.execute(_ROOM, {"the_task": task_id}).first()
    if task is not None and task.state == State.WITHDRAWN:
        raise TaskWithdrawn(f"task {task_id} is no longer in the queue")
    raise LeaseLost(f"the time for task {task_id} has run out")


def _append(
    connection: Connection,
    annotator: str,
    task_id: int,
    answers: Answers,
    now: datetime,
    token: str | None = None,
    supersedes: int | None = None,
) -> int:
    row = {
        "task_id": task_id,
        "annotator_id": annotator,
        "supersedes": supersedes,
        "token": token,
        "guideline_version": answers.guideline_version,
        "answers": answers.values,
        "created_at": now,
    }
    return connection.execute(_ANNOTATE, row).scalar_one()


def _shown(connection: Connection, task_id: int) -> Shown:
    return Shown(*connection.execute(_SHOWN_TASK, {"the_task": task_id}).one())


# The statements, made once: to make one takes longer than to run it. `FOR UPDATE` is for PostgreSQL;
# SQLite, whose writers take turns anyway, is not told.

_IS_TASK = Task.id == bindparam("the_task")
_IS_LEASE_OF = Lease.annotator_id == bindparam("the_annotator")
_IS_IN_TIME = Lease.expires_at > bindparam("the_time")

_STANDING = select(Annotator.standing).where(Annotator.id == bindparam("the_annotator")).with_for_update()

_LEASE = insert(Lease)
_END_EXPIRED = delete(Lease).where(Lease.expires_at <= bindparam("the_time")).returning(Lease.task_id)
_HOLD_ON_TO_ALL = (
    update(Lease).where(_IS_LEASE_OF).values(expires_at=bindparam("the_end")).returning(Lease.task_id, Lease.token)
)
_HOLD_ON_TO = (
    update(Lease)
    .where(_IS_LEASE_OF, Lease.task_id == bindparam("the_task"))
    .values(expires_at=bindparam("the_end"))
    .returning(Lease.token)
)
_RENEW = (
    update(Lease)
    .where(_IS_LEASE_OF, Lease.token == bindparam("the_token"), _IS_IN_TIME)
    .values(expires_at=bindparam("the_end"))
)
_END = delete(Lease).where(
    _IS_LEASE_OF, Lease.task_id == bindparam("the_task"), Lease.token == bindparam("the_token"), _IS_IN_TIME
)

_ROOM = select(Task.state, (Task.wanted - Task.held - Task.answered).label("room")).where(_IS_TASK).with_for_update()
_TAKE = update(Task).where(_IS_TASK).values(held=Task.held + 1)
_RETURN = update(Task).where(_IS_TASK).values(held=Task.held - bindparam("the_count"))
_COUNT = (
    update(Task)
    .where(_IS_TASK)
    .values(
        held=Task.held - 1,
        answered=Task.answered + 1,
        state=case((Task.answered + 1 >= Task.wanted, literal(State.DONE.value)), else_=Task.state),
    )
)

_SHOWN = select(*(getattr(Task, "id" if name == "task_id" else name) for name in Shown._fields))
_SHOWN_TASK = _SHOWN.where(_IS_TASK)
_WAITING = _SHOWN.where(free(), Task.wave.is_not(None)).order_by(
    Task.wave, Task.quota, text(MISSING), Task.priority, Task.chance
)
_NEXT = (
    _WAITING.where(
        ~exists().where(
            Annotation.task_id == Task.id,
            Annotation.annotator_id == bindparam("the_annotator"),
            Annotation.supersedes.is_(None),
        )
    )
    .limit(1)
    .with_for_update(of=Task, skip_locked=True)
)

_SAID = select(Annotation.id, Annotation.token, Annotation.guideline_version, Annotation.answers).where(
    Annotation.task_id == bindparam("the_task"), Annotation.annotator_id == bindparam("the_annotator"), live(Annotation)
)
_ANNOTATE = insert(Annotation).returning(Annotation.id)
