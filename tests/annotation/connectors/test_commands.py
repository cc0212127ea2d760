"""The commands: tasks go out, answers come back, and what is wrong is one line and exit code 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from waon_build import pipeline
from waon_build import recipe as recipes
from waon_build.annotation import database
from waon_build.annotation.models import Kind
from waon_build.annotation.routing import place, put
from waon_build.corpus import Part
from waon_build.records import IMAGE

PICTURES = [b"first picture", b"second"]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe whose queue has two pairs, and whose corpus has their pictures."""
    path = tmp_path / "small.yaml"
    source = {"kind": "table", "paths": [str(tmp_path / "table.csv")]}
    path.write_text(yaml.safe_dump({"name": "small", "corpus": str(tmp_path / "corpus"), "sources": [source]}))
    loaded = recipes.load(path)
    corpus = pipeline.open_corpus(loaded)
    with corpus.write("fetch", Part("g0001", "", "x"), IMAGE) as writer:
        with writer.open_file("images", "tar") as tar:
            tar.write(b"".join(PICTURES))
        writer.commit()
    pairs: list[dict[str, Any]] = [
        {
            "pair_id": f"{number:016x}",
            "cluster_id": f"{number:016x}",
            "url": f"https://images.example/{number}.jpg",
            "caption": f"第{number}の門松",
            "caption_source": "alt",
            "page_url": "",
            "page_title": "",
            "stored_in": "g0001",
            "offset": sum(map(len, PICTURES[:number])),
            "size": len(PICTURES[number]),
            "format": "jpg",
            "width": 640,
            "height": 480,
        }
        for number in range(2)
    ]
    with database.opened(loaded) as engine:
        put(engine, Kind.NORMAL, pairs, 2, datetime.now(UTC))
        place(engine, 2)
    return path


def waon_build(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from waon_build.cli import main; main()", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=240)


@pytest.mark.parametrize(("tool", "tasks"), [("labelstudio", "tasks.json"), ("potato", "tasks.jsonl")])
def test_tasks_go_out_with_their_pictures(recipe: Path, tmp_path: Path, tool: str, tasks: str) -> None:
    ended = waon_build("tasks", "export", recipe, "--to", tool, "--out", "out", "--json", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout) == {"tasks": 2, "pictures": 2}
    assert (tmp_path / "out" / tasks).exists()
    for number, picture in enumerate(PICTURES):
        assert (tmp_path / "out" / "pictures" / f"{number:016x}.jpg").read_bytes() == picture
    again = waon_build("tasks", "export", recipe, "--to", tool, "--out", "out", cwd=tmp_path)
    assert again.returncode == 2
    assert len(again.stderr.splitlines()) == 1
    assert "holds something already: give --out a new folder" in again.stderr


def test_only_the_first_tasks_go_out_when_so_many_are_asked_for(recipe: Path, tmp_path: Path) -> None:
    ended = waon_build("tasks", "export", recipe, "--to", "potato", "--out", "out", "--limit", 1, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "1 tasks are in out: out/README.md says how to go on" in ended.stderr
    assert len((tmp_path / "out" / "tasks.jsonl").read_text().splitlines()) == 1
    assert len(list((tmp_path / "out" / "pictures").iterdir())) == 1


def test_answers_come_back_whichever_tool_wrote_them(recipe: Path, tmp_path: Path, recorded: Path) -> None:
    """A pair that was never in this queue ends it; what is said of the two that are is taken."""
    rows = json.loads((recorded / "labelstudio_min.json").read_text(encoding="utf-8"))
    few = [row for row in rows if row["pair_id"] in ("0" * 16, f"{1:016x}")]
    (tmp_path / "few.json").write_text(json.dumps(few), encoding="utf-8")
    taken = waon_build("judgements", "import", recipe, "few.json", "--json", cwd=tmp_path)
    assert (taken.returncode, taken.stderr) == (0, "")
    assert json.loads(taken.stdout) == {"read": 4, "kept": 4, "dropped": {}}
    whole = waon_build("judgements", "import", recipe, recorded / "labelstudio_min.json", cwd=tmp_path)
    assert whole.returncode == 2
    assert len(whole.stderr.splitlines()) == 1
    assert "labelstudio_min.json: entry 5 (annotation 3): pair_id: no such pair was ever in the queue" in whole.stderr
    wrong = waon_build("judgements", "import", recipe, "few.json", "--from", "potato", cwd=tmp_path)
    assert (wrong.returncode, len(wrong.stderr.splitlines())) == (2, 1)
