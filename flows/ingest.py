"""Ingest: from the sources of a recipe to tasks in the annotation queue.

python -m flows.ingest recipes/demo.yaml
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows import runtime
from flows.stages import THREADS, PartsFailedError, check, run_parts, run_stages
from waon_build import recipe as recipes


@flow(name="ingest", flow_run_name="ingest {recipe}", task_runner=THREADS, persist_result=False)
def ingest(
    recipe: str, overrides: dict[str, Any] | None = None, parts: list[str] | None = None
) -> list[dict[str, Any]]:
    """Run every stage of a recipe up to the annotation queue; returns the rows of its funnel.

    recipe: path of the YAML file. overrides: dotted field -> value. parts: make only these (`STAGE/PART`), and
    stop. Raises InputError for input that a user can mend, PartsFailedError when parts failed for another cause.
    """
    settings = recipes.load(recipe, overrides)
    check(settings)
    return run_parts(settings, parts) if parts else run_stages(settings)


if __name__ == "__main__":
    runtime.run_as_script(ingest, PartsFailedError, check=check)
