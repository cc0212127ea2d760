"""How the work goes: tasks and decisions, who did how much, what is left, and what each category lacks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from waon_build.annotation.models import UNLIMITED, Kind, Outcome, State
from waon_build.audit.annotation.said import Said, with_each_person
from waon_build.recipe import AnnotationSettings

WINDOW = timedelta(days=7)
"""How far one looks back for how fast the work goes."""
LEAST = timedelta(days=1)
"""Of a campaign that began just now: a rate is of a day at least."""
BRINGS_ON = (Kind.NORMAL, Kind.SCREENED_OUT, Kind.ADJUDICATION)
"""Kinds that are done some day. Gold, qualification and twins measure people, and have no end."""


def progress(found: Said) -> pd.DataFrame:
    """Tasks by kind and state, the answers they have, and those they still want."""
    tasks = found.tasks
    wants = (tasks["state"] == State.OPEN) & (tasks["wanted"] < UNLIMITED)
    counted = tasks.assign(answers=tasks["answered"], wanted=(tasks["wanted"] - tasks["answered"]).where(wants, 0))
    rows = counted.groupby(["kind", "state"]).agg(
        tasks=("pair_id", "size"), answers=("answers", "sum"), wanted=("wanted", "sum")
    )
    return rows.reset_index()


def decisions(found: Said) -> pd.DataFrame:
    """Tasks by kind and the outcome that stands."""
    return _counted(found.decisions.join(found.tasks["kind"]), ["kind", "outcome"], "tasks")


def reports(found: Said) -> pd.DataFrame:
    """Reports of harm by flag and by what became of them."""
    return _counted(found.reports, ["kind", "outcome"], "reports")


def throughput(found: Said, now: datetime) -> pd.DataFrame:
    """Everybody's answers that stand: in all, of the last 7 days, and a day of those; the seconds that one
    took (median) and the hours at it. First all together, then each person."""
    given = found.given[found.given["is_live"]]
    rows = [{"by": by, "group": group, **_pace(of, now)} for by, group, of in with_each_person(given)]
    return pd.DataFrame(rows).sort_values(["by", "answers_7_days", "answers"], ascending=[True, False, False])


def forecast(found: Said, now: datetime) -> pd.DataFrame:
    """How many days are left at the pace of the last 7: one row.

    An open task is expected to take as many answers as those that are decided took on average, and at
    least those that it wants now: people will disagree on some of them too."""
    tasks = found.tasks[found.tasks["kind"].isin(BRINGS_ON)]
    undecided = tasks[tasks["state"] == State.OPEN]
    missing = (undecided["wanted"] - undecided["answered"]).clip(lower=0)
    settled = found.decisions["outcome"].isin((Outcome.ACCEPTED, Outcome.REJECTED))
    took = tasks.loc[tasks.index.isin(found.decisions.index[settled]), "answered"].mean()
    more = missing if pd.isna(took) else missing.clip(lower=(took - undecided["answered"]).clip(lower=0))
    brings_on = found.given[found.given["is_live"] & found.given["kind"].isin(BRINGS_ON)]
    a_day = float(_pace(brings_on, now)["answers_a_day"])
    left = float(more.sum())
    days = 0.0 if left == 0 else left / a_day if a_day else None
    row = {
        "open_tasks": len(undecided),
        "answers_wanted": int(missing.sum()),
        "answers_expected": round(left),
        "answers_a_task": None if pd.isna(took) else float(took),
        "answers_a_day": a_day,
        "days_left": days,
        "why": "nobody answered in the last 7 days" if days is None else "",
    }
    return pd.DataFrame([row]).astype({"answers_a_task": float, "days_left": float})


def quotas(found: Said, settings: AnnotationSettings) -> pd.DataFrame:
    """By category: the quota, the pairs accepted, what it lacks, and whether what is open could fill it."""
    normal = found.tasks[(found.tasks["kind"] == Kind.NORMAL) & (found.tasks["state"] != State.WITHDRAWN)]
    accepted = normal.index.isin(found.decisions.index[found.decisions["outcome"] == Outcome.ACCEPTED])
    by = normal.assign(accepted=accepted, is_open=normal["state"] == State.OPEN).groupby("category")
    counted = by.agg(accepted=("accepted", "sum"), open_tasks=("is_open", "sum"))
    frame = counted.reindex(sorted({*counted.index, *settings.quotas}), fill_value=0).rename_axis("category")
    frame = frame.reset_index()
    wanted = pd.Series([settings.quotas.get(name) for name in frame["category"]], dtype="Int64")
    lacking = (wanted - frame["accepted"]).clip(lower=0)
    whys = [_why_lacking(lacks, left) for lacks, left in zip(lacking, frame["open_tasks"], strict=True)]
    frame.insert(1, "quota", wanted)
    frame.insert(3, "lacking", lacking)
    frame["why"] = whys
    share = (lacking / wanted).astype("Float64").fillna(-1)
    return frame.assign(share=share).sort_values(["share", "category"], ascending=[False, True]).drop(columns="share")


def _why_lacking(lacking: Any, open_tasks: int) -> str:
    if pd.isna(lacking):
        return "no quota"
    return "fewer open tasks than it lacks" if lacking > open_tasks else ""


def _pace(given: pd.DataFrame, now: datetime) -> dict[str, Any]:
    """The figures of one line of `throughput`."""
    recent = given[given["created_at"] > now - WINDOW]
    first = given["created_at"].min()
    span = LEAST if pd.isna(first) else min(WINDOW, max(LEAST, now - first))
    return {
        "answers": len(given),
        "answers_7_days": len(recent),
        "answers_a_day": len(recent) / (span / timedelta(days=1)),
        "hours_7_days": float(recent["active_ms"].sum()) / 3_600_000,
        "median_seconds": float(given["active_ms"].median()) / 1000,
        "last_answer": given["created_at"].max(),
    }


def _counted(frame: pd.DataFrame, by: list[str], name: str) -> pd.DataFrame:
    return frame.groupby(by).size().rename(name).reset_index()
