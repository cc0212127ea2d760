"""Route: what the answers decide, and the queue in line with what the corpus holds now. Cheap, to be run often.

python -m flows.route recipes/demo.yaml
"""

from __future__ import annotations

from functools import partial
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact

from flows import runtime
from flows.stages import THREADS, PartsFailedError, run_stages
from flows.turns import in_turn
from waon_build import pipeline
from waon_build import recipe as recipes
from waon_build.recipe import Recipe


@flow(name="route", flow_run_name="route {recipe}", task_runner=THREADS, persist_result=False)
def route(recipe: str, overrides: dict[str, Any] | None = None) -> dict[str, int]:
    """Decide what the answers so far decide, ask for more where people disagree, and bring the queue in line with
    what the corpus holds; returns how many tasks came to which outcome, also as an artifact (`decisions`).

    Raises InputError for input that a user can mend, PartsFailedError when a part failed for another cause.

    Args:
        recipe: Path of the recipe, one YAML file, where the worker runs.
        overrides: Fields of the recipe to set for this run, by dotted name, such as annotation.overlap.
    """
    settings = recipes.load(recipe, overrides)
    pipeline.open_corpus(settings).create()
    decided = {str(outcome): tasks for outcome, tasks in sorted(pipeline.decide(settings).items())}
    get_run_logger().info("decided: %s", decided)
    create_table_artifact(
        key="decisions",
        table=[{"outcome": outcome, "tasks": tasks} for outcome, tasks in decided.items()],
        description=f"What the answers of {settings.name} came to",
    )
    in_turn(partial(run_stages, settings, pipeline.ROUTE))
    return decided


def _check(recipe: Recipe) -> None:
    pipeline.open_corpus(recipe).create()


if __name__ == "__main__":
    runtime.run_as_script(route, PartsFailedError, check=_check)
