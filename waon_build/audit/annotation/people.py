"""How good and how well paid people are: gold, twins, and pay by the hour against the wage floor."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, time
from typing import Any

import pandas as pd

from waon_build.annotation.models import Kind, Role, Standing, State
from waon_build.annotation.quality import agrees, consistency, lower_bound, upper_bound
from waon_build.annotation.questions import Questions
from waon_build.audit.annotation.said import Said, with_each_person
from waon_build.recipe import PaySettings

NO_GOLD = "no gold or qualification task was answered"
NO_PAY = "annotation.pay is not in the recipe"


def gold(found: Said, questions: Questions) -> pd.DataFrame:
    """Right answers to tasks whose right answer is known: by person, question and pair. low, high: what the
    rate is above, and below, all but 5 % each of what is believed after these (`quality.lower_bound`).

    The worst come first: a pair that many get wrong is rather a wrong key than many bad people."""
    known = found.given["kind"].isin((Kind.GOLD, Kind.QUALIFICATION)) & found.given["is_live"]
    keys = found.tasks["key"].dropna().to_dict()
    right: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    right["all", ""] = [0, 0]
    answered = found.given.loc[known, ["task_id", "pair_id", "annotator_id", "said"]]
    for task, pair, person, said in answered.itertuples(index=False):
        key, answers = keys.get(task, {}), found.distinct[said]
        asked = [question for question in questions.questions if question.name in key]
        if not asked:
            continue
        agreed = {one.name: agrees(one, key[one.name], answers.get(one.name)) for one in asked}
        whole = dict.fromkeys((("all", ""), ("person", person), ("pair", pair)), all(agreed.values()))
        for line, is_right in (whole | {("question", name): one for name, one in agreed.items()}).items():
            right[line][0] += is_right
            right[line][1] += not is_right
    rows = []
    for (by, group), (yes, no) in right.items():
        bounds = (lower_bound(yes, no), upper_bound(yes, no)) if yes + no else (None, None)
        rate = yes / (yes + no) if yes + no else None
        rows.append((by, group, yes, no, rate, *bounds, "" if yes + no else NO_GOLD))
    frame = _frame(rows, ("by", "group", "right", "wrong", "accuracy", "accuracy_low", "accuracy_high", "why"))
    order = {by: number for number, by in enumerate(("all", "person", "question", "pair"))}
    return frame.assign(order=frame["by"].map(order)).sort_values(["order", "accuracy", "group"]).drop(columns="order")


def gold_left(found: Said) -> pd.DataFrame:
    """Gold tasks that each active annotator can still be given, and qualification tasks that they still have to
    answer; who has fewest comes first. Nobody is given gold of a pair that they have judged in whatever kind."""
    kinds = (Kind.GOLD, Kind.QUALIFICATION)
    there = found.tasks[(found.tasks["state"] == State.OPEN) & found.tasks["kind"].isin(kinds)]
    pairs = {kind: set(there.loc[there["kind"] == kind, "pair_id"]) for kind in kinds}
    at_work = (found.people["standing"] == Standing.ACTIVE) & (found.people["role"] == Role.ANNOTATOR)
    judged = found.given.groupby("annotator_id")["pair_id"].agg(set).to_dict() if len(found.given) else {}
    rows = []
    for person, qualified in found.people.loc[at_work, "qualified"].items():
        met = judged.get(person, set())
        left = 0 if qualified else len(pairs[Kind.QUALIFICATION] - met)
        rows.append(("person", str(person), len(pairs[Kind.GOLD] - met), left))
    frame = _frame(rows, ("by", "group", "gold", "qualification"))
    return frame.sort_values(["gold", "group"], ignore_index=True)


def twins(found: Said, questions: Questions) -> pd.DataFrame:
    """How often people answer alike when they are asked of the same pair again without knowing it."""
    live = found.given[found.given["is_live"]]
    columns = ["pair_id", "annotator_id", "said"]
    first, again = (live.loc[live["kind"] == kind, columns] for kind in (Kind.NORMAL, Kind.TWIN))
    both = first.merge(again, on=["pair_id", "annotator_id"], suffixes=("", "_again"))
    rows = []
    asked = [question for question in questions.questions if question.options]
    for by, group, pairs in with_each_person(both):
        twice = [
            (found.distinct[one], found.distinct[other])
            for one, other in zip(pairs["said"], pairs["said_again"], strict=True)
        ]
        rows += [(question.name, by, group, *consistency(question, twice)) for question in asked]
    frame = _frame(rows, ("question", "by", "group", "alike", "of", "share", "share_low", "share_high", "why"))
    return frame.sort_values("by", kind="stable", ignore_index=True)


def pay(found: Said, settings: PaySettings | None) -> pd.DataFrame:
    """What an hour of work comes to, by person, and whether it is below the floor; since the floor is in force.

    Every task that was judged and stands is paid for, of whatever kind, since nobody can tell them apart.
    The hours are those at work on the page, with the time that corrected answers took before; work of
    which the time is not known (imported judgements) is left out of both and counted apart."""
    columns = ("by", "group", "judged", "untimed", "hours", "paid", "per_hour", "floor", "is_below", "why")
    if settings is None:
        return _frame([], columns)
    since = datetime.combine(settings.valid_from, time(), UTC)
    given = found.given[found.given["created_at"] >= since]
    rows: list[tuple[Any, ...]] = []
    for by, group, of in with_each_person(given):
        live = of[of["is_live"]]
        judged = int(live["active_ms"].notna().sum())
        hours = float(of["active_ms"].sum()) / 3_600_000
        paid = judged * settings.per_pair
        per_hour = paid / hours if hours else None
        why = "" if hours else f"no time is known of answers since {settings.valid_from}"
        is_below = None if per_hour is None else per_hour < settings.floor_per_hour
        untimed = len(live) - judged
        rows.append((by, group, judged, untimed, hours, paid, per_hour, settings.floor_per_hour, is_below, why))
    frame = _frame(rows, columns).sort_values(["by", "per_hour"], kind="stable", ignore_index=True)
    return frame.astype({"is_below": "boolean"}).assign(
        currency=settings.currency,
        region=settings.region,
        floor_since=str(settings.valid_from),
        floor_source=settings.source,
    )


def _frame(rows: list[tuple[Any, ...]], columns: tuple[str, ...]) -> pd.DataFrame:
    """With `None` as nan where a column is of numbers."""
    frame = pd.DataFrame(rows, columns=list(columns))
    numbers = [
        name
        for name in columns
        if name in ("per_hour", "hours", "paid", "floor") or name.startswith(("accuracy", "share", "precision"))
    ]
    return frame.astype(dict.fromkeys(numbers, float))
