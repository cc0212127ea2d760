"""All that was said and decided, read once as flat columns: what an audit counts.

Everything is read in one transaction, so that the figures of an audit are of one moment. Answers stay
text here: few of them are distinct, and whoever counts parses each once. Nothing is written, and nothing
is read of what people declared of themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, DateTime, Engine, Text, cast, select, type_coerce

from waon_build.annotation.models import Annotation, Annotator, Decision, Report, Task, live

Columns = dict[str, Sequence[Any]]
"""Name -> values, all of one length."""


class Ledger(NamedTuple):
    """tasks: all, of every kind. annotations: all, with those that were corrected or taken back: `is_live`
    tells which stand; `answers` is JSON, and `created_at` is UTC whether it says so or not. decisions: those
    in force. people: everybody. reports: of harm."""

    tasks: Columns
    annotations: Columns
    decisions: Columns
    people: Columns
    reports: Columns


def read(engine: Engine) -> Ledger:
    """The ledger of an annotation database as it stands."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            return Ledger(
                tasks=_columns(connection, *(getattr(Task, name) for name in _TASK)),
                annotations=_annotations(connection),
                decisions=_columns(connection, Decision.task_id, Decision.outcome, where=live(Decision)),
                people=_columns(connection, Annotator.id, Annotator.role, Annotator.standing, Annotator.qualified),
                reports=_columns(connection, Report.pair_id, Report.kind, Report.outcome),
            )


_TASK = (
    "id",
    "pair_id",
    "kind",
    "state",
    "wanted",
    "answered",
    "stratum",
    "wave",
    "category",
    "screened_by",
    "key",
    "stale_before",
)


def _annotations(connection: Connection) -> Columns:
    columns = _columns(
        connection,
        Annotation.id,
        Annotation.task_id,
        Annotation.annotator_id,
        Annotation.supersedes,
        Annotation.retracted,
        Annotation.active_ms,
        # As it lies: to make each a moment with a time zone takes as long as to read them all.
        type_coerce(Annotation.created_at, DateTime(timezone=True)).label("created_at"),
        cast(type_coerce(Annotation.answers, Text), Text).label("answers"),
    )
    superseded = set(columns.pop("supersedes"))
    retracted = columns.pop("retracted")
    columns["is_live"] = [
        number not in superseded and not is_back for number, is_back in zip(columns["id"], retracted, strict=True)
    ]
    return columns


def _columns(connection: Connection, *columns: Any, where: Any = None) -> Columns:
    statement = select(*columns)
    rows = connection.execute(statement if where is None else statement.where(where)).all()
    values: list[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(columns)
    return {str(column.key): found for column, found in zip(columns, values, strict=True)}
