"""The audit as people read it: what matters in a few lines, and each frame as a table of text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from waon_build.audit.annotation.audit import TITLES, Audit

ROWS = 20
"""Rows of one frame on a terminal; the rest is in the files."""
PSEUDONYM = 8
"""Digits of a pseudonym that are shown."""
FLOOR = ("currency", "region", "floor_since", "floor_source")


def headlines(audit: Audit) -> list[str]:
    """What matters, in a line each."""
    frames = audit.frames
    lines = [_left(_records(frames["forecast"])[0])]
    lines += [
        f"Precision of the accepted pairs ({row['estimate']}): {_interval(row, 'precision')} of {row['pairs']:,}."
        for row in _records(frames["precision"])
        if row["estimate"] == "model" or not row["why"]
    ]
    for row in _records(frames["agreement"][frames["agreement"]["by"] == "all"]):
        if row["question"] == "match" or (row["level"] == "nominal" and ":" not in row["question"]):
            measures = ", ".join(f"{name} {_interval(row, name)}" for name in ("raw", "alpha", "ac1"))
            lines.append(f"Agreement on {row['question']}: {measures}.")
    gold = _records(frames["gold"].head(1))[0]
    lines.append(f"Gold answered right: {_interval(gold, 'accuracy')}.")
    lacking = frames["quotas"][frames["quotas"]["lacking"].fillna(0) > 0]
    if len(lacking):
        lines.append(
            "Lacking: " + ", ".join(f"{row['category']} {row['lacking']:,}" for row in _records(lacking)) + "."
        )
    lines += list(_pay_lines(frames["pay"]))
    pending = frames["reports"].loc[frames["reports"]["outcome"] == "open", "reports"].sum()
    if pending:
        lines.append(f"Reports of harm that nobody has looked at: {pending:,}.")
    return lines


def table(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, and the rows as text: values with their intervals, pseudonyms shortened."""
    columns = _unfolded(frame)
    with_interval = [name for name in columns if f"{name}_low" in frame]
    rows = [
        [_interval(row, name, "-") if name in with_interval else _text(name, row[name], row) for name in columns]
        for row in _records(frame)
    ]
    return [name.replace("_", " ") for name in columns], rows


def show(audit: Audit, console: Console) -> None:
    """Print the audit; of long frames the first rows, and how many there are more."""
    for name, title in TITLES.items():
        frame = audit.frames[name]
        if name in audit.empty:
            console.print(f"{title}: {audit.empty[name]}.", highlight=False)
            continue
        console.print(title, style="bold", highlight=False)
        first = frame.head(ROWS)
        if name == "agreement":
            first = frame[frame["by"] == "all"].drop(columns=["by", "level", "answers"])
        _show_frame(first, console)
        if len(frame) > len(first):
            console.print(f"{len(frame) - len(first):,} more rows: `--out FOLDER` writes them all.", highlight=False)
    for line in headlines(audit):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _show_frame(frame: pd.DataFrame, console: Console) -> None:
    """A frame as a table, without what is empty in all rows; why a value is undefined is told beneath it."""
    names = _unfolded(frame)
    columns, rows = table(frame)
    whys: dict[str, int] = {}
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    filled = [at for at, name in enumerate(names) if name != "why" and any(row[at].strip("-") for row in rows)]
    for at in filled:
        numeric = pd.api.types.is_numeric_dtype(frame[names[at]]) and not pd.api.types.is_bool_dtype(frame[names[at]])
        shown.add_column(
            columns[at].replace(" ", "\n"),
            justify="right" if numeric else "left",
            no_wrap=f"{names[at]}_low" not in frame,
        )
    notes = [row[names.index("why")] if "why" in names else "" for row in rows]
    if any(notes):
        shown.add_column("")
    for row, why in zip(rows, notes, strict=True):
        note = [f"({whys.setdefault(why, len(whys) + 1)})" if why else ""] if any(notes) else []
        shown.add_row(*(row[at] for at in filled), *note)
    console.print(shown)
    for why, number in whys.items():
        console.print(f"({number}) {why}", style="dim", highlight=False)


def markdown(audit: Audit) -> str:
    """What matters, as Markdown."""
    lines = [f"# Annotation of {audit.name}", "", f"As of {audit.at:%Y-%m-%d %H:%M} UTC.", ""]
    return "\n".join([*lines, *(f"- {line}" for line in headlines(audit)), ""])


def _left(forecast: dict[str, Any]) -> str:
    if not forecast["open_tasks"]:
        return "Left: nothing that is in the queue."
    days = forecast["why"] or f"about {forecast['days_left']:,.1f} days"
    return (
        f"Left: {forecast['answers_expected']:,} answers to {forecast['open_tasks']:,} tasks; "
        f"{forecast['answers_a_day']:,.0f} a day came in; {days}."
    )


def _pay_lines(pay: pd.DataFrame) -> Iterator[str]:
    if pay.empty:
        return
    first = _records(pay.head(1))[0]
    if first["why"]:
        yield f"Pay: {first['why']}."
        return
    people = pay[pay["by"] == "person"]
    below = int(people["is_below"].fillna(False).sum())
    yield (
        f"Pay: {first['per_hour']:,.0f} {first['currency']} an hour; floor {first['floor']:,.0f} ({first['region']}, "
        f"since {first['floor_since']}, {first['floor_source']}); {below:,} of {len(people):,} people are below it."
    )


def _unfolded(frame: pd.DataFrame) -> list[str]:
    """The columns that are shown: bounds stand beside their value, and the floor's origin in its line."""
    return [str(name) for name in frame if not str(name).endswith(("_low", "_high")) and name not in FLOOR]


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict(orient="records")]


def _interval(row: dict[str, Any], name: str, undefined: str = "") -> str:
    value, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    if pd.isna(value):
        return undefined or row["why"]
    return f"{value:.2f}" if pd.isna(low) else f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _text(name: str, value: Any, row: dict[str, Any]) -> str:
    if name == "group" and row.get("by") == "person":
        return str(value)[:PSEUDONYM]
    if pd.isna(value):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
