"""Serves the sample site on loopback: a real HTTP server in a thread, which keeps count of what is asked.

Two ports of 127.0.0.1: the site's own, and one where pictures take longer than anybody waits.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Final

import yaml

from waon_build.demo.served import Answer, Answers
from waon_build.demo.site import Site
from waon_build.records import InputError

HOST: Final = "127.0.0.1"
PORT: Final = 8787
RECIPE_URL: Final = f"http://{HOST}:{PORT}"
"""Where `recipes/demo.yaml` expects the site."""


class Served:
    """The site while it is served. requests: how often each path was asked for, of either port."""

    def __init__(self, site: Site, requests: Counter[str]) -> None:
        self.site, self.requests = site, requests

    @property
    def url(self) -> str:
        """The origin, without a slash at its end."""
        return self.site.url

    @property
    def asked_against_its_will(self) -> list[str]:
        """Paths that were asked for though the site says that robots must not."""
        return sorted(path for path in self.requests if self.site.forbids(path))

    def write_recipe(self, path: str | Path, corpus: str | Path) -> None:
        """Write the demo recipe for this site's address, its corpus in the folder `corpus`."""
        text = _recipe().replace(RECIPE_URL, self.url)
        folder = str(corpus)
        quoted = folder if re.fullmatch(r"[\w./-]+", folder) else yaml.safe_dump(folder, default_style='"').strip()
        text = re.sub(r"^corpus: .*$", lambda _: f"corpus: {quoted}", text, count=1, flags=re.MULTILINE)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")


@contextmanager
def serve(port: int = PORT, slow_port: int | None = None) -> Iterator[Served]:
    """Serve the site until the block ends. port: 0 for any that is free. slow_port: by default the next one.

    Raises InputError when a port cannot be had."""
    if slow_port is None:
        slow_port = port + 1 if port else 0
    requests: Counter[str] = Counter()
    stopping = threading.Event()
    servers: list[_Server] = []
    try:
        servers += [_Server(one, requests, stopping) for one in (port, slow_port)]
        site = Site(*(f"http://{HOST}:{server.server_port}" for server in servers))
        for server, answers in zip(servers, (site.answers, site.slow_answers), strict=True):
            server.answers = answers
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield Served(site, requests)
    finally:
        stopping.set()
        for server in servers:
            server.end()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, port: int, requests: Counter[str], stopping: threading.Event) -> None:
        self.answers: Answers = {}
        self.requests, self.stopping = requests, stopping
        self._times: Counter[str] = Counter()
        self._lock = threading.Lock()
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise InputError(f"port {port} of {HOST} cannot be had ({why}): try `waon-build demo --port 8790`") from (
                error
            )

    def answer(self, path: str) -> Answer:
        """The next answer for `path`."""
        with self._lock:
            self.requests[path] += 1
            turn = self._times[path]
            self._times[path] += 1
        answers = self.answers.get(path, [_NOTHING])
        return answers[min(turn, len(answers) - 1)]

    def handle_error(self, *_: object) -> None:
        """Say nothing: whoever asked has gone."""

    def end(self) -> None:
        if self.answers:
            self.shutdown()
        self.server_close()


_NOTHING = Answer("ページが見つかりません".encode(), (("Content-Type", "text/html; charset=UTF-8"),), 404)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        answer = self.server.answer(self.path)
        if answer.delay and self.server.stopping.wait(answer.delay):
            self.close_connection = True
            return
        with suppress(ConnectionError):
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Say nothing: what was asked is counted."""


def _recipe() -> str:
    """The text of `recipes/demo.yaml`: in a wheel beside this module, in a checkout at its root."""
    packed = resources.files("waon_build.demo").joinpath("recipe.yaml")
    if packed.is_file():
        return packed.read_text(encoding="utf-8")
    return Path(__file__).parents[2].joinpath("recipes", "demo.yaml").read_text(encoding="utf-8")
