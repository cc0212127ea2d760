"""Whether an annotator may go on, by the gold tasks they answered: counted at each answer, judged at each claim.

Before they have qualified, doubt counts for the corpus; after that, for the person (`quality.py` has the
bounds). The machine only ever pauses: to block somebody, or to let them go on, is for a coordinator.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, func, select, update

from waon_build.annotation import events, order
from waon_build.annotation.models import Annotation, Annotator, Kind, Report, ReportOutcome, Role, Standing, Task, live
from waon_build.annotation.order import Plan, Worker
from waon_build.annotation.quality import fails, is_right, qualifies
from waon_build.annotation.questions import Questions

PAUSED = "paused"
"""The verb of the event."""
NOT_QUALIFIED = "not_qualified"
TOO_MANY_ERRORS = "too_many_errors"
MANY_REPORTS = "many_reports"
BY_GOLD = (NOT_QUALIFIED, TOO_MANY_ERRORS)
"""Why the machine pauses somebody, when it is for how they answered gold."""
ALARMING = 20
"""Open reports of one person: they have met something that nobody should go on with alone, or take out what is good."""


def count_gold(connection: Connection, annotator: str, questions: Questions) -> None:
    """Count anew how many gold and qualification tasks an annotator answered right, and wrong."""
    right = wrong = 0
    for key, answers in connection.execute(_GOLD, {"the_annotator": annotator}):
        if answers is None:
            continue
        known = {name: value for name, value in key.items() if questions.has(name)}
        if is_right(questions, known, answers):
            right += 1
        else:
            wrong += 1
    connection.execute(update(Annotator).where(Annotator.id == annotator).values(gold_right=right, gold_wrong=wrong))


def may_go_on(connection: Connection, who: Worker, plan: Plan, now: datetime) -> Worker | None:
    """An annotator as they stand when they may be given tasks, else None. Who has answered all qualification
    tasks is qualified or paused by it, and who errs too often on gold is paused."""
    if who.role != Role.ANNOTATOR:
        return who
    if who.qualified:
        if who.gold_wrong and fails(who.gold_right, who.gold_wrong, plan.quality.max_error):
            _pause(connection, who, TOO_MANY_ERRORS, now)
            return None
        return who
    if order.qualification_left(connection, who.id, plan) != 0:
        return who
    if not qualifies(who.gold_right, who.gold_wrong, plan.quality.qualify):
        _pause(connection, who, NOT_QUALIFIED, now)
        return None
    connection.execute(update(Annotator).where(Annotator.id == who.id).values(qualified=True))
    return who._replace(qualified=True)


def look_at_reports(connection: Connection, annotator: str, now: datetime) -> None:
    """Let somebody rest who has reported so much that a coordinator must look first."""
    reported = select(func.count(Report.pair_id.distinct())).where(
        Report.annotator_id == annotator, Report.outcome == ReportOutcome.OPEN
    )
    count = connection.scalar(reported) or 0
    is_active = (Annotator.id == annotator, Annotator.standing == Standing.ACTIVE, Annotator.role == Role.ANNOTATOR)
    if count >= ALARMING and connection.scalar(select(Annotator.id).where(*is_active)) is not None:
        _rest(connection, annotator, MANY_REPORTS, {"reports": count}, now)


def _pause(connection: Connection, who: Worker, because: str, now: datetime) -> None:
    _rest(connection, who.id, because, {"right": who.gold_right, "wrong": who.gold_wrong}, now)


def _rest(connection: Connection, annotator: str, because: str, figures: dict[str, int], now: datetime) -> None:
    connection.execute(
        update(Annotator).where(Annotator.id == annotator).values(standing=Standing.PAUSED, because=because)
    )
    detail = {"because": because, **figures}
    events.record(connection, now, "", PAUSED, annotator, detail)


def forgive(connection: Connection, annotator: str) -> None:
    """What somebody did up to now is not held against them, and they need not qualify again."""
    last = connection.scalar(select(func.max(Annotation.id)).where(Annotation.annotator_id == annotator)) or 0
    connection.execute(
        update(Annotator)
        .where(Annotator.id == annotator)
        .values(qualified=True, gold_since=last, gold_right=0, gold_wrong=0)
    )


# Nested, not joined: SQLite would begin a join with all that the annotator ever answered.
_SINCE = select(Annotator.gold_since).where(Annotator.id == bindparam("the_annotator")).scalar_subquery()
_ANSWERS = (
    select(Annotation.answers)
    .where(
        Annotation.task_id == Task.id,
        Annotation.annotator_id == bindparam("the_annotator"),
        Annotation.id > _SINCE,
        live(Annotation),
        ~Annotation.retracted,
    )
    .scalar_subquery()
)
_GOLD = select(Task.key, _ANSWERS.label("answers")).where(
    Task.kind.in_((Kind.GOLD, Kind.QUALIFICATION)), Task.key.is_not(None)
)
