"""The weekly report: what came in, what was dropped and why, and what is running out.

A report is a snapshot of the corpus beside the one before. The funnel's figures are read from tallies alone, those of
annotation come from its audit; what people read is in `weekly_text.py`, and where reports are kept in `kept.py`.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from waon_build.audit.funnel import as_rows, faults, funnel
from waon_build.audit.links import links
from waon_build.corpus import Corpus
from waon_build.records import Tally

if TYPE_CHECKING:
    from waon_build.audit.annotation.audit import Audit

CAME_IN = (
    ("pages", "extract", "pages"),
    ("image references with a caption", "extract", "image references"),
    ("captions that passed", "text", "candidates"),
    ("images", "fetch", "image URLs"),
    ("pairs", "dedup", "pairs"),
)
"""What is counted, and the step of the funnel whose kept rows it is."""
SHORT_OF_GOLD = timedelta(days=7)
"""Who has gold for less than this, at their own pace, runs short of it."""


@dataclass(frozen=True)
class Snapshot:
    """How a corpus stood. at: UTC. steps: the funnel, as `funnel.as_rows` has it. sources: source -> its `pages` and
    `candidates` so far. stored: bytes of all parts. free: bytes left on the disk, None where nobody can tell. failed:
    URLs that failed for a passing cause. pending: stage -> parts that a run would make now. links: what the refresh
    found of images and pages (`audit.links`), as `Counts` has it. annotation: see `_annotation`; None while nobody was
    asked. problems: what could not be read, and what does not add up."""

    at: datetime
    steps: list[dict[str, Any]]
    sources: dict[str, dict[str, int]]
    stored: int
    free: int | None
    failed: int
    pending: dict[str, int]
    links: dict[str, dict[str, Any]]
    annotation: dict[str, Any] | None
    problems: list[str]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "at": self.at.isoformat()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Snapshot:
        return cls(**{**data, "at": datetime.fromisoformat(data["at"])})


@dataclass
class Outlook:
    """What a run would find now. pending: stage -> parts to make. sources: part of `extract` -> its source, where its
    name does not tell. problems: what keeps sources from being read."""

    pending: dict[str, int] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class Change(NamedTuple):
    """A figure now, and how much of it is new since the report before."""

    since: int
    total: int


class Dropped(NamedTuple):
    """Rows that a stage dropped for one reason. read: rows that came to it, in all."""

    stage: str
    unit: str
    reason: str
    since: int
    total: int
    read: int


@dataclass(frozen=True)
class Report:
    """A snapshot beside the one before, None for the first report. name: of the corpus."""

    name: str
    now: Snapshot
    before: Snapshot | None

    @property
    def days(self) -> float | None:
        """Since the report before."""
        return (self.now.at - self.before.at) / timedelta(days=1) if self.before else None

    def came_in(self) -> dict[str, Change]:
        """What is counted -> how much; what there is none of is left out."""
        now, before = _by_step(self.now), _by_step(self.before)
        return {
            what: _change(now[stage, unit]["kept"], before.get((stage, unit), {}).get("kept"))
            for what, stage, unit in CAME_IN
            if (stage, unit) in now
        }

    def by_source(self) -> dict[str, dict[str, Change]]:
        """Source -> its pages and candidates, also of one that is gone; what brought most that is new comes first."""
        now, before = self.now.sources, self.before.sources if self.before else {}
        found = {
            name: {
                what: _change(now.get(name, {}).get(what, 0), before.get(name, {}).get(what))
                for what in ("pages", "candidates")
            }
            for name in dict.fromkeys((*now, *before))
        }
        return dict(sorted(found.items(), key=lambda item: (-item[1]["candidates"].since, item[0])))

    def quiet_sources(self) -> list[str]:
        """Sources that brought nothing new since the report before."""
        if self.before is None:
            return []
        by_source = self.by_source()
        return [name for name in by_source if name in self.now.sources and not by_source[name]["candidates"].since]

    def dropped(self) -> list[Dropped]:
        """Why rows were dropped, also what none is dropped for any more; what changed most comes first."""
        now, before = _by_step(self.now), _by_step(self.before)
        nothing: dict[str, Any] = {"read": 0, "dropped": {}}
        rows = []
        for stage, unit in dict.fromkeys((*now, *before)):
            step, then = now.get((stage, unit), nothing), before.get((stage, unit), nothing)["dropped"]
            for reason, change in _changes(step["dropped"], then).items():
                rows.append(Dropped(stage, unit, reason, *change, step["read"]))
        return sorted(rows, key=lambda row: (-abs(row.since), -row.total, row.stage, row.reason))

    def lost_links(self) -> dict[str, dict[str, Change]]:
        """`images` and `pages` -> why a link is no longer as it was -> how many; those of which nothing changed too."""
        before = self.before.links if self.before else {}
        return {
            unit: _changes(counts["dropped"], before.get(unit, {}).get("dropped", {}))
            for unit, counts in self.now.links.items()
        }

    def judged(self) -> dict[str, Change]:
        """Answers, accepted and rejected pairs."""
        if self.now.annotation is None:
            return {}
        before = (self.before.annotation if self.before else None) or {}
        return {
            what: _change(self.now.annotation[what], before.get(what)) for what in ("answers", "accepted", "rejected")
        }

    def growth_a_week(self) -> float | None:
        """Bytes of parts a week since the report before; None when there is none of at least an hour ago."""
        if self.before is None or not self.days or self.days < 1 / 24:
            return None
        return (self.now.stored - self.before.stored) / self.days * 7

    def weeks_of_disk(self) -> float | None:
        """How long the disk lasts at that growth; None when nobody can tell, or it does not grow."""
        growth = self.growth_a_week()
        return self.now.free / growth if self.now.free is not None and growth and growth > 0 else None

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "since": self.before.at.isoformat() if self.before else None,
            "came_in": {what: change._asdict() for what, change in self.came_in().items()},
            "by_source": {
                name: {what: change._asdict() for what, change in counts.items()}
                for name, counts in self.by_source().items()
            },
            "dropped": [row._asdict() for row in self.dropped()],
            "judged": {what: change._asdict() for what, change in self.judged().items()},
            "lost_links": {
                unit: {reason: change._asdict() for reason, change in reasons.items()}
                for unit, reasons in self.lost_links().items()
            },
            "quiet_sources": self.quiet_sources(),
            "growth_a_week": self.growth_a_week(),
            "weeks_of_disk": self.weeks_of_disk(),
            "snapshot": self.now.to_json(),
        }


def snapshot(
    corpus: Corpus,
    stages: Iterable[str],
    at: datetime,
    audit: Audit | None = None,
    gold_share: float = 0.0,
    outlook: Outlook | None = None,
) -> Snapshot:
    """How a corpus stands. stages: whose parts are counted. audit: of its annotation. gold_share: of an annotator's
    tasks that are gold. outlook: what a run would find."""
    outlook = outlook or Outlook()
    tallies = {stage: corpus.tallies(stage) for stage in stages}
    steps = funnel(corpus)
    every = [tally for found in tallies.values() for tally in found]
    unread = [f"{tally.stage} {tally.part}: {problem}" for tally in every for problem in tally.problems]
    return Snapshot(
        at=at,
        steps=as_rows(steps),
        sources=_sources(tallies.get("extract", []), outlook.sources),
        stored=sum(tally.bytes for tally in every),
        free=shutil.disk_usage(corpus.root).free if corpus.is_local else None,
        failed=sum(_kept(tally, "retryable") for tally in tallies.get("fetch", ())),
        pending={stage: parts for stage, parts in outlook.pending.items() if parts},
        links={unit: counts.to_json() for unit, counts in links(corpus).items()},
        annotation=_annotation(audit, gold_share) if audit is not None else None,
        problems=[*outlook.problems, *(f"does not add up: {fault}" for fault in faults(steps)), *unread],
    )


def _sources(extracted: Iterable[Tally], known: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Source -> pages and candidates. known: part -> source. A part that is not among them is named after what it was
    read from, with a digest: files that a number or a time tells apart are one source."""
    found: dict[str, Counter[str]] = {}
    for tally in extracted:
        name = known.get(tally.part) or re.sub(r"(-\d{5,})+$", "", re.split(r"-[0-9a-f]{16}(?:-|$)", tally.part)[0])
        counts = found.setdefault(name, Counter())
        counts["pages"] += _kept(tally, "page")
        counts["candidates"] += tally.rows.kept
    return {name: {"pages": counts["pages"], "candidates": counts["candidates"]} for name, counts in found.items()}


def _annotation(audit: Audit, gold_share: float) -> dict[str, Any]:
    """What the audit says of progress and of what is running out, as plain data."""
    from waon_build.audit.annotation.report import headlines

    frames = audit.to_json()
    outcomes = {row["outcome"]: row["tasks"] for row in frames["decisions"] if row["kind"] == "normal"}
    pace = {row["group"]: row["answers_a_day"] for row in frames["throughput"] if row["by"] == "person"}
    short = []
    for row in frames["gold_left"]:
        a_day = pace.get(row["group"], 0) * gold_share
        days = row["gold"] / a_day if a_day else None
        if row["qualification"] == 0 and days is not None and days < SHORT_OF_GOLD / timedelta(days=1):
            short.append({"person": row["group"], "left": row["gold"], "days": round(days, 1)})
    return {
        "answers": next(row["answers"] for row in frames["throughput"] if row["by"] == "all"),
        "accepted": outcomes.get("accepted", 0),
        "rejected": outcomes.get("rejected", 0),
        "forecast": frames["forecast"][0],
        "headlines": headlines(audit)[1:],
        "lacking": [row for row in frames["quotas"] if row["lacking"]],
        "short_of_gold": short,
        "gold_tasks": sum(
            row["tasks"] for row in frames["progress"] if (row["kind"], row["state"]) == ("gold", "open")
        ),
        "reports_open": sum(row["reports"] for row in frames["reports"] if row["outcome"] == "open"),
    }


def _by_step(snapshot: Snapshot | None) -> dict[tuple[str, str], dict[str, Any]]:
    return {(step["stage"], step["unit"]): step for step in snapshot.steps} if snapshot else {}


def _changes(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, Change]:
    """Of each reason that there is or was."""
    return {reason: _change(now.get(reason, 0), before.get(reason)) for reason in dict.fromkeys((*now, *before))}


def _change(now: int, before: int | None) -> Change:
    return Change(now - (before or 0), now)


def _kept(tally: Tally, unit: str) -> int:
    return tally.units[unit].kept if unit in tally.units else 0
