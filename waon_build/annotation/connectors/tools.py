"""The tools by name. Nothing else, so that a command line can know them at once."""

from __future__ import annotations

from enum import StrEnum


class Tool(StrEnum):
    """Whom tasks are written for."""

    LABEL_STUDIO = "labelstudio"
    POTATO = "potato"


class FileKind(StrEnum):
    """What wrote a file of judgements."""

    JSONL = "jsonl"
    """Anybody, in our own format."""
    LABEL_STUDIO = "labelstudio"
    POTATO = "potato"
