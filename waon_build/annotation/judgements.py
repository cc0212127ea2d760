"""Takes judgements in that were made elsewhere: JSONL, one a line, through the queue's own lease and submit.

    {"pair_id": "0f3c...", "annotator": "hanako", "match": 3, "culture": "specific", "category": "food"}
    {"url": "https://...", "caption": "...", "annotator": "taro", "match": 0, "culture": "not"}

A line names its pair by `pair_id`, or by `url` and `caption`; all that is not `annotator` or
`guideline_version` beside it are answers. The file is taken whole or not at all, and a second time
changes nothing: of what one annotator says of one task in it, the last counts. Names of annotators are
not kept: they become pseudonyms that only this database makes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, select, update

from waon_build.annotation import queue
from waon_build.annotation.database import inserting, writing
from waon_build.annotation.models import Annotator, Identity, Kind, Role, Standing, State, Task
from waon_build.annotation.questions import AnswerError, Answers, Questions, load
from waon_build.annotation.refusals import NotActive, OverlapReached, TaskWithdrawn
from waon_build.annotation.routing import PLACED, reference
from waon_build.recipe import AnnotationSettings
from waon_build.records import Counts, InputError, Reason

ALREADY_THERE = Reason(
    "already_there",
    stage="judgements",
    what="A judgement that its annotator has already given.",
    why="A file may be imported again after it grew.",
)
SUPERSEDED_IN_FILE = Reason(
    "superseded_in_file",
    stage="judgements",
    what="A judgement that its annotator changed further down in the same file.",
    why="The last one counts; taken one after the other, each import of the file would change the answer anew.",
)
OVERLAP_REACHED = Reason(
    OverlapReached.word,
    stage="judgements",
    what="A judgement of a task that has as many as it may have.",
    why="The overlap is never exceeded, except by a flag that takes the pair out: one person's is enough.",
    setting="annotation.max_overlap",
)
TASK_WITHDRAWN = Reason(
    TaskWithdrawn.word,
    stage="judgements",
    what="A judgement of a pair that is no longer kept.",
    why="A filter, a cluster or a takedown has taken it out of the queue.",
)
NOT_ACTIVE = Reason(
    NotActive.word,
    stage="judgements",
    what="A judgement by an annotator who is paused or blocked.",
    why="They may neither judge nor correct, wherever they do it.",
)

_NAMES_THE_PAIR = ("pair_id", "url", "caption")
_BESIDE = {*_NAMES_THE_PAIR, "annotator", "guideline_version"}
_CHUNK = 500


class _Judgement(NamedTuple):
    where: str
    """`FILE:LINE`."""
    pair_id: str
    reference: str
    """Digest of url and caption, or "" when they are not given."""
    annotator: str
    answers: Answers


def import_judgements(engine: Engine, path: str, settings: AnnotationSettings, now: datetime | None = None) -> Counts:
    """Take a file of judgements in; returns how many were read, taken, and left, by reason.

    A different answer of the same annotator to the same task corrects the earlier one. Raises
    InputError for the first line that cannot be taken, and then nothing of the file is taken.
    """
    now = now or datetime.now(UTC)
    judgements = list(_read(path, load(settings.guideline)))
    counts = Counts()
    with writing(engine) as connection:
        key = bytes.fromhex(connection.scalars(select(Identity.pseudonym_key)).one())
        pseudonyms = {name: _pseudonym(connection, name, key, now) for name in {one.annotator for one in judgements}}
        chunks = (judgements[start : start + _CHUNK] for start in range(0, len(judgements), _CHUNK))
        tasks = [task_id for chunk in chunks for task_id in _tasks(connection, chunk)]
        said = [(pseudonyms[one.annotator], task_id) for one, task_id in zip(judgements, tasks, strict=True)]
        last = {who_and_what: at for at, who_and_what in enumerate(said)}
        for at, (judgement, (annotator, task_id)) in enumerate(zip(judgements, said, strict=True)):
            if last[annotator, task_id] != at:
                counts.drop(SUPERSEDED_IN_FILE)
                continue
            reason = _take(connection, judgement, annotator, task_id, settings, now)
            counts.drop(reason) if reason else counts.keep()
    return counts


def _read(path: str, questions: Questions) -> Iterator[_Judgement]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _judgement(f"{path}:{number}", line, questions)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}): give a JSONL file of judgements") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text: save it as UTF-8") from error


def _judgement(where: str, line: str, questions: Questions) -> _Judgement:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: is not JSON: write one object a line, in double quotes") from error
    if not isinstance(data, dict):
        raise InputError(f'{where}: is not an object: write {{"pair_id": ..., "annotator": ..., "match": ...}}')
    texts = {name: _text(where, name, data[name]) for name in _BESIDE if data.get(name) is not None}
    if "annotator" not in texts:
        raise InputError(f"{where}: annotator is missing: say who judged, by any name or number")
    by_address = "url" in texts and "caption" in texts
    if "pair_id" not in texts and not by_address:
        raise InputError(f"{where}: pair_id is missing: give it, or url and caption of the pair")
    try:
        answers = questions.answers(
            {name: answer for name, answer in data.items() if name not in _BESIDE}, texts.get("guideline_version")
        )
    except AnswerError as error:
        raise InputError(f"{where}: {error}") from error
    return _Judgement(
        where,
        texts.get("pair_id", ""),
        reference(texts["url"], texts["caption"]) if by_address else "",
        texts["annotator"],
        answers,
    )


def _text(where: str, field: str, value: Any) -> str:
    longest = {"pair_id": 16, "guideline_version": 32, "annotator": 200}.get(field)
    fits = isinstance(value, str) and bool(value.strip())
    if fits and longest:  # what goes into the database
        fits = len(value) <= longest and value.isprintable()
    if not fits:
        limit = f" of at most {longest} characters" if longest else ""
        raise InputError(f"{where}: {field} is {str(value)[:60]!r}: give a text{limit}")
    return str(value)


def _pseudonym(connection: Connection, name: str, key: bytes, now: datetime) -> str:
    """The annotator of this name: one who is known already, or the pseudonym made from the name."""
    if connection.scalar(select(Annotator.id).where(Annotator.id == name)) is not None:
        return name
    pseudonym = blake2b(name.encode("utf-8", "surrogatepass"), key=key, digest_size=16).hexdigest()
    connection.execute(
        inserting(connection, Annotator)
        .values(id=pseudonym, role=Role.ANNOTATOR, standing=Standing.ACTIVE, created_at=now)
        .on_conflict_do_nothing()
    )
    return pseudonym


def _tasks(connection: Connection, judgements: Sequence[_Judgement]) -> list[int]:
    """The task of each judgement. A pair may have several: the one still in the queue comes before a
    withdrawn one, the normal before others. Raises InputError where there is none."""
    found: dict[str, tuple[tuple[bool, bool, int], int, str]] = {}
    rows = connection.execute(
        select(Task.id, Task.pair_id, Task.reference, Task.kind, Task.state).where(
            Task.pair_id.in_({one.pair_id for one in judgements if one.pair_id})
            | Task.reference.in_({one.reference for one in judgements if not one.pair_id}),
            Task.kind.in_(PLACED),
        )
    )
    for row in rows:
        rank = (row.state == State.WITHDRAWN, row.kind != Kind.NORMAL, row.id)
        for name in (f"pair {row.pair_id}", f"reference {row.reference}"):
            if name not in found or rank < found[name][0]:
                found[name] = (rank, row.id, row.reference)
    ids = []
    for one in judgements:
        entry = found.get(f"pair {one.pair_id}" if one.pair_id else f"reference {one.reference}")
        field = "pair_id" if one.pair_id else "url and caption"
        if entry is None:
            raise InputError(f"{one.where}: {field}: no such pair was ever in the queue: check it, or run the recipe")
        if one.pair_id and one.reference and one.reference != entry[2]:
            raise InputError(f"{one.where}: url and caption are not those of pair {one.pair_id}: leave them out")
        ids.append(entry[1])
    return ids


def _take(
    connection: Connection,
    judgement: _Judgement,
    annotator: str,
    task_id: int,
    settings: AnnotationSettings,
    now: datetime,
) -> Reason | None:
    """Lease the task for its annotator and submit; the reason when nothing was taken."""
    answers = judgement.answers
    try:
        before = queue.live_answer(connection, annotator, task_id)
        if before is not None and before.answers == answers.values:
            return ALREADY_THERE
        if before is not None and before.stands:
            queue.correct(connection, annotator, task_id, answers, now)
            return None
        most = None if judgement.answers.rejecting else settings.max_overlap
        leased = _lease(connection, annotator, task_id, settings.lease_minutes, most, now)
        queue.submit(connection, annotator, task_id, leased.token, answers, now)
    except OverlapReached:
        return OVERLAP_REACHED
    except TaskWithdrawn:
        return TASK_WITHDRAWN
    except NotActive:
        return NOT_ACTIVE
    return None


def _lease(
    connection: Connection, annotator: str, task_id: int, minutes: float, most: int | None, now: datetime
) -> queue.Leased:
    """A lease on the task. Whoever judged elsewhere was not kept from a full one: more than was wanted are
    taken, up to `most` (None: always one more, since a flag that takes a pair out is never too late)."""
    try:
        return queue.lease_task(connection, annotator, task_id, now, minutes)
    except OverlapReached:
        more = update(Task).where(Task.id == task_id)
        if most is not None:
            more = more.where(Task.wanted < most)
        connection.execute(more.values(wanted=Task.wanted + 1))
        return queue.lease_task(connection, annotator, task_id, now, minutes)
