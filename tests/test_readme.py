"""The README's commands do what it says, in its order, on the corpus of the demo."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .flows.conftest import prefect_server

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OURS = ("waon-build ", "python -m flows")


def commands() -> list[str]:
    """The lines of the README's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    return [line.partition("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_the_first_commands_are_the_two_that_the_makefile_has() -> None:
    assert commands()[:2] == ["make demo", "make test"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^demo:", makefile, re.MULTILINE)
    assert re.search(r"^test:", makefile, re.MULTILINE)


def test_every_link_of_the_readme_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / target).exists(), target


@pytest.mark.slow
def test_the_commands_work_one_after_the_other(tmp_path: Path) -> None:
    """`make demo` runs the demo command; the others run on what it left, as a reader would type them."""
    binaries = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "PREFECT_HOME": str(tmp_path / "prefect")}
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    typed = ["waon-build demo --port 8897", *(line for line in commands() if line.startswith(OURS))]
    assert len(typed) > 7
    with prefect_server(tmp_path / "prefect") as prefect:
        type_all(typed, tmp_path, environment | {"PREFECT_API_URL": prefect.url})


def type_all(typed: list[str], tmp_path: Path, environment: dict[str, str]) -> None:
    for line in typed:
        if "annotate serve" in line:
            with subprocess.Popen(
                [*shlex.split(line), "--port", "8896"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
            ) as server:
                assert server.stderr is not None
                assert any("/invite/" in server.stderr.readline() for _ in range(5)), line
                server.send_signal(signal.SIGINT)
            continue
        words = shlex.split(line)
        ran = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{line}\n{ran.stdout}\n{ran.stderr}"


@pytest.mark.slow
def test_the_python_of_the_readme_reads_the_release(tmp_path: Path) -> None:
    """Both loaders open the demo's release as shown."""
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    code = next(block for block in blocks if "load_dataset" in block)
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "hf"),
        "PREFECT_HOME": str(tmp_path / "prefect"),
    }
    demo = ["-c", "from waon_build.cli import main; main()", "demo", "--port", "8893"]
    made = subprocess.run(
        [sys.executable, *demo], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    check = code + "\nassert len(dataset['train']) == sum(1 for _ in samples) + sum(1 for _ in rest), dataset"
    shards = sorted((tmp_path / "demo-corpus" / "releases" / "demo").glob("demo-train-*.tar"))
    rest = f"rest = wds.WebDataset({[str(shard) for shard in shards[1:]]!r}, shardshuffle=False)\n"
    check = check.replace("\nassert", f"\n{rest}assert")
    ran = subprocess.run(
        [sys.executable, "-c", check], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
