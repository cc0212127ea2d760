"""What three made-up native annotators say of the sample site's pairs, as a file of judgements.

Two of them judge each pair, as a team with an overlap of two would; all three where they do not see it
alike. They answer from the truth that is written beside the site, never from what the pipeline made of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from zlib import crc32

from waon_build.demo.truth import Expected, expectations
from waon_build.records import InputError, normalised

ANNOTATORS: Final = ("aoi", "haru", "sora")
"""Names that they chose; the queue makes pseudonyms of them."""


def write_judgements(pairs: Iterable[tuple[str, str, str]], path: str | Path, guideline_version: str) -> int:
    """Write the judgements of `pairs` as JSONL, one a line, and return how many.

    pairs: (pair_id, caption, url), in any order. Raises InputError for a pair that is not of the sample site."""
    truth = {_key(row.url, row.caption): row for row in expectations()}
    lines = []
    for pair_id, caption, url in sorted(pairs):
        row = truth.get(_key(url, caption))
        if row is None:
            raise InputError(f"pair {pair_id} ({url}) is not of the sample site: its annotators judge no other")
        for annotator, match in _votes(pair_id, row):
            judgement = {"pair_id": pair_id, "annotator": annotator, "guideline_version": guideline_version}
            lines.append(json.dumps(judgement | _answers(row, match), ensure_ascii=False))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(lines)


def are_left(pair_id: str) -> bool:
    """Whether a pair is left unjudged, for whoever tries the judging page: about one in five."""
    return crc32(pair_id.encode()) % 5 == 0


def _key(url: str, caption: str) -> tuple[str, str]:
    """A pair of the site, on whatever port it was served."""
    return urlsplit(url).path, normalised(caption)


def _votes(pair_id: str, row: Expected) -> Iterator[tuple[str, int]]:
    """Who judges the pair, and how well its caption fits in their eyes."""
    votes = list(zip(ANNOTATORS, row.answers, strict=True))
    if max(row.answers) - min(row.answers) < 2:
        del votes[crc32(pair_id.encode()) % len(votes)]
    yield from votes


def _answers(row: Expected, match: int) -> dict[str, Any]:
    answers: dict[str, Any] = {"match": match, "culture": row.scene.culture}
    if row.scene.culture in ("specific", "related"):
        answers["category"] = row.scene.category
    return answers
