"""A campaign to hand out, and a queue of six pairs that answers from other tools go into."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image
from sqlalchemy import Engine, select, update

from waon_build.annotation import queue
from waon_build.annotation.connectors.campaign import Campaign
from waon_build.annotation.connectors.files import import_judgements
from waon_build.annotation.connectors.handing_out import hand_out
from waon_build.annotation.connectors.tools import FileKind, Tool
from waon_build.annotation.database import writing
from waon_build.annotation.guideline import load
from waon_build.annotation.models import Annotation, Task, live
from waon_build.recipe import AnnotationSettings

ROOT = Path(__file__).parent


@pytest.fixture
def address(migrated: Path, tmp_path: Path) -> str:
    """An empty SQLite database: the calls of the queue are tested on PostgreSQL, where they have tests of their own."""
    shutil.copy(migrated, tmp_path / "annotation.db")
    return f"sqlite:///{tmp_path}/annotation.db"


@pytest.fixture
def recorded() -> Path:
    """Files that real servers wrote."""
    return ROOT / "recorded"


@pytest.fixture(params=["ja", "en"])
def campaign(request: pytest.FixtureRequest) -> Campaign:
    return Campaign("small", 2, load(request.param))


HOSTILE = (
    "<script>document.title = 'run'</script><img src=x onerror=\"document.title='run'\"></textarea>"
    "\" onmouseover=\"document.title='run'\" <svg/onload=document.title='run'> \u202eمرحبا🎍{{7*7}} &lt;b&gt;"
)

PICTURE = BytesIO()
Image.new("RGB", (64, 48), (180, 60, 50)).save(PICTURE, "JPEG")


@pytest.fixture
def six_pairs(queued: Callable[..., None]) -> None:
    queued(range(6))


class HandedOut(NamedTuple):
    """Tasks for a real server. hostile: the caption of the sixth, which must be shown and not run. picture: of all."""

    folder: Path
    hostile: str
    picture: bytes


@pytest.fixture
def handed_out(engine: Engine, six_pairs: None, tmp_path: Path) -> Callable[[Tool], HandedOut]:
    def made(tool: Tool) -> HandedOut:
        with writing(engine) as connection:
            connection.execute(update(Task).where(Task.pair_id == f"{5:016x}").values(caption=HOSTILE))
        with engine.connect() as connection:
            tasks = list(queue.waiting(connection))
        hand_out(tool, Campaign("small", 2, load("ja")), tasks, tmp_path / "out", lambda *_: PICTURE.getvalue())
        return HandedOut(tmp_path / "out", HOSTILE, PICTURE.getvalue())

    return made


@pytest.fixture
def chromium() -> Iterator[Any]:
    """A browser. Skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("needs Debian's Chromium")
    with (
        playwright.sync_playwright() as browsers,
        browsers.chromium.launch(executable_path=path, args=["--no-sandbox"]) as browser,
    ):
        yield browser


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Said(NamedTuple):
    """A live answer. pair: its number."""

    pair: int
    who: str
    source: str
    wall_ms: int | None
    answers: dict[str, Any]


@pytest.fixture
def said(engine: Engine) -> Callable[[], list[Said]]:
    """What the queue holds, by pair."""

    def all_of_it() -> list[Said]:
        columns = (Task.pair_id, Annotation.annotator_id, Annotation.source, Annotation.wall_ms, Annotation.answers)
        rows = select(*columns).join(Task, Task.id == Annotation.task_id).where(live(Annotation))
        with engine.connect() as connection:
            found = connection.execute(rows.order_by(Task.pair_id, Annotation.id)).all()
        return [Said(int(row[0], 16), *row[1:]) for row in found]

    return all_of_it


@pytest.fixture
def take_in(
    engine: Engine, tmp_path: Path, settings: AnnotationSettings, now: datetime
) -> Callable[..., dict[str, Any]]:
    """Imports a file, or what is to be written into one; returns the counts as plain data."""

    def taken(what: Any, name: str = "answers.json", kind: FileKind | None = None) -> dict[str, Any]:
        path = what
        if not isinstance(what, Path):
            path = tmp_path / name
            path.write_text(what if isinstance(what, str) else json.dumps(what, ensure_ascii=False), encoding="utf-8")
        return import_judgements(engine, str(path), settings, now, kind).to_json()

    return taken
