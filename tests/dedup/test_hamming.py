"""Near pairs: every one is found, none twice, whatever the hashes are like."""

from __future__ import annotations

from contextlib import AbstractContextManager
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from waon_build.dedup import hamming
from waon_build.dedup.hamming import Words, near_pair_chunks, near_pairs


def brute(hashes: Words, radius: int) -> list[tuple[int, int]]:
    distances = np.bitwise_count(hashes[:, None] ^ hashes[None])
    return [(int(i), int(j)) for i, j in np.argwhere(distances <= radius) if i < j]


def found(hashes: Words, radius: int) -> list[tuple[int, int]]:
    return [(int(i), int(j)) for i, j in zip(*near_pairs(hashes, radius), strict=True)]


def made(seed: int, n: int, varying: int, copies: int) -> Words:
    """At most n distinct hashes. varying: bits that differ at all; copies: of each hash, a few flips away."""
    random = np.random.default_rng(seed)
    mask = np.bitwise_or.reduce(np.uint64(1) << random.choice(64, varying, replace=False).astype(np.uint64))
    hashes = random.integers(0, 2**64, n, dtype=np.uint64) & mask
    for _ in range(copies):
        flipped = np.uint64(1) << random.integers(0, 64, n, dtype=np.uint64)
        hashes = np.concatenate([hashes, hashes[-n:] ^ flipped])
    hashes = np.unique(hashes)
    random.shuffle(hashes)
    return hashes


def small_pieces(sort_cost: float) -> AbstractContextManager[object]:
    """Makes a few hundred hashes go the way of millions: tables, chunks, long runs, searches within."""
    changes = {"_FEW": 8, "_LONG_RUN": 6, "_CHUNK": 32, "_ROWS": 3, "_COLUMNS": 5, "_TABLE": 0.0, "_SORT": sort_cost}
    return mock.patch.multiple(hamming, **changes)


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 150),
    varying=st.integers(1, 64),
    copies=st.integers(0, 4),
    radius=st.integers(0, 17) | st.sampled_from([31, 63, 64]),
    sort_cost=st.sampled_from([0.0, 0.1, 5.0, 1000.0]),
)
@example(seed=0, n=150, varying=64, copies=4, radius=8, sort_cost=0.0)
@example(seed=0, n=150, varying=9, copies=1, radius=4, sort_cost=0.1)
def test_exactly_the_pairs_within_the_radius_are_found(
    seed: int, n: int, varying: int, copies: int, radius: int, sort_cost: float
) -> None:
    hashes = made(seed, n, varying, copies)
    with small_pieces(sort_cost):
        assert found(hashes, radius) == brute(hashes, radius)


@pytest.mark.parametrize("radius", [1, 2, 4, 8, 12])
@pytest.mark.parametrize("varying", [64, 40])
def test_thousands_of_hashes_give_the_pairs_that_comparing_all_gives(radius: int, varying: int) -> None:
    hashes = made(radius, 1500, varying, 2)
    assert len(hashes) > hamming._FEW
    assert found(hashes, radius) == brute(hashes, radius)


def test_hashes_that_share_most_of_their_bits_are_searched_by_those_they_do_not_share() -> None:
    """A run of one key is longer than a chunk, and is searched within; constant bits are no key."""
    random = np.random.default_rng(5)
    heap = (random.integers(0, 2**20, 4000, dtype=np.uint64) << np.uint64(13)) | np.uint64(0xF0F0_0000_0000_0F0F)
    hashes = np.unique(np.concatenate([heap, random.integers(0, 2**64, 4000, dtype=np.uint64)]))
    assert found(hashes, 2) == brute(hashes, 2)


@pytest.mark.parametrize("heap", [40, 120, 300])
def test_a_run_longer_than_a_chunk_is_taken_whole(heap: int) -> None:
    random = np.random.default_rng(heap)
    alike = random.choice(2**12, heap, replace=False).astype(np.uint64) << np.uint64(26)
    hashes = np.concatenate([alike, random.integers(0, 2**64, 300, dtype=np.uint64)])
    with small_pieces(sort_cost=5.0), mock.patch.object(hamming, "_CHUNK", 8):
        assert hamming._plan(hashes, 2).match > 0
        assert found(hashes, 2) == brute(hashes, 2)


def test_the_answer_does_not_depend_on_the_number_of_threads() -> None:
    hashes = made(3, 4000, 64, 1)
    answers = []
    for threads in (1, 2, 7):
        chunks = list(near_pair_chunks(hashes, 6, threads))
        answers.append([np.concatenate(side).tolist() for side in zip(*chunks, strict=True)])
    assert answers[0] == answers[1] == answers[2]


def test_a_hash_that_occurs_twice_is_refused() -> None:
    """Otherwise 100,000 equal hashes would be 5 billion pairs."""
    with pytest.raises(ValueError, match="distinct"):
        near_pairs(np.array([7, 1, 7], np.uint64), 4)


@pytest.mark.parametrize("n", [0, 1])
def test_of_nothing_and_of_one_hash_there_are_no_pairs(n: int) -> None:
    i, j = near_pairs(np.arange(n, dtype=np.uint64), 8)
    assert len(i) == len(j) == 0
    assert i.dtype == np.int64


def test_the_first_and_the_last_bit_count_as_much_as_any_other() -> None:
    hashes = np.array([0, 1, 1 << 63, (1 << 63) | 1, 0xFFFF_FFFF_FFFF_FFFF], np.uint64)
    assert found(hashes, 1) == [(0, 1), (0, 2), (1, 3), (2, 3)]


@pytest.mark.slow
def test_a_million_hashes_are_searched_in_little_memory() -> None:
    """What a search holds is tens of bytes a hash: 100 million fit into one machine."""
    import tracemalloc

    hashes = np.unique(np.random.default_rng(0).integers(0, 2**64, 1_000_000, dtype=np.uint64))
    tracemalloc.start()
    try:
        for _ in near_pair_chunks(hashes, 4, threads=2):
            pass
        assert tracemalloc.get_traced_memory()[1] < 60 * len(hashes)
    finally:
        tracemalloc.stop()
