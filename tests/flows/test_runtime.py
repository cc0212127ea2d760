"""Where parts run: a worker's death costs its own call, and workers end with whoever started them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool

import pytest

from flows.runtime import Nobody, Overran, Stoppable, Stopped, Workers, watched_by, watcher


def end_the_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_killed_worker_costs_its_own_call_and_the_next_one_gets_a_new_pool() -> None:
    with Workers(1) as workers:
        assert workers.submit(max, 1, 2).result() == 2
        with pytest.raises(BrokenProcessPool):
            workers.submit(os.abort).result()
        assert workers.submit(max, 3, 4).result() == 4


@pytest.mark.slow
def test_a_killed_worker_costs_no_other_call() -> None:
    with Workers(2) as workers:
        pid = workers.submit(os.getpid).result()
        others = [workers.submit(time.sleep, 1.5) for _ in range(2)]
        wait_until(lambda: not any(other.done() for other in others))
        os.kill(pid, signal.SIGKILL)
        ended = [type(other.exception()) for other in others]
        assert sorted(ended, key=str) == sorted([BrokenProcessPool, type(None)], key=str)


@pytest.mark.slow
def test_a_call_that_hangs_is_ended_and_costs_no_other() -> None:
    with Workers(2, limit=2.0) as workers:
        pids = {workers.submit(os.getpid).result() for _ in range(8)}
        hung = workers.submit(signal.pause)
        quick = workers.submit(max, 1, 2)
        assert quick.result() == 2
        with pytest.raises(Overran, match=r"longer than runtime.part_timeout_minutes \(0.033"):
            hung.result()
        assert workers.submit(max, 3, 4).result() == 4
    assert not [pid for pid in pids if alive(pid)]


def test_workers_that_are_stopped_are_gone_at_once() -> None:
    workers = Workers(1)
    pid = workers.submit(os.getpid).result()
    hung = workers.submit(signal.pause)
    wait_until(hung.running)
    workers.stop()
    assert isinstance(hung.exception(), BrokenProcessPool)
    wait_until(lambda: not alive(pid))


def test_a_thread_that_waits_for_the_web_can_be_stopped() -> None:
    threads = Stoppable()
    outcome: list[str] = []
    under_way = threading.Event()

    async def wait() -> None:
        under_way.set()
        for _ in range(1000):
            await asyncio.sleep(0.05)

    def ask() -> None:
        try:
            with threads():
                asyncio.run(wait())
        except Stopped:
            outcome.append("stopped")

    thread = threading.Thread(target=ask)
    thread.start()
    under_way.wait()
    threads.stop()
    thread.join(60)
    assert outcome == ["stopped"]


@pytest.mark.slow
def test_workers_end_when_the_run_is_killed() -> None:
    """`kill -9` of a run leaves no processes behind to eat memory."""
    script = textwrap.dedent("""
        import os, time
        from flows.runtime import Workers
        if __name__ == "__main__":
            with Workers(2) as workers:
                pids = {workers.submit(os.getpid).result() for _ in range(20)}
                print(*pids, flush=True)
                time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(word) for word in process.stdout.readline().split()]
        process.kill()
        process.wait()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(alive(pid) for pid in pids):
        time.sleep(0.1)
    assert pids
    assert not [pid for pid in pids if alive(pid)]


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] != "Z"


def test_a_flow_that_nobody_watches_runs_all_the_same() -> None:
    assert isinstance(watcher(), Nobody)
    seen = Nobody()
    with watched_by(seen):
        assert watcher() is seen
    assert isinstance(watcher(), Nobody)
