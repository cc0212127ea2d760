"""A real browser in front of the real server: Debian's Chromium, driven by Playwright, on pictures of the demo."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from sqlalchemy import Engine, func, select, update

from waon_build.annotation.database import writing
from waon_build.annotation.models import Annotation, Kind, Lease, Report, Skip, State, Task, live
from waon_build.annotation.routing import place, put
from waon_build.annotation.web.campaign import utc_now
from waon_build.corpus import Corpus, Part
from waon_build.demo import pictures

SCENES = ("kayabuki", "koi", "pagoda", "machiya", "castle", "cat")
PART = "g0001-000001"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 10_000
"""Milliseconds."""


class Stored(NamedTuple):
    """A painted picture in the corpus."""

    scene: pictures.Scene
    offset: int
    size: int


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Stored]]:
    """A corpus with some pictures of the demo."""
    folder = tmp_path_factory.mktemp("gallery")
    corpus = Corpus(str(folder))
    corpus.create()
    stored = []
    with corpus.write("fetch", Part(PART, "made", "1"), pa.schema([("url", pa.string())])) as writer:
        with writer.open_file("images", "tar") as images:
            for name in SCENES:
                file = BytesIO()
                pictures.picture(name).save(file, "JPEG", quality=85)
                stored.append(Stored(pictures.scenes()[name], images.tell(), len(file.getvalue())))
                images.write(file.getvalue())
        writer.commit()
    return folder, stored


@pytest.fixture
def address(migrated: Path, tmp_path: Path) -> str:
    """SQLite alone: what a browser sees does not depend on the database, and each of these tests takes seconds."""
    shutil.copy(migrated, tmp_path / "annotation.db")
    return f"sqlite:///{tmp_path}/annotation.db"


@pytest.fixture
def corpus(gallery: tuple[Path, list[Stored]]) -> Corpus:
    return Corpus(str(gallery[0]))


@pytest.fixture
def hung(engine: Engine, gallery: tuple[Path, list[Stored]]) -> Callable[..., None]:
    """Puts pairs into the queue, one for each caption. broken: their pictures are not there."""

    def hang(captions: list[str], kind: Kind = Kind.NORMAL, broken: bool = False) -> None:
        rows = [_pair(number, caption, gallery[1], broken) for number, caption in enumerate(captions)]
        put(engine, kind, rows, 2, utc_now())
        place(engine, 2)

    return hang


def _pair(number: int, caption: str, stored: list[Stored], broken: bool) -> dict[str, Any]:
    shown = stored[number % len(stored)]
    width, height = shown.scene.size
    return {
        "pair_id": f"{number:016x}",
        "cluster_id": f"{number:016x}",
        "url": f"https://images.example/{number}.jpg",
        "caption": caption,
        "caption_source": "alt",
        "page_url": f"https://site{number % 3}.example/{number}.html",
        "page_title": "",
        "stored_in": PART,
        "offset": 10**9 if broken else shown.offset,
        "size": shown.size,
        "format": "jpg",
        "width": width,
        "height": height,
    }


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser. A module's, not the session's: Playwright's event loop must not be there for other tests."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium here (Debian: apt-get install chromium)")
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Person:
    """Somebody in front of the judging page. What they see, what they press, and what became of it."""

    def __init__(self, page: Any, engine: Engine, who: str) -> None:
        self.page = page
        self.context = page.context
        self.who = who
        self.problems: list[str] = []
        self.addresses: list[str] = []
        self._engine = engine
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._listen)
        page.on("request", lambda request: self.addresses.append(request.url))

    def _listen(self, message: Any) -> None:
        # A connection that a test cuts is no problem of the page's.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.problems.append(message.text)

    def see_picture(self) -> None:
        """Wait until a picture is on the screen."""
        self.page.wait_for_selector("#picture:not([hidden])", timeout=PATIENCE)

    @property
    def caption(self) -> str:
        return str(self.page.locator("#caption").text_content())

    @property
    def question(self) -> str:
        return str(self.page.locator("#question").text_content())

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def wait_for(self, expression: str) -> None:
        """Wait until a JavaScript expression is true. Asked from outside: the page itself lets nobody evaluate text."""
        deadline = time.monotonic() + PATIENCE / 1000
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, f"it never came to be that {expression}"
            self.page.wait_for_timeout(20)

    def wait_for_caption(self, caption: str) -> None:
        self.wait_for(f"document.getElementById('caption').textContent === {json.dumps(caption)}")

    def wait_past(self, caption: str) -> None:
        """Wait until another picture is on the screen than that of a caption."""
        self.wait_for(f"document.getElementById('caption').textContent !== {json.dumps(caption)}")
        self.see_picture()

    def wait_until_saved(self) -> None:
        """Wait until nothing waits in the browser any more."""
        self.wait_for("document.getElementById('state').dataset.waiting === '0'")

    def said(self) -> dict[str, dict[str, Any]]:
        """What the server has of this person: caption -> answers. Fails when there are two to one caption."""
        rows = self._rows(
            select(Task.caption, Annotation.answers, Annotation.device, Annotation.active_ms)
            .join(Task, Task.id == Annotation.task_id)
            .where(Annotation.annotator_id == self.who, live(Annotation), ~Annotation.retracted)
        )
        assert len({row.caption for row in rows}) == len(rows)
        return {row.caption: row.answers for row in rows}

    def devices(self) -> list[str]:
        return [row.device for row in self._rows(select(Annotation.device).where(Annotation.annotator_id == self.who))]

    def active(self) -> list[int]:
        return [row[0] for row in self._rows(select(Annotation.active_ms).where(Annotation.annotator_id == self.who))]

    def waited(self) -> list[int]:
        return [row[0] for row in self._rows(select(Annotation.wall_ms).where(Annotation.annotator_id == self.who))]

    def skipped(self) -> dict[str, str]:
        rows = self._rows(
            select(Task.caption, Skip.reason).join(Task, Task.id == Skip.task_id).where(Skip.annotator_id == self.who)
        )
        return {row.caption: row.reason for row in rows if row.reason != "reported"}

    def reported(self) -> dict[str, str]:
        rows = self._rows(
            select(Task.caption, Report.kind)
            .join(Task, Task.id == Report.task_id)
            .where(Report.annotator_id == self.who)
        )
        return {row.caption: row.kind for row in rows}

    def _rows(self, statement: Any) -> list[Any]:
        with writing(self._engine) as connection:
            return list(connection.execute(statement).all())


@pytest.fixture
def newcomer(chromium: Any, office: Any, engine: Engine) -> Iterator[Callable[..., Person]]:
    """A new person who has signed in by an invitation. options: of the browser's context. At the end, no page may
    have had an error, broken the content security policy, or asked another host for anything."""
    people: list[Person] = []

    def arrive(path: str = "/judge", role: Any = None, office: Any = office, **options: Any) -> Person:
        context = chromium.new_context(
            **{"locale": "ja-JP", "viewport": {"width": 1366, "height": 768}, "base_url": office.url, **options}
        )
        context.set_default_timeout(PATIENCE)
        who, token = office.invite() if role is None else office.invite(role)
        person = Person(context.new_page(), engine, who)
        people.append(person)
        person.page.goto(f"/invite/{token}")
        person.page.locator("input[name=agree]").check()
        person.page.locator("main form button").click()
        person.page.wait_for_url(lambda url: "/invite/" not in url)
        if not person.page.url.endswith(path):
            person.page.goto(path)
        return person

    yield arrive
    for person in people:
        person.context.close()
    assert [person.problems for person in people] == [[] for _ in people]
    ours = (office.url + "/", f"blob:{office.url}/")
    assert [address for person in people for address in person.addresses if not address.startswith(ours)] == []


@pytest.fixture
def close(engine: Engine) -> Callable[[str], None]:
    """Lets a task have all the answers it wants: those of others."""

    def done(caption: str) -> None:
        with writing(engine) as connection:
            connection.execute(update(Task).where(Task.caption == caption).values(state=State.DONE))

    return done


@pytest.fixture
def office(served: Callable[..., Any], hung: Callable[..., None]) -> Any:
    """A served campaign with thirty pairs to judge."""
    hung([f"第{number}の写真に添えられた文" for number in range(30)])
    return served(language="ja")


@pytest.fixture
def leases(engine: Engine) -> Callable[[], int]:
    """How many leases there are."""

    def count() -> int:
        with engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(Lease)) or 0

    return count


@pytest.fixture
def expire(engine: Engine) -> Callable[[], None]:
    """Lets all leases run out."""

    def run_out() -> None:
        with writing(engine) as connection:
            connection.execute(update(Lease).values(expires_at=utc_now() - timedelta(minutes=1)))

    return run_out


@pytest.fixture
def person(newcomer: Callable[..., Person]) -> Person:
    """Somebody at a desk, with the first picture before them."""
    found = newcomer()
    found.see_picture()
    return found
