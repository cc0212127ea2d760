"""Clusters: components with a bound on their diameter, whatever the order they are found in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from waon_build.dedup.clusters import Diameter, clusters
from waon_build.dedup.hamming import IndexPairs
from waon_build.dedup.looks import Looks

STEP = 0x5555_5555_5555_5555
WIDE = Diameter(64, 256)


def line(*bits: int) -> Looks:
    """Looks along a line: the n-th has this many of its bits turned, so that distances add up."""
    phash = np.array([STEP ^ ((1 << count) - 1) for count in bits], np.uint64)
    return Looks.of(phash, np.full((len(bits), 4), STEP, np.uint64))


def near(looks: Looks, radius: int) -> IndexPairs:
    """All pairs within the radius of 64 bits."""
    i, j = np.triu_indices(len(looks.phash), 1)
    close = looks.distances(i, j)[0] <= radius
    return i[close], j[close]


def test_a_chain_within_the_bound_is_one_cluster() -> None:
    looks = line(0, 8, 16)
    assert clusters(looks, [near(looks, 8)], Diameter(16, 60)).tolist() == [0, 0, 0]


def test_a_chain_beyond_the_bound_is_cut_far_from_its_best_member() -> None:
    looks = line(0, 8, 16, 24)
    assert clusters(looks, [near(looks, 8)], Diameter(16, 60)).tolist() == [0, 0, 0, 3]


def test_the_best_member_gathers_the_nearest_first() -> None:
    """It is between two that it cannot both have: the nearer is gathered, though the other is the better."""
    looks = line(12, 20, 6, 0)
    assert clusters(looks, [near(looks, 8)], Diameter(13, 60)).tolist() == [0, 1, 0, 0]


def test_what_the_best_cannot_have_is_gathered_by_the_best_of_the_rest() -> None:
    looks = line(0, 30, 8, 16, 24)
    assert clusters(looks, [near(looks, 8)], Diameter(8, 60)).tolist() == [0, 1, 0, 3, 1]


def test_a_chain_in_the_256_bits_is_bounded_too() -> None:
    """Pictures that share a phash (a caption on white, say) would otherwise chain for ever."""
    phash256 = np.array([[(1 << count) - 1, 0, 0, 0] for count in (0, 20, 40, 60)], np.uint64)
    looks = Looks.of(np.full(4, STEP, np.uint64), phash256)
    pairs = (np.array([0, 1, 2]), np.array([1, 2, 3]))
    assert clusters(looks, [pairs], Diameter(16, 40)).tolist() == [0, 0, 0, 3]


def test_looks_without_near_ones_are_clusters_of_one() -> None:
    assert clusters(line(0, 20, 40), [], WIDE).tolist() == [0, 1, 2]
    assert clusters(line(), [], WIDE).tolist() == []


def test_a_long_chain_is_one_component() -> None:
    """Unions are made many at a time; a chain is the worst that can come."""
    n = 20_000
    looks = Looks.of(np.full(n, STEP, np.uint64), np.zeros((n, 4), np.uint64))
    order = np.random.default_rng(0).permutation(n - 1)
    assert not clusters(looks, [(order, order + 1)], WIDE).any()


@st.composite
def cases(draw: st.DrawFn) -> tuple[Looks, int, Diameter, int]:
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    n = draw(st.integers(1, 50))
    walk = np.uint64(1) << random.integers(0, draw(st.integers(1, 64)), n, dtype=np.uint64)
    # A walk: each hash is a flip away from some earlier one.
    phash = np.full(n, STEP, np.uint64)
    for at in range(1, n):
        phash[at] = phash[random.integers(0, at)] ^ walk[at]
    phash256 = np.full((n, 4), STEP, np.uint64) ^ random.integers(0, 8, (n, 4), dtype=np.uint64)
    shuffled = random.permutation(n)
    diameter = Diameter(draw(st.integers(0, 12)), draw(st.sampled_from([4, 8, 256])))
    return Looks.of(phash[shuffled], phash256[shuffled]), draw(st.integers(1, 4)), diameter, seed


@settings(deadline=None)
@given(cases())
@example((line(0, 8, 16, 24), 8, Diameter(16, 60), 0))
def test_every_cluster_is_linked_narrow_and_led_by_its_best(case: tuple[Looks, int, Diameter, int]) -> None:
    looks, radius, diameter, _ = case
    i, j = near(looks, radius)
    best = clusters(looks, [(i, j)], diameter)
    for lead in np.unique(best):
        members = np.flatnonzero(best == lead)
        assert members[0] == lead
        a, b = np.meshgrid(members, members)
        bits64, bits256 = looks.distances(a.ravel(), b.ravel())
        assert bits64.max() <= diameter.bits64
        assert bits256.max() <= diameter.bits256
        assert linked(members, i, j) == set(members.tolist())
    for component in components(len(best), i, j):
        a, b = np.meshgrid(component, component)
        bits64, bits256 = looks.distances(a.ravel(), b.ravel())
        if bits64.max() <= diameter.bits64 and bits256.max() <= diameter.bits256:
            assert len(set(best[component].tolist())) == 1, "a component within the bound is never split"


@settings(deadline=None)
@given(cases())
def test_the_order_in_which_near_pairs_are_found_does_not_matter(case: tuple[Looks, int, Diameter, int]) -> None:
    looks, radius, diameter, seed = case
    i, j = near(looks, radius)
    expected = clusters(looks, [(i, j)], diameter).tolist()
    random = np.random.default_rng(seed)
    order = random.permutation(len(i))
    pieces = np.array_split(order, random.integers(1, 6))
    assert clusters(looks, [(i[piece], j[piece]) for piece in pieces], diameter).tolist() == expected


def linked(members: np.ndarray, i: np.ndarray, j: np.ndarray) -> set[int]:
    """What can be reached from the first member by near pairs among members."""
    inside = set(members.tolist())
    reached, waiting = set(), [int(members[0])]
    while waiting:
        at = waiting.pop()
        if at in inside and at not in reached:
            reached.add(at)
            waiting += j[i == at].tolist() + i[j == at].tolist()
    return reached


def components(n: int, i: np.ndarray, j: np.ndarray) -> list[list[int]]:
    left, found = set(range(n)), []
    while left:
        reached = linked(np.array(sorted(left)), i, j)
        found.append(sorted(reached))
        left -= reached
    return found


@pytest.mark.slow
def test_a_heap_of_linked_looks_is_split_in_time() -> None:
    """What low-entropy pictures do: one component that is far too wide."""
    random = np.random.default_rng(0)
    n = 30_000
    base = random.integers(0, n, n)
    phash = np.full(n, STEP, np.uint64)
    for at in range(1, n):
        base[at] %= at
        phash[at] = phash[base[at]] ^ (np.uint64(1) << random.integers(0, 64, dtype=np.uint64))
    looks = Looks.of(phash, np.zeros((n, 4), np.uint64))
    best = clusters(looks, [(base[1:], np.arange(1, n))], Diameter(16, 60))
    bits64, _ = looks.distances(np.arange(n), best)
    assert bits64.max() <= 16
    assert 100 < len(np.unique(best)) < n / 2
