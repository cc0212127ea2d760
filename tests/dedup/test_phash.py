"""Hexadecimal columns to words and back."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waon_build.dedup.phash import from_hex, to_hex

WORDS = st.lists(st.integers(0, 2**64 - 1))


@settings(deadline=None)
@given(WORDS)
def test_what_is_written_is_read_back(words: list[int]) -> None:
    array = np.array(words, np.uint64)
    text = to_hex(array)
    assert text.to_pylist() == [f"{word:016x}" for word in words]
    assert from_hex(text)[:, 0].tolist() == words


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 2**64 - 1)] * 4)))
def test_a_long_hash_is_words_from_its_first_digits_to_its_last(rows: list[tuple[int, ...]]) -> None:
    text = pa.array(["".join(f"{word:016X}" for word in row) for row in rows], pa.string())
    assert from_hex(text, 4).tolist() == [list(row) for row in rows]


def test_a_sliced_column_of_many_chunks_is_read_as_its_rows() -> None:
    """Arrow keeps the whole buffer behind a slice: offsets say what is meant."""
    column = pa.chunked_array([[f"{word:016x}" for word in range(start, start + 5)] for start in (0, 5, 10)])
    assert from_hex(column.slice(3, 9))[:, 0].tolist() == list(range(3, 12))


@pytest.mark.parametrize(
    "wrong", ["", "0123", "0123456789abcdefg", "0123456789abcdeg", "０１２３４５６７", " 123456789abcdef", None]
)
def test_what_is_not_a_hash_is_named(wrong: str | None) -> None:
    with pytest.raises(ValueError, match=r"row 2 is .*, not 16 hex digits"):
        from_hex(pa.array(["0" * 16, wrong, "1" * 16], pa.string()))
