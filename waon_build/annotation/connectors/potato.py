"""Potato: a project for it, and the answers in what it writes.

Nothing of Potato (GPL-3) is imported or copied; these are its file formats (2.12): the project's YAML, its
JSONL of items, the state that it keeps of each user, and its exports as JSONL, CSV and TSV. None of those
gives back what else is known of an item: so an item's id holds all that we need to know of a task.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from waon_build.annotation.connectors.campaign import PICTURES, Campaign, picture_of
from waon_build.annotation.connectors.reading import fitting_text, judged, milliseconds, opened, parsed
from waon_build.annotation.judgements import BY_MACHINE, Judgement
from waon_build.annotation.questions import Question, Questions
from waon_build.annotation.shown import Shown
from waon_build.records import InputError, Reason

TASKS: Final = "tasks.jsonl"
CONFIG: Final = "config.yaml"
ANSWERS: Final = "annotation_output"
"""Where Potato keeps what its users say."""

_STATE = "user_state.json"
_SAID = "instance_id_to_label_to_value"
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_ITEM = re.compile(r"(?P<pair_id>[0-9a-f]{16})-(?P<task_id>[0-9]{1,9})-(?P<version>.+)")
_HARMLESS = "<\u2060"
"""Potato puts an item's texts into its page as they are, and what looks like a tag there would be run. With a
word joiner, which nobody sees, it does not look like one."""
_YES = "yes"
"""The one label of a consent."""
_TYPES = {"scale": "radio", "choice": "radio", "flags": "multiselect", "consent": "multiselect", "text": "text"}


def write_tasks(folder: Path, campaign: Campaign, tasks: Iterable[Shown]) -> None:
    """Write items, project and README into a folder."""
    project = yaml.safe_dump(_project(campaign), allow_unicode=True, sort_keys=False, width=120)
    (folder / CONFIG).write_text(project, encoding="utf-8")
    campaign.write_readme(folder, "potato.md")
    with (folder / TASKS).open("w", encoding="utf-8") as file:
        for task in tasks:
            item = {
                "id": f"{task.pair_id}-{task.task_id}-{campaign.questions.version}",  # see _ITEM
                "picture": f"/media/{picture_of(task)}",
                "caption": task.caption.replace("<", _HARMLESS),
            }
            file.write(json.dumps(item, ensure_ascii=False) + "\n")


def _project(campaign: Campaign) -> dict[str, Any]:
    return {
        "annotation_task_name": campaign.name,
        "task_dir": ".",
        "data_files": [TASKS],
        "item_properties": {"id_key": "id", "text_key": "caption"},
        "output_annotation_dir": ANSWERS,
        "export_annotation_format": "jsonl",
        "media_directory": PICTURES,
        "ui_language": campaign.guideline.language,
        "server": {"host": "127.0.0.1", "port": 8000},
        "user_config": {"allow_all_users": True, "users": []},
        "assignment_strategy": "fixed_order",
        "num_annotators_per_item": campaign.overlap,
        "instance_display": {
            "fields": [
                {"key": "picture", "type": "image", "display_options": {"zoomable": True, "max_height": 600}},
                {"key": "caption", "type": "text"},
            ]
        },
        "annotation_schemes": [_scheme(question, campaign.questions) for question in campaign.questions.questions],
    }


def _scheme(question: Question, questions: Questions) -> dict[str, Any]:
    scheme: dict[str, Any] = {
        "annotation_type": _TYPES[question.kind],
        "name": question.name,
        "description": question.ask,
    }
    if question.kind == "text":
        limit = f"≤ {question.max_characters}"
        scheme |= {"multiline": True, "rows": 3, "show_char_count": True, "placeholder": limit}
    elif question.kind == "consent":
        scheme["labels"] = [{"name": _YES, "displayed_label": question.ask}]
    else:
        scheme["labels"] = [{"name": option.value, "displayed_label": option.label} for option in question.options]
        scheme["sequential_key_binding"] = question.kind == "scale"
    if question.required:
        scheme["label_requirement"] = {"required": True}
    if question.only_if:
        conditions = [_condition(name, wanted, questions) for name, wanted in question.only_if.items()]
        scheme["display_logic"] = {"show_when": conditions, "logic": "all"}
    return scheme


def _condition(name: str, wanted: tuple[str, ...], questions: Questions) -> dict[str, Any]:
    if not wanted:
        return {"schema": name, "operator": "not_empty"}
    operator = "contains" if questions[name].kind == "flags" else "equals"
    return {"schema": name, "operator": operator, "value": list(wanted), "case_sensitive": True}


def wrote(entry: Mapping[str, Any]) -> bool:
    """Whether an object is a user's state, or one line of an export."""
    return _SAID in entry or {"instance_id", "user_id"} <= entry.keys()


def read(path: str, questions: Questions) -> Iterator[Judgement | Reason]:
    """What Potato's users said: a judgement, or the reason why it is none. path: a user's state, an export,
    or the folder where Potato keeps all states. Raises InputError for the first that cannot be taken."""
    for made in _made(Path(path)):
        yield BY_MACHINE if made.by_machine else _judgement(made, questions)


class _Made(NamedTuple):
    """What one user said of one item."""

    where: str
    who: Any
    item: Any
    labels: dict[str, dict[str, Any]]
    """Scheme -> label -> value."""
    by_machine: bool = False
    wall_ms: int | None = None


def _made(path: Path) -> Iterator[_Made]:
    if path.is_dir():
        states = sorted((path / ANSWERS if (path / ANSWERS).is_dir() else path).glob(f"*/{_STATE}"))
        if not states:
            raise InputError(f"{path}: there is no {_STATE} here: give the folder that holds one for each user")
        for state in states:
            yield from _of_state(str(state))
    elif path.suffix in _DELIMITERS:
        yield from _of_table(str(path), _DELIMITERS[path.suffix])
    elif path.suffix == ".jsonl":
        yield from _of_lines(str(path))
    else:
        yield from _of_state(str(path))


def _of_state(path: str) -> Iterator[_Made]:
    """What Potato keeps of one user, as they go."""
    with opened(path) as file:
        state = parsed(path, file.read(), f"give Potato's {_STATE}, or its export as .jsonl, .csv or .tsv")
    said = state.get(_SAID) if isinstance(state, dict) else None
    if not isinstance(said, dict):
        raise InputError(f"{path}: {_SAID} is missing: give Potato's {_STATE}, or an export of it")
    times = state.get("instance_id_to_behavioral_data")
    for item, answers in said.items():
        where = f"{path}: item {item[:60]}"
        labels: dict[str, dict[str, Any]] = {}
        for one in answers if isinstance(answers, list) else [None]:
            label, value = one if isinstance(one, list) and len(one) == 2 else (None, None)
            if not isinstance(label, dict) or not {"schema", "name"} <= label.keys():
                raise InputError(f"{where}: has something that is no answer: give what Potato wrote, unchanged")
            labels.setdefault(str(label["schema"]), {})[str(label["name"])] = value
        time = times.get(item) if isinstance(times, dict) else None
        spent = time.get("total_time_ms") if isinstance(time, dict) else None
        wall_ms = milliseconds(where, "total_time_ms", spent or None, 1)
        yield _Made(where, state.get("user_id"), item, labels, _is_machine(state.get("origin")), wall_ms)


def _of_lines(path: str) -> Iterator[_Made]:
    """Potato's export as JSONL."""
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            row = parsed(where, line, "export the project from Potato as jsonl")
            labels = row.get("labels") if isinstance(row, dict) else None
            if not isinstance(labels, dict) or not all(isinstance(said, dict) for said in labels.values()):
                raise InputError(f"{where}: labels are missing: export the project from Potato as jsonl")
            yield _Made(
                where, row.get("user_id"), row.get("instance_id"), labels, _is_machine(row.get("annotator_origin"))
            )


def _of_table(path: str, delimiter: str) -> Iterator[_Made]:
    """Potato's export as CSV or TSV: a column for each label that anybody gave."""
    with opened(path) as file:
        table = csv.DictReader(file, delimiter=delimiter, strict=True)  # a file cut off is an error
        try:
            if not {"instance_id", "user_id"} <= set(table.fieldnames or ()):
                raise InputError(f"{path}: instance_id or user_id is missing in its first line: export it anew")
            for row in table:
                where = f"{path}:{table.line_num}"
                if None in row or None in row.values():
                    raise InputError(f"{where}: has more or fewer cells than the first line: export it anew")
                labels: dict[str, dict[str, Any]] = {}
                for column, value in row.items():
                    scheme, dot, label = column.partition(".")
                    if dot and value:
                        labels.setdefault(scheme, {})[label] = value
                kind = row.get("annotator_origin")
                yield _Made(where, row["user_id"], row["instance_id"], labels, _is_machine({"kind": kind}))
        except csv.Error as error:
            raise InputError(
                f"{path}: after line {table.line_num}: is not a table ({error}): export it anew"
            ) from error


def _is_machine(origin: Any) -> bool:
    """Whether a rater was declared as a tool or a language model. Of people nothing is said, or `human`."""
    return isinstance(origin, dict) and bool(origin.get("kind")) and origin["kind"] != "human"


def _judgement(made: _Made, questions: Questions) -> Judgement | Reason:
    where = made.where
    item = _ITEM.fullmatch(made.item) if isinstance(made.item, str) else None
    if item is None:
        raise InputError(
            f"{where}: instance_id is {str(made.item)[:60]!r}: only items that waon-build exported can be taken"
        )
    if not isinstance(made.who, str) or not made.who.strip():
        raise InputError(f"{where}: user_id is missing: give what Potato wrote, unchanged")
    return judged(
        where,
        made.who,
        {name: _answer(where, name, labels, questions) for name, labels in made.labels.items()},
        questions,
        fitting_text(where, "guideline_version", item["version"]),
        pair_id=item["pair_id"],
        task_id=int(item["task_id"]),
        wall_ms=made.wall_ms,
    )


def _answer(where: str, name: str, labels: dict[str, Any], questions: Questions) -> Any:
    """An answer in our form, as far as the question's kind tells it."""
    kind = next((question.kind for question in questions.questions if question.name == name), "flags")
    given = {label: value for label, value in labels.items() if value not in (None, False, "", "false")}
    if kind == "text":
        return "\n".join(str(value) for value in given.values())
    if kind == "flags" or not given:
        return list(given)
    if len(given) > 1:
        raise InputError(
            f"{where}: {name} has {len(given)} answers: it may have one (Potato before 2.8 kept what was changed: "
            "run `potato repair-annotations` there)"
        )
    (label,) = given
    return True if kind == "consent" and label == _YES else label
