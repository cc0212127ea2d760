"""`waon-build annotate`: serve the pages on which natives judge, invite them, and say what is right."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from waon_build import recipe as recipes
from waon_build.annotation.models import Role
from waon_build.cli.options import AsJson, RecipePath, Settings, dropped, overrides_of, print_json, say

annotate_app = typer.Typer(no_args_is_help=True, help="Have natives judge: serve the pages, invite people.")

PORT = 8700
Port = Annotated[int, typer.Option(min=0, max=65_535, help="Where the server listens.")]
PublicUrl = Annotated[
    str | None,
    typer.Option(help="The address that people use, `https://annotate.example.org`, when a proxy stands in front."),
]


@annotate_app.command()
def serve(
    recipe: RecipePath,
    host: Annotated[str, typer.Option(help="Address or name to listen on.")] = "127.0.0.1",
    port: Port = PORT,
    public_url: PublicUrl = None,
    settings: Settings = None,
) -> None:
    """Serve the pages on which annotators judge, until Ctrl-C."""
    from waon_build.annotation.web.serve import serve as serve_campaign

    loaded = recipes.load(recipe, overrides_of(settings))
    serve_campaign(loaded, host, port, public_url, lambda: _count(recipe, settings), say)


@annotate_app.command()
def invite(
    recipe: RecipePath,
    role: Annotated[Role, typer.Option(help="What they may do.")] = Role.ANNOTATOR,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many people.")] = 1,
    days: Annotated[float, typer.Option(min=0.01, help="How long the links work.")] = 14,
    host: Annotated[str, typer.Option(help="As of `annotate serve`.")] = "127.0.0.1",
    port: Port = PORT,
    public_url: PublicUrl = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Print new invitation links, one a line: each signs one person in, once."""
    from waon_build.annotation.web.invitations import invitations

    loaded = recipes.load(recipe, overrides_of(settings))
    made = invitations(loaded, role, count, days, host, port, public_url)
    if as_json:
        print_json([one._asdict() for one in made])
    else:
        print("\n".join(one.link for one in made))


@annotate_app.command()
def gold(
    recipe: RecipePath,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSONL: pair_id and right answers, one pair a line.")],
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Take the right answers of pairs in, by which annotators are measured."""
    from waon_build.annotation import database
    from waon_build.annotation.gold import import_gold

    loaded = recipes.load(recipe, overrides_of(settings))
    with database.opened(loaded) as engine:
        counts = import_gold(engine, str(file), loaded.annotation)
    if as_json:
        print_json(counts.to_json())
    else:
        say(f"{file}: {counts.kept:,} of {counts.read:,} keys taken in{dropped(counts.dropped.items())}")


def _count(recipe: Path, settings: list[str] | None) -> Mapping[str, Any]:
    """The audit of the annotation, counted in another process, which gives way to this one."""
    command = "import os; os.nice(10); from waon_build.cli import main; main()"
    chosen = [word for setting in settings or () for word in ("--set", setting)]
    counted = subprocess.run(
        [sys.executable, "-c", command, "audit", "annotation", str(recipe), "--json", *chosen],
        capture_output=True,
        check=True,
        text=True,
    )
    frames: Mapping[str, Any] = json.loads(counted.stdout)
    return frames
