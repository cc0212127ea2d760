"""What follows from the answers: accepted, rejected, undecided, or more answers wanted.

The rule (`verdict`) is a function of answers and settings alone. `decide` applies it to every answered
task and writes a decision only where something changed, so it may be called as often as one likes.
Screened-out tasks are decided too, so that it is known what natives make of a filter; they are never
among the accepted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, bindparam, insert, select, update

from waon_build.annotation.database import writing
from waon_build.annotation.models import (
    Annotation,
    Annotator,
    Decision,
    Kind,
    Outcome,
    Standing,
    State,
    Task,
    live,
)
from waon_build.annotation.questions import CANNOT_TELL, MATCH, Questions, load
from waon_build.recipe import AnnotationSettings

RULE = "median/1"
"""Name and version of the rule below."""
LEAD = 2
"""By how many answers one side must lead where people disagree strongly."""

_PAGE = 2000
_DECIDED = (Kind.NORMAL, Kind.SCREENED_OUT)


class Verdict(NamedTuple):
    """outcome: None while answers are wanted. wanted: answers in all. votes: question -> answer -> how often."""

    outcome: Outcome | None
    wanted: int
    votes: dict[str, dict[str, int]]


class AcceptedPair(NamedTuple):
    """A pair that natives accepted. annotations: how many. match: median answer, 0 to 3. culture, category:
    the answer most often given, "" when the question was not asked."""

    pair_id: str
    annotations: int
    match: float
    culture: str
    category: str


def verdict(answers: Sequence[Mapping[str, Any]], questions: Questions, settings: AnnotationSettings) -> Verdict:
    """What the answers to one task come to.

    One person's rejecting flag (harm, personal data) rejects, whatever the others say. Otherwise the
    median of `match` decides, once `overlap` people could tell. Where they disagree strongly (one says
    enough, another two steps less) one side must lead by LEAD. Until then more are asked, up to
    `max_overlap`; after that it stays undecided.
    """
    votes = _votes(answers, questions)
    if any((name, word) in questions.rejecting for name, counts in votes.items() for word in counts):
        return Verdict(Outcome.REJECTED, len(answers), votes)
    if len(answers) < settings.overlap:
        return Verdict(None, settings.overlap, votes)
    grades = [answer[MATCH] for answer in answers if answer.get(MATCH, CANNOT_TELL) != CANNOT_TELL]
    missing = max(settings.overlap - len(grades), int(_is_contested(grades, settings.min_match)))
    if missing == 0:
        passes = median(grades) >= settings.min_match
        return Verdict(Outcome.ACCEPTED if passes else Outcome.REJECTED, len(answers), votes)
    if len(answers) >= settings.max_overlap:
        return Verdict(Outcome.UNDECIDED, len(answers), votes)
    return Verdict(None, min(len(answers) + missing, settings.max_overlap), votes)


def decide(engine: Engine, settings: AnnotationSettings, now: datetime | None = None) -> Counter[str]:
    """Apply the rule to every answered task, ask for more answers where it wants them; returns how many
    tasks came to which outcome (`waiting`: more answers are wanted). Raises InputError when the
    guideline is missing."""
    questions = load(settings.guideline)
    now = now or datetime.now(UTC)
    counts: Counter[str] = Counter()
    last = 0
    while True:
        with writing(engine) as connection:
            tasks = connection.execute(
                select(Task.id, Task.state, Task.wanted, Task.held, Task.answered)
                .where(Task.id > last, Task.answered > 0, Task.state != State.WITHDRAWN, Task.kind.in_(_DECIDED))
                .order_by(Task.id)
                .limit(_PAGE)
            ).all()
            if not tasks:
                return counts
            last = tasks[-1].id
            answers = _answers(connection, tasks[0].id, last)
            present = _decisions(connection, tasks[0].id, last)
            changed: list[dict[str, Any]] = []
            decided: list[dict[str, Any]] = []
            for task in tasks:
                found = verdict(answers[task.id], questions, settings)
                counts[found.outcome or "waiting"] += 1
                changed += _change(task, found, len(answers[task.id]))
                decided += _decision(task.id, present.get(task.id), found, _rule(settings), now)
            if changed:
                connection.execute(_CHANGE, changed)
            if decided:
                connection.execute(insert(Decision), decided)


def withdraw(connection: Connection, task_ids: Sequence[int], now: datetime) -> None:
    """Decide of tasks that were decided before that their pair is out. task_ids: at most a few hundred."""
    decided = connection.execute(
        select(Decision.id, Decision.task_id, Decision.votes).where(
            Decision.task_id.in_(task_ids), live(Decision), Decision.outcome != Outcome.WITHDRAWN
        )
    ).all()
    if decided:
        rows = [_row(row.task_id, row.id, Outcome.WITHDRAWN, "no longer kept", row.votes, now) for row in decided]
        connection.execute(insert(Decision), rows)


def accepted(engine: Engine) -> Iterator[AcceptedPair]:
    """The accepted pairs, by pair_id, with what was said of them."""
    statement = (
        select(Task.pair_id, Decision.votes)
        .join(Decision, Decision.task_id == Task.id)
        .where(Task.kind == Kind.NORMAL, Task.state != State.WITHDRAWN)
        .where(live(Decision), Decision.outcome == Outcome.ACCEPTED)
        .order_by(Task.pair_id)
    )
    with engine.connect() as connection:
        for pair_id, votes in connection.execution_options(yield_per=_PAGE).execute(statement):
            given = votes[MATCH]
            grades = [int(word) for word, count in given.items() if word != CANNOT_TELL for _ in range(count)]
            yield AcceptedPair(
                pair_id,
                sum(given.values()),
                float(median(grades)),
                _most(votes.get("culture", {})),
                _most(votes.get("category", {})),
            )


def frozen_pairs(engine: Engine) -> set[str]:
    """Pairs that somebody has judged: whatever becomes of their cluster, its canonical does not change."""
    statement = select(Task.pair_id).where(Task.kind == Kind.NORMAL, Task.answered > 0)
    with engine.connect() as connection:
        return set(connection.scalars(statement))


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


def _is_contested(grades: Sequence[int], least: int) -> bool:
    enough = sum(grade >= least for grade in grades)
    short = len(grades) - enough
    return bool(enough and short) and max(grades) - min(grades) >= 2 and abs(enough - short) < LEAD


def _answers(connection: Connection, first: int, last: int) -> dict[int, list[dict[str, Any]]]:
    """Live answers by task, without those of blocked annotators."""
    rows = connection.execute(
        select(Annotation.task_id, Annotation.answers)
        .join(Annotator, Annotator.id == Annotation.annotator_id)
        .where(Annotation.task_id.between(first, last), live(Annotation), Annotator.standing != Standing.BLOCKED)
        .order_by(Annotation.task_id, Annotation.id)
    )
    answers: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for task_id, values in rows:
        answers[task_id].append(values)
    return answers


class _Present(NamedTuple):
    """The decision in force."""

    id: int
    outcome: str
    rule: str
    votes: dict[str, Any]


def _decisions(connection: Connection, first: int, last: int) -> dict[int, _Present]:
    rows = connection.execute(
        select(Decision.task_id, Decision.id, Decision.outcome, Decision.rule, Decision.votes).where(
            Decision.task_id.between(first, last), live(Decision)
        )
    )
    return {row.task_id: _Present(*row[1:]) for row in rows}


def _change(task: Any, found: Verdict, counted: int) -> Iterator[dict[str, Any]]:
    """Opens the task for more answers, or closes it, where that is news. counted: answers that weigh; those
    that do not are made up for, and nobody's lease is taken away."""
    wanted = max(found.wanted + task.answered - counted, task.held + task.answered)
    state = State.OPEN if found.outcome is None and task.answered < wanted else State.DONE
    if (state, wanted) != (task.state, task.wanted):
        yield {"the_task": task.id, "the_state": state, "the_number": wanted}


_CHANGE = (
    update(Task)
    .where(Task.id == bindparam("the_task"))
    .values(state=bindparam("the_state"), wanted=bindparam("the_number"))
)


def _decision(
    task_id: int, present: _Present | None, found: Verdict, rule: str, now: datetime
) -> Iterator[dict[str, Any]]:
    """The decision, where it is news."""
    outcome = found.outcome
    if outcome is None:
        if present is None or present.outcome not in (Outcome.ACCEPTED, Outcome.REJECTED):
            return
        outcome = Outcome.UNDECIDED  # what was decided no longer stands
    if present is None or (present.outcome, present.rule, present.votes) != (outcome, rule, found.votes):
        yield _row(task_id, present.id if present else None, outcome, rule, found.votes, now)


def _row(
    task_id: int, supersedes: int | None, outcome: Outcome, rule: str, votes: dict[str, Any], now: datetime
) -> dict[str, Any]:
    return {
        "task_id": task_id,
        "supersedes": supersedes,
        "outcome": outcome,
        "rule": rule,
        "votes": votes,
        "decided_at": now,
    }


def _rule(settings: AnnotationSettings) -> str:
    return f"{RULE} min_match={settings.min_match} overlap={settings.overlap}-{settings.max_overlap}"


def _most(votes: Mapping[str, int]) -> str:
    """The answer most often given; `cannot_tell` only when nobody could."""
    told = {word: count for word, count in votes.items() if word != CANNOT_TELL} or votes
    return min(told, key=lambda word: (-told[word], word), default="")
