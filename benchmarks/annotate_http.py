"""Judgements a second over HTTP: the annotation server with many annotators who never pause to think.

    python benchmarks/annotate_http.py [--clients 50] [--tasks 100000] [--seconds 10]

The server is `waon-build annotate serve`, one process, as shipped: SQLite with `synchronous=FULL`, sessions,
CSRF tokens and rate limits on. A queue of tasks is loaded first. Each client has a session and a connection of
its own, and sends one `POST /api/submit` after the other: it takes an answer and claims the next task, two
calls of the queue. The load comes from one further process on the same machine, so both share its cores.
Printed are the time to load and to start, requests a second, how long they took, and the server's memory.

Afterwards the database is asked whether everything that was acknowledged is there, once, and no task has more
answers than it may have.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import func, select

from waon_build.annotation import database, people
from waon_build.annotation.models import Annotation, Kind, Task
from waon_build.annotation.questions import load
from waon_build.annotation.routing import place, put

ANSWERS = [
    {"match": 3, "culture": "specific", "category": "food"},
    {"match": 2, "culture": "related"},
    {"match": 0, "culture": "not"},
]
CSRF = re.compile(rb'name="csrf-token" content="([0-9a-f]{64})"')


class Load(NamedTuple):
    """What the clients saw. seconds: of each request. acknowledged: ids of annotations; errors: what else came."""

    seconds: list[float]
    acknowledged: int
    errors: list[str]
    took: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--overlap", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        recipe = write_recipe(Path(folder), options.overlap)
        address = f"sqlite:///{folder}/corpus/annotation.db"
        Path(folder, "corpus").mkdir()
        loading = loaded(address, options.tasks, options.overlap)
        sessions = signed_in(address, options.clients)
        server, port, starting = started(recipe)
        try:
            idle = memory(server.pid)
            receiving, sending = multiprocessing.Pipe(duplex=False)
            client = multiprocessing.Process(target=run_clients, args=(port, sessions, options.seconds, sending))
            client.start()
            before = processor(server.pid)
            load: Load = receiving.recv()
            spent = processor(server.pid) - before
            client.join()
            peak = memory(server.pid, "VmHWM")
            end = memory(server.pid)
        finally:
            server.send_signal(signal.SIGINT)
            code = server.wait(timeout=30)
        print_out(options, loading, starting, load, (idle, end, peak), spent, code)
        check(address, load)


def print_out(
    options: Any, loading: float, starting: float, load: Load, megabytes: tuple[float, ...], spent: float, code: int
) -> None:
    times = sorted(1000 * seconds for seconds in load.seconds)
    p50, p95, p99 = (times[int(len(times) * share)] for share in (0.5, 0.95, 0.99))
    print(f"cores {os.cpu_count()}, clients {options.clients}, tasks {options.tasks:,}, overlap {options.overlap}")
    print(f"tasks loaded in    {loading:8.2f} s")
    print(f"server started in  {starting:8.2f} s")
    print(f"claim+submit       {len(times) / load.took:8.0f} a second ({len(times):,} in {load.took:.1f} s)")
    print(f"p50 p95 p99 max    {p50:8.1f} {p95:.1f} {p99:.1f} {times[-1]:.1f} ms (mean {statistics.fmean(times):.1f})")
    print(f"processor          {1000 * spent / len(times):8.2f} ms a request, of the server")
    print(
        f"memory             {megabytes[0]:8.0f} MB idle, {megabytes[1]:.0f} MB at the end, "
        f"{megabytes[2]:.0f} MB at most"
    )
    print(f"errors             {len(load.errors):8} {sorted(set(load.errors))[:5]}")
    print(f"ended by Ctrl-C with code {code}")


def check(address: str, load: Load) -> None:
    """Whether the database holds what was acknowledged."""
    engine = database.connect(address)
    with engine.connect() as connection:
        answers = connection.scalar(select(func.count()).select_from(Annotation)) or 0
        too_many = connection.scalar(select(func.count()).where(Task.answered + Task.held > Task.wanted))
        twice = connection.scalar(
            select(func.count()).select_from(
                select(Annotation.task_id)
                .group_by(Annotation.task_id, Annotation.annotator_id)
                .having(func.count() > 1)
                .subquery()
            )
        )
    engine.dispose()
    print(
        f"acknowledged {load.acknowledged:,}, in the database {answers:,}, "
        f"answered twice {twice}, beyond the overlap {too_many}"
    )
    if answers < load.acknowledged or twice or too_many:
        sys.exit("something was lost or doubled")


def loaded(address: str, tasks: int, overlap: int) -> float:
    """Make the queue; returns the seconds that it took."""
    engine = database.connect(address)
    start = time.perf_counter()
    put(engine, Kind.NORMAL, pairs(tasks), overlap, datetime.now(UTC))
    place(engine, overlap)
    took = time.perf_counter() - start
    engine.dispose()
    return took


def pairs(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {
            "pair_id": f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}",
            "cluster_id": f"{number:016x}",
            "url": f"https://images.example/{number}.jpg",
            "caption": f"第{number}番の写真、正月の門松と雪景色",
            "caption_source": "alt",
            "page_url": f"https://site{number % 997}.example/{number}.html",
            "page_title": "正月の風景",
            "stored_in": "g0001-000001",
            "offset": 65536 * number,
            "size": 60000,
            "format": "jpg",
            "width": 640,
            "height": 480,
        }


def signed_in(address: str, count: int) -> list[str]:
    """Sessions of new annotators."""
    engine = database.connect(address)
    version = load("ja").version
    now = datetime.now(UTC)
    with database.writing(engine) as connection:
        links = [people.invite(connection, now, people.add(connection, now)) for _ in range(count)]
        sessions = [people.accept(connection, link, now, version) for link in links]
    engine.dispose()
    return sessions


def write_recipe(folder: Path, overlap: int) -> Path:
    (folder / "table.csv").write_text("url,caption\n", encoding="utf-8")
    path = folder / "recipe.yaml"
    recipe = {
        "name": "bench",
        "corpus": str(folder / "corpus"),
        "sources": [{"kind": "table", "paths": [str(folder / "table.csv")]}],
        "annotation": {"overlap": overlap},
    }
    path.write_text(json.dumps(recipe), encoding="utf-8")
    return path


def started(recipe: Path) -> tuple[subprocess.Popen[bytes], int, float]:
    """The server, its port, and the seconds until it answered first."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from waon_build.cli import main; main()", "annotate", "serve", str(recipe)]
    start = time.perf_counter()
    server = subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.DEVNULL)
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                if connection.recv(12) == b"HTTP/1.1 200":
                    return server, port, time.perf_counter() - start
        except OSError:
            if server.poll() is not None:
                sys.exit("the server did not start")
        time.sleep(0.01)


def memory(pid: int, field: str = "VmRSS") -> float:
    """Megabytes of a process."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024


def processor(pid: int) -> float:
    """Seconds that a process has had a core."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_clients(port: int, sessions: list[str], seconds: float, sending: Any) -> None:
    sending.send(asyncio.run(clients(port, sessions, seconds)))


async def clients(port: int, sessions: list[str], seconds: float) -> Load:
    begin = asyncio.Event()
    ends: list[float] = []
    tasks = [asyncio.create_task(client(port, session, begin, ends, number)) for number, session in enumerate(sessions)]
    await asyncio.sleep(1.5)  # all are connected and hold tasks
    start = time.perf_counter()
    ends.append(start + seconds)
    begin.set()
    found = await asyncio.gather(*tasks)
    took = time.perf_counter() - start
    return Load(
        [one for times, _, _ in found for one in times],
        sum(acknowledged for _, acknowledged, _ in found),
        [one for _, _, errors in found for one in errors],
        took,
    )


async def client(
    port: int, session: str, begin: asyncio.Event, ends: list[float], number: int
) -> tuple[list[float], int, list[str]]:
    """One annotator: a page, a claim, and then answer after answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    common = f"Host: 127.0.0.1:{port}\r\nCookie: waon_session={session}\r\n"
    writer.write(f"GET /judge HTTP/1.1\r\n{common}\r\n".encode())
    _, page = await reply(reader)
    found = CSRF.search(page)
    assert found, page[:500]
    head = (
        f"{common}Content-Type: application/json\r\nX-CSRF-Token: {found[1].decode()}\r\n"
        f"Origin: http://127.0.0.1:{port}\r\nSec-Fetch-Site: same-origin\r\n"
    )

    async def call(name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        data = json.dumps(body).encode()
        writer.write(f"POST /api/{name} HTTP/1.1\r\n{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        status, answer = await reply(reader)
        return status, json.loads(answer)

    status, held = await call("claim", {})
    await begin.wait()
    times, acknowledged, errors, version = [], 0, [], load("ja").version
    while time.perf_counter() < ends[0] and status == 200 and held["tasks"]:
        task = held["tasks"][0]
        body = {
            "task_id": task["task_id"],
            "token": task["token"],
            "answers": ANSWERS[(number + acknowledged) % len(ANSWERS)],
            "guideline_version": version,
            "active_ms": 5000,
            "wall_ms": 6000,
            "device": "keyboard",
        }
        start = time.perf_counter()
        status, held = await call("submit", body)
        times.append(time.perf_counter() - start)
        if status == 200:
            acknowledged += 1
        else:
            errors.append(f"{status} {held.get('error')}")
            if status == 429:
                await asyncio.sleep(0.2)
            status, held = await call("claim", {})
    writer.close()
    return times, acknowledged, errors


async def reply(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    return int(head[9:12]), await reader.readexactly(int(length[1]) if length else 0)


if __name__ == "__main__":
    main()
