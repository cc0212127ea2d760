"""A Prefect server, a worker and a sample site of our own, on loopback, with a home that is thrown away."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from waon_build.demo.server import Served, serve

QUICK = {
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "1",
}
"""So that tests need not wait: a worker asks for work every 10 s otherwise, and schedules are looked at every 5."""


class Prefect:
    """A Prefect server that runs, its API, and processes that talk to it."""

    def __init__(self, url: str, home: Path, environment: dict[str, str]) -> None:
        self.url, self.home, self.environment = url, home, environment

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/{path}", timeout=120) as reply:
            return json.load(reply)

    def post(self, path: str, body: Any = None) -> Any:
        data = json.dumps(body or {}).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as reply:
            return json.load(reply)

    def call(self, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments in a folder, to its end."""
        environment = {**os.environ, "PREFECT_API_URL": self.url, "PREFECT_HOME": str(cwd / "home"), "COLUMNS": "200"}
        environment["PWD"] = str(cwd)  # as a shell has it
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=280
        )

    @contextmanager
    def worker(self, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """A worker of the pool `waon-build`. Nothing in its own environment keeps Prefect from phoning home."""
        environment = {key: value for key, value in self.environment.items() if key not in TELEMETRY}
        environment |= {"PREFECT_API_URL": self.url, "CI": "1"}  # Prefect holds its tongue in CI too
        command = ("worker", "start", "--pool", "waon-build", *options)
        with _process(self.home / "worker.log", environment, *command) as process:
            yield process

    def wait(self, what: str, is_so: Callable[[], Any]) -> Any:
        """Whatever `is_so` returns, once that is true."""
        deadline = time.monotonic() + 120
        while not (found := is_so()):
            assert time.monotonic() < deadline, f"waited in vain for {what}; worker: {self.log('worker')[-4000:]}"
            time.sleep(0.2)
        return found

    def schedule_soon(self, schedule: Callable[[str], object]) -> None:
        """Have `schedule` make a schedule that is due in a few seconds, of which the server has planned the run; of
        more seconds, where the machine is slow. It is told a cron expression in UTC, with seconds as sixth field."""
        for seconds in (5, 15, 45, 90):
            due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
            schedule(f"{due.minute} {due.hour} {due.day} {due.month} * {due.second}")
            while datetime.now(UTC) < due + timedelta(seconds=2):
                runs = self.post("flow_runs/filter")
                if any(datetime.fromisoformat(run["expected_start_time"]) == due for run in runs):
                    return
                time.sleep(0.2)
        raise AssertionError(f"nothing was planned: {self.log('server')[-4000:]}")

    def log(self, name: str) -> str:
        path = self.home / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""


TELEMETRY = ("DO_NOT_TRACK", "PREFECT_SERVER_ANALYTICS_ENABLED")


@contextmanager
def prefect_server(home: Path, **settings: str) -> Iterator[Prefect]:
    """A server, for the length of a `with`. settings: further environment variables."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    home.mkdir(exist_ok=True)
    environment = {**os.environ, "PREFECT_HOME": str(home), **dict.fromkeys(TELEMETRY, "1"), **QUICK, **settings}
    environment["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    address = ("--host", "127.0.0.1", "--port", str(port))
    with _process(home / "server.log", environment, "server", "start", *address) as process:
        prefect = Prefect(f"http://127.0.0.1:{port}/api", home, environment)
        deadline = time.monotonic() + 180
        while not _is_up(prefect):
            assert process.poll() is None, prefect.log("server")
            assert time.monotonic() < deadline, "the Prefect server did not start in three minutes"
            time.sleep(0.2)
        yield prefect


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    """A Prefect server of our own, until the module ends."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as server:
        yield server


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with serve(0) as served:
        yield served


@contextmanager
def _process(log: Path, environment: dict[str, str], *command: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "prefect", *command], env=environment, stdout=out, stderr=out)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _is_up(prefect: Prefect) -> bool:
    try:
        return bool(prefect.get("health"))
    except OSError:
        return False
