"""Whether a release keeps its promises: every file is read again, every sample decoded, every count redone.

Works on a folder or any fsspec address, and needs nothing but the release. What is wrong is listed in
a report, all of it, with file and key; only a place that holds no release at all is an error.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import duckdb
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from waon_build.corpus import Corpus
from waon_build.export.card import FILE as CARD
from waon_build.export.croissant import FILE as CROISSANT
from waon_build.export.facts import FILE as RELEASE
from waon_build.export.index import SUMS, read_sums
from waon_build.export.release_check import (
    Order,
    card_problems,
    croissant_problems,
    figure_problems,
    file_problems,
    index_problems,
    read_facts,
)
from waon_build.export.sample import IMAGE_SUFFIXES, SAMPLE
from waon_build.export.selection import Shard
from waon_build.export.shard_check import Failure, ShardWork, check_shard, unreadable
from waon_build.export.withdrawn import FILE as TOMBSTONES
from waon_build.export.withdrawn import Withdrawn
from waon_build.export.workers import each
from waon_build.records import InputError, in_a_line
from waon_build.rights.tombstones import Tombstones

SECONDS_A_SAMPLE = 0.006
"""That checking one takes (measured, pictures of 683 x 512 pixels)."""

_TAR = re.compile(r"(.+)-([a-z][a-z0-9_]*)-([0-9]{6,})\.tar")


@dataclass
class Report:
    """What a release was found to be. samples, shards: as read."""

    url: str
    samples: int = 0
    shards: int = 0
    failures: list[Failure] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        failures = [failure._asdict() for failure in self.failures]
        return {"url": self.url, "ok": self.ok, "samples": self.samples, "shards": self.shards, "failures": failures}


@dataclass
class _Folder:
    """The files of a release. sizes: by name. digests: of those read so far, "" where one could not be."""

    fs: Any
    root: str
    sizes: dict[str, int]
    digests: dict[str, str] = field(default_factory=dict)

    def read(self, name: str) -> bytes:
        """A small file, or b"" where there is none that can be read (which the sums are for to say)."""
        if name not in self.sizes:
            return b""
        try:
            data: bytes = self.fs.cat_file(f"{self.root}/{name}")
        except OSError:
            return b""
        self.digests[name] = hashlib.sha256(data).hexdigest()
        return data


def verify(
    release: str,
    corpus: Corpus | None = None,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
    **storage_options: Any,
) -> Report:
    """Re-read a release. release: its folder or address. corpus: where it was made: its tombstones of
    today may not cover a sample either. progress: called with samples done and samples in all.
    workers: processes; by default one a core. Raises InputError when there is nothing at `release`."""
    folder = _open(release, storage_options)
    report = Report(release)
    facts: dict[str, Any] = {"corpus": "", "samples": {}}
    try:
        facts = read_facts(folder.read(RELEASE))
    except ValueError as error:
        report.failures.append(Failure(RELEASE, "", str(error)))
    shards, problems = _shards(folder, facts)
    report.failures += problems
    withdrawn = _withdrawn(folder, corpus, report)
    form = facts.get("format")
    if form not in IMAGE_SUFFIXES:
        report.failures.append(Failure(RELEASE, "", f"names no format of images that a release has: {form!r}"))
        form = IMAGE_SUFFIXES[0]
    work = [ShardWork(folder.fs, folder.root, shard.name, shard.split, form, withdrawn) for shard in shards]
    total = sum(facts["samples"].values())
    for index, found in enumerate(each(check_shard, work, folder.fs, total * SECONDS_A_SAMPLE, workers)):
        shards[index] = shards[index]._replace(samples=found.samples)
        report.samples += found.samples
        report.failures += found.failures
        folder.digests |= found.digests
        if progress:
            progress(report.samples, max(total, report.samples))
    report.shards = len(shards)
    if facts["corpus"]:
        report.failures += _statement_problems(folder, facts, shards)
    report.failures += _sum_problems(folder)
    report.failures = [Failure(*map(_printable, failure)) for failure in report.failures]
    return report


def _printable(text: str) -> str:
    """What a damaged release says may hold halves of characters, which no terminal takes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _open(release: str, storage_options: dict[str, Any]) -> _Folder:
    if not release.strip():
        raise InputError("there is no release at an empty address: give the folder that holds SHA256SUMS")
    try:
        fs, root = fsspec.core.url_to_fs(release.rstrip("/"), **storage_options)
        root = root.rstrip("/")
        fs.invalidate_cache()
        found = fs.find(root, detail=True)
    except FileNotFoundError:
        found = {}
    except (OSError, ValueError, ImportError) as error:
        problem = in_a_line(error)
        raise InputError(f"{release}: cannot be read ({problem}): give the folder or address of a release") from error
    sizes = {path[len(root) + 1 :]: entry["size"] for path, entry in found.items() if path != root}
    if not sizes:
        raise InputError(f"{release}: there is no release here: give the folder that holds {SUMS}")
    return _Folder(fs, root, dict(sorted(sizes.items())))


def _shards(folder: _Folder, facts: dict[str, Any]) -> tuple[list[Shard], list[Failure]]:
    """The shards that are there, in order, samples not yet counted; and which are not there."""
    order = list(facts["samples"])
    found: list[tuple[int, str, int, str]] = []
    failures = []
    for name in folder.sizes:
        match = _TAR.fullmatch(name)
        if match and match[1] == facts["corpus"] and match[2] in order:
            found.append((order.index(match[2]), match[2], int(match[3]), name.removesuffix(".tar")))
        elif name.endswith(".tar"):
            failures.append(Failure(name, "", f"is no shard that {RELEASE} knows"))
    found.sort()
    for split in order:
        numbers = [number for _, of, number, _ in found if of == split]
        if numbers != list(range(len(numbers))):
            failures.append(Failure(f"{facts['corpus']}-{split}-*.tar", "", "a shard is missing"))
    shards = [Shard(name, split, 0, index) for index, (_, split, _, name) in enumerate(found)]
    if len(shards) != facts.get("shards"):
        failures.append(Failure(RELEASE, "", f"counts {facts.get('shards')} shards, and {len(shards)} are here"))
    return shards, failures


def _withdrawn(
    folder: _Folder, corpus: Corpus | None, report: Report
) -> tuple[tuple[str, Withdrawn | Tombstones], ...]:
    lists: list[tuple[str, Withdrawn | Tombstones]] = []
    if TOMBSTONES not in folder.sizes:
        report.failures.append(Failure(TOMBSTONES, "", "is missing: nobody could tell what was withdrawn"))
    try:
        lists.append((TOMBSTONES, Withdrawn(folder.read(TOMBSTONES))))
    except (ValueError, KeyError, TypeError, RecursionError, InputError):
        report.failures.append(Failure(TOMBSTONES, "", "is damaged"))
    if corpus is not None:
        lists.append(("the corpus's tombstones of today", Tombstones.load(corpus)))
    return tuple(lists)


def _statement_problems(folder: _Folder, facts: dict[str, Any], shards: list[Shard]) -> Iterator[Failure]:
    """Whether what is said of the release as a whole is so."""
    yield from file_problems(folder.sizes, facts, shards)
    yield from index_problems(folder.read, folder.sizes, facts, shards)
    yield from figure_problems(facts, sum(shard.samples for shard in shards), folder.read(TOMBSTONES).count(b"\n"))
    yield from card_problems(folder.read(CARD), facts)
    names = [f"{shard.name}{suffix}" for shard in shards for suffix in (".tar", ".parquet")]
    files = {name: (folder.digests.get(name, ""), folder.sizes.get(name, 0)) for name in names}
    yield from croissant_problems(folder.read(CROISSANT), facts["name"], files)
    yield from _split_problems(folder, shards, Order(facts["seed"]))


def _split_problems(folder: _Folder, shards: list[Shard], order: Order) -> Iterator[Failure]:
    """Whether samples stand in another order, a pair is here twice, or a picture in two splits."""
    with tempfile.TemporaryDirectory(prefix="waon-build-") as spill, duckdb.connect() as database:
        database.execute("SET temp_directory = ?", [spill])
        database.execute("CREATE TABLE row (shard TEXT, split TEXT, pair_id TEXT, cluster_id TEXT, sha256 TEXT)")
        for shard, table in _columns(folder, shards):
            yield from order.problems(f"{shard.name}.tar", shard.split, table["pair_id"])
            database.register("batch", table)
            with suppress(duckdb.Error):  # text that is not UTF-8: said already, where the shard was checked
                database.execute("INSERT INTO row BY NAME FROM batch")
        twice = "SELECT min(shard), pair_id FROM row GROUP BY pair_id HAVING count(*) > 1 ORDER BY ALL"
        for tar, key in database.execute(twice).fetchall():
            yield Failure(tar, key, "is here more than once")
        for column, what in (("cluster_id", "its cluster"), ("sha256", "its picture")):
            torn = f"""
                SELECT min(shard), min(pair_id), string_agg(DISTINCT split, ' and ' ORDER BY split)
                FROM row GROUP BY {column} HAVING count(DISTINCT split) > 1 ORDER BY ALL
            """  # noqa: S608
            for tar, key, splits in database.execute(torn).fetchall():
                yield Failure(tar, key, f"{what} is in {splits}")


def _columns(folder: _Folder, shards: Iterable[Shard]) -> Iterator[tuple[Shard, pa.Table]]:
    for shard in shards:
        try:
            with folder.fs.open(f"{folder.root}/{shard.name}.parquet", "rb") as file:
                parquet = pq.ParquetFile(file)
                if parquet.schema_arrow.equals(SAMPLE):
                    yield shard, parquet.read(["shard", "split", "pair_id", "cluster_id", "sha256"])
        except (pa.ArrowException, OSError, ValueError):
            continue  # said already, where the shard was checked


def _sum_problems(folder: _Folder) -> Iterator[Failure]:
    """Whether SHA256SUMS and the files agree, both ways."""
    try:
        sums = read_sums(folder.read(SUMS))
    except ValueError as error:
        yield Failure(SUMS, "", str(error))
        return
    if not sums:
        yield Failure(SUMS, "", "is missing: the release was never finished")
        return
    there = folder.sizes.keys() - {SUMS}
    for name in sorted(sums.keys() - there):
        yield Failure(name, "", f"is in {SUMS}, and missing")
    for name in sorted(there - sums.keys()):
        yield Failure(name, "", f"is not in {SUMS}")
    for name in sorted(there & sums.keys()):
        if name not in folder.digests:
            try:
                folder.digests[name] = _digest(folder, name)
            except OSError as error:
                yield unreadable(name, error)
                continue
        if folder.digests[name] not in (sums[name], ""):
            yield Failure(name, "", f"was changed: its sha256 is not that in {SUMS}")


def _digest(folder: _Folder, name: str) -> str:
    state = hashlib.sha256()
    with folder.fs.open(f"{folder.root}/{name}", "rb") as file:
        while data := file.read(1 << 20):
            state.update(data)
    return state.hexdigest()
