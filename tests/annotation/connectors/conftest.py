"""A campaign to hand out, and a queue of six pairs that answers from other tools go into."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Engine, select

from waon_build.annotation.connectors.campaign import Campaign
from waon_build.annotation.connectors.files import import_judgements
from waon_build.annotation.connectors.tools import FileKind
from waon_build.annotation.guideline import load
from waon_build.annotation.models import Annotation, Task, live
from waon_build.recipe import AnnotationSettings

ROOT = Path(__file__).parent


@pytest.fixture
def recorded() -> Path:
    """Files that real servers wrote."""
    return ROOT / "recorded"


@pytest.fixture(params=["ja", "en"])
def campaign(request: pytest.FixtureRequest) -> Campaign:
    return Campaign("small", 2, load(request.param))


@pytest.fixture
def six_pairs(queued: Callable[..., None]) -> None:
    queued(range(6))


class Said(NamedTuple):
    """A live answer. pair: its number."""

    pair: int
    who: str
    source: str
    wall_ms: int | None
    answers: dict[str, Any]


@pytest.fixture
def said(engine: Engine) -> Callable[[], list[Said]]:
    """What the queue holds, by pair."""

    def all_of_it() -> list[Said]:
        columns = (Task.pair_id, Annotation.annotator_id, Annotation.source, Annotation.wall_ms, Annotation.answers)
        rows = select(*columns).join(Task, Task.id == Annotation.task_id).where(live(Annotation))
        with engine.connect() as connection:
            found = connection.execute(rows.order_by(Task.pair_id, Annotation.id)).all()
        return [Said(int(row[0], 16), *row[1:]) for row in found]

    return all_of_it


@pytest.fixture
def take_in(
    engine: Engine, tmp_path: Path, settings: AnnotationSettings, now: datetime
) -> Callable[..., dict[str, Any]]:
    """Imports a file, or what is to be written into one; returns the counts as plain data."""

    def taken(what: Any, name: str = "answers.json", kind: FileKind | None = None) -> dict[str, Any]:
        path = what
        if not isinstance(what, Path):
            path = tmp_path / name
            path.write_text(what if isinstance(what, str) else json.dumps(what, ensure_ascii=False), encoding="utf-8")
        return import_judgements(engine, str(path), settings, now, kind).to_json()

    return taken
