"""What the queue refuses, by name."""

from __future__ import annotations

from typing import ClassVar


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, and has its own name
    """The queue will not do what was asked. word: why, for programs; the text is for people."""

    word: ClassVar[str]


class UnknownAnnotator(Refusal):
    word = "unknown_annotator"


class NotActive(Refusal):
    """The annotator is paused or blocked."""

    word = "not_active"


class UnknownTask(Refusal):
    word = "unknown_task"


class TaskWithdrawn(Refusal):
    """The task was taken out of the queue in the meantime."""

    word = "task_withdrawn"


class TaskReported(Refusal):
    """Somebody reported the pair as harmful: nobody sees it any more."""

    word = "task_reported"


class LeaseLost(Refusal):
    """The lease ran out, or never was."""

    word = "lease_lost"


class AlreadyAnswered(Refusal):
    """This annotator has answered this task. `correct()` changes an answer."""

    word = "already_answered"


class OverlapReached(Refusal):
    """The task has all the answers it may have."""

    word = "overlap_reached"


class NotAnswered(Refusal):
    """There is nothing to correct."""

    word = "not_answered"


class TooLateToUndo(Refusal):
    """It is not one of the annotator's last answers."""

    word = "too_late_to_undo"
