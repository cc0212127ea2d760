"""Prefect's own database may be PostgreSQL: schedules live there, and what is due begins and ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL
from prefect.settings.context import temporary_settings

from flows import deployments

from ..annotation import postgres
from .conftest import prefect_server


@pytest.mark.slow
def test_a_schedule_that_lives_in_postgresql_begins_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the audit flow, the smallest there is."""
    if postgres.programs() is None:
        pytest.skip("there is no PostgreSQL here (initdb): apt-get install postgresql")
    monkeypatch.chdir(tmp_path)
    Path("corpus").mkdir()
    Path("small.yaml").write_text("name: small\ncorpus: corpus\nsources: [{kind: table, paths: [none.csv]}]\n")
    with postgres.server() as database:
        address = database.address(database.create()).replace("postgresql:", "postgresql+asyncpg:", 1)
        with prefect_server(tmp_path, PREFECT_API_DATABASE_CONNECTION_URL=address) as prefect:
            assert not (tmp_path / "prefect.db").exists()
            with temporary_settings({PREFECT_API_URL: prefect.url}), deployments.server() as client:
                prefect.schedule_soon(
                    lambda cron: deployments.deploy(client, "audit", "small", Path("small.yaml"), {}, cron, "UTC")
                )
            with prefect.worker("--run-once") as worker:
                worker.wait(120)
            (run,) = [run for run in prefect.post("flow_runs/filter") if run["state_type"] != "SCHEDULED"]
            assert (run["state_type"], run["auto_scheduled"]) == ("COMPLETED", True), prefect.log("worker")
    (report,) = Path("corpus/reports").glob("*.md")
    text = report.read_text(encoding="utf-8")
    assert "no part was made yet" in text
    assert "Nobody was asked yet" in text
    assert "none.csv: No such file or directory" in text
