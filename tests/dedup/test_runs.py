"""Grouping without a dictionary."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from waon_build.dedup.runs import first_of_each, starts_of_runs


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2))))
def test_equal_rows_are_numbered_as_they_first_appear(rows: list[tuple[int, int]]) -> None:
    distinct = list(dict.fromkeys(rows))
    columns = np.array(rows, np.uint64).reshape(-1, 2).T
    numbers, first = first_of_each(*columns)
    assert numbers.tolist() == [distinct.index(row) for row in rows]
    assert first.tolist() == [rows.index(row) for row in distinct]


@settings(deadline=None)
@given(st.lists(st.integers(0, 2)))
def test_a_run_starts_where_a_value_differs_from_the_one_before(values: list[int]) -> None:
    expected = [at for at, value in enumerate(values) if at == 0 or value != values[at - 1]]
    assert starts_of_runs(len(values), [np.array(values, np.int64)]).tolist() == expected
