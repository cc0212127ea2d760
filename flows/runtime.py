"""Where parts run: one pool of processes for computing, Prefect's threads for everything else.

CPU work must not pay for Prefect in every process (18 s to start a process-pool task runner, measured),
so Prefect's tasks are threads, and a thread hands its part to a plain pool whose workers import only
`waon_build`.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, Protocol, TypeVar

from flows import server
from waon_build import pipeline
from waon_build import recipe as recipes
from waon_build.ending import end_on_ctrl_c, end_with_parent, leave
from waon_build.recipe import Recipe
from waon_build.records import InputError, Tally

P = ParamSpec("P")
R = TypeVar("R")


class Watcher(Protocol):
    """Someone who wants to see the work go on: the command line's progress bars."""

    def stage(self, name: str, parts: int, current: int) -> None:
        """A stage begins. parts: to be made; current: already there."""

    def part(self, stage: str, tally: Tally) -> None:
        """A part was committed."""

    def rows(self, stage: str, part: str, done: int, total: int) -> None:
        """A part is under way."""


class Nobody:
    """The watcher when no one watches."""

    def stage(self, name: str, parts: int, current: int) -> None: ...

    def part(self, stage: str, tally: Tally) -> None: ...

    def rows(self, stage: str, part: str, done: int, total: int) -> None: ...


_watcher: ContextVar[Watcher] = ContextVar("watcher")


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Flows run inside tell `watcher` how they get on."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def watcher() -> Watcher:
    """Whoever watches this flow."""
    return _watcher.get(Nobody())


def run_as_script(
    flow: Callable[[str], Any], *failures: type[Exception], check: Callable[[Recipe], object] = pipeline.check
) -> None:
    """What `python -m flows.NAME RECIPE` does: 0 on success, 1 with one line for `failures`, 2 with one line
    for bad input, which `check` finds before the seconds that Prefect takes to start."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: python -m {getattr(sys.modules['__main__'].__spec__, 'name', 'flows')} RECIPE")
    end_on_ctrl_c()
    try:
        check(recipes.load(sys.argv[1]))
        with server.needed():
            flow(sys.argv[1])
    except InputError as error:
        print(error, file=sys.stderr)
        leave(2)
    except failures as error:
        print(error, file=sys.stderr)
        leave(1)
    leave(0)


class Workers(Executor):
    """A pool of processes that outlives the death of its workers: a killed one costs the calls under way,
    which raise BrokenProcessPool and are tried again, and the next call gets a new pool."""

    def __init__(self, processes: int | None = None) -> None:
        self.processes = processes or os.cpu_count() or 1
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, call: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        with self._lock:
            if self._pool is None:
                self._pool = self._start()
            try:
                return self._pool.submit(call, *args, **kwargs)
            except BrokenProcessPool:
                self._pool = self._start()
                return self._pool.submit(call, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=wait, cancel_futures=cancel_futures)

    def _start(self) -> ProcessPoolExecutor:
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        context: Any = multiprocessing.get_context(method)
        if method == "forkserver":
            context.set_forkserver_preload(["waon_build.pipeline", "pandas"])  # pyarrow imports pandas, slowly
        return ProcessPoolExecutor(self.processes, mp_context=context, initializer=end_with_parent)
