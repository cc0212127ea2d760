"""Runs stages of a recipe inside a flow: one Prefect task per part, never per row.

A part that fails is tried again unless its input is at fault; a run ends after the stage in which a part
failed for good, and the next run takes up from there.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Any

from prefect import Task, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import PrefectFuture
from prefect.task_runners import ThreadPoolTaskRunner

from flows import runtime
from waon_build import pipeline
from waon_build.audit.funnel import as_rows, funnel
from waon_build.corpus import Corpus, Part, Stage
from waon_build.recipe import Recipe
from waon_build.records import InputError, Tally

FETCHES = 4
"""Fetch or crawl parts under way at once: each has `fetch.concurrency` requests of its own."""


class PartsFailedError(Exception):
    """Some parts of a stage failed for good; the others are committed. failed: part -> what happened."""

    def __init__(self, stage: str, failed: dict[str, str]) -> None:
        self.stage, self.failed = stage, failed
        listing = "; ".join(f"{part}: {problem}" for part, problem in sorted(failed.items())[:5])
        more = f" and {len(failed) - 5} more" if len(failed) > 5 else ""
        super().__init__(f"{len(failed)} part(s) of stage {stage} failed: {listing}{more}; run again to redo them")


THREADS: Any = ThreadPoolTaskRunner()
"""Of every flow that runs stages."""


def run_stages(recipe: Recipe, names: Collection[str] = pipeline.STAGES) -> list[dict[str, Any]]:
    """Run the stages of these names, in the order of the pipeline; returns the rows of the funnel, and leaves them
    as an artifact. Raises InputError for input that a user can mend, PartsFailedError when parts failed for
    another cause."""
    corpus = pipeline.open_corpus(recipe)
    with corpus.alone(), runtime.Workers(recipe.runtime.workers) as workers:
        for stage in pipeline.stages(recipe, workers):
            if stage.name in names:
                run_stage(recipe, corpus, stage, workers)
    rows = as_rows(funnel(corpus))
    create_table_artifact(key="funnel", table=rows, description=f"Funnel of {recipe.name}")
    return rows


def run_stage(recipe: Recipe, corpus: Corpus, stage: Stage, workers: runtime.Workers) -> None:
    """Run a stage's pending parts, a bounded number at once. Raises PartsFailedError, or the InputError that
    a part ended in."""
    parts, current = pipeline.begin(stage, corpus)
    runtime.watcher().stage(stage.name, len(parts), current)
    get_run_logger().info("%s: %d parts to make, %d current", stage.name, len(parts), current)
    slots = threading.Semaphore(_at_once(stage, workers))

    def submit(part: Part) -> PrefectFuture[Any]:
        slots.acquire()
        options = make_part.with_options(task_run_name=f"{stage.name} {part.name}", retries=recipe.runtime.retries)
        future = options.submit(_Work(recipe, corpus, stage, part, workers))
        future.add_done_callback(lambda done: slots.release())
        return future

    failed: dict[str, BaseException] = {}
    for part, future in [(part, submit(part)) for part in parts]:
        future.wait()
        if not future.state.is_completed():
            failed[part.name] = _error(future)
    for error in failed.values():
        if isinstance(error, InputError):
            raise error
    if failed:
        raise PartsFailedError(stage.name, {part: _one_line(error) for part, error in failed.items()})


class _Work:
    """One part to make. A plain object, so that Prefect hands it on as it is."""

    def __init__(self, recipe: Recipe, corpus: Corpus, stage: Stage, part: Part, workers: runtime.Workers) -> None:
        self.recipe, self.corpus, self.stage, self.part, self.workers = recipe, corpus, stage, part, workers
        self.watcher = runtime.watcher()

    def __call__(self) -> Tally:
        if self.stage.kind == "cpu":
            tally = self.workers.submit(pipeline.run_part, self.recipe, self.stage.name, self.part).result()
        else:
            tally = self.stage.run(self.corpus, self.part)
        self.watcher.part(self.stage.name, tally)
        return tally


def _may_pass(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether a failed part is worth another try: never when its input is at fault."""
    return not isinstance(state.result(raise_on_failure=False), InputError)


@task(name="part", cache_policy=NO_CACHE, persist_result=False, retry_delay_seconds=1, retry_condition_fn=_may_pass)
def make_part(work: _Work) -> None:
    """Make one part of one stage."""
    tally = work()
    get_run_logger().info(
        "%s %s: %d read, %d kept, dropped %s", tally.stage, tally.part, tally.rows.read, tally.rows.kept,
        dict(tally.rows.dropped),
    )  # fmt: skip
    for problem in tally.problems:
        get_run_logger().warning("%s %s: %s", tally.stage, tally.part, problem)


def _at_once(stage: Stage, workers: runtime.Workers) -> int:
    return {"cpu": workers.processes * 2, "network": FETCHES, "global": 1}[stage.kind]


def _error(future: PrefectFuture[Any]) -> BaseException:
    result = future.result(raise_on_failure=False)
    return result if isinstance(result, BaseException) else RuntimeError(str(future.state.name))


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
