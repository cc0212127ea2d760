"""Opening a PostgreSQL database: the same schema, made once whoever comes first, and read without being touched."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

import waon_build.annotation.access  # noqa: F401 - its tables are part of the schema
from waon_build.annotation import database
from waon_build.annotation.models import APPEND_ONLY, Table
from waon_build.recipe import AnnotationSettings, Recipe
from waon_build.records import InputError
from waon_build.source_settings import SiteSource


@pytest.fixture
def empty(postgres: Any) -> Iterator[str]:
    """The address of a database without a schema."""
    name = postgres.create()
    yield postgres.address(name)
    postgres.drop(name)


@pytest.fixture
def address(postgres: Any, postgres_migrated: str) -> Iterator[str]:
    name = postgres.create(postgres_migrated)
    yield postgres.address(name)
    postgres.drop(name)


def recipe(folder: Path, address: str) -> Recipe:
    return Recipe(
        name="trial",
        corpus=str(folder),
        sources=[SiteSource(kind="site", seeds=["http://127.0.0.1/"])],
        annotation=AnnotationSettings(database=address),
    )


def schema(engine: Engine) -> dict[str, set[tuple[Any, ...]]]:
    """Columns, constraints and indexes, in PostgreSQL's own words."""
    questions = {
        "columns": "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default "
        "FROM information_schema.columns WHERE table_schema = 'public'",
        "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE connamespace = 'public'::regnamespace",
        "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    }
    with engine.connect() as connection:
        return {
            name: {tuple(row) for row in connection.execute(text(sql)) if "alembic" not in str(row)}
            for name, sql in questions.items()
        }


def test_the_migrated_schema_is_that_of_the_models(engine: Engine, empty: str) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
    declared = create_engine(empty.replace("postgresql:", "postgresql+psycopg:"))
    Table.metadata.create_all(declared)
    assert schema(engine) == schema(declared)
    declared.dispose()


def test_every_append_only_table_has_its_trigger(engine: Engine) -> None:
    with engine.connect() as connection:
        names = set(connection.scalars(text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")))
    assert names == {f"{table}_refuse" for table in APPEND_ONLY}


def opens(address: str) -> str:
    engine = database.connect(address)
    found = database.database_id(engine)
    engine.dispose()
    return found


@pytest.mark.slow
def test_eight_processes_may_open_a_new_database_at_once(empty: str) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["waon_build.annotation.queue"])
    with context.Pool(8) as pool:
        ids = pool.map(opens, [empty] * 8, chunksize=1)
    assert len(set(ids)) == 1


def test_who_only_reads_makes_nothing_and_changes_nothing(empty: str, address: str, tmp_path: Path) -> None:
    with database.reading(recipe(tmp_path, empty)) as engine:
        assert engine is None
    bare = create_engine(empty.replace("postgresql:", "postgresql+psycopg:"))
    assert not any(schema(bare).values())
    bare.dispose()
    with database.reading(recipe(tmp_path, address)) as engine:
        assert engine is not None
        assert len(database.database_id(engine)) == 32
        with pytest.raises(DBAPIError, match="read-only"), database.writing(engine) as connection:
            connection.execute(text("UPDATE identity SET database_id = 'new'"))
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_is_one_line_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be opened") as error:
        database.connect(f"postgresql://me:secret@/nowhere?host={tmp_path}")
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


def test_who_falls_silent_in_their_turn_loses_it(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop that is closed in the middle of a transaction would keep everybody waiting."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 1)
    silent, other = database.connect(address), database.connect(address)

    def falls_silent() -> None:
        with database.writing(silent) as mine:
            mine.execute(text("UPDATE identity SET database_id = 'mine'"))
            time.sleep(1.5)
            with database.writing(other) as theirs:
                theirs.execute(text("UPDATE identity SET database_id = 'theirs'"))
            mine.execute(text("SELECT 1"))

    with pytest.raises(DBAPIError, match="idle-in-transaction"):
        falls_silent()
    assert database.database_id(other) == "theirs"
    silent.dispose()
    other.dispose()
