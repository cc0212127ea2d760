"""The command line: success is 0, bad input is one line and 2, and nothing is left half written."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from waon_build import recipe as recipes
from waon_build.annotation import database
from waon_build.annotation.models import Kind
from waon_build.annotation.routing import place, put
from waon_build.annotation.stage import ROUTED
from waon_build.corpus import Corpus, Part
from waon_build.dedup.stage import Dedup
from waon_build.records import PAIR

TABLE = "url,caption\nhttp://127.0.0.1:9/a.jpg,夕暮れの鳥居\n"


def waon_build(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from waon_build.cli import main; main()", *map(str, arguments)]
    environment = {**os.environ, "PREFECT_HOME": str(cwd / "prefect"), "COLUMNS": "200"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=240)


def write_recipe(folder: Path, **fields: object) -> Path:
    (folder / "table.csv").write_text(TABLE, encoding="utf-8")
    recipe = {
        "name": "small",
        "corpus": str(folder / "corpus"),
        "sources": [{"kind": "table", "paths": [str(folder / "table.csv")]}],
        "fetch": {"contact": "me@example.org", "allow_hosts": ["127.0.0.1"], "retries": 0},
        **fields,
    }
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(recipe, allow_unicode=True), encoding="utf-8")
    return path


def corrupt(folder: Path, name: str) -> dict[str, object]:
    (folder / name).write_bytes(b"this is not what its name says" * 50)
    kind = "warc" if "warc" in name else "table"
    return {"sources": [{"kind": kind, "paths": [str(folder / name)]}]}


BAD = {
    "no recipe": (lambda folder: folder / "none.yaml", ["none.yaml", "cannot be read"]),
    "a recipe that is not YAML": (
        lambda folder: (path := folder / "bad.yaml", path.write_text("name: ["))[0],
        ["bad.yaml", "line 1", "is not YAML"],
    ),
    "a missing source": (
        lambda folder: write_recipe(folder, sources=[{"kind": "warc", "paths": [str(folder / "none.warc.gz")]}]),
        ["none.warc.gz", "sources.0.paths"],
    ),
    "no contact": (lambda folder: write_recipe(folder, fetch={}), ["fetch.contact", "is missing"]),
    "a corpus that cannot be written": (
        lambda folder: write_recipe(folder, corpus=str(folder / "table.csv" / "corpus")),
        ["the corpus cannot be written", "set `corpus`"],
    ),
    "an unknown language": (lambda folder: write_recipe(folder, language="xx"), ["language", "xx", "ja"]),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_bad_input_is_one_line_that_says_the_way_out_and_exit_code_2(case: str, tmp_path: Path) -> None:
    make, says = BAD[case]
    ended = waon_build("run", make(tmp_path), cwd=tmp_path)
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == ""
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1, ended.stderr
    for words in says:
        assert words in lines[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bad.warc.gz", "bad.parquet"])
def test_a_corrupt_source_is_one_line_and_leaves_no_part(name: str, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, **corrupt(tmp_path, name))
    ended = waon_build("run", recipe, cwd=tmp_path)
    assert ended.returncode == 2, ended.stderr
    lines = [line for line in ended.stderr.splitlines() if name in line]
    assert len(lines) == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    assert list((tmp_path / "corpus").rglob("*.tally.json")) == []
    assert list((tmp_path / "corpus").rglob("*.parquet")) == []


def test_an_export_of_nothing_accepted_is_one_line(tmp_path: Path) -> None:
    """The error is raised while a DuckDB connection is open, which must not report itself at the end."""
    recipe = write_recipe(tmp_path)
    corpus = Corpus(str(tmp_path / "corpus"))
    with corpus.write("image", Part("one", "one", "x"), PAIR) as writer:
        writer.commit()
    stage = Dedup(recipes.load(recipe))
    (part,) = stage.inputs(corpus)
    stage.run(corpus, part)
    ended = waon_build("export", recipe, cwd=tmp_path)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.strip().splitlines()[-1:] == ended.stderr.strip().splitlines(), ended.stderr
    assert "no accepted pair is left to release" in ended.stderr


def test_check_prints_the_effective_recipe(tmp_path: Path) -> None:
    ended = waon_build("recipe", "check", write_recipe(tmp_path), "--set", "dedup.radius=3", "--json", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    effective = json.loads(ended.stdout)
    assert effective["dedup"]["radius"] == 3
    assert effective["filters"]["image"]["min_side"] == 150
    shown = waon_build("recipe", "check", write_recipe(tmp_path), cwd=tmp_path)
    assert yaml.safe_load(shown.stdout)["name"] == "small"


def test_a_setting_that_is_none_is_refused(tmp_path: Path) -> None:
    ended = waon_build("recipe", "check", write_recipe(tmp_path), "--set", "nonsense", cwd=tmp_path)
    assert (ended.returncode, "FIELD=VALUE" in ended.stderr) == (2, True)


def test_a_release_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    ended = waon_build("verify", tmp_path / "none", cwd=tmp_path)
    assert ended.returncode == 2
    assert len(ended.stderr.strip().splitlines()) == 1


def test_the_audit_of_an_empty_corpus_is_empty_and_creates_nothing(tmp_path: Path) -> None:
    ended = waon_build("audit", write_recipe(tmp_path), "--json", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["funnel"] == []
    assert not (tmp_path / "corpus").exists()


def fill_queue(recipe: Path) -> dict[str, object]:
    """Put one pair into the queue, as a run does; returns it."""
    loaded = recipes.load(recipe)
    pair = {
        **dict.fromkeys(PAIR.names, ""),
        **dict.fromkeys(("offset", "size", "width", "height"), 1),
        "pair_id": "0" * 16,
        "cluster_id": "0" * 16,
        "url": "http://127.0.0.1:9/a.jpg",
        "caption": "夕暮れの鳥居",
    }
    with database.opened(loaded) as engine:
        put(engine, Kind.NORMAL, [pair], 2, datetime.now(UTC))
        place(engine, 2)
    with Corpus(loaded.corpus).write("route", Part("tasks", "clusters", "x"), ROUTED) as writer:
        writer.keep({"pair_id": pair["pair_id"], "kind": "normal", "stratum": "", "wave": 0})
        writer.commit()
    return pair


def test_a_takedown_clears_the_queue_at_once_even_where_a_run_would_fail(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    pair = fill_queue(recipe)
    (tmp_path / "table.csv").unlink()
    ended = waon_build("takedown", recipe, "url", pair["url"], "--why", "asked for", cwd=tmp_path)
    assert (ended.returncode, "tasks withdrawn: 1" in ended.stderr) == (0, True), ended.stderr
    judgements = tmp_path / "judgements.jsonl"
    judgements.write_text(json.dumps({"pair_id": pair["pair_id"], "annotator": "x", "match": 3, "culture": "not"}))
    ended = waon_build("judgements", "import", recipe, judgements, "--json", cwd=tmp_path)
    assert json.loads(ended.stdout) == {"read": 1, "kept": 0, "dropped": {"task_withdrawn": 1}}, ended.stderr


def test_a_takedown_where_there_is_no_corpus_is_bad_input_and_makes_none(tmp_path: Path) -> None:
    ended = waon_build("takedown", write_recipe(tmp_path), "host", "a.example", "--why", "asked for", cwd=tmp_path)
    assert (ended.returncode, "there is no corpus here" in ended.stderr) == (2, True), ended.stderr
    assert not (tmp_path / "corpus").exists()


def test_an_audit_writes_nothing_and_does_without_a_database(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path)
    fill_queue(recipe)
    folder = tmp_path / "corpus"

    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}

    before = times()
    ended = waon_build("audit", recipe, "--json", cwd=tmp_path)
    assert json.loads(ended.stdout)["queue"]["tasks normal, open"] == 1, ended.stderr
    assert times() == before
    (folder / "annotation.db").unlink()
    ended = waon_build("audit", recipe, "--json", cwd=tmp_path)
    assert json.loads(ended.stdout)["queue"] == {}, ended.stderr
    assert not (folder / "annotation.db").exists()


def test_a_release_that_was_tampered_with_ends_in_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / "SHA256SUMS").write_text(f"{'0' * 64}  gone.tar\n")
    ended = waon_build("verify", tmp_path / "release", cwd=tmp_path)
    assert ended.returncode == 1, ended.stderr
    assert "NOT OK" in ended.stderr


@pytest.mark.parametrize("arguments", [["run"], ["run", "x.yaml", "--nonsense"], ["nonsense"]])
def test_a_command_typed_wrong_ends_in_exit_code_2_and_says_how_it_goes(arguments: list[str], tmp_path: Path) -> None:
    ended = waon_build(*arguments, cwd=tmp_path)
    assert ended.returncode == 2
    assert "Usage" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("place", ["nosuch://x/y", "s3a:://", ""])
def test_a_release_at_no_address_is_bad_input(place: str, tmp_path: Path) -> None:
    ended = waon_build("verify", place, cwd=tmp_path)
    assert (ended.returncode, len(ended.stderr.strip().splitlines())) == (2, 1), ended.stderr


def test_a_demo_wants_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    ended = waon_build("demo", "--folder", tmp_path / "file", cwd=tmp_path)
    assert (ended.returncode, (tmp_path / "file").read_text()) == (2, "mine")
    assert len(ended.stderr.strip().splitlines()) == 1


def test_a_demo_never_removes_a_folder_that_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("mine")
    ended = waon_build("demo", "--folder", tmp_path, cwd=tmp_path)
    assert (ended.returncode, (tmp_path / "recipe.yaml").read_text()) == (2, "mine")


def test_secrets_are_neither_shown_nor_taken_on_the_command_line(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, runtime={"storage_options": {"secret": "hush"}})
    assert "hush" not in waon_build("recipe", "check", recipe, cwd=tmp_path).stdout
    ended = waon_build("recipe", "check", recipe, "--set", "runtime.storage_options.secret=hush", cwd=tmp_path)
    assert (ended.returncode, "hush" in ended.stderr) == (2, False)
    ended = waon_build("recipe", "check", recipe, "--set", "annotation={database: hush}", cwd=tmp_path)
    assert (ended.returncode, "hush" in ended.stderr) == (2, False)


def test_the_keys_of_a_source_are_secrets_too(tmp_path: Path) -> None:
    source = {"kind": "table", "paths": ["table.csv"], "storage_options": {"secret": "hush"}}
    recipe = write_recipe(tmp_path, sources=[source])
    assert "hush" not in waon_build("recipe", "check", recipe, cwd=tmp_path).stdout
    for setting in ("sources.0.storage_options={secret: hush}", "sources=[{kind: table, storage_options: {a: hush}}]"):
        ended = waon_build("recipe", "check", recipe, "--set", setting, cwd=tmp_path)
        assert (ended.returncode, "hush" in ended.stderr) == (2, False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "under_way"),
    [
        (["-c", "from waon_build.cli import main; main()", "run"], "fetch: 1 parts"),
        (["-m", "flows.ingest"], "plan g0001"),
    ],
    ids=["waon-build run", "python -m flows.ingest"],
)
def test_ctrl_c_ends_a_run_at_once_and_the_next_one_goes_on(start: list[str], under_way: str, tmp_path: Path) -> None:
    """A terminal sends it to every process of the run: workers and Prefect's server get it too."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/a.jpg"
        recipe = write_recipe(tmp_path)
        (tmp_path / "table.csv").write_text(f"url,caption\n{address},夕暮れの鳥居\n", encoding="utf-8")
        command = [sys.executable, *start, str(recipe)]
        environment = {**os.environ, "PREFECT_HOME": str(tmp_path / "prefect")}
        errors = tmp_path / "stderr"
        with errors.open("w") as stderr:
            process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=stderr, start_new_session=True)
            while under_way not in errors.read_text():
                assert process.poll() is None, errors.read_text()
                time.sleep(0.1)
            time.sleep(1)
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(timeout=15) == 130, errors.read_text()
    assert any(line.startswith("stopped: what is finished stays") for line in errors.read_text().splitlines())
    assert "Traceback" not in errors.read_text()
    while _is_anybody_left(process.pid):
        time.sleep(0.1)
    assert sorted(path.name for path in (tmp_path / "corpus" / "fetch").glob("*.tally.json")) == []
    assert waon_build("run", recipe, "--set", "fetch.timeout_seconds=1", cwd=tmp_path).returncode == 0


def _is_anybody_left(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
