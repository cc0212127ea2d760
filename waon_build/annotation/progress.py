"""How far the queue is: tasks, answers and decisions, counted in the database."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, func, select

from waon_build.annotation.models import Annotation, Decision, Kind, Lease, Outcome, State, Task, live


@dataclass(frozen=True)
class Progress:
    """tasks: (kind, state) -> how many. wanted: answers still wanted by open tasks. annotations: live ones;
    corrections: those they superseded. annotators: who have answered. leases: under way, run out or not.
    decisions: outcome -> normal tasks."""

    tasks: dict[tuple[str, str], int]
    wanted: int
    annotations: int
    corrections: int
    annotators: int
    leases: int
    decisions: dict[str, int]

    def counts(self) -> dict[str, int]:
        """What is counted, in words -> how many: for a table."""
        tasks = {
            f"tasks {kind.replace('_', ' ')}, {state}": self.tasks[kind, state]
            for kind in Kind
            for state in State
            if (kind, state) in self.tasks
        }
        decided = {str(outcome): self.decisions[outcome] for outcome in Outcome if outcome in self.decisions}
        return {
            **tasks,
            "answers wanted": self.wanted,
            "annotations": self.annotations,
            "corrections": self.corrections,
            "annotators": self.annotators,
            "leases": self.leases,
            **decided,
        }


def progress(engine: Engine) -> Progress:
    """The queue as it stands."""
    with engine.connect() as connection:
        tasks = connection.execute(select(Task.kind, Task.state, func.count()).group_by(Task.kind, Task.state)).all()
        wanted = connection.scalar(select(func.sum(Task.wanted - Task.answered)).where(Task.state == State.OPEN))
        said, people = connection.execute(
            select(func.count(), func.count(Annotation.annotator_id.distinct())).select_from(Annotation)
        ).one()
        corrections = connection.scalar(select(func.count()).where(Annotation.supersedes.is_not(None)))
        decided = connection.execute(
            select(Decision.outcome, func.count())
            .join(Task, Task.id == Decision.task_id)
            .where(live(Decision), Task.kind == Kind.NORMAL)
            .group_by(Decision.outcome)
        ).all()
        return Progress(
            tasks={(kind, state): count for kind, state, count in tasks},
            wanted=wanted or 0,
            annotations=said - (corrections or 0),
            corrections=corrections or 0,
            annotators=people,
            leases=connection.scalar(select(func.count()).select_from(Lease)) or 0,
            decisions={str(outcome): count for outcome, count in decided},
        )
