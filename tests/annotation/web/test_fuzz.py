"""The API is asked whatever its own description allows, and much that it does not."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from waon_build.annotation.models import Role
from waon_build.annotation.web import campaign
from waon_build.annotation.web.limits import Rate

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

OPERATIONS = ("claim", "submit", "skip", "report", "renew", "release", "undo", "correct", "recent")


@pytest.fixture
def hanako(served: Callable[..., Any], queued: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Somebody who may ask as often as they like."""
    for rate in ("PER_SESSION", "PER_ADDRESS"):
        monkeypatch.setattr(campaign, rate, Rate(1e9, 1e9))
    queued(range(60), overlap=3)
    return served().person(Role.COORDINATOR)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "mode"),
    [
        (name, mode)
        for name in OPERATIONS
        for mode in schemathesis.GenerationMode
        if mode == schemathesis.GenerationMode.POSITIVE or name != "recent"  # of which nothing can be wrong
    ],
)
def test_whatever_is_asked_is_answered_as_described(hanako: Any, name: str, mode: Any) -> None:
    """Never with a fault of ours, and never in another form than the description says."""
    description = schemathesis.openapi.from_dict(hanako.get("/api/openapi.json").json())
    assert {one.ok().definition.raw["operationId"] for one in description.get_all_operations()} == set(OPERATIONS)
    operation = description.find_operation_by_id(name)

    # Which question is asked of whom, and of what a text must not consist, the schema does not say.
    beyond = [schemathesis.checks.positive_data_acceptance] if name in ("submit", "correct") else []

    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if mode == schemathesis.GenerationMode.POSITIVE:
            _get_further(case, hanako)
        # Who they are is put in where something is: to leave it out is one of the things that are tried.
        if "X-CSRF-Token" in (case.headers or {}):
            case.headers["X-CSRF-Token"] = hanako.csrf
        if "waon_session" in (case.cookies or {}):
            case.cookies["waon_session"] = hanako.cookies["waon_session"]
        response = case.call(base_url=str(hanako.base_url))
        assert response.status_code < 500
        case.validate_response(response, excluded_checks=beyond)

    ask()


def _get_further(case: Any, hanako: Any) -> None:
    """Half of the time name a task that there is: so the call reaches the queue."""
    chance = random.Random(repr(case.body))
    if isinstance(case.body, dict) and "task_id" in case.body and chance.random() < 0.5:
        held = hanako.call("claim").json()["tasks"]
        if held:
            lease = chance.choice(held)
            case.body.update({name: lease[name] for name in ("task_id", "token") if name in case.body})
