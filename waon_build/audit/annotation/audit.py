"""The audit of an annotation database: all its frames, of one moment, and how they are kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Engine

from waon_build.annotation import ledger, questions
from waon_build.annotation.agreement import RESAMPLES
from waon_build.annotation.questions import MATCH
from waon_build.audit.annotation import people, work, worth
from waon_build.audit.annotation.agree import agreement_frame
from waon_build.audit.annotation.said import coded, said
from waon_build.recipe import AnnotationSettings
from waon_build.records import InputError

TITLES = {
    "progress": "Tasks by kind and state, with the answers they have and still want",
    "decisions": "Decisions in force, by kind of task",
    "forecast": "Days left at the pace of the last 7 days",
    "throughput": "Answers that stand, and the pace of the last 7 days",
    "quotas": "Accepted pairs by category, and what is lacking",
    "agreement": "Agreement: raw, Krippendorff's alpha, Gwet's AC1, with 95 % intervals over items",
    "gold": "Right answers on gold and qualification tasks, with 5 % bounds to either side",
    "gold_left": "Gold and qualification tasks that people have left",
    "twins": "Answers alike when the same pair is asked again, with 95 % intervals",
    "pay": "Pay an hour against the wage floor",
    "precision": "Precision of the accepted pairs from three sides, with 95 % intervals",
    "filters": "What filters dropped and natives would have kept, with 95 % intervals",
    "reports": "Reports of harm",
}
"""Frame -> what it shows, in the order in which they are shown."""


@dataclass(frozen=True)
class Audit:
    """name: of the corpus. at: the moment it is of. frames: by the names of TITLES. empty: frame -> why it
    has no rows."""

    name: str
    at: datetime
    frames: dict[str, pd.DataFrame]
    empty: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Plain data: each frame a list of rows, what is undefined null."""
        frames = {
            name: json.loads(frame.to_json(orient="records", date_format="iso", double_precision=15))
            for name, frame in self.frames.items()
        }
        return {"name": self.name, "at": self.at.isoformat(), **frames, "empty": self.empty}

    def write(self, folder: Path) -> list[Path]:
        """Each frame as Parquet and CSV; returns the files. Raises InputError when they cannot be written."""
        written = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, frame in self.frames.items():
                parquet, csv = folder / f"{name}.parquet", folder / f"{name}.csv"
                frame.to_parquet(parquet, index=False)
                frame.to_csv(csv, index=False)
                written += [parquet, csv]
        except OSError as error:
            raise InputError(f"{folder}: cannot be written ({error.strerror}): give --out another place") from error
        return written


def audit(
    engine: Engine,
    name: str,
    settings: AnnotationSettings,
    now: datetime | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Audit:
    """The audit of a database. resamples, seed: of the bootstraps of agreement. Nothing is written; reading
    rights will do. Raises InputError when the guideline is missing."""
    now = now or datetime.now(UTC)
    asked = questions.load(settings.guideline)
    found = said(ledger.read(engine))
    columns = coded(found, asked)
    match = next(column for column in columns if column.name == MATCH)
    frames = {
        "progress": work.progress(found),
        "decisions": work.decisions(found),
        "forecast": work.forecast(found, now),
        "throughput": work.throughput(found, now),
        "quotas": work.quotas(found, settings),
        "agreement": agreement_frame(found, columns, resamples, seed),
        "gold": people.gold(found, asked),
        "gold_left": people.gold_left(found),
        "twins": people.twins(found, asked),
        "pay": people.pay(found, settings.pay),
        "precision": worth.precision(found, match, asked, settings.min_match),
        "filters": worth.filters(found),
        "reports": work.reports(found),
    }
    frames = {title: frames[title].reset_index(drop=True) for title in TITLES}
    return Audit(name, now, frames, {title: _why_empty(title) for title, frame in frames.items() if frame.empty})


def _why_empty(title: str) -> str:
    return {
        "progress": "there are no tasks",
        "decisions": "nothing is decided yet",
        "quotas": "there are no quotas, and no pairs",
        "gold_left": "nobody is at work",
        "pay": people.NO_PAY,
        "filters": "nothing that a filter dropped is in the queue: see annotation.screened_out_per_reason",
        "reports": "nobody reported harm",
    }.get(title, "there is nothing to count")
