"""Which task an annotator is given next.

Of the waves the first in which something is free for them; there the category furthest below its quota;
there the task nearest completion, then by priority, then by seeded chance. By seeded chance, too, a gold
task or a hidden twin comes instead. Adjudication comes first for those who adjudicate, and qualification
for those who have not passed it. Near-duplicates never come one after the other, and a pair that somebody
passed on is not shown to them again, in whatever guise. Last come pairs that they have met: as a gold task,
or in an answer that they took back.

The cost does not grow with what an annotator has answered: of a wave at most its 2,000 tasks are looked
at, and waves in which nothing is left for them are not looked at again (`Annotator.floor`), but for those
in which a task has become free for them since (`reopened`).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    text,
    union,
    update,
)

from waon_build.annotation.copies import copy
from waon_build.annotation.eligible import BY_THEM, COPY, free_tasks, not_passed_on, stands, unanswered, unjudged, unmet
from waon_build.annotation.models import (
    MISSING,
    UNLIMITED,
    Annotation,
    Annotator,
    Decision,
    Kind,
    Lease,
    Outcome,
    Report,
    Revisit,
    Role,
    State,
    Task,
    free,
    live,
)
from waon_build.annotation.quality import qualifies
from waon_build.recipe import AnnotationSettings, QualitySettings

TWIN_AFTER, TWIN_WITHIN = 20, 200
"""A twin comes this many answers after the first at the soonest, and of the last so many."""


class Plan(NamedTuple):
    """What of the campaign the queue needs. quotas: the groups of tasks (`Task.quota`), the one furthest
    below its quota first; "" stands for tasks without one. qualification: how many tasks a new annotator
    must answer to qualify, 0 when there is no such round."""

    minutes: float
    ahead: int = 1
    seed: int = 0
    quotas: tuple[str, ...] = ("",)
    qualification: int = 0
    quality: QualitySettings = QualitySettings()


class Worker(NamedTuple):
    """An annotator, as far as it matters for what comes next.
    has_revisits: something has become free for them in a wave that they had done with."""

    id: str
    role: str
    qualified: bool
    gold_right: int
    gold_wrong: int
    floor: int
    given: int
    last_task: int
    has_revisits: bool


def plan(connection: Connection, settings: AnnotationSettings) -> Plan:
    """The plan of a campaign as its quotas stand. It holds for as long as one does not mind their being
    some seconds old."""
    quotas = [name for name, lacking in sorted(deficits(connection, settings).items(), key=_by_need) if lacking > 0]
    full = sorted(settings.quotas.keys() - set(quotas))
    there = min(settings.quality.qualification, connection.scalar(_ROUND) or 0)
    return Plan(
        settings.lease_minutes,
        settings.ahead,
        settings.seed,
        (*quotas, "", *full),
        there if qualifies(there, 0, settings.quality.qualify) else 0,  # a round that nobody can pass is none
        settings.quality,
    )


def deficits(connection: Connection, settings: AnnotationSettings) -> dict[str, float]:
    """By how much of its quota each category falls short: 1 has nothing, 0 has all."""
    if not settings.quotas:
        return {}
    accepted = dict(
        connection.execute(
            select(Task.category, func.count())
            .join(Decision, Decision.task_id == Task.id)
            .where(Task.kind == Kind.NORMAL, live(Decision), Decision.outcome == Outcome.ACCEPTED)
            .group_by(Task.category)
        )
        .tuples()
        .all()
    )
    return {name: max(0.0, 1 - accepted.get(name, 0) / wanted) for name, wanted in settings.quotas.items()}


def choose(connection: Connection, who: Worker, plan: Plan) -> Any | None:
    """The next task of an annotator; None when there is none."""
    these = {"the_annotator": who.id, "the_last": who.last_task}
    if who.role != Role.ANNOTATOR:
        found = connection.execute(_ADJUDICATION, these).first()
        if found is not None:
            return found
    elif not who.qualified:
        left = qualification_left(connection, who.id, plan)
        if left is not None:
            is_held = (connection.scalar(_QUALIFYING_HELD, these) or 0) >= left
            return None if is_held else connection.execute(_QUALIFICATION, these).first()
    gold = plan.quality.gold_first if who.given < plan.quality.gold_first_tasks else plan.quality.gold
    drawn = chance(plan.seed, who.id, who.given)
    found = None
    if drawn < gold:
        found = connection.execute(_GOLD, these).first()
    elif drawn < gold + plan.quality.twins:
        found = _twin(connection, who, these, plan)
    return found or _normal(connection, who, these, plan) or connection.execute(_MET_BEFORE, these).first()


def chance(seed: int, *what: object) -> float:
    """A number in [0, 1) that is drawn by `what` and the seed, always the same."""
    drawn = blake2b(":".join(map(str, (seed, *what))).encode(), digest_size=6).digest()
    return int.from_bytes(drawn) / 2**48


def reopened(connection: Connection, task_ids: Sequence[int]) -> None:
    """These tasks may have become free: whoever has done with their waves, but not with them, looks once more.
    task_ids: at most a few thousand."""
    if task_ids:
        connection.execute(_REVISIT, {"the_tasks": task_ids})


def qualification_left(connection: Connection, annotator: str, plan: Plan) -> int | None:
    """Qualification tasks that an annotator still has to answer, as far as there are any for them; None when
    there is no such round."""
    if plan.qualification == 0:
        return None
    these = {"the_annotator": annotator}
    answered = connection.scalar(_QUALIFYING_ANSWERED, these) or 0
    if answered >= plan.qualification:
        return 0
    return min(plan.qualification - answered, connection.scalar(_QUALIFYING_THERE, these) or 0)


def _by_need(entry: tuple[str, float]) -> tuple[float, str]:
    return -entry[1], entry[0]


def _normal(connection: Connection, who: Worker, these: dict[str, Any], plan: Plan) -> Any | None:
    if who.has_revisits:
        for wave in connection.scalars(_REVISITS, {"the_annotator": who.id}).all():
            found, is_done = _in_wave(connection, {**these, "the_wave": wave}, plan)
            if found is not None:
                return found
            if is_done:
                connection.execute(_VISITED, {"the_annotator": who.id, "the_wave": wave})
    floor, are_done = who.floor, True
    while (wave := connection.scalar(_LOWEST_WAVE, {"the_floor": floor})) is not None:
        found, is_done = _in_wave(connection, {**these, "the_wave": wave}, plan)
        if found is not None:
            return found
        floor, are_done = wave + 1, are_done and is_done
        if are_done:
            connection.execute(_PASS, {"the_annotator": who.id, "the_wave": floor})
    return None


def _in_wave(connection: Connection, these: dict[str, Any], plan: Plan) -> tuple[Any | None, bool]:
    """The next task of one wave, and whether nothing is left there for them: none is held back only because of
    what they hold or saw last."""
    for quota in plan.quotas:
        found = connection.execute(_IN_QUOTA, {**these, "the_quota": quota}).first()
        if found is not None:
            return found, False
    if connection.scalar(_LEFT_IN_WAVE, {name: these[name] for name in ("the_annotator", "the_wave")}) is None:
        return None, True
    return connection.execute(_IN_WAVE, these).first(), False  # of a quota that there was at `place()`, and is no more


def _twin(connection: Connection, who: Worker, these: dict[str, Any], plan: Plan) -> Any | None:
    back = TWIN_AFTER + int(chance(plan.seed, "twin", who.id, who.given) * (TWIN_WITHIN - TWIN_AFTER))
    for offset in (back, TWIN_AFTER):
        task_id = connection.scalar(_EARLIER, {"the_annotator": who.id, "the_offset": offset})
        if task_id is not None:
            twin = copy(connection, task_id, Kind.TWIN, UNLIMITED)
            return connection.execute(_THIS, {**these, "the_task": twin}).first()
    return None


def _of_kind(kind: Kind, unseen: ColumnElement[bool]) -> Select[Any]:
    return free_tasks(Task.kind == kind, unseen).order_by(Task.chance, Task.id).limit(1)


# The statements, made once: to make one takes longer than to run it.

WORKER = (
    *(getattr(Annotator, name) for name in Worker._fields[:-1]),
    exists().where(Revisit.annotator_id == Annotator.id),
)
"""The columns of a `Worker`, in its order."""

_IN_ORDER = (text(MISSING), Task.priority, Task.chance)
_IS_IN_WAVE = Task.wave == bindparam("the_wave")
_FOR_THEM = (unanswered(BY_THEM), unmet(BY_THEM))
_IN_WAVE = free_tasks(_IS_IN_WAVE, *_FOR_THEM).order_by(*_IN_ORDER).limit(1)
_IN_QUOTA = free_tasks(_IS_IN_WAVE, Task.quota == bindparam("the_quota"), *_FOR_THEM).order_by(*_IN_ORDER).limit(1)
_LEFT_IN_WAVE = select(Task.id).where(free(), _IS_IN_WAVE, *_FOR_THEM, not_passed_on(BY_THEM)).limit(1)
_LOWEST_WAVE = select(func.min(Task.wave)).where(free(), Task.wave >= bindparam("the_floor"))
_GOLD = _of_kind(Kind.GOLD, unjudged(BY_THEM))
_QUALIFICATION = _of_kind(Kind.QUALIFICATION, ~stands(BY_THEM))
_ADJUDICATION = _of_kind(Kind.ADJUDICATION, unjudged(BY_THEM))
_THIS = free_tasks(Task.id == bindparam("the_task"), unanswered(BY_THEM))

_MET = COPY.alias("met")
_MET_BEFORE = (
    free_tasks(
        Task.wave.is_not(None),
        Task.id.in_(
            union(
                select(Annotation.task_id).where(Annotation.annotator_id == BY_THEM, Annotation.retracted),
                select(COPY.c.id)
                .join(_MET, _MET.c.pair_id == COPY.c.pair_id)
                .where(_MET.c.kind.in_((Kind.GOLD, Kind.QUALIFICATION)))
                .where(exists().where(Annotation.task_id == _MET.c.id, Annotation.annotator_id == BY_THEM)),
            )
        ),
        ~stands(BY_THEM),
        unmet(BY_THEM, (Kind.ADJUDICATION,)),  # of which they have read what others say
    )
    .order_by(Task.wave, *_IN_ORDER)
    .limit(1)
)

_ROUND = select(func.count()).where(Task.kind == Kind.QUALIFICATION, Task.state == State.OPEN)
_QUALIFYING_ANSWERED = select(func.count()).where(Task.kind == Kind.QUALIFICATION, stands(BY_THEM))
_QUALIFYING_THERE = select(func.count()).where(
    Task.kind == Kind.QUALIFICATION,
    Task.state == State.OPEN,
    ~stands(BY_THEM),
    not_passed_on(BY_THEM),
)
_QUALIFYING_HELD = (
    select(func.count())
    .select_from(Lease)
    .join(Task, Task.id == Lease.task_id)
    .where(Lease.annotator_id == bindparam("the_annotator"), Task.kind == Kind.QUALIFICATION)
)
_EARLIER = (
    select(Task.id)
    .join(Annotation, Annotation.task_id == Task.id)
    .where(
        Annotation.annotator_id == bindparam("the_annotator"),
        Annotation.id > Task.stale_before,
        live(Annotation),
        ~Annotation.retracted,
        Task.kind == Kind.NORMAL,
        Task.state != State.WITHDRAWN,
        ~exists().where(Report.pair_id == Task.pair_id, Report.outcome.in_(("open", "upheld"))),
    )
    .order_by(Annotation.id.desc())
    .limit(1)
    .offset(bindparam("the_offset"))
)

_REVISIT = insert(Revisit).from_select(
    ("annotator_id", "wave"),
    select(Annotator.id, Task.wave)
    .distinct()
    .where(
        Task.id.in_(bindparam("the_tasks", expanding=True)),
        free(),
        Annotator.floor > Task.wave,
        unanswered(Annotator.__table__.c.id),
        not_passed_on(Annotator.__table__.c.id),
        ~exists().where(Revisit.annotator_id == Annotator.id, Revisit.wave == Task.wave),
    ),
)
_REVISITS = select(Revisit.wave).where(Revisit.annotator_id == bindparam("the_annotator")).order_by(Revisit.wave)
_VISITED = delete(Revisit).where(
    Revisit.annotator_id == bindparam("the_annotator"), Revisit.wave == bindparam("the_wave")
)
_PASS = update(Annotator).where(Annotator.id == bindparam("the_annotator")).values(floor=bindparam("the_wave"))
