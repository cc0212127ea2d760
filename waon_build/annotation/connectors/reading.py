"""Reads files of answers: what is wrong with one becomes one line with the place and the way out.

What they say is checked here, too, as far as tools have it in common: other tools keep an answer to a question that
was hidden again, and have judgements that were begun and not ended.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, NoReturn

from waon_build.annotation.judgements import UNFINISHED, Judgement
from waon_build.annotation.questions import AnswerError, Questions
from waon_build.records import InputError, Reason

_LONGEST = {"pair_id": 16, "guideline_version": 32, "annotator": 200}
"""What goes into the database, or is made from a name."""
_MOST_MS = 2**31 - 1


@contextmanager
def opened(path: str) -> Iterator[IO[str]]:
    """A text file for the length of a `with`. Raises InputError when it cannot be read."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            yield file
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}): give a file of judgements") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text: save it as UTF-8") from error


def parsed(where: str, text: str, way_out: str) -> Any:
    """What a JSON text says. Raises InputError when it is none."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: is not JSON: {way_out}") from error


def fitting_text(where: str, field: str, value: Any) -> str:
    """A field that is to be a text, not blank and not too long. Raises InputError when it is not."""
    longest = _LONGEST.get(field)
    fits = isinstance(value, str) and bool(value.strip())
    if fits and longest:
        fits = len(value) <= longest and value.isprintable()
    if not fits:
        limit = f" of at most {longest} characters" if longest else ""
        raise InputError(f"{where}: {field} is {str(value)[:60]!r}: give a text{limit}")
    return str(value)


def milliseconds(where: str, field: str, time: Any, unit: int) -> int | None:
    """A time as milliseconds, None when it is not known. unit: milliseconds in one of it. Raises InputError when
    it is no time."""
    if time is None:
        return None
    if isinstance(time, bool) or not isinstance(time, int | float) or not 0 <= time < math.inf:
        raise InputError(f"{where}: {field} is {str(time)[:60]!r}: it should be a time")
    return int(min(time * unit, _MOST_MS))


def judged(
    where: str,
    annotator: str,
    given: Mapping[str, Any],
    questions: Questions,
    version: str | None,
    *,
    pair_id: str,
    task_id: int | None,
    wall_ms: int | None,
) -> Judgement | Reason:
    """What somebody said in another tool, or the reason why it is left.

    given: question -> answer; None, "" and [] are no answer. An answer to a question that was not asked
    is left out: tools keep what was said before a question was hidden again. Of what is unfinished a report
    of harm is taken: whoever saw it need not answer the rest. Raises InputError for what the questions do
    not allow."""
    answers = {name: answer for name, answer in given.items() if not questions.has(name)}
    is_finished = True
    for question in questions.questions:
        answer = given.get(question.name)
        if isinstance(answer, str):
            answer = answer.replace("\0", "").strip()
        if not question.is_asked(answers):
            continue
        if answer is not None and answer != "" and answer != []:
            answers[question.name] = answer
        elif question.required:
            is_finished = False
    try:
        checked = (questions if is_finished else _without_duties(questions)).answers(answers, version)
    except AnswerError as error:
        raise InputError(f"{where}: {error}") from error
    if not is_finished and not checked.rejecting:
        return UNFINISHED
    return Judgement(where, annotator, checked, pair_id=pair_id, task_id=task_id, wall_ms=wall_ms, finished=is_finished)


def _without_duties(questions: Questions) -> Questions:
    """The same questions, none of them required."""
    asked = tuple(question.model_copy(update={"required": False}) for question in questions.questions)
    return questions.model_copy(update={"questions": asked})


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
