"""Further tasks of a pair that is in the queue: gold, qualification, a hidden twin, adjudication."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, literal, select

from waon_build.annotation.database import inserting
from waon_build.annotation.models import Kind, State, Task

_AS_IT_IS = [
    column.name
    for column in Task.__table__.columns
    if column.name not in ("id", "kind", "state", "wanted", "held", "answered", "wave", "key", "stale_before")
]


def copy(connection: Connection, task_id: int, kind: Kind, wanted: int, key: dict[str, Any] | None = None) -> int:
    """The task of `kind` for the pair of another task, made when there is none; returns its id. It has no
    wave: `order.py` hands it out by its kind."""
    given = {"kind": kind, "state": State.OPEN, "wanted": wanted, "held": 0, "answered": 0}
    source = select(
        *(literal(value).label(name) for name, value in given.items()),
        literal(key, Task.key.type).label("key"),
        *(Task.__table__.c[name] for name in _AS_IT_IS),
    ).where(Task.id == task_id)
    connection.execute(
        inserting(connection, Task).from_select([*given, "key", *_AS_IT_IS], source).on_conflict_do_nothing()
    )
    pair = select(Task.pair_id).where(Task.id == task_id).scalar_subquery()
    return connection.scalars(select(Task.id).where(Task.pair_id == pair, Task.kind == kind)).one()
