"""The funnel: for each stage what came in, what went on, and why the rest did not; and that it adds up.

Read from tallies alone, so that it costs the same for a corpus of any size and cannot disagree with
what was committed. A step's rows are all of one unit; where the unit changes from one step to the next
(pages hold image references, candidates share URLs) the chain is not expected to match.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from waon_build.batches import list_batches
from waon_build.corpus import Corpus
from waon_build.records import Counts
from waon_build.sources.visits import PAGE_UNCHANGED, brought_pages


class Step(NamedTuple):
    """One line of the funnel. stage: its stage. unit: what is counted. parts: committed. continues:
    whether its rows are those that the step before of `follows` passed on."""

    stage: str
    unit: str
    counts: Counts
    parts: int
    follows: str = ""

    @property
    def name(self) -> str:
        return f"{self.stage} ({self.unit})"


class _Row(NamedTuple):
    stage: str
    unit: str
    """What is counted, in words."""
    counts: str
    """`rows`, or the tally's unit."""
    follows: str
    """The step that handed over these very rows, or ""."""


_ROWS = (
    _Row("crawl", "pages asked for", "rows", ""),
    _Row("select", "captures", "rows", ""),
    _Row("extract", "records", "record", ""),
    _Row("extract", "pages", "page", "extract (records)"),
    _Row("extract", "image references", "rows", ""),
    _Row("text", "candidates", "rows", "extract (image references)"),
    _Row("plan", "candidates", "rows", "text (candidates)"),
    _Row("fetch", "image URLs", "rows", ""),
    _Row("image", "candidates", "rows", "plan (candidates)"),
    _Row("dedup", "pairs", "rows", "image (candidates)"),
    _Row("route", "pairs", "rows", "dedup (pairs)"),
)


def funnel(corpus: Corpus) -> list[Step]:
    """The steps of a corpus, in order; those that did not happen are left out."""
    tallies = {stage: corpus.tallies(stage) for stage in dict.fromkeys(row.stage for row in _ROWS)}
    # What was fetched for a batch that is planned no more is kept, but it is on nobody's way.
    planned = {batch.name for batch in list_batches(corpus)}
    tallies["fetch"] = [tally for tally in tallies["fetch"] if tally.part in planned]
    # A page that is asked again is the page that was counted before: how often a site was visited is no input.
    tallies["crawl"] = [tally for tally in tallies["crawl"] if brought_pages(tally)]
    steps = []
    for row in _ROWS:
        counts, parts = Counts(), 0
        for tally in tallies[row.stage]:
            found = tally.rows if row.counts == "rows" else tally.units.get(row.counts)
            if found is not None:
                counts.add(found)
                parts += 1
        if parts:
            steps.append(Step(row.stage, row.unit, counts, parts, row.follows))
    for step in steps:
        if step.stage == "crawl":
            step.counts.read -= step.counts.dropped.pop(PAGE_UNCHANGED, 0)
    return steps


def faults(steps: Iterable[Step]) -> list[str]:
    """What does not add up, in words: nothing, unless a part is damaged or a stage is out of date."""
    steps = list(steps)
    kept = {step.name: step.counts.kept for step in steps}
    found = []
    for step in steps:
        counts = step.counts
        if not counts.adds_up:
            found.append(f"{step.name}: read {counts.read}, kept {counts.kept}, dropped {counts.dropped.total()}")
        if step.follows in kept and kept[step.follows] != counts.read:
            found.append(f"{step.name}: read {counts.read}, but {step.follows} kept {kept[step.follows]}: run again")
    return found


def as_rows(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """The funnel as plain data: one dict a step, its reasons most frequent first."""
    return [
        {
            "stage": step.stage,
            "unit": step.unit,
            "parts": step.parts,
            "read": step.counts.read,
            "kept": step.counts.kept,
            "dropped": dict(most_frequent(step.counts.dropped)),
        }
        for step in steps
    ]


def most_frequent(dropped: Counter[str]) -> list[tuple[str, int]]:
    """Reasons and counts, most frequent first, ties by name."""
    return sorted(dropped.items(), key=lambda item: (-item[1], item[0]))
