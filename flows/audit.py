"""Audit: the weekly report, and what the annotation came to, as artifacts that whoever watches Prefect can read.

python -m flows.audit recipes/demo.yaml
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows import runtime
from waon_build import pipeline, reporting
from waon_build import recipe as recipes
from waon_build.audit.annotation.audit import TITLES, Audit
from waon_build.audit.annotation.report import markdown as annotation_markdown
from waon_build.audit.kept import zone_of
from waon_build.audit.weekly import Report
from waon_build.audit.weekly_text import markdown as weekly_markdown


@flow(name="audit", flow_run_name="audit {recipe}", persist_result=False)
def audit(
    recipe: str, overrides: dict[str, Any] | None = None, resamples: int = 200, timezone: str = "Asia/Tokyo"
) -> dict[str, Any]:
    """Write the weekly report into the corpus (`reports/DATE.md` and `.json`); returns it as plain data.

    Also as artifacts: the report (`weekly-report`), what came in and what was dropped (`weekly-came-in`,
    `weekly-dropped`), and once people were asked what matters of their answers (`annotation`) and a table for each
    frame of the audit (`annotation-NAME`).

    Raises InputError when there is no corpus.

    Args:
        recipe: Path of the recipe, one YAML file, where the worker runs.
        overrides: Fields of the recipe to set for this run, by dotted name.
        resamples: Bootstraps behind each interval of agreement.
        timezone: Whose calendar names the report, such as Asia/Tokyo.
    """
    settings = recipes.load(recipe, overrides)
    day = datetime.now(zone_of(timezone)).date()
    report, found = reporting.weekly_report(settings, day, resamples)
    text = weekly_markdown(report, timezone)
    get_run_logger().info("the report is in %s", reporting.keep_report(settings, report, day, text))
    _show_report(report, text)
    if found is not None:
        _show_annotation(found)
    return report.to_json()


def _show_report(report: Report, text: str) -> None:
    create_markdown_artifact(key="weekly-report", markdown=text, description=f"Weekly report of {report.name}")
    came_in = [{"what": what, "new": change.since, "in all": change.total} for what, change in report.came_in().items()]
    create_table_artifact(key="weekly-came-in", table=came_in, description="What came in since the report before")
    dropped = [row._asdict() for row in report.dropped()]
    create_table_artifact(key="weekly-dropped", table=dropped, description="What was dropped, and why")


def _show_annotation(found: Audit) -> None:
    plain = found.to_json()
    create_markdown_artifact(
        key="annotation", markdown=annotation_markdown(found), description=f"Annotation of {found.name}"
    )
    for name, title in TITLES.items():
        reason = f": {found.empty[name]}" if name in found.empty else ""
        key = f"annotation-{name.replace('_', '-')}"
        create_table_artifact(key=key, table=plain[name], description=f"{title}{reason}")


if __name__ == "__main__":
    runtime.run_as_script(audit, check=pipeline.existing)
