"""Opening the annotation database: schema, migrations, pragmas, and what is said when it cannot be."""

from __future__ import annotations

import multiprocessing
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

import waon_build.annotation.access  # noqa: F401 - its tables are part of the schema
from waon_build.annotation import database
from waon_build.annotation.models import APPEND_ONLY, Table
from waon_build.corpus import Corpus
from waon_build.recipe import AnnotationSettings, Recipe
from waon_build.records import InputError
from waon_build.source_settings import SiteSource


def recipe(corpus: str, **annotation: object) -> Recipe:
    return Recipe(
        name="trial",
        corpus=corpus,
        sources=[SiteSource(kind="site", seeds=["http://127.0.0.1/"])],
        annotation=AnnotationSettings(**annotation),
    )


@pytest.fixture
def address(tmp_path: Path) -> str:
    """Of a database that is not there yet."""
    return f"sqlite:///{tmp_path}/annotation.db"


@pytest.fixture
def engine(address: str, migrated: Path, tmp_path: Path) -> Iterator[Engine]:
    shutil.copy(migrated, tmp_path / "annotation.db")
    engine = database.connect(address)
    yield engine
    engine.dispose()


_CLAUSE = r""",\s*(?=CONSTRAINT|"?\w+"? [A-Z]+)|\n"""


def clauses(path: Path) -> dict[str, set[str]]:
    """Table or index -> its columns and constraints, in SQLite's own words, in no order."""
    rows = sqlite3.connect(path).execute("SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'index')")
    return {
        name: {re.sub(r"\s+", " ", line).strip(" ,)") for line in re.split(_CLAUSE, sql)} - {""}
        for name, sql in rows
        if sql and not name.startswith("alembic")
    }


def test_the_migrated_schema_is_that_of_the_models(engine: Engine, tmp_path: Path) -> None:
    """Columns, indexes and keys, and the checks, which Alembic does not compare."""
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
    declared = create_engine(f"sqlite:///{tmp_path}/declared.db")
    Table.metadata.create_all(declared)
    migrated = clauses(tmp_path / "annotation.db")
    assert migrated == clauses(tmp_path / "declared.db")
    assert any("overlap_is_kept" in clause for clause in migrated["tasks"])


def test_every_append_only_table_has_its_triggers(engine: Engine) -> None:
    with engine.connect() as connection:
        names = set(connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")))
    assert names == {f"{table}_refuse_{verb}" for table in APPEND_ONLY for verb in ("update", "delete")}


def test_sqlite_is_set_so_that_an_acknowledged_answer_survives_a_power_cut(engine: Engine) -> None:
    with engine.connect() as connection:
        pragmas = {name: connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous")}
        assert pragmas == {"journal_mode": "wal", "synchronous": 2}
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1


def test_the_database_lies_in_the_corpus_by_default_and_keeps_its_id(tmp_path: Path) -> None:
    trial = recipe(str(tmp_path / "コーパス"))
    with database.opened(trial) as engine:
        first = database.database_id(engine)
    with database.opened(trial) as engine:
        assert database.database_id(engine) == first
    assert (tmp_path / "コーパス" / "annotation.db").exists()
    (tmp_path / "コーパス" / "annotation.db").unlink()
    with database.opened(trial) as engine:
        assert database.database_id(engine) != first


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(params=["writable", "read-only"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a database, which nobody may probe for being writable."""
    folder = tmp_path / "コーパス 100%"
    database.open(recipe(str(folder))).dispose()

    def probed(corpus: Corpus) -> None:
        raise AssertionError(f"{corpus.url} was written to")

    monkeypatch.setattr(Corpus, "create", probed)
    if request.param == "read-only":
        folder.chmod(0o555)
        # To root, whom rights do not bind, as to anybody else.
        monkeypatch.setattr("os.access", lambda path, mode: False)
    yield folder
    folder.chmod(0o755)


def test_who_only_reads_leaves_the_folder_as_it_is(place: Path) -> None:
    before = files(place)
    assert list(before) == ["annotation.db"]
    with database.reading(recipe(str(place))) as engine:
        assert engine is not None
        assert len(database.database_id(engine)) == 32
        with pytest.raises(OperationalError, match="readonly"), database.writing(engine) as connection:
            connection.execute(text("DELETE FROM identity"))
    assert files(place) == before


def test_who_only_reads_sees_what_is_still_in_the_log_of_a_writer(engine: Engine, tmp_path: Path) -> None:
    with database.writing(engine) as connection:
        connection.execute(text("UPDATE identity SET database_id = 'new'"))
    with database.reading(recipe(str(tmp_path))) as reader:
        assert reader is not None
        assert database.database_id(reader) == "new"


def test_who_only_reads_makes_no_database(tmp_path: Path) -> None:
    with database.reading(recipe(str(tmp_path / "none"))) as engine:
        assert engine is None
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "annotation.db").touch()
    with database.reading(recipe(str(tmp_path))) as engine:
        assert engine is None
    assert files(tmp_path) == {"annotation.db": b""}
    with database.reading(recipe(str(tmp_path), database="sqlite://")) as engine:
        assert engine is None


def test_who_only_reads_is_told_in_one_line_what_the_matter_is(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A schema that is older than this version, one that is newer, and a file that is no database."""
    trial = recipe(str(tmp_path))
    shutil.copytree(Path(database.__file__).parent / "migrations", tmp_path / "migrations")
    (tmp_path / "migrations" / "versions" / "0003_next.py").write_text("revision, down_revision = '0003', '0002'\n")
    with monkeypatch.context() as patch:
        patch.setattr(database, "_MIGRATIONS", tmp_path / "migrations")
        with pytest.raises(InputError, match=r"older waon-build \(0002\): run the recipe"), database.reading(trial):
            pass
    with database.writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InputError, match=r"newer waon-build \(9999\): upgrade"), database.reading(trial):
        pass
    engine.dispose()
    (tmp_path / "annotation.db").write_bytes(b"these are not the bytes of a database" * 100)
    with pytest.raises(InputError, match="file is not a database"), database.reading(trial):
        pass


def opens(address: str) -> str:
    engine = database.connect(address)
    found = database.database_id(engine)
    engine.dispose()
    return found


@pytest.mark.slow
def test_eight_processes_may_open_a_new_database_at_once(address: str) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["waon_build.annotation.queue"])
    with context.Pool(8) as pool:
        ids = pool.map(opens, [address] * 8, chunksize=1)
    assert len(set(ids)) == 1


def test_a_database_of_a_newer_waon_build_is_left_alone(engine: Engine, address: str) -> None:
    with database.writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InputError, match=r"newer waon-build \(9999\): upgrade"):
        database.connect(address)


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("no address at all", "is not an SQLAlchemy address"),
        ("sqlite:////nowhere/at/all.db", "cannot be opened"),
        ("oracle://me:secret@host/db", "there is no driver"),
    ],
)
def test_an_address_that_cannot_be_opened_is_one_line_without_the_password(address: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as error:
        database.connect(address)
    assert "annotation.database" in str(error.value)
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "annotation.db").write_bytes(b"these are not the bytes of a database" * 100)
    with pytest.raises(InputError, match="file is not a database"):
        database.open(recipe(str(tmp_path)))


def test_a_corpus_on_another_machine_needs_a_database_that_is_named() -> None:
    with pytest.raises(InputError, match=r"annotation\.database is missing"):
        database.open(recipe("memory://corpus"))


def test_a_migration_that_fails_leaves_nothing_behind(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(_: int) -> str:
        raise RuntimeError("no chance today")

    with monkeypatch.context() as patch:
        patch.setattr("secrets.token_hex", stumble)
        with pytest.raises(RuntimeError):
            database.connect(address)
    tables = sqlite3.connect(address.removeprefix("sqlite:///")).execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == []
    assert len(opens(address)) == 32


def test_migrations_are_numbered_as_their_files_are() -> None:
    """The newest is known by its name: Alembic is read in only where there is something to bring up to date."""
    scripts = ScriptDirectory(str(Path(database.__file__).parent / "migrations"))
    assert scripts.get_current_head() == database._newest()
    for script in scripts.walk_revisions():
        assert Path(script.path).name.partition("_")[0] == script.revision
