"""Which looks make one cluster: connected components of near pairs, with a bound on their diameter.

A chain of small steps can lead from one picture to quite another. A component with two members farther
apart than the bound is therefore split: its best member gathers those it reaches, the nearest first,
each of which must be within the bound of all gathered before it; the best of those left gathers next.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from waon_build.dedup.hamming import Indexes, IndexPairs
from waon_build.dedup.looks import Looks


class Diameter(NamedTuple):
    """The largest Hamming distances between two members of a cluster, of 64 bits and of 256."""

    bits64: int
    bits256: int


def clusters(looks: Looks, near: Iterable[IndexPairs], diameter: Diameter) -> Indexes:
    """For each look the index of the best member of its cluster.

    looks: the best first. near: pairs of them that are of the same picture, in any order and any chunks.
    Of any two members, the distance is at most `diameter`; each is linked to the best by near pairs
    within the cluster. Depends on nothing but the looks, their order and the pairs.
    Memory: 8 bytes a look and 8 a pair.
    """
    parent = np.arange(len(looks.phash))
    kept: list[IndexPairs] = []
    narrow = np.uint32 if len(parent) < 1 << 32 else np.int64
    for i, j in near:
        _unite(parent, i, j)
        kept.append((i.astype(narrow), j.astype(narrow)))
    best = _roots(parent, parent)
    too_wide = _may_be_wider(looks, best, diameter)
    if too_wide.any():
        links = [(i[wide], j[wide]) for i, j in kept for wide in [too_wide[best[i]]]]
        _split(looks, best, np.flatnonzero(too_wide[best]), _Links.of(links, len(best)), diameter)
    return best


def _unite(parent: Indexes, i: Indexes, j: Indexes) -> None:
    """Join the trees of i and j, pair by pair. The root of a tree is its smallest member: the best."""
    while len(i):
        a, b = _roots(parent, i), _roots(parent, j)
        parent[i], parent[j] = a, b
        apart = a != b
        i, j = a[apart], b[apart]
        np.minimum.at(parent, np.maximum(i, j), np.minimum(i, j))


def _roots(parent: Indexes, of: Indexes) -> Indexes:
    roots = parent[of]
    while not np.array_equal(up := parent[roots], roots):
        roots = up
    return roots


def _may_be_wider(looks: Looks, best: Indexes, diameter: Diameter) -> np.ndarray:
    """Which components (by their best member) have a member farther from it than half the diameter: all
    others are narrow enough, by the triangle inequality."""
    wide = np.zeros(len(best), np.bool_)
    for start in range(0, len(best), 1 << 18):
        members = np.arange(start, min(start + (1 << 18), len(best)))
        bits64, bits256 = looks.distances(members, best[members])
        far = (2 * bits64.astype(np.int64) > diameter.bits64) | (2 * bits256 > diameter.bits256)
        wide[best[members[far]]] = True
    return wide


class _Links(NamedTuple):
    """The neighbours of look k are `ends[first[k] : first[k + 1]]`."""

    first: Indexes
    ends: Indexes

    @classmethod
    def of(cls, pairs: list[IndexPairs], n: int) -> _Links:
        froms = np.concatenate([end for pair in pairs for end in pair])
        tos = np.concatenate([end for i, j in pairs for end in (j, i)])
        first = np.concatenate([[0], np.cumsum(np.bincount(froms, minlength=n))])
        return cls(first, tos[np.argsort(froms, kind="stable")])


def _split(looks: Looks, best: Indexes, members: Indexes, links: _Links, diameter: Diameter) -> None:
    """Gather `members`, the best first, into clusters within the diameter; written into `best`."""
    free = np.zeros(len(best), np.bool_)
    free[members] = True
    met_by = np.full(len(best), -1)
    for seed in members:
        if not free[seed]:
            continue
        gathered = np.empty(8, np.int64)
        count = 0
        waiting = [(0, int(seed))]
        met_by[seed] = seed
        while waiting:
            _, member = heappop(waiting)
            bits64, bits256 = looks.distances(gathered[:count], member)
            if (bits64 > diameter.bits64).any() or (bits256 > diameter.bits256).any():
                continue
            if count == len(gathered):
                gathered = np.resize(gathered, 2 * count)
            gathered[count] = member
            count += 1
            free[member] = False
            next_ones = links.ends[links.first[member] : links.first[member + 1]]
            next_ones = next_ones[free[next_ones] & (met_by[next_ones] != seed)]
            met_by[next_ones] = seed
            distance = looks.distances(next_ones, int(seed))[0]
            for step in zip(distance.tolist(), next_ones.tolist(), strict=True):
                heappush(waiting, step)
        best[gathered[:count]] = seed
