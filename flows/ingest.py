"""Ingest: from the sources of a recipe to tasks in the annotation queue.

python -m flows.ingest recipes/demo.yaml
"""

from __future__ import annotations

from functools import partial
from typing import Any

from prefect import flow

from flows import runtime
from flows.stages import THREADS, PartsFailedError, check, run_parts, run_stages
from flows.turns import in_turn
from waon_build import recipe as recipes


@flow(name="ingest", flow_run_name="ingest {recipe}", task_runner=THREADS, persist_result=False)
def ingest(
    recipe: str, overrides: dict[str, Any] | None = None, parts: list[str] | None = None
) -> list[dict[str, Any]]:
    """Run every stage of a recipe up to the annotation queue; returns the rows of its funnel.

    Raises InputError for input that a user can mend, PartsFailedError when parts failed for another cause.

    Args:
        recipe: Path of the recipe, one YAML file, where the worker runs.
        overrides: Fields of the recipe to set for this run, by dotted name, such as fetch.contact.
        parts: Make only these parts (STAGE/PART), and stop.
    """
    settings = recipes.load(recipe, overrides)
    check(settings)
    return in_turn(partial(run_parts, settings, parts) if parts else partial(run_stages, settings))


if __name__ == "__main__":
    runtime.run_as_script(ingest, PartsFailedError, check=check)
