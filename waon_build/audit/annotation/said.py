"""The ledger as frames, and answers as numbers: what every figure of the audit is made from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from waon_build.annotation.agreement import Level
from waon_build.annotation.ledger import Ledger
from waon_build.annotation.models import Standing
from waon_build.annotation.questions import CANNOT_TELL, Questions

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NOT_SAID = -1


class Said(NamedTuple):
    """tasks: by id. given: every annotation with its task's `kind`, `pair_id`, `stratum`, `wave`, ...; `said`
    is the number of its answers in `distinct`; `weighs` tells those that stand, of people who are not
    blocked, under the guideline of today where it changed. decisions: by task id. people: by id."""

    tasks: pd.DataFrame
    given: pd.DataFrame
    decisions: pd.DataFrame
    people: pd.DataFrame
    reports: pd.DataFrame
    distinct: list[dict[str, Any]]


class Coded(NamedTuple):
    """What annotations say to one question, as numbers. choices: the answers there are, grades in their order.
    codes (n,): which of them, NOT_SAID where none."""

    name: str
    level: Level
    choices: tuple[str, ...]
    codes: Ints


def said(ledger: Ledger) -> Said:
    """The frames of a ledger."""
    tasks = pd.DataFrame(ledger.tasks).set_index("id")
    given = pd.DataFrame(ledger.annotations)
    numbers, texts = pd.factorize(np.asarray(given.pop("answers"), dtype=object))
    people = pd.DataFrame(ledger.people).set_index("id")
    blocked = people.index[people["standing"] == Standing.BLOCKED]
    of_task = tasks[["pair_id", "kind", "stratum", "wave", "screened_by", "stale_before"]]
    given = given.join(of_task, on="task_id") if len(given) else given.reindex(columns=[*given, *of_task])
    given["said"] = numbers
    given["created_at"] = pd.to_datetime(given["created_at"], utc=True)
    given["active_ms"] = pd.to_numeric(given["active_ms"]).astype(float)
    given["is_live"] = given["is_live"].astype(bool)
    given["weighs"] = given["is_live"] & ~given["annotator_id"].isin(blocked) & (given["id"] > given["stale_before"])
    decisions = pd.DataFrame(ledger.decisions).set_index("task_id")
    return Said(tasks, given, decisions, people, pd.DataFrame(ledger.reports), [json.loads(text) for text in texts])


def coded(found: Said, questions: Questions) -> list[Coded]:
    """What all annotations say to each question that has answers to choose from.

    Of a scale only grades count: who cannot tell is not on it. Of flags each is a question of its own, yes
    or no, and everybody answers it. An answer that the questions of today do not have is none."""
    columns: list[Coded] = []
    for question in questions.questions:
        words = tuple(option.value for option in question.options)
        if question.kind == "flags":
            for flag in words:
                has_it = ["yes" if flag in answers.get(question.name, ()) else "no" for answers in found.distinct]
                columns.append(_coded(found, f"{question.name}: {flag}", "nominal", ("no", "yes"), has_it))
        elif words:
            level: Level = "ordinal" if question.kind == "scale" else "nominal"
            if level == "ordinal":
                words = tuple(sorted((word for word in words if word != CANNOT_TELL), key=int))
            answers = [str(answers[question.name]) if question.name in answers else "" for answers in found.distinct]
            columns.append(_coded(found, question.name, level, words, answers))
    return columns


def with_each_person(given: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """What all gave together, then what each person gave, as (by, group, annotations)."""
    yield "all", "", given
    for person, own in given.groupby("annotator_id"):
        yield "person", str(person), own


def _coded(found: Said, name: str, level: Level, choices: tuple[str, ...], answers: list[str]) -> Coded:
    numbers = {word: number for number, word in enumerate(choices)}
    codes = np.array([numbers.get(answer, NOT_SAID) for answer in answers], dtype=np.int64)
    return Coded(name, level, choices, codes[found.given["said"].to_numpy()])
