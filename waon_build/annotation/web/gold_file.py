"""Keys of gold tasks that were pasted into a form, taken in as a file of them is."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine

from waon_build.annotation.gold import import_gold
from waon_build.recipe import AnnotationSettings
from waon_build.records import InputError


def import_text(engine: Engine, text: str, settings: AnnotationSettings) -> str:
    """Take the keys in, all of them or none; returns what is wrong with them, "" when nothing is."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "keys")
        path.write_text(text, encoding="utf-8")
        try:
            counts = import_gold(engine, str(path), settings)
        except InputError as error:
            return str(error).replace(f"{path}:", "line ")
    return (
        ""
        if counts.kept or not counts.read
        else ", ".join(f"{reason}: {count}" for reason, count in counts.dropped.items())
    )
