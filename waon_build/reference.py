"""The references that cannot lie: recipe, reasons and command line, written from the code itself.

`make docs` writes them to `docs/`; a test fails when a file there differs from what this would write.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from waon_build.recipe import Recipe
from waon_build.records import Reason
from waon_build.source_settings import CommonCrawlSource, SiteSource, TableSource, WarcSource

NOTICE = "<!-- Written by `make docs` from the code: edit there. -->\n"


SOURCES: tuple[type[BaseModel], ...] = (CommonCrawlSource, WarcSource, SiteSource, TableSource)


def recipe_reference() -> str:
    """Every field of a recipe, section by section, as Markdown."""
    lines = ["# Recipe reference", "", NOTICE]
    _section(lines, "Recipe", "", Recipe)
    for source in SOURCES:
        kind = get_args(source.model_fields["kind"].annotation)[0]
        _section(lines, f"A source of kind `{kind}`", "sources.N.", source)
    return "\n".join(lines).rstrip() + "\n"


def _section(lines: list[str], title: str, prefix: str, model: type[BaseModel]) -> None:
    lines += [
        f"## {title}",
        "",
        " ".join((model.__doc__ or "").split()),
        "",
        "| field | default | what |",
        "| --- | --- | --- |",
    ]
    inner: list[tuple[str, FieldInfo, type[BaseModel]]] = []
    for name, field in model.model_fields.items():
        kind = _without_none(field.annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            inner.append((name, field, kind))
        else:
            lines.append(f"| `{prefix}{name}` | {_default(field)} | {_cell(field.description or _choices(kind))} |")
    lines.append("")
    for name, _, kind in inner:
        _section(lines, f"`{prefix}{name}`", f"{prefix}{name}.", kind)


def _without_none(kind: Any) -> Any:
    """A section that may be left out, as the section that it is."""
    rest = [one for one in get_args(kind) if one is not type(None)]
    is_section = len(rest) == 1 and isinstance(rest[0], type) and issubclass(rest[0], BaseModel)
    return rest[0] if is_section else kind


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined:
        return "none"
    return f"`{value!r}`" if not isinstance(value, str) else f"`{value}`"


def _choices(kind: Any) -> str:
    return " or ".join(f"`{choice}`" for choice in get_args(kind))


def reasons_reference() -> str:
    """Every reason that a row can be dropped for: what, why, the default and the source of the rule."""
    import waon_build.pipeline  # brings in every room and so every reason

    lines = [
        "# Why a row is dropped",
        "",
        NOTICE,
        "A row goes on, or it leaves one reason. These are all the reasons there are.",
        "",
    ]
    for stage in (*waon_build.pipeline.STAGES, "recheck", "judgements", "export"):
        reasons = sorted((reason for reason in Reason.all.values() if reason.stage == stage), key=str)
        if not reasons:
            continue
        lines += [
            f"## {stage}",
            "",
            "| reason | what is dropped | why | setting (default) | source |",
            "| --- | --- | --- | --- | --- |",
        ]
        for reason in reasons:
            cells = (reason.what, reason.why, _setting(reason.setting), reason.source)
            lines.append(f"| `{reason}` | " + " | ".join(_cell(cell) for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _setting(dotted: str) -> str:
    """The recipe fields that move a rule, with their defaults."""
    return ", ".join(f"`{one}` ({_default(_field(one))})" for one in dotted.replace(",", " ").split())


def _field(dotted: str) -> FieldInfo:
    section, _, rest = dotted.partition(".")
    if section == "sources":
        return next(kind.model_fields[rest] for kind in SOURCES if rest in kind.model_fields)
    model: Any = Recipe
    *sections, last = dotted.split(".")
    for section in sections:
        model = model.model_fields[section].annotation
    found: FieldInfo = model.model_fields[last]
    return found


def cli_reference() -> str:
    """Every command with its help, as Markdown."""
    from waon_build.cli import app

    lines = ["# Command line reference", "", NOTICE]
    root: Any = typer.main.get_command(app)
    _command(lines, root, root.context_class(root, info_name="waon-build"))
    return "\n".join(lines).rstrip() + "\n"


def _command(lines: list[str], command: Any, context: Any) -> None:
    context.terminal_width = context.max_content_width = 96
    lines += [f"## `{context.command_path}`", "", "```", command.get_help(context).strip(), "```", ""]
    for name, child in sorted(getattr(command, "commands", {}).items()):
        _command(lines, child, type(context)(child, info_name=name, parent=context))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PAGES = {"recipe.md": recipe_reference, "reasons.md": reasons_reference, "cli.md": cli_reference}


def main(folder: str = "docs") -> None:
    """Write every reference into a folder."""
    for name, page in PAGES.items():
        Path(folder, name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
