"""Disks that are full or take nothing, clocks that jump, name servers that fail: one line each, and then recovery."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from waon_build import due, pipeline, recipe
from waon_build.corpus import Corpus
from waon_build.recipe import Recipe
from waon_build.records import InputError
from waon_build.rights.tombstones import Tombstones

PICTURES = 6


@pytest.fixture
def host(tmp_path: Path) -> Iterator[int]:
    """The port of a server of pictures on loopback."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(PICTURES):
        noise = np.random.default_rng(seed).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((256, 256), Image.Resampling.NEAREST).save(folder / f"{seed}.png")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def write_recipe(folder: Path, port: int, corpus: Path, name: str = "127.0.0.1", **fetch: Any) -> Path:
    """A recipe for a table of the host's pictures."""
    rows = "".join(f"http://{name}:{port}/{seed}.png,第{seed}回の祭りの写真\n" for seed in range(PICTURES))
    (folder / "table.csv").write_text(f"url,caption\n{rows}", encoding="utf-8")
    settings = {
        "name": "t",
        "corpus": str(corpus),
        "sources": [{"kind": "table", "paths": [str(folder / "table.csv")]}],
        "fetch": {
            "contact": "us@example.org",
            "allow_hosts": [name],
            "per_host_rate": 10_000,
            "retries": 0,
            "urls_per_part": 3,
            **fetch,
        },
    }
    path = folder / f"{corpus.name}.yaml"
    path.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    return path


def run(loaded: Recipe) -> None:
    corpus = pipeline.open_corpus(loaded)
    for stage in pipeline.stages(loaded):
        if stage.name in pipeline.STAGES:
            for part in pipeline.begin(stage, corpus)[0]:
                stage.run(corpus, part)


def outcome(loaded: Recipe) -> dict[str, Any]:
    """What a corpus came to, however it got there: the digests of what does not tell the time, and the queue."""
    corpus = pipeline.open_corpus(loaded)
    digests = {
        f"{stage}/{tally.part}": tally.digest for stage in ("text", "plan", "image") for tally in corpus.tallies(stage)
    }
    return {**digests, "queue": sorted(task.pair_id for task in pipeline.queued(loaded))}


def half_written(folder: Path) -> list[str]:
    """Files of stages that no tally names, but for those of a killed run."""
    corpus = Corpus(str(folder))
    stages = [stage for stage in pipeline.STAGES if (folder / stage).is_dir()]
    named = {
        f"{stage}/{name}"
        for stage in stages
        for tally in corpus.tallies(stage)
        for name in (*tally.files.values(), f"{tally.part}.tally.json")
    }
    there = {f"{stage}/{path.name}" for stage in stages for path in (folder / stage).iterdir()}
    return sorted(there - named)


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[None]:
    """A file system of so many kilobytes at `folder`."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False) if os.geteuid() == 0 else None
    if mounted is None or mounted.returncode:
        pytest.skip(f"no file system can be mounted here ({mounted.stderr.strip() if mounted else 'not root'})")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


@pytest.mark.slow
def test_a_disk_that_fills_up_in_any_stage_is_one_line_and_with_room_the_run_goes_on(tmp_path: Path, host: int) -> None:
    """The disk grows bit by bit: a run meets its end in one stage after the other, and never twice in the same way."""
    undisturbed = recipe.load(write_recipe(tmp_path, host, tmp_path / "peace"))
    run(undisturbed)
    disk = tmp_path / "disk"
    ended_in = []
    with small_disk(disk, 16):
        loaded = recipe.load(write_recipe(tmp_path, host, disk / "corpus"))
        for kilobytes in range(32, 4096, 48):
            remount(disk, f"size={kilobytes}k")
            try:
                run(loaded)
                break
            except InputError as error:
                ended_in.append(str(error))
        else:
            pytest.fail("it never had room enough")
        assert len(ended_in) > 3
        for line in ended_in:
            assert "\n" not in line
            assert "cannot be written" in line or "cannot be opened" in line
        assert outcome(loaded) == outcome(undisturbed)
        run(loaded)
        assert half_written(disk / "corpus") == []


FULL = """
    import resource, signal, sys
    from waon_build import pipeline, recipe
    from waon_build.records import InputError

    loaded = recipe.load(sys.argv[1])
    corpus = pipeline.open_corpus(loaded)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
    try:
        for stage in pipeline.stages(loaded):
            if stage.name in pipeline.STAGES:
                for part in pipeline.begin(stage, corpus)[0]:
                    stage.run(corpus, part)
    except InputError as error:
        print(error, end="")
        sys.exit(2)
"""


@pytest.mark.slow
def test_a_file_that_may_not_grow_is_one_line_and_the_next_run_goes_on(tmp_path: Path, host: int) -> None:
    """As on a disk past its quota."""
    path = write_recipe(tmp_path, host, tmp_path / "corpus")
    command = [sys.executable, "-c", textwrap.dedent(FULL), str(path), "20000"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2, ended.stderr
    assert "cannot be written (File too large): make room" in ended.stdout
    assert "\n" not in ended.stdout
    run(recipe.load(path))
    assert half_written(tmp_path / "corpus") == []
    assert len(pipeline.queued(recipe.load(path))) == PICTURES


@pytest.mark.slow
def test_a_corpus_that_turns_read_only_is_one_line_can_still_be_read_and_goes_on_afterwards(
    tmp_path: Path, host: int
) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, 20_000):
        loaded = recipe.load(write_recipe(tmp_path, host, disk / "corpus"))
        corpus = pipeline.open_corpus(loaded)
        for stage in pipeline.stages(loaded)[:2]:
            for part in pipeline.begin(stage, corpus)[0]:
                stage.run(corpus, part)
        remount(disk, "ro")
        with pytest.raises(InputError, match=r"the corpus cannot be written \(.*Read-only file system"):
            pipeline.check(loaded)
        with pytest.raises(InputError, match=r"cannot be written \(Read-only file system\): make room or allow it"):
            run(loaded)
        assert [step.stage for step in pipeline.state(loaded).steps] == ["extract", "text"]
        remount(disk, "rw")
        run(loaded)
        assert len(pipeline.queued(loaded)) == PICTURES
        assert half_written(disk / "corpus") == []


def test_a_takedown_that_finds_no_room_is_one_line_and_loses_no_earlier_one(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, 64):
        corpus = Corpus(str(disk / "corpus"))
        Tombstones.add(corpus, "host", "one.example", "asked for")
        with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(512))
        with pytest.raises(InputError, match=r"cannot be written \(No space left on device\): make room"):
            Tombstones.add(corpus, "host", "two.example", "asked for " * 500)
        assert [stone.value for stone in Tombstones.load(corpus).stones] == ["one.example"]


# --- clocks


@pytest.mark.parametrize(
    ("since", "is_due"),
    [
        (timedelta(hours=-25), True),
        (timedelta(hours=-23), False),
        (timedelta(minutes=30), False),  # another machine of the same corpus
        (timedelta(days=400), True),  # a clock that was set right since
    ],
)
def test_a_date_in_the_future_blocks_nothing(since: timedelta, is_due: bool) -> None:
    at = (datetime.now(UTC) + since).isoformat(timespec="seconds")
    assert due.is_due(at, timedelta(hours=24)) is is_due


@pytest.mark.parametrize("written", ["", "yesterday", "2025-13-45T99:99:99Z", "9999-12-31T23:59:59Z", "2025-03-01"])
def test_what_an_archive_gives_for_a_date_blocks_nothing(written: str) -> None:
    assert due.is_due(written, timedelta(days=30))


# --- names


@pytest.mark.parametrize(("trouble", "comes_back"), [(socket.EAI_FAIL, True), (socket.EAI_NONAME, False)])
def test_a_name_server_that_fails_is_asked_again_by_the_next_run_and_one_that_knows_no_such_name_is_not(
    tmp_path: Path, host: int, monkeypatch: pytest.MonkeyPatch, trouble: int, comes_back: bool
) -> None:
    real = socket.getaddrinfo

    def getaddrinfo(name: Any, *arguments: Any, **options: Any) -> Any:
        if name == "pictures.test" and failing:
            raise socket.gaierror(trouble, os.strerror(5))
        return real("127.0.0.1" if name == "pictures.test" else name, *arguments, **options)

    failing = True
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    path = write_recipe(tmp_path, host, tmp_path / "corpus", name="pictures.test", retry_after_hours=0)
    loaded = recipe.load(path)
    run(loaded)
    fetched = pipeline.open_corpus(loaded).tallies("fetch")
    assert sum(tally.rows.dropped["name_not_resolved"] for tally in fetched) == PICTURES
    failing = False
    run(loaded)
    assert len(pipeline.queued(loaded)) == (PICTURES if comes_back else 0)
