"""Judgements made elsewhere, taken in from a file: whole or not at all, and once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update

from waon_build.annotation import decided, decisions, queue
from waon_build.annotation.connectors.files import import_judgements
from waon_build.annotation.connectors.tools import FileKind
from waon_build.annotation.database import writing
from waon_build.annotation.models import Annotation, Annotator, Kind, Lease, Standing, State, Table, Task, live
from waon_build.annotation.order import Plan
from waon_build.annotation.questions import Answers, load
from waon_build.annotation.routing import pair_ids, retire
from waon_build.recipe import AnnotationSettings, QualitySettings
from waon_build.records import InputError

PLAN = Plan(10, quality=QualitySettings(gold_first=0, gold=0, twins=0))
"""One task at a time, as they come, without gold or twins."""

Fill = Callable[..., None]
Import = Callable[..., dict[str, Any]]


def judgement(number: int, who: str = "花子", **others: Any) -> dict[str, Any]:
    return {"pair_id": f"{number:016x}", "annotator": who, "match": 3, "culture": "specific", **others}


@pytest.fixture
def take_in(engine: Engine, tmp_path: Path, settings: AnnotationSettings, now: datetime) -> Import:
    """Imports judgements (objects, or lines as they are); returns the counts as plain data."""

    def taken(*lines: dict[str, Any] | str | bytes) -> dict[str, Any]:
        path = tmp_path / "judgements.jsonl"
        texts = [line if isinstance(line, str | bytes) else json.dumps(line, ensure_ascii=False) for line in lines]
        path.write_bytes(b"\n".join(text.encode() if isinstance(text, str) else text for text in texts))
        return import_judgements(engine, str(path), settings, now).to_json()

    return taken


def live_answers(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.scalars(select(Annotation.answers).where(live(Annotation)).order_by(Annotation.id)))


def test_a_file_goes_through_the_queue(engine: Engine, queued: Fill, take_in: Import) -> None:
    queued(range(3))
    counts = take_in(judgement(0), judgement(1), judgement(0, "太郎", match=1, guideline_version="2026-05-0"), "", "  ")
    assert counts == {"read": 3, "kept": 3, "dropped": {}}
    with engine.connect() as connection:
        assert connection.execute(select(Task.answered, Task.held).order_by(Task.id)).all() == [(2, 0), (1, 0), (0, 0)]
        assert connection.scalar(select(func.count()).select_from(Lease)) == 0
        versions = set(connection.scalars(select(Annotation.guideline_version)))
    assert versions == {"2026-11-1", "2026-05-0"}


def test_a_pair_may_be_named_by_its_url_and_caption(engine: Engine, queued: Fill, take_in: Import) -> None:
    """Captions are compared as pairs are: in NFKC, white space folded."""
    queued(range(2))
    named = {"url": "https://images.example/1.jpg", "caption": " 第１の門松 ", "annotator": "x"}
    assert take_in({**named, "match": 0, "culture": "not"})["kept"] == 1
    with engine.connect() as connection:
        assert connection.scalars(select(Task.pair_id).where(Task.answered == 1)).all() == [f"{1:016x}"]


def test_importing_a_file_again_changes_nothing(engine: Engine, queued: Fill, take_in: Import) -> None:
    queued(range(2))
    lines = [judgement(0), judgement(1), judgement(1, "太郎")]
    take_in(*lines)
    assert take_in(*lines) == {"read": 3, "kept": 0, "dropped": {"already_there": 3}}
    assert len(live_answers(engine)) == 3


def test_a_different_answer_corrects_the_earlier_one(engine: Engine, queued: Fill, take_in: Import) -> None:
    queued(range(1))
    take_in(judgement(0))
    assert take_in(judgement(0, match=1))["kept"] == 1
    assert [said["match"] for said in live_answers(engine)] == [1]
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Annotation)) == 2


def test_more_than_wanted_are_taken_up_to_the_most_that_a_task_may_have(
    engine: Engine, queued: Fill, take_in: Import
) -> None:
    """People who judged elsewhere were not kept from a full task; nobody in the queue is offered the rest."""
    queued(range(1), overlap=2)
    counts = take_in(*(judgement(0, f"annotator {number}") for number in range(7)))
    assert counts == {"read": 7, "kept": 5, "dropped": {"overlap_reached": 2}}
    with engine.connect() as connection:
        assert list(queue.waiting(connection)) == []


def test_a_flag_that_takes_the_pair_out_is_taken_by_a_task_that_is_full(
    engine: Engine, queued: Fill, take_in: Import, settings: AnnotationSettings, now: datetime
) -> None:
    queued(range(1))
    take_in(*(judgement(0, f"annotator {number}") for number in range(5)))
    assert decisions.decide(engine, settings, now) == {"accepted": 1}
    late = [judgement(0, "花子", flags=["generated"]), judgement(0, "太郎", flags=["generated", "harmful"])]
    assert take_in(*late) == {"read": 2, "kept": 1, "dropped": {"overlap_reached": 1}}
    assert decisions.decide(engine, settings, now) == {"rejected": 1}
    assert list(decided.accepted(engine, load("ja"))) == []
    assert take_in(late[1])["dropped"] == {"already_there": 1}
    with engine.connect() as connection:
        assert connection.execute(select(Task.state, Task.wanted, Task.answered)).all() == [(State.DONE, 6, 6)]


def test_a_flag_taken_beyond_the_most_and_then_corrected_leaves_the_task_as_full_as_it_is(
    engine: Engine, queued: Fill, take_in: Import, settings: AnnotationSettings, now: datetime
) -> None:
    queued(range(1))
    grades = [3, 3, 3, 0, 0]
    take_in(*(judgement(0, f"annotator {number}", match=grade) for number, grade in enumerate(grades)))
    take_in(judgement(0, match=0, flags=["personal"]))
    take_in(judgement(0, match=0))
    assert decisions.decide(engine, settings, now) == {"undecided": 1}
    with engine.connect() as connection:
        rows = connection.execute(select(Task.kind, Task.state, Task.wanted, Task.answered)).all()
    assert rows == [("normal", State.DONE, 6, 6), ("adjudication", State.OPEN, 1, 0)]


def test_of_what_one_annotator_says_of_a_task_in_one_file_the_last_counts(
    engine: Engine, queued: Fill, take_in: Import
) -> None:
    """However they name the pair; so that a file that holds a correction may be imported again, too."""
    queued(range(2))
    by_address = {"url": "https://images.example/0.jpg", "caption": "第0の門松"}
    lines = [judgement(0), judgement(1), judgement(0, "太郎", match=2), {**judgement(0, match=1), **by_address}]
    del lines[3]["pair_id"]
    assert take_in(*lines) == {"read": 4, "kept": 3, "dropped": {"superseded_in_file": 1}}
    assert take_in(*lines) == {"read": 4, "kept": 0, "dropped": {"already_there": 3, "superseded_in_file": 1}}
    assert sorted(said["match"] for said in live_answers(engine)) == [1, 2, 3]
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Annotation)) == 3


@pytest.mark.parametrize("standing", [Standing.PAUSED, Standing.BLOCKED])
def test_who_may_not_judge_may_not_correct_either(
    engine: Engine, queued: Fill, take_in: Import, standing: Standing
) -> None:
    queued(range(1))
    take_in(judgement(0))
    with writing(engine) as connection:
        connection.execute(update(Annotator).values(standing=standing))
    assert take_in(judgement(0, match=0)) == {"read": 1, "kept": 0, "dropped": {"not_active": 1}}
    assert [said["match"] for said in live_answers(engine)] == [3]


def test_names_are_not_kept_and_the_same_name_is_the_same_annotator(
    engine: Engine, queued: Fill, take_in: Import, annotator: Callable[[], str]
) -> None:
    queued(range(3))
    known = annotator()
    take_in(judgement(0, "hanako@example.org"), judgement(1, "hanako@example.org"), judgement(2, known))
    take_in(judgement(2, "hanako@example.org"))
    with engine.connect() as connection:
        ids = set(connection.scalars(select(Annotator.id)))
        people = connection.scalars(select(Annotation.annotator_id).where(Annotation.task_id == 3)).all()
        everything = [str(row) for table in Table.metadata.sorted_tables for row in connection.execute(select(table))]
    assert known in people
    assert len(people) == len(ids) == 2
    assert "hanako" not in "".join(everything)
    if engine.dialect.name == "sqlite":
        assert b"hanako" not in Path(str(engine.url.database)).read_bytes()


def test_a_withdrawn_pair_and_a_blocked_annotator_are_left_out_with_a_reason(
    engine: Engine, queued: Fill, take_in: Import, annotator: Callable[[], str], now: datetime
) -> None:
    queued(range(2))
    blocked = annotator()
    with writing(engine) as connection:
        connection.execute(update(Annotator).values(standing=Standing.BLOCKED))
    retire(engine, Kind.NORMAL, pair_ids([f"{0:016x}"]), now)
    counts = take_in(judgement(1), judgement(0, blocked))
    assert counts == {"read": 2, "kept": 0, "dropped": {"not_active": 1, "task_withdrawn": 1}}


def test_an_answer_is_for_the_normal_task_of_a_pair_that_has_several(
    engine: Engine, queued: Fill, take_in: Import
) -> None:
    queued(range(1), kind=Kind.SCREENED_OUT)
    queued(range(1), kind=Kind.GOLD)
    queued(range(1))
    take_in(judgement(0))
    with engine.connect() as connection:
        assert connection.scalars(select(Task.kind).where(Task.answered == 1)).all() == [Kind.NORMAL]


def test_leases_of_people_at_work_are_left_to_them(
    engine: Engine,
    queued: Fill,
    take_in: Import,
    annotator: Callable[[], str],
    answer: Callable[..., Answers],
    now: datetime,
) -> None:
    queued(range(1), overlap=1)
    who = annotator()
    with writing(engine) as connection:
        leased = next(iter(queue.claim(connection, who, now, PLAN)), None)
    assert leased is not None
    assert take_in(judgement(0))["kept"] == 1
    with writing(engine) as connection:
        queue.submit(connection, who, leased.task.task_id, leased.token, answer(), now + timedelta(minutes=5))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{not json", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[1, 2]", "is not an object"),
        ('"text"', "is not an object"),
        ({"annotator": "x", "match": 3}, "pair_id is missing: give it, or url and caption"),
        ({"annotator": "x", "url": "https://images.example/1.jpg"}, "pair_id is missing"),
        ({"pair_id": "0" * 16, "match": 3, "culture": "not"}, "annotator is missing"),
        (judgement(0, who=" "), "annotator is ' ': give a text of at most 200"),
        (judgement(0, who=17), "annotator is '17': give a text"),  # type: ignore[arg-type]
        (judgement(0, match=5), "match is '5': give 0, 1, 2, 3 or cannot_tell"),
        (judgement(0, colour="red"), "colour is not a question"),
        (judgement(99), "no such pair was ever in the queue"),
        (judgement(0, pair_id="門" * 16), "no such pair"),
        (judgement(0, url="https://images.example/1.jpg", caption="第1の門松"), "are not those of pair"),
        (judgement(0, guideline_version="x" * 33), "guideline_version is"),
        ('{"pair_id": "\\ud800", "annotator": "x", "match": 3, "culture": "not"}', "pair_id is"),
        ('{"pair_id": "0", "annotator": "\\u0000", "match": 3, "culture": "not"}', "annotator is"),
    ],
)
def test_a_bad_line_is_named_and_nothing_of_its_file_is_taken(
    engine: Engine, queued: Fill, take_in: Import, line: Any, problem: str
) -> None:
    queued(range(3))
    with pytest.raises(InputError) as error:
        take_in(judgement(1), judgement(2), line)
    assert "judgements.jsonl:3: " in str(error.value)
    assert problem in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert live_answers(engine) == []
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Annotator)) == 0


def test_a_file_that_cannot_be_read_is_one_line(
    engine: Engine, take_in: Import, settings: AnnotationSettings, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"nowhere\.jsonl: cannot be read"):
        import_judgements(engine, str(tmp_path / "nowhere.jsonl"), settings)
    with pytest.raises(InputError, match="cannot be read"):
        import_judgements(engine, str(tmp_path), settings, kind=FileKind.JSONL)
    with pytest.raises(InputError, match="is not UTF-8 text"):
        take_in("門松".encode("shift_jis"))


def test_a_file_with_a_byte_order_mark_is_read(queued: Fill, take_in: Import) -> None:
    queued(range(1))
    assert take_in(b"\xef\xbb\xbf" + json.dumps(judgement(0)).encode())["kept"] == 1


def test_an_empty_file_takes_nothing(queued: Fill, take_in: Import) -> None:
    queued(range(1))
    assert take_in() == {"read": 0, "kept": 0, "dropped": {}}
