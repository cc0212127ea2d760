"""`waon-build audit`: how a corpus stands, and its annotation."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from waon_build import recipe as recipes
from waon_build.cli.options import (
    AsJson,
    FirstUnlessNamed,
    RecipePath,
    Settings,
    overrides_of,
    print_json,
    say,
)
from waon_build.records import InputError

audit_app = typer.Typer(
    cls=FirstUnlessNamed, no_args_is_help=True, help="Show how a corpus stands (`audit RECIPE`), and its annotation."
)


@audit_app.command("corpus")
def audit_corpus(
    recipe: RecipePath,
    settings: Settings = None,
    picture: Annotated[Path | None, typer.Option(help="Also write the funnel as an SVG picture to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show funnel and queue: what `audit RECIPE` does."""
    show_audit(recipe, overrides_of(settings), as_json, picture)


@audit_app.command("annotation")
def audit_annotation(
    recipe: RecipePath,
    settings: Settings = None,
    out: Annotated[Path | None, typer.Option(help="Also write each table as Parquet and CSV into this folder.")] = None,
    resamples: Annotated[int, typer.Option(min=1, help="Bootstraps behind each interval of agreement.")] = 200,
    as_json: AsJson = False,
) -> None:
    """Show progress, agreement, people and worth.

    How far the work is and how long it takes; how far people agree; how good and how well paid they are; what
    the accepted corpus and each filter are worth. What cannot be said says why.
    """
    from waon_build import pipeline
    from waon_build.audit.annotation.report import show

    found = pipeline.audit_annotation(recipes.load(recipe, overrides_of(settings)), resamples)
    if out is not None:
        files = found.write(out)
        say(f"{len(files)} files are in {out}")
    if as_json:
        print_json(found.to_json())
    else:
        show(found, Console())


@audit_app.command("report")
def audit_report(
    recipe: RecipePath,
    settings: Settings = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Also keep it in the corpus, where the next one is compared with it.")
    ] = False,
    timezone: Annotated[str, typer.Option(help="Whose calendar names it.")] = "Asia/Tokyo",
    as_json: AsJson = False,
) -> None:
    """Show the weekly report.

    What came in since the report before, what was dropped and why, how the annotation goes, and what is running
    out. The flow `audit` keeps one a week.
    """
    from waon_build import reporting
    from waon_build.audit.kept import zone_of
    from waon_build.audit.weekly_text import markdown

    loaded = recipes.load(recipe, overrides_of(settings))
    day = datetime.now(zone_of(timezone)).date()
    report, _ = reporting.weekly_report(loaded, day)
    text = markdown(report, timezone)
    if keep:
        say(f"It is kept in {reporting.keep_report(loaded, report, day, text)}")
    if as_json:
        print_json(report.to_json())
    else:
        print(text)


def show_audit(recipe: Path, overrides: dict[str, Any], as_json: bool, picture: Path | None) -> None:
    """Funnel and queue, as tables or JSON, and the funnel as a picture too. Raises InputError."""
    from waon_build import pipeline
    from waon_build.audit import terminal
    from waon_build.audit.picture import svg

    loaded = recipes.load(recipe, overrides)
    state = pipeline.state(loaded)
    if picture is not None:
        try:
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.write_text(svg(state.steps, f"{loaded.name}: from page to pair"), encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"{picture}: cannot be written ({error.strerror}): give --picture another place"
            ) from error
    if as_json:
        print_json(state.to_json())
    else:
        terminal.show(state, Console())
