"""Potato is asked what our annotators are asked, in their language, and is given no caption that it would run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from waon_build.annotation.connectors.campaign import Campaign
from waon_build.annotation.connectors.potato import write_tasks
from waon_build.annotation.questions import Questions
from waon_build.annotation.shown import Shown

HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(2)> </textarea><svg/onload=alert(3)> "
    "\u202eمرحبا🎍\"'&{{7*7}} &lt;b&gt; 1 < 2" + "長" * 10_000
)


def task(caption: str) -> Shown:
    return Shown(17, f"{5:016x}", caption, "https://a.example/1", "", "", "part", 0, 1, "webp", 640, 480)


@pytest.fixture
def project(campaign: Campaign, tmp_path: Path) -> dict[str, Any]:
    write_tasks(tmp_path, campaign, [])
    read: dict[str, Any] = yaml.safe_load((tmp_path / "config.yaml").read_text(encoding="utf-8"))
    return read


def test_every_question_is_asked_with_its_labels_and_answered_with_our_words(
    campaign: Campaign, project: dict[str, Any]
) -> None:
    types = {"scale": "radio", "choice": "radio", "flags": "multiselect", "text": "text", "consent": "multiselect"}
    schemes = {scheme["name"]: scheme for scheme in project["annotation_schemes"]}
    assert list(schemes) == [question.name for question in campaign.questions.questions]
    for question in campaign.questions.questions:
        scheme = schemes[question.name]
        assert scheme["annotation_type"] == types[question.kind]
        assert scheme["description"] == question.ask
        assert ("label_requirement" in scheme) == question.required
        if question.options:
            labels = [(label["name"], label["displayed_label"]) for label in scheme["labels"]]
            assert labels == [(option.value, option.label) for option in question.options]


def test_a_question_is_seen_when_what_it_depends_on_was_answered_so(project: dict[str, Any]) -> None:
    seen = {scheme["name"]: scheme.get("display_logic") for scheme in project["annotation_schemes"]}
    words = {"schema": "culture", "operator": "equals", "value": ["specific", "related"], "case_sensitive": True}
    assert seen["category"] == {"show_when": [words], "logic": "all"}
    assert seen["better_caption_consent"] == {
        "show_when": [{"schema": "better_caption", "operator": "not_empty"}],
        "logic": "all",
    }
    assert seen["match"] is None


def test_a_project_serves_this_machine_only_and_each_task_to_as_many_as_are_wanted(
    campaign: Campaign, project: dict[str, Any]
) -> None:
    assert project["server"]["host"] == "127.0.0.1"
    assert project["num_annotators_per_item"] == campaign.overlap
    assert project["ui_language"] == campaign.guideline.language
    assert project["task_dir"] == "."
    assert (project["data_files"], project["media_directory"]) == (["tasks.jsonl"], "pictures")


def test_an_item_says_in_its_id_all_that_must_come_back(campaign: Campaign, tmp_path: Path) -> None:
    write_tasks(tmp_path, campaign, [task("門松")])
    (line,) = (tmp_path / "tasks.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {
        "id": f"0000000000000005-17-{campaign.questions.version}",
        "picture": "/media/0000000000000005.webp",
        "caption": "門松",
    }


def test_a_caption_has_nothing_that_looks_like_a_tag_and_reads_the_same(campaign: Campaign, tmp_path: Path) -> None:
    """Potato 2.12 puts an item into its page as it is: `</script>` in a caption ends a script of the page, and
    what follows is run (seen in a browser)."""
    write_tasks(tmp_path, campaign, [task(HOSTILE), task("二行目")])
    first, _ = (tmp_path / "tasks.jsonl").read_text(encoding="utf-8").splitlines()
    caption = json.loads(first)["caption"]
    assert not re.search(r"<[a-zA-Z/!?]", caption)
    assert caption.replace("\u2060", "") == HOSTILE


def test_a_flag_may_be_what_a_question_depends_on(tmp_path: Path, campaign: Campaign) -> None:
    option = {"options": [{"value": "a", "label": "A"}]}
    questions = Questions.model_validate(
        {
            "version": "1",
            "questions": [
                {"name": "match", "kind": "scale", "ask": "?", "options": [{"value": "0", "label": "no"}]},
                {"name": "marks", "kind": "flags", "ask": "?", **option},
                {"name": "more", "kind": "choice", "ask": "?", "only_if": {"marks": []}, **option},
            ],
        }
    )
    own = campaign._replace(guideline=campaign.guideline._replace(questions=questions))
    write_tasks(tmp_path, own, [])
    (_, _, more) = yaml.safe_load((tmp_path / "config.yaml").read_text(encoding="utf-8"))["annotation_schemes"]
    assert more["display_logic"]["show_when"] == [{"schema": "marks", "operator": "not_empty"}]
