"""What is the same picture: two radii, and looks that tell nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from waon_build.dedup.clusters import Diameter, clusters
from waon_build.dedup.looks import Looks, same_picture_chunks
from waon_build.dedup.phash import from_hex
from waon_build.fetch.decode import Stored, decode
from waon_build.recipe import DedupSettings, FetchSettings

SETTINGS = DedupSettings()


def looks_of(files: list[bytes]) -> Looks:
    """Looks of pictures, as the product sees them."""
    stored = [decode(data, FetchSettings()) for data in files]
    assert all(isinstance(one, Stored) for one in stored)
    words = from_hex(pa.array([one.phash for one in stored]))[:, 0]
    return Looks.of(words, from_hex(pa.array([one.phash256 for one in stored]), 4))


def same(looks: Looks, radius: int = SETTINGS.radius, second: int = SETTINGS.second_radius) -> set[tuple[int, int]]:
    found = [
        (int(i), int(j)) for chunk in same_picture_chunks(looks, radius, second) for i, j in zip(*chunk, strict=True)
    ]
    assert len(found) == len(set(found))
    return set(found)


def encoded(picture: Image.Image, form: str = "JPEG", quality: int = 90) -> bytes:
    data = BytesIO()
    picture.save(data, form, quality=quality)
    return data.getvalue()


def scene(seed: int) -> Image.Image:
    """A picture with the falling spectrum of a photograph."""
    random = np.random.default_rng(seed)
    total = np.zeros((480, 640, 3))
    for cells in (3, 6, 12, 24, 48):
        grid = Image.fromarray(random.integers(0, 256, (cells, cells * 4 // 3, 3), dtype=np.uint8))
        total += np.asarray(grid.resize((640, 480), Image.Resampling.BICUBIC)) / cells
    return Image.fromarray((255 * (total - total.min()) / np.ptp(total)).astype(np.uint8))


EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "half the size": lambda picture: picture.resize((320, 240)),
    "a square thumbnail": lambda picture: picture.resize((160, 160)),
    "poor compression": lambda picture: Image.open(BytesIO(encoded(picture, quality=30))),
    "grey": lambda picture: picture.convert("L"),
    "a little blurred": lambda picture: picture.filter(ImageFilter.GaussianBlur(2)),
    "sharpened": lambda picture: picture.filter(ImageFilter.UnsharpMask(2, 100)),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.7),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_benign_edit_leaves_the_same_picture(edit: str) -> None:
    pictures = [scene(seed) for seed in range(6)]
    looks = looks_of([encoded(picture) for picture in [*pictures, *map(EDITS[edit], pictures)]])
    assert same(looks) == {(at, at + 6) for at in range(6)}


def test_a_mirrored_picture_is_another_one() -> None:
    """What these hashes cannot see is not claimed."""
    looks = looks_of([encoded(scene(1)), encoded(ImageOps.mirror(scene(1)))])
    assert same(looks) == set()


def flat_pictures() -> dict[str, Image.Image]:
    """Pictures that are nothing but a colour, a gradient, a stripe, an edge: different ones, of one look."""
    y, x = np.mgrid[0:300, 0:400]
    arrays = {
        "white": 255 + 0 * x,
        "grey": 128 + 0 * x,
        "sky": y * 0.7,
        "dusk": 255 - y * 0.7,
        "curtain": x * 0.6,
        "bars": x // 20 % 2 * 255,
        "blinds": y // 20 % 2 * 255,
        "split": (x > 200) * 255,
    }
    return {name: Image.fromarray(array.astype(np.uint8)) for name, array in arrays.items()}


def test_pictures_without_a_motif_are_never_the_same_by_their_looks() -> None:
    """They have hashes of a few bits, within reach of each other, and would make one cluster of all blanks."""
    looks = looks_of([encoded(picture, "PNG") for picture in flat_pictures().values()])
    assert not looks.telling().any()
    assert (np.bitwise_count(looks.phash[:, None] ^ looks.phash) <= SETTINGS.radius).all()
    assert same(looks) == set()


def test_a_drawing_on_white_tells_enough() -> None:
    paper = Image.new("RGB", (400, 300), "white")
    ImageDraw.Draw(paper).ellipse((150, 100, 250, 200), outline="black", width=4)
    assert looks_of([encoded(paper)]).telling().all()


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 60),
    radius=st.integers(0, 16),
    second=st.integers(0, 256),
    known=st.floats(0, 1),
)
def test_exactly_the_pairs_within_both_radii_are_found(
    seed: int, n: int, radius: int, second: int, known: float
) -> None:
    random = np.random.default_rng(seed)
    looks = random_looks(random, n, known)
    expected = set()
    telling = looks.telling()
    for i in range(n):
        for j in range(i + 1, n):
            distance = (int(looks.phash[i]) ^ int(looks.phash[j])).bit_count()
            bits256 = sum(
                (int(a) ^ int(b)).bit_count() for a, b in zip(looks.phash256[i], looks.phash256[j], strict=True)
            )
            both = looks.known256[i] and looks.known256[j]
            if telling[i] and telling[j] and distance <= radius and (not both or bits256 <= second):
                expected.add((i, j))
    assert same(looks, radius, second) == expected


def random_looks(random: np.random.Generator, n: int, known: float) -> Looks:
    """A few motifs, each with its variations; some hashes are equal, some tell little."""
    centres = random.integers(0, 4, n)
    phash = random.integers(0, 2**64, 4, dtype=np.uint64)[centres]
    phash256 = random.integers(0, 2**64, (4, 4), dtype=np.uint64)[centres]
    for _ in range(6):
        few = random.random(n) < 0.5
        phash = np.where(few, phash ^ (np.uint64(1) << random.integers(0, 64, n, dtype=np.uint64)), phash)
    for _ in range(30):
        word = random.integers(0, 4, n)
        phash256[np.arange(n), word] ^= np.uint64(1) << random.integers(0, 64, n, dtype=np.uint64)
    phash[random.random(n) < 0.1] &= np.uint64(0xFF)
    return Looks(phash, phash256, random.random(n) < known)


def test_many_variations_of_one_hash_are_compared_in_bounded_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    phash256 = random.integers(0, 2**64, (500, 4), dtype=np.uint64)
    phash256[250:] = phash256[:250] ^ np.uint64(1)
    looks = Looks.of(np.full(500, 0x5555_5555_5555_5555, np.uint64), phash256)
    monkeypatch.setattr("waon_build.dedup.looks._CHUNK", 1000)
    monkeypatch.setattr("waon_build.dedup.looks._CROWD", 1 << 20)
    assert same(looks) == {(at, at + 250) for at in range(250)}


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), sizes=st.tuples(st.integers(0, 90), st.integers(0, 90)), second=st.integers(0, 256)
)
def test_crowds_of_one_hash_give_the_pairs_that_comparing_one_by_one_gives(
    seed: int, sizes: tuple[int, int], second: int
) -> None:
    """A crowd is compared in tiles, within itself and with a crowd nearby; a few are compared pair by pair."""
    random = np.random.default_rng(seed)
    phash = np.repeat(np.array([0x5555_5555_5555_5555, 0x5555_5555_5555_5556], np.uint64), sizes)
    motifs = random.integers(0, 2**64, (3, 4), dtype=np.uint64)[random.integers(0, 3, len(phash))]
    one_bit = np.uint64(1) << random.integers(0, 64, (len(phash), 4), dtype=np.uint64)
    looks = Looks(phash, motifs ^ one_bit, random.random(len(phash)) < 0.9)
    order = random.permutation(len(phash))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("waon_build.dedup.looks._CROWD", 1 << 20)
        one_by_one = same(looks.take(order), second=second)
        patch.setattr("waon_build.dedup.looks._CROWD", 0)
        patch.setattr("waon_build.dedup.looks._ROWS", 7)
        patch.setattr("waon_build.dedup.looks._COLUMNS", 20)
        assert same(looks.take(order), second=second) == one_by_one


# --- real pictures


@pytest.fixture(scope="module")
def real(shared_data: Path) -> tuple[list[str], Looks]:
    """Names and looks of all pictures of the near-duplicate material and of two sites of photographs."""
    folders = ["neardup", "sites/text-baldanders-info", "sites/haskell-jp-blog", "sites/railsguides-jp"]
    kinds = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
    files = sorted(path for folder in folders for path in (shared_data / folder).rglob("*") if path.suffix in kinds)
    names, words, words256 = [], [], []
    for path in files:
        stored = decode(path.read_bytes(), FetchSettings())
        if isinstance(stored, Stored):
            names.append(str(path.relative_to(shared_data)))
            words.append(stored.phash)
            words256.append(stored.phash256)
    return names, Looks.of(from_hex(pa.array(words))[:, 0], from_hex(pa.array(words256), 4))


@pytest.mark.slow
def test_of_real_pictures_every_near_group_is_one_cluster_and_nothing_else_joins(
    real: tuple[list[str], Looks], shared_data: Path
) -> None:
    """The defaults hold on what they were measured with: blur, contrast, saturation, sharpening, squares and
    thumbnails join; other photographs of the same walk, other diagrams of the same style do not."""
    names, looks = real
    diameter = Diameter(SETTINGS.max_diameter, 2 * SETTINGS.second_radius)
    near = same_picture_chunks(looks, SETTINGS.radius, SETTINGS.second_radius)
    best = clusters(looks, near, diameter)
    together = {int(one) for one, times in zip(*np.unique(best, return_counts=True), strict=True) if times > 1}
    found = {frozenset(name for name, one in zip(names, best, strict=True) if one == lead) for lead in together}
    groups = json.loads((shared_data / "neardup" / "truth.json").read_text())["groups"]
    truth = {frozenset(group["files"]) for group in groups if group["relation"] not in ("distractor", "geometric")}
    # The same pictures under further names, which the list of truth leaves out, byte for byte or nearly.
    more = {
        "neardup/imagededup/alpha_channel_image.png",
        "neardup/pdq/reg-test-input/dih/bridge-1-original.jpg",
        "sites/text-baldanders-info/remark/2023/05/stem-bag-on-bike/stem-bag-o.jpg",
        "sites/text-baldanders-info/remark/2023/05/stem-bag-on-bike/stem-bag.jpg",
    }
    for group in truth:
        assert any(group <= cluster for cluster in found), sorted(group)
    for cluster in found:
        strangers = cluster - more - frozenset().union(*(group for group in truth if group <= cluster))
        assert len({(shared_data / name).read_bytes() for name in strangers}) <= 1, sorted(cluster)
