"""How much somebody has answered, today and in all: read once, then kept up with each answer.

To count anew at each answer would cost more the more somebody has answered. Days are those of the server's
time zone.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, case, func, select

from waon_build.annotation.models import Annotation, live

MOST = 2000
"""People whose counts are kept."""


class Count(NamedTuple):
    """day: which one `today` and `active_ms` are of. last: id of the last annotation that is counted."""

    day: datetime
    today: int
    total: int
    active_ms: int
    last: int


def count(connection: Connection, annotator: str, now: datetime) -> Count:
    """What somebody has answered, counted in the database."""
    day = _midnight(now)
    row = connection.execute(_COUNT, {"the_annotator": annotator, "the_day": day}).one()
    last = connection.scalar(_LAST, {"the_annotator": annotator})
    return Count(day, row.today or 0, row.total, row.active_ms or 0, last or 0)


class Counts:
    """What is known of many people. Only for the writer's thread: it is not locked."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Count] = OrderedDict()

    def of(self, connection: Connection, annotator: str, now: datetime) -> Count:
        """How much somebody has answered."""
        known = self._known.get(annotator)
        if known is None or known.day != _midnight(now):
            known = self._known[annotator] = count(connection, annotator, now)
        self._known.move_to_end(annotator)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return known

    def add(self, annotator: str, annotation_id: int, active_ms: int) -> None:
        """Somebody answered; an answer that was sent twice is counted once."""
        known = self._known.get(annotator)
        if known is not None and annotation_id > known.last:
            self._known[annotator] = Count(
                known.day, known.today + 1, known.total + 1, known.active_ms + active_ms, annotation_id
            )

    def forget(self, annotator: str) -> None:
        """Somebody took an answer back, or changed one: it is counted anew."""
        self._known.pop(annotator, None)

    def forget_all(self) -> None:
        """What was counted was not written."""
        self._known.clear()


def _midnight(now: datetime) -> datetime:
    return now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


_IS_THEIRS = (Annotation.annotator_id == bindparam("the_annotator"), live(Annotation), ~Annotation.retracted)
_IS_TODAY = Annotation.created_at >= bindparam("the_day", type_=Annotation.created_at.type)
_COUNT = select(
    func.count().label("total"),
    func.sum(case((_IS_TODAY, 1), else_=0)).label("today"),
    func.sum(case((_IS_TODAY, func.coalesce(Annotation.active_ms, 0)), else_=0)).label("active_ms"),
).where(*_IS_THEIRS)
_LAST = select(func.max(Annotation.id)).where(Annotation.annotator_id == bindparam("the_annotator"))
