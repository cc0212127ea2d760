"""What every tool is told of a campaign, and where it finds the picture of a task."""

from __future__ import annotations

from html import escape
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from waon_build.annotation.guideline import Guideline
from waon_build.annotation.questions import Questions
from waon_build.annotation.shown import Shown

PICTURES = "pictures"
"""The folder of pictures, beside the tasks."""


class Campaign(NamedTuple):
    """name: the recipe's. overlap: answers wanted of a task. guideline: what annotators read."""

    name: str
    overlap: int
    guideline: Guideline

    @property
    def questions(self) -> Questions:
        return self.guideline.questions

    def write_readme(self, folder: Path, text: str) -> None:
        """Say in a folder how to go on with it. text: the file beside this one that says it."""
        readme = resources.files(__package__).joinpath(text).read_text(encoding="utf-8")
        (folder / "README.md").write_text(readme.replace("OVERLAP", str(self.overlap)), encoding="utf-8")

    def write_guideline(self, folder: Path) -> None:
        """Write what annotators read, as one page."""
        sections = "".join(
            f"<h2>{escape(section.title)}</h2>\n{section.html}" for section in self.guideline.sections.values()
        )
        head = f'<!doctype html>\n<html lang="{escape(self.guideline.language)}">\n<meta charset="utf-8">\n'
        page = f"{head}<title>{escape(self.guideline.title)}</title>\n{self.guideline.introduction}{sections}"
        (folder / "guideline.html").write_text(page, encoding="utf-8")


def picture_of(task: Shown) -> str:
    """The file name of a task's picture. Pairs that share a picture have a file each."""
    return f"{task.pair_id}.{task.format}"
