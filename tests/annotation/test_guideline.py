"""A changed guideline asks again what its changes touch, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from waon_build.annotation import decided, guideline, queue, refusals
from waon_build.annotation.connectors.files import import_judgements
from waon_build.annotation.database import writing
from waon_build.annotation.models import Annotation, GuidelineVersion, Kind, Outcome, Role, State
from waon_build.annotation.questions import folder, load
from waon_build.records import InputError

from .conftest import pair
from .desk import Desk

Changes = Callable[..., None]


@pytest.fixture
def changes(desk: Desk, tmp_path: Path) -> Changes:
    """The guideline as it is after so many versions, each with the sections that it changed."""
    made: list[str] = []
    questions = (folder("ja") / "questions.yaml").read_text(encoding="utf-8")

    def change(*sections: str) -> None:
        made.append(", ".join(sections))
        version = str(len(made))
        place = tmp_path / f"guideline-{version}"
        place.mkdir()
        (place / "questions.yaml").write_text(questions.replace(load("ja").version, version), encoding="utf-8")
        history = "".join(
            f"  - {{version: {at}, date: 2026-11-25, changed: [{changed}]}}\n" for at, changed in enumerate(made, 1)
        )
        text = f"---\nversion: {version}\nlanguage: ja\ntitle: 試し\nhistory:\n{history}---\n"
        (place / "guideline.md").write_text(text, encoding="utf-8")
        desk.settings = desk.settings.model_copy(update={"guideline": str(place)})
        desk.version = version

    change()
    return change


@pytest.fixture
def judged(desk: Desk, changes: Changes) -> tuple[Desk, str, str]:
    """Task 1 has two answers of version 1, with a category; task 2 has two without."""
    desk.fill(*map(pair, range(3)))
    one, other = desk.comes(), desk.comes()
    for who in (one, other):
        desk.judges_task(who, 1, 3, category="food")
        desk.judges_task(who, 2, 3)
    assert desk.decides() == {1: Outcome.ACCEPTED, 2: Outcome.ACCEPTED}
    return desk, one, other


def test_a_changed_section_asks_again_only_who_answered_its_question(
    judged: tuple[Desk, str, str], changes: Changes
) -> None:
    desk, one, other = judged
    changes("category")
    assert desk.decides() == {1: Outcome.UNDECIDED, 2: Outcome.ACCEPTED}
    task = desk.task(1)
    assert (task.state, task.answered, task.wanted, task.stale_before) == (State.OPEN, 0, 2, 3)
    assert decided.frozen_pairs(desk.engine) == {f"{at:016x}" for at in range(2)}, "it was judged all the same"
    assert sorted(desk.judges_all(one, category="event")) == [1, 3]
    assert desk.judges_task(other, 1, category="event")
    assert desk.decides()[1] == Outcome.ACCEPTED
    with desk.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Annotation)) == 7
    categories = {found.pair_id: found.category for found in decided.accepted(desk.engine, load("ja"))}
    assert categories == {f"{0:016x}": "event", f"{1:016x}": ""}


def test_to_decide_again_asks_nobody_again(judged: tuple[Desk, str, str], changes: Changes) -> None:
    desk, one, _ = judged
    changes("category")
    desk.decides()
    desk.judges_task(one, 1, category="food")
    desk.decides()
    assert (desk.task(1).answered, desk.task(1).wanted) == (1, 2)


def test_a_section_that_is_no_question_asks_nobody(judged: tuple[Desk, str, str], changes: Changes) -> None:
    desk, *_ = judged
    changes("breaks", "pay")
    assert desk.decides() == {1: Outcome.ACCEPTED, 2: Outcome.ACCEPTED}


def test_several_versions_at_once_touch_what_any_of_them_changed(
    judged: tuple[Desk, str, str], changes: Changes
) -> None:
    desk, one, _ = judged
    changes("pay")
    changes("category")
    changes()
    assert desk.decides() == {1: Outcome.UNDECIDED, 2: Outcome.ACCEPTED}
    with desk.engine.connect() as connection:
        assert connection.scalars(select(GuidelineVersion.version).order_by(GuidelineVersion.version)).all() == [
            "1",
            "4",
        ]
    assert one


def test_an_answer_of_an_unknown_version_is_left_as_it_is(desk: Desk, changes: Changes) -> None:
    desk.fill(pair(0))
    desk.version = "of long ago"
    for _ in range(2):
        desk.judges(desk.comes())
    changes("match", "culture")
    assert desk.decides() == {1: Outcome.ACCEPTED}


def test_an_answer_that_no_longer_weighs_is_not_taken_back_nor_corrected_but_given_anew(
    judged: tuple[Desk, str, str], changes: Changes
) -> None:
    """It is counted no more: to count it out again would make nonsense of the counters."""
    desk, one, _ = judged
    changes("category")
    desk.decides()
    with desk.engine.connect() as connection:
        [stale] = [entry for entry in queue.recent(connection, one) if entry.task.task_id == 1]
    assert not stale.can_undo
    with pytest.raises(refusals.TooLateToUndo):
        desk.undoes(one, stale.annotation_id)
    with pytest.raises(refusals.NotAnswered), writing(desk.engine) as connection:
        queue.correct(connection, one, 1, desk.answers(3), desk.now)
    assert desk.task(1).answered == 0
    annotation = desk.judges_task(one, 1)
    assert desk.task(1).answered == 1
    desk.undoes(one, annotation)
    assert desk.task(1).answered == 0


def test_a_file_of_judgements_from_before_may_be_imported_again(
    judged: tuple[Desk, str, str], changes: Changes, tmp_path: Path
) -> None:
    desk, one, _ = judged
    changes("category")
    desk.decides()
    path = tmp_path / "judgements.jsonl"
    answers = f'"pair_id": "{0:016x}", "annotator": "{one}", "culture": "specific", "category": "food"'
    path.write_text(f'{{{answers}, "match": 3, "guideline_version": "1"}}', encoding="utf-8")
    assert import_judgements(desk.engine, str(path), desk.settings, desk.now).to_json()["dropped"] == {
        "already_there": 1
    }
    path.write_text(f'{{{answers}, "match": 2}}', encoding="utf-8")
    assert import_judgements(desk.engine, str(path), desk.settings, desk.now).to_json()["kept"] == 1
    assert desk.task(1).answered == 1


def test_a_task_that_is_held_while_the_guideline_changes_keeps_its_lease(
    judged: tuple[Desk, str, str], changes: Changes
) -> None:
    desk, one, _ = judged
    held = desk.claim(one)[0]
    changes("category", "match")
    desk.decides()
    desk.says(one, held)
    assert desk.task(held.task.task_id).answered == 1


def test_what_was_reported_stays_out_and_rejected(judged: tuple[Desk, str, str], changes: Changes) -> None:
    desk, one, _ = judged
    with writing(desk.engine) as connection:
        leased = queue.Leased(queue.recent(connection, one)[1].task, "x", desk.now)
    assert leased.task.task_id == 1
    desk.reports(one, leased)
    changes("category")
    assert desk.decides() == {1: Outcome.REJECTED, 2: Outcome.ACCEPTED}
    assert desk.task(1).state == State.DONE
    assert 1 not in desk.judges_all(desk.comes())


def test_an_adjudicator_s_word_falls_with_the_section_it_rests_on(desk: Desk, changes: Changes) -> None:
    """Else the first new answer would be decided by what was said under the old guideline."""
    desk.fill(pair(0))
    desk.settings = desk.settings.model_copy(update={"max_overlap": 2})
    one, other, chief = desk.comes(), desk.comes(), desk.comes(Role.ADJUDICATOR)
    for who, grade in ((one, 3), (other, 0)):
        desk.judges(who, grade)
    assert desk.decides() == {1: Outcome.UNDECIDED}
    asked = desk.copy(1, Kind.ADJUDICATION)
    assert asked is not None
    assert desk.judges(chief, 3) == asked.id
    assert desk.decides() == {1: Outcome.ACCEPTED}
    changes("match")
    assert desk.decides() == {1: Outcome.UNDECIDED}
    assert desk.task(asked.id).state == State.DONE, "they are asked when the others disagree anew"
    desk.judges(one, 3)
    assert desk.decides() == {1: Outcome.UNDECIDED}
    desk.judges(other, 0)
    desk.decides()
    assert (desk.task(asked.id).state, desk.task(asked.id).wanted) == (State.OPEN, 1)
    assert desk.judges(chief, 0) == asked.id
    assert desk.decides() == {1: Outcome.REJECTED}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no front matter", "has no front matter"),
        ("---\nversion: 2\n---\n", "its front matter is wrong"),
        ("---\nversion: 2\nlanguage: ja\ntitle: x\n---\n", "make them one"),
        ("---\nversion: 1\nlanguage: ja\ntitle: x\nhistory:\n  - {version: 0, date: x}\n---\n", "add version 1"),
    ],
)
def test_a_guideline_that_does_not_hold_together_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    questions = (folder("ja") / "questions.yaml").read_text(encoding="utf-8")
    (tmp_path / "questions.yaml").write_text(questions.replace(load("ja").version, "1"), encoding="utf-8")
    (tmp_path / "guideline.md").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=problem) as error:
        guideline.load(str(tmp_path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_each_question_of_the_packaged_guidelines_has_its_section(language: str) -> None:
    read = guideline.load(language)
    named = {question.name for question in read.questions.questions if question.kind != "consent"}
    assert named <= read.sections.keys()
    assert read.history[-1].version == read.version
