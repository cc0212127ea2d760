"""What follows from the answers: accepted, rejected, undecided, or more answers wanted.

The rule (`verdict`) is a function of answers and settings alone. `decide` applies it to every answered
task and writes a decision only where something changed, so it may be called as often as one likes;
`Deciding` does the same for what was answered since it last looked, beside a running queue. Screened-out
tasks are decided too, so that it is known what natives make of a filter; they are never among the
accepted.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Text,
    bindparam,
    cast,
    exists,
    func,
    insert,
    or_,
    select,
    type_coerce,
    update,
)

from waon_build.annotation import guideline, order, reports
from waon_build.annotation.consensus import Consensus, Said
from waon_build.annotation.copies import copy
from waon_build.annotation.database import writing
from waon_build.annotation.decided import InForce, in_force, row
from waon_build.annotation.models import (
    Annotation,
    Annotator,
    Decision,
    Event,
    Kind,
    Outcome,
    ReportOutcome,
    Standing,
    State,
    Task,
    live,
    of_kinds,
)
from waon_build.annotation.questions import CANNOT_TELL, MATCH, Questions
from waon_build.recipe import AnnotationSettings

RULE = "median+dawid-skene/2"
"""Name and version of the rule below."""
MOVED = 0.05
"""A posterior that moves less than this is no news."""
REFIT = timedelta(minutes=5)
"""How old the models of a running queue may be."""

_PAGE = 2000
_STEP = 200
_DECIDED = (Kind.NORMAL, Kind.SCREENED_OUT)


class Verdict(NamedTuple):
    """outcome: None while answers are wanted. wanted: answers in all. votes: question -> answer -> how often.
    aggregate: what they come to (`Consensus.of`). adjudicate: people could not agree, and one more must."""

    outcome: Outcome | None
    wanted: int
    votes: dict[str, dict[str, int]]
    aggregate: dict[str, dict[str, Any]]
    adjudicate: bool = False


class _Context(NamedTuple):
    """What a page of tasks is decided with. fitted: task -> the annotations of it that the models were fitted to."""

    questions: Questions
    settings: AnnotationSettings
    consensus: Consensus
    fitted: Mapping[int, list[int]]
    dismissed: Mapping[tuple[str, str], set[str]]
    now: datetime


def verdict(
    said: Sequence[Said],
    questions: Questions,
    settings: AnnotationSettings,
    aggregate: Mapping[str, dict[str, Any]],
    adjudicated: Mapping[str, Any] | None = None,
    is_pulled: bool = False,
) -> Verdict:
    """What the answers to one task come to.

    One person's rejecting flag (harm, personal data) rejects, whatever the others say, and so does a
    report. An adjudicator's word decides. Otherwise the median of `match` does, once `overlap` people
    could tell and the posterior of each question that settles is at least `settle`. Until then more are
    asked, up to `max_overlap`; what still disagrees goes to adjudication.
    """
    votes = _votes([one.answers for one in said], questions)
    found = dict(aggregate)
    if is_pulled or any((name, word) in questions.rejecting for name, counts in votes.items() for word in counts):
        return Verdict(Outcome.REJECTED, max(len(said), settings.overlap), votes, found)
    if adjudicated is not None:
        for name, answer in adjudicated.items():
            if not questions.has(name) or questions[name].kind not in ("text", "consent"):
                found[name] = {**found.get(name, {}), "answer": answer, "adjudicated": True}
        return Verdict(_adjudicated(adjudicated, questions, settings), len(said), votes, found)
    if len(said) < settings.overlap:
        return Verdict(None, settings.overlap, votes, found)
    grades = sum(one.answers.get(MATCH, CANNOT_TELL) != CANNOT_TELL for one in said)
    missing = max(settings.overlap - grades, int(not _is_settled(found, questions, settings)))
    if missing == 0:
        passes = found[MATCH]["median"] >= settings.min_match
        return Verdict(Outcome.ACCEPTED if passes else Outcome.REJECTED, len(said), votes, found)
    if len(said) >= settings.max_overlap:
        return Verdict(Outcome.UNDECIDED, len(said), votes, found, adjudicate=True)
    return Verdict(None, min(len(said) + missing, settings.max_overlap), votes, found)


def decide(engine: Engine, settings: AnnotationSettings, now: datetime | None = None) -> Counter[str]:
    """Apply the rule to every task that was answered or decided, ask for more answers where it wants them; returns
    how many tasks came to which outcome (`waiting`: more answers are wanted). Raises InputError when the guideline
    is missing."""
    now = now or datetime.now(UTC)
    counts: Counter[str] = Counter()
    with writing(engine) as connection:
        read = guideline.load(settings.guideline)
        guideline.reopen(connection, read, settings.overlap, now)
    with engine.connect() as connection:
        context = _context(connection, read.questions, settings, now)
    last = 0
    while True:
        with writing(engine) as connection:
            tasks = _tasks(connection, Task.id > last)
            if not tasks:
                return counts
            last = tasks[-1].id
            counts += _decide(connection, tasks, context)


class Deciding:
    """Decides beside a running queue, in steps so short that nobody who judges notices.

    What was answered since it last looked is decided at once, by the models as they are, and so is what
    coordinators did something about: a report, or somebody who judged. When the models are older than REFIT
    they are fitted anew (`refit`, which only reads), and all tasks are gone through again, a page a step."""

    def __init__(self, engine: Engine, settings: AnnotationSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._context: _Context | None = None
        self._seen: tuple[int, int] | None = None
        """The last annotation and the last event that were looked at."""
        self._pending: list[str] = []
        """Pairs that are still to be decided."""
        self._swept: int | None = None
        """The last task of the page that was decided last; None when all are."""

    def is_due(self, now: datetime) -> bool:
        """Whether the models are to be fitted anew."""
        return self._context is None or (self._swept is None and now - self._context.now >= REFIT)

    def refit(self, now: datetime) -> None:
        """Fit the models to all that was answered. Reads for as long as that takes; whoever writes need not wait."""
        read = guideline.load(self._settings.guideline)
        with self._engine.connect() as connection:
            context = _context(connection, read.questions, self._settings, now)
        self._context, self._swept = context._replace(fitted={}), 0

    def step(self, now: datetime, most: int = _STEP) -> bool:
        """Decide what is new, or a page of what is not; returns whether there is more to do at once. most: new
        answers, or tasks of the page: a step keeps whoever writes waiting for about a millisecond each."""
        if self._context is None:
            self.refit(now)
        assert self._context is not None
        swept = self._swept
        with writing(self._engine) as connection:
            newest = (connection.scalar(_NEWEST) or 0, connection.scalar(_NEWEST_EVENT) or 0)
            if self._seen is None:
                read = guideline.load(self._settings.guideline)
                guideline.reopen(connection, read, self._settings.overlap, now)
            pending = self._pending + (_touched(connection, self._seen, newest) if self._seen else [])
            context = self._context._replace(dismissed=reports.dismissed(connection), now=now)
            if pending:
                _decide(connection, _tasks(connection, Task.pair_id.in_(pending[:most])), context)
            if swept is not None:
                tasks = _tasks(connection, Task.id > swept, most)
                _decide(connection, tasks, context)
                swept = tasks[-1].id if tasks else None
        self._seen, self._pending, self._swept = newest, pending[most:], swept
        return bool(self._pending) or swept is not None


_WEIGH = ("standing", *(f"report {outcome}" for outcome in ReportOutcome))
"""Verbs of the events by which answers come to weigh, or to weigh no more."""


def _touched(connection: Connection, seen: tuple[int, int], newest: tuple[int, int]) -> list[str]:
    """The pairs that were judged between two moments (annotation and event), or that something was done about: a
    report of them, or somebody who judged them."""
    if seen == newest:
        return []
    done = (Event.id > seen[1], Event.id <= newest[1], Event.verb.in_(_WEIGH))
    judged = select(Task.pair_id).join(Annotation, Annotation.task_id == Task.id)
    statements = (
        judged.where(Annotation.id > seen[0], Annotation.id <= newest[0]),
        judged.where(Annotation.annotator_id.in_(select(Event.subject).where(*done))),
        select(Task.pair_id).where(Task.pair_id.in_(select(Event.subject).where(*done))),
    )
    return sorted({pair for one in statements for pair in connection.scalars(one)})


def _context(connection: Connection, questions: Questions, settings: AnnotationSettings, now: datetime) -> _Context:
    dismissed = reports.dismissed(connection)
    fitted: dict[int, list[int]] = defaultdict(list)

    def said() -> Iterator[tuple[int, Said]]:
        for one in connection.execution_options(yield_per=10_000).execute(_SAID_OF_ALL):
            fitted[one.task_id].append(one.id)
            yield one.task_id, _weighing(one, dismissed)

    consensus = Consensus(questions, settings.min_match).fit(said())
    return _Context(questions, settings, consensus, fitted, dismissed, now)


def _tasks(connection: Connection, which: ColumnElement[bool], most: int = _PAGE) -> Sequence[Any]:
    return connection.execute(
        select(
            Task.id,
            Task.pair_id,
            Task.kind,
            Task.state,
            Task.wanted,
            Task.held,
            Task.answered,
            Task.category,
            Task.quota,
        )
        .where(which, or_(Task.answered > 0, _IS_DECIDED), Task.state != State.WITHDRAWN, of_kinds(_DECIDED))
        .order_by(Task.id)
        .limit(most)
    ).all()


def _decide(connection: Connection, tasks: Sequence[Any], context: _Context) -> Counter[str]:
    """Decide a page of tasks."""
    if not tasks:
        return Counter()
    ids = [task.id for task in tasks]
    said = _said(connection, ids, context.dismissed)
    present = in_force(connection, ids)
    pairs = [task.pair_id for task in tasks]
    pulled = reports.pulled(connection, pairs)
    adjudicated, adjudicating = _adjudications(connection, pairs)
    counts: Counter[str] = Counter()
    changed: list[dict[str, Any]] = []
    moved: list[int] = []
    decided: list[dict[str, Any]] = []
    for task in tasks:
        answers = list(said[task.id].values())
        # Somebody may have answered since the models were fitted.
        is_fitted = context.fitted.get(task.id) == list(said[task.id])
        aggregate = context.consensus.of(answers, task.id if is_fitted else None)
        found = verdict(
            answers,
            context.questions,
            context.settings,
            aggregate,
            adjudicated.get(task.pair_id) if task.kind == Kind.NORMAL else None,
            task.pair_id in pulled,
        )
        counts[found.outcome or "waiting"] += 1
        for change in _change(task, found, len(answers), context.settings):
            changed.append(change)
            if (task.state, task.wanted) != (change["the_state"], change["the_number"]):
                moved.append(task.id)
        decided += _decision(task.id, present.get(task.id), found, _rule(context.settings), context.now)
        if task.kind == Kind.NORMAL and found.adjudicate != (task.pair_id in adjudicating):
            _adjudicate(connection, task, found.adjudicate)
    if changed:
        connection.execute(_CHANGE, changed)
        order.reopened(connection, moved)
    if decided:
        connection.execute(insert(Decision), decided)
    return counts


def _is_settled(aggregate: Mapping[str, dict[str, Any]], questions: Questions, settings: AnnotationSettings) -> bool:
    return all(
        aggregate[question.name]["posterior"] >= settings.settle
        for question in questions.questions
        if question.settles and question.name in aggregate
    )


def _adjudicated(answers: Mapping[str, Any], questions: Questions, settings: AnnotationSettings) -> Outcome:
    if questions.rejecting_in(answers):
        return Outcome.REJECTED
    grade = answers.get(MATCH, CANNOT_TELL)
    if grade == CANNOT_TELL:
        return Outcome.UNDECIDED
    return Outcome.ACCEPTED if grade >= settings.min_match else Outcome.REJECTED


def _votes(answers: Sequence[Mapping[str, Any]], questions: Questions) -> dict[str, dict[str, int]]:
    votes = {}
    for question in questions.questions:
        if question.kind in ("text", "consent"):
            continue
        counts = Counter(
            str(word)
            for answer in answers
            if question.name in answer
            for word in (answer[question.name] if question.kind == "flags" else [answer[question.name]])
        )
        if counts:
            votes[question.name] = dict(sorted(counts.items()))
    return votes


def _weighing(row: Any, dismissed: Mapping[tuple[str, str], set[str]]) -> Said:
    """What was said, without flags that a coordinator found to be mistaken."""
    answers = _parsed(row.answers)
    mistaken = dismissed.get((row.pair_id, row.annotator_id))
    if not mistaken:
        return Said(row.annotator_id, answers)
    lists = {
        name: [word for word in answer if word not in mistaken]
        for name, answer in answers.items()
        if isinstance(answer, list)
    }
    words = {name: answer for name, answer in answers.items() if name not in lists and str(answer) not in mistaken}
    return Said(row.annotator_id, {**words, **lists})


def _said(
    connection: Connection, task_ids: Sequence[int], dismissed: Mapping[tuple[str, str], set[str]]
) -> dict[int, dict[int, Said]]:
    """What weighs of each task, by annotation: live, not stale, not by blocked annotators."""
    said: dict[int, dict[int, Said]] = defaultdict(dict)
    for one in connection.execute(_SAID_OF_ALL.where(Task.id.in_(task_ids))):
        said[one.task_id][one.id] = _weighing(one, dismissed)
    return said


@lru_cache(maxsize=10_000)
def _parsed(answers: str) -> dict[str, Any]:
    """Few of the answers are distinct."""
    found: dict[str, Any] = json.loads(answers)
    return found


_NEWEST, _NEWEST_EVENT = select(func.max(Annotation.id)), select(func.max(Event.id))
_IS_DECIDED = exists().where(Decision.task_id == Task.id)
_SAID_OF_ALL = (
    select(
        Annotation.id,
        Task.pair_id,
        Annotation.task_id,
        Annotation.annotator_id,
        cast(type_coerce(Annotation.answers, Text), Text).label("answers"),
    )
    .join(Annotator, Annotator.id == Annotation.annotator_id)
    .join(Task, Task.id == Annotation.task_id)
    .where(
        of_kinds(_DECIDED),
        Task.state != State.WITHDRAWN,
        Annotation.id > Task.stale_before,
        live(Annotation),
        ~Annotation.retracted,
        Annotator.standing != Standing.BLOCKED,
    )
    .order_by(Annotation.task_id, Annotation.id)
)


def _adjudications(connection: Connection, pairs: Sequence[str]) -> tuple[dict[str, Any], set[str]]:
    """What adjudicators said of these pairs, and the pairs that wait for one."""
    answers: dict[str, Any] = dict(
        connection.execute(
            select(Task.pair_id, Annotation.answers)
            .join(Annotation, Annotation.task_id == Task.id)
            .join(Annotator, Annotator.id == Annotation.annotator_id)
            .where(
                Task.kind == Kind.ADJUDICATION,
                Task.pair_id.in_(pairs),
                Annotation.id > Task.stale_before,
                live(Annotation),
                ~Annotation.retracted,
                Annotator.standing != Standing.BLOCKED,
            )
            .order_by(Annotation.id)
        )
        .tuples()
        .all()
    )
    open_ones = select(Task.pair_id).where(
        Task.kind == Kind.ADJUDICATION, Task.pair_id.in_(pairs), Task.state == State.OPEN
    )
    return answers, set(connection.scalars(open_ones))


def _adjudicate(connection: Connection, task: Any, is_wanted: bool) -> None:
    """Ask an adjudicator about the pair of a task, or ask no more."""
    if is_wanted:
        made = copy(connection, task.id, Kind.ADJUDICATION, wanted=1)
        # Whatever was answered before no longer weighs: else nobody would be asked.
        again = {"state": State.OPEN, "wanted": Task.held + Task.answered + 1}
        connection.execute(update(Task).where(Task.id == made, Task.state == State.DONE).values(again))
    else:
        of_pair = (Task.pair_id == task.pair_id, Task.kind == Kind.ADJUDICATION)
        connection.execute(update(Task).where(*of_pair, Task.held == 0).values(state=State.DONE))


def _change(task: Any, found: Verdict, counted: int, settings: AnnotationSettings) -> Iterator[dict[str, Any]]:
    """Opens the task for more answers, or closes it, and puts it under the category that was said, where that
    is news. counted: answers that weigh; those that do not are made up for, and nobody's lease is taken away."""
    wanted = max(found.wanted + task.answered - counted, task.held + task.answered)
    state = State.OPEN if found.outcome is None and task.answered < wanted else State.DONE
    category = found.aggregate.get("category", {}).get("answer", task.category)
    quota = category if category in settings.quotas else ""
    if (state, wanted, category, quota) != (task.state, task.wanted, task.category, task.quota):
        yield {
            "the_task": task.id,
            "the_state": state,
            "the_number": wanted,
            "the_category": category,
            "the_quota": quota,
        }


_CHANGE = (
    update(Task)
    .where(Task.id == bindparam("the_task"))
    .values(
        state=bindparam("the_state"),
        wanted=bindparam("the_number"),
        category=bindparam("the_category"),
        quota=bindparam("the_quota"),
    )
)


def _decision(
    task_id: int, present: InForce | None, found: Verdict, rule: str, now: datetime
) -> Iterator[dict[str, Any]]:
    """The decision, where it is news."""
    outcome = found.outcome
    if outcome is None:
        if present is None or present.outcome not in (Outcome.ACCEPTED, Outcome.REJECTED):
            return
        outcome = Outcome.UNDECIDED  # what was decided no longer stands
    if (
        present is None
        or (present.outcome, present.rule, present.votes) != (outcome, rule, found.votes)
        or _differs(present.aggregate, found.aggregate)
    ):
        yield row(task_id, present.id if present else None, outcome, rule, found.votes, found.aggregate, now)


def _differs(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether an answer changed, or its posterior moved."""
    if before.keys() != after.keys():
        return True
    for name, one in after.items():
        if before[name].get("answer") != one.get("answer"):
            return True
        was, is_now = before[name].get("posterior", 0.0), one.get("posterior", 0.0)
        if isinstance(is_now, float) and isinstance(was, float) and abs(is_now - was) >= MOVED:
            return True
    return False


def _rule(settings: AnnotationSettings) -> str:
    return (
        f"{RULE} min_match={settings.min_match} overlap={settings.overlap}-{settings.max_overlap} "
        f"settle={settings.settle:g}"
    )
