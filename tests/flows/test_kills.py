"""`kill -9` at any moment, of whatever takes part: flow, worker or Prefect's server. Nothing is lost, nothing is
doubled, no file is half there, and the release has the bytes of an undisturbed one.

WAON_KILLS=50 makes it the long test that it was written for; CI kills fewer times, at other moments each day."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from waon_build import pipeline, recipe
from waon_build.annotation import database
from waon_build.annotation.models import Annotation, Decision, Task, live
from waon_build.corpus import Corpus
from waon_build.demo.server import Served, serve

KILLS = int(os.environ.get("WAON_KILLS", "6"))
VICTIMS = ("flow", "worker", "server")
SEED = os.environ.get("WAON_KILLS_SEED") or f"{datetime.now(UTC):%Y-%m-%d}"

WHOLE_WAY = textwrap.dedent("""
    import os

    from flows import runtime
    from flows.export import export
    from flows.ingest import ingest
    from flows.stages import PartsFailedError
    from waon_build import pipeline, recipe
    from waon_build.annotation import questions
    from waon_build.demo.judgements import write_judgements

    def whole_way(path):
        ingest(path)
        loaded = recipe.load(path)
        judgements = f"{path}.judgements"
        if not os.path.exists(judgements):
            pairs = [(task.pair_id, task.caption, task.url) for task in pipeline.queued(loaded)]
            write_judgements(pairs, f"{judgements}.aside", questions.load(loaded.annotation.guideline).version)
            os.replace(f"{judgements}.aside", judgements)
        pipeline.import_answers(loaded, judgements)
        export(path)

    runtime.run_as_script(whole_way, PartsFailedError)
""")


class Server:
    """A Prefect server that may be killed and started again: the same address, the same database."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}/api"
        self.environment = {
            **os.environ,
            "PREFECT_HOME": str(home),
            "PREFECT_API_URL": self.url,
            "PREFECT_LOGGING_LEVEL": "CRITICAL",  # it tells of each request that failed, at length
            "DO_NOT_TRACK": "1",
        }
        self._log = home / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it where it is not running, and wait until it answers."""
        if self._process is None or self._process.poll() is not None:
            command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [*command, "--port", str(self.port)],
                    env={**self.environment, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"},
                    stdout=log,
                    stderr=log,
                )
        deadline = time.monotonic() + 180
        while not self._is_up():
            assert time.monotonic() < deadline, self._log.read_text()[-3000:]
            time.sleep(0.2)

    def kill(self) -> None:
        if self._process is None:
            return
        for pid in [*descendants(self._process.pid), self._process.pid]:
            end(pid)
        self._process.wait()

    def _is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                return True
        except OSError:
            return False


def descendants(pid: int) -> list[int]:
    """The processes that a process started, and those that they started."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            children = (task / "children").read_text().split()
        except OSError:
            continue
        for child in children:
            found += [int(child), *descendants(int(child))]
    return found


def end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with serve(0) as served:
        yield served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("prefect"))
    yield server
    server.kill()


class Corpora:
    """Recipes of one site, each with a corpus of its own."""

    def __init__(self, site: Served, server: Server, folder: Path) -> None:
        self.site, self.server, self.folder, self._made = site, server, folder, 0

    def new(self) -> Path:
        self._made += 1
        path = self.folder / f"{self._made}.yaml"
        self.site.write_recipe(path, self.folder / f"corpus-{self._made}")
        return path

    def run(self, path: Path, **settings: str) -> subprocess.Popen[str]:
        """Begin the whole way, from the sources to the release. settings: further environment variables."""
        command = [sys.executable, "-c", WHOLE_WAY, str(path)]
        environment = {**self.server.environment, **settings}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def outcome(path: Path) -> dict[str, object]:
    """What a finished corpus holds: sha256 of the release's files; people's answers; decisions."""
    loaded = recipe.load(path)
    release = Path(loaded.corpus) / "releases" / "demo"
    files = {str(file.relative_to(release)): sha256(file) for file in sorted(release.rglob("*")) if file.is_file()}
    with database.reading(loaded) as engine, engine.connect() as connection:
        answers = connection.execute(
            select(Task.pair_id, func.count()).join(Annotation, Annotation.task_id == Task.id).group_by(Task.pair_id)
        ).all()
        decided = connection.execute(
            select(Task.pair_id, Decision.outcome).join(Task, Task.id == Decision.task_id).where(live(Decision))
        ).all()
        tasks = connection.scalars(select(Task.pair_id)).all()
    return {
        "files": files,
        "answers": Counter(dict(answers)),
        "decisions": sorted((pair, str(said)) for pair, said in decided),
        "tasks": sorted(tasks),
    }


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_that_it_is_whole(path: Path) -> None:
    """After a kill: every part that a tally tells of is there with every byte, and adds up; so is every release."""
    loaded = recipe.load(path)
    corpus = Corpus(loaded.corpus)
    for stage in pipeline.STAGES:
        for tally in corpus.tallies(stage):
            assert tally.rows.adds_up
            for role, name in tally.files.items():
                digest = sha256(Path(corpus.path(stage, name)))
                assert name.startswith(f"{tally.part}.{role}-{digest[:12]}."), f"{stage}/{name} is half there"
    for release in Path(loaded.corpus).glob("releases/[!.]*"):
        for line in (release / "SHA256SUMS").read_text().splitlines():
            digest, _, name = line.partition("  ")
            assert sha256(release / name) == digest


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nothing_is_lost_or_doubled_whoever_is_killed_and_whenever(
    site: Served, server: Server, tmp_path: Path
) -> None:
    chance = random.Random(SEED)
    corpora = Corpora(site, server, tmp_path)
    server.start()
    peace = corpora.new()
    began = time.monotonic()
    run = corpora.run(peace)
    said, _ = run.communicate()
    assert run.returncode == 0, said
    takes = time.monotonic() - began
    expected = outcome(peace)

    killed: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    path = corpora.new()
    finished = 0
    while killed.total() < KILLS or finished == 0:
        server.start()
        run = corpora.run(path)
        victim = VICTIMS[killed.total() % len(VICTIMS)]  # each as often as the others, also of few kills
        moment = time.monotonic() + chance.uniform(0, takes) if killed.total() < KILLS else float("inf")
        while run.poll() is None and time.monotonic() < moment:
            time.sleep(0.02)
        if run.poll() is None:
            killed[victim] += kill(victim, run, server, chance)
        said, _ = run.communicate(timeout=600)
        assert victim != "server" or "Traceback" not in said, said
        check_that_it_is_whole(path)
        ended[f"{victim}: {run.returncode}"] += 1
        if run.returncode == 0:
            assert outcome(path) == expected, f"seed {SEED}, after {dict(killed)}"
            finished += 1
            path = corpora.new()
    print(f"killed {dict(killed)}; runs ended {dict(ended)}; {finished} finished")


def kill(victim: str, run: subprocess.Popen[str], server: Server, chance: random.Random) -> int:
    """Kill it; returns whether there was one."""
    if victim == "flow":
        run.kill()
    elif victim == "server":
        server.kill()
        server.start()  # as systemd would: the run waits for it
    else:
        workers = descendants(run.pid)
        if not workers:
            return 0
        end(chance.choice(workers))
    return 1


@pytest.mark.slow
def test_a_run_whose_server_goes_away_for_good_ends_with_one_line_and_keeps_what_is_finished(
    site: Served, server: Server, tmp_path: Path
) -> None:
    server.start()
    corpora = Corpora(site, server, tmp_path)
    path = corpora.new()
    run = corpora.run(path, PREFECT_CLIENT_MAX_RETRIES="0")
    while not Path(f"{tmp_path}/corpus-1/plan/g0001.tally.json").exists():
        assert run.poll() is None, run.communicate()[0]
        time.sleep(0.05)
    server.kill()
    said, _ = run.communicate(timeout=200)
    assert run.returncode == 1, said
    assert said.splitlines()[-1].startswith("Prefect's server is gone (")
    assert "Traceback" not in said
    check_that_it_is_whole(path)
    assert Corpus(recipe.load(path).corpus).parts("text")


@pytest.mark.slow
def test_a_run_that_finds_no_server_ends_with_one_line(site: Served, server: Server, tmp_path: Path) -> None:
    server.kill()
    corpora = Corpora(site, server, tmp_path)
    run = corpora.run(corpora.new(), PREFECT_CLIENT_MAX_RETRIES="0")
    said, _ = run.communicate(timeout=200)
    assert run.returncode == 2, said
    assert said.splitlines()[-1].startswith(f"{server.url}/: there is no Prefect server: start it with")
    assert "Traceback" not in said
