"""An engine that is not there is one line, before anything is started."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows import engines
from waon_build import recipe as recipes
from waon_build.corpus import Corpus, Part
from waon_build.recipe import RecipeError, RuntimeSettings
from waon_build.records import InputError, Tally


def write(folder: Path, **runtime: Any) -> Path:
    (folder / "table.csv").write_text("url,caption\nhttp://127.0.0.1:9/a.jpg,夕暮れの鳥居\n", "utf-8")
    path = folder / "recipe.yaml"
    fields = {
        "name": "small",
        "corpus": str(folder / "corpus"),
        "sources": [{"kind": "table", "paths": [str(folder / "table.csv")]}],
        "fetch": {"contact": "me@example.org"},
        "runtime": runtime,
    }
    path.write_text(yaml.safe_dump(fields), "utf-8")
    return path


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port at which nobody listens, and nobody else can."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


@pytest.mark.parametrize(("engine", "scheme"), [("dask", "tcp"), ("ray", "ray")])
def test_an_address_where_nothing_answers_is_one_line(engine: Any, scheme: str, closed_port: int) -> None:
    settings = RuntimeSettings(engine=engine, address=f"{scheme}://127.0.0.1:{closed_port}")
    with pytest.raises(InputError, match=rf"runtime.address: no {engine.title()} cluster answers at {scheme}://127"):
        engines.check(settings)


def test_the_command_line_says_so_before_prefect_starts(tmp_path: Path, closed_port: int) -> None:
    path = write(tmp_path, engine="dask", address=f"127.0.0.1:{closed_port}")
    command = [sys.executable, "-c", "from waon_build.cli import main; main()", "run", str(path)]
    environment = {**os.environ, "PREFECT_HOME": str(tmp_path / "home"), "COLUMNS": "300"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert ended.returncode == 2, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert "runtime.address: no Dask cluster answers at 127.0.0.1" in line
    assert not (tmp_path / "home").exists() or not list((tmp_path / "home").glob("*.db"))


def test_whoever_listens_there_and_is_no_scheduler_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
        settings = RuntimeSettings(engine="dask", address=f"tcp://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(InputError, match="whoever listens there is no Dask scheduler"):
            engines.check(settings)


@pytest.mark.parametrize("address", ["scheduler", "tcp://scheduler", "tcp://scheduler:port"])
def test_what_is_no_address_is_one_line_with_an_example(address: str) -> None:
    with pytest.raises(InputError, match=r"is not the address of a cluster: write it like tcp://scheduler:8786"):
        engines.check(RuntimeSettings(engine="dask", address=address))


def test_an_engine_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prefect_ray", None)  # as Python has it for what cannot be imported
    with pytest.raises(InputError, match=r"ray is not installed: pip install 'waon_build\[ray\]'"):
        engines.check(RuntimeSettings(engine="ray"))


def test_an_address_without_its_engine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="set engine to dask or ray"):
        recipes.load(write(tmp_path, address="tcp://127.0.0.1:8786"))


class AsksSomebody:
    """A stage that asks the web and does not say whom."""

    name = "ask"
    kind = "network"

    def inputs(self, corpus: Corpus) -> list[Part]:
        return []

    def run(self, corpus: Corpus, part: Part) -> Tally:
        raise AssertionError("nobody runs it")


def test_on_a_cluster_parts_of_a_stage_that_does_not_say_whom_it_asks_run_one_by_one(tmp_path: Path) -> None:
    recipe = recipes.load(write(tmp_path, engine="dask"))
    corpus = Corpus(recipe.corpus)
    with engines.running(recipe) as engine:
        apart = engine.apart(AsksSomebody(), corpus)
        assert set(apart(Part("one", "", ""))) & set(apart(Part("two", "", "")))


def test_on_a_cluster_a_host_rests_after_a_part_that_failed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Tally:
        raise OSError("the store is gone")

    rests: list[float] = []
    monkeypatch.setattr(engines, "_decoders", lambda: None)
    monkeypatch.setattr(engines.time, "sleep", rests.append)
    monkeypatch.setattr(engines.pipeline, "run_part", fail)
    recipe = recipes.load(write(tmp_path, engine="dask"), {"fetch.per_host_rate": 4})
    with engines.running(recipe) as engine, pytest.raises(OSError, match="the store is gone"):
        engine.work(AsksSomebody(), Corpus(recipe.corpus), Part("one", "", ""))()
    assert rests == [0.25]
