"""AIPREF expressions: training is disallowed when they say so, or when they may have meant to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waon_build.rights.content_usage import disallows


@pytest.mark.parametrize(
    "expression",
    [
        "train-ai=n",
        "train-ai=n, search=y",
        "search=y,train-ai=n",
        "train-ai=n;reason=x, search=y",
        "train-genai=n",
        "bots=n",
        "ai-train=no",
        "search=yes,ai-train=no",
    ],
)
def test_an_expression_that_disallows_training_is_heard(expression: str) -> None:
    assert disallows(expression)


@pytest.mark.parametrize(
    "expression", ["", "train-ai=y", "search=n", "ai-use=n", "train-ai=y;x=n, search=n", "foo", "x=train-ai"]
)
def test_an_expression_that_does_not_is_not(expression: str) -> None:
    assert not disallows(expression)


@pytest.mark.parametrize(
    "expression",
    ["Train-AI=N", "train-ai", 'train-ai="n"', "train-ai=?0", "train-ai=no", "train-ai = n", "!! train-ai n"],
)
def test_what_the_draft_would_call_unknown_counts_as_a_refusal(expression: str) -> None:
    assert disallows(expression)


def test_of_two_that_differ_the_restrictive_one_counts() -> None:
    assert disallows("train-ai=n, train-ai=y")
    assert disallows("train-ai=y, train-ai=n")


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(expression: str) -> None:
    disallows(expression)
