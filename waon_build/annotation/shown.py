"""What is shown of a task."""

from __future__ import annotations

from typing import NamedTuple

from waon_build.annotation.models import Task


class Shown(NamedTuple):
    """What an annotator sees of a task, and where its image lies. Its kind is not told."""

    task_id: int
    pair_id: str
    caption: str
    url: str
    page_url: str
    page_title: str
    stored_in: str
    offset: int
    size: int
    format: str
    width: int
    height: int


SHOWN = tuple(Task.id.label("task_id") if name == "task_id" else getattr(Task, name) for name in Shown._fields)
"""The columns of it, in its order."""
