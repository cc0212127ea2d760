"""The funnel: it is read from tallies alone, and says when something does not add up."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

from rich.console import Console

from waon_build.audit import terminal
from waon_build.audit.funnel import as_rows, faults, funnel
from waon_build.audit.picture import svg
from waon_build.audit.state import state
from waon_build.corpus import Corpus, Part
from waon_build.records import CANDIDATE, Candidate


def made(tmp_path: Path, extracted: int = 5, kept: int = 3) -> Corpus:
    """A corpus whose text stage read what extract kept, and dropped some of it."""
    corpus = Corpus(str(tmp_path / "corpus"))
    rows = [Candidate(url=f"http://a.example/{n}", caption="写真", caption_source="alt") for n in range(5)]
    with corpus.write("extract", Part("one", "", "f"), CANDIDATE) as writer:
        writer.count("page").keep()
        writer.count("page").drop("page_in_another_language")
        for row in rows[:extracted]:
            writer.keep(row)
        writer.problem("a.warc.gz@120: truncated_gzip")
        writer.commit()
    with corpus.write("text", Part("one", "", "f"), CANDIDATE) as writer:
        for number, row in enumerate(rows):
            if number < kept:
                writer.keep(row)
            else:
                writer.drop(row, "caption_too_short" if number % 2 else "<boilerplate>")
        writer.commit()
    return corpus


def test_the_funnel_says_what_came_of_every_row(tmp_path: Path) -> None:
    steps = funnel(made(tmp_path))
    rows = {(row["stage"], row["unit"]): row for row in as_rows(steps)}
    assert rows["extract", "pages"]["dropped"] == {"page_in_another_language": 1}
    assert rows["text", "candidates"]["read"] == 5
    assert rows["text", "candidates"]["dropped"] == {"<boilerplate>": 1, "caption_too_short": 1}
    assert faults(steps) == []


def test_a_stage_that_did_not_read_what_the_one_before_kept_is_a_fault(tmp_path: Path) -> None:
    found = faults(funnel(made(tmp_path, extracted=4)))
    assert len(found) == 1
    assert "text (candidates): read 5, but extract (image references) kept 4" in found[0]


def test_the_picture_is_an_svg_with_every_step_and_its_reasons(tmp_path: Path) -> None:
    steps = funnel(made(tmp_path))
    text = svg(steps, "小さな <corpus>")
    ET.fromstring(text)
    assert text.count('class="step"') == len(steps)
    assert "caption too short 1" in text
    assert "&lt;boilerplate&gt;" in text


def test_the_state_is_the_same_on_the_terminal_and_as_json(tmp_path: Path) -> None:
    found = state("small", made(tmp_path), {"tasks": 3})
    console = Console(record=True, width=160)
    terminal.show(found, console)
    shown = console.export_text()
    document = json.loads(json.dumps(found.to_json()))
    assert document["adds_up"]
    assert document["problems"] == ["a.warc.gz@120: truncated_gzip"]
    for word in ("page_in_another_language", "The funnel adds up", "tasks", "truncated_gzip"):
        assert word in shown


def test_the_state_of_a_corpus_that_is_not_there_is_empty(tmp_path: Path) -> None:
    found = state("none", Corpus(str(tmp_path / "nothing")), {})
    assert found.steps == []
    assert found.releases == []
