"""Runs stages of a recipe inside a flow: one Prefect task per part, never per row.

A part that fails is tried again unless its input is at fault; a run ends after the stage in which a part
failed for good, and the next run takes up from there.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from queue import SimpleQueue
from typing import Any

from prefect import Task, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import PrefectFuture
from prefect.states import Crashed
from prefect.task_runners import ThreadPoolTaskRunner

from flows import engines, runtime
from flows.apart import Waiting
from flows.report import Report
from waon_build import pipeline
from waon_build.corpus import Corpus, Part, Stage
from waon_build.recipe import Recipe, RuntimeSettings
from waon_build.records import InputError, Tally, in_a_line

LONGEST_RETRY_DELAY = 300.0
"""Seconds between two tries of a part."""

NAMED = 5
"""Failed parts that an error names; all are in the artifact `failed-parts`."""


class PartsFailedError(Exception):
    """Some parts of a stage failed for good; the others are committed. failed: part -> what happened. command:
    makes the failed ones alone; said where they are few."""

    def __init__(self, stage: str, failed: dict[str, str], command: str) -> None:
        self.stage, self.failed, self.command = stage, failed, command
        listing = "; ".join(f"{part}: {problem}" for part, problem in sorted(failed.items())[:NAMED])
        more = f" and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
        only = f", or only them: {command}" if len(failed) <= NAMED else ""
        super().__init__(
            f"{len(failed)} part(s) of stage {stage} failed: {listing}{more}; run again to redo them{only}"
        )


THREADS: Any = ThreadPoolTaskRunner()
"""Of every flow that runs stages; what goes to a cluster has a task runner of its own (`flows.engines`)."""


def check(recipe: Recipe) -> None:
    """Raises InputError for what would stop a run, before anything is started: see `pipeline.check`; and for an
    engine that is not there."""
    pipeline.check(recipe)
    engines.check(recipe.runtime)


def run_stages(recipe: Recipe, names: Collection[str] = pipeline.STAGES) -> list[dict[str, Any]]:
    """Run the stages of these names, in the order of the pipeline; returns the rows of the funnel, and leaves
    artifacts (see `flows.report`). Raises InputError for input that a user can mend, PartsFailedError when parts
    failed for another cause."""
    corpus = pipeline.open_corpus(recipe)
    report = Report(recipe, corpus)
    with corpus.alone(), engines.running(recipe) as engine:
        for stage in pipeline.stages(recipe, engine.pool):
            if stage.name in names:
                parts, current = pipeline.begin(stage, corpus)
                run_stage(recipe, corpus, stage, parts, current, engine, report)
        return report.end()


def run_parts(recipe: Recipe, parts: Collection[str]) -> list[dict[str, Any]]:
    """Make these parts (`STAGE/PART`), whether they are current or not, and nothing else; returns the rows of the
    funnel. Raises as `run_stages` does, and InputError for a part that the recipe does not ask for."""
    corpus = pipeline.open_corpus(recipe)
    report = Report(recipe, corpus)
    wanted = pipeline.stages_of(recipe, parts)
    with corpus.alone(), engines.running(recipe) as engine:
        for stage in pipeline.stages(recipe, engine.pool):
            if stage.name in wanted:
                found = pipeline.find(stage, corpus, wanted[stage.name])
                run_stage(recipe, corpus, stage, found, 0, engine, report)
        return report.end()


def run_stage(
    recipe: Recipe,
    corpus: Corpus,
    stage: Stage,
    parts: list[Part],
    current: int,
    engine: engines.Engine,
    report: Report,
) -> None:
    """Make parts of a stage, a bounded number at once. current: parts that need not be made. Raises
    PartsFailedError, or the InputError that a part ended in."""
    runtime.watcher().stage(stage.name, len(parts), current)
    get_run_logger().info("%s: %d parts to make, %d current", stage.name, len(parts), current)
    if not parts:
        return
    report.begin(stage.name, len(parts))
    waiting = Waiting(parts, engine.at_once(stage), engine.apart(stage, corpus))
    ended: SimpleQueue[tuple[Part, PrefectFuture[Any]]] = SimpleQueue()
    failed: dict[str, BaseException] = {}
    while waiting:
        while (part := waiting.begin()) is not None:
            options = make_part.with_options(task_run_name=f"{stage.name} {part.name}", **_tries(recipe.runtime))
            future = engine.submit(options, engine.work(stage, corpus, part))
            future.add_done_callback(partial(_put, ended, part))
        part, future = ended.get()
        waiting.end(part)
        made = _outcome(future)
        if isinstance(made, Tally):
            runtime.watcher().part(stage.name, made)
            report.made(made)
        else:
            failed[part.name] = made
            report.failed(stage.name, part.name, _one_line(made))
    if failed:
        report.end()
    for error in failed.values():
        if isinstance(error, InputError):
            raise error
    if failed:
        listed = {part: _one_line(error) for part, error in failed.items()}
        raise PartsFailedError(stage.name, listed, report.command(stage.name, listed))


def _put(ended: SimpleQueue[tuple[Part, PrefectFuture[Any]]], part: Part, future: PrefectFuture[Any]) -> None:
    ended.put((part, future))


def _tries(settings: RuntimeSettings) -> dict[str, Any]:
    """Tries again and again, each after twice the wait."""
    delays = [min(settings.retry_delay_seconds * 2**n, LONGEST_RETRY_DELAY) for n in range(min(settings.retries, 50))]
    return {"retries": settings.retries, "retry_delay_seconds": delays or 0}


def _may_pass(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether a failed part is worth another try: never when its input is at fault."""
    return not isinstance(state.result(raise_on_failure=False), InputError)


@task(name="part", cache_policy=NO_CACHE, persist_result=False, retry_condition_fn=_may_pass)
def make_part(work: engines.Work) -> Tally:
    """Make one part of one stage, wherever this task runs."""
    logger = get_run_logger()
    tally = work()
    name = f"{work.stage} {work.part.name}"
    counts = {"read": tally.rows.read, "kept": tally.rows.kept, "dropped": dict(tally.rows.dropped)}
    logger.info(
        "%s: read=%d kept=%d dropped=%d %s seconds=%g",
        name,
        tally.rows.read,
        tally.rows.kept,
        tally.rows.dropped.total(),
        " ".join(f"{reason}={count}" for reason, count in sorted(tally.rows.dropped.items())),
        tally.seconds,
        extra={"stage": work.stage, "part": work.part.name, "seconds": tally.seconds, **counts},
    )
    for problem in tally.problems:
        logger.warning("%s: %s", name, problem, extra={"stage": work.stage, "part": work.part.name})
    work.logged()
    return tally


class WorkerDied(Exception):  # noqa: N818 - of a part, not of the code
    """The worker of a cluster that made a part died, each time that it was tried."""


def _outcome(future: PrefectFuture[Any]) -> Tally | BaseException:
    """What became of a part: its tally, or why there is none."""
    try:
        result = future.result(raise_on_failure=False)
    except Exception as error:
        died = WorkerDied(
            "its worker died, each time that it was tried: it was killed, had too little memory, or took longer than "
            f"runtime.part_timeout_minutes ({type(error).__name__})"
        )
        died.__cause__ = error
        _say_crashed(future, str(died))
        return died
    if isinstance(result, (Tally, BaseException)):
        return result
    return RuntimeError(str(future.state.name))


def _say_crashed(future: PrefectFuture[Any], message: str) -> None:
    """Tells Prefect what the worker cannot: the task would be running for ever."""
    with get_client(sync_client=True) as client:
        client.set_task_run_state(future.task_run_id, Crashed(message=message), force=True)


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {in_a_line(error)}"
