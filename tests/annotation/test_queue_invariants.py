"""Whatever people do and in whatever order: what the queue promises, held by hypothesis."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, func, select, update

from waon_build.annotation import database, decisions, gold, order, people, queue, refusals, reports, standing
from waon_build.annotation.database import writing
from waon_build.annotation.models import (
    Annotation,
    Annotator,
    Decision,
    Event,
    Kind,
    Lease,
    Outcome,
    Report,
    Role,
    Skip,
    Standing,
    State,
    Task,
    live,
)
from waon_build.annotation.order import Plan
from waon_build.annotation.questions import folder, load
from waon_build.annotation.routing import PLACED, pair_ids, place, put, retire
from waon_build.recipe import AnnotationSettings, QualitySettings

pytestmark = pytest.mark.slow

TASKS, WAVE, PEOPLE = 5, 2, 4
PLAN = Plan(10, quality=QualitySettings(gold_first=0.2, gold=0.2, twins=0.2, max_error=0.99))
QUESTIONS = load("ja")
GRADES = st.sampled_from([0, 1, 2, 3, 3, 3, "cannot_tell"])
FLAGS = st.sampled_from([[], [], [], [], ["harmful"], ["generated"]])
VERSIONS = ("1", "2", "3")
CHANGED = ("", "culture", "better_caption")

Held = tuple[str, queue.Leased]


def pair(number: int) -> dict[str, Any]:
    """The first two are near-duplicates."""
    texts = dict.fromkeys(("url", "caption", "caption_source", "page_url", "page_title", "stored_in", "format"), "x")
    numbers = dict.fromkeys(("offset", "size", "width", "height"), 1)
    return {**texts, **numbers, "pair_id": f"{number:016x}", "cluster_id": f"{max(number, 1):016x}"}


class Queue(RuleBasedStateMachine):
    """A small queue, a few people, and a clock that only goes forward."""

    people: Bundle[str] = Bundle("people")
    leases: Bundle[Held] = Bundle("leases")

    def __init__(self, engine: Engine, guidelines: list[str]) -> None:
        super().__init__()
        self.engine = engine
        self.recipes = [AnnotationSettings(overlap=2, max_overlap=3, guideline=path) for path in guidelines]
        self.version = self.came = 0
        self.now = datetime(2026, 11, 23, tzinfo=UTC)
        self.acknowledged: dict[tuple[int, str], dict[str, Any]] = {}
        self.passed_on: set[tuple[str, str]] = set()
        self.last: dict[str, int] = {}
        self.deciding = decisions.Deciding(engine, self.recipe)
        put(engine, Kind.NORMAL, map(pair, range(TASKS)), 2, self.now)
        place(engine, 2)
        with writing(engine) as connection:
            connection.execute(update(Task).values(wave=(Task.id - 1) // WAVE))
            gold.add(connection, f"{TASKS - 1:016x}", Kind.GOLD, {"match": 3}, self.now)
            self.coordinator = people.add(connection, self.now, Role.COORDINATOR)

    @property
    def recipe(self) -> AnnotationSettings:
        return self.recipes[self.version]

    def teardown(self) -> None:
        self.engine.dispose()

    @precondition(lambda self: self.came < PEOPLE)
    @rule(target=people, role=st.sampled_from([Role.ANNOTATOR, Role.ANNOTATOR, Role.ADJUDICATOR]))
    def somebody_comes(self, role: Role) -> str:
        self.came += 1
        with writing(self.engine) as connection:
            return people.add(connection, self.now, role)

    @rule(target=leases, who=people, ahead=st.integers(1, 3))
    def claim(self, who: str, ahead: int) -> Any:
        return multiple(*((who, leased) for leased in self._claim(who, ahead)))

    @rule(who=people, most=st.integers(1, 8), grade=GRADES)
    def judge_on(self, who: str, most: int, grade: int | str) -> None:
        """One after the other, to the end if need be."""
        for _ in range(most):
            held = self._claim(who, 1)
            if not held:
                return
            self.submit((who, held[0]), grade, "not", [])

    @rule(who=people)
    def look_and_go(self, who: str) -> None:
        """Somebody opens the page, and closes it."""
        for leased in self._claim(who, 1 + TASKS):
            self.release((who, leased))

    def _claim(self, who: str, ahead: int) -> list[queue.Leased]:
        with writing(self.engine) as connection:
            before = set(connection.scalars(select(Lease.token).where(Lease.annotator_id == who)))
            try:
                held = queue.claim(connection, who, self.now, PLAN._replace(ahead=ahead))
            except refusals.NotActive:
                return []
            for leased in held:
                if leased.token not in before:
                    self._check_given(connection, who, leased)
            if len(held) < ahead:
                assert self._free_for(connection, who) == [], "they are told that there is nothing, and there is"
        return held

    def _check_given(self, connection: Any, who: str, leased: queue.Leased) -> None:
        task = connection.execute(select(Task).where(Task.id == leased.task.task_id)).one()
        said = {name: self._said(connection, who, pair_id=task.pair_id, kind=name) for name in Kind}
        assert not said[task.kind], "somebody is given what they have answered"
        assert (task.pair_id, who) not in self.passed_on, "somebody is shown what they passed on"
        if task.kind in (Kind.GOLD, Kind.ADJUDICATION):
            assert not any(said.values()), "the pair is known to them"
        if task.kind == Kind.TWIN:
            assert said[Kind.NORMAL]
        if task.kind == Kind.NORMAL:
            assert not said[Kind.ADJUDICATION], "they have read what others said of it"
        if (last := self.last.get(who)) is not None and last != task.id:
            assert connection.scalar(select(Task.cluster_id).where(Task.id == last)) != task.cluster_id
        self.last[who] = task.id

    def _said(self, connection: Any, who: str, **which: Any) -> bool:
        """Whether an answer of theirs stands."""
        return bool(
            connection.scalar(
                select(func.count())
                .select_from(Annotation)
                .join(Task, Task.id == Annotation.task_id)
                .where(*(getattr(Task, name) == value for name, value in which.items()))
                .where(Annotation.annotator_id == who, Annotation.id > Task.stale_before)
                .where(live(Annotation), ~Annotation.retracted)
            )
        )

    def _free_for(self, connection: Any, who: str) -> list[int]:
        """Every task that might be given to them, looked for the long way."""
        last = connection.scalar(select(Annotator.last_task).where(Annotator.id == who))
        near = connection.scalar(select(Task.cluster_id).where(Task.id == last))
        held = select(Task.pair_id).join(Lease, Lease.task_id == Task.id).where(Lease.annotator_id == who)
        pairs = set(connection.scalars(held))
        return [
            task.id
            for task in connection.execute(select(Task).where(Task.kind.in_(PLACED), Task.state == State.OPEN))
            if task.wanted > task.held + task.answered
            and task.pair_id not in pairs
            and (task.pair_id, who) not in self.passed_on
            and (task.cluster_id != near or task.id == last)
            and not self._said(connection, who, id=task.id)
            and not self._said(connection, who, pair_id=task.pair_id, kind=Kind.ADJUDICATION)
        ]

    @rule(held=leases, grade=GRADES, culture=st.sampled_from(["not", "specific"]), flags=FLAGS)
    def answer(self, held: Held, grade: int | str, culture: str, flags: list[str]) -> None:
        self.submit(held, grade, culture, flags)

    def submit(self, held: Held, grade: int | str, culture: str, flags: list[str]) -> None:
        who, leased = held
        task_id = leased.task.task_id
        answers = QUESTIONS.answers(
            {"match": grade, "culture": culture, "flags": flags}, guideline_version=VERSIONS[self.version]
        )
        try:
            with writing(self.engine) as connection:
                queue.submit(connection, who, task_id, leased.token, answers, self.now)
        except refusals.AlreadyAnswered:
            assert (task_id, who) in self.acknowledged
        except (refusals.LeaseLost, refusals.TaskWithdrawn, refusals.TaskReported):
            pass
        else:
            self.acknowledged[task_id, who] = answers.values

    @rule(held=leases)
    def renew(self, held: Held) -> None:
        who, leased = held
        with writing(self.engine) as connection:
            kept, gone = queue.renew(connection, who, [leased.token], self.now, minutes=10)
            assert len(kept) + len(gone) == 1
            is_active = connection.scalar(select(Annotator.standing).where(Annotator.id == who)) == Standing.ACTIVE
            assert is_active or gone

    @rule(held=leases)
    def give_back(self, held: Held) -> None:
        self.release(held)

    def release(self, held: Held) -> None:
        who, leased = held
        with writing(self.engine) as connection:
            queue.release(connection, who, [leased.token], self.now)

    @rule(held=leases)
    def skip(self, held: Held) -> None:
        who, leased = held
        try:
            with writing(self.engine) as connection:
                queue.skip(connection, who, leased.task.task_id, leased.token, "distressing", "", self.now)
        except refusals.LeaseLost:
            return
        self.passed_on.add((leased.task.pair_id, who))

    @rule(held=leases)
    def report(self, held: Held) -> None:
        who, leased = held
        try:
            with writing(self.engine) as connection:
                queue.report(connection, who, leased.task.task_id, leased.token, "personal", "", self.now)
        except refusals.LeaseLost:
            return
        self.passed_on.add((leased.task.pair_id, who))

    @rule(which=st.integers(0, 5), upheld=st.sampled_from([True, False, False, False]))
    def a_coordinator_looks_at_a_report(self, which: int, upheld: bool) -> None:
        with writing(self.engine) as connection:
            waiting = reports.open_reports(connection)
            if waiting:
                reports.resolve(connection, waiting[which % len(waiting)].id, self.coordinator, upheld, self.now)

    @rule(target=leases, who=people, which=st.integers(0, 3))
    def undo(self, who: str, which: int) -> Any:
        with self.engine.connect() as connection:
            recent = queue.recent(connection, who)
        if which >= len(recent):
            return multiple()
        chosen = recent[which]
        try:
            with writing(self.engine) as connection:
                leased = queue.undo(connection, who, chosen.annotation_id, self.now, minutes=10)
                first = queue.claim(connection, who, self.now, PLAN)[0]
        except (refusals.NotActive, refusals.TooLateToUndo, refusals.TaskWithdrawn, refusals.TaskReported):
            return multiple()
        assert (first.task, first.token) == (leased.task, leased.token)
        assert first.answers == self.acknowledged.pop((chosen.task.task_id, who))
        return who, leased

    @rule(who=people, which=st.integers(0, 3), grade=GRADES, flags=FLAGS)
    def correct(self, who: str, which: int, grade: int | str, flags: list[str]) -> None:
        with self.engine.connect() as connection:
            recent = queue.recent(connection, who)
        if which < len(recent):
            task_id = recent[which].task.task_id
            answers = QUESTIONS.answers(
                {"match": grade, "culture": "not", "flags": flags}, guideline_version=VERSIONS[self.version]
            )
            try:
                with writing(self.engine) as connection:
                    queue.correct(connection, who, task_id, answers, self.now)
            except (refusals.NotActive, refusals.NotAnswered):
                return
            self.acknowledged[task_id, who] = answers.values

    @rule(minutes=st.integers(1, 15))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(who=people, to=st.sampled_from([Standing.ACTIVE, Standing.PAUSED]))
    def somebody_is_paused_or_goes_on(self, who: str, to: Standing) -> None:
        with writing(self.engine) as connection:
            connection.execute(update(Annotator).where(Annotator.id == who).values(standing=to))
            standing.forgive(connection, who)

    @rule(who=consumes(people))
    def somebody_is_blocked(self, who: str) -> None:
        with writing(self.engine) as connection:
            connection.execute(update(Annotator).where(Annotator.id == who).values(standing=Standing.BLOCKED))
            event = {"at": self.now, "actor": self.coordinator, "verb": "standing", "subject": who, "detail": {}}
            connection.execute(Event.__table__.insert(), event)

    @rule(kept=st.sets(st.integers(0, TASKS - 1), min_size=TASKS - 2))
    def pairs_leave_and_return(self, kept: set[int]) -> None:
        retire(self.engine, Kind.NORMAL, pair_ids(f"{number:016x}" for number in kept), self.now)

    @precondition(lambda self: self.version + 1 < len(VERSIONS))
    @rule()
    def the_guideline_changes(self) -> None:
        self.version += 1
        self.deciding = decisions.Deciding(self.engine, self.recipe)

    @rule()
    def decide(self) -> None:
        decisions.decide(self.engine, self.recipe, self.now)
        before = self._decided()
        decisions.decide(self.engine, self.recipe, self.now)
        assert self._decided() == before, "deciding again decides anew"
        self._check_decisions()

    @rule()
    def decide_beside_the_queue(self) -> None:
        if self.deciding.is_due(self.now):
            self.deciding.refit(self.now)
        while self.deciding.step(self.now):
            pass
        self._check_decisions()

    def _check_decisions(self) -> None:
        """Nothing is accepted that was flagged, or of which too few have said so."""
        with self.engine.connect() as connection:
            accepted = select(Decision.task_id).where(live(Decision), Decision.outcome == Outcome.ACCEPTED)
            for task in connection.execute(select(Task).where(Task.id.in_(accepted), Task.state != State.WITHDRAWN)):
                said = self._weighing(connection, Task.id == task.id)
                settled = self._weighing(connection, Task.pair_id == task.pair_id, Task.kind == Kind.ADJUDICATION)
                assert len(said) >= self.recipe.overlap or settled
                assert not reports.is_pulled(connection, task.pair_id)
                dismissed = reports.dismissed(connection)
                for who, answers in said:
                    mistaken = dismissed.get((task.pair_id, who), set())
                    assert {"harmful"} & set(answers.get("flags", ())) <= mistaken

    def _weighing(self, connection: Any, *which: Any) -> list[Any]:
        return list(
            connection.execute(
                select(Annotation.annotator_id, Annotation.answers)
                .join(Task, Task.id == Annotation.task_id)
                .join(Annotator, Annotator.id == Annotation.annotator_id)
                .where(*which, Annotation.id > Task.stale_before, Annotator.standing != Standing.BLOCKED)
                .where(live(Annotation), ~Annotation.retracted)
            )
        )

    def _decided(self) -> dict[int, tuple[int, str]]:
        with self.engine.connect() as connection:
            rows = connection.execute(select(Decision.id, Decision.task_id, Decision.outcome).where(live(Decision)))
            return {row.id: (row.task_id, row.outcome) for row in rows}

    @invariant()
    def overlap_is_never_exceeded_and_the_counters_tell_the_truth(self) -> None:
        with self.engine.connect() as connection:
            said = (
                select(Annotation.task_id)
                .join(Task, Task.id == Annotation.task_id)
                .where(live(Annotation), ~Annotation.retracted, Annotation.id > Task.stale_before)
            )
            answered = Counter(connection.scalars(said))
            held = Counter(connection.scalars(select(Lease.task_id)))
            for task in connection.execute(select(Task)):
                assert (task.held, task.answered) == (held[task.id], answered[task.id])
                assert task.held + task.answered <= task.wanted
                assert task.state != State.WITHDRAWN or task.held == 0
                weighing = len(self._weighing(connection, Task.id == task.id))
                if task.kind in PLACED:
                    assert weighing <= self.recipe.max_overlap
                if task.kind == Kind.ADJUDICATION:
                    assert weighing <= 1

    @invariant()
    def what_was_reported_is_nobody_s_to_see(self) -> None:
        with self.engine.connect() as connection:
            pulled = select(Report.pair_id).where(Report.outcome.in_(reports.PULLS))
            for task in connection.execute(select(Task).where(Task.pair_id.in_(pulled))):
                assert task.state != State.OPEN
                assert task.held == 0
                outcome = select(Decision.outcome).where(Decision.task_id == task.id, live(Decision))
                assert connection.scalar(outcome) != Outcome.ACCEPTED

    @invariant()
    def nobody_holds_what_they_answered_or_passed_on(self) -> None:
        with self.engine.connect() as connection:
            for lease in connection.execute(select(Lease)):
                assert not self._said(connection, lease.annotator_id, id=lease.task_id)
            skipped = select(Lease.task_id).join(
                Skip, (Skip.task_id == Lease.task_id) & (Skip.annotator_id == Lease.annotator_id)
            )
            assert connection.scalars(skipped).all() == []

    @invariant()
    def no_acknowledged_answer_is_lost_or_doubled(self) -> None:
        with self.engine.connect() as connection:
            rows = connection.execute(
                select(Annotation.task_id, Annotation.annotator_id, Annotation.answers).where(
                    live(Annotation), ~Annotation.retracted
                )
            ).all()
        assert len({row[:2] for row in rows}) == len(rows)
        assert {(task, who): values for task, who, values in rows} == self.acknowledged


@pytest.fixture
def guidelines(tmp_path: Path) -> list[str]:
    """Three versions of a guideline, each with the history up to it."""
    questions = (folder("ja") / "questions.yaml").read_text(encoding="utf-8")
    paths = []
    for number, version in enumerate(VERSIONS):
        path = tmp_path / f"guideline-{version}"
        path.mkdir()
        (path / "questions.yaml").write_text(questions.replace(QUESTIONS.version, version), encoding="utf-8")
        history = "".join(
            f"  - {{version: {VERSIONS[at]}, date: 2026-11-25, changed: [{CHANGED[at]}]}}\n" for at in range(number + 1)
        )
        head = f"---\nversion: {version}\nlanguage: ja\ntitle: 試し\nhistory:\n{history}---\n"
        (path / "guideline.md").write_text(head, encoding="utf-8")
        paths.append(str(path))
    return paths


@pytest.fixture
def twins_come_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "TWIN_AFTER", 1)
    monkeypatch.setattr(order, "TWIN_WITHIN", 3)


def run(databases: Iterator[str], guidelines: list[str], examples: int) -> None:
    made: Callable[[], Queue] = lambda: Queue(database.connect(next(databases)), guidelines)  # noqa: E731
    run_state_machine_as_test(
        made,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_what_the_queue_promises_holds_on_sqlite(guidelines: list[str], migrated: Path, twins_come_soon: None) -> None:
    with tempfile.TemporaryDirectory() as place_:

        def copies() -> Iterator[str]:
            for number in range(10**6):
                path = Path(place_) / f"{number % 2}.db"
                for left in Path(place_).glob(f"{path.name}*"):
                    left.unlink()
                path.write_bytes(migrated.read_bytes())
                yield f"sqlite:///{path}"

        run(copies(), guidelines, examples=15)


def test_what_the_queue_promises_holds_on_postgresql(
    guidelines: list[str], postgres: Any, postgres_migrated: str, twins_come_soon: None
) -> None:
    def copies() -> Iterator[str]:
        while True:
            name = postgres.create(postgres_migrated)
            yield postgres.address(name)
            postgres.drop(name)

    run(copies(), guidelines, examples=6)
