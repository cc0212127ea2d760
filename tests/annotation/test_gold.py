"""Gold and qualification tasks: made of pairs in the queue, from the page or a file, and retired."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from waon_build.annotation import gold, queue
from waon_build.annotation.database import writing
from waon_build.annotation.models import UNLIMITED, Event, Kind, Lease, State
from waon_build.annotation.questions import AnswerError, load
from waon_build.annotation.routing import pair_ids, retire
from waon_build.recipe import AnnotationSettings, QualitySettings
from waon_build.records import InputError

from .conftest import pair
from .desk import Desk

KEY = {"match": 3, "culture": ["specific", "related"]}


def adds(desk: Desk, number: int, kind: Kind = Kind.GOLD, **key: object) -> int | None:
    with writing(desk.engine) as connection:
        checked = gold.checked_key(load("ja"), key or KEY)
        return gold.add(connection, f"{number:016x}", kind, checked, desk.now, "chief")


def removes(desk: Desk, task_id: int) -> None:
    with writing(desk.engine) as connection:
        gold.remove(connection, task_id, desk.now, "chief")


def listed(desk: Desk) -> list[gold.GoldTask]:
    with desk.engine.connect() as connection:
        return gold.listing(connection, load("ja"))


@pytest.fixture
def asked(desk: Desk) -> Desk:
    desk.fill(*map(pair, range(3)))
    desk.plan = desk.plan._replace(quality=QualitySettings(gold_first=1, gold=1, twins=0))
    return desk


def test_a_gold_task_shows_its_pair_and_is_given_to_everybody(asked: Desk) -> None:
    task_id = adds(asked, 1)
    assert task_id is not None
    task, source = asked.task(task_id), asked.task(2)
    assert (task.kind, task.wanted, task.wave, task.key) == (Kind.GOLD, UNLIMITED, None, KEY)
    assert (task.caption, task.stored_in, task.offset) == (source.caption, source.stored_in, source.offset)
    assert [asked.judges(asked.comes()) for _ in range(4)] == [task_id] * 4
    assert (asked.task(task_id).answered, asked.task(task_id).state) == (4, State.OPEN)


def test_a_key_that_is_there_already_is_not_made_twice_and_another_takes_its_place(asked: Desk) -> None:
    task_id = adds(asked, 1)
    assert adds(asked, 1) is None
    assert adds(asked, 1, match=0) == task_id
    assert asked.task(task_id).key == {"match": 0}
    assert adds(asked, 1, Kind.QUALIFICATION) != task_id
    with asked.engine.connect() as connection:
        verbs = connection.scalars(select(Event.verb).order_by(Event.id)).all()
    assert verbs == ["gold made", "gold made", "qualification made"]


def test_how_people_did_is_told_of_each_key(asked: Desk) -> None:
    task_id = adds(asked, 1)
    for grade, culture in ((3, "specific"), (2, "related"), (0, "specific"), (3, "not")):
        asked.judges(asked.comes(), grade, culture=culture)
    [one] = listed(asked)
    assert (one.task.task_id, one.kind, one.key, one.right, one.wrong) == (task_id, Kind.GOLD, KEY, 2, 2)


def test_a_gold_task_that_was_removed_is_given_to_nobody_and_never_comes_back_by_itself(asked: Desk) -> None:
    task_id = adds(asked, 1)
    assert task_id is not None
    asked.judges(asked.comes())
    holder = asked.comes()
    held = asked.claim(holder)
    assert held[0].task.task_id == task_id
    removes(asked, task_id)
    removes(asked, task_id)
    with asked.engine.connect() as connection:
        assert connection.execute(select(Lease)).all() == []
    assert (asked.task(task_id).held, asked.task(task_id).answered) == (0, 1)
    retire(asked.engine, Kind.NORMAL, pair_ids([]), asked.now)
    retire(asked.engine, Kind.NORMAL, pair_ids(f"{at:016x}" for at in range(3)), asked.now)
    assert asked.task(task_id).state == State.DONE
    assert task_id not in asked.judges_all(asked.comes())
    assert listed(asked) == []
    assert adds(asked, 1) == task_id
    assert asked.judges(asked.comes()) == task_id


def test_only_gold_is_removed_as_gold(asked: Desk) -> None:
    """A number that is wrong ends nobody's lease."""
    who = asked.comes()
    leased = asked.claim(who)[0]
    removes(asked, leased.task.task_id)
    assert asked.task(leased.task.task_id).held == 1
    asked.says(who, leased)


def test_gold_leaves_and_returns_with_its_pair(asked: Desk) -> None:
    task_id = adds(asked, 1)
    assert task_id is not None
    retire(asked.engine, Kind.NORMAL, pair_ids([f"{0:016x}", f"{2:016x}"]), asked.now)
    assert asked.task(task_id).state == State.WITHDRAWN
    with pytest.raises(gold.NoSuchPairError):
        adds(asked, 1, match=0)
    retire(asked.engine, Kind.NORMAL, pair_ids(f"{at:016x}" for at in range(3)), asked.now)
    assert asked.task(task_id).state == State.OPEN


def test_a_pair_that_is_not_in_the_queue_makes_no_gold(asked: Desk) -> None:
    with pytest.raises(gold.NoSuchPairError, match="is not in the queue"):
        adds(asked, 9)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ({}, "key is empty"),
        ({"better_caption": "x"}, "has no right answer"),
        ({"colour": "red"}, "is not a question"),
        ({"match": [3, 7]}, "give 0, 1, 2"),
        ({"culture": "maybe"}, "give specific"),
    ],
)
def test_a_key_that_no_answer_could_match_is_refused(key: dict[str, object], problem: str) -> None:
    with pytest.raises(AnswerError, match=problem):
        gold.checked_key(load("ja"), key)


def test_a_file_of_keys_is_taken_in_whole_and_a_second_time_changes_nothing(asked: Desk, tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl"
    path.write_text(
        f'{{"pair_id": "{0:016x}", "match": 3, "culture": ["specific"], "kind": "qualification"}}\n\n'
        f'{{"pair_id": "{1:016x}", "match": 0}}\n{{"pair_id": "elsewhere", "match": 0}}\n',
        encoding="utf-8",
    )
    settings = AnnotationSettings()
    first = gold.import_gold(asked.engine, str(path), settings, asked.now).to_json()
    assert first == {"read": 3, "kept": 2, "dropped": {"not_in_queue": 1}}
    again = gold.import_gold(asked.engine, str(path), settings, asked.now).to_json()
    assert again == {"read": 3, "kept": 0, "dropped": {"already_gold": 2, "not_in_queue": 1}}
    assert [one.kind for one in listed(asked)] == ["gold", "qualification"]


@pytest.mark.parametrize("line", ["[]", "{", '{"match": 3}', '{"pair_id": "x", "kind": "silver", "match": 3}'])
def test_a_line_that_is_no_key_is_named_and_nothing_is_taken(asked: Desk, tmp_path: Path, line: str) -> None:
    path = tmp_path / "gold.jsonl"
    path.write_text(f'{{"pair_id": "{0:016x}", "match": 3}}\n{line}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"gold\.jsonl:2: "):
        gold.import_gold(asked.engine, str(path), AnnotationSettings(), asked.now)
    assert listed(asked) == []


def test_annotators_are_not_told_which_task_is_gold(asked: Desk) -> None:
    adds(asked, 1)
    who = asked.comes()
    leased = asked.claim(who)[0]
    assert "gold" not in repr(leased)
    asked.says(who, leased)
    with asked.engine.connect() as connection:
        assert "gold" not in repr(queue.recent(connection, who))
