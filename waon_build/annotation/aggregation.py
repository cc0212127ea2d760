"""What many answers come to: the model of Dawid and Skene, the majority, the median, the plain counts.

Answers are flat arrays of one length: which item, which person, which answer (`items`, `people`,
`labels`, each int of shape (n,), numbered from 0). Who weighs nothing is left out by the caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DIAGONAL, OFF_DIAGONAL = 4.0, 0.5
"""Pseudo-counts of a confusion matrix: people are believed to be right more often than not, until they show
otherwise."""
PRIOR = 1.0
"""Pseudo-count of each answer in the prior: an answer nobody gave yet is rare, not impossible."""
OWN_FROM = 20
"""Answers from which somebody has a confusion matrix of their own."""
UNKNOWN = -1
"""In place of a person of whom a model knows nothing."""

_ITERATIONS = 200
_STILL = 1e-4


class Model(NamedTuple):
    """Dawid and Skene's model, fitted to n answers by p people to m items, of k that may be given.

    prior (k,): how frequent each answer is in truth. confusion (p, k, k): of each person, how often the
    truth [row] is answered by [column]; for those with few answers it is `pooled` (k, k), that of all
    people together. posterior (m, k): of each item, how probable each answer is. converged: whether the
    last of the `iterations` changed nothing any more."""

    prior: Floats
    confusion: Floats
    pooled: Floats
    posterior: Floats
    iterations: int
    converged: bool


class Majority(NamedTuple):
    """label (m,): the answer most often given, of several the first, -1 where there is none. tied (m,):
    whether there are several."""

    label: Ints
    tied: npt.NDArray[np.bool_]


def dawid_skene(
    items: npt.ArrayLike,
    people: npt.ArrayLike,
    labels: npt.ArrayLike,
    choices: int,
    item_count: int | None = None,
    people_count: int | None = None,
    known: Mapping[int, int] | None = None,
) -> Model:
    """The most probable model (MAP) of the answers, by expectation maximisation.

    choices: k, the answers that may be given. item_count, people_count: m and p, by default as many as
    the arrays name. known: item -> its right answer, where that is certain (gold).

    Dawid and Skene, Applied Statistics 28(1), 1979, with Dirichlet priors, so that few answers do not
    make anybody infallible. People of whom there is little share one matrix: Paun et al. (TACL 6, 2018)
    find that models which pool so lose least where most people answer little.

    It takes items as drawn alike for everybody. Where some people were only ever shown what deserves one
    answer and others what deserves another, nothing tells careful people from careless ones, and the
    posterior may settle on either side.
    """
    items, people, labels = (np.asarray(one, dtype=np.int64).ravel() for one in (items, people, labels))
    m = _size(items, item_count)
    p = _size(people, people_count)
    cells = people * choices + labels
    few = np.bincount(people, minlength=p) < OWN_FROM
    fixed = np.fromiter((known or {}).keys(), dtype=np.int64, count=len(known or {}))
    certain = np.zeros((len(fixed), choices))
    certain[np.arange(len(fixed)), np.fromiter((known or {}).values(), dtype=np.int64, count=len(fixed))] = 1.0

    # From the votes as they are: where people agree, the model begins without doubt.
    votes = counts(items, labels, choices, m)
    posterior = np.where(votes.sum(axis=1, keepdims=True) > 0, votes, 1)
    posterior = posterior / posterior.sum(axis=1, keepdims=True)
    posterior[fixed] = certain
    converged, iterations = False, 0
    while True:
        prior, confusion, pooled = _parameters(posterior, items, cells, few, choices)
        if converged or iterations == _ITERATIONS:
            return Model(prior, confusion, pooled, posterior, iterations, converged)
        renewed = _posterior(np.log(prior), np.log(confusion), items, cells, m)
        renewed[fixed] = certain
        converged = bool(np.abs(renewed - posterior).max(initial=0.0) < _STILL)
        posterior = renewed
        iterations += 1


def posterior_of(model: Model, people: Sequence[int], labels: Sequence[int]) -> Floats:
    """How probable each answer is (k,) of one item, given who said what of it, under a model fitted
    before. people: their numbers in the model; UNKNOWN, and any number the model has not, is taken as
    people at large."""
    logs = np.log(model.prior)
    known = len(model.confusion)
    for person, label in zip(people, labels, strict=True):
        matrix = model.confusion[person] if 0 <= person < known else model.pooled
        logs += np.log(matrix[:, label])
    logs -= logs.max(initial=-np.inf)
    weights = np.exp(logs)
    shares: Floats = weights / weights.sum()
    return shares


def counts(items: npt.ArrayLike, labels: npt.ArrayLike, choices: int, item_count: int | None = None) -> Ints:
    """How often each answer was given to each item: (m, k)."""
    items, labels = (np.asarray(one, dtype=np.int64).ravel() for one in (items, labels))
    m = _size(items, item_count)
    return np.bincount(items * choices + labels, minlength=m * choices).reshape(m, choices)


def majority(table: Ints) -> Majority:
    """The answer most often given to each item. table: counts (m, k)."""
    most = table.max(axis=1, initial=0)
    leading = (table == most[:, None]) & (most[:, None] > 0)
    return Majority(np.where(most > 0, leading.argmax(axis=1) if table.shape[1] else 0, -1), leading.sum(axis=1) > 1)


def medians(table: Ints) -> Floats:
    """The median grade of each item, (m,): of an even number of answers the mean of the middle two, so
    that 1 and 2 give 1.5; nan where there is none. table: counts (m, k) of the grades 0 to k-1."""
    total = table.sum(axis=1)
    up_to = table.cumsum(axis=1)
    lower = (up_to < ((total + 1) // 2)[:, None]).sum(axis=1)
    upper = (up_to < (total // 2 + 1)[:, None]).sum(axis=1)
    return np.where(total > 0, (lower + upper) / 2, np.nan)


def _size(numbers: Ints, told: int | None) -> int:
    return told if told is not None else int(numbers.max(initial=-1)) + 1


def _parameters(
    posterior: Floats, items: Ints, cells: Ints, few: npt.NDArray[np.bool_], k: int
) -> tuple[Floats, Floats, Floats]:
    """The step M: prior (k,), confusion (p, k, k) and pooled (k, k), given what the items are."""
    believed = np.full((k, k), OFF_DIAGONAL)
    np.fill_diagonal(believed, DIAGONAL)
    said = np.empty((len(few), k, k))
    for truth in range(k):
        weights = posterior[items, truth]
        said[:, truth] = np.bincount(cells, weights, minlength=len(few) * k).reshape(len(few), k)
    pooled = _shares(said.sum(axis=0) + believed)
    confusion = np.where(few[:, None, None], pooled, _shares(said + believed))
    return _shares(posterior.sum(axis=0) + PRIOR), confusion, pooled


def _posterior(prior: Floats, confusion: Floats, items: Ints, cells: Ints, m: int) -> Floats:
    """The step E: how probable each answer of each item is (m, k), from logarithms."""
    k = len(prior)
    logs = np.empty((m, k))
    for truth in range(k):
        said = confusion[:, truth].ravel()[cells]
        logs[:, truth] = prior[truth] + np.bincount(items, said, minlength=m)
    logs -= logs.max(axis=1, keepdims=True, initial=-np.inf)
    return _shares(np.exp(logs))


def _shares(weights: Floats) -> Floats:
    shares: Floats = weights / weights.sum(axis=-1, keepdims=True)
    return shares
