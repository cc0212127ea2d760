"""Gold and qualification tasks: pairs whose right answers are known, by which annotators are measured.

They are made of pairs that natives already agreed on, by a coordinator or from a file:

    {"pair_id": "0f3c...", "match": 3, "culture": ["specific", "related"], "kind": "qualification"}

A key may name several answers that will do; what it does not name is not measured (`quality.is_right`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, delete, select, update

from waon_build.annotation import events
from waon_build.annotation.copies import copy
from waon_build.annotation.database import writing
from waon_build.annotation.models import UNLIMITED, Annotation, Kind, Lease, State, Task, live
from waon_build.annotation.quality import is_right
from waon_build.annotation.questions import AnswerError, Questions, load
from waon_build.annotation.reports import is_pulled
from waon_build.annotation.shown import SHOWN, Shown
from waon_build.recipe import AnnotationSettings
from waon_build.records import Counts, InputError, Reason

KINDS = (Kind.GOLD, Kind.QUALIFICATION)

ALREADY_GOLD = Reason(
    "already_gold",
    stage="gold",
    what="A key that its pair has already.",
    why="A file of keys may be taken in again after it grew.",
)
NOT_IN_QUEUE = Reason(
    "not_in_queue",
    stage="gold",
    what="A key for a pair that is not in the queue, or was taken out of it.",
    why="Nobody can be shown it.",
)


class GoldTask(NamedTuple):
    """A gold or qualification task, and how often it was answered right and wrong. A key that many miss may be
    the one that is wrong."""

    task: Shown
    kind: str
    key: dict[str, Any]
    right: int
    wrong: int


class NoSuchPairError(InputError):
    """The pair is not in the queue."""


def checked_key(questions: Questions, given: Mapping[str, Any]) -> dict[str, Any]:
    """A key in its one form: question -> the right answer, or a list of those that will do. Raises AnswerError."""
    key: dict[str, Any] = {}
    for name, answer in given.items():
        if not questions.has(name):
            raise AnswerError(str(name)[:80], "is not a question")
        question = questions[name]
        if question.kind in ("text", "consent"):
            raise AnswerError(name, "has no right answer: leave it out of the key")
        if isinstance(answer, list) and question.kind != "flags":
            key[name] = [questions.checked(name, one) for one in answer]
        else:
            key[name] = questions.checked(name, answer)
    if not key:
        raise AnswerError("key", "is empty: say what is right")
    return key


def add(
    connection: Connection, pair_id: str, kind: Kind, key: dict[str, Any], now: datetime, by: str = ""
) -> int | None:
    """Make a gold or qualification task of a pair in the queue; returns its id, or None when it has this key
    already. key: as `checked_key` made it. Raises NoSuchPairError."""
    source = connection.scalar(
        select(Task.id).where(Task.pair_id == pair_id, Task.kind == Kind.NORMAL, Task.state != State.WITHDRAWN).limit(1)
    )
    if source is None or is_pulled(connection, pair_id):
        raise NoSuchPairError(f"pair {pair_id} is not in the queue: take one that is")
    known = select(Task.key).where(Task.pair_id == pair_id, Task.kind == kind, Task.state == State.OPEN)
    if connection.scalar(known) == key:
        return None
    task_id = copy(connection, source, kind, UNLIMITED, key)
    again = {"key": key, "state": State.OPEN, "wanted": UNLIMITED}
    connection.execute(update(Task).where(Task.id == task_id).values(again))
    events.record(connection, now, by, f"{kind} made", str(task_id), {"pair_id": pair_id, "key": key})
    return task_id


def remove(connection: Connection, task_id: int, now: datetime, by: str = "") -> None:
    """Ask nobody any more. What was answered stays, and goes on to count."""
    # No more are wanted than there are: else it would come back with its pair (`routing.py`, `reports.py`).
    closed = (
        update(Task)
        .where(Task.id == task_id, Task.kind.in_(KINDS), Task.state != State.WITHDRAWN)
        .values(state=State.DONE, held=0, wanted=Task.answered)
    )
    if connection.execute(closed).rowcount == 0:
        return
    connection.execute(delete(Lease).where(Lease.task_id == task_id))
    events.record(connection, now, by, "gold removed", str(task_id), {})


def listing(connection: Connection, questions: Questions) -> list[GoldTask]:
    """All gold and qualification tasks that are asked, and how people did."""
    rows = connection.execute(
        select(*SHOWN, Task.kind, Task.key)
        .where(Task.kind.in_(KINDS), Task.state == State.OPEN)
        .order_by(Task.kind, Task.id)
    ).all()
    said: dict[int, list[dict[str, Any]]] = {}
    for task_id, answers in connection.execute(
        select(Annotation.task_id, Annotation.answers)
        .join(Task, Task.id == Annotation.task_id)
        .where(Task.kind.in_(KINDS), Task.state == State.OPEN, live(Annotation), ~Annotation.retracted)
    ):
        said.setdefault(task_id, []).append(answers)
    found = []
    for row in rows:
        shown = Shown(*row[: len(Shown._fields)])
        key = {name: right for name, right in row.key.items() if questions.has(name)}
        right = sum(is_right(questions, key, answers) for answers in said.get(shown.task_id, ()))
        found.append(GoldTask(shown, row.kind, row.key, right, len(said.get(shown.task_id, ())) - right))
    return found


def import_gold(engine: Engine, path: str, settings: AnnotationSettings, now: datetime | None = None) -> Counts:
    """Take a JSONL file of keys in, all of it or nothing; returns how many were read, taken, and left, by
    reason. Raises InputError for the first line that cannot be taken."""
    now = now or datetime.now(UTC)
    keys = list(_read(path, load(settings.guideline)))
    counts = Counts()
    with writing(engine) as connection:
        for pair_id, kind, key in keys:
            try:
                made = add(connection, pair_id, kind, key, now)
            except NoSuchPairError:
                counts.drop(NOT_IN_QUEUE)
                continue
            counts.keep() if made is not None else counts.drop(ALREADY_GOLD)
    return counts


def _read(path: str, questions: Questions) -> Iterator[tuple[str, Kind, dict[str, Any]]]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _line(f"{path}:{number}", line, questions)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}): give a JSONL file of keys") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text: save it as UTF-8") from error


def _line(where: str, line: str, questions: Questions) -> tuple[str, Kind, dict[str, Any]]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: is not JSON: write one object a line, in double quotes") from error
    if not isinstance(data, dict) or not isinstance(data.get("pair_id"), str):
        raise InputError(f'{where}: pair_id is missing: write {{"pair_id": ..., "match": ...}}')
    kind = data.pop("kind", Kind.GOLD)
    if kind not in KINDS:
        raise InputError(f"{where}: kind is {str(kind)[:60]!r}: give gold or qualification")
    pair_id = data.pop("pair_id")
    try:
        return pair_id, Kind(kind), checked_key(questions, data)
    except AnswerError as error:
        raise InputError(f"{where}: {error}") from error
