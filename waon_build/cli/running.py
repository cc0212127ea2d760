"""Runs flows for commands: checked before Prefect starts, watched by progress bars, and without Prefect's log."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from waon_build import recipe as recipes
from waon_build.cli.options import people, say

if TYPE_CHECKING:
    from waon_build.export.release import Release


def ingest_recipe(recipe: Path, overrides: dict[str, Any], parts: list[str] | None = None) -> None:
    """From the sources up to the queue; parts: only these. Ends the command with 1 when parts failed."""
    from waon_build import pipeline
    from waon_build.audit.bars import Bars

    loaded = recipes.load(recipe, overrides)
    pipeline.stages_of(loaded, parts or ())
    pipeline.check(loaded)  # before the seconds that Prefect takes to start
    _hush_prefect()
    from flows import engines, runtime, server
    from flows.ingest import ingest
    from flows.stages import PartsFailedError

    engines.check(loaded.runtime)
    try:
        with server.needed(), Bars(people) as bars, runtime.watched_by(bars):
            ingest(str(recipe), overrides, parts)
    except PartsFailedError as error:
        say(str(error))
        raise typer.Exit(1) from error


def export_recipe(recipe: Path, overrides: dict[str, Any], name: str | None = None) -> Release:
    """From the accepted pairs to a release."""
    from waon_build.audit.bars import Bars

    recipes.load(recipe, overrides)
    _hush_prefect()
    from flows import runtime, server
    from flows.export import export

    with server.needed(), Bars(people) as bars, runtime.watched_by(bars):
        return export(str(recipe), overrides, name)


def _hush_prefect() -> None:
    """The bars are what people watch; whoever wants Prefect's log sets its level or runs `flows.ingest`."""
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_SERVER_LEVEL", "CRITICAL")
