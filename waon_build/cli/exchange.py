"""`waon-build tasks` and `waon-build judgements`: judging with other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from waon_build import recipe as recipes
from waon_build.annotation.connectors.tools import FileKind, Tool
from waon_build.cli.options import AsJson, RecipePath, Settings, dropped, overrides_of, people, print_json, say

tasks_app = typer.Typer(no_args_is_help=True, help="Hand tasks out to another tool.")
judgements_app = typer.Typer(no_args_is_help=True, help="Take in judgements that were made elsewhere.")


@tasks_app.command("export")
def export_tasks(
    recipe: RecipePath,
    to: Annotated[Tool, typer.Option(help="The tool.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="A new folder for tasks, pictures and a README.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first tasks, in the order of the queue.")] = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Write the tasks that wait for judgements into a folder, for people who judge with another tool."""
    from waon_build import pipeline
    from waon_build.audit.bars import bar

    loaded = recipes.load(recipe, overrides_of(settings))
    with bar(people, "pictures") as progress:
        handed_out = pipeline.export_tasks(loaded, to, out, limit, progress)
    if as_json:
        print_json(handed_out._asdict())
    else:
        say(f"{handed_out.tasks:,} tasks are in {out}: {out / 'README.md'} says how to go on")


@judgements_app.command("import")
def import_judgements(
    recipe: RecipePath,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What the tool wrote: a file, or Potato's folder of answers.")
    ],
    kind: Annotated[
        FileKind | None, typer.Option("--from", help="What wrote it. By default the file itself tells.")
    ] = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Take in what other tools wrote, through the same door as the annotators' own.

    Our own JSONL (one judgement a line), an export of Label Studio (JSON, JSON-MIN), or what Potato wrote (its states,
    JSONL, CSV, TSV). Taken whole or not at all, and a second time changes nothing."""
    from waon_build import pipeline

    loaded = recipes.load(recipe, overrides_of(settings))
    counts = pipeline.import_answers(loaded, str(file), kind)
    if as_json:
        print_json(counts.to_json())
    else:
        say(f"{file}: {counts.kept:,} of {counts.read:,} judgements taken in{dropped(counts.dropped.items())}")
