"""The sample annotators: they answer what the questions allow, from the truth, alike every time."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from waon_build.annotation import questions
from waon_build.demo.judgements import ANNOTATORS, write_judgements
from waon_build.demo.truth import Expected, expectations
from waon_build.records import InputError, pair_id

QUESTIONS = questions.load("ja")


def pairs(site: str = "http://127.0.0.1:8787") -> list[tuple[str, str, str]]:
    return [(identity(row), row.caption, f"{site}{row.url}") for row in expectations() if row.stage == "queued"]


def identity(row: Expected) -> str:
    return pair_id(row.url, row.caption)


@pytest.fixture
def judgements(tmp_path: Path) -> dict[str, list[dict[str, Any]]]:
    """The judgements by pair."""
    path = tmp_path / "folder" / "judgements.jsonl"
    written = write_judgements(pairs(), path, QUESTIONS.version)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == written
    by_pair = defaultdict(list)
    for line in lines:
        by_pair[line["pair_id"]].append(line)
    return by_pair


def test_every_pair_is_judged_by_two_and_a_contested_one_by_three(judgements: dict[str, Any]) -> None:
    contested = {identity(row) for row in expectations() if max(row.answers) - min(row.answers) > 1}
    assert set(judgements) == {pair for pair, _, _ in pairs()}
    for pair, lines in judgements.items():
        names = [line["annotator"] for line in lines]
        assert len(set(names)) == len(names) == (3 if pair in contested else 2)
        assert set(names) <= set(ANNOTATORS)
    assert {line["annotator"] for lines in judgements.values() for line in lines} == set(ANNOTATORS)


def test_every_judgement_is_one_that_the_guideline_allows(judgements: dict[str, Any]) -> None:
    beside = {"pair_id", "annotator", "guideline_version"}
    for lines in judgements.values():
        for line in lines:
            assert line["guideline_version"] == QUESTIONS.version
            given = {name: answer for name, answer in line.items() if name not in beside}
            assert QUESTIONS.answers(given).values == given


def test_a_wrong_caption_is_judged_wrong_and_most_are_judged_right(judgements: dict[str, Any]) -> None:
    wrong = next(identity(row) for row in expectations() if row.caption == "五合目から見上げた富士山")
    assert {line["match"] for line in judgements[wrong]} == {0}
    right = [pair for pair, lines in judgements.items() if min(line["match"] for line in lines) >= 2]
    assert len(right) >= 40


def test_a_category_is_given_where_the_culture_asks_for_it(judgements: dict[str, Any]) -> None:
    lines = [line for lines in judgements.values() for line in lines]
    assert {"category" in line for line in lines if line["culture"] == "not"} == {False}
    assert {"category" in line for line in lines if line["culture"] != "not"} == {True}


def test_the_same_pairs_give_the_same_file_in_any_order_and_on_any_port(tmp_path: Path) -> None:
    write_judgements(pairs(), tmp_path / "a", "1")
    write_judgements(reversed(pairs("http://127.0.0.1:9999")), tmp_path / "b", "1")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_dropped_pairs_can_be_judged_too(tmp_path: Path) -> None:
    """Screened-out tasks come from the filters' drops: the annotators know those pictures as well."""
    rows = [row for row in expectations() if row.stage in ("image", "dedup")]
    assert rows
    dropped = [(identity(row), row.caption, row.url) for row in rows]
    assert write_judgements(dropped, tmp_path / "j.jsonl", "1") == 2 * len(rows)


def test_a_pair_that_is_not_of_the_site_is_not_judged(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^pair 0123456789abcdef \(http://127\.0\.0\.1/x\.jpg\)"):
        write_judgements([("0123456789abcdef", "知らない写真", "http://127.0.0.1/x.jpg")], tmp_path / "j.jsonl", "1")
    assert not (tmp_path / "j.jsonl").exists()
