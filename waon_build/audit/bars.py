"""Progress for people who wait: one bar a stage, with rows a second and the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from waon_build.records import Tally


class Bars:
    """Watches a flow (see `flows.runtime.Watcher`) and shows a bar for each stage."""

    def __init__(self, console: Console) -> None:
        self._progress = _progress(console)
        self._bars: dict[str, TaskID] = {}
        self._rows: dict[str, int] = {}

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def stage(self, name: str, parts: int, current: int) -> None:
        """A stage begins. parts: to be made; current: already there."""
        if not self._progress.console.is_terminal:
            self._progress.console.print(f"{name}: {parts:,} parts to make, {current:,} current", highlight=False)
        unit = "parts" if not current else f"parts ({current:,} current)"
        self._bars[name] = self._progress.add_task(name, total=parts, unit=unit, speed="")

    def part(self, stage: str, tally: Tally) -> None:
        """A part was committed."""
        bar = self._bars[stage]
        self._rows[stage] = self._rows.get(stage, 0) + tally.rows.read
        self._progress.update(bar, advance=1, speed=_speed(self._rows[stage], self._progress.tasks[bar].elapsed))

    def rows(self, stage: str, part: str, done: int, total: int) -> None:
        """A part is under way."""
        key = f"{stage} {part}"
        if key not in self._bars:
            self._bars[key] = self._progress.add_task(f"  {key}", total=total, unit="rows", speed="")
        bar = self._bars[key]
        self._progress.update(
            bar, completed=done, speed=_speed(done, self._progress.tasks[bar].elapsed), visible=done < total
        )


@contextmanager
def bar(console: Console, name: str) -> Iterator[Callable[[int, int], None]]:
    """One bar for one long job: call what is given with (done, total)."""
    with _progress(console) as progress:
        task = progress.add_task(name, total=None, unit="", speed="")

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield show


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,  # a log file wants lines, not bars
    )


def _speed(rows: int, seconds: float | None) -> str:
    return f"{rows / seconds:,.0f} rows/s" if seconds and seconds > 0 else ""
