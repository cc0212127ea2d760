"""Which task an annotator is given next.

Of the waves the first in which something is free for them; there the category furthest below its quota;
there the task nearest completion, then by priority, then by seeded chance. By seeded chance, too, a gold
task or a hidden twin comes instead. Adjudication comes first for those who adjudicate, and qualification
for those who have not passed it. Near-duplicates never come one after the other.

The cost does not grow with what an annotator has answered: of a wave at most its 2,000 tasks are looked
at, and waves in which nothing is left for them are not looked at again (`Annotator.floor`), until a task
of theirs becomes free anew (`reopened`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from hashlib import blake2b
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, Select, bindparam, exists, func, select, text, update

from waon_build.annotation.copies import copy
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
    Role,
    Skip,
    State,
    Task,
    free,
    live,
)
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
    """An annotator, as far as it matters for what comes next."""

    id: str
    role: str
    qualified: bool
    gold_right: int
    gold_wrong: int
    floor: int
    given: int
    last_cluster: str


def plan(connection: Connection, settings: AnnotationSettings) -> Plan:
    """The plan of a campaign as its quotas stand. It holds for as long as one does not mind their being
    some seconds old."""
    quotas = [name for name, lacking in sorted(deficits(connection, settings).items(), key=_by_need) if lacking > 0]
    full = sorted(settings.quotas.keys() - set(quotas))
    there = connection.scalar(_ROUND) or 0
    return Plan(
        settings.lease_minutes,
        settings.ahead,
        settings.seed,
        (*quotas, "", *full),
        min(settings.quality.qualification, there),
        settings.quality,
    )


def deficits(connection: Connection, settings: AnnotationSettings) -> dict[str, float]:
    """By how much of its quota each category falls short: 1 has nothing, 0 has all."""
    if not settings.quotas:
        return {}
    accepted = dict(
        connection.execute(
            select(Task.quota, func.count())
            .join(Decision, Decision.task_id == Task.id)
            .where(Task.kind == Kind.NORMAL, live(Decision), Decision.outcome == Outcome.ACCEPTED)
            .group_by(Task.quota)
        ).all()
    )
    return {name: max(0.0, 1 - accepted.get(name, 0) / wanted) for name, wanted in settings.quotas.items()}


def choose(connection: Connection, who: Worker, held: Collection[int], plan: Plan) -> Any | None:
    """The next task of an annotator, of those that they do not hold; None when there is none."""
    if who.role != Role.ANNOTATOR:
        found = connection.execute(_ADJUDICATION, _of(who, held)).first()
        if found is not None:
            return found
    elif not who.qualified:
        left = qualification_left(connection, who.id, plan)
        if left is not None:
            these = _of(who, held)
            is_held = (connection.scalar(_QUALIFYING_HELD, these) or 0) >= left
            return None if is_held else connection.execute(_QUALIFICATION, these).first()
    gold = plan.quality.gold_first if who.given < plan.quality.gold_first_tasks else plan.quality.gold
    drawn = chance(plan.seed, who.id, who.given)
    if drawn < gold:
        found = connection.execute(_GOLD, _of(who, held)).first()
    elif drawn < gold + plan.quality.twins:
        found = _twin(connection, who, held, plan)
    else:
        found = None
    return found or _normal(connection, who, held, plan)


def chance(seed: int, *what: object) -> float:
    """A number in [0, 1) that is drawn by `what` and the seed, always the same."""
    drawn = blake2b(":".join(map(str, (seed, *what))).encode(), digest_size=6).digest()
    return int.from_bytes(drawn) / 2**48


def reopened(connection: Connection, waves: Iterable[int | None]) -> None:
    """Tasks of these waves are free again: whoever has done with them looks once more."""
    known = [wave for wave in waves if wave is not None]
    if known:
        connection.execute(_LOWER, {"the_wave": min(known)})


def qualification_left(connection: Connection, annotator: str, plan: Plan) -> int | None:
    """Qualification tasks that an annotator still has to answer; None when there is no such round."""
    if plan.qualification == 0:
        return None
    answered = connection.scalar(_QUALIFYING_ANSWERED, {"the_annotator": annotator}) or 0
    return max(0, plan.qualification - answered)


def _by_need(entry: tuple[str, float]) -> tuple[float, str]:
    return -entry[1], entry[0]


def _of(who: Worker, held: Collection[int], **more: object) -> dict[str, object]:
    return {
        "the_annotator": who.id,
        "the_cluster": who.last_cluster or "-",
        "the_held": list(held) or [0],
        **more,
    }


def _normal(connection: Connection, who: Worker, held: Collection[int], plan: Plan) -> Any | None:
    floor, is_passed = who.floor, True
    found = None
    while found is None:
        wave = connection.scalar(_LOWEST_WAVE, {"the_floor": floor})
        if wave is None:
            break
        these = _of(who, held, the_wave=wave)
        for quota in plan.quotas:
            found = connection.execute(_IN_QUOTA, {**these, "the_quota": quota}).first()
            if found is not None:
                break
        else:
            found = connection.execute(_IN_WAVE, these).first()
        if found is None:
            # Nothing now. Whether never again does not depend on what they hold or saw last.
            is_passed = (
                is_passed
                and connection.execute(_IN_WAVE, {**these, "the_cluster": "-", "the_held": [0]}).first() is None
            )
            floor = wave + 1
            if is_passed:
                connection.execute(_PASS, {"the_annotator": who.id, "the_wave": floor})
    return found


def _twin(connection: Connection, who: Worker, held: Collection[int], plan: Plan) -> Any | None:
    back = TWIN_AFTER + int(chance(plan.seed, "twin", who.id, who.given) * (TWIN_WITHIN - TWIN_AFTER))
    for offset in (back, TWIN_AFTER):
        task_id = connection.scalar(_EARLIER, {"the_annotator": who.id, "the_offset": offset})
        if task_id is not None:
            twin = copy(connection, task_id, Kind.TWIN, UNLIMITED)
            return connection.execute(_THIS, _of(who, held, the_task=twin)).first()
    return None


# The statements, made once: to make one takes longer than to run it.

COLUMNS = (
    "pair_id",
    "caption",
    "url",
    "page_url",
    "page_title",
    "stored_in",
    "offset",
    "size",
    "format",
    "width",
    "height",
)

_CHOSEN = select(Task.id.label("task_id"), *(getattr(Task, name) for name in COLUMNS), Task.kind, Task.cluster_id)

_SAME_PAIR = Task.__table__.alias("same_pair")


def _for_them(statement: Select[Any]) -> Select[Any]:
    """Without what the annotator has answered, skipped, holds, or saw a near-duplicate of just now."""
    by_them: BindParameter[str] = bindparam("the_annotator")
    return statement.where(
        free(),
        ~exists().where(
            Annotation.task_id == Task.id, Annotation.annotator_id == by_them, Annotation.id > Task.stale_before
        ),
        ~exists().where(Skip.task_id == Task.id, Skip.annotator_id == by_them),
        Task.id.not_in(bindparam("the_held", expanding=True)),
        Task.cluster_id != bindparam("the_cluster"),
    )


def _unseen(statement: Select[Any]) -> Select[Any]:
    """Without pairs that the annotator has judged or holds under another kind."""
    by_them: BindParameter[str] = bindparam("the_annotator")
    same = _SAME_PAIR.c
    return statement.where(
        ~exists().where(
            same.pair_id == Task.pair_id, same.id == Annotation.task_id, Annotation.annotator_id == by_them
        ),
        ~exists().where(same.pair_id == Task.pair_id, same.id == Lease.task_id, Lease.annotator_id == by_them),
    )


def _kind(kind: Kind) -> Select[Any]:
    return _CHOSEN.where(Task.kind == kind, Task.state == State.OPEN).order_by(Task.chance, Task.id).limit(1)


_IN_WAVE = _for_them(
    _CHOSEN.where(Task.wave == bindparam("the_wave")).order_by(text(MISSING), Task.priority, Task.chance).limit(1)
)
_IN_QUOTA = _IN_WAVE.where(Task.quota == bindparam("the_quota"))
_LOWEST_WAVE = select(func.min(Task.wave)).where(free(), Task.wave >= bindparam("the_floor"))
_GOLD = _unseen(_for_them(_kind(Kind.GOLD)))
_QUALIFICATION = _for_them(_kind(Kind.QUALIFICATION))
_ADJUDICATION = _unseen(_for_them(_kind(Kind.ADJUDICATION)))
_THIS = _for_them(_CHOSEN.where(Task.id == bindparam("the_task")))

_ROUND = select(func.count()).where(Task.kind == Kind.QUALIFICATION, Task.state == State.OPEN)
_QUALIFYING_ANSWERED = (
    select(func.count())
    .select_from(Annotation)
    .join(Task, Task.id == Annotation.task_id)
    .where(
        Annotation.annotator_id == bindparam("the_annotator"),
        Task.kind == Kind.QUALIFICATION,
        live(Annotation),
        ~Annotation.retracted,
    )
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
        Annotation.supersedes.is_(None),
        Task.kind == Kind.NORMAL,
        Task.state != State.WITHDRAWN,
        ~exists().where(Report.pair_id == Task.pair_id, Report.outcome.in_(("open", "upheld"))),
    )
    .order_by(Annotation.id.desc())
    .limit(1)
    .offset(bindparam("the_offset"))
)
_LOWER = update(Annotator).where(Annotator.floor > bindparam("the_wave")).values(floor=bindparam("the_wave"))
_PASS = update(Annotator).where(Annotator.id == bindparam("the_annotator")).values(floor=bindparam("the_wave"))
