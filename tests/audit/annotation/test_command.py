"""`waon-build audit annotation`, beside `waon-build audit` as it was, and the flow of the same name."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture
def recipe(campaign: Any, tmp_path: Path) -> Path:
    """A recipe whose corpus has two judged pairs."""
    for who in (campaign.person(), campaign.person()):
        for task in campaign.pairs(2):
            campaign.say(who, task)
    campaign.decide()
    campaign.engine.dispose()
    path = tmp_path / "small.yaml"
    fields = {"name": "small", "corpus": str(tmp_path), "sources": [{"kind": "table", "paths": ["none.csv"]}]}
    path.write_text(yaml.safe_dump(fields), encoding="utf-8")
    return path


def called(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PREFECT_HOME": str(cwd / "prefect"), "COLUMNS": "200"}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=280)


def waon_build(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return called("-c", "from waon_build.cli import main; main()", *arguments, cwd=cwd)


def test_the_annotation_is_audited_by_name(recipe: Path, tmp_path: Path) -> None:
    """On the terminal, as one JSON document, and into files."""
    ended = waon_build("audit", "annotation", recipe, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "Agreement on match: raw 1.00" in ended.stdout
    ended = waon_build("audit", "annotation", recipe, "--json", "--out", "out", "--resamples", 20, cwd=tmp_path)
    assert json.loads(ended.stdout)["decisions"] == [{"kind": "normal", "outcome": "accepted", "tasks": 2}]
    assert "26 files are in out" in ended.stderr
    assert (tmp_path / "out" / "agreement.parquet").exists()


@pytest.mark.parametrize("arguments", [[], ["corpus"]])
def test_the_corpus_is_audited_without_a_name_and_by_name(arguments: list[str], recipe: Path, tmp_path: Path) -> None:
    ended = waon_build("audit", *arguments, recipe, "--json", cwd=tmp_path)
    assert json.loads(ended.stdout)["name"] == "small", ended.stderr
    ended = waon_build("audit", *arguments, "--json", recipe, cwd=tmp_path)
    assert json.loads(ended.stdout)["name"] == "small", ended.stderr


def test_an_audit_before_anybody_was_asked_is_bad_input_and_makes_nothing(recipe: Path, tmp_path: Path) -> None:
    for file in tmp_path.glob("annotation.db*"):
        file.unlink()
    ended = waon_build("audit", "annotation", recipe, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (
        2,
        "small: nobody was asked yet: run the recipe, which makes the annotation queue\n",
    )
    assert not list(tmp_path.glob("annotation.db*"))


@pytest.mark.slow
def test_the_flow_leaves_every_table_and_a_summary_as_artifacts(recipe: Path, tmp_path: Path) -> None:
    ended = called("-m", "flows.audit", recipe, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    shown = json.loads(waon_build("audit", "annotation", recipe, "--json", cwd=tmp_path).stdout)
    with sqlite3.connect(tmp_path / "prefect" / "prefect.db") as connection:
        artifacts = dict(connection.execute("SELECT key, data FROM artifact"))
    data = {key: json.loads(text) for key, text in artifacts.items()}
    (report,) = (tmp_path / "reports").glob("*.md")
    assert data.pop("weekly-report") == report.read_text(encoding="utf-8")
    assert [json.loads(data.pop(f"weekly-{name}")) for name in ("came-in", "dropped")] == [[], []]
    assert "- Agreement on match: raw 1.00" in data.pop("annotation")
    assert json.loads(data["annotation-agreement"]) == shown["agreement"]
    assert {key.removeprefix("annotation-").replace("-", "_") for key in data} == shown.keys() - {"name", "at", "empty"}


def test_the_flow_without_a_corpus_ends_in_one_line(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(
        recipe.read_text(encoding="utf-8").replace(str(tmp_path), f"{tmp_path}/nowhere"), encoding="utf-8"
    )
    ended = called("-m", "flows.audit", recipe, cwd=tmp_path)
    assert (ended.returncode, len(ended.stderr.strip().splitlines())) == (2, 1), ended.stderr
    assert "there is no corpus here" in ended.stderr
    assert not (tmp_path / "nowhere").exists()
