"""Where a corpus lives, and the stage contract: parts, tallies, atomic commits, resume.

A corpus is one folder or object-store prefix (anything fsspec opens). Each stage has a folder; each
part in it is described by `PART.tally.json`, whose single atomic write commits the part. The data
files a tally names carry its digest in their names, so that a re-run never touches what a reader
sees: a killed run leaves files that no tally names, and the next run sweeps them up.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import fsspec

from waon_build import lock
from waon_build.orphans import sweep
from waon_build.part_writer import ROW_GROUP, PartWriter, told_when_unwritable
from waon_build.records import InputError, Tally, digest16, in_a_line

if TYPE_CHECKING:  # what reads no Parquet, as the server of annotators, does without Arrow's 30 MB
    import pyarrow as pa

_TALLY = ".tally.json"


class Part(NamedTuple):
    """One unit of work of a stage. name: letters, digits, `-` and `_` (see `part_name()`). source: what
    it is made from (a path, a URL, the name of the part before). fingerprint: see `fingerprint()`.
    inputs: names of the parts it reads, when they are many (kept in the tally)."""

    name: str
    source: str
    fingerprint: str
    inputs: tuple[str, ...] = ()


def part_name(source: str) -> str:
    """The name of the part made from `source`, a path or URL: its last piece, readable, and a digest, so
    that two files of one name in two folders are two parts."""
    stem = source.rstrip("/").rsplit("/", 1)[-1].split(".warc")[0].split(".parquet")[0]
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '-', stem).strip('-')[:80]}-{digest16(source)}"


class Stage(Protocol):
    """A stage reads one part and writes one part. Plain objects: whoever runs them brings the scheduler.

    `kind` says what a part of it waits for: `cpu` (run it in a process), `network` (run it in a
    thread), `global` (reads all parts; one at a time).
    """

    name: str
    kind: str

    def inputs(self, corpus: Corpus) -> list[Part]:
        """The parts this stage should have, given what the stages before it committed."""

    def run(self, corpus: Corpus, part: Part) -> Tally:
        """Make and commit one part."""


@runtime_checkable
class AsksHosts(Protocol):
    """A `network` stage that says whom a part asks. Where parts run in several processes, each keeps its own
    account of a host, so two parts that ask one host never run at once; of a stage that does not say, no
    two parts do."""

    def hosts(self, corpus: Corpus, part: Part) -> Collection[str]:
        """The hosts that a part asks, redirects aside."""


def fingerprint(stage: str, version: int, settings: Any, inputs: Iterable[str]) -> str:
    """16 hex digits over what a part is made from. settings: whatever of the recipe shapes its bytes
    (plain data); inputs: digests of what is read."""
    return digest16(stage, str(version), json.dumps(settings, sort_keys=True, default=str), *inputs)


class CorpusHeldError(InputError):
    """Another run holds the corpus."""


class Corpus:
    """Everything built from one recipe. `url`: a path or any fsspec address."""

    def __init__(self, url: str, **storage_options: Any) -> None:
        self.url = url.rstrip("/")
        # What another process commits must be seen: a listing that is kept says that it is not there.
        options = {"use_listings_cache": False, **storage_options}
        try:
            self.fs, self.root = fsspec.core.url_to_fs(self.url, **options)
        except (ValueError, ImportError) as error:
            raise InputError(
                f"{self.url}: cannot be opened ({in_a_line(error)}): set `corpus` to a folder, or install what its "
                "protocol needs (for s3://: pip install 'waon_build[s3]')"
            ) from error
        self.root = self.root.rstrip("/")
        self._read_before: dict[tuple[str, str], bytes] = {}
        """Tallies of an object store, by path and tag: a run asks for each several times."""

    @property
    def is_local(self) -> bool:
        return "file" in (self.fs.protocol if isinstance(self.fs.protocol, tuple) else (self.fs.protocol,))

    def path(self, *names: str) -> str:
        """The path of something in the corpus, for `self.fs`."""
        return "/".join((self.root, *names))

    def create(self) -> None:
        """Make sure that the corpus can be written. Raises InputError when it cannot."""
        probe = self.path(f".writable-{os.getpid()}-{time.monotonic_ns()}")
        try:
            if self.is_local:  # elsewhere it would make a bucket out of a misspelt name
                self.fs.makedirs(self.root, exist_ok=True)
            self.fs.pipe_file(probe, b"")
            self.fs.rm_file(probe)
        except Exception as error:  # every store has its own
            raise InputError(
                f"{self.url}: the corpus cannot be written ({in_a_line(error)}): "
                "set `corpus` in the recipe to a place you can write to"
            ) from error

    # --- reading

    def parts(self, stage: str) -> list[str]:
        """Names of the committed parts of a stage, sorted."""
        return _parts_among(self._listed(stage))

    def tally(self, stage: str, part: str) -> Tally | None:
        """The tally of a committed part, or None when there is no such part. Raises InputError when it is damaged."""
        [tally] = self._tallies(stage, [part], {})
        return tally

    def tallies(self, stage: str) -> list[Tally]:
        """The tallies of all committed parts of a stage, by part name. One listing, and reads that an object store
        answers many at a time: stages ask for all tallies at once, never for one after the other."""
        listed = self._listed(stage)
        return [tally for tally in self._tallies(stage, _parts_among(listed), listed) if tally is not None]

    def is_current(self, stage: str, part: Part) -> bool:
        """Whether a part is there as it should be, its files included. Of many parts, see `pending`."""
        tally = self.tally(stage, part.name)
        if tally is None or tally.fingerprint != part.fingerprint:
            return False
        return all(self.fs.exists(self.path(stage, name)) for name in tally.files.values())

    def pending(self, stage: str, parts: Sequence[Part]) -> list[Part]:
        """Those of `parts` that are not there as they should be: never made, made from something else, or with a
        file that is gone."""
        listed = self._listed(stage)
        present = sorted(set(_parts_among(listed)) & {part.name for part in parts})
        there = {tally.part: tally for tally in self._tallies(stage, present, listed) if tally is not None}
        return [
            part
            for part in parts
            if (tally := there.get(part.name)) is None
            or tally.fingerprint != part.fingerprint
            or not listed.keys() >= set(tally.files.values())
        ]

    def _listed(self, stage: str) -> dict[str, str]:
        """Names of all files of a stage, each with the tag of its content, "" where the store gives none."""
        try:
            found = self.fs.ls(self.path(stage), detail=not self.is_local, refresh=True)
        except FileNotFoundError:
            return {}
        if self.is_local:
            return {path.rsplit("/", 1)[-1]: "" for path in found}
        return {info["name"].rsplit("/", 1)[-1]: str(info.get("ETag", "")) for info in found}

    def _tallies(self, stage: str, parts: Sequence[str], tags: Mapping[str, str]) -> list[Tally | None]:
        """The tally of each of `parts`, None for one that is not there. What was read before is not read again while
        it has the same tag."""
        names = [f"{part}{_TALLY}" for part in parts]
        keys = {name: (self.path(stage, name), tags.get(name, "")) for name in names}
        wanted = [keys[name][0] for name in names if keys[name] not in self._read_before]
        found = dict(zip(wanted, self.fs.cat_ranges(wanted, None, None) if wanted else (), strict=True))
        tallies = []
        for path, tag in keys.values():
            data = found[path] if path in found else self._read_before[path, tag]
            tallies.append(_read_tally(path, data))
            if tag and isinstance(data, bytes):
                self._read_before[path, tag] = data
        return tallies

    def file(self, stage: str, part: str, role: str = "rows") -> str | None:
        """The path of one file of a committed part (role: `rows`, `dropped`, `images`, `pages`), or None."""
        tally = self.tally(stage, part)
        name = tally.files.get(role) if tally else None
        return self.path(stage, name) if name else None

    def read(
        self, stage: str, part: str, columns: list[str] | None = None, role: str = "rows", filters: Any = None
    ) -> pa.Table:
        """The rows of one committed part; filters: pyarrow's, pushed down to row groups.
        Raises InputError when the part is missing or unreadable."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path, file = self._open(stage, part, role)
        try:
            with file:
                return pq.read_table(file, columns=columns, filters=filters)
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(path, part, error) from error

    def batches(self, stage: str, part: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows of one committed part, at most ROW_GROUP at a time: what a part holds need not fit in memory.
        Raises InputError as `read` does."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path, file = self._open(stage, part)
        try:
            with file:
                yield from pq.ParquetFile(file).iter_batches(ROW_GROUP, columns=columns)
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(path, part, error) from error

    def _open(self, stage: str, part: str, role: str = "rows") -> tuple[str, IO[bytes]]:
        """The path of one file of a committed part, and the file, opened. A part that is made anew between its tally
        and its file is looked up again. Raises InputError when the part is missing, or its file is."""
        path = None
        while True:
            before, path = path, self.file(stage, part, role)
            if path is None:
                raise _no_such_part(self.path(stage, part))
            try:
                return path, self.fs.open(path, "rb")
            except OSError as error:
                if path == before or not isinstance(error, FileNotFoundError):
                    raise _unreadable(path, part, error) from error

    def image_bytes(self, stored_in: str, offset: int, size: int) -> bytes:
        """The stored bytes of one image, by the `stored_in`, `offset` and `size` of its row."""
        path = self.file("fetch", stored_in, "images")
        if path is None:
            raise InputError(f"{self.path('fetch', stored_in)}: its images are gone: run the fetch stage again")
        return bytes(self.fs.cat_file(path, start=offset, end=offset + size))

    # --- writing

    def write(self, stage: str, part: Part, schema: pa.Schema, dropped: pa.Schema | None = None) -> PartWriter:
        """A writer for one part; use it as a context manager and call `commit()` at its end.
        schema: of the rows passed on. dropped: of the rows dropped, when they are of another kind."""
        return PartWriter(self, stage, part, schema, dropped or schema)

    def put(self, path: str, data: bytes) -> None:
        """Write one small file so that readers see all of it or nothing. Raises InputError when it cannot be."""
        if self.is_local:
            with told_when_unwritable(self.url):
                self._put_beside(Path(path), data)
            return
        with self._allowed(path):
            self.fs.pipe_file(path, data)

    def _put_beside(self, target: Path, data: bytes) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{target.name}.{os.getpid()}-{time.monotonic_ns()}.tmp")
        try:
            with aside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)

    def remove_part(self, stage: str, part: str) -> None:
        """Take a part back: its tally first, then its files."""
        tally = self.tally(stage, part)
        if tally is None:
            return
        self.fs.rm_file(self.path(stage, f"{part}.tally.json"))
        for name in tally.files.values():
            self.discard(self.path(stage, name))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the corpus for one run: two at once would sweep each other's files. Also clears what killed
        runs left half written. On an object store see `waon_build.lock` for what the lock cannot promise.
        Raises CorpusHeldError when another run holds it, InputError when one took it over meanwhile."""
        if not self.is_local:
            try:
                with lock.held(self.fs, self.path(".lock")) as was_left:
                    if was_left:
                        sweep(self.fs, self.root, self._named, lock.HELD_FOR)
                    yield
            except lock.Held as error:
                raise CorpusHeldError(f"{self.url}: {_another_run(error.holder)}") from error
            except lock.Lost as error:
                raise InputError(
                    f"{self.url}: another run took the corpus while this one stood still: run again when it has ended"
                ) from error
            return
        path = self.path(".lock")
        with open(path, "ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise CorpusHeldError(f"{self.url}: {_another_run()}") from error
            for folder in Path(self.path(".scratch")).glob("*-*"):
                if not _is_running(folder.name.partition("-")[0]):
                    shutil.rmtree(folder, ignore_errors=True)
            for left in Path(self.root).glob("*/.*.tmp"):  # those of `put`: a report can be written meanwhile
                if not _is_running(left.name.split(".")[-2].partition("-")[0]):
                    left.unlink(missing_ok=True)
            yield

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Wait for one's turn to change a small file that is read, changed and written back. Raises InputError when
        it does not come, or the corpus cannot be written."""
        if not self.is_local:
            with self._turn_at_store(name):
                yield
            return
        try:
            os.makedirs(self.root, exist_ok=True)
            file = open(self.path(f".{name}.lock"), "ab")  # noqa: SIM115 - closed below
        except OSError as error:
            raise InputError(f"{self.path(name)}: cannot be written ({error.strerror}): allow it") from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _turn_at_store(self, name: str) -> Iterator[None]:
        deadline = time.monotonic() + lock.HELD_FOR
        try:
            with ExitStack() as stack:
                while True:
                    try:
                        stack.enter_context(lock.held(self.fs, self.path(f".{name}.lock")))
                        break
                    except lock.Held as error:
                        if time.monotonic() > deadline:
                            raise InputError(f"{self.path(name)}: {error.holder} is changing it: try again") from error
                        time.sleep(0.2)
                yield
        except lock.Lost as error:
            raise InputError(
                f"{self.path(name)}: somebody else changed it meanwhile: look at it, and try again"
            ) from error

    def scratch(self) -> AbstractContextManager[str]:
        """A folder for files being written; beside the corpus when it is local, so that a rename commits."""
        if not self.is_local:
            return tempfile.TemporaryDirectory(prefix="waon-build-")
        folder = Path(self.path(".scratch"))
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=f"{os.getpid()}-", dir=folder)

    def place(self, local: str, path: str) -> None:
        """Move a finished local file to its place in the corpus."""
        if self.is_local:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            with open(local, "rb") as file:
                os.fsync(file.fileno())
            shutil.move(local, path)
        else:
            with self._allowed(path):
                self.fs.put_file(local, path)

    @contextmanager
    def _allowed(self, path: str) -> Iterator[None]:
        """What is refused for good is not tried again."""
        try:
            yield
        except PermissionError as error:
            raise InputError(f"{self.url}: {path} cannot be written ({in_a_line(error)}): allow it") from error

    def _named(self, stage: str, part: str) -> set[str]:
        tally = self.tally(stage, part)
        return set(tally.files.values()) if tally else set()

    def discard(self, path: str) -> None:
        """Remove a file, if it is there."""
        with suppress(FileNotFoundError):
            self.fs.rm_file(path)


def _another_run(holder: str = "") -> str:
    return f"another run is under way{f' ({holder})' if holder else ''}: wait for its end, or end it"


def _parts_among(names: Iterable[str]) -> list[str]:
    return sorted(name.removesuffix(_TALLY) for name in names if name.endswith(_TALLY))


def _read_tally(path: str, data: bytes | Exception) -> Tally | None:
    if isinstance(data, FileNotFoundError):
        return None
    if isinstance(data, Exception):
        raise data
    try:
        tally = Tally.from_json(json.loads(data))
        if not tally.rows.adds_up or not isinstance(tally.files, dict):
            raise ValueError("it does not add up")
        return tally
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: is damaged: delete it and run again to redo this part") from error


def _no_such_part(path: str) -> InputError:
    return InputError(f"{path}: there is no such part: run the stages before it first")


def _unreadable(path: str, part: str, error: Exception) -> InputError:
    return InputError(f"{path}: cannot be read ({in_a_line(error)}): delete {part}.tally.json beside it and run again")


def _is_running(pid: str) -> bool:
    return pid.isdecimal() and lock.is_running(int(pid))
