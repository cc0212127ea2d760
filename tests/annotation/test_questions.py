"""The questions as data, the guideline beside them, and answers checked against them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from waon_build.annotation.guideline import load as read_guideline
from waon_build.annotation.questions import AnswerError, Questions, load
from waon_build.records import InputError

GUIDELINES = ("ja", "en")
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["harmful", "food", "not", "3"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("guideline", GUIDELINES)
def test_a_guideline_and_its_questions_are_of_one_version(guideline: str) -> None:
    read = read_guideline(guideline)
    assert read.version == load(guideline).version == read.history[-1].version
    assert read.language == guideline


@pytest.mark.parametrize("guideline", GUIDELINES)
def test_every_question_has_its_section_in_the_guideline(guideline: str) -> None:
    sections = list(read_guideline(guideline).sections)
    asked = [question.name for question in load(guideline).questions if question.kind != "consent"]
    assert [section for section in sections if section in asked] == asked
    assert {"aims", "wellbeing", "terms", "contact"} <= set(sections)


def test_all_languages_ask_the_same() -> None:
    """Only the wording differs: answers given in one language can be read in the other."""
    asked = [
        [
            question.model_copy(
                update={"ask": "", "options": tuple((one.value, one.rejects) for one in question.options)}
            )
            for question in load(guideline).questions
        ]
        for guideline in GUIDELINES
    ]
    assert asked[0] == asked[1]


def test_the_categories_are_those_of_waon_bench(questions: Questions) -> None:
    bench = ["animal", "building", "event", "everyday", "food", "nature", "scenery", "tradition"]
    assert [option.value for option in questions["category"].options] == [*bench, "other"]


def test_answers_come_back_in_one_form(questions: Questions) -> None:
    given_ = {
        "flags": ["generated", "harmful", "generated"],
        "match": "3",
        "culture": "specific",
        "category": None,
        "better_caption": " 雪の金閣寺\0 ",
        "better_caption_consent": True,
    }
    answers = questions.answers(given_)
    assert answers.guideline_version == questions.version
    assert list(answers.values.items()) == [
        ("match", 3),
        ("culture", "specific"),
        ("flags", ["harmful", "generated"]),
        ("better_caption", "雪の金閣寺"),
        ("better_caption_consent", True),
    ]
    assert questions.answers(answers.values, answers.guideline_version) == answers


@pytest.mark.parametrize(
    ("given_", "problem"),
    [
        ({"match": 7, "culture": "not"}, "match is '7': give 0, 1, 2, 3 or cannot_tell"),
        ({"match": True, "culture": "not"}, "match is 'True': give 0, 1"),
        ({"match": 2.0, "culture": "not"}, "match is '2.0': give 0, 1"),
        ({"match": 2}, "culture is missing: give specific, related, not or cannot_tell"),
        ({"culture": "not"}, "match is missing"),
        ({"match": 2, "culture": "not", "macth": 1}, "macth is not a question: the questions are"),
        ({"match": 2, "culture": "not", "category": "food"}, "asked only when culture is specific or related"),
        ({"match": 2, "culture": "not", "flags": "harmful"}, "flags is 'harmful': give a list of harmful"),
        ({"match": 2, "culture": "not", "flags": ["rude"]}, "give a list of harmful"),
        ({"match": 2, "culture": "not", "better_caption": "あ" * 501}, "a text of at most 500 characters"),
        ({"match": 2, "culture": "not", "better_caption_consent": True}, "asked only when better_caption is given"),
    ],
)
def test_a_wrong_answer_is_one_line_with_its_question(
    questions: Questions, given_: dict[str, Any], problem: str
) -> None:
    with pytest.raises(AnswerError) as error:
        questions.answers(given_)
    assert problem in str(error.value)
    assert "\n" not in str(error.value)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["match", "culture", "category", "flags", "better_caption", "x\ny"]), ANYTHING))
def test_whatever_is_sent_ends_in_answers_or_in_one_line(answers: dict[str, Any]) -> None:
    questions = load("ja")
    problem = None
    try:
        checked = questions.answers(answers)
    except AnswerError as error:
        problem = str(error)
    if problem is not None:
        assert len(problem.splitlines()) == 1
    else:
        assert questions.answers(json.loads(json.dumps(checked.values))) == checked


def test_a_guideline_that_is_not_there_is_one_line_that_names_those_that_are() -> None:
    for name in ("tg", "..", "", "__pycache__", "ja/../en"):
        with pytest.raises(InputError, match=r"annotation\.guideline is .*: give en or ja, or the path"):
            load(name)


@pytest.mark.parametrize(
    ("questions", "problem"),
    [
        ([{"name": "culture", "kind": "choice", "ask": "?"}], "no scale named match"),
        (
            [
                {"name": "match", "kind": "scale", "ask": "?", "only_if": {"culture": []}},
                {"name": "culture", "kind": "choice", "ask": "?"},
            ],
            "does not come before it",
        ),
        ([{"name": "match", "kind": "scale", "ask": "?", "options": [{"value": "good", "label": ""}]}], "are numbers"),
    ],
)
def test_questions_that_do_not_hold_together_are_refused(questions: list[dict[str, Any]], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Questions.model_validate({"version": "1", "questions": questions})


@pytest.mark.slow
def test_the_guideline_is_found_in_an_installed_wheel(tmp_path: Path) -> None:
    """Laid out as a wheel lays it out, away from the checkout."""
    root = Path(__file__).parents[2]
    for package in ("waon_build", "annotation_guidelines"):
        subprocess.run(["cp", "-r", str(root / package), str(tmp_path)], check=True)
    script = (
        "import sys, waon_build; from waon_build.annotation.guideline import load\n"
        "from waon_build.annotation.database import connect\n"
        "connect('sqlite:///annotation.db')\n"
        "read = load('ja')\n"
        "print(waon_build.__file__, read.version, sum(len(one.html) for one in read.sections.values()))"
    )
    environment = {"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"}
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    where, version, length = run.stdout.split()
    assert where.startswith(str(tmp_path))
    assert version == load("ja").version
    assert int(length) > 1000
