"""Runs of equal values: how columns are grouped without a dictionary, in memory that arrays take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from waon_build.dedup.hamming import Indexes, Words


def starts_of_runs(n: int, columns: Iterable[NDArray[Any]]) -> Indexes:
    """Where a row differs from the one before it; the first does. columns: shape (n,) each, taken one by one."""
    differs = np.zeros(n, np.bool_)
    differs[:1] = True
    for column in columns:
        differs[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(differs)


def first_of_each(*words: Words) -> tuple[Indexes, Indexes]:
    """Equal rows, numbered as they first appear.

    words: uint64, shape (n,) each. Returns (the number of each row; the first row of each number)."""
    order = np.lexsort(words)
    starts = starts_of_runs(len(order), (column[order] for column in words))
    # The sort is stable: a run begins with its first row.
    firsts = order[starts]
    place = np.empty(len(starts), np.int64)
    place[np.argsort(firsts)] = np.arange(len(starts))
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.repeat(place, np.diff(starts, append=len(order)))
    firsts.sort()
    return numbers, firsts
