"""A real database on disk, pairs to put into it, and people to judge them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from waon_build.annotation import database, people
from waon_build.annotation.models import Kind
from waon_build.annotation.questions import Answers, Questions, load
from waon_build.annotation.routing import place, put
from waon_build.recipe import AnnotationSettings

from . import postgres as postgres_server
from .desk import Desk

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOON


@pytest.fixture
def settings() -> AnnotationSettings:
    return AnnotationSettings()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database, made once."""
    path = tmp_path_factory.mktemp("migrated") / "annotation.db"
    database.connect(f"sqlite:///{path}").dispose()
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_server.Server]:
    """A PostgreSQL server. Skips where there is none."""
    if postgres_server.programs() is None:
        pytest.skip("there is no PostgreSQL here (initdb): apt-get install postgresql")
    with postgres_server.server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_migrated(postgres: postgres_server.Server) -> str:
    """The name of an empty PostgreSQL database, made once."""
    name = postgres.create()
    database.connect(postgres.address(name)).dispose()
    return name


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of either kind: what holds on the one holds on the other."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated"), tmp_path / "annotation.db")
        yield f"sqlite:///{tmp_path}/annotation.db"
        return
    template = request.getfixturevalue("postgres_migrated")
    postgres = request.getfixturevalue("postgres")
    name = postgres.create(template)
    yield postgres.address(name)
    postgres.drop(name)


@pytest.fixture
def engine(address: str) -> Iterator[Engine]:
    engine = database.connect(address)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite(engine: Engine) -> Engine:
    """The database, when it is SQLite."""
    if engine.dialect.name != "sqlite":
        pytest.skip("is of SQLite alone")
    return engine


@pytest.fixture
def questions() -> Questions:
    return load("ja")


@pytest.fixture
def answer(questions: Questions) -> Callable[..., Answers]:
    """Answers with the given grade, and whatever else is given."""

    def made(match: int | str = 3, **others: Any) -> Answers:
        return questions.answers({"match": match, "culture": "specific", **others})

    return made


def pair(number: int, **others: Any) -> dict[str, Any]:
    """A pair as the image stage writes it, with its cluster."""
    return {
        "pair_id": f"{number:016x}",
        "cluster_id": f"{number:016x}",
        "url": f"https://images.example/{number}.jpg",
        "caption": f"第{number}の門松",
        "caption_source": "alt",
        "page_url": f"https://site{number % 3}.example/{number}.html",
        "page_title": "正月の風景",
        "stored_in": "g0001-000001",
        "offset": 512 * number,
        "size": 400,
        "format": "jpg",
        "width": 640,
        "height": 480,
        **others,
    }


@pytest.fixture
def queued(engine: Engine) -> Callable[..., None]:
    """Puts pairs (their numbers) into the queue."""

    def fill(numbers: range, overlap: int = 2, kind: Kind = Kind.NORMAL) -> None:
        put(engine, kind, (pair(number) for number in numbers), overlap, NOON)
        place(engine, overlap)

    return fill


@pytest.fixture
def annotator(engine: Engine) -> Callable[[], str]:
    """A new annotator."""

    def add() -> str:
        with database.writing(engine) as connection:
            return people.add(connection, NOON)

    return add


@pytest.fixture
def desk(engine: Engine) -> Desk:
    """A queue without tasks, and people to come to it."""
    return Desk(engine, NOON)
