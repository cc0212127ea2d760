"""The command line: what people type. Each command reads a recipe, calls one room, and shows the result.

Exit codes: 0 success; 1 something failed that a re-run may mend, or a release that does not verify;
2 bad input, with one line on what and how to mend it; 130 stopped by Ctrl-C. `--json` prints one JSON
document on standard output; what is for people goes to standard error then.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from rich.console import Console
from typer.core import TyperGroup

from waon_build import __version__
from waon_build import recipe as recipes
from waon_build.annotation.connectors.tools import FileKind, Tool
from waon_build.cli.annotate import annotate_app
from waon_build.cli.options import SECRET, AsJson, RecipePath, Settings, dropped, overrides_of, people, print_json, say
from waon_build.ending import end_on_ctrl_c, leave
from waon_build.records import InputError

if TYPE_CHECKING:
    from waon_build.export.release import Release

app = typer.Typer(
    name="waon-build",
    help="Build image-text corpora that come from a language community and are vouched for by it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class _CorpusUnlessNamed(TyperGroup):
    """`audit RECIPE` is `audit corpus RECIPE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = bool(args) and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if named or not args else ["corpus", *args])


recipe_app = typer.Typer(no_args_is_help=True, help="Check a recipe, or read what may stand in one.")
tasks_app = typer.Typer(no_args_is_help=True, help="Hand tasks out to another tool.")
judgements_app = typer.Typer(no_args_is_help=True, help="Take in judgements that were made elsewhere.")
audit_app = typer.Typer(
    cls=_CorpusUnlessNamed, no_args_is_help=True, help="Show how a corpus stands (`audit RECIPE`), and its annotation."
)
app.add_typer(audit_app, name="audit")
app.add_typer(recipe_app, name="recipe")
app.add_typer(tasks_app, name="tasks")
app.add_typer(judgements_app, name="judgements")
app.add_typer(annotate_app, name="annotate")


@app.command()
def run(recipe: RecipePath, settings: Settings = None, as_json: AsJson = False) -> None:
    """Run a recipe from its sources up to the annotation queue."""
    overrides = overrides_of(settings)
    _ingest(recipe, overrides)
    _show_audit(recipe, overrides, as_json, picture=None)


@app.command()
def export(
    recipe: RecipePath,
    settings: Settings = None,
    name: Annotated[str | None, typer.Option(help="Of the release; by default it follows from the content.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the accepted pairs as a release of WebDataset shards."""
    release = _export(recipe, overrides_of(settings), name)
    if as_json:
        print_json({"name": release.name, "url": release.url, "samples": release.samples})
    else:
        say(f"{sum(release.samples.values()):,} samples in {release.url}")


@audit_app.command("corpus")
def audit_corpus(
    recipe: RecipePath,
    settings: Settings = None,
    picture: Annotated[Path | None, typer.Option(help="Also write the funnel as an SVG picture to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show funnel and queue: what `audit RECIPE` does."""
    _show_audit(recipe, overrides_of(settings), as_json, picture)


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


@app.command()
def verify(
    release: Annotated[str, typer.Argument(metavar="RELEASE_DIR", help="Folder or address of a release.")],
    as_json: AsJson = False,
) -> None:
    """Re-read a release and check everything that it promises."""
    from waon_build.audit.bars import bar
    from waon_build.export.verify import verify as verify_release

    with bar(people, "verify") as progress:
        report = verify_release(release, progress=progress)
    if as_json:
        print_json(report.to_json())
    else:
        for failure in report.failures:
            say(str(failure))
        say(f"{release}: {report.samples:,} samples in {report.shards} shards: {'ok' if report.ok else 'NOT OK'}")
    raise typer.Exit(0 if report.ok else 1)


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


@recipe_app.command("check")
def check_recipe(recipe: RecipePath, settings: Settings = None, as_json: AsJson = False) -> None:
    """Print the effective recipe: every field, defaults filled in."""
    loaded = recipes.load(recipe, overrides_of(settings))
    effective = loaded.model_dump(mode="json")
    for dotted in SECRET:
        section, field = dotted.split(".")
        if effective[section][field]:
            effective[section][field] = "(set, not shown)"
    if as_json:
        print_json(effective)
    else:
        print(yaml.safe_dump(effective, allow_unicode=True, sort_keys=False), end="")


@recipe_app.command("reference")
def reference() -> None:
    """Print every field of a recipe: what it means and what it is by default."""
    from waon_build.reference import recipe_reference

    print(recipe_reference(), end="")


@app.command()
def takedown(
    recipe: RecipePath,
    kind: Annotated[str, typer.Argument(help="What is named: url, host, pair_id, sha256 or phash.")],
    value: Annotated[str, typer.Argument(help="The address, host, id or hash.")],
    why: Annotated[str, typer.Option(help="Why, for the record.")],
    settings: Settings = None,
) -> None:
    """Take something out for good: a tombstone keeps it out of the queue and of every later release."""
    from waon_build import pipeline

    tasks = pipeline.takedown(recipes.load(recipe, overrides_of(settings)), kind, value, why)
    by_picture = kind in ("sha256", "phash")
    rest = "; what is there to measure a filter follows in the next run" if by_picture else ""
    say(f"{kind} {value} is out of the queue (tasks withdrawn: {tasks:,}{rest}): export to release without it")


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Port of the sample site on 127.0.0.1.")] = 8787,
    folder: Annotated[Path, typer.Option(help="Where the corpus goes.")] = Path("demo-corpus"),
) -> None:
    """Build a small corpus from a sample site on this machine, from crawl to verified release."""
    from waon_build import pipeline
    from waon_build.annotation import questions
    from waon_build.demo.judgements import write_judgements
    from waon_build.demo.server import serve
    from waon_build.export.verify import verify as verify_release

    _make_room(folder)
    recipe = Path(folder, "recipe.yaml")
    picture = Path(folder, "funnel.svg")
    judgements = Path(folder, "judgements.jsonl")
    with serve(port) as site:
        site.write_recipe(recipe, folder)
        say(f"1. A sample site is served at {site.url}; the recipe is {recipe}")
        _ingest(recipe, {})
    loaded = recipes.load(recipe)
    pairs = [(task.pair_id, task.caption, task.url) for task in pipeline.queued(loaded)]
    write_judgements(pairs, judgements, questions.load(loaded.annotation.guideline).version)
    counts = pipeline.import_answers(loaded, str(judgements))
    say(f"2. Three sample annotators judged: {counts.kept:,} judgements taken in from {judgements}")
    release = _export(recipe, {}, "demo")
    say(f"3. {sum(release.samples.values()):,} accepted pairs are in {release.url}")
    report = verify_release(release.url)
    say(f"4. The release {'verifies' if report.ok else 'does NOT verify'}: {report.samples:,} samples re-read")
    _show_audit(recipe, {}, False, picture)
    say(f"5. The funnel is drawn in {picture}; the corpus, stage by stage, is in {folder}")
    raise typer.Exit(0 if report.ok else 1)


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def main() -> None:
    """The entry point: every InputError becomes one line and exit code 2, and Ctrl-C one line and 130."""
    end_on_ctrl_c()
    try:
        app()
    except InputError as error:
        people.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        leave(2)
    except SystemExit as ended:  # how every command of typer's ends
        leave(ended.code if isinstance(ended.code, int) else int(ended.code is not None))
    leave(0)


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


def _ingest(recipe: Path, overrides: dict[str, Any]) -> None:
    from waon_build import pipeline
    from waon_build.audit.bars import Bars

    pipeline.check(recipes.load(recipe, overrides))  # before the seconds that Prefect takes to start
    _hush_prefect()
    from flows import runtime
    from flows.ingest import PartsFailedError, ingest

    try:
        with Bars(people) as bars, runtime.watched_by(bars):
            ingest(str(recipe), overrides)
    except PartsFailedError as error:
        say(str(error))
        raise typer.Exit(1) from error


def _export(recipe: Path, overrides: dict[str, Any], name: str | None = None) -> Release:
    from waon_build.audit.bars import Bars

    recipes.load(recipe, overrides)
    _hush_prefect()
    from flows import runtime
    from flows.export import export

    with Bars(people) as bars, runtime.watched_by(bars):
        return export(str(recipe), overrides, name)


def _show_audit(recipe: Path, overrides: dict[str, Any], as_json: bool, picture: Path | None) -> None:
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


def _hush_prefect() -> None:
    """The bars are what people watch; whoever wants Prefect's log sets its level or runs `flows.ingest`."""
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_SERVER_LEVEL", "CRITICAL")
