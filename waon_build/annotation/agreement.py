"""How far people agree: raw, Krippendorff's alpha and Gwet's AC1, with 95 % intervals.

All three are asked of a table of counts, int of shape (items, k): how often each of the k possible
answers was given to each item. None alone is enough: where one answer prevails, alpha is low though
people agree (90/7/3 with few errors: raw 0.73, alpha 0.28, AC1 0.67), so all three are told.

Each is a function of sums over items. A resample of the items is a weight for each *distinct* row of the
table, and all resamples together are one product of matrices. What cannot be said is None, with a reason.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Level = Literal["nominal", "ordinal"]

RESAMPLES = 200

NO_PAIR = "no item has two answers"
ONE_ANSWER = "everybody gave the same answer"
ONE_CHOICE = "there is only one answer to give"
ONE_ITEM = "one item alone, so no interval"
NO_SPREAD = "all items agree alike, so no interval"
OFTEN_UNDEFINED = "undefined in many resamples, so no interval"
_MAY_FAIL = 0.05
"""Share of resamples in which a measure may be undefined, and still have an interval."""
_ROW_COSTS = 12
"""To draw the weight of a row takes as long as to draw so many items."""


class Measure(NamedTuple):
    """value: None where it is undefined. low, high: its 95 % interval, None where there is none. why: the
    reason for what is None, else ""."""

    value: float | None
    low: float | None
    high: float | None
    why: str


class Agreement(NamedTuple):
    """items: with two answers or more. answers: to those. raw: share of the pairs of answers to one item
    that are alike, mean over items. alpha: Krippendorff's. ac1: Gwet's."""

    items: int
    answers: int
    raw: Measure
    alpha: Measure
    ac1: Measure


class _Rows(NamedTuple):
    """Distinct rows, d of them. often (d,): how many items have it. answers (d,). alike (d,): share of its
    pairs that are alike, 0 where there is none. is_paired (d,). coincidences (d, k, k): Krippendorff's, 0
    where there is no pair. shares (d, k): of each answer."""

    often: Ints
    answers: Floats
    alike: Floats
    is_paired: Floats
    coincidences: Floats
    shares: Floats


def agreement(table: npt.ArrayLike, level: Level = "nominal", resamples: int = RESAMPLES, seed: int = 0) -> Agreement:
    """How far people agree. table: counts (items, k); of ordinal answers the columns are in their order.

    alpha: Krippendorff, "Computing Krippendorff's alpha-reliability", 2011; nominal or ordinal by level.
    AC1: Gwet, British Journal of Mathematical and Statistical Psychology 61, 2008, with k the answers
    that *may* be given, and items with one answer counting for how frequent answers are. Intervals:
    percentiles of `resamples` bootstraps over items; the same seed gives the same.
    """
    return _agreement(_rows_of_table(np.asarray(table, dtype=np.int64)), level, resamples, seed)


def agreement_of_person(
    own: npt.ArrayLike, others: npt.ArrayLike, level: Level = "nominal", resamples: int = RESAMPLES, seed: int = 0
) -> Agreement:
    """How far one person agrees with the others who judged the same items (leave-one-out): `agreement()`
    between the person and one of the others, drawn anew for each item, in expectation.

    own: int (items,), what the person said. others: counts (items, k) of what the others said."""
    return _agreement(_rows_of_person(np.asarray(own, np.int64), np.asarray(others, np.int64)), level, resamples, seed)


class Others(NamedTuple):
    """What everybody said, and what the others said of the same items. answers: indices (n,) of the answers
    given, sorted by person. start (p + 1,): where in it each person begins. table (n, k): beside each answer
    of the flat arrays, the others' answers to its item."""

    answers: Ints
    start: Ints
    table: Ints


def others(items: npt.ArrayLike, people: npt.ArrayLike, labels: npt.ArrayLike, choices: int) -> Others:
    """Beside each answer, the counts of the others' answers. Takes flat arrays, int of shape (n,)."""
    items, people, labels = (np.asarray(one, dtype=np.int64).ravel() for one in (items, people, labels))
    m, p = (int(numbers.max(initial=-1)) + 1 for numbers in (items, people))
    table = np.bincount(items * choices + labels, minlength=m * choices).reshape(m, choices)
    beside = table[items]
    beside[np.arange(len(labels)), labels] -= 1
    order = np.argsort(people, kind="stable")
    return Others(order, np.searchsorted(people[order], np.arange(p + 1)), beside)


def agreement_by_person(
    items: npt.ArrayLike,
    people: npt.ArrayLike,
    labels: npt.ArrayLike,
    choices: int,
    level: Level = "nominal",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Agreement]:
    """`agreement_of_person` for everybody, by their numbers. Takes flat arrays, int of shape (n,)."""
    said = np.asarray(labels, dtype=np.int64).ravel()
    around = others(items, people, said, choices)
    mine = np.split(around.answers, around.start[1:-1]) if len(around.start) > 1 else []
    return [agreement_of_person(said[at], around.table[at], level, resamples, seed) for at in mine]


def _agreement(rows: _Rows, level: Level, resamples: int, seed: int) -> Agreement:
    k = rows.shares.shape[1]
    paired = rows.often * rows.is_paired
    items, answers = int(paired.sum()), int((paired * rows.answers).sum())
    if items == 0:
        nothing = Measure(None, None, None, NO_PAIR)
        return Agreement(0, 0, nothing, nothing, nothing)
    total = int(rows.often.sum())
    weights = np.concatenate([rows.often[None], _resampled(rows.often, resamples, seed)]).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        pairs = weights @ rows.is_paired
        raw = weights @ rows.alike / pairs
        ac1 = _chance_corrected(raw, _by_chance(weights @ rows.shares / total))
        alpha = 1 - _disagreement(
            (weights @ rows.coincidences.reshape(len(rows.often), k * k)).reshape(-1, k, k), level
        )
    return Agreement(
        items,
        answers,
        _measure(raw, items, ""),
        _measure(alpha, items, ONE_ANSWER),
        _measure(ac1, items, ONE_CHOICE),
    )


def _rows_of_table(table: Ints) -> _Rows:
    distinct, often = _distinct(table[table.sum(axis=1) > 0])
    answers = distinct.sum(axis=1).astype(np.float64)
    between = np.maximum(answers - 1, 1)
    coincidences = distinct[:, :, None] * distinct[:, None, :] / between[:, None, None]
    diagonal = np.arange(table.shape[1])
    coincidences[:, diagonal, diagonal] -= distinct / between[:, None]
    is_paired = (answers > 1).astype(np.float64)
    coincidences *= is_paired[:, None, None]
    alike = np.trace(coincidences, axis1=1, axis2=2) / answers
    return _Rows(often, answers, alike, is_paired, coincidences, distinct / answers[:, None])


def _rows_of_person(own: Ints, others: Ints) -> _Rows:
    k = others.shape[1]
    seen = others.sum(axis=1) > 0
    joined, often = _distinct(np.column_stack([others[seen], own[seen]]))
    others, own = joined[:, :k], joined[:, k]
    theirs = others / others.sum(axis=1, keepdims=True)
    mine = np.eye(k)[own]
    one_way = mine[:, :, None] * theirs[:, None, :]
    ones = np.ones(len(own))
    alike = theirs[np.arange(len(own)), own]
    return _Rows(often, ones * 2, alike, ones, one_way + one_way.swapaxes(1, 2), (mine + theirs) / 2)


def _distinct(table: Ints) -> tuple[Ints, Ints]:
    """The distinct rows of a table of small numbers, and how often each is there."""
    columns = table.shape[1]
    base = int(table.max(initial=0)) + 1
    if base**columns >= 2**62:
        distinct, often = np.unique(table, axis=0, return_counts=True)
        return distinct, often
    places = base ** np.arange(columns, dtype=np.int64)
    numbers, often = np.unique(table @ places, return_counts=True)
    return numbers[:, None] // places % base, often


def _resampled(often: Ints, resamples: int, seed: int) -> Ints:
    """How often each distinct row is in each resample, (resamples, d): drawn row by row, or where there are
    few items to a row, which is quicker then, item by item."""
    random = np.random.default_rng(seed)
    d, total = len(often), int(often.sum())
    if d * _ROW_COSTS < total:
        return random.multinomial(total, often / total, size=resamples)
    rows = np.repeat(np.arange(d), often)[random.integers(0, total, (resamples, total))]
    rows += d * np.arange(resamples)[:, None]
    return np.bincount(rows.ravel(), minlength=resamples * d).reshape(resamples, d)


def _by_chance(shares: Floats) -> Floats:
    """Gwet's agreement by chance, given how frequent answers are (.., k)."""
    k = shares.shape[-1]
    found: Floats = (shares * (1 - shares)).sum(axis=-1) / (k - 1) if k > 1 else np.full(shares.shape[:-1], np.nan)
    return found


def _chance_corrected(observed: Floats, by_chance: Floats) -> Floats:
    found: Floats = (observed - by_chance) / (1 - by_chance)
    return found


def _disagreement(coincidences: Floats, level: Level) -> Floats:
    """Krippendorff's observed disagreement over the expected, of coincidences (b, k, k); nan where only one
    answer was given."""
    given = coincidences.sum(axis=2)
    total = given.sum(axis=1)
    if level == "ordinal":
        middle = given.cumsum(axis=1) - given / 2
        distance = (middle[:, :, None] - middle[:, None, :]) ** 2
    else:
        distance = 1.0 - np.eye(given.shape[1])
    observed = (coincidences * distance).sum(axis=(1, 2))
    expected = (given[:, :, None] * given[:, None, :] * distance).sum(axis=(1, 2)) / (total - 1)
    found: Floats = np.where((given > 0).sum(axis=1) > 1, observed / expected, np.nan)
    return found


def _measure(found: Floats, items: int, why: str) -> Measure:
    """found (1 + resamples,): of the items themselves, then of each resample. why: it can be undefined."""
    value, drawn = found[0], found[1:][np.isfinite(found[1:])]
    if not np.isfinite(value):
        return Measure(None, None, None, why)
    value = float(value)
    if items == 1:
        return Measure(value, None, None, ONE_ITEM)
    if len(drawn) < (1 - _MAY_FAIL) * (len(found) - 1):
        return Measure(value, None, None, OFTEN_UNDEFINED)
    low, high = _middle(np.sort(drawn)) if len(drawn) else (value, value)
    if low == high:
        return Measure(value, None, None, NO_SPREAD)
    return Measure(value, low, high, "")


def _middle(drawn: Floats) -> tuple[float, float]:
    """The 2.5 and 97.5 % points of sorted numbers, between two of them in proportion."""
    at = np.array([0.025, 0.975]) * (len(drawn) - 1)
    low, high = np.interp(at, np.arange(len(drawn)), drawn)
    return float(low), float(high)
