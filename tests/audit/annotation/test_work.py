"""How the work goes, and what is left of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from waon_build.annotation import database, queue
from waon_build.annotation.models import Kind, Role


def rows(frame: Any, **which: Any) -> list[dict[str, Any]]:
    for name, value in which.items():
        frame = frame[frame[name] == value]
    return list(frame.to_dict(orient="records"))


def test_tasks_are_counted_by_kind_and_state_with_what_they_want(campaign: Any) -> None:
    """Gold tasks want no answers: they have no end."""
    one, two, _ = campaign.pairs(3)
    campaign.copy(one, Kind.GOLD, key={"match": 3})
    for who in (campaign.person(), campaign.person()):
        campaign.say(who, one)
    campaign.say(campaign.person(), two)
    found = campaign.audit().frames["progress"]
    assert rows(found) == [
        {"kind": "gold", "state": "open", "tasks": 1, "answers": 0, "wanted": 0},
        {"kind": "normal", "state": "done", "tasks": 1, "answers": 2, "wanted": 0},
        {"kind": "normal", "state": "open", "tasks": 2, "answers": 1, "wanted": 3},
    ]


def test_the_pace_is_that_of_the_last_7_days(campaign: Any) -> None:
    """All together and each person; older answers count in all, and not for the pace."""
    tasks = campaign.pairs(10)
    quick, slow = campaign.person(), campaign.person()
    for task in tasks[:6]:
        campaign.say(quick, task, ago=timedelta(days=2), seconds=6)
    campaign.say(quick, tasks[6], ago=timedelta(days=30), seconds=6)
    campaign.say(slow, tasks[0], ago=timedelta(days=1), seconds=60)
    found = campaign.audit().frames["throughput"]
    (everybody,) = rows(found, by="all")
    assert (everybody["answers"], everybody["answers_7_days"]) == (8, 7)
    assert everybody["answers_a_day"] == pytest.approx(1)
    assert everybody["hours_7_days"] == pytest.approx(96 / 3600)
    first, second = rows(found, by="person")
    assert (first["group"], first["answers"], first["median_seconds"]) == (quick, 7, 6)
    assert (second["group"], second["answers"], second["answers_a_day"]) == (slow, 1, 1)


def test_what_was_taken_back_is_no_answer(campaign: Any) -> None:
    (task,) = campaign.pairs(1)
    who = campaign.person()
    annotation = campaign.say(who, task)
    with database.writing(campaign.engine) as connection:
        queue.undo(connection, who, annotation, campaign.audit().at, 10)
    (everybody,) = rows(campaign.audit().frames["throughput"], by="all")
    assert everybody["answers"] == 0


def test_days_left_follow_from_what_tasks_take_and_how_fast_answers_come(campaign: Any) -> None:
    """Decided tasks took 2 answers here; 8 open ones want 2 each; 4 answers came in a day."""
    tasks = campaign.pairs(10)
    for who in (campaign.person(), campaign.person()):
        for task in tasks[:2]:
            campaign.say(who, task, ago=timedelta(hours=20))
    campaign.decide()
    (found,) = rows(campaign.audit().frames["forecast"])
    assert found == {
        "open_tasks": 8,
        "answers_wanted": 16,
        "answers_expected": 16,
        "answers_a_task": 2,
        "answers_a_day": 4,
        "days_left": 4,
        "why": "",
    }


def test_days_left_say_why_they_are_unknown(campaign: Any) -> None:
    campaign.pairs(1)
    (found,) = rows(campaign.audit().frames["forecast"])
    assert found["days_left"] != found["days_left"]  # nan
    assert found["why"] == "nobody answered in the last 7 days"


def test_nothing_open_is_no_day_left(campaign: Any) -> None:
    (found,) = rows(campaign.audit().frames["forecast"])
    assert (found["open_tasks"], found["days_left"]) == (0, 0)


def test_gold_and_twins_do_not_bring_the_work_on(campaign: Any) -> None:
    one, _ = campaign.pairs(2)
    gold = campaign.copy(one, Kind.GOLD, key={"match": 3})
    campaign.say(campaign.person(), gold)
    (found,) = rows(campaign.audit().frames["forecast"])
    assert found["answers_a_day"] == 0


def test_what_a_category_lacks_says_whether_it_can_be_had(campaign: Any) -> None:
    """The one that lacks most comes first; one without a quota lacks nothing."""
    tasks = campaign.pairs(3)
    for who in (campaign.person(), campaign.person()):
        campaign.say(who, tasks[0], category="food")
        campaign.say(who, tasks[1], category="nature")
    campaign.decide()
    found = campaign.audit().frames["quotas"]
    assert [(row["category"], row["accepted"]) for row in rows(found)][:2] == [("event", 0), ("food", 1)]
    (food,) = rows(found, category="food")
    assert (food["quota"], food["lacking"], food["why"]) == (3, 2, "fewer open tasks than it lacks")
    (nature,) = rows(found, category="nature")
    assert (nature["accepted"], nature["why"]) == (1, "no quota")


def test_reports_are_counted_by_what_became_of_them(campaign: Any) -> None:
    (task,) = campaign.pairs(1)
    campaign.say(campaign.person(), task, flags=["harmful"])
    assert rows(campaign.audit().frames["reports"]) == [{"kind": "harmful", "outcome": "open", "reports": 1}]
    assert rows(campaign.audit().frames["decisions"]) == [{"kind": "normal", "outcome": "rejected", "tasks": 1}]


def test_the_answer_of_an_adjudicator_brings_the_work_on(campaign: Any) -> None:
    (task,) = campaign.pairs(1)
    disputed = campaign.copy(task, Kind.ADJUDICATION, wanted=1)
    campaign.say(campaign.person(Role.ADJUDICATOR), disputed)
    (found,) = rows(campaign.audit().frames["forecast"])
    assert found["answers_a_day"] == 1
