"""How often somebody may ask: a bucket of tokens each, filled at a steady rate.

Who works never notices: the rates are those of a script that has gone wild, not of a person. A session has a
bucket of its own; whoever shows none that is known shares the bucket of their address.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple


class Rate(NamedTuple):
    """burst: requests at once. per_second: how many more each second."""

    burst: float
    per_second: float


PER_SESSION = Rate(burst=200, per_second=40)
"""A browser that comes back after an hour without a connection sends what waited in it; nobody judges 40 a second."""
PER_PERSON = Rate(burst=60, per_second=0.2)
"""What takes back, changes or pulls out. Answers are append-only, so each of these grows the database, and a report
takes something from everybody: one person cannot do it all day at the pace of a machine."""
PER_ADDRESS = Rate(burst=120, per_second=2)
"""A class of forty signs in from one address within a minute; each takes three requests."""
MOST = 10_000
"""Buckets kept; who has not asked for longest loses theirs first, and begins with a full one."""


class Buckets:
    """The buckets of many, each under its name. clock: seconds that never go back."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __contains__(self, name: str) -> bool:
        return name in self._buckets

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, name: str) -> float:
        """Take a token. Returns 0, or the seconds until there is one, and then none was taken."""
        now = self._clock()
        level, filled_at = self._buckets.get(name, (self._rate.burst, now))
        level = min(self._rate.burst, level + (now - filled_at) * self._rate.per_second)
        wait = 0.0 if level >= 1 else (1 - level) / self._rate.per_second
        self._buckets[name] = (level if wait else level - 1, now)
        self._buckets.move_to_end(name)
        while len(self._buckets) > MOST:
            self._buckets.popitem(last=False)
        return wait

    def forget(self, name: str) -> None:
        self._buckets.pop(name, None)


def neighbourhood(address: str) -> str:
    """The name under which an address is counted: of IPv6 its /64, which one household or machine has whole."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
    return str(found)
