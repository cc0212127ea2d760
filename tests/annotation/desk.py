"""What people do at the queue, each in one line."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Row, insert, select, update

from waon_build.annotation import decisions, people, queue
from waon_build.annotation.database import writing
from waon_build.annotation.models import Annotator, Decision, Event, Kind, Role, Standing, Task, live
from waon_build.annotation.order import Plan
from waon_build.annotation.questions import Answers, load
from waon_build.annotation.routing import place, put
from waon_build.recipe import AnnotationSettings, QualitySettings

PLAN = Plan(10, quality=QualitySettings(gold_first=0, gold=0, twins=0))
"""One task at a time, as they come, without gold or twins."""


class Desk:
    """A queue, a clock, and a plan by which tasks are given."""

    def __init__(self, engine: Engine, now: datetime) -> None:
        self.engine = engine
        self.now = now
        self.plan = PLAN
        self.settings = AnnotationSettings()
        self.version = load("ja").version

    def fill(self, *pairs: dict[str, Any], overlap: int = 2, kind: Kind = Kind.NORMAL, **placed: Any) -> None:
        put(self.engine, kind, pairs, overlap, self.now)
        place(self.engine, overlap, **placed)

    def comes(self, role: Role = Role.ANNOTATOR) -> str:
        with writing(self.engine) as connection:
            return people.add(connection, self.now, role)

    def waits(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)

    def claim(self, who: str, ahead: int = 1) -> list[queue.Leased]:
        with writing(self.engine) as connection:
            return queue.claim(connection, who, self.now, self.plan._replace(ahead=ahead))

    def says(self, who: str, leased: queue.Leased, match: int | str = 3, **others: Any) -> int:
        answers = self.answers(match, **others)
        with writing(self.engine) as connection:
            return queue.submit(connection, who, leased.task.task_id, leased.token, answers, self.now)

    def answers(self, match: int | str = 3, **others: Any) -> Answers:
        return load("ja").answers({"match": match, "culture": "specific", **others}, self.version)

    def judges(self, who: str, match: int | str = 3, **others: Any) -> int:
        """The next task; returns its id."""
        leased = self.claim(who)[0]
        self.says(who, leased, match, **others)
        return leased.task.task_id

    def judges_all(self, who: str, **others: Any) -> list[int]:
        """All that there is for them; returns the tasks in the order in which they came."""
        tasks = []
        while held := self.claim(who):
            self.says(who, held[0], **others)
            tasks.append(held[0].task.task_id)
        return tasks

    def judges_task(self, who: str, task_id: int, match: int | str = 3, **others: Any) -> int:
        """A certain task; returns the annotation."""
        with writing(self.engine) as connection:
            leased = queue.lease_task(connection, who, task_id, self.now, minutes=10)
        return self.says(who, leased, match, **others)

    def undoes(self, who: str, annotation: int) -> queue.Leased:
        with writing(self.engine) as connection:
            return queue.undo(connection, who, annotation, self.now, minutes=10)

    def skips(self, who: str, leased: queue.Leased, reason: str = "other") -> None:
        with writing(self.engine) as connection:
            queue.skip(connection, who, leased.task.task_id, leased.token, reason, "", self.now)

    def reports(self, who: str, leased: queue.Leased, kind: str = "harmful") -> None:
        with writing(self.engine) as connection:
            queue.report(connection, who, leased.task.task_id, leased.token, kind, "", self.now)

    def releases(self, who: str, *held: queue.Leased) -> None:
        with writing(self.engine) as connection:
            queue.release(connection, who, [one.token for one in held], self.now)

    def is_set(self, who: str, standing: Standing) -> None:
        """A coordinator pauses, blocks or resumes them."""
        event = {"at": self.now, "actor": "", "verb": "standing", "subject": who, "detail": {}}
        with writing(self.engine) as connection:
            connection.execute(update(Annotator).where(Annotator.id == who).values(standing=standing))
            connection.execute(insert(Event), event)

    def decides(self) -> dict[int, str]:
        """Returns what is in force."""
        decisions.decide(self.engine, self.settings, self.now)
        return self.outcomes()

    def outcomes(self) -> dict[int, str]:
        with self.engine.connect() as connection:
            rows = connection.execute(select(Decision.task_id, Decision.outcome).where(live(Decision)))
            return {row.task_id: row.outcome for row in rows}

    def task(self, task_id: int) -> Row[Any]:
        with self.engine.connect() as connection:
            return connection.execute(select(*Task.__table__.c).where(Task.id == task_id)).one()

    def person(self, who: str) -> Row[Any]:
        with self.engine.connect() as connection:
            return connection.execute(select(*Annotator.__table__.c).where(Annotator.id == who)).one()

    def copy(self, task_id: int, kind: Kind) -> Row[Any] | None:
        """The task of another kind for the same pair."""
        pair = select(Task.pair_id).where(Task.id == task_id).scalar_subquery()
        with self.engine.connect() as connection:
            found = select(*Task.__table__.c).where(Task.pair_id == pair, Task.kind == kind)
            return connection.execute(found).first()
