"""Opens the annotation database: finds it, brings its schema up to date, and begins transactions.

SQLite beside the corpus by default, PostgreSQL when the recipe names one. SQLite runs in WAL with
`synchronous=FULL`: an answer that was acknowledged survives a power cut. A transaction that will write
says so when it begins (`writing`) and waits for its turn, on both: SQLite instead of failing half-way when a
read turns into a write, PostgreSQL so that what holds on the one holds on the other. (A queue whose writers
take turns serves hundreds of people: each answers once in some seconds, and a turn takes about a
millisecond.) Nothing here knows what the tables mean.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, inspect, make_url, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from waon_build.annotation.models import Identity, Table
from waon_build.corpus import Corpus
from waon_build.recipe import Recipe
from waon_build.records import InputError

BUSY_SECONDS = 60
"""How long a writer waits for its turn. The longest turn is one part's tasks being put in."""

MANY_KILOBYTES = 64 << 10
"""Of SQLite's pages kept in memory while many rows are written."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_WRITES = "waon_build_writes"
_TAKE_TURN = text("SELECT pg_advisory_xact_lock(7749012116)")


def open(recipe: Recipe) -> Engine:  # noqa: A001 - `database.open(recipe)` is what it does
    """The database of a recipe, made or brought up to date when need be. Call `dispose()` at the end.

    Raises InputError when it cannot be opened."""
    address = _address(recipe)
    if recipe.annotation.database is None:
        _corpus(recipe).create()
    return connect(address)


@contextmanager
def opened(recipe: Recipe) -> Iterator[Engine]:
    """`open()` for the length of a `with`."""
    engine = open(recipe)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def reading(recipe: Recipe) -> Iterator[Engine | None]:
    """The database of a recipe as it is, for the length of a `with`: nothing is made, nothing is brought up
    to date, and a place that cannot be written will do. None when there is none.

    Raises InputError when it cannot be opened, or its schema is not that of this waon-build."""
    url, shown = _url(_address(recipe))
    path = _file(url)
    if path is not None and not os.path.exists(path):
        yield None
        return
    engine = _engine(url if path is None else _for_reading(url, path), shown, reads_only=True)
    try:
        with _told(shown):
            is_there = _is_there(engine, shown)
        yield engine if is_there else None
    finally:
        engine.dispose()


def connect(address: str | URL) -> Engine:
    """The database at an SQLAlchemy address, made or brought up to date when need be.

    Raises InputError when there can be none, without telling the password in the address."""
    url, shown = _url(address)
    engine = _engine(url, shown)
    try:
        with _told(shown):
            _bring_up_to_date(engine, shown)
    except InputError:
        engine.dispose()
        raise
    return engine


def _url(address: str | URL) -> tuple[URL, str]:
    """The address, and how it is shown: without its password."""
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise InputError(
            "annotation.database is not an SQLAlchemy address: write e.g. postgresql://NAME@HOST/DATABASE"
        ) from error
    shown = url.render_as_string(hide_password=True)
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    return url, shown


def _engine(url: URL, shown: str, reads_only: bool = False) -> Engine:
    is_sqlite = url.get_backend_name() == "sqlite"
    if url.get_backend_name() == "postgresql" and "options" not in url.query:
        # Who has the turn and falls silent, a laptop that was closed, loses it in the end.
        waits = dict.fromkeys(("lock_timeout", "idle_in_transaction_session_timeout"), f"{BUSY_SECONDS}s")
        given = {**waits, "default_transaction_read_only": "on" if reads_only else "off"}
        url = url.update_query_dict({"options": " ".join(f"-c {name}={value}" for name, value in given.items())})
    try:
        engine = create_engine(url, pool_pre_ping=not is_sqlite)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise InputError(
            f"annotation.database {shown}: there is no driver for it ({error}): "
            "use SQLite, or PostgreSQL with `pip install 'waon_build[postgres]'`"
        ) from error
    if is_sqlite:
        _prepare_sqlite(engine, reads_only)
    return engine


@contextmanager
def _told(shown: str) -> Iterator[None]:
    """What the database will not do becomes one line."""
    try:
        yield
    except DBAPIError as error:
        problem = str(error.orig).splitlines()[0] if str(error.orig) else type(error.orig).__name__
        raise InputError(
            f"annotation.database {shown}: cannot be opened ({problem}): check the address, the folder and its rights"
        ) from error


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that writes: committed at the end of the `with`, rolled back by an exception."""
    with engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
        if engine.dialect.name != "sqlite":
            connection.execute(_TAKE_TURN)
        yield connection


def expect_many(connection: Connection) -> None:
    """Many rows are about to be written: SQLite keeps more of its indexes at hand from now on, on this connection.
    (Rows come in no order that the indexes have: with the 2 MB of always a fifth more time goes into pages that
    are read again and again.)"""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size=-{MANY_KILOBYTES}")


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
    corpus = _corpus(recipe)
    if not corpus.is_local:
        raise InputError(
            f"annotation.database is missing: the corpus {recipe.corpus} is not on this machine, and a database "
            "must be: name one, e.g. sqlite:///annotation.db or postgresql://NAME@HOST/DATABASE"
        )
    return URL.create("sqlite", database=corpus.path("annotation.db"))


def _corpus(recipe: Recipe) -> Corpus:
    return Corpus(recipe.corpus, **recipe.runtime.storage_options)


def _file(url: URL) -> str | None:
    """The path of an SQLite file; None for what is none: a server, memory, a URI that says itself how to open."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:") or "uri" in url.query:
        return None
    return os.path.abspath(str(url.database))


def _for_reading(url: URL, path: str) -> URL:
    """The address of an SQLite file that is there. Who reads in WAL shares memory beside the file, and only
    who may write clears it away at the end; where nobody can, there is no writer to share with, and the file
    is read as it lies, unless its log holds what it lacks."""
    log = Path(f"{path}-wal")
    how = {"mode": "rw"}
    if not os.access(os.path.dirname(path), os.W_OK):
        how = {"mode": "ro"} if log.exists() and log.stat().st_size else {"mode": "ro", "immutable": "1"}
    return url.set(database=f"file:{quote(path)}").update_query_dict({**how, "uri": "true"})


def _prepare_sqlite(engine: Engine, reads_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy begins, see below
        for pragma in (f"busy_timeout={BUSY_SECONDS * 1000}", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        if reads_only:
            connection.execute("PRAGMA query_only=ON")
            return
        # Asked first: to read the mode takes no lock, to set it does, even when nothing changes.
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode=WAL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _bring_up_to_date(engine: Engine, shown: str) -> None:
    revision = _revision(engine, shown)
    if revision == _newest():
        return
    from alembic import command  # takes 11 MB, and is needed once in a database's life
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with writing(engine) as connection:  # whoever comes second waits here, and finds nothing left to do
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


def _is_there(engine: Engine, shown: str) -> bool:
    """Whether the database has our tables. Raises InputError when they are not of today."""
    revision = _revision(engine, shown)
    if revision not in (None, _newest()):
        raise InputError(
            f"annotation.database {shown}: was made by an older waon-build ({revision}): "
            "run the recipe where it can be written, which brings it up to date"
        )
    return revision is not None


def _revision(engine: Engine, shown: str) -> str | None:
    """The revision of the schema, or None where there is none. Raises InputError for one of the future."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if revision is not None and revision > _newest():
        raise InputError(f"annotation.database {shown}: was made by a newer waon-build ({revision}): upgrade this one")
    return revision


def _newest() -> str:
    """The revision of this waon-build: migrations are numbered by the names of their files, and count up."""
    return max(file.name.partition("_")[0] for file in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))
