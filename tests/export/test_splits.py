"""Splits: by cluster, by hash, for good."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waon_build.export.splits import order_of, splits_of
from waon_build.records import digest16

SHARES = {"train": 0.9, "validation": 0.06, "test": 0.04}
CLUSTERS = [digest16(str(number)) for number in range(20_000)]


def test_splits_take_their_share_of_the_clusters() -> None:
    found = splits_of(CLUSTERS, SHARES, seed=0)
    for split, share in SHARES.items():
        # three standard deviations of a binomial
        assert abs(found.count(split) / len(CLUSTERS) - share) < 3 * (share * (1 - share) / len(CLUSTERS)) ** 0.5


@given(st.lists(st.text(max_size=20)), st.lists(st.text(max_size=20)), st.integers())
def test_a_cluster_keeps_its_split_whatever_else_is_in_the_release(
    some: list[str], others: list[str], seed: int
) -> None:
    alone = splits_of(some, SHARES, seed)
    together = splits_of([*others, *some], SHARES, seed)
    assert together[len(others) :] == alone


def test_another_seed_draws_another_split() -> None:
    assert splits_of(CLUSTERS, SHARES, seed=0) != splits_of(CLUSTERS, SHARES, seed=1)


@pytest.mark.parametrize("shares", [{"train": 1.0}, {"validation": 0.0, "train": 1.0, "test": 0.0}])
def test_a_split_without_a_share_gets_nothing(shares: dict[str, float]) -> None:
    assert set(splits_of(CLUSTERS, shares, seed=3)) == {"train"}


def test_a_larger_train_share_moves_no_cluster_out_of_train() -> None:
    """What a model has seen as validation may move to train; never the other way round."""
    before = splits_of(CLUSTERS, {"train": 0.9, "validation": 0.1}, seed=0)
    after = splits_of(CLUSTERS, {"train": 0.95, "validation": 0.05}, seed=0)
    assert all(new == "train" for old, new in zip(before, after, strict=True) if old == "train")


def test_the_order_does_not_follow_the_ids() -> None:
    ids = sorted(CLUSTERS[:1000])
    places = order_of(ids, seed=0)
    rising = sum(a < b for a, b in itertools.pairwise(places))
    assert 450 < rising < 550
    assert places != order_of(ids, seed=1)
    assert len(set(places)) == 1000
