"""The funnel and the queue as tables on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from waon_build.audit.funnel import Step, most_frequent
from waon_build.audit.state import State


def show(state: State, console: Console) -> None:
    """Print the state of a corpus: the funnel, whether it adds up, the queue, the releases."""
    console.print(_funnel(state.steps))
    for fault in state.faults:
        console.print(f"does not add up: {fault}", style="red", markup=False)
    if state.steps and not state.faults:
        console.print("The funnel adds up: every row read went on or left one reason.")
    console.print(_queue(state))
    if state.links:
        console.print(_links(state))
    for release in state.releases:
        console.print(f"release {release}", markup=False, highlight=False, soft_wrap=True)
    for problem in state.problems:
        console.print(f"could not be read: {problem}", style="yellow", markup=False, soft_wrap=True)


def _funnel(steps: list[Step]) -> Table:
    table = Table(title="Funnel", title_justify="left")
    for name in ("stage", "unit"):
        table.add_column(name, no_wrap=True)
    for name in ("parts", "read", "kept"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("dropped, by reason")
    for step in steps:
        dropped = ", ".join(f"{reason} {count:,}" for reason, count in most_frequent(step.counts.dropped))
        counts = step.counts
        table.add_row(step.stage, step.unit, f"{step.parts:,}", f"{counts.read:,}", f"{counts.kept:,}", dropped)
    return table


def _queue(state: State) -> Table:
    table = Table(title="Annotation queue", title_justify="left")
    table.add_column("what")
    table.add_column("count", justify="right")
    for name, count in state.queue.items():
        table.add_row(name, f"{count:,}")
    return table


def _links(state: State) -> Table:
    table = Table(title="Links asked again", title_justify="left")
    table.add_column("of")
    for name in ("asked", "there"):
        table.add_column(name, justify="right")
    table.add_column("not, by reason")
    for unit, counts in state.links.items():
        others = ", ".join(f"{reason} {count:,}" for reason, count in most_frequent(counts.dropped))
        table.add_row(unit, f"{counts.read:,}", f"{counts.kept:,}", others)
    return table
