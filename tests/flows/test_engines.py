"""One recipe on one machine, on Dask and on Ray: the same release, whatever dies, hangs or is stopped on the way."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from warcio.warcwriter import WARCWriter

from waon_build import pipeline, recipe
from waon_build.annotation import questions
from waon_build.demo.judgements import write_judgements
from waon_build.demo.server import Served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

WAON_BUILD = [sys.executable, "-c", "from waon_build.cli import main; main()"]
INGEST = [sys.executable, "-m", "flows.ingest"]


class Run:
    """A run under way in a process of its own."""

    def __init__(self, prefect: Any, folder: Path, command: list[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "PREFECT_API_URL": prefect.url, "PREFECT_HOME": str(folder / "home")}
        self.log = folder / f"log-{time.monotonic_ns()}"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)

    def end(self) -> int:
        try:
            return self.process.wait(280)
        finally:
            self.process.kill()

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")


def wait_until(happened: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 200
    while not (found := happened()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def makers(corpus: Path) -> set[int]:
    """The processes that are making a part: a part is written in a folder that bears their number."""
    return {int(folder.name.partition("-")[0]) for folder in corpus.glob(".scratch/*-*")}


def descendants(pid: int) -> set[int]:
    """Every process that comes from one, by what each says of its parent."""
    children: dict[int, set[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, set()).add(int(stat.parent.name))
    found: set[int] = set()
    todo = [pid]
    while todo:
        new = children.get(todo.pop(), set()) - found
        found |= new
        todo += new
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def write(folder: Path, base: dict[str, Any], corpus: str, **runtime: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({**base, "corpus": corpus, "runtime": runtime}, allow_unicode=True), "utf-8")
    return path


def release(path: Path, judged: Path) -> dict[str, str]:
    """Judges what is in the queue of a recipe and exports it; sha256 of each file of the release."""
    loaded = recipe.load(path)
    pairs = [(task.pair_id, task.caption, task.url) for task in pipeline.queued(loaded)]
    write_judgements(pairs, judged, questions.load(loaded.annotation.guideline).version)
    pipeline.import_answers(loaded, str(judged))
    found = pipeline.export(loaded)
    fs = pipeline.open_corpus(loaded).fs
    files = sorted(fs.find(found.url))
    return {file.rpartition("/releases/")[2]: hashlib.sha256(fs.cat_file(file)).hexdigest() for file in files}


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The storage options of an S3 of our own, with a bucket `corpora`."""
    import s3fs

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    options = {"key": "k", "secret": "s", "client_kwargs": {"endpoint_url": url, "region_name": "ap-northeast-1"}}
    with (tmp_path / "moto.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        s3fs.S3FileSystem(**options).mkdir("corpora")
        yield options
        server.terminate()


def tasks_of(prefect: Any, flow: str) -> list[dict[str, Any]]:
    """The task runs of a flow run. flow: what its name ends with."""
    runs = [one["id"] for one in prefect.post("flow_runs/filter") if one["name"].endswith(flow)]
    found: list[dict[str, Any]] = prefect.post("task_runs/filter", {"flow_runs": {"id": {"any_": runs}}})
    return found


def tries(prefect: Any, flow: str) -> Counter[int]:
    """How many parts of a flow run were begun how often."""
    tasks = tasks_of(prefect, flow)
    states = [prefect.get(f"task_run_states/?task_run_id={task['id']}") for task in tasks]
    return Counter(sum(state["type"] == "RUNNING" for state in of_task) for of_task in states)


def told(prefect: Any, flow: str) -> Counter[str]:
    """The parts whose counts were logged in a flow run, and how often."""
    runs = [one["id"] for one in prefect.post("flow_runs/filter") if one["name"].endswith(flow)]
    lines = prefect.post("logs/filter", {"logs": {"flow_run_id": {"any_": runs}}, "limit": 200})
    return Counter(line["message"].partition(":")[0] for line in lines if ": read=" in line["message"])


def test_the_release_is_the_same_on_every_engine_and_a_killed_worker_costs_its_part_only(
    prefect: Any, site: Served, s3: dict[str, Any], tmp_path: Path
) -> None:
    """One worker; four, with the corpus on S3; Dask; Ray: all at once, and one worker of each cluster is killed."""
    site.write_recipe(tmp_path / "demo.yaml", tmp_path / "corpus")
    demo = yaml.safe_load((tmp_path / "demo.yaml").read_text("utf-8"))
    demo["fetch"]["timeout_seconds"] = 6  # the slow host takes eight, and this machine is busy
    on_s3 = {**demo, "annotation": {**demo["annotation"], "database": f"sqlite:///{tmp_path}/four/annotation.db"}}
    recipes = {
        "one": write(tmp_path / "one", demo, str(tmp_path / "one" / "corpus"), workers=1),
        "four": write(tmp_path / "four", on_s3, "s3://corpora/demo", workers=4, storage_options=s3),
        "dask": write(tmp_path / "dask", demo, str(tmp_path / "dask" / "corpus"), engine="dask", workers=2),
        "ray": write(tmp_path / "ray", demo, str(tmp_path / "ray" / "corpus"), engine="ray", workers=1),
    }
    runs = {name: Run(prefect, tmp_path / name, [*INGEST, str(path)]) for name, path in recipes.items()}
    to_kill = {"dask", "ray"}

    def fetches(name: str) -> bool:
        """Whether Prefect knows that a part is being fetched; the slow host holds it up."""
        tasks = tasks_of(prefect, f"{name}/recipe.yaml")
        return any(task["name"].startswith("fetch") and task["state_type"] == "RUNNING" for task in tasks)

    def kill_one_of_each() -> bool:
        for name in sorted(to_kill):
            corpus = tmp_path / name / "corpus"
            at_work = makers(corpus) - {runs[name].process.pid}
            if at_work and list(corpus.glob("plan/*.tally.json")) and fetches(name):
                os.kill(at_work.pop(), signal.SIGKILL)
                to_kill.remove(name)
            assert runs[name].process.poll() is None, runs[name].said
        return not to_kill

    wait_until(kill_one_of_each)
    for run in runs.values():
        assert run.end() == 0, run.said
    releases = {name: release(path, tmp_path / name / "judged.jsonl") for name, path in recipes.items()}
    assert any(name.endswith(".tar") for name in releases["one"])
    for name in recipes:
        assert releases[name] == releases["one"], name
    tallies = (tmp_path / "one" / "corpus").glob("*/*.tally.json")
    made = Counter(f"{path.parent.name} {path.name.removesuffix('.tally.json')}" for path in tallies)
    for name in recipes:
        wait_until(lambda name=name: told(prefect, f"{name}/recipe.yaml") == made)
    for name in ("dask", "ray"):
        flow = f"{name}/recipe.yaml"
        wait_until(lambda flow=flow: {one["state_type"] for one in tasks_of(prefect, flow)} == {"COMPLETED"})
        assert tries(prefect, flow) == {1: made.total() - 1, 2: 1}, name


def test_a_part_that_hangs_is_ended_and_named_and_the_printed_command_makes_it(prefect: Any, tmp_path: Path) -> None:
    """A source that never answers (a pipe that nobody writes to) hangs its worker in a system call. First the run is
    stopped, then it has a limit, then the source is mended."""
    source = tmp_path / "pages.warc"
    os.mkfifo(source)
    (tmp_path / "table.csv").write_text("url,caption\nhttp://127.0.0.1:9/a.jpg,夕暮れの鳥居\n", "utf-8")
    sources = [{"kind": "table", "paths": [str(tmp_path / "table.csv")]}, {"kind": "warc", "paths": [str(source)]}]
    fetch = {"contact": "me@example.org", "allow_hosts": ["127.0.0.1"], "retries": 0}
    corpus = tmp_path / "corpus"
    path = write(tmp_path, {"name": "hangs", "sources": sources, "fetch": fetch}, str(corpus), workers=2)

    run = Run(prefect, tmp_path, [*INGEST, str(path)])
    wait_until(lambda: list(corpus.glob("extract/table-*.tally.json")) and makers(corpus))
    processes = descendants(run.process.pid)
    run.process.send_signal(signal.SIGTERM)
    assert run.end() == 143, run.said
    assert "stopped: what is finished stays; the same command goes on from there" in run.said
    wait_until(lambda: not [pid for pid in processes if alive(pid)])
    state = {one["state_type"] for one in prefect.post("flow_runs/filter") if one["name"] == f"ingest {path}"}
    assert state <= {"CRASHED", "CANCELLED"}, "nobody thinks that it still runs"

    limits = ["--set", "runtime.part_timeout_minutes=0.03", "--set", "runtime.retries=1"]
    run = Run(prefect, tmp_path, [*WAON_BUILD, "run", str(path), *limits])
    assert run.end() == 1, run.said
    (line,) = [line for line in run.said.splitlines() if "failed: pages-" in line]
    assert "took longer than runtime.part_timeout_minutes (0.03): its process was ended" in line
    tasks = [one for one in prefect.post("task_runs/filter") if "extract pages-" in one["name"]]
    assert sorted((one["state_type"], one["run_count"]) for one in tasks)[-1] == ("FAILED", 2)
    tables = {one["key"]: one for one in prefect.post("artifacts/latest/filter")}
    (failed,) = json.loads(tables["failed-parts"]["data"])
    command = line.rpartition(": ")[2]
    assert failed["run_again"] == command

    source.unlink()
    with source.open("wb") as file:
        writer = WARCWriter(file, gzip=False)
        writer.write_record(writer.create_warcinfo_record("pages.warc", {"software": "test"}))
    waon_build, *arguments = shlex.split(command)
    assert waon_build == "waon-build"
    run = Run(prefect, tmp_path, [*WAON_BUILD, *arguments])
    assert run.end() == 0, run.said
    assert {one.name.partition("-")[0] for one in corpus.glob("*/*.tally.json")} == {"table", "pages"}
