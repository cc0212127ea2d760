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

Levels = np.ndarray[tuple[int, int], np.dtype[np.uint8 | np.float64]]
"""Grey levels, or weights as float64: shape (rows, columns)."""

_SIDES: Final = (32, 64)
"""Of the pictures that `imagehash` makes of a picture, for hashes of 8 x 8 and 16 x 16 bits."""
_LONGEST: Final = 2048
"""Pixels of a side: a longer one is rare, and left to Pillow, so that what is kept of sides is small."""
_ONE: Final = float(1 << 22)
"""The weight 1, as Pillow holds it (`PRECISION_BITS` in its Resample.c)."""
_DOUBT: Final = 1e-7
"""Of a rounded weight: nearer to a half, another rounding of the sine might tip it. Its error is 4e-9 at most."""
_AT_ONCE: Final = 1 << 16
"""Levels that are float64 at a time: more of them are new pages of memory for every picture, which takes longer
than the products; and OpenBLAS starts no threads for so few (the pool has a process a core already)."""


class _Band(NamedTuple):
    """Neighbouring columns of the result, and the weights of the columns that they are made from."""

    source: slice
    result: slice
    weights: Levels


def hashes(grey: Image.Image) -> tuple[str, str]:
    """`str(imagehash.phash(picture))` and `str(imagehash.phash(picture, hash_size=16))` of the picture that
    `grey`, of mode L, was made from (`imagehash` converts to grey itself, which of grey is a copy)."""
    small = _resized(np.asarray(grey)) if max(grey.size) <= _LONGEST and _agrees() else None
    # A picture of the size that `imagehash` wants is not resized again.
    eight, sixteen = (Image.fromarray(levels) for levels in small) if small else (grey, grey)
    return _phash(eight, 8), _phash(sixteen, 16)


def _phash(grey: Image.Image, hash_size: int) -> str:
    # The hex digits are those of the packed bits, made faster.
    return np.packbits(imagehash.phash(grey, hash_size=hash_size).hash).tobytes().hex()


def _resized(levels: Levels) -> list[Levels] | None:
    """The levels of Pillow's Lanczos resizes to both `_SIDES` squared, or None where they are not certain."""
    height, width = levels.shape
    across = [bands for side in _SIDES if (bands := _bands(width, side))]
    down = [bands for side in _SIDES if (bands := _bands(height, side))]
    if height > _highest(width) or len(across + down) < 2 * len(_SIDES):
        return None
    rows = _passed(levels, across)
    return [
        np.ascontiguousarray(_passed(one.T, [bands])[0].T.astype(np.uint8))
        for one, bands in zip(rows, down, strict=True)
    ]


def _highest(width: int) -> int:
    """The height up to which every Pillow makes rows short first. From 13 on it begins with the columns where
    they lose more than twice as many pixels, and the levels between the passes are others."""
    return 2 * width - max(_SIDES)


def _passed(levels: Levels, wanted: list[list[_Band]]) -> list[Levels]:
    """`levels` with fewer columns, once for each list of bands: one pass of Pillow's resize."""
    height, width = levels.shape
    results = [np.empty((height, bands[-1].result.stop)) for bands in wanted]
    step = max(1, _AT_ONCE // width)
    for top in range(0, height, step):
        block = levels[top : top + step].astype(np.float64)
        for result, bands in zip(results, wanted, strict=True):
            for band in bands:
                result[top : top + step, band.result] = block[:, band.source] @ band.weights
    for result in results:
        result += _ONE / 2
        result *= 1 / _ONE
        np.floor(result, out=result)
        np.clip(result, 0.0, 255.0, out=result)
    return results


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
    for width in (96, 192, 512):
        noise = random.integers(0, 256, (_highest(width), width), dtype=np.uint8)
        found = _resized(noise)
        if found is None:
            return False
        for side, levels in zip(_SIDES, found, strict=True):
            small = Image.fromarray(noise).resize((side, side), Image.Resampling.LANCZOS)
            if (levels != np.asarray(small)).any():
                return False
    return True
