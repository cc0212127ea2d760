"""Which accepted pairs are released, and in what order: the rows of a release before its images are read.

Joins three things too large for memory - what natives accepted, the dedup table, the pairs of every
image part - one part at a time, in a DuckDB file that spills to disk. An accepted pair goes on, or it
leaves one reason. Nothing here writes into the corpus.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from waon_build.corpus import Corpus
from waon_build.export.sample import IMAGE_SUFFIXES, SAMPLE
from waon_build.export.splits import order_of, splits_of
from waon_build.recipe import Recipe
from waon_build.records import CLUSTER, PAIR, Counts, InputError, Reason
from waon_build.rights.tombstones import Tombstones

BATCH = 100_000
MEMORY = "2GB"
"""DuckDB's share; what does not fit is spilled beside its file."""

NOT_IN_CORPUS = Reason(
    "not_in_corpus",
    stage="export",
    what="an accepted pair that the corpus no longer has",
    why="its source was taken out of the recipe, or a stricter filter dropped it since",
)
NO_LONGER_KEPT = Reason(
    "no_longer_kept",
    stage="export",
    what="an accepted pair that the dedup table now counts as a duplicate, or as part of an evaluation set",
    why="a picture is released once, and never one that models are measured with",
)
TAKEN_DOWN = Reason(
    "taken_down",
    stage="export",
    what="an accepted pair that a tombstone covers",
    why="what was withdrawn never comes back",
)
RIGHTS_REFUSED = Reason(
    "rights_refused",
    stage="export",
    what="an accepted pair whose kept evidence forbids what we do",
    why="the last look before anything leaves the house: no release holds a picture that said no",
)


IN_TWO_SPLITS = Reason(
    "in_two_splits",
    stage="export",
    what="an accepted pair whose cluster has grown together with one that an earlier release put into another split",
    why="what was trained on must not be validated on, within a release or from one to the next",
    setting="export.splits",
)


class Accepted(NamedTuple):
    """A pair that natives accepted, and what they said. annotations: how many. match: median answer, 0
    to 3. culture, category: their answers, "" when they were not asked. posterior: how sure the acceptance
    is, 0 to 1. native_caption: what one of them wrote instead and lets be published, "" when nobody did."""

    pair_id: str
    annotations: int
    match: float
    culture: str
    category: str
    posterior: float = 1.0
    native_caption: str = ""


_ACCEPTED = pa.schema(
    [
        ("pair_id", pa.string()),
        ("annotations", pa.int64()),
        ("match", pa.float64()),
        ("culture", pa.string()),
        ("category", pa.string()),
        ("posterior", pa.float64()),
        ("native_caption", pa.string()),
    ]
)
_LOCATED = pa.schema(
    [field for field in SAMPLE if field.name not in ("shard", "offset")]
    + [pa.field("stored_in", pa.string()), pa.field("stored_at", pa.int64()), pa.field("place", pa.string())]
)
"""A sample before it has a shard. stored_in, stored_at: where its image lies now. place: sorts it."""


class Shard(NamedTuple):
    """One tar to be. name: without suffix. row_group: of the selection's file that holds its rows."""

    name: str
    split: str
    samples: int
    row_group: int


class Selection(NamedTuple):
    """The rows of a release. rows: a local Parquet file, one row group a shard, in order. digest: over
    all that the samples will say and show, 64 hex digits. format: of the images. counts: of accepted pairs."""

    rows: str
    shards: tuple[Shard, ...]
    digest: str
    format: str
    counts: Counts


def select(
    recipe: Recipe,
    corpus: Corpus,
    accepted: Iterable[Accepted],
    tombstones: Tombstones,
    folder: str,
    released: Iterable[pa.Table] = (),
) -> Selection:
    """The rows of the next release of a corpus. folder: an empty local one for files under way. released:
    `pair_id` and `split` of what earlier releases hold.

    Raises InputError when nothing is left to release, a part is missing, or images are of two formats.
    """
    with duckdb.connect(
        f"{folder}/selection.duckdb",
        config={"memory_limit": MEMORY, "temp_directory": f"{folder}/spill", "preserve_insertion_order": "false"},
    ) as database:
        counts = _join_dedup(database, corpus, accepted)
        database.register("located", _LOCATED.empty_table())
        database.execute("CREATE TABLE sample AS FROM located")
        withdrawn = pa.array(sorted(tombstones.covered_pairs(corpus)), pa.string())
        for image_part, wanted in _wanted_by_part(database):
            rows = _pairs(corpus, image_part, wanted, counts)
            rows = _permitted(rows, withdrawn, counts)
            database.register("located", _located(rows, wanted, recipe))
            database.execute("INSERT INTO sample FROM located")
            counts.kept += len(rows)
        _stay_in_split(database, released, list(recipe.export.splits), counts)
        if not counts.kept:
            why = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.dropped.items()))
            raise InputError(
                f"{corpus.url}: no accepted pair is left to release ({why or 'none was accepted'}): "
                "annotate first, or lower annotation.min_match in the recipe"
            )
        form = _format(database, corpus)
        rows_file = f"{folder}/rows.parquet"
        shards, digest = _write_rows(database, recipe, rows_file)
    return Selection(rows_file, shards, digest, form, counts)


def _join_dedup(database: duckdb.DuckDBPyConnection, corpus: Corpus, accepted: Iterable[Accepted]) -> Counts:
    """Fill table `wanted` with the accepted pairs that the dedup table keeps; count the others."""
    path = corpus.file("dedup", "clusters")
    if path is None:
        raise InputError(f"{corpus.path('dedup')}: there is no dedup table: run the recipe first")
    _fill(database, "accepted", _ACCEPTED, _accepted_batches(accepted))
    with corpus.fs.open(path, "rb") as file:
        batches = pq.ParquetFile(file).iter_batches(BATCH, columns=CLUSTER.names)
        _fill(database, "cluster", CLUSTER, (pa.table(batch).cast(CLUSTER) for batch in batches))
    database.execute(
        """
        CREATE TABLE wanted AS
        SELECT accepted.*, image_part, cluster_id
        FROM accepted JOIN cluster USING (pair_id)
        WHERE canonical
        """
    )
    left_out = database.execute(
        """
        SELECT CASE WHEN reason IS NULL THEN ? WHEN reason = 'taken_down' THEN ? ELSE ? END, count(*)
        FROM (SELECT pair_id FROM accepted ANTI JOIN wanted USING (pair_id))
        LEFT JOIN cluster USING (pair_id)
        GROUP BY 1
        """,
        [str(NOT_IN_CORPUS), str(TAKEN_DOWN), str(NO_LONGER_KEPT)],
    ).fetchall()
    [(read, distinct)] = database.execute("SELECT count(*), count(DISTINCT pair_id) FROM accepted").fetchall()
    if read != distinct:
        raise ValueError(f"{read - distinct} pairs were accepted twice: one decision a pair")
    return Counts(read=read, dropped=Counter(dict(left_out)))


def _accepted_batches(accepted: Iterable[Accepted]) -> Iterator[pa.Table]:
    rows = iter(accepted)
    while batch := list(islice(rows, BATCH)):
        for row in batch:
            if not math.isfinite(row.match):
                raise ValueError(f"{row.pair_id}: match is {row.match}: JSON has no such number")
        columns = zip(zip(*batch, strict=True), _ACCEPTED, strict=True)
        yield pa.table([pa.array(column, field.type) for column, field in columns], schema=_ACCEPTED)


def _fill(database: duckdb.DuckDBPyConnection, table: str, schema: pa.Schema, batches: Iterable[pa.Table]) -> None:
    database.register("batch", schema.empty_table())
    database.execute(f"CREATE TABLE {table} AS FROM batch")
    for batch in batches:
        database.register("batch", batch)
        database.execute(f"INSERT INTO {table} FROM batch")
    database.unregister("batch")


def _wanted_by_part(database: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, pa.Table]]:
    for (image_part,) in database.execute("SELECT DISTINCT image_part FROM wanted ORDER BY 1").fetchall():
        wanted = database.sql("FROM wanted WHERE image_part = ? ORDER BY pair_id", params=[image_part])
        yield image_part, wanted.to_arrow_table()


def _pairs(corpus: Corpus, image_part: str, wanted: pa.Table, counts: Counts) -> pa.Table:
    """The rows of one image part that are wanted, one a pair, by pair_id. A pair that stands on several
    pages is the one with the smallest candidate_id: the order of pages must not matter."""
    ids = wanted["pair_id"].combine_chunks()
    rows = corpus.read("image", image_part, columns=PAIR.names, filters=pc.field("pair_id").isin(ids))
    rows = rows.cast(PAIR).sort_by([("pair_id", "ascending"), ("candidate_id", "ascending")]).combine_chunks()
    if len(rows) > 1:
        first = pc.not_equal(rows["pair_id"][1:], rows["pair_id"][:-1]).combine_chunks()
        rows = rows.filter(pa.concat_arrays([pa.array([True]), first]))
    if len(rows) < len(wanted):
        counts.dropped[str(NOT_IN_CORPUS)] += len(wanted) - len(rows)
    return rows


def _permitted(rows: pa.Table, withdrawn: pa.Array, counts: Counts) -> pa.Table:
    """`rows` without what is withdrawn, or was never ours to take."""
    rights = rows["rights"].combine_chunks()
    refusing = pc.list_parent_indices(rights).filter(pc.struct_field(rights.flatten(), "refuses"))
    refused = pc.is_in(pa.array(range(len(rows)), pa.int64()), value_set=refusing.cast(pa.int64()))
    counts.dropped[str(RIGHTS_REFUSED)] += refused.true_count
    rows = rows.filter(pc.invert(refused))
    if len(withdrawn):
        gone = pc.is_in(rows["pair_id"].combine_chunks(), value_set=withdrawn)
        counts.dropped[str(TAKEN_DOWN)] += gone.true_count
        rows = rows.filter(pc.invert(gone))
    counts.dropped = +counts.dropped
    return rows


def _located(rows: pa.Table, wanted: pa.Table, recipe: Recipe) -> pa.Table:
    """Rows of schema _LOCATED from pairs and what natives said of them. Nulls are "" and 0 from here on."""
    said = wanted.take(pc.index_in(rows["pair_id"].combine_chunks(), value_set=wanted["pair_id"].combine_chunks()))
    settings = recipe.export
    known = {name: table[name] for table in (rows, said) for name in table.column_names} | {
        "split": pa.array(splits_of(said["cluster_id"].to_pylist(), settings.splits, settings.seed), pa.string()),
        "place": pa.array(order_of(rows["pair_id"].to_pylist(), settings.seed), pa.string()),
        "language": pa.array([recipe.language] * len(rows), pa.string()),
        "stored_at": rows["offset"],
    }
    return pa.table([_without_nulls(known[field.name], field.type) for field in _LOCATED], schema=_LOCATED)


def _without_nulls(column: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if pa.types.is_list(kind):
        return column.cast(kind)
    return pc.fill_null(column.cast(kind), "" if pa.types.is_string(kind) else 0)


def _stay_in_split(
    database: duckdb.DuckDBPyConnection, released: Iterable[pa.Table], splits: list[str], counts: Counts
) -> None:
    """Give each cluster the split that earlier releases gave its pairs, those included that are released no more:
    the next best of a cluster shows the same picture. Where splits are several, the first of `splits` has it, and
    the pairs that were in another are dropped."""
    schema = pa.schema([("pair_id", pa.string()), ("split", pa.string())])
    _fill(database, "released", schema, (table.cast(schema) for table in released))
    database.execute(
        """
        CREATE TABLE side AS
        SELECT cluster_id, arg_min(released.split, list_position($1, released.split)) AS split
        FROM cluster JOIN released USING (pair_id)
        GROUP BY cluster_id
        """,
        [splits],
    )
    torn = """
        SELECT sample.pair_id FROM sample JOIN released USING (pair_id) JOIN side USING (cluster_id)
        WHERE side.split <> released.split
    """
    database.execute(f"CREATE TABLE torn AS {torn}")
    [(dropped,)] = database.execute("SELECT count(DISTINCT pair_id) FROM torn").fetchall()
    if dropped:
        database.execute("DELETE FROM sample WHERE pair_id IN (FROM torn)")
        counts.kept -= dropped
        counts.dropped[str(IN_TWO_SPLITS)] += dropped
    database.execute("UPDATE sample SET split = side.split FROM side WHERE sample.cluster_id = side.cluster_id")


def _format(database: duckdb.DuckDBPyConnection, corpus: Corpus) -> str:
    formats = [name for (name,) in database.execute("SELECT DISTINCT format FROM sample ORDER BY 1").fetchall()]
    if len(formats) > 1:
        raise InputError(
            f"{corpus.url}: accepted images are stored as {' and '.join(formats)}, and loaders take one format: "
            "run the recipe again, so that all are stored as its fetch.format says"
        )
    if formats[0] not in IMAGE_SUFFIXES:
        raise InputError(f"{corpus.url}: images are stored as {formats[0]!r}: set fetch.format and run it again")
    form: str = formats[0]
    return form


def _write_rows(database: duckdb.DuckDBPyConnection, recipe: Recipe, path: str) -> tuple[tuple[Shard, ...], str]:
    """Write the samples in release order; return the shards and a digest over them."""
    shards: list[Shard] = []
    state = hashlib.sha256()
    schema = pa.schema([field for field in _LOCATED if field.name != "place"])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for split in recipe.export.splits:
            for number, rows in enumerate(_slices(database, split, schema, recipe.export.samples_per_shard)):
                writer.write_table(rows, row_group_size=len(rows))
                shards.append(Shard(f"{recipe.name}-{split}-{number:06d}", split, len(rows), len(shards)))
                _digest(state, rows.drop_columns(["stored_in", "stored_at"]))
    return tuple(shards), state.hexdigest()


def _slices(database: duckdb.DuckDBPyConnection, split: str, schema: pa.Schema, size: int) -> Iterator[pa.Table]:
    """The samples of a split in order, `size` at a time."""
    query = "SELECT * EXCLUDE (place) FROM sample WHERE split = ? ORDER BY place, pair_id"
    ordered = database.sql(query, params=[split])
    pending = schema.empty_table()
    for batch in ordered.to_arrow_reader(min(size, BATCH)):
        pending = pa.concat_tables([pending, pa.Table.from_batches([batch]).cast(schema)])
        while len(pending) >= size:
            yield pending.slice(0, size).combine_chunks()
            pending = pending.slice(size)
    if len(pending):
        yield pending.combine_chunks()


def _digest(state: Any, rows: pa.Table) -> None:
    """Feed the values of `rows` to a hash: lengths, then bytes, column by column, whatever their chunks."""
    for column in rows.itercolumns():
        _digest_values(state, pa.concat_arrays(column.chunks))


def _digest_values(state: Any, values: pa.Array) -> None:
    if pa.types.is_list(values.type):
        state.update(pc.list_value_length(values).to_numpy().tobytes())
        _digest_values(state, values.flatten())
    elif pa.types.is_struct(values.type):
        for child in values.flatten():
            _digest_values(state, child)
    elif pa.types.is_string(values.type):
        state.update(pc.binary_length(values).to_numpy(zero_copy_only=False).tobytes())
        state.update("".join(values.to_pylist()).encode())
    else:
        state.update(values.to_numpy(zero_copy_only=False).tobytes())
