"""The statements of the queue's calls, made once: to make one takes longer than to run it.

Bound by name: `the_task`, `the_annotator`, `the_token`, `the_time`, and so on. What they are for is said in `queue.py`.
"""

from __future__ import annotations

from sqlalchemy import and_, bindparam, case, delete, exists, func, insert, literal, or_, select, text, update

from waon_build.annotation import order, reports
from waon_build.annotation.models import (
    MISSING,
    Annotation,
    Annotator,
    Kind,
    Lease,
    Report,
    Skip,
    Standing,
    State,
    Task,
    free,
    live,
)
from waon_build.annotation.shown import SHOWN

_IS_TASK = Task.id == bindparam("the_task")
_IS_LEASE_OF = Lease.annotator_id == bindparam("the_annotator")
_IS_IN_TIME = Lease.expires_at > bindparam("the_time")
_IS_OF_THEM = Annotation.annotator_id == bindparam("the_annotator")

_IS_THEM = Annotator.id == bindparam("the_annotator")
WORKER = select(*order.WORKER, Annotator.standing).where(_IS_THEM)
LAST = update(Annotator).where(_IS_THEM).values(last_task=bindparam("the_task"))
ONE_MORE = update(Annotator).where(_IS_THEM).values(given=Annotator.given + 1)

LEASE = insert(Lease)
END_EXPIRED = (
    delete(Lease)
    .where(or_(Lease.expires_at <= bindparam("the_time"), Lease.expires_at > bindparam("the_future")))
    .returning(Lease.task_id)
)
_IS_NOT_TOO_OLD = Lease.issued_at > bindparam("the_oldest")
HOLD_ON_TO_ALL = update(Lease).where(_IS_LEASE_OF, _IS_NOT_TOO_OLD).values(expires_at=bindparam("the_end"))
HOLD_ON_TO = (
    update(Lease)
    .where(_IS_LEASE_OF, Lease.task_id == bindparam("the_task"))
    .values(expires_at=bindparam("the_end"))
    .returning(Lease.token)
)
_IS_ONE_OF = Lease.token.in_(bindparam("the_tokens", expanding=True))
RENEW = (
    update(Lease)
    .where(_IS_LEASE_OF, _IS_ONE_OF, _IS_IN_TIME, _IS_NOT_TOO_OLD)
    .where(exists().where(_IS_THEM, Annotator.standing == Standing.ACTIVE))
    .values(expires_at=bindparam("the_end"))
    .returning(Lease.task_id, Lease.token)
)
RELEASE = delete(Lease).where(_IS_LEASE_OF, _IS_ONE_OF).returning(Lease.task_id)
RELEASE_ALL = delete(Lease).where(_IS_LEASE_OF).returning(Lease.task_id)
FIRST_HELD = select(func.min(Lease.number)).where(_IS_LEASE_OF)
END = delete(Lease).where(
    _IS_LEASE_OF, Lease.task_id == bindparam("the_task"), Lease.token == bindparam("the_token"), _IS_IN_TIME
)
HOLDS = select(Lease.task_id).where(_IS_LEASE_OF, Lease.task_id == bindparam("the_task"))
SKIPPED = select(Skip.task_id).where(
    Skip.task_id == bindparam("the_task"), Skip.annotator_id == bindparam("the_annotator")
)

ROOM = select(
    Task.state,
    Task.pair_id,
    (Task.wanted - Task.held - Task.answered).label("room"),
).where(_IS_TASK)
TAKE = update(Task).where(_IS_TASK).values(held=Task.held + 1)
RETURN = update(Task).where(_IS_TASK).values(held=Task.held - bindparam("the_count"))
COUNT = (
    update(Task)
    .where(_IS_TASK)
    .values(
        held=Task.held - 1,
        answered=Task.answered + 1,
        state=case((Task.answered + 1 >= Task.wanted, literal(State.DONE.value)), else_=Task.state),
    )
    .returning(Task.kind)
)
UNCOUNT = (
    update(Task)
    .where(_IS_TASK)
    .values(
        answered=Task.answered - 1,
        state=case((Task.state == State.DONE, literal(State.OPEN.value)), else_=Task.state),
    )
)

KIND = select(Task.kind).where(_IS_TASK)
_SHOWN = select(*SHOWN)
SHOWN_TASK = _SHOWN.where(_IS_TASK)
HELD = (
    _SHOWN.add_columns(Task.kind, Lease.token, Lease.number, Lease.annotator_id, Lease.expires_at)
    .join(Lease, Lease.task_id == Task.id)
    .where(_IS_LEASE_OF)
)
WAITING = _SHOWN.where(free(), Task.wave.is_not(None)).order_by(
    Task.wave, text(MISSING), Task.priority, Task.chance, Task.id
)
_PULLED_BY_OTHERS = exists().where(
    Report.pair_id == Task.pair_id, Report.outcome.in_(reports.PULLS), Report.annotator_id != bindparam("the_annotator")
)
_CAN_UNDO = and_(Task.state != State.WITHDRAWN, Annotation.id > Task.stale_before, ~_PULLED_BY_OTHERS)
RECENT = (
    _SHOWN.add_columns(Annotation.id.label("annotation_id"), Annotation.answers, Annotation.created_at)
    .add_columns(_CAN_UNDO.label("can_undo"))
    .add_columns(Annotation.retracted)
    .join(Annotation, Annotation.task_id == Task.id)
    .where(_IS_OF_THEM, live(Annotation))
    .order_by(Annotation.id.desc())
    .limit(bindparam("the_count"))
)
SAID = (
    select(Annotation.id, Annotation.token, Annotation.guideline_version, Annotation.answers)
    .add_columns(and_(~Annotation.retracted, Annotation.id > Task.stale_before).label("stands"))
    .join(Task, Task.id == Annotation.task_id)
    .where(Annotation.task_id == bindparam("the_task"), _IS_OF_THEM, live(Annotation))
)
TAKEN_BACK = (
    select(Annotation.answers)
    .where(Annotation.task_id == bindparam("the_task"), _IS_OF_THEM, ~Annotation.retracted)
    .order_by(Annotation.id.desc())
    .limit(1)
)
OPINIONS = (
    select(Annotation.answers)
    .join(Task, Task.id == Annotation.task_id)
    .join(Annotator, Annotator.id == Annotation.annotator_id)
    .where(
        Task.pair_id == bindparam("the_pair"),
        Task.kind == Kind.NORMAL,
        Annotation.id > Task.stale_before,
        live(Annotation),
        ~Annotation.retracted,
        Annotator.standing != Standing.BLOCKED,
    )
)
_CHAIN = Annotation.__table__.alias("chain")
ANNOTATE = (
    insert(Annotation)
    .values(
        task_id=bindparam("the_task"),
        annotator_id=bindparam("the_annotator"),
        supersedes=select(func.max(_CHAIN.c.id))
        .where(_CHAIN.c.task_id == bindparam("the_task"), _CHAIN.c.annotator_id == bindparam("the_annotator"))
        .scalar_subquery(),
        token=bindparam("token"),
        guideline_version=bindparam("guideline_version"),
        answers=bindparam("answers", type_=Annotation.answers.type),
        retracted=bindparam("retracted"),
        source=bindparam("source"),
        device=bindparam("device"),
        active_ms=bindparam("active_ms"),
        wall_ms=bindparam("wall_ms"),
        created_at=bindparam("created_at", type_=Annotation.created_at.type),
    )
    .returning(Annotation.id)
)
