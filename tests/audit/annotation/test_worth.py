"""What the corpus and the filters are worth."""

from __future__ import annotations

from typing import Any

import pytest

from waon_build.annotation.models import Kind, Role
from waon_build.annotation.quality import share


def rows(frame: Any, **which: Any) -> list[dict[str, Any]]:
    for name, value in which.items():
        frame = frame[frame[name] == value]
    return list(frame.to_dict(orient="records"))


def agreed(campaign: Any, tasks: list[int], grade: int = 3) -> None:
    for who in (campaign.person(), campaign.person()):
        for task in tasks:
            campaign.say(who, task, grade)


def test_precision_is_undefined_before_anything_is_accepted(campaign: Any) -> None:
    campaign.pairs(1)
    found = campaign.audit().frames["precision"]
    assert [row["why"] for row in rows(found)] == [
        "nothing is accepted yet",
        "no accepted pair has a gold key",
        "nothing was adjudicated yet",
    ]
    assert found["precision"].isna().all()


def test_where_people_agree_the_model_is_sure_of_what_was_accepted(campaign: Any) -> None:
    tasks = campaign.pairs(40)
    agreed(campaign, tasks[:30])
    agreed(campaign, tasks[30:], grade=0)
    campaign.decide()
    (model,) = rows(campaign.audit().frames["precision"], estimate="model")
    assert model["pairs"] == 30
    assert 0.97 < model["precision"] < 1
    expected = share(model["right"], 30)
    assert (model["precision_low"], model["precision_high"]) == pytest.approx((expected.low, expected.high))
    assert model["precision_low"] < model["precision"] < model["precision_high"]


def test_gold_keys_measure_what_was_accepted(campaign: Any) -> None:
    """Of three accepted pairs with a key two are right; a key that allows both sides says nothing."""
    tasks = campaign.pairs(4)
    agreed(campaign, tasks)
    for task, key in zip(tasks, ({"match": 3}, {"match": [2, 3]}, {"match": 0}, {"match": [1, 2]}), strict=True):
        campaign.copy(task, Kind.GOLD, key=key)
    campaign.decide()
    (gold,) = rows(campaign.audit().frames["precision"], estimate="gold")
    assert (gold["right"], gold["pairs"]) == (2, 3)
    assert (gold["precision_low"], gold["precision_high"]) == pytest.approx((share(2, 3).low, share(2, 3).high))


def test_a_key_that_calls_an_accepted_pair_harmful_says_that_it_is_wrong(campaign: Any) -> None:
    (task,) = campaign.pairs(1)
    agreed(campaign, [task])
    campaign.copy(task, Kind.GOLD, key={"match": 3, "flags": ["harmful"]})
    campaign.decide()
    (gold,) = rows(campaign.audit().frames["precision"], estimate="gold")
    assert (gold["right"], gold["pairs"]) == (0, 1)


def test_adjudication_measures_what_people_leaned_to(campaign: Any) -> None:
    """People would accept both; the adjudicator accepts one."""
    tasks = campaign.pairs(12)
    agreed(campaign, tasks)
    judge = campaign.person(Role.ADJUDICATOR)
    for task, grade in ((tasks[0], 3), (tasks[1], 0)):
        campaign.say(judge, campaign.copy(task, Kind.ADJUDICATION, wanted=1), grade)
    campaign.decide()
    (found,) = rows(campaign.audit().frames["precision"], estimate="adjudicated")
    assert (found["right"], found["pairs"], found["precision"]) == (1, 2, 0.5)


def test_each_filter_is_told_what_natives_would_have_kept(campaign: Any) -> None:
    """Only what is decided counts; what is asked and not decided is told beside it."""
    kept = campaign.pairs(3, Kind.SCREENED_OUT, first=100, screened_by="image.too_small")
    other = campaign.pairs(2, Kind.SCREENED_OUT, first=200, screened_by="dedup.near_duplicate")
    agreed(campaign, kept[:2])
    agreed(campaign, kept[2:], grade=0)
    campaign.say(campaign.person(), other[0])
    campaign.decide()
    found = campaign.audit().frames["filters"]
    assert [row["filter"] for row in rows(found)] == ["all", "dedup.near_duplicate", "image.too_small"]
    (small,) = rows(found, filter="image.too_small")
    assert (small["tasks"], small["judged"], small["kept"]) == (3, 3, 2)
    assert (small["share"], small["share_low"], small["share_high"]) == pytest.approx(share(2, 3)[2:5])
    (duplicate,) = rows(found, filter="dedup.near_duplicate")
    assert (duplicate["judged"], duplicate["undecided"]) == (0, 1)
    assert duplicate["why"] == "none of its pairs is decided"
