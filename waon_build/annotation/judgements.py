"""Takes judgements in that were made elsewhere, through the queue's own lease and submit.

They come out of a file, whichever tool wrote it (`connectors/` reads them): here it is only known what was
said. They are taken all or not at all, and a second time changes nothing: of what one annotator says of
one task, the last counts. Names of annotators are not kept: they become pseudonyms that only this
database makes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import NamedTuple

from sqlalchemy import Connection, Engine, select, update

from waon_build.annotation import queue, reports
from waon_build.annotation.database import inserting, writing
from waon_build.annotation.models import Annotator, Identity, Kind, Role, Source, Standing, State, Task, of_kinds
from waon_build.annotation.questions import Answers
from waon_build.annotation.queue import How
from waon_build.annotation.refusals import AlreadyAnswered, NotActive, OverlapReached, TaskWithdrawn
from waon_build.annotation.routing import PLACED
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
SKIPPED = Reason(
    "skipped",
    stage="judgements",
    what="A task that its annotator skipped where they judged.",
    why="Who would rather not judge a picture says nothing of it.",
)
BY_MACHINE = Reason(
    "by_machine",
    stage="judgements",
    what="A judgement whose annotator is declared to be a tool or a language model.",
    why="Native speakers vouch for a corpus.",
)
UNFINISHED = Reason(
    "unfinished",
    stage="judgements",
    what="A judgement that lacks an answer which is required, and reports no harm.",
    why="It was begun and not ended: other tools keep what was clicked so far.",
)

_CHUNK = 500


class Judgement(NamedTuple):
    """What one annotator says of one pair, checked. It names the pair by `pair_id` or by `reference`."""

    where: str
    """The file and the place in it, for whoever must mend it."""
    annotator: str
    """By whatever name they go there."""
    answers: Answers
    pair_id: str = ""
    reference: str = ""
    """Digest of url and caption (`routing.reference`)."""
    task_id: int | None = None
    """Which of the pair's tasks was answered, when that is known."""
    wall_ms: int | None = None
    """Milliseconds by the clock, when they are known."""
    finished: bool = True
    """If not, nothing of it is taken but its reports of harm."""


def take_in(
    engine: Engine,
    judgements: Iterable[Judgement | Reason],
    source: Source,
    settings: AnnotationSettings,
    now: datetime | None = None,
) -> Counts:
    """Take judgements in; returns how many were read, taken, and left, by reason. A reason in place of a
    judgement is one that whoever read the file has left.

    A different answer of the same annotator to the same task corrects the earlier one. Raises
    InputError for the first that cannot be taken, and then nothing is taken.
    """
    now = now or datetime.now(UTC)
    counts = Counts()
    said: list[Judgement] = []
    for one in judgements:
        counts.drop(one) if isinstance(one, Reason) else said.append(one)
    with writing(engine) as connection:
        key = bytes.fromhex(connection.scalars(select(Identity.pseudonym_key)).one())
        people = {name: _pseudonym(connection, name, source, key, now) for name in {one.annotator for one in said}}
        chunks = (said[start : start + _CHUNK] for start in range(0, len(said), _CHUNK))
        tasks = [task for chunk in chunks for task in _tasks(connection, chunk)]
        last = {(people[one.annotator], task.id): at for at, (one, task) in enumerate(zip(said, tasks, strict=True))}
        for at, (judgement, task) in enumerate(zip(said, tasks, strict=True)):
            annotator = people[judgement.annotator]
            if last[annotator, task.id] != at:
                counts.drop(SUPERSEDED_IN_FILE)
                continue
            reason = _take(connection, judgement, annotator, task, source, settings, now)
            counts.drop(reason) if reason else counts.keep()
    return counts


def _pseudonym(connection: Connection, name: str, source: Source, key: bytes, now: datetime) -> str:
    """The annotator of this name: one who is known already, or the pseudonym made from the name. The same
    name in another tool is somebody else."""
    if connection.scalar(select(Annotator.id).where(Annotator.id == name)) is not None:
        return name
    if source != Source.JUDGEMENTS:
        name = f"{source} {name}"
    pseudonym = blake2b(name.encode("utf-8", "surrogatepass"), key=key, digest_size=16).hexdigest()
    connection.execute(
        inserting(connection, Annotator)
        .values(id=pseudonym, role=Role.ANNOTATOR, standing=Standing.ACTIVE, created_at=now)
        .on_conflict_do_nothing()
    )
    return pseudonym


class _Found(NamedTuple):
    """A task, by how well it fits: smaller is better."""

    rank: tuple[bool, bool, int]
    id: int
    reference: str


def _tasks(connection: Connection, judgements: Sequence[Judgement]) -> list[_Found]:
    """The task of each judgement. A pair may have several: the one that was answered comes first, one still
    in the queue before a withdrawn one, the normal before others. Raises InputError where there is none."""
    found: dict[str, _Found] = {}
    rows = connection.execute(
        select(Task.id, Task.pair_id, Task.reference, Task.kind, Task.state).where(
            Task.pair_id.in_({one.pair_id for one in judgements if one.pair_id})
            | Task.reference.in_({one.reference for one in judgements if not one.pair_id}),
            of_kinds(PLACED),
        )
    )
    for row in rows:
        rank = (row.state == State.WITHDRAWN, row.kind != Kind.NORMAL, row.id)
        task = _Found(rank, row.id, row.reference)
        for name in (f"pair {row.pair_id}", f"reference {row.reference}", f"pair {row.pair_id} task {row.id}"):
            if name not in found or rank < found[name].rank:
                found[name] = task
    tasks = []
    for one in judgements:
        name = f"pair {one.pair_id}" if one.pair_id else f"reference {one.reference}"
        entry = found.get(f"{name} task {one.task_id}", found.get(name))
        field = "pair_id" if one.pair_id else "url and caption"
        if entry is None:
            raise InputError(f"{one.where}: {field}: no such pair was ever in the queue: check it, or run the recipe")
        if one.pair_id and one.reference and one.reference != entry.reference:
            raise InputError(f"{one.where}: url and caption are not those of pair {one.pair_id}: leave them out")
        tasks.append(entry)
    return tasks


def _take(
    connection: Connection,
    judgement: Judgement,
    annotator: str,
    task: _Found,
    source: Source,
    settings: AnnotationSettings,
    now: datetime,
) -> Reason | None:
    """Lease the task for its annotator and submit; the reason when nothing was taken."""
    if not judgement.finished:
        return _report(connection, judgement, annotator, task, settings, now)
    answers, how = judgement.answers, How(source, wall_ms=judgement.wall_ms)
    try:
        before = queue.live_answer(connection, annotator, task.id)
        if before is not None:
            is_same_version = before.guideline_version == answers.guideline_version
            if before.answers == answers.values and (before.stands or is_same_version):
                return ALREADY_THERE  # though it was taken back: the file says nothing new
            if before.stands:
                queue.correct(connection, annotator, task.id, answers, now, how)
                return None
        most = None if answers.rejecting else settings.max_overlap
        leased = _lease(connection, annotator, task.id, settings.lease_minutes, most, now)
        queue.submit(connection, annotator, task.id, leased.token, answers, now, how)
    except OverlapReached:
        return OVERLAP_REACHED
    except TaskWithdrawn:
        return TASK_WITHDRAWN
    except NotActive:
        return NOT_ACTIVE
    return None


def _report(
    connection: Connection,
    judgement: Judgement,
    annotator: str,
    task: _Found,
    settings: AnnotationSettings,
    now: datetime,
) -> Reason | None:
    """Take the reports of harm of somebody who did not answer the rest. It is never too late for one."""
    before = reports.reported_by(connection, annotator, task.id)
    new = [flag for flag in judgement.answers.rejecting if flag not in before]
    if not new:
        return ALREADY_THERE
    try:
        leased = queue.lease_task(connection, annotator, task.id, now, settings.lease_minutes)
        queue.release(connection, annotator, [leased.token], now)
    except (OverlapReached, AlreadyAnswered):
        pass
    except TaskWithdrawn:
        return TASK_WITHDRAWN
    except NotActive:
        return NOT_ACTIVE
    for flag in new:
        reports.pull(connection, annotator, task.id, flag, "", now)
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
