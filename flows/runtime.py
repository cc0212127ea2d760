"""What flows run on: processes for computing, who watches, and what `python -m flows.NAME` does.

On one machine, CPU work must not pay for Prefect in every process (18 s to start a process-pool task
runner, measured), so Prefect's tasks are threads, and a thread hands its part to a plain process that
imports only `waon_build`.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from types import ModuleType
from typing import Any, ParamSpec, Protocol, TypeVar

from flows import server
from waon_build import pipeline
from waon_build import recipe as recipes
from waon_build.ending import end_when_told, end_with_parent, leave
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
    end_when_told()
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


class Overran(Exception):  # noqa: N818 - of a part, not of the code
    """A call took longer than it may, and its process was ended."""


class Workers(Executor):
    """Processes that make one call each at a time. One that dies costs its own call, which raises
    BrokenProcessPool, and no other; one that takes longer than `limit` seconds is ended, and its call raises
    Overran. The next call gets a new process."""

    def __init__(self, processes: int | None = None, limit: float | None = None) -> None:
        self.processes = processes or os.cpu_count() or 1
        self.limit = limit
        self._threads = ThreadPoolExecutor(self.processes, thread_name_prefix="worker")
        self._mine = threading.local()
        self._all: set[_Process] = set()
        self._stopped = False

    def submit(self, call: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        return self._threads.submit(partial(self._call, call, *args, **kwargs))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        if wait:
            for process in list(self._all):
                process.pool.shutdown()

    def stop(self) -> None:
        """End all processes now, whatever they are at."""
        self._stopped = True
        for process in list(self._all):
            process.kill()
        self.shutdown(cancel_futures=True)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.shutdown()
        else:
            self.stop()

    def _call(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """In one of the threads, each of which has a process."""
        process = getattr(self._mine, "process", None) or self._start()
        try:
            future = process.pool.submit(call, *args, **kwargs)
            if wait([future], self.limit).not_done:
                process.kill()
                assert self.limit is not None
                raise Overran(
                    f"took longer than runtime.part_timeout_minutes ({self.limit / 60:g}): its process was ended"
                )
            return future.result()
        except (BrokenProcessPool, Overran):
            self._all.discard(process)
            self._mine.process = None
            raise

    def _start(self) -> _Process:
        if self._stopped:
            raise BrokenProcessPool("the run was stopped")
        process = self._mine.process = _Process()
        self._all.add(process)
        if self._stopped:  # meanwhile
            process.kill()
        return process


class _Process:
    """A process that outlives its calls: a pool of one."""

    def __init__(self) -> None:
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        context: Any = multiprocessing.get_context(method)
        if method == "forkserver":
            context.set_forkserver_preload(["waon_build.pipeline", "pandas"])  # pyarrow imports pandas, slowly
        self.pool = ProcessPoolExecutor(1, mp_context=context, initializer=end_with_parent)
        with _nothing_to_import():
            pid = self.pool.submit(os.getpid)
        self._pid = pid.result()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)


_main = threading.Lock()


@contextmanager
def _nothing_to_import() -> Iterator[None]:
    """Processes that start meanwhile do not import the script that this one runs, as they would: it is a flow, or
    Prefect's own, and two seconds and 100 MB of Prefect in each of them (measured) are for nothing. What they are
    given to call lies in modules."""
    with _main:
        script = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = script


class Stoppable:
    """Threads that can be told to stop: what they wait for in Python ends in `Stopped`, at its next step."""

    def __init__(self) -> None:
        self._threads: set[int] = set()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """What this thread does inside can be stopped."""
        thread = threading.get_ident()
        self._threads.add(thread)
        try:
            yield
        finally:
            self._threads.discard(thread)

    def stop(self) -> None:
        for thread in list(self._threads):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Stopped))


class Stopped(BaseException):
    """The run was stopped."""

    def __init__(self) -> None:
        super().__init__("the run was stopped")
