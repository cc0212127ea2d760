"""Who signs in, in what order tasks come, gold keys, skips, reports, retractions, and what answers come to."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

revision = "0002"
down_revision = "0001"

_FREE = sa.text("state = 'open' AND wanted > held + answered")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _add("annotators", _text("because", 32), _flag("qualified"), _number("floor"), _number("given"))
    _add("annotators", _number("gold_right"), _number("gold_wrong"), _number("gold_since"), _number("last_task"))
    _add("tasks", _number("chance"), _text("category", 32), _text("quota", 32), _number("stale_before"))
    _add("tasks", sa.Column("key", sa.JSON(), nullable=True))
    _add("leases", _number("number"))
    _add("annotations", _flag("retracted"), _text("source", 16, "judgements"), _text("device", 16))
    _add("annotations", sa.Column("active_ms", sa.Integer(), nullable=True))
    _add("annotations", sa.Column("wall_ms", sa.Integer(), nullable=True))
    _add("decisions", sa.Column("aggregate", sa.JSON(), server_default="{}", nullable=False))
    op.drop_index("ix_tasks_free", table_name="tasks")
    op.create_index(
        "ix_tasks_free",
        "tasks",
        ["wave", "quota", sa.text("(wanted - answered)"), "priority", "chance", "stale_before"],
        unique=False,
        sqlite_where=_FREE,
        postgresql_where=_FREE,
    )
    op.create_index("ix_tasks_kind", "tasks", ["kind", "state"], unique=False)
    op.create_index(
        "ix_annotations_retracted",
        "annotations",
        ["annotator_id"],
        unique=False,
        sqlite_where=sa.text("retracted = 1"),
        postgresql_where=sa.text("retracted"),
    )
    _create_what_is_done()
    _create_access()
    _refuse_changes("events")


def _add(table: str, *columns: sa.Column[Any]) -> None:
    for column in columns:
        op.add_column(table, column)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), server_default="0", nullable=False)


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False)


def _text(name: str, length: int, default: str = "") -> sa.Column[Any]:
    return sa.Column(name, sa.String(length=length), server_default=default, nullable=False)


def _pseudonym(table: str, name: str = "annotator_id", nullable: bool = False) -> tuple[SchemaItem, ...]:
    return (
        sa.Column(name, sa.String(length=32), nullable=nullable),
        sa.ForeignKeyConstraint([name], ["annotators.id"], name=op.f(f"fk_{table}_{name}")),
    )


def _create_what_is_done() -> None:
    op.create_table(
        "revisits",
        *_pseudonym("revisits"),
        sa.Column("wave", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("annotator_id", "wave", name=op.f("pk_revisits")),
    )
    op.create_table(
        "skips",
        sa.Column("task_id", sa.Integer(), nullable=False),
        *_pseudonym("skips"),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_skips_task_id")),
        sa.PrimaryKeyConstraint("task_id", "annotator_id", name=op.f("pk_skips")),
    )
    op.create_index("ix_skips_annotator_id", "skips", ["annotator_id"], unique=False)
    op.create_table(
        "reports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pair_id", sa.String(length=16), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        *_pseudonym("reports"),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("resolved_at", _TIME, nullable=True),
        *_pseudonym("reports", "resolved_by", nullable=True),
        sa.CheckConstraint(
            "outcome IN ('open', 'upheld', 'dismissed', 'retracted')", name=op.f("ck_reports_outcome_is_known")
        ),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_reports_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reports")),
    )
    op.create_index("ix_reports_pair_id", "reports", ["pair_id"], unique=False)
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("actor", sa.String(length=32), nullable=False),
        sa.Column("verb", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_table(
        "guideline_versions",
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_guideline_versions")),
    )


def _create_access() -> None:
    op.create_table(
        "invitations",
        sa.Column("digest", sa.String(length=64), nullable=False),
        *_pseudonym("invitations"),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("used_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_invitations")),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String(length=64), nullable=False),
        *_pseudonym("sessions"),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_annotator_id", "sessions", ["annotator_id"], unique=False)
    op.create_table(
        "consents",
        *_pseudonym("consents"),
        sa.Column("guideline_version", sa.String(length=32), nullable=False),
        sa.Column("given_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("annotator_id", "guideline_version", name=op.f("pk_consents")),
    )
    op.create_table(
        "profiles",
        sa.Column("annotator_id", sa.String(length=32), nullable=False),
        sa.Column("field", sa.String(length=32), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.Column("may_publish", sa.Boolean(), nullable=False),
        sa.Column("declared_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("annotator_id", "field", name=op.f("pk_profiles")),
    )


def _refuse_changes(table: str) -> None:
    """Rows of `table` are never changed and never removed, whoever asks."""
    if op.get_context().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_refuse_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} are append-only'); END"
            )
    else:
        op.execute(
            f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{table} are append-only'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()"
        )
