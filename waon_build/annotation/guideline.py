"""The guideline that annotators read: Markdown with a version, cut into sections, and what its changes mean.

Each `<!-- name -->` begins a section; those named like a question are shown beside it. The front matter
holds the version and the history: which sections each version changed. An answer given before a section
changed no longer weighs when it answered that section's question; its task is asked again, and no other.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

import yaml
from markdown_it import MarkdownIt
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Connection, bindparam, case, func, literal, select, update

from waon_build.annotation import order, reports
from waon_build.annotation.database import inserting
from waon_build.annotation.decided import conclude
from waon_build.annotation.models import Annotation, GuidelineVersion, Kind, Outcome, State, Task, live
from waon_build.annotation.questions import Questions, folder, load_from
from waon_build.records import InputError

_SECTION = re.compile(r"^<!-- ([a-z_]+) -->$", re.MULTILINE)
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_IDS = 500


class Version(BaseModel):
    """One version of a guideline. changed: the sections that say something else than before."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: str
    date: str
    changed: tuple[str, ...] = ()
    note: str = ""


class _Head(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    version: str
    language: str
    title: str
    history: tuple[Version, ...] = ()


class Section(NamedTuple):
    """A part of the guideline. html: safe to show as it is."""

    title: str
    html: str


class Guideline(NamedTuple):
    """sections: name -> section, in order. history: the versions, oldest first. sha256: over the two files."""

    version: str
    language: str
    title: str
    introduction: str
    sections: dict[str, Section]
    history: tuple[Version, ...]
    questions: Questions
    sha256: str

    def changed_since(self, version: str) -> set[str] | None:
        """The sections that changed after a version; None when it is not one of the history."""
        versions = [one.version for one in self.history]
        if version not in versions:
            return None
        return {name for one in self.history[versions.index(version) + 1 :] for name in one.changed}


@lru_cache(maxsize=8)
def load(name: str) -> Guideline:
    """A guideline by the name of its packaged folder, or the path of one's own. Raises InputError."""
    place = folder(name)
    file = place / "guideline.md"
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: is not UTF-8 text: save it as UTF-8") from error
    parts = text.split("---\n", 2)
    if len(parts) != 3 or parts[0].strip():
        raise InputError(f"{file}: has no front matter: begin it with version, language and title between --- lines")
    try:
        head = _Head.model_validate(yaml.load(parts[1], Loader=yaml.BaseLoader))  # noqa: S506 - makes nothing but text
    except (yaml.YAMLError, ValidationError) as error:
        raise InputError(f"{file}: its front matter is wrong: give version, language, title, history") from error
    questions = load_from(place)
    if questions.version != head.version:
        raise InputError(f"{file}: is version {head.version}, its questions.yaml {questions.version}: make them one")
    if head.history and head.history[-1].version != head.version:
        raise InputError(f"{file}: its history ends with {head.history[-1].version}: add version {head.version}")
    introduction, sections = _sections(parts[2])
    digest = sha256(text.encode() + (place / "questions.yaml").read_bytes()).hexdigest()
    return Guideline(head.version, head.language, head.title, introduction, sections, head.history, questions, digest)


def reopen(connection: Connection, read: Guideline, overlap: int, now: datetime) -> int:
    """Ask again what the guideline's changes touch; returns how many tasks. Which version was in force when is
    kept. Answers under a version that the history does not know are left as they are."""
    connection.execute(
        inserting(connection, GuidelineVersion)
        .values(version=read.version, sha256=read.sha256, seen_at=now)
        .on_conflict_do_nothing()
    )
    touched: dict[int, int] = {}
    for version in connection.scalars(select(Annotation.guideline_version).distinct()).all():
        changed = read.changed_since(version)
        if changed:
            rows = connection.execute(
                select(Annotation.task_id, Annotation.id, Annotation.answers)
                .join(Task, Task.id == Annotation.task_id)
                .where(
                    Annotation.guideline_version == version,
                    Annotation.id > Task.stale_before,
                    Task.kind.in_(_ASKED_AGAIN),
                    Task.state != State.WITHDRAWN,
                    live(Annotation),
                    ~Annotation.retracted,
                )
            )
            for task_id, annotation_id, answers in rows:
                if not changed.isdisjoint(answers):
                    touched[task_id] = max(annotation_id, touched.get(task_id, 0))
    _ask_again(connection, touched, overlap, now)
    return len(touched)


def versions_seen(connection: Connection) -> list[Any]:
    """(version, sha256, seen_at) of the versions that were in force here, the oldest first."""
    columns = (GuidelineVersion.version, GuidelineVersion.sha256, GuidelineVersion.seen_at)
    return list(connection.execute(select(*columns).order_by(GuidelineVersion.seen_at)))


def answers_by_version(connection: Connection) -> dict[str, int]:
    """How many answers that stand were given under each version."""
    rows = connection.execute(
        select(Annotation.guideline_version, func.count())
        .where(live(Annotation), ~Annotation.retracted)
        .group_by(Annotation.guideline_version)
    )
    return dict(rows.tuples().all())


def _ask_again(connection: Connection, touched: dict[int, int], overlap: int, now: datetime) -> None:
    """touched: task -> the newest annotation of it that no longer weighs. An adjudicator is asked again only
    when the others disagree anew, and what was reported stays out and rejected."""
    if not touched:
        return
    most = func.greatest if connection.dialect.name != "sqlite" else func.max
    waits = Task.kind == Kind.ADJUDICATION
    for again in (
        {"stale_before": bindparam("the_stale"), "answered": _FRESH},
        {
            "wanted": case((waits, Task.wanted), else_=most(overlap, Task.held + Task.answered + 1)),
            "state": case((waits, literal(State.DONE.value)), else_=literal(State.OPEN.value)),
        },
    ):
        statement = update(Task).where(Task.id == bindparam("the_task")).values(again)
        connection.execute(statement, [{"the_task": task_id, "the_stale": stale} for task_id, stale in touched.items()])
    reports.keep_out(connection)
    ids = list(touched)
    for start in range(0, len(ids), _IDS):
        page = ids[start : start + _IDS]
        out = select(Task.id).where(Task.id.in_(page), Task.state == State.OPEN)
        conclude(
            connection, connection.scalars(out).all(), Outcome.UNDECIDED, "guideline changed", now, only_decided=True
        )
        order.reopened(connection, page)


_ASKED_AGAIN = (Kind.NORMAL, Kind.SCREENED_OUT, Kind.ADJUDICATION)
_FRESH = (
    select(func.count())
    .where(
        Annotation.task_id == bindparam("the_task"),
        Annotation.id > bindparam("the_stale"),
        live(Annotation),
        ~Annotation.retracted,
    )
    .scalar_subquery()
)


def _sections(text: str) -> tuple[str, dict[str, Section]]:
    pieces = _SECTION.split(text)
    sections = {}
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        heading, _, rest = body.strip().partition("\n")
        sections[name] = Section(heading.lstrip("# ").strip(), _MARKDOWN.render(rest))
    return _MARKDOWN.render(pieces[0]), sections
