"""How often somebody may ask."""

from __future__ import annotations

import pytest

from waon_build.annotation.web import limits
from waon_build.annotation.web.limits import Buckets, Rate, neighbourhood


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_granted_and_no_more() -> None:
    buckets = Buckets(Rate(burst=3, per_second=1), Clock())
    assert [buckets.take("one") for _ in range(4)] == [0, 0, 0, 1]


def test_who_waits_as_long_as_they_were_told_is_served() -> None:
    clock = Clock()
    buckets = Buckets(Rate(burst=1, per_second=4), clock)
    buckets.take("one")
    wait = buckets.take("one")
    assert wait == 0.25
    clock.now += wait
    assert buckets.take("one") == 0


def test_to_ask_too_early_does_not_lengthen_the_wait() -> None:
    clock = Clock()
    buckets = Buckets(Rate(burst=1, per_second=1), clock)
    assert [buckets.take("one") for _ in range(3)] == [0, 1, 1]


def test_one_does_not_use_up_what_is_another_s() -> None:
    buckets = Buckets(Rate(burst=1, per_second=1), Clock())
    assert [buckets.take("one"), buckets.take("one"), buckets.take("other")] == [0, 1, 0]


def test_whoever_makes_up_names_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST", 10)
    buckets = Buckets(Rate(burst=1, per_second=1), Clock())
    for number in range(100):
        buckets.take(str(number))
    assert len(buckets) == 10
    assert "99" in buckets


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_a_household_is_one(address: str, name: str) -> None:
    assert neighbourhood(address) == name
