"""What is free for whom, in conditions on `Task`.

They stand in the order in which SQLite tries them: the one that most tasks of a wave fail comes first. And
they are nested where they could be joined: SQLite would begin a join with all that the annotator ever answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, exists, select

from waon_build.annotation.models import Annotation, Annotator, Kind, Lease, Skip, Task, free, live
from waon_build.annotation.shown import SHOWN

BY_THEM: ColumnElement[str] = bindparam("the_annotator", type_=Annotator.id.type)
COPY = Task.__table__.alias("copy")
_LAST = Task.__table__.alias("last")
GUISES = (Kind.GOLD, Kind.QUALIFICATION, Kind.ADJUDICATION)
"""Kinds in which somebody may have met a pair before they are to judge it as one of many."""


def unanswered(by: ColumnElement[str]) -> ColumnElement[bool]:
    """They have said nothing of the task, or under a guideline that has changed since. What they took back is
    something that they said: it is asked again last."""
    return ~exists().where(
        Annotation.task_id == Task.id, Annotation.annotator_id == by, Annotation.id > Task.stale_before
    )


def not_passed_on(by: ColumnElement[str]) -> ColumnElement[bool]:
    """No task of the pair was skipped, or reported, by them."""
    return ~exists().where(
        COPY.c.pair_id == Task.pair_id,
        exists().where(Skip.task_id == COPY.c.id, Skip.annotator_id == by).correlate(COPY, Annotator),
    )


def unmet(by: ColumnElement[str], guises: Sequence[Kind] = GUISES) -> ColumnElement[bool]:
    """They have not judged the pair in another guise."""
    return ~exists().where(
        COPY.c.pair_id == Task.pair_id,
        COPY.c.kind.in_(guises),
        exists().where(Annotation.task_id == COPY.c.id, Annotation.annotator_id == by),
    )


def unjudged(by: ColumnElement[str]) -> ColumnElement[bool]:
    """They have not judged the pair as any task of it, but for answers that no longer weigh or were taken back."""
    return ~exists().where(
        COPY.c.pair_id == Task.pair_id,
        exists().where(
            Annotation.task_id == COPY.c.id,
            Annotation.annotator_id == by,
            Annotation.id > COPY.c.stale_before,
            live(Annotation),
            ~Annotation.retracted,
        ),
    )


def stands(by: ColumnElement[str]) -> ColumnElement[bool]:
    """An answer of theirs to the task stands: they did not take it back."""
    return exists().where(
        Annotation.task_id == Task.id,
        Annotation.annotator_id == by,
        Annotation.id > Task.stale_before,
        live(Annotation),
        ~Annotation.retracted,
    )


_IS_NOT_HELD = ~exists().where(
    COPY.c.pair_id == Task.pair_id,
    exists().where(Lease.task_id == COPY.c.id, Lease.annotator_id == BY_THEM),
)
_IS_NO_NEAR_DUPLICATE = ~exists().where(
    _LAST.c.id == bindparam("the_last"),
    _LAST.c.id != Task.id,  # itself, given back, may come again
    _LAST.c.cluster_id == Task.cluster_id,
    _LAST.c.cluster_id != "",
)


def free_tasks(*which: ColumnElement[bool]) -> Select[Any]:
    """Free tasks with which the annotator has not done, and which may come now."""
    may_come = (not_passed_on(BY_THEM), _IS_NOT_HELD, _IS_NO_NEAR_DUPLICATE)
    return select(*SHOWN, Task.kind).where(free(), *which, *may_come)
