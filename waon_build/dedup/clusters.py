"""Clusters of near pictures: connected components with a bound on their diameter.

Near is not transitive: a chain of small changes joins pictures that are nothing alike. A component whose
ends are farther apart than the bound is therefore cut: its best member takes everyone within half the
bound of it, then the best of the rest does, and so on. So every cluster's diameter is within the bound,
and the result depends on the members, never on the order they come in.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from waon_build.dedup.hamming import Indexes
from waon_build.dedup.phash import Hashes

MEASURED = 1000
"""Members up to which a component's diameter is measured; a larger one is cut as if it were too wide."""


def clusters(hashes: Hashes, pairs: tuple[Indexes, Indexes], rank: Indexes, diameter: int) -> Indexes:
    """The cluster of each hash, as the index of its best member. Shape (n,).

    hashes: uint64, shape (n,). pairs: those that are the same picture, as (i, j). rank: shape (n,), all
    different, the best is smallest. diameter: bits that two members may be apart at most.
    """
    count = len(hashes)
    leader = np.arange(count)
    if not len(pairs[0]):
        return leader
    graph = coo_array((np.ones(len(pairs[0]), np.int8), pairs), shape=(count, count))
    _, component = connected_components(graph, directed=False)
    order = np.lexsort((rank, component))
    starts = np.flatnonzero(np.r_[True, np.diff(component[order]) != 0])
    sizes = np.diff(np.r_[starts, count])
    for start, size in zip(starts[sizes > 1], sizes[sizes > 1], strict=True):
        members = order[start : start + size]
        if _within(hashes[members], diameter):
            leader[members] = members[0]
        else:
            _cut(leader, members, hashes[members], diameter // 2)
    return leader


def _within(hashes: Hashes, diameter: int) -> bool:
    """Whether no two of the hashes are farther apart than `diameter` bits."""
    if len(hashes) > MEASURED:
        return False
    return bool(np.bitwise_count(hashes[:, None] ^ hashes[None, :]).max() <= diameter)


def _cut(leader: Indexes, members: Indexes, hashes: Hashes, reach: int) -> None:
    """Give each member the best one within `reach` of it that leads. members: best first."""
    left: npt.NDArray[np.bool_] = np.ones(len(members), bool)
    for at in range(len(members)):
        if left[at]:
            taken = left & (np.bitwise_count(hashes ^ hashes[at]) <= reach)
            leader[members[taken]] = members[at]
            left &= ~taken
