"""`waon-build demo`: the whole way on a sample site, with some pairs left for whoever tries the judging page."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from waon_build import recipe as recipes
from waon_build.cli.audit import show_audit
from waon_build.cli.options import say
from waon_build.cli.running import export_recipe, ingest_recipe
from waon_build.records import InputError


def demo(
    port: Annotated[int, typer.Option(help="Port of the sample site on 127.0.0.1.")] = 8787,
    folder: Annotated[Path, typer.Option(help="Where the corpus goes.")] = Path("demo-corpus"),
) -> None:
    """Build a small corpus from a sample site on this machine, from crawl to verified release."""
    from waon_build import pipeline
    from waon_build.annotation import questions
    from waon_build.demo.judgements import are_left, write_judgements
    from waon_build.demo.server import serve
    from waon_build.export.verify import verify as verify_release

    _make_room(folder)
    recipe = Path(folder, "recipe.yaml")
    picture = Path(folder, "funnel.svg")
    judgements = Path(folder, "judgements.jsonl")
    with serve(port) as site:
        site.write_recipe(recipe, folder)
        say(f"1. A sample site is served at {site.url}; the recipe is {recipe}")
        ingest_recipe(recipe, {})
    loaded = recipes.load(recipe)
    pairs = [(task.pair_id, task.caption, task.url) for task in pipeline.queued(loaded)]
    judged = [pair for pair in pairs if not are_left(pair[0])]
    write_judgements(judged, judgements, questions.load(loaded.annotation.guideline).version)
    counts = pipeline.import_answers(loaded, str(judgements))
    say(f"2. Three sample annotators judged: {counts.kept:,} judgements taken in from {judgements}")
    release = export_recipe(recipe, {}, "demo")
    say(f"3. {sum(release.samples.values()):,} accepted pairs are in {release.url}")
    report = verify_release(release.url)
    say(f"4. The release {'verifies' if report.ok else 'does NOT verify'}: {report.samples:,} samples re-read")
    show_audit(recipe, {}, False, picture)
    say(f"5. The funnel is drawn in {picture}; the corpus, stage by stage, is in {folder}")
    say(f"6. {len(pairs) - len(judged):,} pairs are left for you: waon-build annotate serve {recipe}")
    raise typer.Exit(0 if report.ok else 1)


def _make_room(folder: Path) -> None:
    """Remove the demo that an earlier run left: this one is made from nothing, to be seen whole. A folder
    without our mark is not ours to remove."""
    mark = Path(folder, ".waon-build-demo")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if not mark.exists():
            raise InputError(
                f"{folder}: holds something else than a demo: give `waon-build demo --folder` another place"
            )
        shutil.rmtree(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark.write_text("Made by `waon-build demo`, which removes this folder when it runs again.\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}): give --folder another place") from error
