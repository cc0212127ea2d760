"""How a corpus stands: its funnel, its queue, its releases, and what could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from waon_build.audit.funnel import Step, as_rows, faults, funnel
from waon_build.audit.links import links
from waon_build.corpus import Corpus
from waon_build.export.release import releases
from waon_build.records import Counts


@dataclass(frozen=True)
class State:
    """What `waon-build audit` shows. queue: what is counted -> how many. links: `images` and `pages` of kept pairs
    that were asked again, and what was found. releases: their addresses.
    problems: what could not be read, with file and offset. faults: what does not add up."""

    name: str
    steps: list[Step]
    faults: list[str]
    queue: dict[str, int]
    releases: list[str]
    problems: list[str]
    links: dict[str, Counts]

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "funnel": as_rows(self.steps),
            "adds_up": not self.faults,
            "faults": self.faults,
            "queue": self.queue,
            "links": {unit: counts.to_json() for unit, counts in self.links.items()},
            "releases": self.releases,
            "problems": self.problems,
        }


def state(name: str, corpus: Corpus, queue: Mapping[str, int]) -> State:
    """The state of a corpus. queue: counts from the annotation database."""
    steps = funnel(corpus)
    problems = [
        problem
        for stage in ("crawl", "select", "extract")
        for tally in corpus.tallies(stage)
        for problem in tally.problems
    ]
    return State(
        name,
        steps,
        faults(steps),
        dict(queue),
        [f"{corpus.url}/releases/{name}" for name in releases(corpus)],
        problems,
        links(corpus),
    )
