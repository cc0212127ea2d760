"""The weekly report as people read it: Markdown, short, what is running out in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from zoneinfo import ZoneInfo

from waon_build.audit.weekly import Dropped, Report

ROWS = 15
"""Of one table; the rest is in the JSON."""


def markdown(report: Report, timezone: str = "UTC") -> str:
    """The report. timezone: of the times that it tells."""
    lines = [f"# Weekly report of {report.name}", "", _span(report, timezone), ""]
    for title, section in (
        ("What came in", _came_in(report)),
        ("What was dropped, and why", _dropped(report)),
        ("Annotation", _annotation(report)),
        ("What is running out", _running_out(report)),
        ("Problems", _problems(report)),
    ):
        lines += [f"## {title}", "", *section, ""]
    return "\n".join(lines)


def _span(report: Report, timezone: str) -> str:
    zone = ZoneInfo(timezone)
    at = f"As of {report.now.at.astimezone(zone):%Y-%m-%d %H:%M} ({timezone})"
    if report.before is None:
        return f"{at}. It is the first report: all there is counts as new."
    return f"{at}; new is what came since {report.before.at.astimezone(zone):%Y-%m-%d %H:%M}, {report.days:.1f} days."


def _came_in(report: Report) -> Iterator[str]:
    rows = [(what, _signed(change.since), f"{change.total:,}") for what, change in report.came_in().items()]
    if not rows:
        yield "Nothing: no part was made yet."
        return
    yield from _table(("what", "new", "in all"), rows)
    yield ""
    sources = [
        (name, _signed(of["pages"].since), _signed(of["candidates"].since), f"{of['candidates'].total:,}")
        for name, of in report.by_source().items()
    ]
    yield from _table(("source", "pages, new", "image references, new", "in all"), sources)


def _dropped(report: Report) -> Iterator[str]:
    rows = [
        (row.stage, row.reason, _signed(row.since), f"{row.total:,}", f"{_share(row)} of {row.unit}")
        for row in report.dropped()
    ]
    if not rows:
        yield "Nothing."
        return
    yield from _table(("stage", "reason", "new", "in all", "share"), rows)


def _annotation(report: Report) -> Iterator[str]:
    found = report.now.annotation
    if found is None:
        yield "Nobody was asked yet: there is no annotation database."
        return
    for what, change in report.judged().items():
        yield f"- {what.capitalize()}: {_signed(change.since)}, {change.total:,} in all."
    if found["answers"]:  # else there is nothing to say about them
        yield from (f"- {line}" for line in found["headlines"])


def _running_out(report: Report) -> Iterator[str]:
    lines = [*_tasks(report), *_supplies(report), *_rest(report)]
    yield from (f"- {line}" for line in lines or ["Nothing."])


def _tasks(report: Report) -> Iterator[str]:
    found = report.now.annotation
    if found is None:
        return
    left = found["forecast"]
    if not left["open_tasks"]:
        yield "Tasks: none is left."
    else:
        days = left["why"] or f"about {left['days_left']:,.1f} days"
        yield (
            f"Tasks: {left['open_tasks']:,} are left, for {left['answers_expected']:,} answers; "
            f"{left['answers_a_day']:,.1f} answers a day came in; {days}."
        )
    for row in found["lacking"]:
        why = f": {row['why']} ({row['open_tasks']:,})" if row["why"] else ""
        yield f"Quota of {row['category']}: {row['lacking']:,} of {row['quota']:,} are lacking{why}."
    if found["answers"] and not found["gold_tasks"]:
        yield "Gold: there are no gold tasks: nobody is measured."
    for one in found["short_of_gold"] if found["gold_tasks"] else ():
        yield f"Gold: {one['person'][:8]} has {one['left']:,} left, for {one['days']:,.1f} days at their pace."
    if found["reports_open"]:
        yield f"Reports of harm: {found['reports_open']:,} wait for a coordinator."


def _supplies(report: Report) -> Iterator[str]:
    if quiet := report.quiet_sources():
        yield f"Sources with nothing new: {_listed(quiet)}."
    free, growth, weeks = report.now.free, report.growth_a_week(), report.weeks_of_disk()
    if free is not None:
        pace = "" if growth is None else f"; parts grew by {_bytes(growth)} a week"
        lasts = "" if weeks is None else f": about {weeks:,.1f} weeks"
        yield f"Disk: {_bytes(free)} are free, parts hold {_bytes(report.now.stored)}{pace}{lasts}."


def _rest(report: Report) -> Iterator[str]:
    now = report.now
    if now.pending:
        waiting = _listed(f"{stage} {parts:,}" for stage, parts in now.pending.items())
        yield f"Parts that a run would make now: {waiting}."
    if now.failed:
        yield (
            f"Images that failed for a passing cause: {now.failed:,}; later runs ask again, until `fetch.max_attempts` "
            "have asked."
        )
    for unit, reasons in report.lost_links().items():
        counts = now.links[unit]
        drops = [f"{reason} {change.total:,} ({_signed(change.since)})" for reason, change in reasons.items()]
        gone = f"; {_listed(drops)}" if drops else ""
        yield f"Links of {unit} that were asked again: {counts['read']:,}, {counts['kept']:,} as they were{gone}."


def _problems(report: Report) -> Iterator[str]:
    problems = report.now.problems
    yield from (f"- {problem}" for problem in problems[:ROWS] or ["None."])
    if len(problems) > ROWS:
        yield f"- and {len(problems) - ROWS:,} more"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    numeric = [name not in ("what", "source", "stage", "reason", "share") for name in header]
    yield f"| {' | '.join(header)} |"
    yield f"| {' | '.join('---:' if one else '---' for one in numeric)} |"
    yield from (f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows[:ROWS])
    if len(rows) > ROWS:
        yield ""
        yield f"And {len(rows) - ROWS:,} more, in the JSON beside this page."


def _share(row: Dropped) -> str:
    return f"{row.total / row.read if row.read else 0:.1%}"


def _signed(count: int) -> str:
    return f"{count:+,}" if count else "0"


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - ROWS:,} more" if len(names) > ROWS else ""
    return ", ".join(names[:ROWS]) + more


def _bytes(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:,.0f} {unit}" if unit in ("bytes", "kB") else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"
