"""The ingest flow on a real Prefect server on loopback: what people see there is what happened."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from waon_build.demo.server import Served, serve

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Api:
    """A Prefect server's API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def post(self, path: str) -> Any:
        request = urllib.request.Request(f"{self.url}/{path}", b"{}", {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)

    def is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                return True
        except OSError:
            return False


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A Prefect server of our own, with a home of its own, until the module ends."""
    home = tmp_path_factory.mktemp("prefect")
    port = free_port()
    environment = {
        **os.environ,
        "PREFECT_HOME": str(home),
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "log").open("wb") as log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as server:
        api = Api(f"http://127.0.0.1:{port}/api")
        deadline = time.monotonic() + 180
        while not api.is_up():
            assert server.poll() is None, (home / "log").read_text()
            assert time.monotonic() < deadline, "the Prefect server did not start in three minutes"
            time.sleep(0.5)
        yield api
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with serve(0) as served:
        yield served


def call(prefect: Api, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PREFECT_API_URL": prefect.url, "PREFECT_HOME": str(cwd / "home"), "COLUMNS": "200"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=280)


def test_the_command_line_and_the_module_run_one_flow_with_a_task_for_each_part(
    prefect: Api, site: Served, tmp_path: Path
) -> None:
    site.write_recipe(tmp_path / "demo.yaml", tmp_path / "corpus")
    ran = call(prefect, tmp_path, "-c", "from waon_build.cli import main; main()", "run", "demo.yaml", "--json")
    assert ran.returncode == 0, ran.stderr
    shown = json.loads(ran.stdout)
    assert shown["adds_up"]
    parts = sorted(path.name for path in (tmp_path / "corpus").glob("*/*.tally.json"))
    tasks = prefect.post("task_runs/filter")
    assert Counter(task["state_type"] for task in tasks) == {"COMPLETED": len(parts)}
    assert sorted(f"{task['name'].split()[-1]}.tally.json" for task in tasks) == parts
    (artifact,) = [one for one in prefect.post("artifacts/filter") if one["key"] == "funnel"]
    assert json.loads(artifact["data"]) == shown["funnel"]

    again = call(prefect, tmp_path, "-m", "flows.ingest", "demo.yaml")
    assert again.returncode == 0, again.stderr
    flows = prefect.post("flow_runs/filter")
    assert Counter(flow["name"] for flow in flows) == {"ingest demo.yaml": 2}
    assert len({flow["flow_id"] for flow in flows}) == 1
    assert len(prefect.post("task_runs/filter")) == len(parts), "nothing was new: no task ran"


def test_a_flow_ends_in_bad_input_with_one_line_and_no_second_try(prefect: Api, site: Served, tmp_path: Path) -> None:
    site.write_recipe(tmp_path / "bad.yaml", tmp_path / "corpus")
    (tmp_path / "bad.warc.gz").write_bytes(b"rubbish" * 100)
    source = f"sources=[{{kind: warc, paths: ['{tmp_path}/bad.warc.gz']}}]"
    ran = call(prefect, tmp_path, "-c", "from waon_build.cli import main; main()", "run", "bad.yaml", "--set", source)
    assert ran.returncode == 2, ran.stderr
    assert [line for line in ran.stderr.splitlines() if "bad.warc.gz: is not a WARC file" in line]
    assert "Traceback" not in ran.stderr
    (task,) = [task for task in prefect.post("task_runs/filter") if "bad-" in task["name"]]
    assert (task["state_type"], task["run_count"]) == ("FAILED", 1)
