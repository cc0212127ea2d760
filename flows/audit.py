"""Audit: what the annotation came to, as artifacts that whoever watches Prefect can read.

python -m flows.audit recipes/demo.yaml
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows import runtime
from waon_build import pipeline
from waon_build import recipe as recipes
from waon_build.audit.annotation.audit import TITLES
from waon_build.audit.annotation.report import markdown
from waon_build.recipe import Recipe


@flow(name="audit", flow_run_name="audit {recipe}", persist_result=False)
def audit(recipe: str, overrides: dict[str, Any] | None = None, resamples: int = 200) -> dict[str, Any]:
    """Audit the annotation of a recipe; returns it as plain data. One table artifact for each frame
    (`annotation-NAME`), and what matters as Markdown (`annotation`).

    recipe: path of the YAML file. overrides: dotted field -> value. resamples: bootstraps behind each
    interval of agreement. Only reads. Raises InputError when there is no annotation database yet.
    """
    found = pipeline.audit_annotation(recipes.load(recipe, overrides), resamples)
    plain = found.to_json()
    create_markdown_artifact(key="annotation", markdown=markdown(found), description=f"Annotation of {found.name}")
    for name, title in TITLES.items():
        reason = f": {found.empty[name]}" if name in found.empty else ""
        create_table_artifact(key=f"annotation-{name}", table=plain[name], description=f"{title}{reason}")
    return plain


def _is_annotated(recipe: Recipe) -> None:
    with pipeline.annotated(recipe):
        pass


if __name__ == "__main__":
    runtime.run_as_script(audit, check=_is_annotated)
