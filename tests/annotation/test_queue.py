"""The queue on a real SQLite file: leases, submits, corrections and refusals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, event, func, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from waon_build.annotation import queue, refusals
from waon_build.annotation.database import writing
from waon_build.annotation.models import Annotation, Annotator, Lease, Standing, State, Task, live
from waon_build.annotation.order import Plan
from waon_build.annotation.questions import Answers
from waon_build.recipe import QualitySettings

PLAN = Plan(10, quality=QualitySettings(gold_first=0, gold=0, twins=0))
"""One task at a time, as they come, without gold or twins."""

Add = Callable[[], str]
Fill = Callable[..., None]
Answer = Callable[..., Answers]


def take(engine: Engine, who: str, now: datetime) -> queue.Leased | None:
    with writing(engine) as connection:
        return next(iter(queue.claim(connection, who, now, PLAN)), None)


def send(engine: Engine, who: str, leased: queue.Leased, answers: Answers, now: datetime) -> int:
    with writing(engine) as connection:
        return queue.submit(connection, who, leased.task.task_id, leased.token, answers, now)


def judge_all(engine: Engine, who: str, answers: Answers, now: datetime) -> list[int]:
    """Judge until nothing is left for `who`; returns the tasks in the order they came."""
    tasks = []
    while (leased := take(engine, who, now)) is not None:
        send(engine, who, leased, answers, now)
        tasks.append(leased.task.task_id)
    return tasks


def test_an_annotator_is_shown_the_pair_and_where_its_image_lies(
    engine: Engine, queued: Fill, annotator: Add, now: datetime
) -> None:
    queued(range(1))
    leased = take(engine, annotator(), now)
    assert leased is not None
    assert leased.task.caption == "第0の門松"
    assert (leased.task.stored_in, leased.task.offset, leased.task.size) == ("g0001-000001", 0, 400)
    assert leased.expires_at == now + timedelta(minutes=10)


def test_the_same_annotator_never_sees_a_task_twice(
    engine: Engine, queued: Fill, annotator: Add, answer: Answer, now: datetime
) -> None:
    queued(range(20), overlap=3)
    for _ in range(3):
        tasks = judge_all(engine, annotator(), answer(), now)
        assert len(tasks) == len(set(tasks)) == 20


def test_overlap_is_reached_and_never_exceeded(
    engine: Engine, queued: Fill, annotator: Add, answer: Answer, now: datetime
) -> None:
    queued(range(5), overlap=2)
    assert [len(judge_all(engine, annotator(), answer(), now)) for _ in range(4)] == [5, 5, 0, 0]
    with engine.connect() as connection:
        assert set(connection.execute(select(Task.answered, Task.held, Task.state))) == {(2, 0, State.DONE)}


def test_live_leases_count_towards_the_overlap(engine: Engine, queued: Fill, annotator: Add, now: datetime) -> None:
    queued(range(1), overlap=2)
    assert take(engine, annotator(), now) is not None
    assert take(engine, annotator(), now) is not None
    assert take(engine, annotator(), now) is None


def test_who_asks_again_gets_the_task_they_hold_renewed(
    engine: Engine, queued: Fill, annotator: Add, now: datetime
) -> None:
    """A page that is loaded again must not lease its way through the queue."""
    queued(range(5))
    who = annotator()
    first = take(engine, who, now)
    again = take(engine, who, now + timedelta(minutes=4))
    assert first is not None
    assert again is not None
    assert (again.task, again.token) == (first.task, first.token)
    assert again.expires_at == first.expires_at + timedelta(minutes=4)


def test_an_expired_lease_returns_by_itself(engine: Engine, queued: Fill, annotator: Add, now: datetime) -> None:
    queued(range(1), overlap=1)
    assert take(engine, annotator(), now) is not None
    other = annotator()
    assert take(engine, other, now + timedelta(minutes=9)) is None
    assert take(engine, other, now + timedelta(minutes=10)) is not None


def test_a_lease_of_a_clock_that_ran_ahead_is_not_waited_for(
    engine: Engine, queued: Fill, annotator: Add, now: datetime
) -> None:
    """The machine believed for a while to be in another year: its leases would hold their tasks until then."""
    queued(range(1), overlap=1)
    assert take(engine, annotator(), now + timedelta(days=365)) is not None
    assert take(engine, annotator(), now) is not None


def test_an_answer_under_a_lost_lease_is_refused_by_name(
    engine: Engine, queued: Fill, annotator: Add, answer: Answer, now: datetime
) -> None:
    queued(range(1), overlap=1)
    slow, quick = annotator(), annotator()
    lost = take(engine, slow, now)
    later = now + timedelta(minutes=11)
    leased = take(engine, quick, later)
    assert lost is not None
    assert leased is not None
    with pytest.raises(refusals.LeaseLost) as refusal:
        send(engine, slow, lost, answer(), later)
    assert refusal.value.word == "lease_lost"
    send(engine, quick, leased, answer(), later)


def test_nobody_submits_under_the_token_of_another(
    engine: Engine, queued: Fill, annotator: Add, answer: Answer, now: datetime
) -> None:
    queued(range(1))
    leased = take(engine, annotator(), now)
    assert leased is not None
    with pytest.raises(refusals.LeaseLost):
        send(engine, annotator(), leased, answer(), now)


def test_a_renewed_lease_holds_on(engine: Engine, queued: Fill, annotator: Add, answer: Answer, now: datetime) -> None:
    queued(range(1), overlap=1)
    who, other = annotator(), annotator()
    leased = take(engine, who, now)
    assert leased is not None
    with writing(engine) as connection:
        held, gone = queue.renew(connection, who, [leased.token, "x"], now + timedelta(minutes=9), minutes=10)
    assert held == [(leased.task.task_id, leased.token, now + timedelta(minutes=19))]
    assert gone == ["x"]
    assert take(engine, other, now + timedelta(minutes=18)) is None
    send(engine, who, leased, answer(), now + timedelta(minutes=18))


def test_a_lease_that_ran_out_cannot_be_renewed(engine: Engine, queued: Fill, annotator: Add, now: datetime) -> None:
    queued(range(1))
    who = annotator()
    leased = take(engine, who, now)
    assert leased is not None
    with writing(engine) as connection:
        assert queue.renew(connection, who, [leased.token], now + timedelta(minutes=10), 10) == ([], [leased.token])


def test_an_answer_sent_twice_is_taken_once(
    engine: Engine, queued: Fill, annotator: Add, answer: Answer, now: datetime
) -> None:
    """A sender who never saw the reply asks again, and is told the same."""
    queued(range(1))
    who = annotator()
    leased = take(engine, who, now)
    assert leased is not None
    first = send(engine, who, leased, answer(2), now)
    assert send(engine, who, leased, answer(2), now + timedelta(hours=1)) == first
    with pytest.raises(refusals.AlreadyAnswered):
        send(engine, who, leased, answer(0), now)
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Annotation)) == 1


def test_a_correction_supersedes_and_keeps_what_was_said(
    engine: Engine, queued: Fill, annotator: Add, answer: Answer, now: datetime
) -> None:
    queued(range(1))
    who = annotator()
    leased = take(engine, who, now)
    assert leased is not None
    first = send(engine, who, leased, answer(3), now)
    with writing(engine) as connection:
        second = queue.correct(connection, who, leased.task.task_id, answer(1), now)
        assert queue.correct(connection, who, leased.task.task_id, answer(1), now) == second
    with engine.connect() as connection:
        rows = connection.execute(select(Annotation.id, Annotation.supersedes, Annotation.answers)).all()
        assert [(row.id, row.supersedes, row.answers["match"]) for row in rows] == [
            (first, None, 3),
            (second, first, 1),
        ]
        assert connection.scalars(select(Annotation.id).where(live(Annotation))).all() == [second]
        assert connection.scalar(select(Task.answered)) == 1


def test_there_is_nothing_to_correct_before_an_answer(
    engine: Engine, queued: Fill, annotator: Add, answer: Answer, now: datetime
) -> None:
    queued(range(1))
    who = annotator()
    with pytest.raises(refusals.NotAnswered), writing(engine) as connection:
        queue.correct(connection, who, 1, answer(), now)


def test_who_is_not_active_corrects_nothing(
    engine: Engine, queued: Fill, annotator: Add, answer: Answer, now: datetime
) -> None:
    queued(range(1))
    who = annotator()
    leased = take(engine, who, now)
    assert leased is not None
    send(engine, who, leased, answer(3), now)
    with writing(engine) as connection:
        connection.execute(update(Annotator).values(standing=Standing.PAUSED))
    with pytest.raises(refusals.NotActive), writing(engine) as connection:
        queue.correct(connection, who, 1, answer(0), now)


def test_a_transaction_that_fails_takes_nothing(
    engine: Engine, queued: Fill, annotator: Add, answer: Answer, now: datetime
) -> None:
    """Submit and lease in one transaction: all of it or nothing."""
    queued(range(2))
    who = annotator()
    leased = take(engine, who, now)
    assert leased is not None

    def submit_and_lease(task_id: int) -> None:
        with writing(engine) as connection:
            queue.submit(connection, who, leased.task.task_id, leased.token, answer(), now)
            queue.lease_task(connection, who, task_id, now, minutes=10)

    with pytest.raises(refusals.UnknownTask):
        submit_and_lease(999)
    submit_and_lease(3 - leased.task.task_id)


def test_a_certain_task_is_leased_unless_something_speaks_against_it(
    engine: Engine, queued: Fill, annotator: Add, answer: Answer, now: datetime
) -> None:
    queued(range(2), overlap=1)
    who, other = annotator(), annotator()
    with writing(engine) as connection:
        leased = queue.lease_task(connection, who, 2, now, minutes=10)
        assert queue.lease_task(connection, who, 2, now, minutes=10).token == leased.token
        with pytest.raises(refusals.OverlapReached):
            queue.lease_task(connection, other, 2, now, minutes=10)
        queue.submit(connection, who, 2, leased.token, answer(), now)
        with pytest.raises(refusals.AlreadyAnswered):
            queue.lease_task(connection, who, 2, now, minutes=10)
        connection.execute(update(Task).where(Task.id == 1).values(state=State.WITHDRAWN))
        with pytest.raises(refusals.TaskWithdrawn):
            queue.lease_task(connection, who, 1, now, minutes=10)


@pytest.mark.parametrize("standing", [Standing.PAUSED, Standing.BLOCKED])
def test_who_is_paused_or_blocked_gets_no_task(
    engine: Engine, queued: Fill, annotator: Add, now: datetime, standing: Standing
) -> None:
    queued(range(1))
    who = annotator()
    with writing(engine) as connection:
        connection.execute(update(Annotator).values(standing=standing))
    with pytest.raises(refusals.NotActive):
        take(engine, who, now)
    with pytest.raises(refusals.UnknownAnnotator):
        take(engine, "nobody", now)


def test_tasks_come_in_the_order_of_wave_and_priority(
    engine: Engine, queued: Fill, annotator: Add, answer: Answer, now: datetime
) -> None:
    queued(range(30))
    with engine.connect() as connection:
        order = [shown.task_id for shown in queue.waiting(connection)]
        assert order == list(connection.scalars(select(Task.id).order_by(Task.wave, Task.priority, Task.chance)))
    assert judge_all(engine, annotator(), answer(), now) == order


def test_a_lease_reads_an_index_and_not_the_table(sqlite: Engine, queued: Fill, annotator: Add, now: datetime) -> None:
    """SQLite is particular about the words of a partial index: with others it reads all tasks, silently."""
    queued(range(5))
    statements: list[tuple[str, Any]] = []
    who = annotator()
    event.listen(sqlite, "before_cursor_execute", lambda _c, _k, sql, values, _x, _m: statements.append((sql, values)))
    assert take(sqlite, who, now) is not None
    with sqlite.connect() as connection:
        plans = [
            row[3]
            for sql, values in statements
            if sql.startswith(("SELECT", "UPDATE", "DELETE"))
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
        ]
    assert any("ix_tasks_free" in plan for plan in plans)
    assert not [plan for plan in plans if plan.startswith("SCAN") or "TEMP B-TREE" in plan]


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE annotations SET answers = '{}'", "append-only"),
        ("DELETE FROM annotations", "append-only"),
        ("UPDATE tasks SET held = 2", "overlap_is_kept"),
        ("UPDATE tasks SET answered = -1", "overlap_is_kept"),
        ("UPDATE tasks SET kind = 'other'", "kind_is_known"),
        (
            "INSERT INTO annotations (task_id, annotator_id, guideline_version, answers, created_at) "
            "SELECT task_id, annotator_id, '1', '{}', created_at FROM annotations",
            "(?i)unique",
        ),
        (
            "INSERT INTO annotations (task_id, annotator_id, supersedes, guideline_version, answers, created_at) "
            "SELECT 3 - task_id, annotator_id, id, '1', '{}', created_at FROM annotations",
            "(?i)foreign key",
        ),
    ],
)
def test_the_database_itself_refuses_what_must_never_be(
    engine: Engine, queued: Fill, annotator: Add, answer: Answer, now: datetime, statement: str, problem: str
) -> None:
    """Whoever writes to it, and by whatever program."""
    queued(range(2))
    who = annotator()
    leased = take(engine, who, now)
    assert leased is not None
    send(engine, who, leased, answer(), now)
    with pytest.raises(DBAPIError, match=problem), writing(engine) as connection:
        connection.execute(text(statement))


def test_a_correction_has_one_successor_at_most(
    engine: Engine, queued: Fill, annotator: Add, answer: Answer, now: datetime
) -> None:
    queued(range(1))
    who = annotator()
    leased = take(engine, who, now)
    assert leased is not None
    send(engine, who, leased, answer(), now)
    with writing(engine) as connection:
        queue.correct(connection, who, 1, answer(1), now)
    with pytest.raises(IntegrityError, match="supersedes"), writing(engine) as connection:
        connection.execute(
            text(
                "INSERT INTO annotations (task_id, annotator_id, supersedes, guideline_version, answers, created_at) "
                "SELECT task_id, annotator_id, 1, '1', '{}', created_at FROM annotations WHERE id = 2"
            )
        )


def test_times_come_back_in_utc_and_one_without_a_zone_is_refused(
    engine: Engine, queued: Fill, annotator: Add, now: datetime
) -> None:
    queued(range(1))
    tokyo = now.astimezone(ZoneInfo("Asia/Tokyo"))
    take(engine, annotator(), tokyo)
    with engine.connect() as connection:
        expires = connection.scalars(select(Lease.expires_at)).one()
        assert expires == now + timedelta(minutes=10)
        assert expires.utcoffset() == timedelta(0)
        with pytest.raises(Exception, match="no time zone"):
            connection.scalar(select(Lease.task_id).where(Lease.expires_at > now.replace(tzinfo=None)))
