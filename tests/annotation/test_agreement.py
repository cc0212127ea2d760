"""How far people agree, and what can be said of how sure that is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as some

from waon_build.annotation.agreement import (
    NO_PAIR,
    NO_SPREAD,
    OFTEN_UNDEFINED,
    ONE_ANSWER,
    ONE_CHOICE,
    ONE_ITEM,
    agreement,
    agreement_by_person,
    agreement_of_person,
)

UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
TABLES = some.arrays(np.int64, st.tuples(st.integers(1, 12), st.integers(2, 4)), elements=st.integers(0, 4))
LEVELS = st.sampled_from(["nominal", "ordinal"])


def table_of(observers: list[str]) -> np.ndarray:
    """Counts, from a line of grades for each observer, `.` where there is none."""
    grades = np.array([[int(one) if one != "." else 0 for one in line] for line in observers])
    return np.stack([(grades == grade).sum(axis=0) for grade in range(1, grades.max() + 1)], axis=1)


# The examples A, B and C of Krippendorff, "Computing Krippendorff's alpha-reliability", 2011.
TWO_ANSWERS = table_of(["1211111121", "2221121111"])
FIVE_ANSWERS = table_of(["112243335441", "212223335444"])
FOUR_OBSERVERS = table_of(["123321412...", "1233224125.3", ".3332342251.", "12332441251."])


def values(found: Any) -> tuple[float | None, ...]:
    return found.raw.value, found.alpha.value, found.ac1.value


def test_alpha_is_that_of_krippendorffs_own_examples() -> None:
    for table, level, alpha in (
        (TWO_ANSWERS, "nominal", 0.095),
        (FIVE_ANSWERS, "nominal", 0.692),
        (FOUR_OBSERVERS, "nominal", 0.743),
        (FOUR_OBSERVERS, "ordinal", 0.815),
    ):
        assert agreement(table, level).alpha.value == pytest.approx(alpha, abs=5e-4)


def test_ac1_and_raw_are_those_published_for_the_same_data() -> None:
    """Gwet's own tables (irrCAC, `cac.raw4raters`): AC1 0.77544, agreement 0.81818."""
    assert agreement(FOUR_OBSERVERS).ac1.value == pytest.approx(0.77544, abs=5e-6)
    assert agreement(FOUR_OBSERVERS).raw.value == pytest.approx(0.81818, abs=5e-6)


def test_where_one_answer_prevails_alpha_is_low_and_ac1_is_not() -> None:
    """Why all three are told: 85 of 100 agree that it is so, hardly anybody agrees that it is not."""
    found = agreement([[2, 0]] * 85 + [[1, 1]] * 14 + [[0, 2]])
    raw, alpha, ac1 = values(found)
    assert (raw, found.items, found.answers) == (0.86, 100, 200)
    assert alpha == pytest.approx(1 - 199 * 28 / (2 * 184 * 16))
    by_chance = 2 * 0.92 * 0.08
    assert ac1 == pytest.approx((0.86 - by_chance) / (1 - by_chance))


def test_answers_next_to_each_other_disagree_less_when_there_is_an_order() -> None:
    near = np.array([[2, 0, 0, 0], [1, 1, 0, 0], [0, 0, 2, 0], [0, 0, 1, 1], [0, 2, 0, 0], [0, 0, 0, 2]])
    assert agreement(near, "ordinal").alpha.value > agreement(near).alpha.value  # type: ignore[operator]


@UNTIMED
@given(TABLES, LEVELS, st.randoms())
def test_the_order_of_items_changes_nothing(table: np.ndarray, level: Any, random: Any) -> None:
    """Nor that of answers without an order; not even the intervals, for the same seed."""
    order = list(range(len(table)))
    random.shuffle(order)
    assert agreement(table[order], level) == agreement(table, level)
    if level == "nominal":
        columns = list(range(table.shape[1]))
        random.shuffle(columns)
        for one, other in zip(values(agreement(table[:, columns])), values(agreement(table)), strict=True):
            assert one == (other if other is None else pytest.approx(other, abs=1e-12))


@UNTIMED
@given(TABLES, LEVELS)
def test_what_is_undefined_says_why_and_nothing_exceeds_one(table: np.ndarray, level: Any) -> None:
    found = agreement(table, level)
    for measure in (found.raw, found.alpha, found.ac1):
        assert (measure.low is None) == (measure.high is None) == bool(measure.why)
        assert measure.value is None or measure.value <= 1 + 1e-12
        if measure.low is not None and measure.high is not None:
            assert measure.low < measure.high <= 1 + 1e-12
    assert (found.raw.value is None) == (table.sum(axis=1) < 2).all()


@UNTIMED
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(2, 5)), min_size=2, max_size=20), LEVELS)
def test_perfect_agreement_is_one(said: list[tuple[int, int]], level: Any) -> None:
    """Alpha cannot tell it from a lack of choice, when it was always the same answer."""
    found = agreement([[many if at == label else 0 for at in range(3)] for label, many in said], level)
    same = len({label for label, _ in said}) == 1
    assert values(found) == (1, None if same else pytest.approx(1), pytest.approx(1))
    assert found.raw.why == NO_SPREAD
    assert found.alpha.why in ((ONE_ANSWER,) if same else (NO_SPREAD, OFTEN_UNDEFINED))


def test_what_cannot_be_said_says_why() -> None:
    for nothing in ([[0, 0]], [[1, 0], [0, 1]], np.zeros((0, 3), dtype=int)):
        found = agreement(nothing)
        assert values(found) == (None, None, None)
        assert {found.raw.why, found.alpha.why, found.ac1.why} == {NO_PAIR}
    assert agreement([[2, 0], [3, 0]]).alpha == (None, None, None, ONE_ANSWER)
    assert agreement([[2], [3]]).ac1 == (None, None, None, ONE_CHOICE)
    assert agreement([[1, 1]]).raw == (0, None, None, ONE_ITEM)
    assert agreement([[2, 0], [0, 2]]).raw == (1, None, None, NO_SPREAD)


@pytest.mark.parametrize("level", ["nominal", "ordinal"])
def test_an_interval_holds_what_it_is_an_interval_of(level: Any) -> None:
    """About 95 of 100 times, that of the many items which a few were drawn from."""
    random = np.random.default_rng(3)
    truth = random.choice(4, 40_000, p=(0.1, 0.1, 0.3, 0.5))
    near = np.clip(truth[:, None] + random.choice((-1, 0, 0, 0, 1), (40_000, 3)), 0, 3)
    table = (near[:, :, None] == np.arange(4)).sum(axis=1)
    whole = values(agreement(table, level, resamples=1))
    held = np.zeros(3)
    for trial in range(200):
        found = agreement(table[random.choice(40_000, 300)], level, seed=trial)
        for at, (measure, value) in enumerate(zip((found.raw, found.alpha, found.ac1), whole, strict=True)):
            assert measure.low <= measure.value <= measure.high
            held[at] += measure.low <= value <= measure.high
    assert (held / 200 > 0.9).all()


def test_the_resamples_are_those_of_a_plain_bootstrap() -> None:
    """Weights of distinct rows give the spread that drawing items with replacement gives."""
    random = np.random.default_rng(11)
    table = random.multinomial(3, (0.7, 0.2, 0.1), size=150)
    plain = [values(agreement(table[random.choice(150, 150)], resamples=1)) for _ in range(3000)]
    found = agreement(table, resamples=3000)
    for measure, column in zip((found.raw, found.alpha, found.ac1), np.array(plain).T, strict=True):
        np.testing.assert_allclose((measure.low, measure.high), np.percentile(column, [2.5, 97.5]), atol=0.012)


def test_answers_by_the_hundred_do_not_overflow() -> None:
    table = np.random.default_rng(0).integers(0, 500, (50, 12))
    found = agreement(table)
    assert found.raw.value == pytest.approx(1 / 12, abs=0.05)


@UNTIMED
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(0, 2)), max_size=40, unique_by=lambda x: x[:2])
)
def test_of_two_people_each_agrees_with_the_other_as_both_do(said: list[tuple[int, int, int]]) -> None:
    """With two people, leaving one out says what the table of both says; with more, the others are averaged."""
    two = [(item, person, label) for item, person, label in said if person < 2]
    items, people, labels = np.array(two, dtype=int).reshape(-1, 3).T
    table = np.zeros((7, 3), dtype=int)
    np.add.at(table, (items, labels), 1)
    whole = agreement(table[table.sum(axis=1) > 1])
    for found in agreement_by_person(items, people, labels, 3):
        if found.items:
            assert (found.items, found.answers) == (whole.items, whole.answers)
            for one, other in zip(values(found), values(whole), strict=True):
                assert one == (other if other is None else pytest.approx(other, abs=1e-12))


def test_who_answers_at_random_stands_apart() -> None:
    """Of five people, one answers whatever: theirs is the only agreement near chance."""
    random = np.random.default_rng(2)
    truth = random.integers(0, 3, 300)
    items, people = np.repeat(np.arange(300), 5), np.tile(np.arange(5), 300)
    labels = np.where(people == 3, random.integers(0, 3, 1500), truth[items])
    found = agreement_by_person(items, people, labels, 3)
    assert [round(one.raw.value or 0, 1) for one in found] == [0.8, 0.8, 0.8, 0.3, 0.8]
    assert abs(found[3].alpha.value or 1) < 0.1 < 0.6 < (found[0].alpha.low or 0)


def test_who_judged_alone_has_no_agreement() -> None:
    found = agreement_by_person([0, 1, 1], [0, 2, 3], [1, 1, 1], 2)
    assert [one.raw.why for one in found[:2]] == [NO_PAIR, NO_PAIR]
    assert found[2].raw == (1, None, None, ONE_ITEM)
    assert agreement_by_person([], [], [], 2) == []
    assert agreement_of_person([], np.zeros((0, 2))).raw.why == NO_PAIR


@UNTIMED
@given(TABLES, LEVELS)
def test_alpha_is_that_of_the_reference_library(table: np.ndarray, level: Any) -> None:
    krippendorff = pytest.importorskip("krippendorff")
    found = agreement(table, level, resamples=1).alpha
    if found.value is not None:
        expected = krippendorff.alpha(value_counts=table, level_of_measurement=level)
        assert found.value == pytest.approx(expected, abs=1e-9)


@UNTIMED
@given(TABLES)
def test_ac1_is_that_of_the_reference_library(table: np.ndarray) -> None:
    """Which takes rows of ratings, and rounds to five places."""
    raw = pytest.importorskip("irrCAC.raw")
    pandas = pytest.importorskip("pandas")
    found = agreement(table, resamples=1)
    if found.items < 2:
        return  # it divides by the number of items less one
    told = [np.repeat(np.arange(table.shape[1]), row).tolist() for row in table if row.sum()]
    most = max(map(len, told))
    frame = pandas.DataFrame([[float(one) for one in row] + [np.nan] * (most - len(row)) for row in told])
    expected = raw.CAC(frame, categories=[float(one) for one in range(table.shape[1])]).gwet()["est"]
    assert found.raw.value == pytest.approx(float(expected["pa"]), abs=2e-5)
    assert found.ac1.value == pytest.approx(float(expected["coefficient_value"]), abs=2e-5)
