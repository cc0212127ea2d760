"""The ingest flow on a real Prefect server on loopback: what people see there is what happened."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from waon_build.demo.server import Served

pytestmark = pytest.mark.slow


def test_the_command_line_and_the_module_run_one_flow_with_a_task_for_each_part(
    prefect: Any, site: Served, tmp_path: Path
) -> None:
    site.write_recipe(tmp_path / "demo.yaml", tmp_path / "corpus")
    ran = prefect.call(tmp_path, "-c", "from waon_build.cli import main; main()", "run", "demo.yaml", "--json")
    assert ran.returncode == 0, ran.stderr
    shown = json.loads(ran.stdout)
    assert shown["adds_up"]
    parts = sorted(path.name for path in (tmp_path / "corpus").glob("*/*.tally.json"))
    tasks = prefect.post("task_runs/filter")
    assert Counter(task["state_type"] for task in tasks) == {"COMPLETED": len(parts)}
    assert sorted(f"{task['name'].split()[-1]}.tally.json" for task in tasks) == parts
    artifacts = {one["key"]: one["data"] for one in prefect.post("artifacts/filter")}
    left = {key: json.loads(data) if isinstance(data, str) else data for key, data in artifacts.items()}
    assert left["funnel"] == shown["funnel"]
    assert sorted(f"{row['part']}.tally.json" for row in left["parts"]) == parts
    assert all(Path(row["tally"]).exists() for row in left["parts"])
    assert sum(row["rows"] for row in left["reasons"]) == sum(row["dropped"] for row in left["parts"]) > 0
    assert {key: value for key, value in left.items() if key.startswith("progress-")} == {
        f"progress-{task['name'].split()[0]}": 100 for task in tasks
    }

    again = prefect.call(tmp_path, "-m", "flows.ingest", "demo.yaml")
    assert again.returncode == 0, again.stderr
    flows = prefect.post("flow_runs/filter")
    assert Counter(flow["name"] for flow in flows) == {"ingest demo.yaml": 2}
    assert len({flow["flow_id"] for flow in flows}) == 1
    assert len(prefect.post("task_runs/filter")) == len(parts), "nothing was new: no task ran"


def test_a_flow_ends_in_bad_input_with_one_line_and_no_second_try(prefect: Any, site: Served, tmp_path: Path) -> None:
    site.write_recipe(tmp_path / "bad.yaml", tmp_path / "corpus")
    (tmp_path / "bad.warc.gz").write_bytes(b"rubbish" * 100)
    source = f"sources=[{{kind: warc, paths: ['{tmp_path}/bad.warc.gz']}}]"
    ran = prefect.call(tmp_path, "-c", "from waon_build.cli import main; main()", "run", "bad.yaml", "--set", source)
    assert ran.returncode == 2, ran.stderr
    assert [line for line in ran.stderr.splitlines() if "bad.warc.gz: is not a WARC file" in line]
    assert "Traceback" not in ran.stderr
    (task,) = [task for task in prefect.post("task_runs/filter") if "bad-" in task["name"]]
    assert (task["state_type"], task["run_count"]) == ("FAILED", 1)
