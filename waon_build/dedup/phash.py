"""Perceptual hashes between their two forms: hex digits in tables, unsigned integers in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]


def from_hex(digits: Sequence[str]) -> Hashes:
    """Hashes from hex digits, most significant first. digits: n strings of 16 k digits each. Returns
    uint64, shape (n,) for k = 1, else (n, k). Raises ValueError for anything but hex of one length."""
    if not len(digits):
        return np.empty(0, np.uint64)
    width = len(digits[0])
    if width % 16 or not width or any(len(text) != width for text in digits):
        raise ValueError("hashes must have the same number of digits, a multiple of 16")
    words = np.frombuffer(bytes.fromhex("".join(digits)), dtype=">u8").astype(np.uint64)
    return words if width == 16 else words.reshape(len(digits), width // 16)


def to_hex(hashes: Hashes) -> list[str]:
    """16 hex digits of each hash. hashes: uint64, shape (n,)."""
    return [f"{value:016x}" for value in hashes.tolist()]


def distance(first: Hashes, second: Hashes) -> npt.NDArray[np.int64]:
    """Hamming distance of each pair, bits. first, second: uint64, both (n,) or both (n, k). Shape (n,)."""
    bits = np.bitwise_count(first ^ second).astype(np.int64)
    return bits if bits.ndim == 1 else np.sum(bits, axis=1)
