"""Opens the annotation database: finds it, brings its schema up to date, and begins transactions.

SQLite beside the corpus by default, PostgreSQL when the recipe names one. SQLite runs in WAL with
`synchronous=FULL`: an answer that was acknowledged survives a power cut. A transaction that will write
says so when it begins (`writing`): SQLite then waits for its turn, instead of failing half-way when a
read turns into a write. Nothing here knows what the tables mean.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from waon_build.annotation.models import Identity, Table
from waon_build.corpus import Corpus
from waon_build.recipe import Recipe
from waon_build.records import InputError

BUSY_SECONDS = 60
"""How long a writer waits for its turn. The longest turn is one part's tasks being put in."""

_WRITES = "waon_build_writes"


def open(recipe: Recipe) -> Engine:  # noqa: A001 - `database.open(recipe)` is what it does
    """The database of a recipe, made or brought up to date when need be. Call `dispose()` at the end.

    Raises InputError when it cannot be opened."""
    return connect(_address(recipe))


@contextmanager
def opened(recipe: Recipe) -> Iterator[Engine]:
    """`open()` for the length of a `with`."""
    engine = open(recipe)
    try:
        yield engine
    finally:
        engine.dispose()


def connect(address: str | URL) -> Engine:
    """The database at an SQLAlchemy address, made or brought up to date when need be.

    Raises InputError when there can be none, without telling the password in the address."""
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise InputError(
            "annotation.database is not an SQLAlchemy address: write e.g. postgresql://NAME@HOST/DATABASE"
        ) from error
    shown = url.render_as_string(hide_password=True)
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    try:
        engine = create_engine(url, pool_pre_ping=url.get_backend_name() != "sqlite")
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise InputError(
            f"annotation.database {shown}: there is no driver for it ({error}): "
            "use SQLite, or PostgreSQL with `pip install 'waon_build[postgres]'`"
        ) from error
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    try:
        _bring_up_to_date(engine, shown)
    except DBAPIError as error:
        engine.dispose()
        problem = str(error.orig).splitlines()[0] if str(error.orig) else type(error.orig).__name__
        raise InputError(
            f"annotation.database {shown}: cannot be opened ({problem}): check the address, the folder and its rights"
        ) from error
    except InputError:
        engine.dispose()
        raise
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that writes: committed at the end of the `with`, rolled back by an exception."""
    with engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
        yield connection


def database_id(engine: Engine) -> str:
    """32 hex digits that no other database has."""
    with engine.connect() as connection:
        return str(connection.scalar(select(Identity.database_id)))


def inserting(connection: Connection, table: type[Table]) -> sqlite.Insert:
    """An insert that can say what to do `on_conflict`, in the dialect of the connection. (PostgreSQL's has
    the same methods; what they share has no type.)"""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return cast(sqlite.Insert, postgresql.insert(table))


def _address(recipe: Recipe) -> str | URL:
    if recipe.annotation.database is not None:
        return recipe.annotation.database
    corpus = Corpus(recipe.corpus, **recipe.runtime.storage_options)
    if not corpus.is_local:
        raise InputError(
            f"annotation.database is missing: the corpus {recipe.corpus} is not on this machine, and a database "
            "must be: name one, e.g. sqlite:///annotation.db or postgresql://NAME@HOST/DATABASE"
        )
    corpus.create()
    return URL.create("sqlite", database=corpus.path("annotation.db"))


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy begins, see below
        for pragma in (f"busy_timeout={BUSY_SECONDS * 1000}", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        # Asked first: to read the mode takes no lock, to set it does, even when nothing changes.
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode=WAL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _bring_up_to_date(engine: Engine, shown: str) -> None:
    scripts = _scripts()
    with engine.connect() as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
    if revision == scripts.get_current_head():
        return
    if revision is not None and revision not in {script.revision for script in scripts.walk_revisions()}:
        raise InputError(f"annotation.database {shown}: was made by a newer waon-build ({revision}): upgrade this one")
    with writing(engine) as connection:  # whoever comes second waits here, and finds nothing left to do
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if connection.scalar(select(Identity.id)) is None:
            connection.execute(
                insert(Identity).values(
                    id=1,
                    database_id=secrets.token_hex(16),
                    pseudonym_key=secrets.token_hex(32),
                    created_at=datetime.now(UTC),
                )
            )


@lru_cache(maxsize=1)
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
