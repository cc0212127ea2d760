"""What annotators are asked, as data: `questions.yaml` beside each guideline, and answers checked against it.

An `Answers` can only be made by `Questions.answers()`, so whatever reaches the queue has been checked.
Other questions are another file, not other code; the one question that the code knows by name is the
scale `match`, because decisions rest on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from waon_build.records import InputError

MATCH = "match"
"""The scale question that decisions rest on."""
CANNOT_TELL = "cannot_tell"


class AnswerError(InputError):
    """An answer that the questions do not allow. field: its question."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field


class Answers(NamedTuple):
    """What one annotator says of one task, checked. values: question -> answer, in the questions' order;
    a scale's is an int (or `cannot_tell`), a choice's a word, flags' a list of words, a text's a text,
    a consent's True. Questions that were not answered are absent. asked: the questions that passed it."""

    guideline_version: str
    values: dict[str, Any]
    asked: Questions

    @property
    def rejecting(self) -> tuple[str, ...]:
        """What of it takes the pair out, whatever others say."""
        return self.asked.rejecting_in(self.values)


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Option(_Data):
    """One answer of a question. rejects: one person choosing it takes the pair out."""

    value: str = Field(max_length=32)
    label: str
    rejects: bool = False


class Question(_Data):
    """One question. kind: `scale` (numbers and `cannot_tell`), `choice` (one word), `flags` (any number of
    words), `text` (own words), `consent` (yes or not). only_if: other question -> answers to it for which
    this one is asked; with an empty list, any answer will do. settles: while people disagree on it, more of
    them are asked."""

    name: str = Field(pattern=r"^[a-z][a-z_]*$")
    kind: Literal["scale", "choice", "flags", "text", "consent"]
    ask: str
    required: bool = False
    options: tuple[Option, ...] = ()
    only_if: dict[str, tuple[str, ...]] = {}
    max_characters: int = 0
    settles: bool = False

    @model_validator(mode="after")
    def _scale_is_of_numbers(self) -> Question:
        words = {option.value for option in self.options} - {CANNOT_TELL}
        if self.kind == "scale" and not all(word.isdecimal() for word in words):
            raise ValueError(f"the options of a scale are numbers and {CANNOT_TELL}")
        if self.settles and not (self.kind == "choice" or self.name == MATCH):
            raise ValueError(f"settles is for choices and the scale {MATCH}: nothing else has an answer to settle on")
        return self

    def is_asked(self, values: Mapping[str, Any]) -> bool:
        """Whether it is asked of someone who answered `values` so far."""
        return all(
            name in values and (not wanted or str(values[name]) in wanted) for name, wanted in self.only_if.items()
        )


class Questions(_Data):
    """The questions of one guideline version."""

    version: str = Field(max_length=32)
    questions: tuple[Question, ...]

    @model_validator(mode="after")
    def _holds_together(self) -> Questions:
        names = [question.name for question in self.questions]
        if len(set(names)) < len(names):
            raise ValueError("two questions have one name")
        for at, question in enumerate(self.questions):
            if not question.only_if.keys() <= set(names[:at]):
                raise ValueError(f"{question.name} depends on a question that does not come before it")
        if not any(question.name == MATCH and question.kind == "scale" for question in self.questions):
            raise ValueError(f"there is no scale named {MATCH}, and decisions rest on it")
        return self

    def __getitem__(self, name: str) -> Question:
        return next(question for question in self.questions if question.name == name)

    @cached_property
    def rejecting(self) -> frozenset[tuple[str, str]]:
        """Answers, as (question, word), that take a pair out when one person gives them."""
        return frozenset((one.name, option.value) for one in self.questions for option in one.options if option.rejects)

    def has(self, name: str) -> bool:
        """Whether there is a question of this name."""
        return any(question.name == name for question in self.questions)

    def rejecting_in(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """The words in one person's answers that take a pair out, whatever the others say."""
        return tuple(
            str(word)
            for name, answer in values.items()
            for word in (answer if isinstance(answer, list) else [answer])
            if (name, str(word)) in self.rejecting
        )

    def checked(self, name: str, answer: Any) -> Any:
        """One answer to one question in its one form, whether the question would be asked or not. Raises
        AnswerError."""
        found = _checked(self[name], answer)
        if found is None:
            raise AnswerError(name, f"is missing: give {_expected(self[name])}")
        return found

    def answers(self, given: Mapping[str, Any], guideline_version: str | None = None) -> Answers:
        """The checked answers. given: question -> answer; None is no answer. guideline_version: under which
        they were given, when not under this one. Raises AnswerError."""
        known = {question.name for question in self.questions}
        for name in given:
            if name not in known:
                raise AnswerError(
                    repr(name)[1:-1][:80], f"is not a question: the questions are {', '.join(sorted(known))}"
                )
        values: dict[str, Any] = {}
        for question in self.questions:
            answer = _checked(question, given.get(question.name))
            if answer is not None and not question.is_asked(values):
                conditions = " and ".join(
                    f"{name} is {' or '.join(wanted) or 'given'}" for name, wanted in question.only_if.items()
                )
                raise AnswerError(question.name, f"is answered, but is asked only when {conditions}: leave it out")
            if answer is not None:
                values[question.name] = answer
            elif question.required and question.is_asked(values):
                raise AnswerError(question.name, f"is missing: give {_expected(question)}")
        return Answers(guideline_version or self.version, values, self)


@lru_cache(maxsize=8)
def load(guideline: str) -> Questions:
    """The questions of a guideline: the name of its packaged folder (`ja`), or the path of one's own. Raises
    InputError."""
    return load_from(folder(guideline))


def load_from(place: Traversable) -> Questions:
    """The questions in a guideline's folder. Raises InputError."""
    file = place / "questions.yaml"
    try:
        # Every scalar as text: YAML would read the version as a date, and `no` as False.
        return Questions.model_validate(yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.BaseLoader))  # noqa: S506 - BaseLoader makes nothing but text
    except FileNotFoundError as error:
        raise InputError(f"{file}: is missing: a guideline needs its questions beside it") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: is not YAML ({str(error).splitlines()[0]}): mend it") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise InputError(f"{file}: {where} is wrong: {first['msg'].removeprefix('Value error, ')}") from error


def folder(guideline: str) -> Traversable:
    """The folder of a guideline: one that comes with waon_build, in a checkout and in an installed wheel alike,
    or any other by its path. Raises InputError."""
    root = resources.files("annotation_guidelines")
    present = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("_"))
    if guideline in present:
        return root / guideline
    if Path(guideline, "guideline.md").is_file():
        return Path(guideline)
    raise InputError(
        f"annotation.guideline is {guideline!r}: there is none of that name or path: give "
        f"{_any_of(present)}, or the path of a folder with guideline.md and questions.yaml"
    )


def _checked(question: Question, answer: Any) -> Any:
    """The answer in its one form, None when there is none. Raises AnswerError."""
    if answer is None:
        return None
    checked = _CHECKS[question.kind](question, answer)
    if checked is _WRONG:
        raise AnswerError(question.name, f"is {str(answer)[:60]!r}: give {_expected(question)}")
    return checked


_WRONG = object()


def _scale(question: Question, answer: Any) -> Any:
    if isinstance(answer, bool) or not isinstance(answer, int | str):
        return _WRONG
    if str(answer) not in {option.value for option in question.options}:
        return _WRONG
    return str(answer) if answer == CANNOT_TELL else int(answer)


def _choice(question: Question, answer: Any) -> Any:
    return answer if answer in [option.value for option in question.options] else _WRONG


def _flags(question: Question, answer: Any) -> Any:
    known = [option.value for option in question.options]
    if not isinstance(answer, list) or any(flag not in known for flag in answer):
        return _WRONG
    return [flag for flag in known if flag in answer] or None


def _text(question: Question, answer: Any) -> Any:
    if not isinstance(answer, str):
        return _WRONG
    # What no database holds: PostgreSQL has no NUL, and neither has lone surrogates.
    text = answer.replace("\0", "").encode("utf-8", "replace").decode().strip()
    return _WRONG if len(text) > question.max_characters else text or None


def _consent(question: Question, answer: Any) -> Any:
    return (answer or None) if isinstance(answer, bool) else _WRONG


_CHECKS = {"scale": _scale, "choice": _choice, "flags": _flags, "text": _text, "consent": _consent}


def _expected(question: Question) -> str:
    words = [option.value for option in question.options]
    return {
        "scale": _any_of(words),
        "choice": _any_of(words),
        "flags": f"a list of {', '.join(words)}",
        "text": f"a text of at most {question.max_characters} characters",
        "consent": "true or false",
    }[question.kind]


def _any_of(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
