"""What all the answers together say of each question: one model a question, fitted to everybody's answers.

A choice is nominal: Dawid and Skene's model weighs each person by how they answer elsewhere. The scale that
decisions rest on has a median, and beside it the nominal question whether it is enough. Each flag is a
question of its own, yes or no. Texts and consents are nobody's to aggregate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from waon_build.annotation.aggregation import UNKNOWN, Floats, Model, dawid_skene, posterior_of
from waon_build.annotation.questions import CANNOT_TELL, MATCH, Question, Questions

ENOUGH, SHORT = "enough", "short"
YES, NO = "yes", "no"


class Said(NamedTuple):
    """What one annotator says of a task."""

    annotator: str
    answers: Mapping[str, Any]


class _Asked(NamedTuple):
    """A nominal question: of which question, about which flag of it ("" when it is a choice or the scale)."""

    question: str
    flag: str
    words: tuple[str, ...]


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
        self._fitted: dict[_Asked, _Fitted] = {}

    def fit(self, answers: Iterable[tuple[int, Said]]) -> Consensus:
        """Fit the models to all answers that weigh, as (task, what was said)."""
        flat: dict[_Asked, tuple[list[int], list[int], list[int], dict[int, int]]] = {
            asked: ([], [], [], {}) for asked in self._asked
        }
        for task, said in answers:
            person = self._people.setdefault(said.annotator, len(self._people))
            for asked in self._asked:
                label = self._label(asked, said.answers)
                if label is not None:
                    items, people, labels, rows = flat[asked]
                    items.append(rows.setdefault(task, len(rows)))
                    people.append(person)
                    labels.append(label)
        for asked, (items, people, labels, rows) in flat.items():
            model = dawid_skene(items, people, labels, len(asked.words), people_count=len(self._people))
            self._fitted[asked] = _Fitted(model, rows)
        return self

    def of(self, said: Sequence[Said], task: int | None = None) -> dict[str, dict[str, Any]]:
        """What the answers to one task come to: question -> answer, posterior, majority, median, as far as they
        are defined. task: when the models were fitted to just these answers of it."""
        found: dict[str, dict[str, Any]] = {}
        for asked in self._asked:
            labels = [(one.annotator, self._label(asked, one.answers)) for one in said]
            given = [(who, label) for who, label in labels if label is not None]
            if not given:
                continue
            posterior = self._posterior(asked, given, task)
            question = self._questions[asked.question]
            if question.kind == "flags":
                flags = found.setdefault(question.name, {"answer": [], "posterior": {}})
                chance = round(float(posterior[asked.words.index(YES)]), 4)
                flags["posterior"][asked.flag] = chance
                flags["answer"] += [asked.flag] if chance > 0.5 else []
            elif question.kind == "scale":
                grades = [one.answers[question.name] for one in said if _grade(one.answers, question.name) is not None]
                middle = float(median(grades))
                side = asked.words.index(ENOUGH if middle >= self._min_match else SHORT)
                found[question.name] = {
                    "answer": middle,
                    "median": middle,
                    "posterior": round(float(posterior[side]), 4),
                    "majority": _majority(str(grade) for grade in grades),
                }
            else:
                best = int(np.argmax(posterior))
                found[question.name] = {
                    "answer": asked.words[best],
                    "posterior": round(float(posterior[best]), 4),
                    "majority": _majority(asked.words[label] for _, label in given),
                }
        return found

    def _posterior(self, asked: _Asked, given: Sequence[tuple[str, int]], task: int | None) -> Floats:
        fitted = self._fitted.get(asked)
        if fitted is None:  # nothing was ever fitted: people at large, as the priors have them
            fitted = _Fitted(dawid_skene([], [], [], len(asked.words)), {})
        row = fitted.items.get(task) if task is not None else None
        if row is not None:
            fitted_to_it: Floats = fitted.model.posterior[row]
            return fitted_to_it
        people = [self._people.get(who, UNKNOWN) for who, _ in given]
        return posterior_of(fitted.model, people, [label for _, label in given])

    def _label(self, asked: _Asked, answers: Mapping[str, Any]) -> int | None:
        """The answer's place among the words; None when the question was not answered."""
        if asked.flag:
            return int(asked.flag in answers.get(asked.question, ()))
        if asked.words == (SHORT, ENOUGH):
            grade = _grade(answers, asked.question)
            return None if grade is None else int(grade >= self._min_match)
        answer = answers.get(asked.question)
        return asked.words.index(answer) if answer in asked.words else None


def _nominal(question: Question) -> list[_Asked]:
    words = tuple(option.value for option in question.options)
    if question.kind == "flags":
        return [_Asked(question.name, word, (NO, YES)) for word in words]
    if question.kind == "scale":
        return [_Asked(question.name, "", (SHORT, ENOUGH))] if question.name == MATCH else []
    return [_Asked(question.name, "", words)] if question.kind == "choice" else []


def _grade(answers: Mapping[str, Any], name: str) -> int | None:
    grade = answers.get(name)
    return None if grade is None or grade == CANNOT_TELL else int(grade)


def _majority(words: Iterable[str]) -> str:
    """The answer most often given; "" where several are."""
    ranked = Counter(words).most_common(2)
    return "" if len(ranked) == 2 and ranked[0][1] == ranked[1][1] else ranked[0][0]
