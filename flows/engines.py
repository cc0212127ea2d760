"""Which processes make the parts: this machine's, or those of a Dask or Ray cluster.

A part is one Prefect task on each of them. On this machine tasks are threads of the flow, which hand what
computes to `runtime.Workers`; on a cluster they are Prefect's Dask or Ray tasks, and run in its workers.
`global` stages want one machine's memory and stay with the flow. Dask and Ray are imported here alone.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property, lru_cache, partial
from multiprocessing.util import Finalize
from typing import Any, Protocol
from urllib.parse import urlsplit

from prefect.logging.handlers import APILogHandler

from flows import runtime
from flows.apart import KeptApart, nothing
from waon_build import pipeline
from waon_build.corpus import AsksHosts, Corpus, Part, Stage
from waon_build.ending import ends_after
from waon_build.recipe import Recipe, RuntimeSettings
from waon_build.records import InputError, Tally, in_a_line

FETCHES = 4
"""Fetch or crawl parts under way at once on one machine: each has `fetch.concurrency` requests of its own."""

Submit = Callable[[Any, "Work"], Any]
"""Hands a Prefect task and what it is to make to a task runner: (task, work) -> Prefect future."""


class Work(Protocol):
    """One part to make: called where it is made. A plain object, so that Prefect hands it on as it is."""

    stage: str
    part: Part

    def __call__(self) -> Tally: ...

    def logged(self) -> None:
        """All is said of this part: what is logged gets to where it is kept, whatever becomes of the process."""


class Engine(Protocol):
    """What runs parts."""

    @property
    def pool(self) -> runtime.Workers | None:
        """Processes for what a stage computes beside the network."""

    def at_once(self, stage: Stage) -> int:
        """Parts of a stage under way at once."""

    def apart(self, stage: Stage, corpus: Corpus) -> KeptApart:
        """What keeps two parts of a stage from running at once."""

    def work(self, stage: Stage, corpus: Corpus, part: Part) -> Work:
        """A part as it is made on this engine."""

    def submit(self, task: Any, work: Work) -> Any:
        """Begin to make a part. Returns a Prefect future."""


def check(settings: RuntimeSettings) -> None:
    """Raises InputError for an engine that is not installed, or an address where nothing answers."""
    if settings.engine == "local":
        return
    if importlib.util.find_spec(f"prefect_{settings.engine}") is None:
        raise InputError(
            f"runtime.engine: {settings.engine} is not installed: pip install 'waon_build[{settings.engine}]'"
        )
    if settings.address and settings.address not in ("auto", "local"):
        _answers(settings.engine, settings.address)


@contextmanager
def running(recipe: Recipe) -> Iterator[Engine]:
    """The engine of a recipe, while a flow runs. Left by an error, it ends what is under way."""
    settings = recipe.runtime
    if settings.engine == "local":
        with _Local(recipe) as engine:
            yield engine
        return
    check(settings)
    with ExitStack() as stack:
        yield _Cluster(recipe, stack)


class _Local:
    """Threads of the flow and processes of this machine: all parts share one account of each host."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.pool = runtime.Workers(recipe.runtime.workers, _limit(recipe))
        self._threads = runtime.Stoppable()

    def __enter__(self) -> _Local:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is not None:
            self._threads.stop()
        self.pool.__exit__(kind, error, trace)

    def at_once(self, stage: Stage) -> int:
        return {"cpu": self.pool.processes * 2, "network": FETCHES, "global": 1}[stage.kind]

    def apart(self, stage: Stage, corpus: Corpus) -> KeptApart:
        return nothing

    def work(self, stage: Stage, corpus: Corpus, part: Part) -> Work:
        if stage.kind == "cpu":
            return _InProcess(self.recipe, stage.name, part, self.pool)
        return _InThread(stage, corpus, part, self._threads)

    def submit(self, task: Any, work: Work) -> Any:
        return task.submit(work)


class _Cluster:
    """A Prefect task runner whose workers are other processes, each with its own account of a host."""

    pool: runtime.Workers | None = None

    def __init__(self, recipe: Recipe, stack: ExitStack) -> None:
        self.recipe = recipe
        self._stack = stack

    @cached_property
    def _started(self) -> tuple[int, Submit]:
        """The cluster, from when there is a part to make: a run with nothing new does not wait for it."""
        self._stack.enter_context(_prefect_for_workers(self.recipe.runtime))
        start = _dask if self.recipe.runtime.engine == "dask" else _ray
        return start(self.recipe.runtime, self._stack)

    def at_once(self, stage: Stage) -> int:
        if stage.kind == "global":
            return 1
        workers, _ = self._started
        return workers * 2 if stage.kind == "cpu" else workers

    def apart(self, stage: Stage, corpus: Corpus) -> KeptApart:
        if stage.kind != "network":
            return nothing
        if isinstance(stage, AsksHosts):
            return partial(stage.hosts, corpus)
        return lambda part: ("any host",)

    def work(self, stage: Stage, corpus: Corpus, part: Part) -> Work:
        if stage.kind == "global":
            return _InThread(stage, corpus, part, runtime.Stoppable())
        return _OnWorker(self.recipe, stage.name, part, stage.kind)

    def submit(self, task: Any, work: Work) -> Any:
        if not isinstance(work, _OnWorker):
            return task.submit(work)
        _, submit = self._started
        return submit(task, work)


class _InThread:
    """A part made in a thread of the flow's own process."""

    def __init__(self, stage: Stage, corpus: Corpus, part: Part, threads: runtime.Stoppable) -> None:
        self.stage, self.part = stage.name, part
        self._run = partial(stage.run, corpus, part)
        self._threads = threads

    def __call__(self) -> Tally:
        with self._threads():
            return self._run()

    def logged(self) -> None: ...


class _InProcess:
    """A part made in one of this machine's processes."""

    def __init__(self, recipe: Recipe, stage: str, part: Part, pool: runtime.Workers) -> None:
        self.stage, self.part = stage, part
        self._recipe, self._pool = recipe, pool

    def __call__(self) -> Tally:
        return self._pool.submit(pipeline.run_part, self._recipe, self.stage, self.part).result()

    def logged(self) -> None: ...


class _OnWorker:
    """A part made in a worker of a cluster, to which this object is sent."""

    def __init__(self, recipe: Recipe, stage: str, part: Part, kind: str) -> None:
        self.stage, self.part = stage, part
        self._recipe, self._kind = recipe, kind

    def __call__(self) -> Tally:
        if self._kind == "cpu":
            with ends_after(_limit(self._recipe)):
                return pipeline.run_part(self._recipe, self.stage, self.part)
        try:
            return pipeline.run_part(self._recipe, self.stage, self.part, _decoders())
        finally:  # another worker may ask the same host next, and knows nothing of the last request of this one
            time.sleep(1 / self._recipe.fetch.per_host_rate)

    def logged(self) -> None:
        APILogHandler().flush()


def _limit(recipe: Recipe) -> float | None:
    minutes = recipe.runtime.part_timeout_minutes
    return None if minutes is None else minutes * 60


@lru_cache(maxsize=1)
def _decoders() -> runtime.Workers | None:
    """The process in which this worker decodes, so that a file that ends its decoder ends no more than that. None
    where a worker may not have processes of its own (those of `dask worker`): then threads decode."""
    if multiprocessing.current_process().daemon:
        return None
    decoders = runtime.Workers(1)
    Finalize(None, decoders.stop, exitpriority=10)  # before multiprocessing waits for its end
    return decoders


# --- clusters: how many parts each runs at once, and how it is given one


def _dask(settings: RuntimeSettings, stack: ExitStack) -> tuple[int, Submit]:
    import dask
    from prefect_dask.task_runners import DaskTaskRunner

    logging.getLogger("distributed").setLevel(logging.ERROR)  # it tells of every connection
    environment = {**dask.config.get("distributed.nanny.pre-spawn-environ"), "DASK_LOGGING__DISTRIBUTED": "error"}
    stack.enter_context(
        dask.config.set(
            {
                "distributed.scheduler.allowed-failures": settings.retries,
                "distributed.scheduler.worker-saturation": 1.0,  # what waits for a worker is not lost with it
                "distributed.worker.daemon": False,  # a worker decodes in a process of its own
                "distributed.nanny.pre-spawn-environ": environment,
            }
        )
    )
    workers = settings.workers or os.cpu_count() or 1
    local = {
        "n_workers": workers,
        "threads_per_worker": 1,
        "dashboard_address": "127.0.0.1:0",
        "silence_logs": logging.CRITICAL,
    }
    runner: Any = DaskTaskRunner(address=settings.address, cluster_kwargs=None if settings.address else local)
    try:
        stack.enter_context(runner)
        threads = sum(runner.client.nthreads().values())  # the client connects when it is first used
    except (OSError, TimeoutError, ValueError) as error:
        raise _no_cluster("dask", settings.address, error) from error
    if settings.address and not threads:
        raise InputError(f"runtime.address: the Dask scheduler at {settings.address} has no workers: start some")
    return threads or workers, lambda task, work: runner.submit(task, {"work": work})


def _ray(settings: RuntimeSettings, stack: ExitStack) -> tuple[int, Submit]:
    ray: Any = importlib.import_module("ray")
    from prefect_ray.context import remote_options
    from prefect_ray.task_runners import RayTaskRunner

    workers = settings.workers or os.cpu_count() or 1
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if not settings.address:
        options |= {"num_cpus": workers, "include_dashboard": False, "object_store_memory": _OBJECT_STORE}
    # "local": Ray would take whichever cluster somebody else has started on this machine.
    runner: Any = RayTaskRunner(address=settings.address or "local", init_kwargs=options)
    handler = signal.getsignal(signal.SIGTERM)
    try:
        stack.enter_context(runner)
    except (OSError, RuntimeError, ValueError) as error:
        raise _no_cluster("ray", settings.address, error) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)  # Ray puts its own there, and a flow could not be cancelled

    def submit(task: Any, work: Work) -> Any:
        with remote_options(max_retries=settings.retries):
            return runner.submit(task, {"work": work})

    return int(ray.cluster_resources().get("CPU", workers)), submit


_OBJECT_STORE = 100_000_000
"""Bytes: tasks are a kilobyte each, and what they make lies in the corpus."""


@contextmanager
def _prefect_for_workers(settings: RuntimeSettings) -> Iterator[None]:
    """Tells workers where Prefect's server is. The temporary one of this process would be unknown to them, and
    each would start another."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    if PREFECT_API_URL.value():
        yield
        return
    if settings.address and not _is_here(settings.address):
        raise InputError(
            "PREFECT_API_URL is not set: workers on other machines report to a Prefect server that they can reach: "
            "start one (`prefect server start`) and set it"
        )
    with temporary_settings({PREFECT_API_URL: str(get_client(sync_client=True).api_url)}):
        yield


_ANSWERS_IN = 5.0
"""Seconds."""


def _answers(engine: str, address: str) -> None:
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port:
        example = {"dask": "tcp://scheduler:8786", "ray": "ray://head:10001"}[engine]
        raise InputError(f"runtime.address: {address} is not the address of a cluster: write it like {example}")
    try:
        with socket.create_connection((host, port), timeout=_ANSWERS_IN) as connection:
            # A Dask scheduler speaks first; of whoever else listens there, Dask's client thinks for ever.
            if engine == "dask" and parts.scheme in ("", "tcp") and not connection.recv(1):
                raise ConnectionError("whoever listens there is no Dask scheduler")
    except OSError as error:
        raise _no_cluster(engine, address, error) from error


def _is_here(address: str) -> bool:
    parts = urlsplit(address if "://" in address else f"//{address}")
    return parts.hostname in ("127.0.0.1", "localhost", "::1") or address in ("auto", "local")


def _no_cluster(engine: str, address: str | None, error: Exception) -> InputError:
    problem = in_a_line(error)
    if address:
        return InputError(
            f"runtime.address: no {engine.title()} cluster answers at {address} ({problem}): start it, or leave the "
            "address out to have one for this run"
        )
    return InputError(f"runtime.engine: {engine} could not be started ({problem}): set it to local")
