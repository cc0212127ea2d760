"""Both perceptual hashes of a picture: those of `imagehash`, bit for bit, in half the time.

Nearly all of their time is Pillow's Lanczos resize to 32 and 64 pixels a side. For 8 bits it is whole-number
arithmetic: weights rounded to 22 bits, each pass rounded to a grey level. Sums of such products are exact
in float64, whatever their order, so that a product of matrices gives the very same levels. `imagehash`
makes the hash from them. Where the same levels are not certain, Pillow itself resizes: pictures more than
about twice as high as wide, very long ones, and all of them when this Pillow does not resize as described.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import imagehash
import numpy as np
from PIL import Image

Levels = np.ndarray[tuple[int, int], np.dtype[np.float64]]
"""Grey levels, or weights, as float64: shape (rows, columns)."""

_LONGEST: Final = 2048
"""Pixels of a side: a longer one is rare, and left to Pillow, so that what is kept of sides is small."""
_ONE: Final = float(1 << 22)
"""The weight 1, as Pillow holds it (`PRECISION_BITS` in its Resample.c)."""
_DOUBT: Final = 1e-7
"""Of a rounded weight: nearer to a half, another rounding of the sine might tip it. Its error is 4e-9 at most."""
_PRODUCTS: Final = 1 << 18
"""Multiplications up to which OpenBLAS starts no threads: the pool has a process a core already."""


class _Band(NamedTuple):
    """Neighbouring columns of the result, and the weights of the columns that they are made from."""

    source: slice
    result: slice
    weights: Levels


def hashes(grey: Image.Image) -> tuple[str, str]:
    """`str(imagehash.phash(picture))` and `str(imagehash.phash(picture, hash_size=16))` of the picture that
    `grey`, of mode L, was made from (`imagehash` converts to grey itself, which of grey is a copy)."""
    levels = np.asarray(grey).astype(np.float64) if max(grey.size) <= _LONGEST and _agrees() else None
    return _phash(grey, levels, 8), _phash(grey, levels, 16)


def _phash(grey: Image.Image, levels: Levels | None, hash_size: int) -> str:
    side = 4 * hash_size  # imagehash's highfreq_factor
    small = None if levels is None else _resized(levels, side)
    # A picture of that size already is not resized again.
    found = imagehash.phash(grey if small is None else Image.fromarray(small.astype(np.uint8)), hash_size=hash_size)
    # The hex digits are those of the packed bits, made faster.
    return np.packbits(found.hash).tobytes().hex()


def _resized(levels: Levels, side: int) -> Levels | None:
    """The levels of Pillow's Lanczos resize to (side, side), or None where they are not certain."""
    height, width = levels.shape
    if height > _highest(width, side):
        return None
    across, down = _bands(width, side), _bands(height, side)
    if across is None or down is None:
        return None
    return _pass(_pass(levels, across, side).T, down, side).T


def _highest(width: int, side: int) -> int:
    """The height up to which every Pillow makes rows short first. From 13 on it begins with the columns where
    they lose more than twice as many pixels, and the levels between the passes are others."""
    return 2 * width - side


def _pass(levels: Levels, bands: list[_Band], side: int) -> Levels:
    """`levels` with `side` columns: one pass of Pillow's resize."""
    result = np.empty((len(levels), side))
    for band in bands:
        rows = max(1, _PRODUCTS // band.weights.size)
        for top in range(0, len(levels), rows):
            result[top : top + rows, band.result] = levels[top : top + rows, band.source] @ band.weights
    result += _ONE / 2
    result *= 1 / _ONE
    np.floor(result, out=result)
    return np.clip(result, 0.0, 255.0, out=result)


@lru_cache(maxsize=128)
def _bands(length: int, side: int) -> list[_Band] | None:
    """The weights that make `side` pixels of `length`, or None where one is too near to a half.

    As `precompute_coeffs` and `normalize_coeffs_8bpc` of Pillow's Resample.c have them."""
    scale = length / side
    stretch = max(scale, 1.0)
    centre = (np.arange(side) + 0.5) * scale
    first = np.maximum((centre - 3 * stretch + 0.5).astype(int), 0)
    last = np.minimum((centre + 3 * stretch + 0.5).astype(int), length)
    source = first + np.arange(int(np.max(last - first)))[:, None]
    offset = (source - centre + 0.5) / stretch
    taken = (source < last) & (offset >= -3) & (offset < 3)
    weights = np.where(taken, np.sinc(offset) * np.sinc(offset / 3), 0.0)
    weights *= _ONE / weights.sum(axis=0)
    if (abs(abs(weights) % 1 - 0.5) < _DOUBT).any():
        return None
    bands = []
    step = side // 8
    for begin in range(0, side, step):
        columns = slice(begin, begin + step)
        rows = slice(int(first[begin]), int(last[begin + step - 1]))
        band = np.zeros((rows.stop - rows.start, step))
        inside = taken[:, columns]
        band[(source[:, columns] - rows.start)[inside], np.nonzero(inside)[1]] = np.rint(weights[:, columns])[inside]
        bands.append(_Band(rows, columns, band))
    return bands


@lru_cache(maxsize=1)
def _agrees() -> bool:
    """Whether this Pillow resizes as described. (One built with other arithmetic, such as Pillow-SIMD, may not.)"""
    random = np.random.default_rng(0)
    for side in (32, 64):
        for width in (3 * side, 512):
            noise = random.integers(0, 256, (_highest(width, side), width), dtype=np.uint8)
            small = Image.fromarray(noise).resize((side, side), Image.Resampling.LANCZOS)
            found = _resized(noise.astype(np.float64), side)
            if found is None or (found != np.asarray(small)).any():
                return False
    return True
