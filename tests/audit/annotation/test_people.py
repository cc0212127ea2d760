"""How far people agree, how good they are, and what their hour comes to."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

from waon_build.annotation import database, queue
from waon_build.annotation.models import Kind
from waon_build.annotation.quality import lower_bound, upper_bound


def rows(frame: Any, **which: Any) -> list[dict[str, Any]]:
    for name, value in which.items():
        frame = frame[frame[name] == value]
    return list(frame.to_dict(orient="records"))


def judged(campaign: Any, grades: list[list[int]], people: list[str], **others: Any) -> None:
    """Everybody grades every pair: grades[person][pair]."""
    for who, own in zip(people, grades, strict=True):
        for task, grade in zip(campaign.pairs(len(own), **others), own, strict=True):
            campaign.say(who, task, grade)


def test_agreement_is_told_for_all_and_by_stratum_wave_and_person(campaign: Any) -> None:
    people = [campaign.person(), campaign.person()]
    judged(campaign, [[3, 3, 0, 1], [3, 3, 0, 1]], people)
    judged(campaign, [[3, 0, 1, 2], [0, 3, 2, 1]], people, first=10, caption_source="figcaption")
    found = campaign.audit().frames["agreement"]
    of_match = found[found["question"] == "match"]
    assert list(of_match["by"]) == ["all", "stratum", "stratum", "wave", "wave", "person", "person"]
    (everybody,) = rows(of_match, by="all")
    assert (everybody["items"], everybody["answers"], everybody["raw"]) == (8, 16, 0.5)
    assert everybody["raw_low"] < 0.5 < everybody["raw_high"]
    by_stratum = {row["group"]: row["raw"] for row in rows(of_match, by="stratum")}
    assert by_stratum == {"alt": 1, "figcaption": 0}
    assert {row["group"]: row["raw"] for row in rows(of_match, by="person")} == dict.fromkeys(people, 0.5)


def test_each_flag_is_a_question_of_its_own_and_who_cannot_tell_is_not_on_the_scale(campaign: Any) -> None:
    tasks = campaign.pairs(2)
    for who, flags in ((campaign.person(), ["generated"]), (campaign.person(), None)):
        campaign.say(who, tasks[0], "cannot_tell", flags=flags)
        campaign.say(who, tasks[1], 3)
    found = campaign.audit().frames["agreement"]
    assert rows(found, question="match", by="all")[0]["items"] == 1
    (generated,) = rows(found, question="flags: generated", by="all")
    assert (generated["items"], generated["raw"]) == (2, 0.5)
    (harmful,) = rows(found, question="flags: harmful", by="all")
    assert harmful["raw"] == 1
    assert "alpha: everybody gave the same answer" in harmful["why"]


def test_the_answers_of_the_blocked_do_not_count_for_agreement(campaign: Any) -> None:
    campaign.settings = campaign.settings.model_copy(update={"overlap": 3})
    people = [campaign.person(), campaign.person(), campaign.person()]
    judged(campaign, [[3, 0], [3, 0], [0, 3]], people)
    campaign.block(people[2])
    found = campaign.audit().frames["agreement"]
    (everybody,) = rows(found, question="match", by="all")
    assert (everybody["answers"], everybody["raw"]) == (4, 1)
    assert {row["group"] for row in rows(found, question="match", by="person")} == set(people[:2])


def test_gold_is_told_by_person_question_and_pair(campaign: Any) -> None:
    tasks = campaign.pairs(3)
    key = {"match": 3, "culture": ["specific", "related"]}
    gold = [campaign.copy(task, Kind.GOLD, key=key) for task in tasks]
    good, bad = campaign.person(), campaign.person()
    for task in gold:
        campaign.say(good, task, 2)
        campaign.say(bad, task, 0 if task == gold[0] else 3, culture="not")
    found = campaign.audit().frames["gold"]
    (everybody,) = rows(found, by="all")
    assert (everybody["right"], everybody["wrong"], everybody["accuracy"]) == (3, 3, 0.5)
    assert everybody["accuracy_low"] == pytest.approx(lower_bound(3, 3))
    assert everybody["accuracy_high"] == pytest.approx(upper_bound(3, 3))
    assert {row["group"]: row["right"] for row in rows(found, by="person")} == {good: 3, bad: 0}
    assert {row["group"]: row["right"] for row in rows(found, by="question")} == {"match": 5, "culture": 3}
    assert [(row["right"], row["wrong"]) for row in rows(found, by="pair")] == [(1, 1)] * 3


def test_qualification_counts_as_gold_and_no_gold_says_so(campaign: Any) -> None:
    (task,) = campaign.pairs(1)
    (nothing,) = rows(campaign.audit().frames["gold"])
    assert (nothing["right"], nothing["why"]) == (0, "no gold or qualification task was answered")
    campaign.say(campaign.person(), campaign.copy(task, Kind.QUALIFICATION, key={"match": 3}))
    (everybody,) = rows(campaign.audit().frames["gold"], by="all")
    assert (everybody["right"], everybody["why"]) == (1, "")


def test_twins_are_held_against_what_the_same_person_said(campaign: Any) -> None:
    one, two = campaign.pairs(2)
    who, other = campaign.person(), campaign.person()
    for task, first, again in ((one, 3, 3), (two, 3, 2)):
        campaign.say(who, task, first)
        campaign.say(who, campaign.copy(task, Kind.TWIN), again)
    campaign.say(other, one, 0)
    found = campaign.audit().frames["twins"]
    (of_match,) = rows(found, question="match", by="all")
    assert (of_match["alike"], of_match["of"], of_match["share"]) == (1, 2, 0.5)
    (own,) = rows(found, question="culture", by="person")
    assert (own["group"], own["share"]) == (who, 1)


def test_pay_is_held_against_the_floor(campaign: Any) -> None:
    """4 yen a pair: 10 seconds make 1,440 an hour, 12 seconds 1,200; the floor is 1,226."""
    tasks = campaign.pairs(4)
    quick, thorough = campaign.person(), campaign.person()
    for task in tasks:
        campaign.say(quick, task, seconds=10)
        campaign.say(thorough, task, seconds=12)
    found = campaign.audit().frames["pay"]
    (everybody,) = rows(found, by="all")
    assert everybody["per_hour"] == pytest.approx(4 * 8 / (88 / 3600))
    first, second = rows(found, by="person")
    assert (first["group"], first["is_below"]) == (thorough, True)
    assert first["per_hour"] == pytest.approx(1200)
    assert (second["group"], second["is_below"]) == (quick, False)
    assert set(found["currency"] + found["region"] + found["floor_since"]) == {"JPYTokyo2025-10-03"}


def test_time_for_what_was_corrected_is_time_and_work_without_time_is_neither(campaign: Any) -> None:
    one, two = campaign.pairs(2)
    who = campaign.person()
    campaign.say(who, one, 3, seconds=10)
    campaign.say(who, two, 3, seconds=None)
    answers = campaign.questions.answers({"match": 0, "culture": "not"})
    with database.writing(campaign.engine) as connection:
        queue.correct(connection, who, one, answers, campaign.audit().at, queue.How(active_ms=5000))
    (own,) = rows(campaign.audit().frames["pay"], by="person")
    assert (own["judged"], own["untimed"]) == (1, 1)
    assert own["per_hour"] == pytest.approx(4 / (15 / 3600))


def test_pay_says_why_when_there_is_none_to_tell(campaign: Any) -> None:
    assert campaign.audit(pay=None).empty["pay"] == "annotation.pay is not in the recipe"
    (task,) = campaign.pairs(1)
    campaign.say(campaign.person(), task, ago=timedelta(days=3))
    later = campaign.settings.pay.model_copy(update={"valid_from": date(2026, 11, 22)})
    (found,) = rows(campaign.audit(pay=later).frames["pay"])
    assert found["why"] == "no time is known of answers since 2026-11-22"
    assert pd.isna(found["is_below"])
