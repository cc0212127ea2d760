"""What a run leaves in Prefect for people to read: how far it is, what it made, why rows were dropped, what failed.

Artifacts: `progress-STAGE`, while a stage runs; `funnel`, `parts`, `reasons` at the end of a run; `failed-parts`,
with the command that makes them again.
"""

from __future__ import annotations

import json
import shlex
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from uuid import UUID

import yaml
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.context import FlowRunContext

from waon_build.audit.funnel import as_rows, funnel
from waon_build.corpus import Corpus
from waon_build.recipe import Recipe
from waon_build.records import Tally

LISTED = 1000
"""Parts of one table: an artifact is read in a browser."""
BETWEEN = 1.0
"""Seconds between two updates of one progress."""


class Report:
    """The artifacts of one run."""

    def __init__(self, recipe: Recipe, corpus: Corpus) -> None:
        self._recipe = recipe
        self._corpus = corpus
        self._parts: list[dict[str, Any]] = []
        self._made = 0
        self._dropped: Counter[tuple[str, str]] = Counter()
        self._failed: list[dict[str, Any]] = []
        self._progress: UUID | None = None

    def begin(self, stage: str, parts: int) -> None:
        """A stage begins. parts: to be made."""
        self._done, self._to_make, self._shown = 0, parts, time.monotonic()
        created: Any = create_progress_artifact(
            0.0, key=f"progress-{stage}", description=f"Stage {stage} of {self._recipe.name}: {parts:,} parts"
        )
        self._progress = created

    def made(self, tally: Tally) -> None:
        """A part was committed."""
        self._made += 1
        if len(self._parts) < LISTED:
            self._parts.append(
                {
                    "stage": tally.stage,
                    "part": tally.part,
                    "read": tally.rows.read,
                    "kept": tally.rows.kept,
                    "dropped": tally.rows.dropped.total(),
                    "seconds": tally.seconds,
                    "tally": self._corpus.path(tally.stage, f"{tally.part}.tally.json"),
                }
            )
        for reason, count in tally.rows.dropped.items():
            self._dropped[tally.stage, reason] += count
        self._advance()

    def failed(self, stage: str, part: str, problem: str) -> None:
        """A part failed for good."""
        row = {"stage": stage, "part": part, "problem": problem, "run_again": self.command(stage, [part])}
        self._failed.append(row)
        self._advance()

    def command(self, stage: str, parts: Iterable[str]) -> str:
        """What makes these parts of a stage again, and nothing else."""
        context = FlowRunContext.get()
        given = (context.parameters if context else None) or {}
        words = ["waon-build", "run", str(given.get("recipe", "RECIPE"))]
        for field, value in (given.get("overrides") or {}).items():
            words += ["--set", f"{field}={_as_yaml(value)}"]
        for part in parts:
            words += ["--part", f"{stage}/{part}"]
        return shlex.join(words)

    def _advance(self) -> None:
        self._done += 1
        now = time.monotonic()
        if self._progress and (self._done == self._to_make or now - self._shown >= BETWEEN):
            self._shown = now
            update_progress_artifact(self._progress, 100 * self._done / self._to_make)
        if self._failed and self._done == self._to_make:
            create_table_artifact(
                key="failed-parts",
                table=self._failed[:LISTED],
                description=f"{len(self._failed):,} parts of {self._recipe.name} failed",
            )

    def end(self) -> list[dict[str, Any]]:
        """The run is over: its tables. Returns the rows of the funnel."""
        rows = as_rows(funnel(self._corpus))
        name = self._recipe.name
        create_table_artifact(key="funnel", table=rows, description=f"Funnel of {name}")
        if self._made:
            listed = sorted(self._parts, key=lambda row: (row["stage"], row["part"]))
            create_table_artifact(
                key="parts", table=listed, description=f"Parts of {name} that this run made: {self._made:,}"
            )
            create_table_artifact(
                key="reasons",
                table=[
                    {"stage": stage, "reason": reason, "rows": count}
                    for (stage, reason), count in sorted(self._dropped.items(), key=lambda item: (-item[1], item[0]))
                ],
                description=f"Why rows of {name} were dropped in this run",
            )
        return rows


def _as_yaml(value: Any) -> str:
    """A value as it is typed after `--set FIELD=`: text that YAML reads as that very text is typed as it is."""
    if isinstance(value, str):
        with suppress(yaml.YAMLError):
            if yaml.safe_load(value) == value:
                return value
    return json.dumps(value, ensure_ascii=False)
