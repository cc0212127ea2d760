"""What `fetch.likeness` promises: the hashes of `imagehash`, bit for bit, whatever the picture."""

from __future__ import annotations

import imagehash
import numpy as np
import pytest
from PIL import Image

from waon_build.fetch import likeness
from waon_build.fetch.likeness import hashes

SHAPES = [
    (512, 512),
    (683, 512),
    (768, 512),
    (910, 512),
    (512, 683),
    (512, 910),
    (341, 256),
    (32, 32),
    (64, 64),
    (1, 1),
]
EXTREMES = [
    (1, 700),
    (700, 1),
    (33, 2000),
    (2049, 40),
    (64, 65),
    (65, 64),
    (31, 500),
    (512, 992),
    (512, 993),
    (512, 961),
]
"""Shapes at and beyond what is resized here: very small, very long, and about twice as high as wide."""


def picture(width: int, height: int, kind: str, seed: int) -> Image.Image:
    random = np.random.default_rng(seed)
    match kind:
        case "noise":
            levels = random.integers(0, 256, (height, width))
        case "black and white":
            levels = 255 * random.integers(0, 2, (height, width))
        case "flat":
            levels = np.full((height, width), random.integers(256))
        case "slope":
            levels = np.broadcast_to(np.linspace(0, 255, width), (height, width))
        case "halves":
            levels = np.zeros((height, width))
            levels[: height // 2, width // 3 :] = random.integers(1, 256)
        case _:
            blotches = Image.fromarray(random.integers(0, 256, random.integers(2, 30, 2)).astype(np.uint8))
            return blotches.resize((width, height), Image.Resampling.BICUBIC)
    return Image.fromarray(levels.astype(np.uint8))


KINDS = ["noise", "black and white", "flat", "slope", "halves", "smooth"]


def expected(image: Image.Image) -> tuple[str, str]:
    return str(imagehash.phash(image)), str(imagehash.phash(image, hash_size=16))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES + EXTREMES)
def test_the_hashes_are_those_of_imagehash(shape: tuple[int, int], kind: str) -> None:
    """Also where nothing tells one bit from another (a flat picture), and where levels are cut off at 0 and 255."""
    image = picture(*shape, kind, seed=1)
    assert hashes(image) == expected(image)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_the_hashes_are_those_of_imagehash_for_any_shape(seed: int) -> None:
    random = np.random.default_rng(seed)
    for n in range(400):
        width, height = (int(side) for side in random.integers(1, 900, 2))
        image = picture(width, height, KINDS[n % len(KINDS)], seed=n)
        assert hashes(image) == expected(image), (width, height, KINDS[n % len(KINDS)], n)


@pytest.mark.parametrize("shape", [(683, 512), (512, 768), (200, 136), (2048, 300)])
def test_the_levels_are_those_of_pillow_not_only_the_bits_of_the_hash(shape: tuple[int, int]) -> None:
    image = picture(*shape, "noise", seed=2)
    found = likeness._resized(np.asarray(image))
    assert found is not None
    for side, levels in zip((32, 64), found, strict=True):
        assert (levels == np.asarray(image.resize((side, side), Image.Resampling.LANCZOS))).all()


def test_where_pillow_resizes_otherwise_it_is_pillow_that_resizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """One built with other arithmetic makes other levels; the hashes are still what `imagehash` gives there."""
    image = picture(683, 512, "smooth", seed=3)
    otherwise = Image.Image.resize
    monkeypatch.setattr(
        Image.Image, "resize", lambda self, *given: otherwise(self, *given).point(lambda level: level ^ 1)
    )
    likeness._agrees.cache_clear()
    try:
        assert not likeness._agrees()
        assert hashes(image) == expected(image)
    finally:
        likeness._agrees.cache_clear()


def test_this_pillow_resizes_as_described() -> None:
    """Otherwise nothing is wrong but the speed."""
    assert likeness._agrees()
