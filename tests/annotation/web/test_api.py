"""The JSON API, from a browser's side."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

ANSWERS = {"match": 3, "culture": "specific", "category": "event"}
VERSION = "2026-11-1"


def submit(browser: Any, task: dict[str, Any], answers: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
    body = {
        "task_id": task["task_id"],
        "token": task["token"],
        "answers": ANSWERS if answers is None else answers,
        "guideline_version": VERSION,
        "active_ms": 4000,
        "wall_ms": 5000,
        "device": "keyboard",
        **more,
    }
    return browser.call("submit", body)


def test_who_claims_holds_three_pairs_and_gets_their_pictures(office: Any) -> None:
    hanako = office.person()
    held = hanako.call("claim").json()
    assert len(held["tasks"]) == 3
    assert held["counts"] == {"today": 0, "total": 0, "active_minutes_today": 0.0}
    task = held["tasks"][0]
    assert set(task) == {"task_id", "token", "expires_at", "caption", "picture", "width", "height"}
    picture = hanako.get(task["picture"])
    assert picture.status_code == 200
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.headers["cache-control"] == "private, max-age=600"
    assert picture.content.startswith(b"\xff\xd8")
    assert picture.content.endswith(b"\xff\xd9")
