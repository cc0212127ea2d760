"""Writes the tasks that want answers into a folder, for people who judge with another tool.

The folder holds what the tool is given (tasks, labelling interface), the pictures, the guideline, and a
README on how to go on. It is made whole or not at all. Pictures are copies out of the corpus: no tool asks a stranger's
server for one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from waon_build.annotation.connectors import labelstudio, potato
from waon_build.annotation.connectors.campaign import PICTURES, Campaign, picture_of
from waon_build.annotation.connectors.tools import Tool
from waon_build.annotation.shown import Shown
from waon_build.records import InputError

ImageBytes = Callable[[str, int, int], bytes]
"""`Corpus.image_bytes`."""


class HandedOut(NamedTuple):
    """How many there are in the folder."""

    tasks: int
    pictures: int


class _Stored(NamedTuple):
    """Where the bytes of a picture lie."""

    stored_in: str
    offset: int
    size: int


def hand_out(
    tool: Tool,
    campaign: Campaign,
    tasks: Iterable[Shown],
    folder: Path,
    image_bytes: ImageBytes,
    progress: Callable[[int, int], None] | None = None,
) -> HandedOut:
    """Write tasks and their pictures into a new folder. progress: told how many pictures of how many are there.

    Raises InputError when the folder holds something already or cannot be written, when a picture cannot be
    read, or when the tool cannot ask these questions."""
    write = {Tool.LABEL_STUDIO: labelstudio.write_tasks, Tool.POTATO: potato.write_tasks}[tool]
    noted = _Noted()
    with _new(folder) as aside:
        (aside / PICTURES).mkdir()
        campaign.write_guideline(aside)
        write(aside, campaign, noted.among(tasks))
        _copy(noted.pictures, aside / PICTURES, image_bytes, progress or (lambda done, total: None))
    return HandedOut(noted.tasks, len(noted.pictures))


class _Noted:
    """What passes by while the tasks are written, once, one after the other."""

    def __init__(self) -> None:
        self.tasks = 0
        self.pictures: dict[str, _Stored] = {}

    def among(self, tasks: Iterable[Shown]) -> Iterator[Shown]:
        for task in tasks:
            self.tasks += 1
            self.pictures[picture_of(task)] = _Stored(task.stored_in, task.offset, task.size)
            yield task


def _copy(
    pictures: dict[str, _Stored], folder: Path, image_bytes: ImageBytes, progress: Callable[[int, int], None]
) -> None:
    """In the order in which they lie in the corpus: one tar after the other, from front to end."""
    in_order = sorted(pictures.items(), key=lambda entry: entry[1])
    for done, (name, stored) in enumerate(in_order):
        progress(done, len(in_order))
        try:
            data = image_bytes(*stored)
        except OSError as error:
            raise InputError(f"{stored.stored_in}: picture {name} cannot be read ({error}): mend the corpus") from error
        (folder / name).write_bytes(data)
    progress(len(in_order), len(in_order))


@contextmanager
def _new(folder: Path) -> Iterator[Path]:
    """A folder that is filled aside, and is in its place when it is whole."""
    folder = folder.absolute()
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"{folder}: holds something already: give --out a new folder")
        aside.mkdir(parents=True)
        yield aside
        aside.replace(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}): give --out another place") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
