"""Statements that are prepared give what SQLAlchemy gives, on both databases."""

from __future__ import annotations

import gc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, update

from waon_build.annotation import people, queue
from waon_build.annotation.access import Session
from waon_build.annotation.database import writing
from waon_build.annotation.models import Annotation, Annotator, Event, Role, Standing, Task
from waon_build.annotation.order import Plan
from waon_build.annotation.prepared import Statements, prepared

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

BY_ID = select(Annotator.id, Annotator.qualified, Annotator.created_at).where(Annotator.id == bindparam("who"))
AMONG = select(Annotator.id).where(Annotator.id.in_(bindparam("whom", expanding=True))).order_by(Annotator.id)
KNOWN = select(Annotator.id).where(
    Annotator.role.in_((Role.ANNOTATOR, Role.COORDINATOR)),
    Annotator.created_at == NOW,
    Annotator.id == bindparam("who"),
)
COUNT = select(func.count()).select_from(Annotator)
NOTE = insert(Event)
NOTED = select(Event.at, Event.detail).where(Event.verb == bindparam("verb"))
RENAME = (
    update(Annotator)
    .where(Annotator.id == bindparam("who"))
    .values(because=bindparam("why"))
    .returning(Annotator.because)
)
END = delete(Session).where(Session.annotator_id == bindparam("who"))


@pytest.fixture
def statements(engine: Engine) -> Statements:
    return Statements(engine.dialect)


def thrice(connection: Connection, statements: Statements, statement: Any, parameters: Any) -> list[Any]:
    """What a statement gives from SQLAlchemy, and prepared: the first time it is met, and after that."""
    quick = prepared(connection, statements)
    return [
        list(connection.execute(statement, parameters)),
        *(list(quick.execute(statement, parameters)) for _ in range(2)),
    ]


def test_rows_are_alike_in_values_types_and_names(engine: Engine, statements: Statements, annotator: Any) -> None:
    who = annotator()
    with writing(engine) as connection:
        plain, first, second = thrice(connection, statements, BY_ID, {"who": who})
        assert plain == first == [tuple(second[0])]
        row = second[0]
        assert (row.id, row.qualified, row.created_at) == (who, False, plain[0].created_at)
        assert row.qualified is False
        assert row.created_at.tzinfo is not None
        assert row[:2] == (who, False)


def test_lists_of_any_length_are_searched(engine: Engine, statements: Statements, annotator: Any) -> None:
    ids = sorted(annotator() for _ in range(5))
    with writing(engine) as connection:
        for some in (ids[:1], ids[:3], ids, ids[1:4], []):
            plain, *others = thrice(connection, statements, AMONG, {"whom": some})
            assert [row.id for row in plain] == some
            assert [[row.id for row in rows] for rows in others] == [some, some]


def test_what_stands_in_the_statement_itself_is_as_it_was_written(
    engine: Engine, statements: Statements, annotator: Any
) -> None:
    who = annotator()
    with writing(engine) as connection:
        for rows in thrice(connection, statements, KNOWN, {"who": who}):
            assert [row.id for row in rows] == [who]


def test_what_is_written_is_read_as_it_was(engine: Engine, statements: Statements) -> None:
    detail = {"because": "門松", "list": [1, None, {"a": True}]}
    with writing(engine) as connection:
        quick = prepared(connection, statements)
        for number in range(3):
            at = NOW + timedelta(minutes=number)
            row = {"at": at, "actor": "", "verb": f"v{number}", "subject": "x", "detail": detail}
            quick.execute(NOTE, row)
            for _ in range(3):
                assert list(quick.execute(NOTED, {"verb": f"v{number}"})) == [(at, detail)]


def test_returning_and_counts_of_rows(engine: Engine, statements: Statements, annotator: Any) -> None:
    who = annotator()
    with writing(engine) as connection:
        quick = prepared(connection, statements)
        for why in ("one", "two", "three"):
            assert quick.scalar(RENAME, {"who": who, "why": why}) == why
            assert quick.execute(RENAME, {"who": "nobody", "why": why}).first() is None
            assert quick.execute(END, {"who": who}).rowcount == 0
            assert quick.scalars(BY_ID, {"who": who}).all() == [who]
            assert quick.scalar(BY_ID, {"who": "nobody"}) is None
            assert quick.scalar(COUNT) == 1


def test_one_row_is_one_row(engine: Engine, statements: Statements, annotator: Any) -> None:
    ids = [annotator(), annotator()]
    with writing(engine) as connection:
        quick = prepared(connection, statements)
        for _ in range(3):
            assert quick.execute(AMONG, {"whom": ids[:1]}).scalar_one() == ids[0]
            assert len(quick.execute(AMONG, {"whom": ids}).all()) == 2
        for some in (ids, ["nobody"]):
            with pytest.raises(LookupError):
                quick.execute(AMONG, {"whom": some}).one()


def test_statements_made_in_passing_are_not_kept(engine: Engine, statements: Statements, annotator: Any) -> None:
    with writing(engine) as connection:
        quick = prepared(connection, statements)
        for _ in range(50):
            quick.execute(select(Annotator.id).where(Annotator.id == annotator_id()), {})
    gc.collect()
    assert len(statements) <= 1


def annotator_id() -> str:
    return "0" * 32


def test_a_whole_day_of_work_goes_the_same_way(
    engine: Engine, queued: Any, answer: Any, statements: Statements
) -> None:
    """Claim, submit, skip, undo, correct, over and over, by several people, through prepared statements alone."""
    queued(range(12), overlap=2)
    plan = Plan(minutes=10, ahead=3)
    with writing(engine) as connection:
        staff = [people.add(connection, NOW, role) for role in (Role.ANNOTATOR, Role.ANNOTATOR, Role.COORDINATOR)]
    for round_number in range(30):
        now = NOW + timedelta(minutes=round_number)
        who = staff[round_number % 3]
        with writing(engine) as connection:
            quick = prepared(connection, statements)
            held = queue.claim(quick, who, now, plan)
            if not held:
                break
            task = held[0]
            if round_number % 7 == 3:
                queue.skip(quick, who, task.task.task_id, task.token, "other", "", now)
                continue
            number = queue.submit(quick, who, task.task.task_id, task.token, answer(), now)
            assert queue.submit(quick, who, task.task.task_id, task.token, answer(), now) == number
            queue.renew(quick, who, [one.token for one in held], now, 10)
            if round_number % 5 == 4:
                assert queue.undo(quick, who, number, now, 10).answers == answer().values
            elif round_number % 5 == 2:
                queue.correct(quick, who, task.task.task_id, answer(1), now)
    with engine.connect() as connection:
        for task in connection.execute(select(Task.held, Task.answered, Task.wanted)):
            assert 0 <= task.answered + task.held <= task.wanted
        assert (connection.scalar(select(func.count()).select_from(Annotation)) or 0) > 15
        assert {one.person.standing for one in people.everyone(connection)} == {Standing.ACTIVE}
