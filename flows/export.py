"""Export: what natives accepted so far, as WebDataset shards.

python -m flows.export recipes/demo.yaml
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact

from flows import runtime
from waon_build import pipeline
from waon_build import recipe as recipes
from waon_build.export.release import Release


@flow(name="export", flow_run_name="export {recipe}", persist_result=False)
def export(recipe: str, overrides: dict[str, Any] | None = None, name: str | None = None) -> Release:
    """Decide what the answers so far decide, and write a release of the accepted pairs.

    Raises InputError when nothing is accepted yet.

    Args:
        recipe: Path of the recipe, one YAML file, where the worker runs.
        overrides: Fields of the recipe to set for this run, by dotted name, such as export.samples_per_shard.
        name: Of the release; by default it follows from the content, and what is there already is not written again.
    """
    settings = recipes.load(recipe, overrides)
    watcher = runtime.watcher()
    release = pipeline.export(settings, name, lambda done, total: watcher.rows("export", "release", done, total))
    create_table_artifact(
        key="release",
        table=[{"split": split, "samples": samples} for split, samples in release.samples.items()],
        description=f"Release {release.name} of {settings.name}: {release.url}",
    )
    return release


if __name__ == "__main__":
    runtime.run_as_script(export)
