"""Takes a file of judgements in, whichever tool wrote it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Engine

from waon_build.annotation.connectors import jsonl, labelstudio, potato
from waon_build.annotation.connectors.reading import opened
from waon_build.annotation.connectors.tools import FileKind
from waon_build.annotation.judgements import Judgement, take_in
from waon_build.annotation.models import Source
from waon_build.annotation.questions import Questions, load
from waon_build.recipe import AnnotationSettings
from waon_build.records import Counts, Reason


class _Reader(NamedTuple):
    read: Callable[[str, Questions], Iterator[Judgement | Reason]]
    source: Source


_READERS = {
    FileKind.JSONL: _Reader(jsonl.read, Source.JUDGEMENTS),
    FileKind.LABEL_STUDIO: _Reader(labelstudio.read, Source.LABEL_STUDIO),
    FileKind.POTATO: _Reader(potato.read, Source.POTATO),
}


def import_judgements(
    engine: Engine, path: str, settings: AnnotationSettings, now: datetime | None = None, kind: FileKind | None = None
) -> Counts:
    """Take a file of judgements in; returns how many were read, taken, and left, by reason. kind: what wrote
    it, told from the file when it is not given.

    Raises InputError for the first that cannot be taken, and then nothing of the file is taken."""
    reader = _READERS[kind or kind_of(path)]
    return take_in(engine, reader.read(path, load(settings.guideline)), reader.source, settings, now)


def kind_of(path: str) -> FileKind:
    """What wrote a file, told from how it begins. A folder is Potato's. Raises InputError when it cannot be read."""
    if os.path.isdir(path) or path.endswith((".csv", ".tsv")):
        return FileKind.POTATO
    with opened(path) as file:
        first = next((line.strip() for line in islice(file, 1000) if line.strip()), "")
        if first.startswith("["):
            return FileKind.LABEL_STUDIO
        try:
            entry = json.loads(first)
        except (ValueError, RecursionError):  # an object over several lines
            return FileKind.POTATO if first == "{" else FileKind.JSONL
    return FileKind.POTATO if isinstance(entry, dict) and potato.wrote(entry) else FileKind.JSONL
