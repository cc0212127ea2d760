"""Answers as people read them: in the words of the questions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from waon_build.annotation.questions import Question, Questions


class Vote(NamedTuple):
    """An answer, and how many gave it."""

    label: str
    people: int


class Voted(NamedTuple):
    """What was answered to one question, the most frequent answer in front."""

    name: str
    ask: str
    votes: tuple[Vote, ...]


def voted(votes: Mapping[str, Mapping[str, int]], questions: Questions) -> list[Voted]:
    """The votes in words. What the questions no longer ask is left out."""
    return [
        Voted(one.name, one.ask, tuple(Vote(_label(one, word), count) for word, count in _ranked(votes[one.name])))
        for one in questions.questions
        if one.name in votes
    ]


def said(answers: Mapping[str, Any], questions: Questions) -> list[tuple[str, str]]:
    """(question, answer) in words."""
    return [(one.ask, _words(one, answers[one.name])) for one in questions.questions if one.name in answers]


def _words(question: Question, answer: Any) -> str:
    if isinstance(answer, list):
        return " / ".join(_label(question, str(one)) for one in answer) or "–"
    return _label(question, str(answer)) if question.options else str(answer)


def _label(question: Question, word: str) -> str:
    return next((option.label for option in question.options if option.value == word), word)


def _ranked(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
