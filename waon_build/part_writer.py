"""How a part is written: rows kept and dropped one by one, counted and sampled, and committed together."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from waon_build.records import Counts, InputError, Tally, digest16

if TYPE_CHECKING:
    import pyarrow as pa  # what reads no Parquet, as the server of annotators, does without its 30 MB

    from waon_build.corpus import Corpus, Part  # which hands out writers of its parts

ROW_GROUP = 10_000
SAMPLED_DROPS = 5
"""Dropped rows kept per reason and part, so that people can judge the filters too."""
_UNWRITABLE = (
    *map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)),
    "database or disk is full",
    "attempt to write a readonly database",
)
"""What errors say when nothing can be written: each library has exceptions of its own."""


class PartWriter:
    """Collects the rows, drops, files and counts of one part, and commits them together.

    Memory is bounded by one row group. `rows` is the tally's `Counts`: `keep` and `drop` fill it, so
    `read == kept + sum(dropped)` holds by construction and `commit()` checks it once more.
    """

    def __init__(self, corpus: Corpus, stage: str, part: Part, schema: pa.Schema, dropped: pa.Schema) -> None:
        import pyarrow as pa

        if not re.fullmatch(r"[A-Za-z0-9_-]+", part.name):
            raise ValueError(f"not a part name: {part.name!r}")
        self.corpus = corpus
        self.tally = Tally(stage, part.name, part.fingerprint, inputs=list(part.inputs))
        self.schema = schema
        self.dropped_schema = dropped.append(pa.field("reason", pa.string()))
        self._started = time.monotonic()
        self._pending: list[dict[str, Any]] = []
        self._samples: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        self._files: dict[str, str] = {}

    def __enter__(self) -> PartWriter:
        import pyarrow.parquet as pq

        with told_when_unwritable(self.corpus.url):
            self._scratch = self.corpus.scratch()
            self.folder = self._scratch.__enter__()
        self._rows = pq.ParquetWriter(f"{self.folder}/rows.parquet", self.schema, compression="zstd")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with told_when_unwritable(self.corpus.url):
            try:
                self._rows.close()
            finally:
                self._scratch.__exit__(kind, error, trace)
                if error is not None:
                    raise error

    @property
    def rows(self) -> Counts:
        return self.tally.rows

    def keep(self, row: Any) -> None:
        """Pass a row on. row: a record, or a dict with the schema's keys."""
        self.rows.keep()
        self.append(row)

    def append(self, row: Any) -> None:
        """Write a row without counting it, for a stage that counts something else than what it writes."""
        self._pending.append(_as_dict(row))
        if len(self._pending) >= ROW_GROUP:
            self._flush()

    def append_table(self, table: pa.Table) -> None:
        """Write many rows at once without counting them. table: has the schema's columns."""
        self._flush()
        self._rows.write_table(table.select(self.schema.names).cast(self.schema))

    def drop(self, row: Any, reason: str) -> None:
        """Drop a row for `reason`: counted exactly, and sampled."""
        self.rows.drop(reason)
        self.sample(row, reason)

    def sample(self, row: Any, reason: str) -> None:
        """Offer a dropped row to the sample without counting it, where a stage counts drops in bulk. Of each
        reason the few rows with the smallest digest are kept: a sample that does not depend on order or chance."""
        row = _as_dict(row)
        key = digest16(str(row.get("candidate_id") or row.get("pair_id") or row.get("url") or row))
        sample = self._samples.setdefault(str(reason), [])
        if len(sample) < SAMPLED_DROPS or key < sample[-1][0]:
            sample.append((key, row))
            sample.sort(key=lambda entry: entry[0])
            del sample[SAMPLED_DROPS:]

    def count(self, unit: str) -> Counts:
        """The counts of something rows are found in: `count("page").drop(reason)`."""
        return self.tally.units.setdefault(unit, Counts())

    def problem(self, text: str) -> None:
        """Note something that could not be read, without ending the part."""
        self.tally.problems.append(text)

    def open_file(self, role: str, suffix: str) -> IO[bytes]:
        """A further file of the part (role `images`, suffix `tar`), committed with it. Close it first."""
        name = f"{role}.{suffix}"
        self._files[role] = name
        return open(f"{self.folder}/{name}", "w+b")

    def commit(self) -> Tally:
        """Commit the part: data files first, then the tally in one atomic write."""
        if not self.rows.adds_up:
            raise AssertionError(f"{self.tally.stage}/{self.tally.part}: {self.rows} does not add up")
        self._flush()
        self._rows.close()
        self._write_samples()
        previous = self.corpus.tally(self.tally.stage, self.tally.part)
        self.tally.digest = _sha256(f"{self.folder}/rows.parquet")
        self._files = {"rows": "rows.parquet", **self._files}
        for role, name in self._files.items():
            local = f"{self.folder}/{name}"
            digest = self.tally.digest if role == "rows" else _sha256(local)
            suffix = name.split(".", 1)[1]
            final = f"{self.tally.part}.{role}-{digest[:12]}.{suffix}"
            self.tally.bytes += os.path.getsize(local)
            self.corpus.place(local, self.corpus.path(self.tally.stage, final))
            self.tally.files[role] = final
        self.tally.seconds = round(time.monotonic() - self._started, 3)
        self.corpus.put(
            self.corpus.path(self.tally.stage, f"{self.tally.part}.tally.json"),
            json.dumps(self.tally.to_json(), ensure_ascii=False, indent=1).encode(),
        )
        self._sweep(previous)
        return self.tally

    def _flush(self) -> None:
        if self._pending:
            import pyarrow as pa

            self._rows.write_table(pa.Table.from_pylist(self._pending, schema=self.schema))
            self._pending.clear()

    def _write_samples(self) -> None:
        rows = [{**row, "reason": reason} for reason, sample in sorted(self._samples.items()) for _, row in sample]
        if rows:
            import pyarrow as pa
            import pyarrow.parquet as pq

            table = pa.Table.from_pylist(rows, schema=self.dropped_schema)
            pq.write_table(table, f"{self.folder}/dropped.parquet", compression="zstd")
            self._files["dropped"] = "dropped.parquet"

    def _sweep(self, previous: Tally | None) -> None:
        """Remove what the tally before this one named, and what a killed run of this part left."""
        keep = set(self.tally.files.values())
        folder = self.corpus.path(self.tally.stage)
        left = set(previous.files.values()) if previous else set()
        if self.corpus.is_local:
            left |= {path.name for path in Path(folder).glob(f"{self.tally.part}.*-*.*")}
        for name in left - keep:
            self.corpus.discard(f"{folder}/{name}")


@contextmanager
def told_when_unwritable(url: str) -> Iterator[None]:
    """A disk that is full, or that takes nothing any more, becomes one line, whoever noticed it: Python, Arrow,
    DuckDB or SQLite. What is not committed is made again by the next run."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        problem = next((sign for sign in _UNWRITABLE if sign in str(error)), "")
        if not problem:
            raise
        raise InputError(
            f"{url}: cannot be written ({problem}): make room or allow it, and run again; what is committed stays"
        ) from error


def _as_dict(row: Any) -> dict[str, Any]:
    if is_dataclass(row) and not isinstance(row, type):
        record = {name: getattr(row, name) for name in row.__dataclass_fields__}
    else:
        record = dict(row)
    rights = record.get("rights")
    if rights and not isinstance(rights[0], dict):
        record["rights"] = [evidence._asdict() for evidence in rights]
    return record


def _sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
