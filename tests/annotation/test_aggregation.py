"""What many answers come to: the model of Dawid and Skene, the majority, the median."""

from __future__ import annotations

from statistics import median
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from waon_build.annotation.aggregation import (
    DIAGONAL,
    OFF_DIAGONAL,
    OWN_FROM,
    PRIOR,
    UNKNOWN,
    counts,
    dawid_skene,
    majority,
    medians,
    posterior_of,
)

UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SAID = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 2)), max_size=120)
"""(item, person, answer), of 10 items, 4 people and 3 answers."""


def arrays(said: list[tuple[int, int, int]]) -> tuple[np.ndarray, ...]:
    return tuple(np.array(said, dtype=int).reshape(-1, 3).T)


def crowd(seed: int, items: int = 400, each: int = 3) -> tuple[np.ndarray, ...]:
    """Truth, and answers: one answer prevails, and of ten people three give it whatever is shown."""
    random = np.random.default_rng(seed)
    truth = random.choice(3, items, p=(0.75, 0.2, 0.05))
    at = np.repeat(np.arange(items), each)
    who = np.concatenate([random.permutation(10)[:each] for _ in range(items)])
    is_right = random.random(len(at)) < 0.85
    answer = np.where(is_right, truth[at], random.integers(0, 3, len(at)))
    return truth, at, who, np.where(who < 3, 0, answer)


def slowly(said: list[tuple[int, int, int]], m: int, p: int, k: int, steps: int) -> list[list[float]]:
    """The same model as the paper writes it, in loops."""
    few = [sum(person == one for _, person, _ in said) < OWN_FROM for one in range(p)]
    posterior = [[float(sum(it == i and la == c for it, _, la in said)) for c in range(k)] for i in range(m)]
    posterior = [row if sum(row) else [1.0] * k for row in posterior]
    posterior = [[weight / sum(row) for weight in row] for row in posterior]
    for _ in range(steps):
        prior = [(PRIOR + sum(row[c] for row in posterior)) / (m + k * PRIOR) for c in range(k)]

        def matrix(people: set[int], posterior: Any = posterior) -> list[list[float]]:
            rows = [[DIAGONAL if t == c else OFF_DIAGONAL for c in range(k)] for t in range(k)]
            for it, person, la in said:
                for t in range(k):
                    rows[t][la] += posterior[it][t] if person in people else 0
            return [[weight / sum(row) for weight in row] for row in rows]

        confusion = [matrix(set(range(p)) if few[one] else {one}) for one in range(p)]
        renewed = []
        for i in range(m):
            row = list(prior)
            for it, person, la in said:
                if it == i:
                    row = [weight * confusion[person][t][la] for t, weight in enumerate(row)]
            renewed.append([weight / sum(row) for weight in row])
        posterior = renewed
    return posterior


def test_it_is_the_model_of_the_paper() -> None:
    """Step for step the same as loops that follow Dawid and Skene (1979) with pseudo-counts, for people with
    a matrix of their own and people without."""
    random = np.random.default_rng(4)
    truth = random.integers(0, 3, 30)
    said = [
        (item, person, int(truth[item] if random.random() < 0.7 else random.integers(0, 3)))
        for item in range(30)
        for person in range(4)
        if person < 2 or item < 10
    ]
    model = dawid_skene(*arrays(said), choices=3)
    assert model.converged
    np.testing.assert_allclose(model.posterior, slowly(said, 30, 4, 3, model.iterations), atol=1e-12)


def test_people_who_give_one_answer_to_everything_are_seen_through() -> None:
    """Where one answer prevails and some give nothing else, the model finds more of the truth than the
    majority does: most of all the rare answers."""
    right: dict[str, list[float]] = {"model": [], "majority": []}
    for seed in range(5):
        truth, *said = crowd(seed)
        rare = truth != 0
        found = dawid_skene(*said, choices=3).posterior.argmax(axis=1)
        right["model"].append(float((found == truth)[rare].mean()))
        right["majority"].append(float((majority(counts(*said[::2], 3)).label == truth)[rare].mean()))
    assert np.mean(right["model"]) > np.mean(right["majority"]) + 0.05


def test_a_posterior_says_how_often_it_is_right() -> None:
    truth, *said = crowd(7, items=3000)
    posterior = dawid_skene(*said, choices=3).posterior
    sure = posterior.max(axis=1)
    is_right = posterior.argmax(axis=1) == truth
    assert abs(sure.mean() - is_right.mean()) < 0.03
    assert is_right[sure > 0.95].mean() > 0.95


@UNTIMED
@given(SAID)
def test_whatever_was_said_shares_are_shares(said: list[tuple[int, int, int]]) -> None:
    """And who says nothing has the matrix of all, what nobody judged the prior."""
    model = dawid_skene(*arrays(said), choices=3, item_count=11, people_count=5)
    for shares in (model.prior, model.confusion, model.pooled, model.posterior):
        np.testing.assert_allclose(shares.sum(axis=-1), 1)
        assert (shares > 0).all() or shares is model.posterior
    np.testing.assert_array_equal(model.confusion[4], model.pooled)
    np.testing.assert_allclose(model.posterior[10], model.prior, atol=2e-4)


@UNTIMED
@given(SAID, st.randoms())
def test_the_order_of_answers_items_and_people_changes_nothing(said: list[tuple[int, int, int]], random: Any) -> None:
    items, people, order = list(range(10)), list(range(4)), list(range(len(said)))
    for one in (items, people, order):
        random.shuffle(one)
    model = dawid_skene(*arrays(said), 3, 10, 4)
    other = dawid_skene(*arrays([(items[said[at][0]], people[said[at][1]], said[at][2]) for at in order]), 3, 10, 4)
    # Sums in another order may stop a step sooner.
    np.testing.assert_allclose(other.posterior[items], model.posterior, atol=5e-4)
    np.testing.assert_allclose(other.confusion[people], model.confusion, atol=5e-4)


@pytest.mark.parametrize("known", [None, {}])
def test_nothing_said_is_not_an_error(known: dict[int, int] | None) -> None:
    model = dawid_skene([], [], [], choices=3, known=known)
    assert (model.posterior.shape, model.confusion.shape, model.converged) == ((0, 3), (0, 3, 3), True)
    np.testing.assert_allclose(model.prior, 1 / 3)
    np.testing.assert_allclose(model.pooled.diagonal(), 0.8)
    assert majority(counts([], [], 3)).label.size == medians(counts([], [], 3)).size == 0


def test_one_person_one_answer_and_always_the_same_answer_are_not_errors() -> None:
    assert dawid_skene([0], [0], [2], choices=4).posterior.argmax() == 2
    alike = dawid_skene(np.arange(50), np.zeros(50), np.zeros(50), choices=4)
    assert alike.converged
    assert (alike.posterior[:, 0] > 0.9).all()
    assert dawid_skene([0, 1], [0, 0], [0, 0], choices=1).posterior.tolist() == [[1], [1]]


def test_who_always_gives_one_answer_may_be_right() -> None:
    """Two people agree on 30 items that they are so, two others on 10 that they are not: they are believed."""
    items = np.repeat(np.arange(40), 2)
    people = np.where(items < 30, 0, 2) + np.tile([0, 1], 40)
    posterior = dawid_skene(items, people, items < 30, choices=2).posterior
    assert (posterior.argmax(axis=1) == (np.arange(40) < 30)).all()
    assert posterior.max(axis=1).min() > 0.9


def test_what_is_known_stays_and_measures_people() -> None:
    """All say 0 of what is known to be 1: their 0 is believed no more."""
    items = np.arange(60)
    model = dawid_skene(items, np.zeros(60), np.zeros(60), choices=2, known=dict.fromkeys(range(59), 1))
    assert model.posterior[:59].tolist() == [[0, 1]] * 59
    assert model.confusion[0, 1, 0] > 0.9
    assert model.posterior[59].argmax() == 1


def test_one_item_is_judged_under_a_model_fitted_before() -> None:
    """As the model itself judges it; an unknown person counts as people at large."""
    _, items, people, labels = crowd(1)
    model = dawid_skene(items, people, labels, choices=3)
    for item in range(20):
        mine = items == item
        found = posterior_of(model, people[mine].tolist(), labels[mine].tolist())
        np.testing.assert_allclose(found, model.posterior[item], atol=1e-3)
    expected = model.prior * model.pooled[:, 1]
    for unknown in (UNKNOWN, 10, 999):
        np.testing.assert_allclose(posterior_of(model, [unknown], [1]), expected / expected.sum())
    np.testing.assert_allclose(posterior_of(model, [], []), model.prior)


def test_a_thousand_answers_to_one_item_do_not_underflow() -> None:
    said = np.zeros(1000, dtype=int), np.arange(1000) % 7, np.ones(1000, dtype=int)
    model = dawid_skene(*said, choices=3)
    assert model.posterior[0].argmax() == posterior_of(model, said[1].tolist(), said[2].tolist()).argmax() == 1


def test_the_majority_tells_its_ties() -> None:
    found = majority(np.array([[2, 1, 0], [1, 1, 0], [0, 0, 0], [0, 0, 4], [0, 2, 2]]))
    assert found.label.tolist() == [0, 0, -1, 2, 1]
    assert found.tied.tolist() == [False, True, False, False, True]


@UNTIMED
@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=9), min_size=1, max_size=5))
def test_the_median_is_that_of_the_grades(said: list[list[int]]) -> None:
    """Of an even number the mean of the middle two."""
    items = np.repeat(np.arange(len(said)), [len(grades) for grades in said])
    table = counts(items, np.concatenate(said), 4, item_count=len(said) + 1)
    assert medians(table)[:-1].tolist() == [median(grades) for grades in said]
    assert np.isnan(medians(table)[-1])
