"""What Label Studio exports goes through the queue as our own annotators' answers do, and names nobody."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from waon_build.annotation.models import Annotation, Annotator, Kind, Task
from waon_build.records import InputError

pytestmark = pytest.mark.usefixtures("six_pairs")

TakeIn = Callable[..., dict[str, Any]]
Answers = Callable[[], list[Any]]


def choices(name: str, *words: Any) -> dict[str, Any]:
    value = {"choices": list(words)}
    return {"id": "x", "from_name": name, "to_name": "picture", "type": "choices", "origin": "manual", "value": value}


def annotation(who: Any = 1, *result: Any, **others: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "completed_by": who,
        "result": list(result) or [choices("match", "3"), choices("culture", "specific")],
        "was_cancelled": False,
        "updated_at": "2026-11-25T14:40:09.027472Z",
        "lead_time": 5.5,
        **others,
    }


def task(*annotations: Any, **data: Any) -> dict[str, Any]:
    known = {"pair_id": f"{0:016x}", "task_id": 1, "guideline_version": "2026-11-1"}
    return {"id": 12, "annotations": list(annotations), "drafts": [], "predictions": [], "data": {**known, **data}}


def row(**others: Any) -> dict[str, Any]:
    return {
        "pair_id": f"{0:016x}",
        "task_id": 1,
        "guideline_version": "2026-11-1",
        "id": 12,
        "match": "3",
        "culture": "specific",
        "annotator": 1,
        "annotation_id": 7,
        "updated_at": "2026-11-25T14:40:09.027472Z",
        "lead_time": 5.5,
        **others,
    }


def test_a_recorded_export_is_taken_in(take_in: TakeIn, recorded: Path, said: Answers) -> None:
    assert take_in(recorded / "labelstudio.json") == {"read": 8, "kept": 7, "dropped": {"skipped": 1}}
    answers = said()
    one, two = answers[0].who, answers[1].who
    better = '毬の、\n"よい"文です'
    event = {"match": 2, "culture": "related", "category": "event", "flags": ["advertisement", "machine_translated"]}
    assert [(a.pair, a.who, a.wall_ms, a.answers) for a in answers] == [
        (0, one, 4562, {**event, "better_caption": better, "better_caption_consent": True}),
        (0, two, 3104, {"match": 3, "culture": "specific"}),
        (1, one, 5913, {"match": 3, "culture": "not"}),
        (1, two, 5422, {"match": 3, "culture": "specific", "category": "tradition"}),
        (2, one, 3356, {"match": 1, "culture": "related"}),
        (3, one, 2712, {"match": "cannot_tell", "culture": "cannot_tell"}),
        (5, one, 4744, {"match": 0, "culture": "not", "flags": ["personal"]}),
    ]
    assert {a.source for a in answers} == {"labelstudio"}


def test_the_exports_of_one_project_are_one_another_and_a_second_time_changes_nothing(
    take_in: TakeIn, recorded: Path, engine: Engine
) -> None:
    """With whole tasks, with a row for each annotation (which lacks the skipped), or with the users' details."""
    take_in(recorded / "labelstudio_min.json")
    for name, skipped in (("labelstudio", 1), ("labelstudio_with_users", 1), ("labelstudio_min", 0)):
        counts = take_in(recorded / f"{name}.json")
        assert (counts["kept"], counts["dropped"].get("skipped", 0)) == (0, skipped)
        assert counts["dropped"]["already_there"] == 7
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Annotator)) == 2


def test_nobody_is_named(take_in: TakeIn, recorded: Path, engine: Engine, said: Answers) -> None:
    take_in(recorded / "labelstudio_with_users.json")
    assert b"example.org" not in Path(str(engine.url.database)).read_bytes()
    assert all(len(a.who) == 32 for a in said())


def test_the_same_number_elsewhere_is_somebody_else(take_in: TakeIn, engine: Engine) -> None:
    take_in([task(annotation(1))])
    line = {"pair_id": f"{0:016x}", "annotator": "1", "match": 0, "culture": "not"}
    assert take_in(json.dumps(line), "own.jsonl")["kept"] == 1
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Annotator)) == 2


def test_a_changed_answer_corrects_the_earlier_one(take_in: TakeIn, engine: Engine, said: Answers) -> None:
    take_in([task(annotation(1))])
    changed = annotation(1, choices("match", "1"), choices("culture", "not"), lead_time=8)
    assert take_in([task(changed)])["kept"] == 1
    assert [(a.answers["match"], a.wall_ms) for a in said()] == [(1, 8000)]
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Annotation)) == 2


@pytest.mark.parametrize("newest_first", [True, False])
def test_of_two_answers_of_one_person_the_one_changed_last_counts(
    take_in: TakeIn, said: Answers, newest_first: bool
) -> None:
    """Label Studio lets a person answer a task twice, and JSON_MIN lists the newest first."""
    old = row(match="0", updated_at="2026-11-25T09:00:00Z")
    new = row(match="2", updated_at="2026-11-25T10:00:00.5Z")
    counts = take_in([new, old] if newest_first else [old, new])
    assert counts == {"read": 2, "kept": 1, "dropped": {"superseded_in_file": 1}}
    assert [a.answers["match"] for a in said()] == [2]


def test_what_lacks_a_required_answer_is_left_out_with_a_reason(take_in: TakeIn) -> None:
    halves = [annotation(1, choices("match", "3")), annotation(2, choices("match"), choices("culture", "not"))]
    assert take_in([task(*halves), task()])["dropped"] == {"unfinished": 2}


def test_what_was_said_to_a_question_that_is_not_asked_is_left_out(take_in: TakeIn, said: Answers) -> None:
    """Its consent is always seen there, and an old version may send what was hidden again."""
    blank = {**choices("better_caption"), "type": "textarea", "value": {"text": [" \n"]}}
    result = [choices("match", "3"), choices("culture", "not"), choices("category", "food")]
    take_in([task(annotation(1, *result, choices("better_caption_consent", "yes"), blank))])
    assert [a.answers for a in said()] == [{"match": 3, "culture": "not"}]


def test_the_task_that_was_answered_is_found_by_its_id(
    take_in: TakeIn, queued: Callable[..., None], engine: Engine
) -> None:
    """Of a pair that has several; an id that is another pair's (of an older database) is not minded."""
    queued(range(1), kind=Kind.SCREENED_OUT)
    with engine.connect() as connection:
        second = connection.scalars(select(Task.id).where(Task.kind == Kind.SCREENED_OUT)).one()
    take_in([task(annotation(1), task_id=second), task(annotation(2), task_id=4), task(annotation(3), task_id="x")])
    with engine.connect() as connection:
        answered = dict(connection.execute(select(Task.kind, Task.answered).where(Task.answered > 0)).all())
    assert answered == {Kind.SCREENED_OUT: 1, Kind.NORMAL: 2}


def test_the_guideline_is_that_of_the_export(take_in: TakeIn, engine: Engine) -> None:
    take_in([task(annotation(1), guideline_version="2026-05-0"), task(annotation(2), guideline_version=None)])
    with engine.connect() as connection:
        versions = set(connection.scalars(select(Annotation.guideline_version)))
    assert versions == {"2026-05-0", "2026-11-1"}


def test_an_export_of_nothing_is_nothing(take_in: TakeIn) -> None:
    assert take_in([]) == {"read": 0, "kept": 0, "dropped": {}}
    assert take_in([task()]) == {"read": 0, "kept": 0, "dropped": {}}


BROKEN: list[tuple[Any, str]] = [
    ("[{", "is not JSON: export the project"),
    ('[{"id": NaN}]', "is not JSON"),
    ("[" * 100_000, "is not JSON"),
    (["x"], "entry 1: is not a task"),
    ([task(), 7], "entry 2: is not a task"),
    ([{"id": 3, "data": {}}], "entry 1: annotations are missing"),
    ([{"id": 3, "annotations": {}}], "entry 1 (task 3): data or annotations are missing"),
    ([{"annotations": [], "data": []}], "entry 1: data or annotations are missing"),
    ([task("x")], "entry 1 (task 12), annotation 1: result is missing"),
    ([task({"completed_by": 1})], "annotation 1: result is missing"),
    ([task(annotation(1, 7))], "has something that is no answer"),
    ([task(annotation(1, {"value": 7, "from_name": "match"}))], "has something that is no answer"),
    ([task(annotation(1, {"value": {}, "from_name": ["match"]}))], "has something that is no answer"),
    ([task(annotation(1), annotation(None))], "annotation 2: who made it is no number"),
    ([task(annotation({"email": "one@example.org"}))], "who made it is no number"),
    ([task(annotation(True))], "who made it is no number"),
    ([row(annotator="one@example.org")], "entry 1 (annotation 7): who made it is no number"),
    ([task(annotation(1), pair_id=None)], "pair_id is missing in its data: only tasks that waon-build exported"),
    ([task(annotation(1), pair_id="門" * 16)], "pair_id is missing in its data"),
    ([task(annotation(1), pair_id="f" * 16)], "pair_id: no such pair was ever in the queue"),
    ([task(annotation(1), guideline_version="x" * 33)], "guideline_version is 'xxx"),
    ([task(annotation(1), guideline_version=7)], "guideline_version is '7'"),
    ([task(annotation(1, choices("match", "4"), choices("culture", "not")))], "match is '4': give 0, 1, 2, 3 or"),
    ([task(annotation(1, choices("match", ["3"]), choices("culture", "not")))], "match is \"['3']\": give 0"),
    ([task(annotation(1, choices("match", "3", "2"), choices("culture", "not")))], "match has 2 answers: it may have"),
    ([row(culture="合っている")], "culture is '合っている': give specific, related, not or cannot_tell"),
    ([row(flags={"choices": ["harmful", "ugly"]})], "flags is \"['harmful', 'ugly']\": give a list of"),
    ([row(better_caption="長" * 501)], "better_caption is '長長"),
    ([row(better_caption="文", better_caption_consent="no")], "better_caption_consent is 'no': give true or false"),
    (
        [task(annotation(1, choices("match", "3"), choices("culture", "not"), choices("colour", "red")))],
        "colour is not a question: the questions are",
    ),
    ([task(annotation(1, lead_time=-1))], "lead_time is '-1': it should be a time"),
    ([task(annotation(1, lead_time="5"))], "lead_time is '5': it should be a time"),
]


@pytest.mark.parametrize(("export", "problem"), BROKEN)
def test_what_cannot_be_taken_is_one_line_and_nothing_is(
    take_in: TakeIn, said: Answers, engine: Engine, export: Any, problem: str
) -> None:
    with pytest.raises(InputError) as error:
        take_in([*export, task(annotation(9))] if isinstance(export, list) else export)
    assert problem in str(error.value)
    assert "answers.json: " in str(error.value)
    assert "example.org" not in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert said() == []
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Annotator)) == 0


def test_times_that_are_odd_but_times_are_kept_within_bounds(take_in: TakeIn, said: Answers) -> None:
    """Of a page that was left open for months; of one that was not timed."""
    people = [annotation(1, lead_time=10**12), annotation(2, lead_time=None), annotation(3, updated_at="yesterday")]
    take_in([task(*people)])
    assert [a.wall_ms for a in said()] == [5500, 2**31 - 1, None]
