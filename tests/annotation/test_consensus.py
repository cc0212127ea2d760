"""What many answers come to, question by question."""

from __future__ import annotations

from typing import Any

import pytest

from waon_build.annotation.consensus import Consensus, Said
from waon_build.annotation.questions import Questions, load


@pytest.fixture
def questions() -> Questions:
    return load("ja")


def says(who: str, match: int | str = 3, culture: str = "specific", **others: Any) -> Said:
    return Said(who, {"match": match, "culture": culture, **others})


def test_nothing_said_is_nothing(questions: Questions) -> None:
    assert Consensus(questions, 2).of([]) == {}
    assert Consensus(questions, 2).fit([]).of([]) == {}


def test_a_scale_has_its_median_and_how_sure_it_is_that_it_is_enough(questions: Questions) -> None:
    found = Consensus(questions, 2).of([says("a", 3), says("b", 2), says("c", "cannot_tell")])["match"]
    assert (found["answer"], found["median"], found["majority"]) == (2.5, 2.5, "")
    assert found["posterior"] > 0.9
    assert Consensus(questions, 3).of([says("a", 3), says("b", 2)])["match"]["posterior"] < 0.6


def test_a_scale_that_nobody_could_tell_is_left_out(questions: Questions) -> None:
    assert "match" not in Consensus(questions, 2).of([says("a", "cannot_tell")])


def test_each_flag_is_a_question_of_its_own(questions: Questions) -> None:
    found = Consensus(questions, 2).of([says("a", flags=["advertisement"]), says("b", flags=["advertisement"])])
    assert found["flags"]["answer"] == ["advertisement"]
    assert found["flags"]["posterior"]["advertisement"] > 0.9 > 0.1 > found["flags"]["posterior"]["generated"]


def test_texts_and_consents_are_nobody_s_to_aggregate(questions: Questions) -> None:
    found = Consensus(questions, 2).of([says("a", better_caption="門松", better_caption_consent=True)])
    assert found.keys() == {"match", "culture", "flags"}


def test_an_answer_that_the_questions_no_longer_know_is_not_counted(questions: Questions) -> None:
    assert "culture" not in Consensus(questions, 2).of([says("a", culture="of old")])


def test_who_agrees_with_the_others_elsewhere_weighs_more_here(questions: Questions) -> None:
    """Two disagree. One of them was with the others in forty tasks, the other against them."""
    answers = [
        (task, says(who, culture=culture))
        for task in range(40)
        for who, culture in (("steady", "specific"), ("another", "specific"), ("contrary", "not"))
    ]
    fitted = Consensus(questions, 2).fit(answers)
    found = fitted.of([says("steady", culture="specific"), says("contrary", culture="not")])["culture"]
    assert found["answer"] == "specific"
    assert found["posterior"] > 0.9
    fresh = fitted.of([says("one", culture="specific"), says("two", culture="not")])["culture"]
    assert fresh["posterior"] < found["posterior"]


def test_a_task_that_was_fitted_has_the_posterior_of_the_fit(questions: Questions) -> None:
    answers = [(task, says(who)) for task in (7, 9) for who in ("a", "b")]
    fitted = Consensus(questions, 2).fit(answers)
    said = [one for task, one in answers if task == 7]
    assert fitted.of(said, 7) == fitted.of(said, 9)
    assert fitted.of(said, 7)["match"]["posterior"] == pytest.approx(fitted.of(said)["match"]["posterior"], abs=0.01)


def test_the_order_of_answers_changes_nothing(questions: Questions) -> None:
    said = [says("a", 3, flags=["generated"]), says("b", 0, "not"), says("c", 2, category="food")]
    answers = [(task, one) for task in range(3) for one in said]
    one, other = Consensus(questions, 2).fit(answers), Consensus(questions, 2).fit(answers[::-1])
    assert one.of(said, 1) == other.of(said[::-1], 1)
