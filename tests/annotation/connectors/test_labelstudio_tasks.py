"""Label Studio is asked what our annotators are asked, in their language, and told our words."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from waon_build.annotation.connectors.campaign import Campaign
from waon_build.annotation.connectors.labelstudio import labelling_config, write_tasks
from waon_build.annotation.questions import Questions
from waon_build.annotation.shown import Shown
from waon_build.records import InputError

HOSTILE = "<script>alert(1)</script>\u202eمرحبا🎍\"'&{{7*7}}" + "長" * 10_000


def task(caption: str) -> Shown:
    return Shown(17, f"{5:016x}", caption, "https://a.example/1", "", "", "part", 0, 1, "webp", 640, 480)


def questions(*more: dict[str, object]) -> Questions:
    match = {"name": "match", "kind": "scale", "ask": "?", "options": [{"value": "0", "label": "no"}]}
    return Questions.model_validate({"version": "1", "questions": [match, *more]})


def control(config: str, name: str) -> ElementTree.Element:
    found = ElementTree.fromstring(config).find(f".//*[@name='{name}']")
    assert found is not None
    return found


def views_around(config: str, name: str) -> list[dict[str, str]]:
    """What the visibility of a control depends on, from the outside."""
    root = ElementTree.fromstring(config)
    above = {child: parent for parent in root.iter() for child in parent}
    views, at = [], control(config, name)
    node = next(one for one in root.iter() if one.attrib == at.attrib and one.tag == at.tag)
    while node in above:
        node = above[node]
        if "visibleWhen" in node.attrib:
            views.insert(0, dict(node.attrib))
    return views


def test_every_question_is_asked_with_its_labels_and_answered_with_our_words(campaign: Campaign) -> None:
    config = labelling_config(campaign.questions)
    tags = {"scale": "Choices", "choice": "Choices", "flags": "Choices", "text": "TextArea", "consent": "Choices"}
    for question in campaign.questions.questions:
        asked = control(config, question.name)
        assert asked.tag == tags[question.kind]
        assert (asked.get("required") == "true") == question.required
        if question.options:
            choices = [(choice.get("value"), choice.get("alias")) for choice in asked]
            assert choices == [(option.label, option.value) for option in question.options]
            assert asked.get("choice") == ("multiple" if question.kind == "flags" else "single-radio")
        assert question.ask in config


def test_a_question_is_seen_when_what_it_depends_on_was_answered_so(campaign: Campaign) -> None:
    config = labelling_config(campaign.questions)
    when = {"visibleWhen": "choice-selected", "whenTagName": "culture", "whenChoiceValue": "specific,related"}
    assert views_around(config, "category") == [when]
    assert views_around(config, "culture") == []
    # Label Studio cannot make it depend on a text: it is always seen, and pruned when it comes back.
    assert views_around(config, "better_caption_consent") == []


def test_conditions_are_all_to_be_met_and_without_words_any_answer_will_do() -> None:
    word = {"kind": "choice", "ask": "?", "options": [{"value": "a", "label": "A"}, {"value": "b", "label": "B"}]}
    more = {"name": "more", **word, "only_if": {"first": ["a"], "second": []}}
    config = labelling_config(questions({"name": "first", **word}, {"name": "second", **word}, more))
    assert views_around(config, "more") == [
        {"visibleWhen": "choice-selected", "whenTagName": "first", "whenChoiceValue": "a"},
        {"visibleWhen": "choice-selected", "whenTagName": "second"},
    ]


def test_labels_are_text_whatever_they_hold() -> None:
    label = "<b>\"太\" & 'x'</b>"
    odd = {"name": "odd", "kind": "choice", "ask": label, "options": [{"value": "a", "label": label}]}
    assert control(labelling_config(questions(odd)), "odd")[0].get("value") == label


@pytest.mark.parametrize("name", ["caption", "picture", "annotator", "lead_time", "id"])
def test_a_question_of_a_name_that_label_studio_needs_cannot_be_asked_there(name: str) -> None:
    with pytest.raises(InputError, match=f"question {name}: Label Studio has a field of this name"):
        labelling_config(questions({"name": name, "kind": "text", "ask": "?", "max_characters": "9"}))


def test_tasks_are_a_list_that_names_pair_task_picture_and_guideline(campaign: Campaign, tmp_path: Path) -> None:
    write_tasks(tmp_path, campaign, [task("門松"), task(HOSTILE)])
    tasks = json.loads((tmp_path / "tasks.json").read_text(encoding="utf-8"))
    assert tasks[0] == {
        "data": {
            "pair_id": "0000000000000005",
            "task_id": 17,
            "picture": "/data/local-files/?d=pictures/0000000000000005.webp",
            "caption": "門松",
            "guideline_version": campaign.questions.version,
        }
    }
    assert tasks[1]["data"]["caption"] == HOSTILE
