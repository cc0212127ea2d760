"""`waon-build schedule`: flows that run by themselves, on a Prefect server."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

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

schedule_app = typer.Typer(
    cls=FirstUnlessNamed, no_args_is_help=True, help="Have flows run by themselves (`schedule RECIPE`), on Prefect."
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the schedule: `demo-ingest`, or `ingest/demo-ingest`.")]


class FlowName(StrEnum):
    """What can be scheduled: the keys of `flows.deployments.FLOWS`, which is not imported for a help text."""

    INGEST = "ingest"
    ROUTE = "route"
    EXPORT = "export"
    AUDIT = "audit"
    REFRESH = "refresh"


@schedule_app.command("set")
def set_schedule(
    recipe: RecipePath,
    cron: Annotated[
        str | None,
        typer.Option(help='Minute, hour, day, month, weekday: "0 3 * * 1". By default the usual one of the flow.'),
    ] = None,
    flow: Annotated[FlowName, typer.Option(help="What runs.")] = FlowName.INGEST,
    timezone: Annotated[str, typer.Option(help="Of the cron expression, and of a weekly report.")] = "Asia/Tokyo",
    name: Annotated[str | None, typer.Option(help="Of the schedule; by default RECIPE-FLOW.")] = None,
    pool: Annotated[str, typer.Option(help="Work pool; one of processes is made when it is not there.")] = "waon-build",
    settings: Settings = None,
    paused: Annotated[
        bool | None, typer.Option("--paused/--active", help="By default a new one is active, an old one as it was.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a schedule, or bring it up to date: what `schedule RECIPE` does."""
    overrides = overrides_of(settings)
    loaded = recipes.load(recipe, overrides)
    if name is not None and (not name.strip() or any(char in name for char in "/%&<>")):
        raise InputError(f"--name {name}: cannot be a name: give one without / % & < >")
    from flows import deployments
    from waon_build.audit.kept import zone_of

    zone_of(timezone)
    called = name or f"{loaded.name}-{flow}"
    when = cron or deployments.FLOWS[flow].cron
    due = deployments.next_run(when, timezone)
    with deployments.server() as server:
        is_new = deployments.deploy(server, flow, called, recipe, overrides, when, timezone, pool, paused)
        made = deployments.deployed(server, f"{flow}/{called}")
    if as_json:
        print_json({**made.to_json(), "is_new": is_new})
        return
    say(f"{made.name} is {'made' if is_new else 'up to date'}: {flow} of {made.recipe}")
    say("It is paused: waon-build schedule resume " + called if made.paused else f"It runs next at {due.isoformat()}")
    if not made.has_worker:
        say(f"Nothing runs without a worker: prefect worker start --pool {pool}")


@schedule_app.command("list")
def list_schedules(as_json: AsJson = False) -> None:
    """Show all schedules: what runs when, and how it went last."""
    from flows import deployments

    with deployments.server() as server:
        found = deployments.deployments(server)
    if as_json:
        print_json([one.to_json() for one in found])
        return
    if not found:
        say("There are no schedules: waon-build schedule RECIPE makes one")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("name", "when", "next run", "last run"):
        table.add_column(title, no_wrap=True)
    table.add_column("recipe", overflow="fold")
    for one in found:
        when = f"{one.cron}\n{one.timezone}" if one.cron else one.schedule or "by hand"
        following = "paused" if one.paused else _minute(one.next_run).replace(" ", "\n")
        last = f"{one.last_state.lower()}\n{_minute(one.last_run)}" if one.last_run else "never"
        table.add_row(one.name, when, following, last, one.recipe)
    Console().print(table)
    for pool in sorted({one.pool for one in found if not one.has_worker}):
        say(f"Nothing runs without a worker: prefect worker start --pool {pool}")


@schedule_app.command()
def pause(name: Name) -> None:
    """Let nothing more of a schedule begin, until it is resumed. What runs goes on."""
    from flows import deployments

    with deployments.server() as server:
        found = deployments.find(server, name)
        server.pause_deployment(found.id)
    say(f"{deployments.full_name(found)} is paused")


@schedule_app.command()
def resume(name: Name) -> None:
    """Go on with a schedule that was paused. What was due meanwhile is not made up for."""
    from flows import deployments

    with deployments.server() as server:
        found = deployments.find(server, name)
        server.resume_deployment(found.id)
        made = deployments.deployed(server, deployments.full_name(found))
    say(f"{made.name} runs next at {made.next_run}" if made.next_run else f"{made.name} runs by hand")


@schedule_app.command()
def remove(name: Name) -> None:
    """Take a schedule away. What it made stays, and what runs goes on."""
    from flows import deployments

    with deployments.server() as server:
        found = deployments.find(server, name)
        server.delete_deployment(found.id)
    say(f"{deployments.full_name(found)} is removed")


@schedule_app.command()
def run(name: Name) -> None:
    """Run a schedule's flow once, as soon as a worker is free."""
    from flows import deployments

    with deployments.server() as server:
        found = deployments.find(server, name)
        started = server.create_flow_run_from_deployment(found.id)
    say(f"{deployments.full_name(found)}: run {started.name} ({started.id}) waits for a worker")


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")
