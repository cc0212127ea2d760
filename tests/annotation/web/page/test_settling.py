"""People disagreed: one more looks, and sees what was said without who said it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from waon_build.annotation.decisions import decide
from waon_build.annotation.models import Role
from waon_build.recipe import AnnotationSettings

pytestmark = pytest.mark.slow


@pytest.fixture
def settings() -> AnnotationSettings:
    return AnnotationSettings(max_overlap=2)


@pytest.fixture
def office(served: Any, hung: Any) -> Any:
    hung(["門松"])
    return served(language="ja")


def test_somebody_who_settles_a_pair_sees_what_others_said_without_names(
    office: Any, newcomer: Any, engine: Engine, settings: Any
) -> None:
    for match in (0, 3):
        other = office.person()
        (task,) = other.call("claim").json()["tasks"]
        answers = {"match": match, "culture": "specific", "category": "event"}
        submitted = {"task_id": task["task_id"], "token": task["token"], "answers": answers}
        assert other.call("submit", {**submitted, "guideline_version": "2026-11-1"}).status_code == 200
    decide(engine, settings)
    person = newcomer(role=Role.ADJUDICATOR)
    person.see_picture()
    assert person.page.locator("#opinion-list dt").all_text_contents() == ["Aさん", "Bさん"]
    assert set(person.page.locator("#opinion-list dd").all_text_contents()) == {"合っていない", "よく合っている"}
    person.press("3")
    assert person.page.locator("#opinion-list dd").all_text_contents() == ["固有", "固有"]
    person.press("1", "3", "Enter")
    person.wait_until_saved()
    assert person.said() == {"門松": {"match": 3, "culture": "specific", "category": "event"}}
