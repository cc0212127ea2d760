"""Refresh: asks again whether what the corpus holds may still be used, and whether it is still there.

python -m flows.refresh recipes/demo.yaml
"""

from __future__ import annotations

from functools import partial
from typing import Any

from prefect import flow

from flows import runtime
from flows.stages import THREADS, PartsFailedError, check, run_stages
from flows.turns import in_turn
from waon_build import pipeline
from waon_build import recipe as recipes


@flow(name="refresh", flow_run_name="refresh {recipe}", task_runner=THREADS, persist_result=False)
def refresh(recipe: str, overrides: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Ask hosts and pages again about the pictures that the corpus holds. What is refused now leaves the queue and
    the next release; dead links are counted. Returns the rows of the funnel.

    Raises InputError for input that a user can mend, PartsFailedError when parts failed for another cause.

    Args:
        recipe: Path of the recipe, one YAML file, where the worker runs.
        overrides: Fields of the recipe to set for this run, by dotted name, such as fetch.contact.
    """
    settings = recipes.load(recipe, overrides)
    check(settings)
    return in_turn(partial(run_stages, settings, pipeline.REFRESH))


if __name__ == "__main__":
    runtime.run_as_script(refresh, PartsFailedError, check=check)
