"""What all the answers together say of each question: one model a question, fitted to everybody's answers.

A choice is nominal: Dawid and Skene's model weighs each person by how they answer elsewhere. The scale that
decisions rest on has a median, and beside it the nominal question whether it is enough. Each flag is a
question of its own, yes or no. Texts and consents are nobody's to aggregate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from waon_build.annotation.aggregation import UNKNOWN, Floats, Model, dawid_skene, posterior_of
from waon_build.annotation.questions import CANNOT_TELL, MATCH, Question, Questions

NO, YES = 0, 1
NONE = -1
_KNOWN = 10_000


class Said(NamedTuple):
    """What one annotator says of a task."""

    annotator: str
    answers: Mapping[str, Any]


class _Asked(NamedTuple):
    """A nominal question: of which question, about which flag of it ("" when it is a choice or the scale)."""

    question: str
    words: tuple[str, ...]
    flag: str = ""
    is_scale: bool = False


class _Fitted(NamedTuple):
    model: Model
    items: dict[int, int]
    """Task -> its row in the model's posterior."""


class Consensus:
    """Models of all questions. min_match: from which grade on a match is enough."""

    def __init__(self, questions: Questions, min_match: int) -> None:
        self._questions = questions
        self._min_match = min_match
        self._asked = [asked for question in questions.questions for asked in _nominal(question)]
        self._people: dict[str, int] = {}
        self._fitted: list[_Fitted] = [_Fitted(dawid_skene([], [], [], len(asked.words)), {}) for asked in self._asked]
        self._known: dict[int, tuple[Mapping[str, Any], tuple[int | None, ...]]] = {}

    def fit(self, answers: Iterable[tuple[int, Said]]) -> Consensus:
        """Fit the models to all answers that weigh, as (task, what was said)."""
        tasks, people, labels = [], [], []
        for task, said in answers:
            tasks.append(task)
            people.append(self._people.setdefault(said.annotator, len(self._people)))
            labels.append(self._labels(said.answers))
        table = np.array([[NONE if one is None else one for one in row] for row in labels], dtype=np.int64)
        table = table.reshape(len(labels), len(self._asked))
        of_task, of_person = np.array(tasks, dtype=np.int64), np.array(people, dtype=np.int64)
        for at, asked in enumerate(self._asked):
            given = table[:, at] != NONE
            names, items = np.unique(of_task[given], return_inverse=True)
            model = dawid_skene(
                items, of_person[given], table[given, at], len(asked.words), len(names), len(self._people)
            )
            self._fitted[at] = _Fitted(model, {int(name): row for row, name in enumerate(names)})
        return self

    def of(self, said: Sequence[Said], task: int | None = None) -> dict[str, dict[str, Any]]:
        """What the answers to one task come to: question -> answer, posterior, majority, median, as far as they
        are defined. task: when the models were fitted to just these answers of it."""
        found: dict[str, dict[str, Any]] = {}
        rows = [(one.annotator, self._labels(one.answers)) for one in said]
        for at, asked in enumerate(self._asked):
            given = [(who, label) for who, labels in rows if (label := labels[at]) is not None]
            if not given:
                continue
            posterior = self._posterior(at, given, task)
            if asked.flag:
                flags = found.setdefault(asked.question, {"answer": [], "posterior": {}})
                chance = round(float(posterior[YES]), 4)
                flags["posterior"][asked.flag] = chance
                flags["answer"] += [asked.flag] if chance > 0.5 else []
            elif asked.is_scale:
                grades = [grade for one in said if (grade := _grade(one.answers, asked.question)) is not None]
                middle = float(median(grades))
                found[asked.question] = {
                    "answer": middle,
                    "median": middle,
                    "posterior": round(float(posterior[int(middle >= self._min_match)]), 4),
                    "majority": _majority(list(map(str, grades))),
                }
            else:
                best = int(posterior.argmax())
                found[asked.question] = {
                    "answer": asked.words[best],
                    "posterior": round(float(posterior[best]), 4),
                    "majority": _majority([asked.words[label] for _, label in given]),
                }
        return found

    def _posterior(self, at: int, given: Sequence[tuple[str, int]], task: int | None) -> Floats:
        fitted = self._fitted[at]
        row = fitted.items.get(task) if task is not None else None
        if row is not None:
            fitted_to_it: Floats = fitted.model.posterior[row]
            return fitted_to_it
        people = [self._people.get(who, UNKNOWN) for who, _ in given]
        return posterior_of(fitted.model, people, [label for _, label in given])

    def _labels(self, answers: Mapping[str, Any]) -> tuple[int | None, ...]:
        """Of each nominal question the answer's place among its words; None where it was not answered. Many say
        the same, and what is read from a database says it with the same object."""
        known = self._known.get(id(answers))
        if known is not None and known[0] is answers:
            return known[1]
        labels = tuple(self._label(asked, answers) for asked in self._asked)
        if len(self._known) < _KNOWN:
            self._known[id(answers)] = (answers, labels)  # held, so that no other takes its place
        return labels

    def _label(self, asked: _Asked, answers: Mapping[str, Any]) -> int | None:
        if asked.flag:
            return YES if asked.flag in answers.get(asked.question, ()) else NO
        if asked.is_scale:
            grade = _grade(answers, asked.question)
            return None if grade is None else int(grade >= self._min_match)
        answer = answers.get(asked.question)
        return asked.words.index(answer) if answer in asked.words else None


def _nominal(question: Question) -> list[_Asked]:
    words = tuple(option.value for option in question.options)
    if question.kind == "flags":
        return [_Asked(question.name, ("no", "yes"), flag=word) for word in words]
    if question.kind == "scale":
        return [_Asked(question.name, ("short", "enough"), is_scale=True)] if question.name == MATCH else []
    return [_Asked(question.name, words)] if question.kind == "choice" else []


def _grade(answers: Mapping[str, Any], name: str) -> int | None:
    grade = answers.get(name)
    return None if grade is None or grade == CANNOT_TELL else int(grade)


def _majority(words: Sequence[str]) -> str:
    """The answer most often given; "" where several are."""
    counts = {word: words.count(word) for word in set(words)}
    most = max(counts.values())
    first = [word for word, count in counts.items() if count == most]
    return first[0] if len(first) == 1 else ""
