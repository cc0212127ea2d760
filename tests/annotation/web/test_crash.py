"""The server is killed in the middle of things, again and again: nothing that it acknowledged is lost or doubled."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, func, select

from waon_build.annotation import people
from waon_build.annotation.database import writing
from waon_build.annotation.models import Annotation, Lease, Task
from waon_build.annotation.web.campaign import utc_now

CLIENTS = 50
KILLS = 5
VERSION = "2026-11-1"
CSRF = re.compile(rb'name="csrf-token" content="([0-9a-f]{64})"')


@dataclass
class Seen:
    """What the clients were told. acknowledged: tokens of answers that the server said it took, with what they
    said; resent: answers sent again because no reply came."""

    acknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)
    resent: int = 0
    refused: list[str] = field(default_factory=list)


@pytest.mark.slow
def test_whatever_was_acknowledged_is_there_once_though_the_server_was_killed(
    engine: Engine, address: str, queued: Callable[..., None], tmp_path: Path
) -> None:
    queued(range(1500), overlap=3)
    with writing(engine) as connection:
        links = [people.invite(connection, utc_now(), people.add(connection, utc_now())) for _ in range(CLIENTS)]
        sessions = [people.accept(connection, link, utc_now(), VERSION) for link in links]
    seen = Seen()
    asyncio.run(_work_and_kill(_recipe(tmp_path, address), sessions, seen))
    assert len(seen.acknowledged) > 10 * KILLS
    assert seen.resent > 0
    assert seen.refused == []  # nor was a lease lost
    with engine.connect() as connection:
        rows = connection.execute(select(Annotation.token, Annotation.answers)).all()
        kept = {row.token: row.answers for row in rows}
        assert len(kept) == len(rows)
        assert {token: kept.get(token) for token in seen.acknowledged} == seen.acknowledged
        pairs = select(Annotation.task_id, Annotation.annotator_id).group_by(
            Annotation.task_id, Annotation.annotator_id
        )
        assert connection.scalar(select(func.count()).select_from(pairs.subquery())) == len(rows)
        counted = dict(connection.execute(select(Annotation.task_id, func.count()).group_by(Annotation.task_id)).all())
        held = dict(connection.execute(select(Lease.task_id, func.count()).group_by(Lease.task_id)).all())
        for task in connection.execute(select(Task.id, Task.wanted, Task.held, Task.answered)):
            assert (task.answered, task.held) == (counted.get(task.id, 0), held.get(task.id, 0))
            assert task.answered + task.held <= task.wanted


def _recipe(folder: Path, address: str) -> Path:
    path = folder / "recipe.yaml"
    (folder / "table.csv").write_text("url,caption\n", encoding="utf-8")
    recipe = {
        "name": "crash",
        "corpus": str(folder / "corpus"),
        "sources": [{"kind": "table", "paths": [str(folder / "table.csv")]}],
        "annotation": {"database": address, "overlap": 3},
    }
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return path


async def _work_and_kill(recipe: Path, sessions: list[str], seen: Seen) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    over = asyncio.Event()
    server = _served(recipe, port)
    clients = [
        asyncio.create_task(_judge(port, session, number, seen, over)) for number, session in enumerate(sessions)
    ]
    chance = random.Random(11)
    try:
        for _ in range(KILLS):
            await _more(seen, clients)  # it is up, and all are at it
            await asyncio.sleep(chance.uniform(0, 0.4))
            server.send_signal(signal.SIGKILL)
            server.wait()
            server = _served(recipe, port)
        await _more(seen, clients)
        over.set()
        await asyncio.gather(*clients)
    finally:
        server.kill()
        server.wait()


async def _more(seen: Seen, clients: list[asyncio.Task[None]]) -> None:
    """Until some more answers were acknowledged."""
    enough = len(seen.acknowledged) + 100
    while len(seen.acknowledged) < enough:
        await asyncio.sleep(0.02)
        for client in clients:
            assert not client.done() or client.exception() is None, client.exception()


def _served(recipe: Path, port: int) -> subprocess.Popen[bytes]:
    command = "from waon_build.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", command, "annotate", "serve", str(recipe), "--port", str(port)],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "200"},
    )


async def _judge(port: int, session: str, number: int, seen: Seen, over: asyncio.Event) -> None:
    """One annotator, who never gives up: what was not acknowledged is sent again, the very same."""
    connection = _Connection(port, session)
    chance = random.Random(number)
    held = await connection.call("claim", {}, seen)
    while not over.is_set() and held.get("tasks"):
        task = held["tasks"][0]
        answers = {"match": chance.randrange(4), "culture": chance.choice(["specific", "not", "cannot_tell"])}
        body = {"task_id": task["task_id"], "token": task["token"], "answers": answers, "guideline_version": VERSION}
        held = await connection.call("submit", body, seen)
        if "annotation_id" in held:
            seen.acknowledged[task["token"]] = answers
        else:
            seen.refused.append(held["error"])
            held = await connection.call("claim", {}, seen)


class _Connection:
    """Sends until it is answered, to whichever server is there."""

    def __init__(self, port: int, session: str) -> None:
        self._port = port
        self._cookie = f"Host: 127.0.0.1\r\nCookie: waon_session={session}\r\n"
        self._csrf = ""
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(self, name: str, body: dict[str, Any], seen: Seen) -> dict[str, Any]:
        data = json.dumps(body).encode()
        began = time.monotonic()
        while True:
            try:
                if not self._csrf:
                    found = CSRF.search((await self._ask(f"GET /judge HTTP/1.1\r\n{self._cookie}\r\n".encode()))[1])
                    assert found is not None
                    self._csrf = found[1].decode()
                head = f"{self._cookie}X-CSRF-Token: {self._csrf}\r\nContent-Type: application/json\r\n"
                status, answer = await self._ask(
                    f"POST /api/{name} HTTP/1.1\r\n{head}Content-Length: {len(data)}\r\n\r\n".encode() + data
                )
            except (OSError, EOFError):
                seen.resent += name == "submit"
                self._streams = None
                assert time.monotonic() - began < 60
                await asyncio.sleep(0.05)
                continue
            if status == 429:
                await asyncio.sleep(0.2)
                continue
            found_json: dict[str, Any] = json.loads(answer)
            return found_json

    async def _ask(self, request: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        return int(head[9:12]), await reader.readexactly(int(length[1]) if length else 0)
