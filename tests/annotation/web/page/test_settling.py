"""People disagreed: one more looks, and sees what was said without who said it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy import Engine, select

from waon_build.annotation.models import Kind, Role, Task

pytestmark = pytest.mark.slow


@pytest.fixture
def office(served: Any, hung: Any, settings: Any) -> Any:
    hung(["門松"])
    return served(settings.model_copy(update={"max_overlap": 2}), language="ja")


def until_adjudicated(engine: Engine) -> None:
    """Wait until the server has seen that people disagree."""
    for _ in range(200):
        with engine.connect() as connection:
            if connection.scalar(select(Task.id).where(Task.kind == Kind.ADJUDICATION)):
                return
        time.sleep(0.05)
    raise AssertionError("nothing is to be settled")


def test_somebody_who_settles_a_pair_sees_what_others_said_without_names(
    office: Any, newcomer: Any, engine: Engine
) -> None:
    for match in (0, 3):
        other = office.person()
        (task,) = other.call("claim").json()["tasks"]
        answers = {"match": match, "culture": "specific", "category": "event"}
        submitted = {"task_id": task["task_id"], "token": task["token"], "answers": answers}
        assert other.call("submit", {**submitted, "guideline_version": "2026-11-1"}).status_code == 200
    until_adjudicated(engine)
    person = newcomer(role=Role.ADJUDICATOR)
    person.see_picture()
    assert person.page.locator("#opinion-list dt").all_text_contents() == ["Aさん", "Bさん"]
    assert set(person.page.locator("#opinion-list dd").all_text_contents()) == {"合っていない", "よく合っている"}
    person.press("3")
    assert person.page.locator("#opinion-list dd").all_text_contents() == ["固有", "固有"]
    person.press("1", "3", "Enter")
    person.wait_until_saved()
    assert person.said() == {"門松": {"match": 3, "culture": "specific", "category": "event"}}
