"""How good people and corpus are, and how sure that is: shares with intervals, and the two rules on them.

A raw rate says the same of 3 in 4 and of 300 in 400. So rules rest on bounds of what is believed of the
rate after right and wrong answers: Beta(1 + right, 1 + wrong), which begins with every rate alike.
Nothing here reads or writes; `gold.py` counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import exp, lgamma, log, log1p
from typing import Any, NamedTuple

from waon_build.annotation.questions import CANNOT_TELL, Question, Questions

QUALIFY = 0.6
"""Least lower bound of the accuracy of somebody who qualifies: reached with 16 right of 20 (0.62), not with
15 (0.56)."""
MAX_ERROR = 0.3
"""Lower bound of the error rate above which somebody is paused."""
LEAST = 5
"""Gold answers before anybody is paused: two errors at the very beginning (0.37) are not yet a rate."""
MASS = 0.05
"""What is left out at the side of a bound."""
TOLERANCE = 1
"""Steps of a scale that an answer may be away from the right one."""
_STEPS = 200


class Share(NamedTuple):
    """yes: how many of `of`, counted or expected. value: their share. low, high: its 95 % interval. why:
    nothing was counted, and so all three are None; else ""."""

    yes: float
    of: int
    value: float | None
    low: float | None
    high: float | None
    why: str


def lower_bound(right: float, wrong: float, mass: float = MASS) -> float:
    """The rate of right answers is higher than this, all but `mass` of what is believed after them."""
    return _quantile(1 + right, 1 + wrong, mass)


def upper_bound(right: float, wrong: float, mass: float = MASS) -> float:
    """The rate of right answers is lower than this, all but `mass` of what is believed after them."""
    return 1 - _quantile(1 + wrong, 1 + right, mass)


def qualifies(right: int, wrong: int, qualify: float = QUALIFY) -> bool:
    """Whether somebody may judge pairs that count. Doubt is for the corpus: the lower bound of their
    accuracy must reach `qualify`. Of 20 qualification tasks that takes 16, of 10 it takes 9. Somebody who
    is right 9 times in 10 gets 16 of 20 with a chance of 96 %, 7 in 10 with 24 %, 6 in 10 with 5 %."""
    return lower_bound(right, wrong) >= qualify


def fails(right: int, wrong: int, max_error: float = MAX_ERROR, least: int = LEAST) -> bool:
    """Whether somebody who is qualified is paused. Doubt is for the person: the lower bound of their
    error rate must exceed `max_error`, after `least` gold answers at least: 4 errors in 5, 6 in 10, 14 in
    30. Asked after each of 100 gold answers (simulated), it ever pauses 1 in 700 of those who err once in
    10, 1 in 30 of those who err once in 5, and 6 in 7 of those who err every other time, within 30."""
    return right + wrong >= least and lower_bound(wrong, right) > max_error


def share(yes: float, of: int, why: str = "nothing was counted") -> Share:
    """A share with its 95 % interval: Jeffreys', the middle of Beta(1/2 + yes, 1/2 + no), which begins at 0
    when none and ends at 1 when all do (Brown, Cai and DasGupta, Statistical Science 16, 2001)."""
    if of == 0:
        return Share(0, 0, None, None, None, why)
    no = of - yes
    low = _quantile(0.5 + yes, 0.5 + no, 0.025) if yes else 0.0
    high = 1 - _quantile(0.5 + no, 0.5 + yes, 0.025) if no else 1.0
    return Share(yes, of, yes / of, low, high, "")


def agrees(question: Question, key: Any, answer: Any, tolerance: int = TOLERANCE) -> bool:
    """Whether an answer is right. key: the right answer, or a list of those that are. answer: None when
    there is none.

    On a scale `tolerance` steps away are right too, but to say that one cannot tell is only where the
    key says so. Flags are right when none is missing of the key's that reject: to report too much must
    never cost anybody. A text and a consent are nobody's to grade, and right.
    """
    if question.kind in ("text", "consent"):
        return True
    allowed = key if isinstance(key, list) else [key]
    if question.kind == "flags":
        rejecting = {option.value for option in question.options if option.rejects}
        return rejecting.intersection(allowed) <= set(answer or ())
    if question.kind == "scale" and answer is not None and answer != CANNOT_TELL:
        return any(one != CANNOT_TELL and abs(int(answer) - int(one)) <= tolerance for one in allowed)
    return answer in allowed


def is_right(
    questions: Questions, key: Mapping[str, Any], answers: Mapping[str, Any], tolerance: int = TOLERANCE
) -> bool:
    """Whether answers agree with a key in every question that the key answers."""
    return all(agrees(questions[name], right, answers.get(name), tolerance) for name, right in key.items())


def consistency(question: Question, twice: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Share:
    """How often people answer a question alike when they are asked of the same pair again. twice: what
    somebody answered the first and the second time. Where a question was asked only once, it counts as
    answered otherwise; where it was asked neither time, not at all."""
    alike = of = 0
    for first, second in twice:
        one, other = first.get(question.name), second.get(question.name)
        if one is None and other is None and question.kind != "flags":
            continue
        of += 1
        alike += one == other
    return share(alike, of, "nobody was asked twice")


@lru_cache(maxsize=4096)
def _quantile(a: float, b: float, mass: float) -> float:
    """Where Beta(a, b) has `mass` to its left: Newton's steps, and where one leads astray, halving."""
    low, high = 0.0, 1.0
    x = a / (a + b)
    for _ in range(_STEPS):
        missing = _below(a, b, x) - mass
        low, high = (x, high) if missing < 0 else (low, x)
        density = exp(_log_peak(a, b, x)) / (x * (1 - x))
        nearer = x - missing / density if density > 0 else low
        if not low < nearer < high:
            nearer = (low + high) / 2
        if abs(nearer - x) <= 1e-12 * x:
            return nearer
        x = nearer
    return x


def _below(a: float, b: float, x: float) -> float:
    """The share of Beta(a, b) below x. With x up to a half the sum is of positive terms that soon shrink:
    NIST's Digital Library of Mathematical Functions, 8.17.8."""
    if x > 0.5:
        return 1 - _below(b, a, 1 - x)
    start = _log_peak(a, b, x) - log(a)
    if start < -700:  # so far out that there is nothing left on one side
        return float(x > a / (a + b))
    term = total = 1.0
    n = 0
    while term > 1e-16 * total:
        term *= (a + b + n) / (a + 1 + n) * x
        total += term
        n += 1
    return exp(start) * total


def _log_peak(a: float, b: float, x: float) -> float:
    """log of x**a (1 - x)**b / B(a, b)."""
    return lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)
