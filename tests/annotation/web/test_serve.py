"""`waon-build annotate`: serving, inviting, gold keys, as people type it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml
from sqlalchemy import Engine, select

from waon_build.annotation import people
from waon_build.annotation.models import Kind, Role, Task

COMMAND = [sys.executable, "-c", "from waon_build.cli import main; main()", "annotate"]
HEAVY = ("alembic", "pyarrow", "pandas", "prefect", "duckdb", "PIL", "aiohttp", "flows")


@pytest.fixture
def recipe(tmp_path: Path, address: str) -> Path:
    (tmp_path / "table.csv").write_text("url,caption\n", encoding="utf-8")
    path = tmp_path / "recipe.yaml"
    fields = {
        "name": "small",
        "corpus": str(tmp_path / "corpus"),
        "sources": [{"kind": "table", "paths": [str(tmp_path / "table.csv")]}],
        "annotation": {"database": address},
    }
    path.write_text(yaml.safe_dump(fields), encoding="utf-8")
    return path


def annotate(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@contextmanager
def serving(recipe: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The server, and what it said when it began."""
    environment = {**os.environ, "COLUMNS": "200"}
    command = [*COMMAND, "serve", str(recipe), "--port", "0", *options]
    server = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    try:
        said = [server.stderr.readline()]
        assert "is judged at" in said[0], said
        yield server, said
    finally:
        server.kill()
        server.wait()


@pytest.mark.slow
def test_the_server_lets_the_first_coordinator_in_and_ends_with_ctrl_c(engine: Engine, recipe: Path) -> None:
    with serving(recipe) as (server, said):
        assert server.stderr is not None
        said.append(server.stderr.readline())
        (link,) = re.findall(r"http://127\.0\.0\.1:\d+/invite/[0-9a-f]{64}", said[1])
        with httpx.Client(timeout=30) as browser:
            page = browser.get(link)
            (token,) = set(re.findall(r'name="csrf_token" value="([0-9a-f]{64})"', page.text))
            assert browser.post(link, data={"csrf_token": token, "agree": "yes"}).status_code == 303
            assert browser.get(link.partition("/invite/")[0] + "/coordinator/people").status_code == 200
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=30) == 130
        assert "what is finished stays" in server.stderr.read()
    with serving(recipe) as (server, said):  # there is a coordinator now: no further link
        assert server.stderr is not None
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=30) == 130
        assert "/invite/" not in server.stderr.read()


@pytest.mark.slow
def test_the_figures_of_the_pages_are_those_of_the_audit(
    engine: Engine, recipe: Path, queued: Callable[..., None]
) -> None:
    """They are counted in a process of their own."""
    queued(range(7))
    with serving(recipe) as (server, _):
        assert server.stderr is not None
        link = server.stderr.readline().split()[-1]
        with httpx.Client(timeout=60, headers={"Accept-Language": "en"}) as browser:
            page = browser.get(link)
            (token,) = set(re.findall(r'name="csrf_token" value="([0-9a-f]{64})"', page.text))
            browser.post(link, data={"csrf_token": token, "agree": "yes"})
            site = link.partition("/invite/")[0]
            for path in ("/coordinator", "/coordinator/filters", "/coordinator/people"):
                page = browser.get(site + path)
                assert page.status_code == 200
                if path == "/coordinator":
                    assert re.search(r"<td class=\"number\">7</td>", page.text)


def test_links_are_printed_one_a_line(engine: Engine, recipe: Path) -> None:
    made = annotate("invite", recipe, "--count", 3, "--role", "adjudicator", "--public-url", "https://a.example")
    assert made.returncode == 0, made.stderr
    links = made.stdout.split()
    assert len(set(links)) == 3
    assert all(re.fullmatch(r"https://a\.example/invite/[0-9a-f]{64}", link) for link in links)
    with engine.connect() as connection:
        assert {one.person.role for one in people.everyone(connection)} == {Role.ADJUDICATOR}
    (one,) = json.loads(annotate("invite", recipe, "--json").stdout)
    assert set(one) == {"annotator", "link"}
    assert one["link"].startswith("http://127.0.0.1:8700/invite/")


def test_gold_keys_are_taken_in_from_a_file(
    engine: Engine, recipe: Path, queued: Callable[..., None], tmp_path: Path
) -> None:
    queued(range(2))
    with engine.connect() as connection:
        pair = connection.scalars(select(Task.pair_id).limit(1)).one()
    keys = tmp_path / "keys.jsonl"
    keys.write_text(f'{{"pair_id": "{pair}", "match": 3}}\n{{"pair_id": "ffff", "match": 3}}\n', encoding="utf-8")
    made = annotate("gold", recipe, keys)
    assert made.returncode == 0, made.stderr
    assert "1 of 2 keys taken in (not_in_queue 1)" in made.stderr
    with engine.connect() as connection:
        assert connection.scalars(select(Task.pair_id).where(Task.kind == Kind.GOLD)).all() == [pair]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "RECIPE", "--public-url", "annotate.example.org"], ["--public-url", "give scheme and host"]),
        (["serve", "RECIPE", "--host", "no.such.host.invalid"], ["--host", "cannot be listened on"]),
        (["serve", "none.yaml"], ["none.yaml", "cannot be read"]),
        (["invite", "RECIPE", "--public-url", "ftp://a"], ["--public-url"]),
        (["gold", "RECIPE", "none.jsonl"], ["none.jsonl", "cannot be read"]),
    ],
)
def test_bad_input_is_one_line_and_2(recipe: Path, arguments: list[str], words: list[str]) -> None:
    made = annotate(*(str(recipe) if one == "RECIPE" else one for one in arguments))
    assert made.returncode == 2
    assert len(made.stderr.strip().splitlines()) == 1
    assert all(word in made.stderr for word in words)


def test_a_port_that_is_taken_is_told(recipe: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        made = annotate("serve", recipe, "--port", taken.getsockname()[1])
    assert made.returncode == 2
    assert "cannot be listened on" in made.stderr


def test_the_server_reads_in_nothing_that_it_does_not_need() -> None:
    """Arrow, pandas and Prefect would double its memory."""
    imports = "import sys, waon_build.cli, waon_build.annotation.web.serve"
    code = f"{imports}; print([name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
