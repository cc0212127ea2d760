"""How sure it is that somebody is good, and what is right."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from waon_build.annotation.quality import (
    agrees,
    consistency,
    fails,
    is_right,
    lower_bound,
    qualifies,
    share,
    upper_bound,
)
from waon_build.annotation.questions import Questions

UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
FEW = st.integers(0, 300)


@UNTIMED
@given(FEW | st.integers(0, 10**6), FEW | st.integers(0, 10**6), st.sampled_from([0.025, 0.05, 0.5]))
def test_bounds_are_those_of_the_beta_distribution(right: int, wrong: int, mass: float) -> None:
    beta = stats.beta(1 + right, 1 + wrong)
    assert lower_bound(right, wrong, mass) == pytest.approx(beta.ppf(mass), rel=1e-6)
    assert upper_bound(right, wrong, mass) == pytest.approx(beta.ppf(1 - mass), rel=1e-6)


@pytest.mark.parametrize(
    ("right", "wrong", "bound"),
    [
        # In closed form: with no errors the bound is 0.05 to the power of 1 / (right + 1).
        (0, 0, 0.05),
        (1, 0, 0.05**0.5),
        (19, 0, 0.05**0.05),
        (0, 19, 1 - 0.95**0.05),
        (10**6, 0, 0.05 ** (1 / (10**6 + 1))),
    ],
)
def test_bounds_in_closed_form(right: int, wrong: int, bound: float) -> None:
    assert lower_bound(right, wrong) == pytest.approx(bound, rel=1e-9)


@UNTIMED
@given(FEW, FEW)
def test_one_more_right_answer_helps_and_one_more_wrong_hurts(right: int, wrong: int) -> None:
    bound = lower_bound(right, wrong)
    assert lower_bound(right, wrong + 1) < bound < lower_bound(right + 1, wrong)
    assert bound < (1 + right) / (2 + right + wrong) < upper_bound(right, wrong) < 1
    assert upper_bound(right, wrong) == pytest.approx(1 - lower_bound(wrong, right))


def test_sixteen_of_twenty_qualify_and_fifteen_do_not() -> None:
    assert qualifies(16, 4)
    assert not qualifies(15, 5)
    assert not qualifies(4, 0)  # all right, and too few to know
    assert qualifies(15, 5, qualify=0.5)


def test_somebody_is_paused_for_a_rate_and_not_for_bad_luck() -> None:
    """The same share of errors pauses once it is certain enough."""
    assert not fails(0, 2)
    assert not fails(6, 4)
    assert fails(60, 40)
    assert fails(1, 4)
    assert not fails(90, 10)
    assert fails(0, 2, least=2)
    assert not fails(60, 40, max_error=0.4)


@UNTIMED
@given(st.integers(0, 500), st.integers(0, 500))
def test_a_share_lies_in_its_interval(yes: int, no: int) -> None:
    found = share(yes, yes + no)
    if yes + no == 0:
        assert found == (0, 0, None, None, None, "nothing was counted")
        return
    low, high = stats.beta(0.5 + yes, 0.5 + no).ppf([0.025, 0.975])
    assert found.low == pytest.approx(low if yes else 0)
    assert found.high == pytest.approx(high if no else 1)
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize(
    ("question", "key", "answer", "is_right"),
    [
        ("match", 3, 3, True),
        ("match", 3, 2, True),
        ("match", 3, 1, False),
        ("match", [0, 3], 1, True),
        ("match", 3, "cannot_tell", False),
        ("match", "cannot_tell", "cannot_tell", True),
        ("match", "cannot_tell", 0, False),
        ("match", ["cannot_tell", 0], 1, True),
        ("match", 0, None, False),
        ("culture", "specific", "specific", True),
        ("culture", "specific", "related", False),
        ("culture", ["specific", "related"], "related", True),
        ("culture", "not", None, False),
        ("flags", ["harmful"], ["harmful", "generated"], True),
        ("flags", ["harmful", "generated"], ["harmful"], True),
        ("flags", ["harmful"], ["generated"], False),
        ("flags", ["harmful"], None, False),
        ("flags", ["generated"], None, True),
        ("flags", [], ["personal"], True),
        ("flags", "harmful", ["harmful"], True),
        ("better_caption", "門松", None, True),
    ],
)
def test_an_answer_is_right_or_not(questions: Questions, question: str, key: Any, answer: Any, is_right: bool) -> None:
    """A step away on the scale is near enough; what must be reported must be; own words are nobody's to grade."""
    assert agrees(questions[question], key, answer) is is_right


def test_on_a_scale_the_tolerance_may_be_nothing(questions: Questions) -> None:
    assert not agrees(questions["match"], 3, 2, tolerance=0)
    assert agrees(questions["match"], 3, 3, tolerance=0)


def test_answers_are_right_when_each_that_has_a_key_is(questions: Questions) -> None:
    key = {"match": 3, "culture": ["specific", "related"]}
    assert is_right(questions, key, {"match": 2, "culture": "related", "category": "food"})
    assert not is_right(questions, key, {"match": 2, "culture": "not"})
    assert not is_right(questions, key, {"match": 2})
    assert is_right(questions, {}, {"match": 0})


def test_consistency_is_to_answer_alike_twice(questions: Questions) -> None:
    first = {"match": 3, "culture": "specific", "category": "food"}
    twice = [(first, first), (first, {"match": 2, "culture": "specific", "category": "food"})]
    assert consistency(questions["match"], twice)[:3] == (1, 2, 0.5)
    assert consistency(questions["culture"], twice)[:3] == (2, 2, 1)
    # Asked once only, of what was answered otherwise before: not alike. Asked neither time: not counted.
    later = {"match": 3, "culture": "not"}
    assert consistency(questions["category"], [(first, later), (later, later)])[:3] == (0, 1, 0)
    assert consistency(questions["flags"], [(first, first), (first, {"flags": ["generated"]})])[:3] == (1, 2, 0.5)
    assert consistency(questions["match"], []).why == "nobody was asked twice"
