"""How far people agree, question by question: all together, by stratum and wave, and each person with the others.

Of the normal tasks alone, since those were judged by several independently; gold pairs were chosen because
people agree on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from waon_build.annotation.aggregation import counts
from waon_build.annotation.agreement import Agreement, agreement, agreement_by_person
from waon_build.annotation.models import Kind
from waon_build.audit.annotation.said import NOT_SAID, Coded, Said

MEASURES = ("raw", "alpha", "ac1")
COLUMNS = (
    "question",
    "level",
    "by",
    "group",
    "items",
    "answers",
    *(f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")),
    "why",
)


def agreement_frame(found: Said, questions: list[Coded], resamples: int, seed: int) -> pd.DataFrame:
    """A line for each question, and each stratum, wave and person of it."""
    judged = (found.given["weighs"] & (found.given["kind"] == Kind.NORMAL)).to_numpy()
    given = found.given[judged]
    items, ids = pd.factorize(given["task_id"])
    people, names = pd.factorize(given["annotator_id"])
    groups = {by: pd.factorize(found.tasks.loc[ids, by], sort=True) for by in ("stratum", "wave")}
    rows = []
    for question in questions:
        codes = question.codes[judged]
        answered = codes != NOT_SAID
        k = len(question.choices)
        table = counts(items[answered], codes[answered], k, len(ids))
        parts = [("all", "", agreement(table, question.level, resamples, seed))]
        for by, (group_of, labels) in groups.items():
            parts += [
                (by, str(label), agreement(table[group_of == number], question.level, resamples, seed))
                for number, label in enumerate(labels)
            ]
        each = agreement_by_person(
            items[answered], people[answered], codes[answered], k, question.level, resamples, seed
        )
        parts += [("person", str(names[person]), one) for person, one in enumerate(each) if one.items]
        rows += [[question.name, question.level, by, group, *_cells(one)] for by, group, one in parts]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = [name for name in COLUMNS if name.startswith(MEASURES)]
    frame[numbers] = frame[numbers].astype(float)
    order = {by: number for number, by in enumerate(("all", "stratum", "wave", "person"))}
    return frame.sort_values("by", key=lambda by: by.map(order), kind="stable", ignore_index=True)


def _cells(one: Agreement) -> Iterator[Any]:
    yield one.items
    yield one.answers
    reasons: dict[str, list[str]] = {}
    for name in MEASURES:
        measure = getattr(one, name)
        yield from (np.nan if value is None else value for value in measure[:3])
        if measure.why:
            reasons.setdefault(measure.why, []).append(name)
    yield "; ".join(f"{', '.join(names)}: {why}" for why, names in reasons.items())
