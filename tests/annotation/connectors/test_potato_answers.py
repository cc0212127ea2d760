"""What Potato wrote goes through the queue as our own annotators' answers do, and names nobody."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update

from waon_build.annotation import queue, reports
from waon_build.annotation.connectors.tools import FileKind
from waon_build.annotation.database import writing
from waon_build.annotation.models import Annotation, Annotator, Kind, Standing, Task
from waon_build.annotation.routing import pair_ids, retire
from waon_build.records import InputError

pytestmark = pytest.mark.usefixtures("six_pairs")

TakeIn = Callable[..., dict[str, Any]]
Answers = Callable[[], list[Any]]

ITEM = "0000000000000000-1-2026-11-1"


def state(*labels: tuple[str, str, Any], item: str = ITEM, **others: Any) -> dict[str, Any]:
    """A user's state. labels: scheme, label, value."""
    said = [[{"schema": scheme, "name": label}, value] for scheme, label, value in labels]
    return {
        "user_id": "hanako",
        "instance_id_to_behavioral_data": {item: {"total_time_ms": 4562}},
        "instance_id_to_label_to_value": {item: said},
        "origin": {},
        **others,
    }


def whole(match: str = "3", culture: str = "not") -> list[tuple[str, str, Any]]:
    return [("match", match, match), ("culture", culture, culture)]


def line(*labels: tuple[str, str, Any], **others: Any) -> str:
    said: dict[str, dict[str, Any]] = {}
    for scheme, label, value in labels or whole():
        said.setdefault(scheme, {})[label] = value
    return json.dumps({"instance_id": ITEM, "user_id": "hanako", "labels": said, "spans": {}, "links": {}, **others})


TABLE = "instance_id,user_id,match.3,culture.not\n"


def test_a_recorded_folder_of_answers_is_taken_in(take_in: TakeIn, recorded: Path, said: Answers) -> None:
    """One of its users left an item unfinished, took a category back, and emptied a text that they had consented to."""
    counts = take_in(recorded / "potato" / "annotation_output")
    assert counts == {"read": 8, "kept": 7, "dropped": {"unfinished": 1}}
    answers = said()
    one, two = answers[0].who, answers[1].who
    better = '毬の、\n"よい"文です'
    event = {"match": 2, "culture": "related", "category": "event", "flags": ["advertisement", "machine_translated"]}
    assert [(a.pair, a.who, a.wall_ms, a.answers) for a in answers] == [
        (0, one, 4118, {**event, "better_caption": better, "better_caption_consent": True}),
        (0, two, None, {"match": 3, "culture": "specific"}),
        (1, one, 3885, {"match": 3, "culture": "not"}),
        (1, two, 3937, {"match": 3, "culture": "specific", "category": "tradition"}),
        (2, one, 3536, {"match": 1, "culture": "related"}),
        (3, one, 2391, {"match": 0, "culture": "not", "flags": ["personal"]}),
        (4, one, 5369, {"match": "cannot_tell", "culture": "cannot_tell"}),
    ]
    assert {a.source for a in answers} == {"potato"}


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl"])
def test_its_exports_say_the_same_and_a_second_time_changes_nothing(
    take_in: TakeIn, recorded: Path, engine: Engine, form: str
) -> None:
    take_in(recorded / "potato" / f"annotations.{form}")
    for again in ("annotation_output", "annotation_output/hanako/user_state.json", "annotations.jsonl", ""):
        counts = take_in(recorded / "potato" / again)
        assert counts["kept"] == 0
        assert set(counts["dropped"]) == {"already_there", "unfinished"}
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Annotation)) == 7
        assert connection.scalar(select(func.count()).select_from(Annotator)) == 2


def test_nobody_is_named(take_in: TakeIn, recorded: Path, engine: Engine, said: Answers) -> None:
    take_in(recorded / "potato")
    data = Path(str(engine.url.database)).read_bytes()
    assert b"hanako" not in data
    assert "太郎".encode() not in data
    assert all(len(a.who) == 32 for a in said())


def test_who_goes_by_their_pseudonym_is_the_same_person(
    take_in: TakeIn, annotator: Callable[[], str], said: Answers
) -> None:
    known = annotator()
    take_in(state(*whole(), user_id=known))
    assert [a.who for a in said()] == [known]


def test_a_changed_answer_corrects_the_earlier_one(take_in: TakeIn, said: Answers) -> None:
    take_in(state(*whole("3")))
    assert take_in(state(*whole("1")))["kept"] == 1
    assert [a.answers["match"] for a in said()] == [1]


def test_what_is_not_chosen_is_no_answer(take_in: TakeIn, said: Answers) -> None:
    not_chosen = [("flags", "harmful", False), ("flags", "personal", None), ("better_caption", "text_box", "")]
    take_in(state(*whole(), *not_chosen, ("flags", "generated", "generated")))
    assert [a.answers for a in said()] == [{"match": 3, "culture": "not", "flags": ["generated"]}]


def test_harm_is_reported_by_who_did_not_answer_the_rest(take_in: TakeIn, engine: Engine, said: Answers) -> None:
    """One person's word is enough, and they need not look on."""
    half = state(("match", "3", "3"), ("flags", "harmful", "harmful"), ("flags", "generated", "generated"))
    assert take_in(half) == {"read": 1, "kept": 1, "dropped": {}}
    assert said() == []
    with engine.connect() as connection:
        assert reports.is_pulled(connection, f"{0:016x}")
        assert f"{0:016x}" not in {task.pair_id for task in queue.waiting(connection)}
        assert connection.execute(select(Task.held, Task.answered, Task.wanted).where(Task.id == 1)).one() == (0, 0, 2)
    assert take_in(half)["dropped"] == {"already_there": 1}
    both = state(("flags", "harmful", "harmful"), ("flags", "personal", "personal"))
    assert take_in(both)["kept"] == 1
    with engine.connect() as connection:
        assert [report.kind for report in reports.open_reports(connection)] == ["harmful", "personal"]


@pytest.mark.parametrize("is_full", [True, False])
def test_a_report_is_never_too_late_unless_the_pair_is_gone_or_its_annotator_is_out(
    take_in: TakeIn, engine: Engine, now: datetime, is_full: bool
) -> None:
    if is_full:
        take_in("\n".join(line(user_id=f"annotator {number}") for number in range(5)), "answers.jsonl")
    half = [state(("flags", "harmful", "harmful"), user_id=who) for who in ("a", "b")]
    assert take_in(half[0])["kept"] == 1
    retire(engine, Kind.NORMAL, pair_ids([]), now)
    assert take_in(half[1])["dropped"] == {"task_withdrawn": 1}
    with writing(engine) as connection:
        connection.execute(update(Annotator).values(standing=Standing.BLOCKED))
    other = state(("flags", "personal", "personal"), user_id="a")
    assert take_in(other)["dropped"] == {"not_active": 1}


def test_what_a_machine_says_is_left_out_with_a_reason(take_in: TakeIn) -> None:
    table = "instance_id,user_id,annotator_origin,annotator_origin_detail,match.3,culture.not\n"
    rows = f"{ITEM},a,llm,{{}},3,not\n{ITEM},b,human,,3,not\n"
    assert take_in(table + rows, "answers.csv") == {"read": 2, "kept": 1, "dropped": {"by_machine": 1}}
    lines = [line(annotator_origin={"kind": "tool", "id": "x"}), line(annotator_origin={"kind": "human"})]
    assert take_in("\n".join(lines), "answers.jsonl")["dropped"] == {"by_machine": 1}
    assert take_in(state(*whole(), origin={"kind": "llm"}))["dropped"] == {"by_machine": 1}


def test_a_table_may_have_lines_in_its_cells_and_columns_that_are_no_answers(take_in: TakeIn, said: Answers) -> None:
    table = (
        "instance_id,user_id,engine_purpose,match.3,culture.not,better_caption.text_box,better_caption_consent.yes\n"
    )
    take_in(table + f'{ITEM},hanako,label,3,not,"一行目\n""二行目""",yes\n', "answers.csv")
    (answer,) = said()
    assert answer.answers["better_caption"] == '一行目\n"二行目"'
    assert answer.answers["better_caption_consent"] is True


def test_the_guideline_is_that_of_the_export(take_in: TakeIn, engine: Engine) -> None:
    take_in(state(*whole(), item="0000000000000001-2-第2版-b"))
    with engine.connect() as connection:
        assert connection.scalars(select(Annotation.guideline_version)).all() == ["第2版-b"]


def test_a_project_without_answers_is_nothing(take_in: TakeIn) -> None:
    assert take_in(state(instance_id_to_label_to_value={}))["read"] == 0
    assert take_in(TABLE, "answers.csv")["read"] == 0


BROKEN = [
    ("answers.json", '{"instance_id_to_label_to_value": ', "answers.json: is not JSON: give Potato's user_state.json"),
    ("answers.json", "{}", "answers.json: instance_id_to_label_to_value is missing"),
    ("answers.json", '{"instance_id_to_label_to_value": []}', "instance_id_to_label_to_value is missing"),
    ("answers.json", state(instance_id_to_label_to_value={ITEM: 7}), f"item {ITEM}: has something that is no answer"),
    ("answers.json", state(instance_id_to_label_to_value={ITEM: [7]}), "has something that is no answer"),
    ("answers.json", state(instance_id_to_label_to_value={ITEM: [[{}, 1]]}), "has something that is no answer"),
    ("answers.json", state(*whole(), item="item_7"), "instance_id is 'item_7': only items that waon-build exported"),
    ("answers.json", state(*whole(), item=f"{99:016x}-1-v"), "pair_id: no such pair was ever in the queue"),
    ("answers.json", state(*whole(), item=f"{0:016x}-1-{'v' * 33}"), "guideline_version is 'vvv"),
    ("answers.json", state(*whole(), user_id=None), "user_id is missing"),
    ("answers.json", state(*whole(), user_id=" "), "user_id is missing"),
    ("answers.json", state(*whole(), ("match", "2", "2")), "match has 2 answers: it may have one (Potato before 2.8"),
    ("answers.json", state(*whole(), ("colour", "red", "red")), "colour is not a question: the questions are"),
    ("answers.json", state(*whole("4")), "match is '4': give 0, 1, 2, 3 or cannot_tell"),
    ("answers.json", state(*whole(), ("better_caption", "text_box", "長" * 501)), "better_caption is '長長"),
    (
        "answers.json",
        state(*whole(), instance_id_to_behavioral_data={ITEM: {"total_time_ms": "x"}}),
        "total_time_ms is 'x': it should be a time",
    ),
    ("answers.jsonl", line() + "\n{", "answers.jsonl:2: is not JSON"),
    ("answers.jsonl", line() + "\n\n[]", "answers.jsonl:3: labels are missing"),
    ("answers.jsonl", line(labels=None), "answers.jsonl:1: labels are missing"),
    ("answers.jsonl", line(labels={"match": 3}), "labels are missing"),
    ("answers.jsonl", line(instance_id=7), "instance_id is '7'"),
    ("answers.csv", "a,b\n1,2\n", "answers.csv: instance_id or user_id is missing in its first line"),
    ("answers.csv", "", "answers.csv: instance_id or user_id is missing in its first line"),
    ("answers.tsv", TABLE, "answers.tsv: instance_id or user_id is missing in its first line"),
    ("answers.csv", TABLE + f"{ITEM},hanako,3,not,,\n", "answers.csv:2: has more or fewer cells"),
    ("answers.csv", TABLE + f"{ITEM},hanako,3\n", "answers.csv:2: has more or fewer cells"),
    ("answers.csv", TABLE + f'{ITEM},hanako,3,"not\n', ": is not a table (unexpected end of data)"),
    ("answers.csv", TABLE + f"{ITEM},hanako,3,not\nx,y,3,not\n", "answers.csv:3: instance_id is 'x'"),
]


@pytest.mark.parametrize(("name", "what", "problem"), BROKEN)
def test_what_cannot_be_taken_is_one_line_and_nothing_is(
    take_in: TakeIn, said: Answers, engine: Engine, name: str, what: Any, problem: str
) -> None:
    with pytest.raises(InputError) as error:
        take_in(what, name, FileKind.POTATO)
    assert problem in str(error.value)
    assert name in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert said() == []
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Annotator)) == 0


def test_a_folder_without_answers_is_one_line(take_in: TakeIn, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no user_state\.json here"):
        take_in(tmp_path)
