"""Hexadecimal digests (`imagehash.phash` and others) as arrays of 64-bit words, and back, a column at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from waon_build.dedup.hamming import Words

_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)
_VALUES = np.full(256, 255, np.uint8)
_VALUES[_DIGITS] = np.arange(16)
_VALUES[np.frombuffer(b"ABCDEF", np.uint8)] = np.arange(10, 16)


def from_hex(column: pa.Array | pa.ChunkedArray, words: int = 1) -> Words:
    """Strings of `16 * words` hex digits as uint64, shape (n, words), the first digits in the first word.

    Raises ValueError that quotes the first string which is something else.
    """
    text = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    text = text.cast(pa.large_string())
    n = len(text)
    fits = pc.fill_null(pc.equal(pc.binary_length(text), 16 * words), False)
    if not pc.all(fits, min_count=0).as_py():
        raise _not_hex(text, pc.index(fits, False).as_py(), words)
    if n == 0:
        return np.empty((0, words), np.uint64)
    [first] = np.frombuffer(text.buffers()[1], np.int64, 1, text.offset * 8)
    characters = np.frombuffer(text.buffers()[2], np.uint8, n * 16 * words, first)
    values = _VALUES[characters]
    if (values == 255).any():
        raise _not_hex(text, int(np.argmax(values == 255)) // (16 * words), words)
    octets = values[0::2] << 4 | values[1::2]
    return octets.view(">u8").astype(np.uint64).reshape(n, words)


def to_hex(words: Words) -> pa.StringArray:
    """uint64, shape (n,), as strings of 16 lower-case hex digits."""
    octets = np.ascontiguousarray(words).astype(">u8").view(np.uint8)
    digits = np.empty(2 * len(octets), np.uint8)
    digits[0::2], digits[1::2] = _DIGITS[octets >> 4], _DIGITS[octets & 15]
    offsets = np.arange(len(words) + 1, dtype=np.int64) * 16
    text = pa.LargeStringArray.from_buffers(len(words), pa.py_buffer(offsets), pa.py_buffer(digits))
    return text.cast(pa.string())


def _not_hex(text: Any, at: int, words: int) -> ValueError:
    return ValueError(f"row {at + 1} is {text[at].as_py()!r:.80}, not {16 * words} hex digits")
