"""A small campaign in a real database, filled through the queue's own calls."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from waon_build.annotation import database, decisions, people, queue
from waon_build.annotation.copies import copy
from waon_build.annotation.models import UNLIMITED, Annotator, Kind, Role, Standing, Task
from waon_build.annotation.questions import load
from waon_build.annotation.queue import How
from waon_build.annotation.routing import place, put
from waon_build.audit.annotation.audit import Audit, audit
from waon_build.recipe import AnnotationSettings, PaySettings

NOW = datetime.fromisoformat("2026-11-23T12:00+00:00")
PAY = PaySettings(per_pair=4, floor_per_hour=1226, region="Tokyo", valid_from="2025-10-03", source="a decree")


class Campaign:
    """Pairs in a queue, and people who judge them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.questions = load("ja")
        self.settings = AnnotationSettings(pay=PAY, quotas={"food": 3, "event": 1})

    def pairs(self, count: int, kind: Kind = Kind.NORMAL, first: int = 0, **others: Any) -> list[int]:
        """New tasks; returns their ids."""
        numbers = range(first, first + count)
        rows = [{**_PAIR, "pair_id": f"{at:016x}", "cluster_id": f"{at:016x}", **others} for at in numbers]
        put(self.engine, kind, rows, self.settings.overlap, NOW)
        place(self.engine, self.settings.overlap)
        with self.engine.connect() as connection:
            names = [row["pair_id"] for row in rows]
            found = select(Task.id).where(Task.kind == kind, Task.pair_id.in_(names)).order_by(Task.pair_id)
            return list(connection.scalars(found))

    def person(self, role: Role = Role.ANNOTATOR) -> str:
        with database.writing(self.engine) as connection:
            return people.add(connection, NOW, role)

    def copy(self, task: int, kind: Kind, wanted: int = UNLIMITED, key: dict[str, Any] | None = None) -> int:
        with database.writing(self.engine) as connection:
            return copy(connection, task, kind, wanted, key)

    def say(
        self,
        who: str,
        task: int,
        match: int | str = 3,
        seconds: float | None = 10,
        ago: timedelta = timedelta(hours=1),
        **others: Any,
    ) -> int:
        """An answer through lease and submit; returns the annotation's id."""
        answers = self.questions.answers({"match": match, "culture": "specific", **others})
        how = How(active_ms=None if seconds is None else round(1000 * seconds))
        with database.writing(self.engine) as connection:
            leased = queue.lease_task(connection, who, task, NOW - ago, minutes=10)
            return queue.submit(connection, who, task, leased.token, answers, NOW - ago, how)

    def decide(self) -> None:
        decisions.decide(self.engine, self.settings, NOW)

    def block(self, who: str) -> None:
        with database.writing(self.engine) as connection:
            connection.execute(update(Annotator).where(Annotator.id == who).values(standing=Standing.BLOCKED))

    def audit(self, **settings: Any) -> Audit:
        return audit(self.engine, "small", self.settings.model_copy(update=settings), NOW)


_PAIR = {
    "url": "https://images.example/a.jpg",
    "caption": "門松",
    "caption_source": "alt",
    "page_url": "https://site.example/a.html",
    "page_title": "正月の風景",
    "stored_in": "g0001-000001",
    "offset": 0,
    "size": 400,
    "format": "jpg",
    "width": 640,
    "height": 480,
}


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Campaign]:
    engine = database.connect(f"sqlite:///{tmp_path}/annotation.db")
    yield Campaign(engine)
    engine.dispose()
