"""The real application on a real server on the loopback device, over a real database and a real corpus."""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
from PIL import Image
from sqlalchemy import Engine

from waon_build.annotation import people
from waon_build.annotation.database import writing
from waon_build.annotation.models import Role
from waon_build.annotation.web.app import create_app
from waon_build.annotation.web.campaign import utc_now
from waon_build.annotation.web.serve import Server, configuration, listening
from waon_build.annotation.web.site import Site
from waon_build.corpus import Corpus, Part
from waon_build.recipe import AnnotationSettings

PICTURES = 64
PART = "g0001-000001"
"""The part in which, as the pairs of the tests say, the pictures lie."""
CSRF = re.compile(r'name="csrf-token" content="([0-9a-f]{64})"')


@pytest.fixture
def address(migrated: Path, tmp_path: Path) -> str:
    """An empty SQLite database: the calls of the queue are tested on PostgreSQL, where they have tests of their own."""
    shutil.copy(migrated, tmp_path / "annotation.db")
    return f"sqlite:///{tmp_path}/annotation.db"


class Browser(httpx.Client):
    """Somebody's browser: keeps cookies, and knows the token of the page it was on last."""

    csrf = ""

    def see(self, path: str, **options: Any) -> httpx.Response:
        """Load a page."""
        response = self.get(path, **options)
        found = CSRF.search(response.text)
        self.csrf = found[1] if found else self.csrf
        return response

    def call(self, name: str, body: Any = None, **headers: str) -> httpx.Response:
        """Call the API as the page does."""
        return self.post(
            f"/api/{name}", json={} if body is None else body, headers={"X-CSRF-Token": self.csrf, **headers}
        )

    def fill_in(self, path: str, **fields: str) -> httpx.Response:
        """Send a form."""
        return self.post(path, data={"csrf_token": self.csrf, **fields})


class Office:
    """A served campaign, and how people get in."""

    def __init__(self, engine: Engine, url: str) -> None:
        self.engine = engine
        self.url = url
        self._browsers: list[Browser] = []

    def browser(self, **headers: str) -> Browser:
        """A browser that nobody has signed in with."""
        found = Browser(base_url=self.url, headers={"Accept-Language": "en", **headers}, timeout=30)
        self._browsers.append(found)
        return found

    def invite(self, role: Role = Role.ANNOTATOR, days: float = 14) -> tuple[str, str]:
        """A new person's pseudonym, and the token of a link."""
        with writing(self.engine) as connection:
            who = people.add(connection, utc_now(), role)
            return who, people.invite(connection, utc_now(), who, days)

    def person(self, role: Role = Role.ANNOTATOR, **headers: str) -> Browser:
        """A browser with which a new person has signed in."""
        browser = self.browser(**headers)
        _, token = self.invite(role)
        self.accept(browser, token)
        browser.see("/judge")
        return browser

    def accept(self, browser: Browser, token: str) -> httpx.Response:
        """Follow a link, and agree."""
        browser.see(f"/invite/{token}")
        return browser.fill_in(f"/invite/{token}", agree="yes")

    def close(self) -> None:
        for browser in self._browsers:
            browser.close()


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus with a picture for each of the first pairs."""
    folder = tmp_path_factory.mktemp("corpus")
    corpus = Corpus(str(folder))
    corpus.create()
    with corpus.write("fetch", Part(PART, "made", "1"), pa.schema([("url", pa.string())])) as writer:
        with writer.open_file("images", "tar") as images:
            for number in range(PICTURES):
                file = BytesIO()
                Image.new("RGB", (16, 12), (number * 4, 90, 160)).save(file, "JPEG", quality=50, optimize=True)
                images.seek(512 * number)
                images.write(file.getvalue().ljust(400, b"\0")[:1000])
        writer.commit()
    return folder


@pytest.fixture
def corpus(stored: Path, tmp_path: Path) -> Corpus:
    """One of the test's own: an upheld report writes into it."""
    return Corpus(str(shutil.copytree(stored, tmp_path / "corpus")))


@pytest.fixture
def served(engine: Engine, corpus: Corpus, settings: AnnotationSettings) -> Iterator[Callable[..., Office]]:
    """Serves a campaign; more than one when asked again. options: of `create_app` and `Site`."""
    running: list[tuple[Server, threading.Thread, Office]] = []

    def begin(settings: AnnotationSettings = settings, public_url: str | None = None, **options: Any) -> Office:
        listener = listening("127.0.0.1", 0)
        port = listener.getsockname()[1]
        site = Site("127.0.0.1", port, public_url)
        server = Server(configuration(create_app(engine, corpus, settings, site, **options), site))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        office = Office(engine, f"http://127.0.0.1:{port}")
        running.append((server, thread, office))
        return office

    yield begin
    for server, thread, office in running:
        office.close()
        server.should_exit = True
        thread.join(timeout=20)


@pytest.fixture
def office(served: Callable[..., Office], queued: Callable[..., None]) -> Office:
    """A served campaign with twenty pairs to judge."""
    queued(range(20))
    return served()
