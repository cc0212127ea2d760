"""Where a release is written, and the moment it is there: complete, or not at all.

On a local disk it is written aside and renamed. An object store cannot rename: there every file goes to
its place at once and `SHA256SUMS` last, and a folder without one is no release. What a killed export
left is swept by the next. Nothing here knows what is in a file.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import duckdb

from waon_build.corpus import Corpus
from waon_build.export.index import SUMS, sums_text
from waon_build.export.shards import WrittenFile, written_file
from waon_build.records import InputError

FOLDER = "releases"


class Place(NamedTuple):
    """One release under way. folder: a local one, where its files are made. final: where they belong.
    Goes to worker processes and back."""

    corpus: Corpus
    folder: str
    final: str

    def put(self, file: WrittenFile) -> None:
        """Take a file that is finished in `folder`."""
        local = f"{self.folder}/{file.name}"
        if self.corpus.is_local:
            _sync(local)
        else:
            self.corpus.fs.put_file(local, f"{self.final}/{file.name}")
            os.unlink(local)

    def put_text(self, name: str, text: bytes) -> WrittenFile:
        """Make and take a small file."""
        Path(self.folder, name).write_bytes(text)
        file = written_file(self.folder, name)
        self.put(file)
        return file

    def commit(self, files: Iterable[WrittenFile]) -> None:
        """Make it a release. files: all that were put. Raises InputError when some of them are gone."""
        files = list(files)
        if not self.corpus.is_local:
            _check_uploads(self, files)
        self.put_text(SUMS, sums_text(files))
        if self.corpus.is_local:
            _sync(self.folder)
            os.rename(self.folder, self.final)
            _sync(os.path.dirname(self.final))


def place_for(corpus: Corpus, name: str, workplace: str) -> Place:
    """A place for release `name`, to be made in a workplace."""
    folder = f"{workplace}/release"
    os.mkdir(folder)
    return Place(corpus, folder, corpus.path(FOLDER, name))


def releases(corpus: Corpus) -> list[str]:
    """Names of the complete releases of a corpus, sorted."""
    return sorted(name for name in _folders(corpus) if corpus.fs.exists(corpus.path(FOLDER, name, SUMS)))


@contextmanager
def workplace(corpus: Corpus) -> Iterator[str]:
    """A local folder for one export of a corpus; of a local corpus it lies beside the releases, so that a
    rename commits. When the export fails nothing half written stays behind.

    Raises InputError when another export is under way, or the disk takes no more."""
    with _alone(corpus), _whole(corpus):
        _sweep(corpus)
        if corpus.is_local:
            folder = corpus.path(FOLDER, f".tmp-{os.getpid()}")
            os.mkdir(folder)
            yield folder
            shutil.rmtree(folder)
        else:
            with tempfile.TemporaryDirectory(prefix="waon-build-") as folder:
                yield folder


@contextmanager
def _whole(corpus: Corpus) -> Iterator[None]:
    """Leave nothing half written, and say a full disk in one line."""
    try:
        yield
    except BaseException as error:
        with suppress(OSError):
            _sweep(corpus)
        if isinstance(error, OSError | duckdb.OperationalError):
            cause = (getattr(error, "strerror", None) or str(error)).partition("\n")[0]
            raise InputError(
                f"{corpus.path(FOLDER)}: the release could not be written ({cause}): "
                "make room, or mend the connection, and export again"
            ) from error
        raise


@contextmanager
def _alone(corpus: Corpus) -> Iterator[None]:
    """Hold the releases of a local corpus for one export. (An object store has no lock to hold.)"""
    if not corpus.is_local:
        yield
        return
    try:
        os.makedirs(corpus.path(FOLDER), exist_ok=True)
        held = os.open(corpus.path(FOLDER), os.O_RDONLY)
    except OSError as error:
        raise InputError(f"{corpus.path(FOLDER)}: cannot be written ({error.strerror}): allow it") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise InputError(f"{corpus.path(FOLDER)}: another export is under way: wait for it") from error
    finally:
        os.close(held)


def _check_uploads(place: Place, files: list[WrittenFile]) -> None:
    """The last look before the commit: another export may have swept what it took for left over."""
    entries = place.corpus.fs.ls(place.final, detail=True, refresh=True)
    found = {entry["name"].rsplit("/", 1)[-1]: entry["size"] for entry in entries}
    if found != {file.name: file.size for file in files}:
        raise InputError(f"{place.final}: was changed by someone else during the export: export one at a time")


def _sweep(corpus: Corpus) -> None:
    """Remove what a killed export left."""
    if corpus.is_local:
        for left in Path(corpus.path(FOLDER)).glob(".tmp-*"):
            shutil.rmtree(left)
        return
    whole = releases(corpus)
    for name in _folders(corpus):
        if name not in whole:
            corpus.fs.rm(corpus.path(FOLDER, name), recursive=True)


def _folders(corpus: Corpus) -> list[str]:
    try:
        found = corpus.fs.ls(corpus.path(FOLDER), detail=False, refresh=True)
    except FileNotFoundError:
        return []
    names = (path.rstrip("/").rsplit("/", 1)[-1] for path in found)
    return [name for name in names if not name.startswith(".")]


def _sync(path: str) -> None:
    """Bring a file or folder to the disk itself."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
