"""Politeness: per host, over all event loops of one process."""

from __future__ import annotations

import asyncio
import threading
import time
from itertools import pairwise

import pytest

from waon_build.fetch.politeness import (
    FAILURES_IN_A_ROW,
    LONGEST_PAUSE,
    HostRests,
    Politeness,
    backoff_seconds,
)

LATE = 0.08
"""Seconds by which a busy machine may see the first of several starts late."""


class _Watch:
    """What went on at a host: when requests started, and how many at once."""

    def __init__(self, politeness: Politeness) -> None:
        self.politeness = politeness
        self.starts: list[float] = []
        self.active = self.most = 0
        self.lock = threading.Lock()

    async def request(self, host: str, seconds: float = 0.0, crawl_delay: float = 0.0) -> None:
        async with self.politeness.slot(host, crawl_delay):
            with self.lock:
                self.starts.append(time.monotonic())
                self.active += 1
                self.most = max(self.most, self.active)
            await asyncio.sleep(seconds)
            with self.lock:
                self.active -= 1

    async def requests(self, count: int, host: str, seconds: float = 0.0, crawl_delay: float = 0.0) -> None:
        await asyncio.gather(*(self.request(host, seconds, crawl_delay) for _ in range(count)))

    @property
    def gaps(self) -> list[float]:
        starts = sorted(self.starts)
        return [after - before for before, after in pairwise(starts)]


def test_starts_to_one_host_keep_the_rate() -> None:
    watch = _Watch(Politeness(rate=50, concurrency=4))
    asyncio.run(watch.requests(10, "a"))
    assert len(watch.starts) == 10
    assert watch.starts[-1] - watch.starts[0] >= 9 / 50 - LATE


def test_requests_to_one_host_at_once_are_bounded() -> None:
    watch = _Watch(Politeness(rate=10_000, concurrency=3))
    asyncio.run(watch.requests(20, "a", seconds=0.01))
    assert watch.most == 3


def test_hosts_do_not_wait_for_each_other() -> None:
    watch = _Watch(Politeness(rate=1, concurrency=1))

    async def many() -> None:
        await asyncio.gather(*(watch.request(f"host{n}", 0.05) for n in range(50)))

    started = time.monotonic()
    asyncio.run(many())
    assert time.monotonic() - started < 20, "one after the other they take 50 s"
    assert watch.most > 10


def test_event_loops_in_several_threads_share_one_hosts_turns() -> None:
    """Each fetch part runs a loop of its own: rate and concurrency hold for the process."""
    watch = _Watch(Politeness(rate=100, concurrency=2))
    threads = [threading.Thread(target=asyncio.run, args=(watch.requests(10, "a", 0.005),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert len(watch.starts) == 40
    assert watch.most <= 2
    assert max(watch.starts) - min(watch.starts) >= 39 / 100 - LATE


def test_a_crawl_delay_spaces_starts_further() -> None:
    watch = _Watch(Politeness(rate=1000, concurrency=4))
    asyncio.run(watch.requests(4, "a", crawl_delay=0.1))
    assert sum(watch.gaps) >= 3 * 0.1 - LATE


def test_a_pause_holds_for_those_already_waiting() -> None:
    async def paused() -> list[float]:
        watch = _Watch(Politeness(rate=20, concurrency=4))
        waiting = asyncio.ensure_future(watch.requests(3, "a"))
        await asyncio.sleep(0.01)
        watch.politeness.pause("a", 0.4)
        await waiting
        return watch.gaps

    assert asyncio.run(paused())[0] > 0.4 - 2 * LATE


def test_a_pause_longer_than_a_run_waits_is_not_waited_for() -> None:
    politeness = Politeness(rate=1000, concurrency=1)
    politeness.pause("a", LONGEST_PAUSE + 5)
    started = time.monotonic()
    with pytest.raises(HostRests):
        asyncio.run(_Watch(politeness).request("a"))
    asyncio.run(_Watch(politeness).request("b"))
    assert time.monotonic() - started < 20, "one after the other they take 50 s"


def test_a_host_that_fails_ten_times_in_a_row_rests_and_one_answer_starts_the_count_again() -> None:
    politeness = Politeness(rate=1000, concurrency=1)
    for _ in range(FAILURES_IN_A_ROW - 1):
        politeness.failed("a")
    politeness.answered("a")
    politeness.failed("a")
    asyncio.run(_Watch(politeness).request("a"))
    for _ in range(FAILURES_IN_A_ROW):
        politeness.failed("a")
    with pytest.raises(HostRests):
        asyncio.run(_Watch(politeness).request("a"))


def test_who_gives_up_waiting_loses_no_place() -> None:
    async def some_give_up() -> int:
        watch = _Watch(Politeness(rate=10_000, concurrency=1))
        first = asyncio.ensure_future(watch.request("a", 0.05))
        waiting = [asyncio.ensure_future(watch.request("a")) for _ in range(20)]
        await asyncio.sleep(0.01)
        for task in waiting[::2]:
            task.cancel()
        await asyncio.gather(first, *waiting, return_exceptions=True)
        await asyncio.wait_for(watch.request("a"), 1)
        return len(watch.starts)

    assert asyncio.run(some_give_up()) == 12


def test_a_part_that_was_stopped_does_not_keep_its_place() -> None:
    """A loop that is closed while it waits must not hold up the others."""
    politeness = Politeness(rate=10_000, concurrency=1)

    async def stopped_while_waiting() -> None:
        holder = asyncio.ensure_future(_Watch(politeness).request("a", 10))
        waiter = asyncio.ensure_future(_Watch(politeness).request("a"))
        await asyncio.sleep(0.01)
        assert not holder.done()
        assert not waiter.done()

    asyncio.run(stopped_while_waiting())
    asyncio.run(asyncio.wait_for(_Watch(politeness).request("a"), 1))


def test_idle_hosts_are_forgotten_and_busy_ones_are_not() -> None:
    politeness = Politeness(rate=1e9, concurrency=1)
    politeness.pause("paused", 1000)

    async def many() -> None:
        for number in range(25_000):
            async with politeness.slot(f"host{number}"):
                pass

    asyncio.run(many())
    assert len(politeness._hosts) < 15_000
    with pytest.raises(HostRests):
        asyncio.run(_Watch(politeness).request("paused"))


def test_backoff_doubles_is_the_same_in_every_run_and_differs_between_urls() -> None:
    waits = [backoff_seconds("http://a/x", attempt) for attempt in range(8)]
    assert waits == [backoff_seconds("http://a/x", attempt) for attempt in range(8)]
    assert all(0.5 * min(2**attempt, 30) <= wait <= min(2**attempt, 30) for attempt, wait in enumerate(waits))
    assert len({backoff_seconds(f"http://a/{number}", 0) for number in range(100)}) > 90
