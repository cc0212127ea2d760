"""Label Studio: tasks and a labelling interface for it, and the answers in its exports.

Nothing of Label Studio is imported; these are its file formats (community edition, 1.23): the task list that
it imports, its labelling configuration, and its exports `JSON` and `JSON_MIN`. Our words go through as the
`alias` of each choice, which is what it writes; the labels are what people read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from waon_build.annotation.connectors.campaign import PICTURES, Campaign, picture_of
from waon_build.annotation.connectors.reading import fitting_text, judged, milliseconds, opened, parsed
from waon_build.annotation.judgements import SKIPPED, Judgement
from waon_build.annotation.questions import Question, Questions
from waon_build.annotation.shown import Shown
from waon_build.records import InputError, Reason

TASKS: Final = "tasks.json"
CONFIG: Final = "labelling.xml"

_PICTURE, _CAPTION, _VERSION = "picture", "caption", "guideline_version"
_DATA = ("pair_id", "task_id", _PICTURE, _CAPTION, _VERSION)
_BESIDE = ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement")
"""What `JSON_MIN` writes beside data and answers, all in one object."""
_YES = "yes"
"""The one choice of a consent."""
_PAIR_ID = re.compile(r"[0-9a-f]{16}")


def write_tasks(folder: Path, campaign: Campaign, tasks: Iterable[Shown]) -> None:
    """Write tasks, labelling interface and README into a folder. Raises InputError when Label Studio cannot
    ask these questions."""
    config = labelling_config(campaign.questions)
    (folder / CONFIG).write_text(config, encoding="utf-8")
    campaign.write_readme(folder, "labelstudio.md")
    with (folder / TASKS).open("w", encoding="utf-8") as file:
        before = "[\n"
        for task in tasks:
            file.write(before + json.dumps({"data": _data(task, campaign.questions.version)}, ensure_ascii=False))
            before = ",\n"
        file.write("\n]\n" if before == ",\n" else "[]\n")


def labelling_config(questions: Questions) -> str:
    """The labelling interface as Label Studio's XML. Raises InputError when a question has a name that
    Label Studio needs for itself."""
    view = Element("View", style="display: flex; gap: 24px")
    pair = SubElement(view, "View", style="flex: 3 1 0; min-width: 0")
    SubElement(pair, "Image", name=_PICTURE, value=f"${_PICTURE}", zoom="true", zoomControl="true")
    SubElement(pair, "Text", name=_CAPTION, value=f"${_CAPTION}", valueType="text")
    asked = SubElement(view, "View", style="flex: 2 1 0; min-width: 0")
    for question in questions.questions:
        if question.name in (*_DATA, *_BESIDE):
            raise InputError(f"question {question.name}: Label Studio has a field of this name: call it otherwise")
        _ask(_shown_when(asked, question, questions), question)
    indent(view)
    return tostring(view, encoding="unicode") + "\n"


def read(path: str, questions: Questions) -> Iterator[Judgement | Reason]:
    """What an export says, oldest first: a judgement, or the reason why it is none. Raises InputError for the
    first that cannot be taken."""
    with opened(path) as file:
        entries = parsed(path, file.read(), "export the project from Label Studio as JSON or JSON-MIN")
    if not isinstance(entries, list):
        raise InputError(f"{path}: is not an export of Label Studio: export the project as JSON or JSON-MIN")
    made = []
    for at, entry in enumerate(entries, 1):
        where = f"{path}: entry {at}"
        if not isinstance(entry, dict):
            raise InputError(f"{where}: is not a task: export the project from Label Studio as JSON or JSON-MIN")
        made += list(_of_task(where, entry) if "annotations" in entry else _of_row(where, entry, questions))
    made.sort(key=lambda one: one.at)  # whoever answered a task twice meant the later answer
    for one in made:
        yield SKIPPED if one.skipped else _judgement(one, questions)


class _Made(NamedTuple):
    """One annotation, as either export has it."""

    where: str
    at: float
    """When it was changed last, in seconds, for the order."""
    who: Any
    data: Mapping[str, Any]
    given: dict[str, list[Any]]
    """Question -> the values of its control."""
    seconds: Any
    skipped: bool


def _of_task(where: str, task: dict[str, Any]) -> Iterator[_Made]:
    """The annotations of one task in a `JSON` export. Drafts and predictions are none."""
    if "id" in task:
        where = f"{where} (task {str(task['id'])[:20]})"
    data, annotations = task.get("data"), task["annotations"]
    if not isinstance(data, dict) or not isinstance(annotations, list):
        raise InputError(f"{where}: data or annotations are missing: export the project from Label Studio as JSON")
    for at, annotation in enumerate(annotations, 1):
        here = f"{where}, annotation {at}"
        if not isinstance(annotation, dict) or not isinstance(annotation.get("result"), list):
            raise InputError(f"{here}: result is missing: export the project from Label Studio as JSON")
        who = annotation.get("completed_by")
        yield _Made(
            here,
            _seconds_of(annotation),
            who.get("id") if isinstance(who, dict) else who,
            data,
            _given(here, annotation["result"]),
            annotation.get("lead_time"),
            skipped=annotation.get("was_cancelled") is True,
        )


def _given(where: str, result: list[Any]) -> dict[str, list[Any]]:
    given: dict[str, list[Any]] = {}
    for one in result:
        value = one.get("value") if isinstance(one, dict) else None
        name = one.get("from_name") if isinstance(one, dict) else None
        if not isinstance(value, dict) or not isinstance(name, str):
            raise InputError(f"{where}: result has something that is no answer: use the labelling interface exported")
        given.setdefault(name, []).extend(_values(value))
    return given


def _of_row(where: str, row: dict[str, Any], questions: Questions) -> Iterator[_Made]:
    """The annotation of one row in a `JSON_MIN` export, which has data and answers side by side."""
    if "annotation_id" not in row:
        raise InputError(f"{where}: annotations are missing: export the project from Label Studio as JSON or JSON-MIN")
    where = f"{where} (annotation {str(row['annotation_id'])[:20]})"
    given = {question.name: _values(row[question.name]) for question in questions.questions if question.name in row}
    yield _Made(where, _seconds_of(row), row.get("annotator"), row, given, row.get("lead_time"), skipped=False)


def _values(value: Any) -> list[Any]:
    """The values of a control. `JSON_MIN` leaves out whatever a lone value stands in."""
    if isinstance(value, dict):
        value = value.get("choices", value.get("text", [value]))
    return value if isinstance(value, list) else [value]


def _judgement(made: _Made, questions: Questions) -> Judgement | Reason:
    where = made.where
    if not isinstance(made.who, int) or isinstance(made.who, bool):
        raise InputError(
            f"{where}: who made it is no number: export the project as JSON or JSON-MIN, without details of users"
        )
    pair_id = made.data.get("pair_id")
    if not isinstance(pair_id, str) or not _PAIR_ID.fullmatch(pair_id):
        raise InputError(f"{where}: pair_id is missing in its data: only tasks that waon-build exported can be taken")
    task_id, version = made.data.get("task_id"), made.data.get(_VERSION)
    return judged(
        where,
        str(made.who),
        {name: _answer(where, name, values, questions) for name, values in made.given.items()},
        questions,
        None if version is None else fitting_text(where, _VERSION, version),
        pair_id=pair_id,
        task_id=task_id if isinstance(task_id, int) else None,
        wall_ms=milliseconds(where, "lead_time", made.seconds, 1000),
    )


def _answer(where: str, name: str, values: list[Any], questions: Questions) -> Any:
    """An answer in our form, as far as the question's kind tells it."""
    kind = next((question.kind for question in questions.questions if question.name == name), "flags")
    if kind == "text":
        return "\n".join(str(value) for value in values)
    if kind == "flags" or not values:
        return values
    if len(values) > 1:
        raise InputError(f"{where}: {name} has {len(values)} answers: it may have one")
    return True if kind == "consent" and values == [_YES] else values[0]


def _seconds_of(annotation: Mapping[str, Any]) -> float:
    try:
        return datetime.fromisoformat(str(annotation.get("updated_at"))).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _data(task: Shown, version: str) -> dict[str, Any]:
    """What Label Studio keeps of a task, and gives back. The picture's address is that of its local files, from the
    export folder on."""
    picture = quote(f"{PICTURES}/{picture_of(task)}")
    return {
        "pair_id": task.pair_id,
        "task_id": task.task_id,
        _PICTURE: f"/data/local-files/?d={picture}",
        _CAPTION: task.caption,
        _VERSION: version,
    }


def _shown_when(view: Element, question: Question, questions: Questions) -> Element:
    """Where a question goes: a view of its own, seen when what it depends on was answered so. Label Studio
    cannot make one depend on a text; such a question is always seen, and what is said to it in vain is
    left out when it comes back."""
    inner = SubElement(view, "View")
    for name, wanted in question.only_if.items():
        if questions[name].kind == "text":
            continue
        inner.set("visibleWhen", "choice-selected")
        inner.set("whenTagName", name)
        if wanted:
            inner.set("whenChoiceValue", ",".join(wanted))
        inner = SubElement(inner, "View")
    return inner


def _ask(view: Element, question: Question) -> None:
    control = {"name": question.name, "toName": _PICTURE}
    if question.required:
        control |= {"required": "true", "requiredMessage": question.ask}
    if question.kind == "consent":
        choices = SubElement(view, "Choices", control | {"choice": "multiple"})
        SubElement(choices, "Choice", value=question.ask, alias=_YES)
        return
    SubElement(view, "Header", value=question.ask, size="4")
    if question.kind == "text":
        limit = f"≤ {question.max_characters}"
        SubElement(view, "TextArea", control | {"rows": "3", "maxSubmissions": "1", "placeholder": limit})
        return
    choice = "multiple" if question.kind == "flags" else "single-radio"
    choices = SubElement(view, "Choices", control | {"choice": choice, "showInline": "true"})
    for option in question.options:
        SubElement(choices, "Choice", value=option.label, alias=option.value)
