"""How long a run takes that finds nothing new: from the flow's start to its end, over a corpus of many parts.

    python benchmarks/nothing_new.py                # 1,000 WARC files
    python benchmarks/nothing_new.py --files 100

Makes its own corpus in a temporary folder (real stages, a page and a picture a file, served on loopback), starts a
Prefect server, runs the ingest flow three times and asks Prefect how long each ran; the seconds of each stage and of
what is around them are measured in this process. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from waon_build import pipeline, recipe
from waon_build.audit.funnel import funnel
from waon_build.recipe import Recipe

RUNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, pictures() as port:
        path = write_recipe(Path(folder), options.files, port)
        loaded = recipe.load(path)
        parts = make(loaded)
        figures = {
            "parts": parts,
            "seconds_by_stage": seconds_by_stage(loaded),
            "flow_seconds": flow_seconds(path, Path(folder)),
        }
    print(json.dumps({**figures, "cores": os.cpu_count(), "python": platform.python_version()}, indent=1))


def write_recipe(folder: Path, files: int, port: int) -> Path:
    """A recipe for `files` WARC files of one page, whose one picture is served on loopback."""
    (folder / "warcs").mkdir()
    for number in range(files):
        page = f'<html lang="ja"><p><img src="http://127.0.0.1:{port}/{number}.png" alt="第{number}回の祭りの写真です">'
        head = StatusAndHeaders("200 OK", [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
        with (folder / "warcs" / f"{number:06d}.warc.gz").open("wb") as file:
            writer = WARCWriter(file, gzip=True)
            record = writer.create_warc_record(
                f"http://site{number}.example/", "response", payload=BytesIO(page.encode()), http_headers=head
            )
            writer.write_record(record)
    path = folder / "recipe.yaml"
    path.write_text(
        f"name: many\ncorpus: {folder}/corpus\n"
        f"sources: [{{kind: warc, paths: ['{folder}/warcs/*.warc.gz']}}]\n"
        "fetch: {contact: us@example.org, allow_hosts: [127.0.0.1], per_host_rate: 10000, per_host_concurrency: 8, "
        "urls_per_part: 1}\n"
    )
    return path


def make(loaded: Recipe) -> dict[str, int]:
    """Run every stage to its end; parts by stage."""
    corpus = pipeline.open_corpus(loaded)
    for stage in pipeline.stages(loaded):
        if stage.name in pipeline.STAGES:
            for part in pipeline.begin(stage, corpus)[0]:
                stage.run(corpus, part)
    return {name: len(corpus.parts(name)) for name in pipeline.STAGES}


def seconds_by_stage(loaded: Recipe) -> dict[str, float]:
    """What each step of a run takes that finds nothing to do."""
    corpus = pipeline.open_corpus(loaded)
    seconds = {"check": timed(lambda: pipeline.check(loaded))}
    for stage in pipeline.stages(loaded):
        if stage.name in pipeline.STAGES:
            seconds[stage.name] = timed(lambda stage=stage: pipeline.begin(stage, corpus))
            assert not pipeline.begin(stage, corpus)[0], stage.name
    seconds["funnel"] = timed(lambda: funnel(corpus))
    return seconds


def flow_seconds(path: Path, folder: Path) -> list[float]:
    """Seconds between the states RUNNING and COMPLETED of the ingest flow, as Prefect has them."""
    with prefect(folder / "prefect") as url:
        environment = {**os.environ, "PREFECT_API_URL": url, "PREFECT_HOME": str(folder / "home")}
        for _ in range(RUNS):
            subprocess.run([sys.executable, "-m", "flows.ingest", str(path)], env=environment, check=True)
        return sorted(run["total_run_time"] for run in asked(f"{url}/flow_runs/filter", b"{}"))


@contextmanager
def prefect(home: Path) -> Iterator[str]:
    """The address of a Prefect server of our own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    environment = {**os.environ, "PREFECT_HOME": str(home), "DO_NOT_TRACK": "1"}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            while True:
                try:
                    asked(f"{url}/health")
                    break
                except OSError:
                    time.sleep(0.5)
            yield url
        finally:
            server.terminate()


@contextmanager
def pictures() -> Iterator[int]:
    """The port of a server with a picture of its own at every path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            number = self.path.strip("/").removesuffix(".png")
            if not number.isdigit():
                self.send_error(404)
                return
            out = BytesIO()
            noise = np.random.default_rng(int(number)).integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(noise).resize((200, 200), Image.Resampling.BICUBIC).save(out, "PNG")
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.end_headers()
            self.wfile.write(out.getvalue())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


def asked(url: str, body: bytes | None = None) -> Any:
    with urllib.request.urlopen(
        urllib.request.Request(url, body, {"Content-Type": "application/json"}), timeout=60
    ) as reply:
        return json.load(reply)


def timed(call: Any) -> float:
    started = time.perf_counter()
    call()
    return round(time.perf_counter() - started, 3)


if __name__ == "__main__":
    main()
