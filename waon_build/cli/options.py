"""What all commands share: their arguments, and how they speak to people and to programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from typer.core import TyperGroup

from waon_build.records import InputError

RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="The recipe: one YAML file.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Set a field of the recipe: `fetch.contact=me@example.org`."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]


class FirstUnlessNamed(TyperGroup):
    """A group whose first command is meant when none is named: `audit RECIPE` is `audit corpus RECIPE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = bool(args) and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if named or not args else [next(iter(self.commands)), *args])


people = Console(stderr=True)
SECRET = ("runtime.storage_options", "annotation.database")
"""Fields that may hold passwords and keys: never printed, never a flow's parameter."""
_PASSWORD = re.compile(r"://[^/@\s]*:[^/@\s]+@")
"""In an address."""


def overrides_of(settings: Iterable[str] | None) -> dict[str, Any]:
    """What `--set` sets: dotted field -> value. Raises InputError."""
    found: dict[str, Any] = {}
    for setting in settings or ():
        field, equals, value = setting.partition("=")
        if not equals or not field:
            raise InputError(f"--set {setting}: is not FIELD=VALUE, e.g. --set fetch.contact=me@example.org")
        try:
            found[field] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--set {field}: its value is not YAML: put it in quotes") from error
        if is_secret(field) or holds_secret(field, found[field]):
            raise InputError(f"--set {field}: Prefect would record it for all to read: set it in the recipe's file")
    return found


def is_secret(field: str) -> bool:
    """Whether a field (dotted) may hold passwords and keys, or is within one that may."""
    return field.startswith(SECRET) or "storage_options" in field.split(".")


def holds_secret(field: str, value: Any) -> bool:
    """Whether a value that a field is given holds such a field, or an address with a password, however deep."""
    if isinstance(value, str):
        return _PASSWORD.search(value) is not None
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return any(is_secret(f"{field}.{name}") or holds_secret(f"{field}.{name}", one) for name, one in inner)


def dropped(items: Iterable[tuple[str, int]]) -> str:
    """What was left, by reason, for the end of a sentence."""
    text = ", ".join(f"{reason} {count:,}" for reason, count in items)
    return f" ({text})" if text else ""


def print_json(document: Any) -> None:
    """To standard output."""
    print(json.dumps(document, ensure_ascii=False, indent=1))


def say(text: str) -> None:
    """A line for people."""
    people.print(text, markup=False, highlight=False, soft_wrap=True)
