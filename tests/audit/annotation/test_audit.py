"""The whole audit: of one moment, the same each time, on a terminal, as plain data and as files."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from waon_build.annotation import database
from waon_build.annotation.models import Kind
from waon_build.audit.annotation.audit import TITLES
from waon_build.audit.annotation.report import headlines, markdown, show, table
from waon_build.recipe import Recipe
from waon_build.records import InputError


@pytest.fixture
def busy(campaign: Any) -> Any:
    """A campaign in which everything has happened that an audit counts."""
    people = [campaign.person() for _ in range(3)]
    tasks = campaign.pairs(25)
    screened = campaign.pairs(2, Kind.SCREENED_OUT, first=50, screened_by="image.too_small")
    for number, task in enumerate([*tasks[:20], *screened]):
        for who in (people[number % 3], people[(number + 1) % 3]):
            campaign.say(who, task, 3 if number % 5 else 0, category="food")
    gold = campaign.copy(tasks[24], Kind.GOLD, key={"match": 3})
    twin = campaign.copy(tasks[0], Kind.TWIN)
    for who in people[:2]:
        campaign.say(who, gold)
        campaign.say(who, twin)
    campaign.say(people[2], tasks[23], flags=["harmful"])
    campaign.decide()
    return campaign


def printed(audit: Any) -> str:
    page = StringIO()
    show(audit, Console(file=page, width=200))
    return page.getvalue()


def test_an_audit_of_one_moment_is_always_the_same(busy: Any) -> None:
    one, other = busy.audit(), busy.audit()
    assert one.to_json() == other.to_json()
    assert list(one.frames) == list(TITLES)


def test_an_audit_of_nothing_says_so_in_every_table(campaign: Any) -> None:
    found = campaign.audit()
    for name, frame in found.frames.items():
        assert (name in found.empty) == frame.empty, name
    text = printed(found)
    for why in ("there are no tasks", "nothing is decided yet", "nobody reported harm", "nothing is accepted yet"):
        assert why in text
    json.dumps(found.to_json(), allow_nan=False)


def test_the_terminal_shows_every_table_and_what_matters(busy: Any) -> None:
    found = busy.audit()
    text = printed(found)
    for title in TITLES.values():
        assert title in text
    for line in headlines(found):
        assert line in text
    for person in found.frames["throughput"]["group"][1:]:
        assert person[:8] in text
        assert person not in text


def test_of_a_long_table_the_terminal_says_how_much_it_leaves_out(busy: Any) -> None:
    found = busy.audit()
    agreement = found.frames["agreement"]
    left_out = len(agreement) - int((agreement["by"] == "all").sum())
    assert left_out > 0
    assert f"{left_out} more rows: `--out FOLDER` writes them all." in printed(found)


def test_what_matters_is_told_in_lines(busy: Any) -> None:
    text = "\n".join(headlines(busy.audit()))
    assert "Left: " in text
    assert "Precision of the accepted pairs (model): 1.00 [0." in text
    assert "Agreement on match: raw 1.00, alpha 1.00, ac1 1.00." in text
    assert "Gold answered right: 1.00 [" in text
    assert "Lacking: event 1." in text
    assert (
        "Pay: 1,440 JPY an hour; floor 1,226 (Tokyo, since 2025-10-03, a decree); 0 of 3 people are below it." in text
    )
    assert "Reports of harm that nobody has looked at: 1." in text
    assert markdown(busy.audit()).count("\n- ") == len(headlines(busy.audit()))


def test_a_table_of_text_puts_bounds_beside_their_value(busy: Any) -> None:
    columns, rows = table(busy.audit().frames["filters"])
    assert columns == ["filter", "tasks", "judged", "undecided", "kept", "share", "why"]
    assert rows[0][:5] == ["all", "2", "2", "0", "1"]
    assert rows[0][5].startswith("0.50 [0.")


def test_plain_data_has_null_for_what_is_undefined(busy: Any) -> None:
    plain = busy.audit().to_json()
    assert plain["at"] == "2026-11-23T12:00:00+00:00"
    adjudicated = plain["precision"][2]
    assert (adjudicated["precision"], adjudicated["why"]) == (None, "nothing was adjudicated yet")
    assert plain["throughput"][0]["last_answer"].startswith("2026-11-23T11:00")
    json.dumps(plain, allow_nan=False)


def test_files_hold_what_the_frames_hold(busy: Any, tmp_path: Path) -> None:
    found = busy.audit()
    files = found.write(tmp_path / "audit" / "one")
    assert sorted(path.name for path in files) == sorted(
        f"{name}.{end}" for name in TITLES for end in ("csv", "parquet")
    )
    for name, frame in found.frames.items():
        read = pd.read_parquet(tmp_path / "audit" / "one" / f"{name}.parquet")
        assert list(read.columns) == list(frame.columns)
        assert len(read) == len(frame)
        assert len(pd.read_csv(tmp_path / "audit" / "one" / f"{name}.csv")) == len(frame)
    agreement = pd.read_parquet(tmp_path / "audit" / "one" / "agreement.parquet")
    pd.testing.assert_frame_equal(agreement, found.frames["agreement"], check_dtype=False)


def test_files_that_cannot_be_written_are_bad_input(busy: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="give --out another place"):
        busy.audit().write(tmp_path / "file" / "folder")


def test_an_audit_reads_a_database_that_it_may_not_write(busy: Any, tmp_path: Path) -> None:
    from waon_build import pipeline

    before = busy.audit().to_json()
    recipe = Recipe.model_validate(
        {
            "name": "small",
            "corpus": str(tmp_path),
            "sources": [{"kind": "table", "paths": ["none.csv"]}],
            "annotation": {"pay": busy.settings.pay.model_dump(), "quotas": busy.settings.quotas},
        }
    )
    busy.engine.dispose()
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    found = pipeline.audit_annotation(recipe).to_json()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times
    assert found["agreement"] == before["agreement"]
    assert found["precision"] == before["precision"]


MINE = """
version: 1
questions:
- {name: match, kind: scale, ask: x, options: [{value: 3, label: b}, {value: 2, label: a}]}
"""


def test_a_guideline_of_ones_own_is_audited_with_its_own_questions(busy: Any, tmp_path: Path) -> None:
    """An answer that today's questions do not have is none; grades count as grades, in whatever order."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "guideline.md").write_text("---\nversion: 1\n---\n")
    (tmp_path / "mine" / "questions.yaml").write_text(MINE)
    found = busy.audit(guideline=str(tmp_path / "mine"))
    agreement = found.frames["agreement"]
    assert set(agreement["question"]) == {"match"}
    assert agreement["items"].max() == 16
    assert found.frames["precision"]["right"][0] > 15


def test_the_reader_sees_one_moment(busy: Any) -> None:
    """What is written while an audit reads does not come into it half: SQLite gives a reader its own view."""
    from waon_build.annotation.ledger import read

    with busy.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("SELECT 1")
        before = read(busy.engine)
        with database.writing(busy.engine) as writer:
            writer.exec_driver_sql("UPDATE tasks SET stratum = 'x'")
    assert "x" not in before.tasks["stratum"]
