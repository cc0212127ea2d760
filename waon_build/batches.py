"""How the rooms of one floor read what the plan decided: batches, their candidates, their images.

The plan (stage `plan`) puts every candidate into a batch; the fetch and image stages each make one
part a batch, and neither imports the other. Nothing here writes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from waon_build.corpus import Corpus
from waon_build.records import CANDIDATE, IMAGE, InputError

PLANNED = pa.schema([*CANDIDATE, ("batch", pa.string()), ("image_part", pa.string())])
"""A candidate with the batch it is in, and the batch whose fetch part holds its image's row:
another one when its URL was planned in an earlier generation (it is not fetched again)."""

BATCHES = pa.schema(
    [
        ("batch", pa.string()),
        ("candidates", pa.int64()),
        ("urls", pa.int64()),
        ("image_parts", pa.list_(pa.string())),
        ("digest", pa.string()),
        ("url_digest", pa.string()),
        ("first_row", pa.int64()),
    ]
)
"""The `batches` file of a generation, in order of `batch`. first_row: where its rows begin in the rows file."""


class Batch(NamedTuple):
    """Candidates that go through fetch and image filter together. name: `g0001-000003`, also the name of
    its parts. candidates: rows. urls: distinct URLs that are fetched in it (image_part is its own name).
    digest: over its rows, and what a later stage is fingerprinted with; url_digest: over its own URLs alone.
    generation: the plan part. image_parts: names of the fetch parts that hold its images, sorted.
    first_row: of it in the plan's rows."""

    name: str
    candidates: int
    urls: int
    digest: str
    url_digest: str
    generation: str
    image_parts: tuple[str, ...]
    first_row: int


def list_batches(corpus: Corpus) -> list[Batch]:
    """Every batch of every generation planned so far, by name. Reads no rows."""
    batches: list[Batch] = []
    for generation in corpus.parts("plan"):
        batches.extend(_batches_of(corpus, generation).values())
    return batches


def find_batch(corpus: Corpus, name: str) -> Batch:
    """The batch called `name`. Raises InputError when the plan has none."""
    batch = _batches_of(corpus, name.partition("-")[0]).get(name)
    if batch is None:
        raise InputError(f"{corpus.path('plan')}: there is no batch {name}: run the plan stage first")
    return batch


def candidates_of(corpus: Corpus, batch: str, columns: list[str] | None = None) -> pa.Table:
    """The candidates of one batch (schema PLANNED), by url, then candidate_id. Reads the row groups it
    lies in and no others. columns: only these. Raises InputError when there is no such batch."""
    found = find_batch(corpus, batch)
    path = corpus.file("plan", found.generation)
    if path is None:
        raise InputError(f"{corpus.path('plan')}: generation {found.generation} is gone: run the plan stage again")
    names = columns or PLANNED.names
    with corpus.fs.open(path, "rb") as file:
        parquet = pq.ParquetFile(file, metadata=_metadata(corpus.fs, path))
        groups, skip = _row_groups(parquet.metadata, found.first_row, found.candidates)
        return parquet.read_row_groups(groups, columns=names).slice(skip, found.candidates).select(names)


def images_of(corpus: Corpus, batch: str) -> pa.Table:
    """What the distinct URLs of one batch gave (schema IMAGE), one row a URL, by url: from its own fetch
    part and, for URLs planned earlier, from theirs. Raises InputError when one of them is not there yet."""
    wanted = candidates_of(corpus, batch, ["url", "image_part"]).group_by(["image_part", "url"]).aggregate([])
    tables = [IMAGE.empty_table()]
    for part in sorted(wanted["image_part"].unique().to_pylist()):
        urls = wanted.filter(pc.equal(wanted["image_part"], part))["url"]
        rows = corpus.read("fetch", part, filters=pc.field("url").isin(urls.combine_chunks()))
        tables.append(rows.select(IMAGE.names).cast(IMAGE))
    return pa.concat_tables(tables).sort_by("url")


def _batches_of(corpus: Corpus, generation: str) -> dict[str, Batch]:
    path = corpus.file("plan", generation, "batches")
    return _read_batches(corpus.fs, path, generation) if path else {}


# A data file carries its digest in its name, so what was read from it once stays true.


@lru_cache(maxsize=32)
def _read_batches(fs: fsspec.AbstractFileSystem, path: str, generation: str) -> dict[str, Batch]:
    with fs.open(path, "rb") as file:
        rows = pq.read_table(file).to_pylist()
    return {row["batch"]: _batch(row, generation) for row in rows}


def _batch(row: dict[str, Any], generation: str) -> Batch:
    return Batch(
        name=row["batch"],
        candidates=row["candidates"],
        urls=row["urls"],
        digest=row["digest"],
        url_digest=row["url_digest"],
        generation=generation,
        image_parts=tuple(row["image_parts"]),
        first_row=row["first_row"],
    )


@lru_cache(maxsize=32)
def _metadata(fs: fsspec.AbstractFileSystem, path: str) -> pq.FileMetaData:
    with fs.open(path, "rb") as file:
        return pq.read_metadata(file)


def _row_groups(metadata: pq.FileMetaData, first: int, count: int) -> tuple[list[int], int]:
    """The row groups that hold rows `first` to `first + count`, and the rows to skip in them."""
    groups: list[int] = []
    skip = start = 0
    for group in range(metadata.num_row_groups):
        end = start + metadata.row_group(group).num_rows
        if end > first and start < first + count:
            if not groups:
                skip = first - start
            groups.append(group)
        start = end
    return groups, skip
