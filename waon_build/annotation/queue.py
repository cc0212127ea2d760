"""The calls of the queue: claim tasks, hold them on, submit answers, skip, take back, correct.

Each call takes the connection of a transaction that writes (`database.writing`), so that a caller can
put two into one: submit and take the next. All or nothing of a call is done, and what it refuses it
refuses by name. `now` is an argument: the queue has no clock of its own. Which task comes next is for
`order.py`, what follows from the answers for `decisions.py`.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection

from waon_build.annotation import order, reports, standing, statements
from waon_build.annotation.database import inserting
from waon_build.annotation.models import Kind, Skip, Source, Standing, State
from waon_build.annotation.order import Plan, Worker
from waon_build.annotation.questions import Answers
from waon_build.annotation.refusals import (
    AlreadyAnswered,
    LeaseLost,
    NotActive,
    NotAnswered,
    OverlapReached,
    Refusal,
    TaskReported,
    TaskWithdrawn,
    TooLateToUndo,
    UnknownAnnotator,
    UnknownTask,
)
from waon_build.annotation.shown import Shown
from waon_build.due import SKEW

TAKE_BACK = 10
"""How many of their last answers an annotator can undo."""


class Leased(NamedTuple):
    """A task held for one annotator until `expires_at`. token: to be shown when submitting. opinions: of an
    adjudication task what others said, without names. answers: what the annotator said before, when they
    are to say it anew."""

    task: Shown
    token: str
    expires_at: datetime
    opinions: tuple[dict[str, Any], ...] = ()
    answers: dict[str, Any] | None = None


class Held(NamedTuple):
    """A lease that goes on."""

    task_id: int
    token: str
    expires_at: datetime


class How(NamedTuple):
    """How an annotation came about. active_ms, wall_ms: time at it, and by the clock; None when not known."""

    source: str = Source.WEB
    device: str = ""
    active_ms: int | None = None
    wall_ms: int | None = None


class LiveAnswer(NamedTuple):
    """What an annotator said of a task last. token: of the lease it was given under. stands: it was not taken
    back, and the guideline has not changed in what it rests on."""

    id: int
    token: str | None
    guideline_version: str
    answers: dict[str, Any]
    stands: bool


class Recent(NamedTuple):
    """One of an annotator's own last answers."""

    annotation_id: int
    task: Shown
    answers: dict[str, Any]
    created_at: datetime
    can_undo: bool


FROM_FILES = How(Source.JUDGEMENTS)
KEYED = (Kind.GOLD, Kind.QUALIFICATION)
MOST_RENEWALS = 6
"""A lease is held on for so many times its length at most: nobody keeps a task for ever."""


def claim(connection: Connection, annotator: str, now: datetime, plan: Plan) -> list[Leased]:
    """The tasks that an annotator holds, renewed, and new ones up to `plan.ahead`, in the order in which they
    are to be shown. Fewer, or none, when there are no more for them.

    Nobody gets a task that they have answered or skipped. Raises UnknownAnnotator, NotActive.
    """
    _return_expired(connection, now, plan.minutes)
    worker = standing.may_go_on(connection, _active(connection, annotator), plan, now)
    if worker is None:
        give_back(connection, annotator)
        return []
    until = now + timedelta(minutes=plan.minutes)
    these = {"the_annotator": annotator, "the_end": until}
    connection.execute(statements.HOLD_ON_TO_ALL, {**these, "the_oldest": _oldest(now, plan.minutes)})
    held = _held(connection, annotator)
    worker = worker._replace(given=worker.given + len(held))
    while len(held) < plan.ahead:
        chosen = order.choose(connection, worker, plan)
        if chosen is None:
            break
        token = _hold(connection, chosen.task_id, annotator, now, until, worker.given)
        worker = worker._replace(given=worker.given + 1, last_task=chosen.task_id)
        connection.execute(statements.LAST, {"the_annotator": annotator, "the_task": chosen.task_id})
        held.append(_new(connection, chosen, token, until))
    return held


def lease_task(connection: Connection, annotator: str, task_id: int, now: datetime, minutes: float) -> Leased:
    """One certain task for an annotator, though it was reported: what was judged elsewhere is not lost. Raises
    UnknownTask, TaskWithdrawn, AlreadyAnswered, OverlapReached, UnknownAnnotator, NotActive."""
    _return_expired(connection, now, minutes)
    worker = _active(connection, annotator)
    until = now + timedelta(minutes=minutes)
    these = {"the_annotator": annotator, "the_task": task_id}
    token = connection.scalar(statements.HOLD_ON_TO, {**these, "the_end": until})
    if token is None:
        task = connection.execute(statements.ROOM, these).first()
        if task is None:
            raise UnknownTask(f"there is no task {task_id}")
        if task.state == State.WITHDRAWN:
            raise TaskWithdrawn(f"task {task_id} is no longer in the queue")
        said = live_answer(connection, annotator, task_id)
        if said is not None and said.stands:
            raise AlreadyAnswered(f"task {task_id} has this annotator's answer")
        if task.room < 1:
            raise OverlapReached(f"task {task_id} has all the answers it wants")
        token = _hold(connection, task_id, annotator, now, until, worker.given)
        connection.execute(statements.LAST, these)
    return Leased(_shown(connection, task_id), token, until)


def renew(
    connection: Connection, annotator: str, tokens: Sequence[str], now: datetime, minutes: float
) -> tuple[list[Held], list[str]]:
    """Hold leased tasks on; returns those that are held, and the tokens of those that are not any more. Who is
    paused or blocked holds nothing on."""
    until = now + timedelta(minutes=minutes)
    these = {
        "the_annotator": annotator,
        "the_tokens": list(tokens),
        "the_time": now,
        "the_end": until,
        "the_oldest": _oldest(now, minutes),
    }
    held = [Held(task_id, token, until) for task_id, token in connection.execute(statements.RENEW, these)]
    kept = {one.token for one in held}
    return held, [token for token in tokens if token not in kept]


def release(connection: Connection, annotator: str, tokens: Sequence[str], now: datetime) -> None:
    """Give leased tasks back before their time."""
    these = {"the_annotator": annotator, "the_tokens": list(tokens)}
    _return(connection, connection.scalars(statements.RELEASE, these).all())


def give_back(connection: Connection, annotator: str) -> None:
    """Give back all that an annotator holds."""
    _return(connection, connection.scalars(statements.RELEASE_ALL, {"the_annotator": annotator}).all())


def submit(
    connection: Connection,
    annotator: str,
    task_id: int,
    token: str,
    answers: Answers,
    now: datetime,
    how: How = FROM_FILES,
) -> int:
    """Take an annotator's answers to the task that they hold; returns the annotation's id.

    The same answers sent again under the same token are taken once, and the same id is returned: a
    sender who never saw the reply may ask again. An answer that reports harm pulls the pair at once.
    Raises LeaseLost, AlreadyAnswered, TaskWithdrawn, TaskReported.
    """
    these = {"the_annotator": annotator, "the_task": task_id, "the_token": token, "the_time": now}
    if connection.execute(statements.END, these).rowcount == 0:
        return _repeated(connection, annotator, task_id, token, answers)
    task = connection.execute(statements.COUNT, {"the_task": task_id}).one()
    annotation = _append(connection, annotator, task_id, answers, now, how, token)
    connection.execute(statements.ONE_MORE, these)
    if task.kind in KEYED:
        standing.count_gold(connection, annotator, answers.asked)
    for flag in answers.rejecting:
        reports.pull(connection, annotator, task_id, flag, "", now)
        standing.look_at_reports(connection, annotator, now)
    return annotation


def skip(
    connection: Connection, annotator: str, task_id: int, token: str, reason: str, note: str, now: datetime
) -> None:
    """Pass a task on to others: this annotator is not given it again. Raises LeaseLost."""
    these = {"the_annotator": annotator, "the_task": task_id, "the_token": token, "the_time": now}
    if connection.execute(statements.END, these).rowcount == 0:
        if connection.scalar(statements.SKIPPED, these) is None:  # else the reply to the first was lost
            raise LeaseLost(f"the time for task {task_id} has run out")
        return
    _pass_on(connection, annotator, task_id, reason, note, now)
    _return(connection, [task_id])


def report(
    connection: Connection, annotator: str, task_id: int, token: str, kind: str, note: str, now: datetime
) -> None:
    """Say of a task that one holds, or answered among one's last, that its picture harms: the pair is pulled at
    once. A lease that has run out will do, while it was not given to the queue back. Raises LeaseLost."""
    these = {"the_annotator": annotator, "the_task": task_id, "the_token": token, "the_time": now}
    holds = connection.execute(statements.END, these).rowcount > 0
    if not holds and _theirs(connection, annotator, task_id) is None:
        raise LeaseLost(f"task {task_id} is not this annotator's")
    _pass_on(connection, annotator, task_id, "reported", "", now)
    if holds:
        _return(connection, [task_id])
    reports.pull(connection, annotator, task_id, kind, note, now)
    standing.look_at_reports(connection, annotator, now)


def correct(
    connection: Connection, annotator: str, task_id: int, answers: Answers, now: datetime, how: How = FROM_FILES
) -> int:
    """Put new answers over an annotator's own; returns the new annotation's id, or that of the present
    one when nothing differs. The earlier answers are kept. Raises NotAnswered, also where the guideline has
    changed since and the task is asked anew, UnknownAnnotator, NotActive."""
    _active(connection, annotator)
    present = live_answer(connection, annotator, task_id)
    if present is None or not present.stands:
        raise NotAnswered(f"task {task_id} has no answer of this annotator")
    if present.answers == answers.values and present.guideline_version == answers.guideline_version:
        return present.id
    annotation = _append(connection, annotator, task_id, answers, now, how)
    if connection.scalar(statements.KIND, {"the_task": task_id}) in KEYED:
        standing.count_gold(connection, annotator, answers.asked)
    reports.follow(connection, annotator, task_id, present.answers, answers.rejecting, now)
    return annotation


def undo(connection: Connection, annotator: str, annotation_id: int, now: datetime, minutes: float) -> Leased:
    """Take one of one's last answers back, and hold its task to answer it anew. What was said is kept, and
    weighs nothing. Raises TooLateToUndo, TaskWithdrawn, UnknownAnnotator, NotActive."""
    _return_expired(connection, now, minutes)
    _active(connection, annotator)
    found = next((one for one in recent(connection, annotator) if one.annotation_id == annotation_id), None)
    if found is None or not found.can_undo:
        if found is not None:
            _refuse_gone(connection, found.task.task_id)
        raise TooLateToUndo("only the last answers can be taken back")
    task_id = found.task.task_id
    _append(connection, annotator, task_id, None, now, How(""))
    reports.follow(connection, annotator, task_id, found.answers, (), now)
    connection.execute(statements.UNCOUNT, {"the_task": task_id})
    _refuse_gone(connection, task_id)
    until = now + timedelta(minutes=minutes)
    before_all = min(0, connection.scalar(statements.FIRST_HELD, {"the_annotator": annotator}) or 0) - 1
    token = _hold(connection, task_id, annotator, now, until, before_all)
    order.reopened(connection, [task_id])
    return next(one for one in _held(connection, annotator) if one.token == token)


def recent(connection: Connection, annotator: str, count: int = TAKE_BACK) -> list[Recent]:
    """An annotator's own last answers, the newest first. What was taken back is among the last, though it is not
    given: else, ten at a time, everything could be taken back that they ever said."""
    rows = connection.execute(statements.RECENT, {"the_annotator": annotator, "the_count": count}).all()
    return [
        Recent(row.annotation_id, Shown(*row[: len(Shown._fields)]), row.answers, row.created_at, bool(row.can_undo))
        for row in rows
        if not row.retracted
    ]


def shown_to(connection: Connection, annotator: str, task_id: int) -> Shown | None:
    """A task that an annotator holds, or answered among their last; None when it is not theirs to see, or
    others reported it."""
    found = _theirs(connection, annotator, task_id)
    return found if found is not None and not reports.is_pulled(connection, found.pair_id, annotator) else None


def why_not(connection: Connection, task_id: int) -> type[Refusal]:
    """Why a task that an annotator held is gone."""
    try:
        _refuse_gone(connection, task_id)
    except Refusal as refusal:
        return type(refusal)
    return LeaseLost


def live_answer(connection: Connection, annotator: str, task_id: int) -> LiveAnswer | None:
    """What an annotator says of a task, after all corrections."""
    row = connection.execute(statements.SAID, {"the_annotator": annotator, "the_task": task_id}).first()
    return LiveAnswer(*row) if row is not None else None


def waiting(connection: Connection) -> Iterator[Shown]:
    """The tasks that want answers, in the order in which they are handed out."""
    for row in connection.execution_options(yield_per=1000).execute(statements.WAITING):
        yield Shown(*row)


def _theirs(connection: Connection, annotator: str, task_id: int) -> Shown | None:
    if connection.scalar(statements.HOLDS, {"the_annotator": annotator, "the_task": task_id}) is not None:
        return _shown(connection, task_id)
    return next((one.task for one in recent(connection, annotator) if one.task.task_id == task_id), None)


def _pass_on(connection: Connection, annotator: str, task_id: int, reason: str, note: str, now: datetime) -> None:
    connection.execute(
        inserting(connection, Skip)
        .values(task_id=task_id, annotator_id=annotator, reason=reason, note=note, created_at=now)
        .on_conflict_do_nothing()
    )
    connection.execute(statements.ONE_MORE, {"the_annotator": annotator})


def _hold(connection: Connection, task_id: int, annotator: str, now: datetime, until: datetime, number: int) -> str:
    token = secrets.token_hex(16)
    connection.execute(statements.TAKE, {"the_task": task_id})
    connection.execute(
        statements.LEASE,
        {
            "task_id": task_id,
            "annotator_id": annotator,
            "token": token,
            "number": number,
            "issued_at": now,
            "expires_at": until,
        },
    )
    return token


def _return_expired(connection: Connection, now: datetime, minutes: float) -> None:
    """Give the tasks of leases that ran out back to the queue, and of those that a clock which ran ahead has issued:
    no right one lets a lease end so late."""
    these = {"the_time": now, "the_future": now + timedelta(minutes=minutes) + SKEW}
    _return(connection, connection.scalars(statements.END_EXPIRED, these).all())


def _return(connection: Connection, task_ids: Sequence[int]) -> None:
    """Count leases that have ended out of their tasks."""
    counts = Counter(task_ids)
    for task_id, count in sorted(counts.items()):
        connection.execute(statements.RETURN, {"the_task": task_id, "the_count": count})
    order.reopened(connection, sorted(counts))


def _active(connection: Connection, annotator: str) -> Worker:
    row = connection.execute(statements.WORKER, {"the_annotator": annotator}).first()
    if row is None:
        raise UnknownAnnotator(f"there is no annotator {annotator}")
    if row.standing != Standing.ACTIVE:
        raise NotActive(f"annotator {annotator} is {row.standing}")
    return Worker(*row[:-1])


def _refuse_gone(connection: Connection, task_id: int) -> None:
    """Raise TaskWithdrawn or TaskReported when nobody is to see the task."""
    task = connection.execute(statements.ROOM, {"the_task": task_id}).first()
    if task is not None and task.state == State.WITHDRAWN:
        raise TaskWithdrawn(f"task {task_id} is no longer in the queue")
    if task is not None and reports.is_pulled(connection, task.pair_id):
        raise TaskReported(f"task {task_id} was reported as harmful, and nobody sees it any more")


def _repeated(connection: Connection, annotator: str, task_id: int, token: str, answers: Answers) -> int:
    """What a submit without a lease comes to: the annotation it made the first time, or a refusal."""
    present = live_answer(connection, annotator, task_id)
    if present is not None and present.token == token and present.answers == answers.values:
        return present.id
    _refuse_gone(connection, task_id)
    if present is not None and present.stands:
        raise AlreadyAnswered(f"task {task_id} has this annotator's answer")
    raise LeaseLost(f"the time for task {task_id} has run out")


def _append(
    connection: Connection,
    annotator: str,
    task_id: int,
    answers: Answers | None,
    now: datetime,
    how: How,
    token: str | None = None,
) -> int:
    """A new end of the chain of what an annotator says of a task. answers: None takes back what stands."""
    row = {
        "the_annotator": annotator,
        "the_task": task_id,
        "token": token,
        "guideline_version": answers.guideline_version if answers else "",
        "answers": answers.values if answers else {},
        "retracted": answers is None,
        "created_at": now,
        **how._asdict(),
    }
    return connection.execute(statements.ANNOTATE, row).scalar_one()


def _shown(connection: Connection, task_id: int) -> Shown:
    return Shown(*connection.execute(statements.SHOWN_TASK, {"the_task": task_id}).one())


def _oldest(now: datetime, minutes: float) -> datetime:
    """Leases that were issued before are held on no longer."""
    return now - MOST_RENEWALS * timedelta(minutes=minutes)


def _held(connection: Connection, annotator: str) -> list[Leased]:
    """What an annotator holds, in the order in which it is to be shown."""
    rows = sorted(
        connection.execute(statements.HELD, {"the_annotator": annotator}), key=lambda row: (row.number, row.task_id)
    )
    return [_leased(connection, row) for row in rows]


def _leased(connection: Connection, row: Any) -> Leased:
    leased = _new(connection, row, row.token, row.expires_at)
    if row.number >= 0:
        return leased
    said = connection.scalars(
        statements.TAKEN_BACK, {"the_annotator": row.annotator_id, "the_task": row.task_id}
    ).first()
    return leased._replace(answers=said)


def _new(connection: Connection, row: Any, token: str, until: datetime) -> Leased:
    shown = Shown(*row[: len(Shown._fields)])
    opinions = _opinions(connection, shown.pair_id) if row.kind == Kind.ADJUDICATION else ()
    return Leased(shown, token, until, opinions)


def _opinions(connection: Connection, pair_id: str) -> tuple[dict[str, Any], ...]:
    """What was said of a pair, without names, in an order that tells nothing of who came first."""
    said = connection.scalars(statements.OPINIONS, {"the_pair": pair_id}).all()
    return tuple(sorted(said, key=repr))
