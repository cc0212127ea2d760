"""`waon-build schedule` on a real Prefect server with a real worker: what is due begins, and can be stopped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL
from prefect.settings.context import temporary_settings
from sqlalchemy import select
from typer.testing import CliRunner

from flows import deployments
from flows.route import route
from waon_build import recipe as recipes
from waon_build.annotation import database, people, queue
from waon_build.annotation.models import Decision, Kind, Task
from waon_build.annotation.questions import load
from waon_build.cli import app
from waon_build.corpus import Corpus
from waon_build.demo.server import Served
from waon_build.records import InputError
from waon_build.rights.tombstones import Tombstones

ROOT = Path(__file__).parents[2]
QUICKLY = ("--set", "fetch.timeout_seconds=1", "--set", "fetch.retries=0", "--set", "runtime.workers=1")
SLOWLY = ("--set", "fetch.per_host_rate=0.2", "--set", "fetch.per_host_concurrency=1")


def typed(*arguments: str) -> str:
    """What a command prints on standard output."""
    ended = CliRunner().invoke(app, arguments)
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def judged_twice(recipe: str) -> tuple[str, str]:
    """Have two people find one pair good; returns its id and that of another."""
    settings = recipes.load(recipe)
    questions = load(settings.annotation.guideline)
    answers = questions.answers({"match": 3, "culture": "specific"})
    now = datetime.now(UTC)
    with database.opened(settings) as engine, database.writing(engine) as connection:
        normal = select(Task.id, Task.pair_id).where(Task.kind == Kind.NORMAL).order_by(Task.id).limit(2)
        (task, first), (_, second) = connection.execute(normal).tuples()
        for who in [people.add(connection, now) for _ in range(2)]:
            lease = queue.lease_task(connection, who, task, now, minutes=10)
            queue.submit(connection, who, task, lease.token, answers, now)
    return first, second


def tasks_of(recipe: str, pairs: tuple[str, ...]) -> dict[str, tuple[str, str | None]]:
    """pair_id -> the state of its task, and what was decided of it."""
    statement = (
        select(Task.pair_id, Task.state, Decision.outcome)
        .outerjoin(Decision, Decision.task_id == Task.id)
        .where(Task.pair_id.in_(pairs))
    )
    with database.opened(recipes.load(recipe)) as engine, engine.connect() as connection:
        return {pair: (state, outcome) for pair, state, outcome in connection.execute(statement).tuples()}


@pytest.mark.slow
def test_a_schedule_begins_by_itself_and_is_cancelled_changed_run_by_hand_paused_and_removed(
    prefect: Any, site: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One story, since a server and a worker take a quarter of a minute to start."""
    monkeypatch.chdir(tmp_path)
    site.write_recipe("demo.yaml", "corpus")

    def only_run(state: str) -> dict[str, Any] | None:
        runs = [run for run in prefect.post("flow_runs/filter") if run["state_type"] == state]
        return runs[0] if runs else None

    def schedules() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(typed("schedule", "list", "--json"))
        return found

    with temporary_settings({PREFECT_API_URL: prefect.url}), prefect.worker("--type", "process"):
        # By schedule, from the recipe of this folder.
        prefect.wait("the worker", lambda: "started!" in prefect.log("worker"))
        prefect.schedule_soon(lambda cron: typed("schedule", "demo.yaml", "--cron", cron, "--timezone", "UTC", *SLOWLY))
        run = prefect.wait("the run that was due", lambda: only_run("RUNNING"))
        assert (run["auto_scheduled"], run["created_by"]["type"]) == (True, "SCHEDULE")
        assert run["parameters"]["recipe"] == str(tmp_path / "demo.yaml")
        prefect.wait("its parts", lambda: prefect.post("task_runs/filter"))
        process = Path(f"/proc/{run['infrastructure_pid'].rpartition(':')[2]}")
        if Path("/proc/self/environ").exists():
            variables = dict(pair.split("=", 1) for pair in (process / "environ").read_text().split("\0") if pair)
            assert variables.items() >= deployments.ENVIRONMENT.items(), "the worker has none of these itself"

        # Cancelled on the server: it ends, and lets go of the corpus.
        body = {"state": {"type": "CANCELLING"}, "force": False}
        prefect.post(f"flow_runs/{run['id']}/set_state", body)
        prefect.wait("its end", lambda: only_run("CANCELLED"))
        assert not process.exists()
        corpus = Corpus("corpus")

        # Scheduled anew: it is the same one, without what was set before. By hand, while another run holds the corpus.
        with corpus.alone():
            typed("schedule", "demo.yaml", "--cron", "0 3 * * 1", *QUICKLY)
            (one,) = schedules()
            assert (one["name"], one["cron"], one["timezone"]) == ("ingest/demo-ingest", "0 3 * * 1", "Asia/Tokyo")
            assert (one["last_state"], one["has_worker"]) == ("Cancelled", True)
            assert datetime.fromisoformat(one["next_run"]).strftime("%H:%M %z") == "03:00 +0900"
            typed("schedule", "run", "demo-ingest")
            prefect.wait("it to wait", lambda: "another run holds the corpus" in prefect.log("worker"))
        run = prefect.wait("its success", lambda: only_run("COMPLETED"))
        assert run["parameters"]["overrides"] == {"fetch.timeout_seconds": 1, "fetch.retries": 0, "runtime.workers": 1}
        assert json.loads(typed("audit", "demo.yaml", "--json"))["adds_up"]
        artifacts = prefect.post("artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}})
        assert "funnel" in {artifact["key"] for artifact in artifacts}
        assert schedules()[0]["last_state"] == "Completed"

        # The route flow decides what two people judged, and withdraws what was taken down meanwhile.
        first, second = judged_twice("demo.yaml")
        Tombstones.add(corpus, "pair_id", second, "its owner asked")
        assert route("demo.yaml") == {"accepted": 1}
        assert tasks_of("demo.yaml", (first, second)) == {first: ("done", "accepted"), second: ("withdrawn", None)}

        # Paused, nothing of it is planned; it stays so when it is changed, until it is resumed.
        planned: Callable[[], Any] = lambda: only_run("SCHEDULED")  # noqa: E731
        prefect.wait("its next run", planned)
        typed("schedule", "pause", "ingest/demo-ingest")
        prefect.wait("nothing to be planned", lambda: not planned())
        typed("schedule", "demo.yaml", "--cron", "0 4 * * 1")
        (one,) = schedules()
        assert (one["paused"], one["next_run"]) == (True, "")
        assert not planned()
        typed("schedule", "resume", "demo-ingest")
        prefect.wait("its next run", planned)

        # All of a checkout at once, beside it.
        checkout = tmp_path / "checkout"
        checkout.mkdir()
        shutil.copy(ROOT / "prefect.yaml", checkout)
        ended = prefect.call(checkout, "-m", "prefect", "deploy", "--all")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        for made in prefect.post("deployments/filter"):
            assert made["tags"][0] == deployments.TAG
            assert made["global_concurrency_limit"]["limit"] == 1
            assert made["concurrency_options"]["collision_strategy"] == "ENQUEUE"
            assert made["job_variables"]["env"] == deployments.ENVIRONMENT
            assert made["job_variables"]["working_dir"] == str(tmp_path if "demo" in made["name"] else checkout)
            undescribed = [
                name for name, of in made["parameter_openapi_schema"]["properties"].items() if not of.get("description")
            ]
            assert not undescribed
        usual = {flow: (usual.cron, "Asia/Tokyo", flow == "export") for flow, usual in deployments.FLOWS.items()}
        found = [one for one in schedules() if "demo" not in one["name"]]
        assert {one["flow"]: (one["cron"], one["timezone"], one["paused"]) for one in found} == usual

        typed("schedule", "remove", "demo-ingest")
        assert "ingest/demo-ingest" not in {one["name"] for one in schedules()}
        assert "ingest/ingest" in typed("schedule", "list")


@pytest.mark.slow
@pytest.mark.parametrize("url", ["", "http://127.0.0.1:9/api"])
def test_without_a_server_there_is_one_line_with_the_way_out(url: str, tmp_path: Path) -> None:
    Path(tmp_path, "small.yaml").write_text("name: small\ncorpus: c\nsources: [{kind: table, paths: [x.csv]}]\n")
    environment = {**os.environ, "PREFECT_API_URL": url, "PREFECT_HOME": str(tmp_path / "home")}
    command = "from waon_build.cli import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", command, "schedule", "small.yaml"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert (url or "PREFECT_API_URL is not set") in line
    assert "`prefect server start`" in line


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nothing.yaml"], "nothing.yaml: cannot be read"),
        (["small.yaml", "--cron", "61 * * * *"], '--cron "61 * * * *": is not a cron expression'),
        (["small.yaml", "--cron", "0 0 31 2 *"], '--cron "0 0 31 2 *": never comes'),
        (["small.yaml", "--timezone", "Asia/Tokio"], "timezone Asia/Tokio: there is none"),
        (["small.yaml", "--timezone", "../../etc"], "timezone ../../etc: there is none"),
        (["small.yaml", "--name", "a/b"], "--name a/b: cannot be a name"),
        (["small.yaml", "--set", "annotation.database=postgresql://me:secret@host/db"], "Prefect would record it"),
        (["small.yaml", "--set", "corpus=sftp://me:secret@host/c"], "Prefect would record it"),
        (
            ["small.yaml", "--set", "sources=[{kind: warc, paths: ['https://me:secret@host/a']}]"],
            "Prefect would record it",
        ),
    ],
)
def test_what_cannot_be_scheduled_is_refused_before_a_server_is_asked(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text("name: small\ncorpus: c\nsources: [{kind: table, paths: [x.csv]}]\n")
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}), pytest.raises(InputError) as refused:
        typed("schedule", *arguments)
    assert told in str(refused.value)


def test_the_flows_that_can_be_scheduled_are_those_there_are() -> None:
    from waon_build.cli.schedule import FlowName

    assert list(FlowName) == list(deployments.FLOWS)
    assert {deployments.load(flow).name for flow in deployments.FLOWS} == set(deployments.FLOWS)


def test_a_report_is_of_the_day_that_it_is_where_its_schedule_is(tmp_path: Path) -> None:
    recipe = tmp_path / "small.yaml"
    zone = {"timezone": "America/Lima"}
    assert deployments.parameters("audit", recipe, {}, "America/Lima") == {"recipe": str(recipe), **zone}
    for flow in deployments.FLOWS:
        given = deployments.parameters(flow, recipe, {"runtime.workers": 1}, "America/Lima")
        deployments.load(flow).validate_parameters(given)
