"""The export: accepted pairs to a release of WebDataset shards, with all that is needed to check it.

A release is complete or not there. On a local disk it is written aside and renamed; in an object store
its `SHA256SUMS` is written last, and a folder without one is no release. Its name follows from its
content, so that exporting the same again changes nothing. Nothing here asks the annotation database:
what natives accepted is handed in.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import duckdb

from waon_build.corpus import Corpus
from waon_build.export.card import FILE as CARD
from waon_build.export.card import card
from waon_build.export.croissant import FILE as CROISSANT
from waon_build.export.croissant import croissant
from waon_build.export.facts import FILE as RELEASE
from waon_build.export.facts import Facts, Provenance, release_json
from waon_build.export.index import SIZES, SUMS, sizes_json, sums_text, wids_json, wids_name
from waon_build.export.selection import Accepted, Selection, select
from waon_build.export.shards import WrittenFile, write_shard, written_file
from waon_build.export.withdrawn import FILE as TOMBSTONES
from waon_build.export.withdrawn import to_jsonl
from waon_build.export.workers import each
from waon_build.recipe import Recipe
from waon_build.records import Counts, InputError
from waon_build.rights.tombstones import Tombstones

__all__ = ["Accepted", "Provenance", "Release", "export", "releases"]

VERSION = 1
"""Of the release's layout: raise it, and the same pairs make a release of another name."""
FOLDER = "releases"


class Release(NamedTuple):
    """A release. url: of its folder. samples: split -> samples. accepted: what became of the accepted
    pairs. is_new: whether this export wrote it, or found it already there."""

    name: str
    url: str
    samples: dict[str, int]
    shards: int
    accepted: Counts
    is_new: bool


def export(
    recipe: Recipe,
    corpus: Corpus,
    accepted: Iterable[Accepted],
    name: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    provenance: Provenance | None = None,
) -> Release:
    """Write the accepted pairs that are still kept as `CORPUS/releases/NAME`.

    name: by default `r` and the first digits of a digest over all that the release says and shows.
    progress: called with samples done and samples in all.
    Raises InputError when nothing is left to release, `name` is another release, the disk is full, or
    another export of this corpus is under way.
    """
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise InputError(f"release name {name!r}: give one of letters, digits, dots, - and _")
    tombstones = Tombstones.load(corpus)
    with _alone(corpus), _whole(corpus), _workplace(corpus) as folder:
        selection = select(recipe, corpus, accepted, tombstones, folder)
        facts = _named(_facts(recipe, provenance or Provenance(), selection, tombstones), selection, name, tombstones)
        release = Release(
            facts.name,
            f"{corpus.url}/{FOLDER}/{facts.name}",
            facts.samples,
            len(facts.shards),
            facts.accepted,
            is_new=not _is_there(corpus, facts),
        )
        if release.is_new:
            with _placed(corpus, facts.name, folder) as place:
                _write(corpus, selection.rows, facts, to_jsonl(tombstones.stones), place, progress)
    return release


def releases(corpus: Corpus) -> list[str]:
    """Names of the complete releases of a corpus, sorted."""
    return sorted(name for name in _folders(corpus) if corpus.fs.exists(corpus.path(FOLDER, name, SUMS)))


def _facts(recipe: Recipe, provenance: Provenance, selection: Selection, tombstones: Tombstones) -> Facts:
    return Facts(recipe, provenance, selection.format, selection.shards, selection.counts, len(tombstones.stones))


def _named(facts: Facts, selection: Selection, name: str | None, tombstones: Tombstones) -> Facts:
    """`facts` with the digest of all that the release will say and show, and the name that follows."""
    said = (release_json(facts), card(facts), croissant(facts), to_jsonl(tombstones.stones))
    state = hashlib.sha256(f"{VERSION} {selection.digest} {facts.shards}".encode())
    for text in said:
        state.update(hashlib.sha256(text).digest())
    content = state.hexdigest()
    return facts._replace(name=name or f"r{content[:12]}", content=content)


def _is_there(corpus: Corpus, facts: Facts) -> bool:
    """Whether this very release is there. Raises InputError when its name is taken by another."""
    path = corpus.path(FOLDER, facts.name)
    if not corpus.fs.exists(path):
        return False
    try:
        content = json.loads(corpus.fs.cat_file(f"{path}/{RELEASE}"))["content"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        content = None
    if content != facts.content or not corpus.fs.exists(f"{path}/{SUMS}"):
        raise InputError(f"{path}: is there already, with other content: give another name, or none")
    return True


class _Place(NamedTuple):
    """Where a release is being written. folder: a local one. put: takes a file that is finished there."""

    folder: str
    put: Callable[[WrittenFile], None]


def _write(
    corpus: Corpus,
    rows_file: str,
    facts: Facts,
    tombstones: bytes,
    place: _Place,
    progress: Callable[[int, int], None] | None,
) -> None:
    files: list[WrittenFile] = []
    done, total = 0, sum(facts.samples.values())
    write = partial(write_shard, corpus, rows_file, place.folder)
    written = each(write, facts.shards, corpus.fs, total, facts.recipe.runtime.workers)
    for shard, made in zip(facts.shards, written, strict=True):
        for file in made:
            place.put(file)
        files += made
        done += shard.samples
        if progress:
            progress(done, total)
    for name, text in _beside(facts._replace(files=tuple(files)), tombstones).items():
        files.append(_text_file(place, name, text))
    _text_file(place, SUMS, sums_text(files))


def _beside(facts: Facts, tombstones: bytes) -> dict[str, bytes]:
    """The files beside the shards, by name, all but the last one."""
    corpus, tars = facts.recipe.name, {file.name: file for file in facts.files}
    return {
        SIZES: sizes_json(facts.shards),
        **{wids_name(corpus, split): wids_json(corpus, split, facts.shards, tars) for split in facts.samples},
        TOMBSTONES: tombstones,
        RELEASE: release_json(facts),
        CARD: card(facts),
        CROISSANT: croissant(facts),
    }


def _text_file(place: _Place, name: str, text: bytes) -> WrittenFile:
    Path(place.folder, name).write_bytes(text)
    file = written_file(place.folder, name)
    place.put(file)
    return file


@contextmanager
def _workplace(corpus: Corpus) -> Iterator[str]:
    """A local folder for what is under way. Of a local corpus it lies beside the releases, so that a
    rename commits, and so that the next export finds what a killed one left."""
    _sweep(corpus)
    if not corpus.is_local:
        with tempfile.TemporaryDirectory(prefix="waon-build-") as folder:
            yield folder
        return
    folder = corpus.path(FOLDER, f".tmp-{os.getpid()}")
    os.mkdir(folder)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def _placed(corpus: Corpus, name: str, workplace: str) -> Iterator[_Place]:
    """A local folder to write a release in, and its commit."""
    folder, final = f"{workplace}/release", corpus.path(FOLDER, name)
    os.mkdir(folder)
    if not corpus.is_local:
        sizes: dict[str, int] = {}

        def upload(file: WrittenFile) -> None:
            if file.name == SUMS:
                _check_uploads(corpus, final, sizes)
            corpus.fs.put_file(f"{folder}/{file.name}", f"{final}/{file.name}")
            os.unlink(f"{folder}/{file.name}")
            sizes[file.name] = file.size

        yield _Place(folder, upload)
        return

    yield _Place(folder, lambda file: _sync(f"{folder}/{file.name}"))
    _sync(folder)
    os.rename(folder, final)
    _sync(corpus.path(FOLDER))


def _check_uploads(corpus: Corpus, folder: str, sizes: dict[str, int]) -> None:
    """The last look before the commit: another export may have swept what it took for left over."""
    found = {entry["name"].rsplit("/", 1)[-1]: entry["size"] for entry in corpus.fs.ls(folder, detail=True)}
    if found != sizes:
        raise InputError(f"{folder}: was changed by someone else during the export: export one at a time")


@contextmanager
def _whole(corpus: Corpus) -> Iterator[None]:
    """Leave nothing half written, and say a full disk in one line."""
    try:
        yield
    except BaseException as error:
        with suppress(OSError):
            _sweep(corpus)
        if isinstance(error, OSError | duckdb.IOException):
            raise InputError(
                f"{corpus.path(FOLDER)}: cannot be written ({_cause(error)}): "
                "make room there or allow it, and export again"
            ) from error
        raise


def _cause(error: OSError | duckdb.IOException) -> str:
    return (getattr(error, "strerror", None) or str(error)).partition("\n")[0]


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
    except BlockingIOError as error:
        os.close(held)
        raise InputError(f"{corpus.path(FOLDER)}: another export is under way: wait for it") from error
    try:
        yield
    finally:
        os.close(held)


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
