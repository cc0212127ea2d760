"""The command line: what people type. Each command reads a recipe, calls one room, and shows the result.

Exit codes: 0 success; 1 something failed that a re-run may mend, or a release that does not verify;
2 bad input, with one line on what and how to mend it; 130 stopped by Ctrl-C. `--json` prints one JSON
document on standard output; what is for people goes to standard error then.
"""

from __future__ import annotations

from typing import Annotated

import typer
import yaml

from waon_build import __version__
from waon_build import recipe as recipes
from waon_build.cli.annotate import annotate_app
from waon_build.cli.audit import audit_app, show_audit
from waon_build.cli.demo import demo
from waon_build.cli.exchange import judgements_app, tasks_app
from waon_build.cli.options import SECRET, AsJson, RecipePath, Settings, overrides_of, people, print_json, say
from waon_build.cli.running import export_recipe, ingest_recipe
from waon_build.cli.schedule import schedule_app
from waon_build.ending import end_when_told, leave
from waon_build.records import InputError

app = typer.Typer(
    name="waon-build",
    help="Build image-text corpora that come from a language community and are vouched for by it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


recipe_app = typer.Typer(no_args_is_help=True, help="Check a recipe, or read what may stand in one.")
app.add_typer(audit_app, name="audit")
app.add_typer(recipe_app, name="recipe")
app.add_typer(tasks_app, name="tasks")
app.add_typer(judgements_app, name="judgements")
app.add_typer(annotate_app, name="annotate")
app.add_typer(schedule_app, name="schedule")
app.command()(demo)


@app.command()
def run(
    recipe: RecipePath,
    settings: Settings = None,
    part: Annotated[
        list[str] | None,
        typer.Option(metavar="STAGE/PART", help="Make only this part, current or not, and stop. May be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a recipe from its sources up to the annotation queue."""
    overrides = overrides_of(settings)
    ingest_recipe(recipe, overrides, part)
    show_audit(recipe, overrides, as_json, picture=None)


@app.command()
def export(
    recipe: RecipePath,
    settings: Settings = None,
    name: Annotated[str | None, typer.Option(help="Of the release; by default it follows from the content.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the accepted pairs as a release of WebDataset shards."""
    release = export_recipe(recipe, overrides_of(settings), name)
    if as_json:
        print_json({"name": release.name, "url": release.url, "samples": release.samples})
    else:
        say(f"{sum(release.samples.values()):,} samples in {release.url}")


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


@recipe_app.command("check")
def check_recipe(recipe: RecipePath, settings: Settings = None, as_json: AsJson = False) -> None:
    """Print the effective recipe: every field, defaults filled in."""
    loaded = recipes.load(recipe, overrides_of(settings))
    effective = loaded.model_dump(mode="json")
    for dotted in SECRET:
        section, field = dotted.split(".")
        if effective[section][field]:
            effective[section][field] = "(set, not shown)"
    for source in effective["sources"]:
        if source.get("storage_options"):
            source["storage_options"] = "(set, not shown)"
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
def version() -> None:
    """Print the version."""
    print(__version__)


def main() -> None:
    """The entry point: every InputError becomes one line and exit code 2, and Ctrl-C one line and 130."""
    end_when_told()
    try:
        app()
    except InputError as error:
        people.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        leave(2)
    except SystemExit as ended:  # how every command of typer's ends
        leave(ended.code if isinstance(ended.code, int) else int(ended.code is not None))
    leave(0)
