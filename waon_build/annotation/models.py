"""The tables of the annotation database: who judges, what is judged, what they said, what follows.

One schema for SQLite and PostgreSQL. What must never be broken is held by the database itself: a task
is never held or answered more often than wanted (a check), nobody answers a task twice (a chain of
corrections with one beginning and no forks), and what was said is never changed (triggers, in the
migrations). Times are UTC. Nothing here reads or writes; `database.py` opens, `queue.py` acts. Who signs
in, and with what, is in `access.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ColumnElement,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    and_,
    exists,
    false,
    func,
    literal_column,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, mapped_column


class Kind(StrEnum):
    """Why a pair is in the queue. Annotators are never told."""

    NORMAL = "normal"
    GOLD = "gold"
    """Its right answer is known: annotators are measured by it."""
    QUALIFICATION = "qualification"
    """Gold, asked before anything else."""
    TWIN = "twin"
    """The same pair once more, to see whether one person answers alike."""
    SCREENED_OUT = "screened_out"
    """Dropped by a filter: filters are measured by it. Never released."""
    ADJUDICATION = "adjudication"
    """People disagreed; one more looks, without their names."""


class State(StrEnum):
    """Whether a task wants answers."""

    OPEN = "open"
    DONE = "done"
    """It has the answers it wants."""
    WITHDRAWN = "withdrawn"
    """Its pair is no longer kept. What was said of it stays."""


class Outcome(StrEnum):
    """What was concluded of a task."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNDECIDED = "undecided"
    WITHDRAWN = "withdrawn"


class Role(StrEnum):
    ANNOTATOR = "annotator"
    ADJUDICATOR = "adjudicator"
    COORDINATOR = "coordinator"


class Standing(StrEnum):
    """Whether an annotator may work. Those of the blocked are kept and weigh nothing."""

    ACTIVE = "active"
    PAUSED = "paused"
    BLOCKED = "blocked"


class ReportOutcome(StrEnum):
    """What became of a report of harm."""

    OPEN = "open"
    """Nobody sees the pair until somebody has looked."""
    UPHELD = "upheld"
    DISMISSED = "dismissed"
    """The pair goes back, and the flag weighs nothing."""
    RETRACTED = "retracted"
    """Whoever reported took it back."""


class Source(StrEnum):
    """Where an annotation was made."""

    WEB = "web"
    JUDGEMENTS = "judgements"
    LABEL_STUDIO = "labelstudio"
    POTATO = "potato"


class UtcTime(TypeDecorator[datetime]):
    """A moment, kept in UTC. Refuses one without a time zone: nobody would know when it was."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    listing = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listing})", name=f"{column}_is_known")


class Table(DeclarativeBase):
    """What all tables share: how constraints are named, so that migrations can name them too."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcTime,
        dict[str, Any]: JSON(none_as_null=True),
    }


class Identity(Table):
    """The one row that tells this database from any other.

    database_id goes into the fingerprint of the `route` stage: a database that was lost or replaced is
    filled again. pseudonym_key makes pseudonyms of the names in imported files, which nobody can undo
    or link to those of another database."""

    __tablename__ = "identity"
    __table_args__ = (CheckConstraint("id = 1", name="is_one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    database_id: Mapped[str] = mapped_column(String(32))
    pseudonym_key: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]


class Annotator(Table):
    """Someone who judges: a random pseudonym and nothing personal."""

    __tablename__ = "annotators"
    __table_args__ = (_one_of("role", Role), _one_of("standing", Standing))

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """32 hex digits."""
    role: Mapped[str] = mapped_column(String(16))
    standing: Mapped[str] = mapped_column(String(16))
    because: Mapped[str] = mapped_column(String(32), server_default="")
    """Why they are paused or blocked, in one word."""
    qualified: Mapped[bool] = mapped_column(server_default=false())
    """They passed the qualification round."""
    floor: Mapped[int] = mapped_column(server_default="0")
    """No task of an earlier wave is free for them, but in the waves of `Revisit`: what they have answered is not
    searched again."""
    given: Mapped[int] = mapped_column(server_default="0")
    """Tasks that they answered or passed on: where in their work a gold task or a twin comes. (Not the leases
    issued to them: else it would show, by what does not come again when it is given back and drawn anew.)"""
    gold_right: Mapped[int] = mapped_column(server_default="0")
    """Gold and qualification tasks answered right, and wrong, since annotation `gold_since`."""
    gold_wrong: Mapped[int] = mapped_column(server_default="0")
    gold_since: Mapped[int] = mapped_column(server_default="0")
    """A coordinator let them go on: what they did up to then is not held against them."""
    last_task: Mapped[int] = mapped_column(server_default="0")
    """Which they were given last: its near-duplicates do not come next."""
    created_at: Mapped[datetime]


# SQLite turns a comparison round so that a lone column stands on the left, in queries but not in the words
# of an index: written `held + answered < wanted`, the index would never be used.
_FREE = "state = 'open' AND wanted > held + answered"
MISSING = "(wanted - answered)"
"""Answers a task still misses, in the words of its index."""


class Task(Table):
    """A pair in the queue, with what is needed to show it."""

    __tablename__ = "tasks"
    __table_args__ = (
        UniqueConstraint("pair_id", "kind"),
        _one_of("kind", Kind),
        _one_of("state", State),
        CheckConstraint("held >= 0 AND answered >= 0 AND held + answered <= wanted", name="overlap_is_kept"),
        Index(
            "ix_tasks_free",
            "wave",
            "quota",
            text(MISSING),
            "priority",
            "chance",
            "stale_before",  # so that of a task that was answered the index alone is read
            sqlite_where=text(_FREE),
            postgresql_where=text(_FREE),
        ),
        Index("ix_tasks_kind", "kind", "state"),
        Index("ix_tasks_host", "host"),
        Index("ix_tasks_reference", "reference"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    pair_id: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    wanted: Mapped[int]
    """Answers wanted: the overlap, and more of them while people disagree."""
    held: Mapped[int]
    """Leases under way."""
    answered: Mapped[int]
    """Live annotations."""
    stratum: Mapped[str] = mapped_column(String(32))
    """What quotas and reports count by: where the caption was found (`alt`, `figcaption`, ...)."""
    host: Mapped[str] = mapped_column(String(255))
    """Of the page, or of the image where there is none: no host may fill the queue."""
    wave: Mapped[int | None]
    """Waves are judged one after the other. None: not yet given its place, and not handed out."""
    priority: Mapped[int]
    """Within a wave, smaller first: the how-manieth task of its host it is."""
    chance: Mapped[int] = mapped_column(server_default="0")
    """Among equals, smaller first: drawn from the pair_id."""
    category: Mapped[str] = mapped_column(String(32), server_default="")
    """Guessed from the words of its caption until somebody has said it; "" when nothing tells."""
    quota: Mapped[str] = mapped_column(String(32), server_default="")
    """The category, when the recipe has a quota for it; else ""."""
    key: Mapped[dict[str, Any] | None]
    """Of a gold or qualification task what is right: question -> the right answer, or those that will do."""
    stale_before: Mapped[int] = mapped_column(server_default="0")
    """Annotations up to this id were made under a guideline that has changed since in what they rest on: who
    made them is asked again."""
    screened_by: Mapped[str] = mapped_column(String(64))
    """Of a screened-out task `stage.reason`, else ""."""
    cluster_id: Mapped[str] = mapped_column(String(32))
    reference: Mapped[str] = mapped_column(String(16))
    """Digest of url and caption: how judgements made elsewhere find their task."""
    url: Mapped[str] = mapped_column(Text)
    caption: Mapped[str] = mapped_column(Text)
    page_url: Mapped[str] = mapped_column(Text)
    page_title: Mapped[str] = mapped_column(Text)
    stored_in: Mapped[str] = mapped_column(String(120))
    """With offset and size: where the image's bytes lie (`Corpus.image_bytes`)."""
    offset: Mapped[int] = mapped_column(BigInteger)
    size: Mapped[int] = mapped_column(BigInteger)
    format: Mapped[str] = mapped_column(String(8))
    width: Mapped[int]
    height: Mapped[int]
    created_at: Mapped[datetime]


class Lease(Table):
    """One annotator's hold on a task until `expires_at`. Its token fences: only who holds it may submit."""

    __tablename__ = "leases"
    __table_args__ = (Index("ix_leases_annotator_id", "annotator_id"), Index("ix_leases_expires_at", "expires_at"))

    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"), primary_key=True)
    annotator_id: Mapped[str] = mapped_column(ForeignKey("annotators.id"), primary_key=True)
    token: Mapped[str] = mapped_column(String(32), unique=True)
    number: Mapped[int] = mapped_column(server_default="0")
    """The how-manieth of its annotator: they are shown in this order."""
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class Annotation(Table):
    """What one annotator said of a task. Append-only: a correction is a new row that supersedes the old.

    The answers of one person to one task are a chain. A chain has one beginning (a partial unique
    index) and each link one successor at most (`supersedes` is unique) of the same person and task (a
    foreign key): so it has one end, and that is the live one."""

    __tablename__ = "annotations"
    __table_args__ = (
        UniqueConstraint("id", "task_id", "annotator_id"),
        ForeignKeyConstraint(
            ["supersedes", "task_id", "annotator_id"],
            ["annotations.id", "annotations.task_id", "annotations.annotator_id"],
        ),
        Index(
            "uq_annotations_first",
            "task_id",
            "annotator_id",
            unique=True,
            sqlite_where=text("supersedes IS NULL"),
            postgresql_where=text("supersedes IS NULL"),
        ),
        Index("ix_annotations_task_id", "task_id", "annotator_id"),
        Index("ix_annotations_annotator_id", "annotator_id"),
        Index(
            "ix_annotations_retracted",
            "annotator_id",
            sqlite_where=text("retracted = 1"),
            postgresql_where=text("retracted"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"))
    annotator_id: Mapped[str] = mapped_column(ForeignKey("annotators.id"))
    supersedes: Mapped[int | None] = mapped_column(unique=True)
    token: Mapped[str | None] = mapped_column(String(32), unique=True)
    """Of the lease it was given under: an answer sent twice is taken once. None for a correction."""
    guideline_version: Mapped[str] = mapped_column(String(32))
    answers: Mapped[dict[str, Any]]
    """Question -> answer, as `questions.py` passed it."""
    retracted: Mapped[bool] = mapped_column(server_default=false())
    """It takes the answer that it supersedes back, and is none itself."""
    source: Mapped[str] = mapped_column(String(16), server_default="judgements")
    device: Mapped[str] = mapped_column(String(16), server_default="")
    """What was used: keyboard, mouse, touch, mixed; "" when it is not known."""
    active_ms: Mapped[int | None]
    """Milliseconds in which the annotator was at it, and by the clock; None when they are not known."""
    wall_ms: Mapped[int | None]
    created_at: Mapped[datetime]


class Decision(Table):
    """What was concluded of a task. Append-only, and a chain as annotations are: the end of it is in force."""

    __tablename__ = "decisions"
    __table_args__ = (
        UniqueConstraint("id", "task_id"),
        ForeignKeyConstraint(["supersedes", "task_id"], ["decisions.id", "decisions.task_id"]),
        _one_of("outcome", Outcome),
        Index(
            "uq_decisions_first",
            "task_id",
            unique=True,
            sqlite_where=text("supersedes IS NULL"),
            postgresql_where=text("supersedes IS NULL"),
        ),
        Index("ix_decisions_task_id", "task_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"))
    supersedes: Mapped[int | None] = mapped_column(unique=True)
    outcome: Mapped[str] = mapped_column(String(16))
    rule: Mapped[str] = mapped_column(String(64))
    """Name and version of the rule that decided, with its settings."""
    votes: Mapped[dict[str, Any]]
    """All that was said: question -> answer -> how often."""
    aggregate: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    """What it comes to: question -> {answer, posterior, majority, median}, as far as they are defined."""
    decided_at: Mapped[datetime]


class Revisit(Table):
    """A wave before an annotator's floor in which a task has become free for them since."""

    __tablename__ = "revisits"

    annotator_id: Mapped[str] = mapped_column(ForeignKey("annotators.id"), primary_key=True)
    wave: Mapped[int] = mapped_column(primary_key=True)


class Skip(Table):
    """A task that an annotator would rather not judge. It is not handed to them again, and counts against nobody."""

    __tablename__ = "skips"
    __table_args__ = (Index("ix_skips_annotator_id", "annotator_id"),)

    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"), primary_key=True)
    annotator_id: Mapped[str] = mapped_column(ForeignKey("annotators.id"), primary_key=True)
    reason: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class Report(Table):
    """Somebody says that a picture harms: it is pulled at once. Open until a coordinator has looked."""

    __tablename__ = "reports"
    __table_args__ = (Index("ix_reports_pair_id", "pair_id"), _one_of("outcome", ReportOutcome))

    id: Mapped[int] = mapped_column(primary_key=True)
    pair_id: Mapped[str] = mapped_column(String(16))
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"))
    annotator_id: Mapped[str] = mapped_column(ForeignKey("annotators.id"))
    kind: Mapped[str] = mapped_column(String(32))
    """The flag: `harmful`, `personal`, or whatever the questions have that rejects."""
    note: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None] = mapped_column(ForeignKey("annotators.id"))


class Event(Table):
    """What was done about people, reports and guidelines, by whom. Append-only."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(32))
    """A pseudonym, or "" for the machine."""
    verb: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(64))
    detail: Mapped[dict[str, Any]]


class GuidelineVersion(Table):
    """A version of the guideline that was in force here."""

    __tablename__ = "guideline_versions"

    version: Mapped[str] = mapped_column(String(32), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    """Over guideline and questions as they were read first."""
    seen_at: Mapped[datetime]


UNLIMITED = 1_000_000_000
"""Answers wanted of a task that everybody is given: gold, qualification, twins."""

APPEND_ONLY = (Annotation.__tablename__, Decision.__tablename__, Event.__tablename__)
"""Tables whose rows are never changed and never removed."""


def free() -> ColumnElement[bool]:
    """The condition that a task may be handed out. The state stands in it as in the index: as a parameter,
    the general plan of a prepared statement could not rely on it."""
    return and_(Task.state == literal_column(f"'{State.OPEN}'"), Task.wanted > Task.held + Task.answered)


def of_kinds(kinds: Iterable[Kind]) -> ColumnElement[bool]:
    """The condition that a task is of one of some kinds to which most tasks belong. It is written so that no index
    serves it: SQLite would take that of kinds, which is for the few, and read all tasks to find a page of them."""
    return func.coalesce(Task.kind, "").in_(list(kinds))


_LATER_ANNOTATION, _LATER_DECISION = aliased(Annotation), aliased(Decision)


def live(table: type[Annotation] | type[Decision]) -> ColumnElement[bool]:
    """The condition that nothing supersedes a row of `table`."""
    later = _LATER_ANNOTATION if table is Annotation else _LATER_DECISION
    return ~exists().where(later.supersedes == table.id)
