"""What annotators may say of themselves: the fields of `profile.toml`, each of a few coarse answers."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from waon_build.annotation.people import Said


class Field(NamedTuple):
    """A field as it is shown. options: (value, label). value: what was said, "" for nothing."""

    name: str
    options: tuple[tuple[str, str], ...]
    value: str
    may_publish: bool


def fields(language: str, said: Mapping[str, Said]) -> list[Field]:
    """All fields, with their labels in a language, and what somebody said."""
    nothing = Said("", False)
    return [
        Field(name, tuple((one["value"], one[language]) for one in options), *said.get(name, nothing))
        for name, options in _known().items()
    ]


def is_answer(name: str, value: str) -> bool:
    """Whether a field has this answer; to say nothing is one."""
    return name in _known() and value in ("", *(one["value"] for one in _known()[name]))


def names() -> tuple[str, ...]:
    return tuple(_known())


@cache
def _known() -> dict[str, list[dict[str, str]]]:
    file = resources.files("waon_build.annotation.web").joinpath("profile.toml")
    return {name: table["options"] for name, table in tomllib.loads(file.read_text(encoding="utf-8")).items()}
