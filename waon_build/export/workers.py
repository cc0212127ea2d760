"""Where shards are written and read: one process a core, or this one. Results come in the order of the work."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from waon_build.ending import end_with_parent
from waon_build.records import InputError

W = TypeVar("W")
R = TypeVar("R")

WORTH_A_POOL = 5.0
"""Seconds of work. Less is done sooner without: a process takes one to two for its imports."""


def each(call: Callable[[W], R], work: Sequence[W], fs: Any, seconds: float, workers: int | None = None) -> Iterator[R]:
    """`call(one)` for each of `work`, in order. call: picklable. fs: the fsspec file system that it uses.
    seconds: that it takes one process, roughly. workers: processes; by default one a core."""
    workers = min(workers or os.cpu_count() or 1, len(work))
    if workers <= 1 or seconds < WORTH_A_POOL or not _shared(fs):
        yield from map(call, work)
        return
    # Not forked: the parent has threads (DuckDB's, an object store's event loop) that a fork would cut off.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent) as pool:
        try:
            yield from pool.map(call, work)
        except BrokenProcessPool as error:
            raise InputError(
                "a worker process ended early: for want of memory, run again with fewer runtime.workers; "
                "in a script of your own, call this under `if __name__ == '__main__':`"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _shared(fs: Any) -> bool:
    """Whether another process sees the same files."""
    return "memory" not in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,))
