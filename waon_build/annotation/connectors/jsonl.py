"""Our own format for judgements made elsewhere: JSONL, one a line.

    {"pair_id": "0f3c...", "annotator": "hanako", "match": 3, "culture": "specific", "category": "food"}
    {"url": "https://...", "caption": "...", "annotator": "taro", "match": 0, "culture": "not"}

A line names its pair by `pair_id`, or by `url` and `caption`; all that is not `annotator` or
`guideline_version` beside it are answers.
"""

from __future__ import annotations

from collections.abc import Iterator

from waon_build.annotation.connectors.reading import fitting_text, opened, parsed
from waon_build.annotation.judgements import Judgement
from waon_build.annotation.questions import AnswerError, Questions
from waon_build.annotation.routing import reference
from waon_build.records import InputError

_BESIDE = {"pair_id", "url", "caption", "annotator", "guideline_version"}


def read(path: str, questions: Questions) -> Iterator[Judgement]:
    """The judgements of a file. Raises InputError for the first line that is none."""
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _judgement(f"{path}:{number}", line, questions)


def _judgement(where: str, line: str, questions: Questions) -> Judgement:
    data = parsed(where, line, "write one object a line, in double quotes")
    if not isinstance(data, dict):
        raise InputError(f'{where}: is not an object: write {{"pair_id": ..., "annotator": ..., "match": ...}}')
    texts = {name: fitting_text(where, name, data[name]) for name in _BESIDE if data.get(name) is not None}
    if "annotator" not in texts:
        raise InputError(f"{where}: annotator is missing: say who judged, by any name or number")
    by_address = "url" in texts and "caption" in texts
    if "pair_id" not in texts and not by_address:
        raise InputError(f"{where}: pair_id is missing: give it, or url and caption of the pair")
    try:
        answers = questions.answers(
            {name: answer for name, answer in data.items() if name not in _BESIDE}, texts.get("guideline_version")
        )
    except AnswerError as error:
        raise InputError(f"{where}: {error}") from error
    return Judgement(
        where,
        texts["annotator"],
        answers,
        texts.get("pair_id", ""),
        reference(texts["url"], texts["caption"]) if by_address else "",
    )
