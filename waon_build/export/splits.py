"""Which split a cluster is in, and in what order samples come. Hashes decide, never a random generator.
What an earlier release has put into a split stays there (`earlier.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from waon_build.records import digest16

SPACE = 1 << 64
"""Digests are spread evenly over this many values."""


def splits_of(cluster_ids: Sequence[str], shares: Mapping[str, float], seed: int) -> list[str]:
    """The split of each cluster. shares: split -> share of the clusters; they add up to 1.

    All samples of a cluster get one split, so that no picture is in two. Splits take their part of the
    digests in the order of `shares`: raising the last share takes from the one before it.
    """
    names = [name for name, share in shares.items() if share > 0]
    bounds = [round(bound * SPACE) for bound in accumulate(shares[name] for name in names)]
    bounds[-1] = SPACE  # the shares' sum may be a rounding error away from 1
    found: dict[str, str] = {}
    for cluster_id in cluster_ids:
        if cluster_id not in found:
            place = int(digest16("split", str(seed), cluster_id), 16)
            found[cluster_id] = next(name for name, bound in zip(names, bounds, strict=True) if place < bound)
    return [found[cluster_id] for cluster_id in cluster_ids]


def order_of(pair_ids: Sequence[str], seed: int) -> list[str]:
    """What to sort samples by, 16 hex digits each: a shuffle that mixes hosts and does not depend on
    where, when or in what order pairs were found."""
    return [digest16("order", str(seed), pair_id) for pair_id in pair_ids]
