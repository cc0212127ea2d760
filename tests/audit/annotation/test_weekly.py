"""What the weekly report tells of annotation: what came in since the report before, and what is running out."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from waon_build.annotation.models import Kind
from waon_build.audit.weekly import Change, Report, Snapshot, snapshot
from waon_build.audit.weekly_text import markdown
from waon_build.cli import app
from waon_build.corpus import Corpus
from waon_build.records import InputError

from .conftest import NOW


def stood(campaign: Any, folder: Path, **settings: Any) -> Snapshot:
    return snapshot(Corpus(str(folder)), (), NOW, campaign.audit(**settings), gold_share=0.1)


def test_answers_decisions_and_what_is_running_out_are_told(campaign: Any, tmp_path: Path) -> None:
    people = [campaign.person() for _ in range(2)]
    first = campaign.pairs(2, category="food")
    for who in people:
        campaign.say(who, first[0], ago=timedelta(days=8))
    campaign.decide()
    before = stood(campaign, tmp_path)
    for who in people:
        campaign.say(who, first[1])
    campaign.pairs(3, first=10)
    campaign.decide()
    report = Report("small", stood(campaign, tmp_path), before)
    assert report.judged() == {"answers": Change(2, 4), "accepted": Change(1, 2), "rejected": Change(0, 0)}
    lines = markdown(report).splitlines()
    for line in (
        "- Answers: +2, 4 in all.",
        "- Accepted: +1, 2 in all.",
        "- Rejected: 0, 0 in all.",
        "- Tasks: 3 are left, for 6 answers; 0.3 answers a day came in; about 21.0 days.",
        "- Quota of event: 1 of 1 are lacking: fewer open tasks than it lacks (0).",
        "- Quota of food: 1 of 3 are lacking: fewer open tasks than it lacks (0).",
        "- Gold: there are no gold tasks: nobody is measured.",
    ):
        assert line in lines


def test_who_has_gold_for_less_than_a_week_is_named(campaign: Any, tmp_path: Path) -> None:
    quick, slow = campaign.person(), campaign.person()
    tasks = campaign.pairs(30)
    for task in tasks:
        campaign.say(quick, task)
    campaign.say(slow, tasks[0])
    for task in campaign.pairs(2, first=100):
        campaign.copy(task, Kind.GOLD, key={"match": 3})
    short = stood(campaign, tmp_path).annotation["short_of_gold"]  # type: ignore[index]
    assert short == [{"person": quick, "left": 2, "days": 0.7}], "30 answers a day, of which a tenth are gold"


def test_gold_that_a_person_has_met_is_not_left_to_them(campaign: Any) -> None:
    met, fresh, blocked = campaign.person(), campaign.person(), campaign.person()
    pairs = campaign.pairs(3)
    for task in pairs[:2]:
        campaign.copy(task, Kind.GOLD, key={"match": 3})
    campaign.copy(pairs[2], Kind.QUALIFICATION, key={"match": 3})
    campaign.say(met, pairs[0])
    campaign.block(blocked)
    frame = campaign.audit().frames["gold_left"]
    assert frame.to_dict("records") == [
        {"by": "person", "group": met, "gold": 1, "qualification": 1},
        {"by": "person", "group": fresh, "gold": 2, "qualification": 1},
    ]


def test_the_command_shows_a_report_and_keeps_it_only_when_it_is_asked_to(campaign: Any, tmp_path: Path) -> None:
    for who in (campaign.person(), campaign.person()):
        campaign.say(who, campaign.pairs(1)[0])
    campaign.decide()
    campaign.engine.dispose()
    recipe = tmp_path / "small.yaml"
    fields = {"name": "small", "corpus": str(tmp_path), "sources": [{"kind": "table", "paths": ["none.csv"]}]}
    recipe.write_text(yaml.safe_dump(fields), encoding="utf-8")
    shown = CliRunner().invoke(app, ["audit", "report", str(recipe), "--json"])
    assert json.loads(shown.stdout)["judged"]["answers"] == {"since": 2, "total": 2}
    assert not (tmp_path / "reports").exists()
    kept = CliRunner().invoke(app, ["audit", "report", str(recipe), "--keep"])
    (report,) = (tmp_path / "reports").glob("*.md")
    assert report.read_text(encoding="utf-8") in kept.stdout
    assert "none.csv: No such file or directory" in kept.stdout
    nowhere = CliRunner().invoke(app, ["audit", "report", str(recipe), "--set", f"corpus={tmp_path}/nowhere"])
    assert isinstance(nowhere.exception, InputError)
    with pytest.raises(InputError, match="there is no corpus here"):
        raise nowhere.exception
