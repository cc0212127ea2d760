"""Which candidates go on, and with whom: repeats are dropped, the rest is put into batches by host.

A generation (`g0001`) plans all text parts that no earlier one has, so that a corpus can grow without
touching what is planned. The work is SQL over the Parquet files (`plan.sql`), out of core: its memory
is bounded however many rows there are. Nothing here makes a request.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from math import ceil
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from waon_build.batches import BATCHES, PLANNED
from waon_build.corpus import Corpus, Part, fingerprint
from waon_build.part_writer import ROW_GROUP, PartWriter
from waon_build.recipe import Recipe
from waon_build.records import CANDIDATE, Counts, Reason, Tally, digest16, normalised
from waon_build.rights.tombstones import Tombstones
from waon_build.sql import in_row_groups, statements_of

DUPLICATE_CANDIDATE = Reason(
    "duplicate_candidate",
    stage="plan",
    what="A candidate whose image URL and caption (NFKC, white space folded) were seen before.",
    why="The same pair from another page, or another snapshot, teaches nothing. The first one stays.",
    source="WAON: URL and caption deduplication",
)
CAPTION_REPEATED_ON_HOST = Reason(
    "caption_repeated_on_host",
    stage="plan",
    what="A caption seen for more distinct images than this on one image host.",
    why="A caption that fits many pictures of a site is its boilerplate: `logo`, `product image`.",
    setting="filters.text.max_repeats_per_host",
)
CAPTION_REPEATED = Reason(
    "caption_repeated",
    stage="plan",
    what="A caption seen for more distinct images than this in all, earlier generations counted in.",
    why="What is said of many pictures describes none of them.",
    setting="filters.text.max_repeats",
    source="COYO-700M: 10",
)
TAKEN_DOWN = Reason(
    "taken_down",
    stage="plan",
    what="A candidate whose image or page a tombstone covers.",
    why="What was withdrawn never comes back.",
    source="tombstones.jsonl",
)

SEEN = pa.schema([("caption_key", pa.uint64()), ("host_key", pa.uint64()), ("url_key", pa.uint64())])
"""The `seen` file of a generation: its distinct pairs, by which later ones know and count repeats."""

_MEMORY: Final = "50%"
"""Of the machine's, for DuckDB; beyond it, it spills to the corpus's scratch folder."""
_ROW_DIGEST: Final = "row_digest"
_HOST_BATCH: Final = pa.schema([("host_key", pa.uint64()), ("first", pa.int64()), ("pieces", pa.int64())])
_FILES: Final = pa.schema([("filename", pa.string()), ("part_name", pa.string()), ("part", pa.uint64())])
_URLS: Final = pa.schema([("url", pa.string())])


class Plan:
    """The stage `plan`. One part is a generation; rows are candidates with `batch` and `image_part`."""

    name = "plan"
    kind = "global"
    version = 1

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def inputs(self, corpus: Corpus) -> list[Part]:
        """The generations there are, and one more when there are text parts that none of them has."""
        digests = {tally.part: tally.digest for tally in corpus.tallies("text")}
        left = set(digests)
        parts: list[Part] = []
        for tally in corpus.tallies(self.name):
            covered = [name for name in sorted(tally.inputs) if name in left]
            left.difference_update(covered)
            parts.append(self._part(tally.part, covered, digests, parts))
        if left:
            number = int(parts[-1].name[1:]) + 1 if parts else 1
            parts.append(self._part(f"g{number:04d}", sorted(left), digests, parts))
        return parts

    def run(self, corpus: Corpus, part: Part) -> Tally:
        """Plan one generation: the same text parts, and the same earlier generations, give the same bytes.

        What this generation has fetched already keeps its batch when it is planned again. What it or a later one let in
        by the same rules stays in, though its caption be repeated by now in what came to its text parts: people may
        have judged it."""
        with corpus.write(self.name, part, PLANNED, dropped=CANDIDATE) as writer:
            with _Planning(corpus, part, self.recipe, f"{writer.folder}/plan.duckdb") as planning:
                planning.run("candidates", "repeats", "known")
                planning.pack(self.recipe.fetch.urls_per_part)
                planning.count(writer)
                batches = _write_rows(writer, planning.tables("planned"))
                _write_file(writer, "batches", BATCHES, [pa.Table.from_pylist(batches, schema=BATCHES)])
                _write_file(writer, "seen", SEEN, planning.tables("seen"))
            return writer.commit()

    def _part(self, name: str, covered: list[str], digests: dict[str, str], before: list[Part]) -> Part:
        text = self.recipe.filters.text
        rules = fingerprint(self.name, self.version, [text.max_repeats_per_host, text.max_repeats], [])
        read = [*(digests[text_part] for text_part in covered), *(part.fingerprint for part in before[-1:])]
        made_from = fingerprint(self.name, self.version, self.recipe.fetch.urls_per_part, read)
        return Part(name, "text", f"{rules}-{made_from}", tuple(covered))


def packed(hosts: Iterable[tuple[int, int]], size: int, start: int = 0) -> Iterator[tuple[int, int, int]]:
    """Batches for hosts. hosts: (key, distinct URLs), sorted by key. Yields (key, first batch, batches):
    neighbours share a batch while it has at most `size` URLs, and a host larger than that has its own.

    Keys are digests, so a batch is a random handful of hosts; and as their order is the same in every
    generation, the hosts of a batch were together before, and their earlier images lie in few parts."""
    batch, room = start - 1, 0
    for key, urls in hosts:
        if urls > size:
            pieces = ceil(urls / size)
            yield key, batch + 1, pieces
            batch, room = batch + pieces, 0
            continue
        if urls > room:
            batch, room = batch + 1, size
        room -= urls
        yield key, batch, 1


class _Planning:
    """The statements of `plan.sql` over one generation, in a database that dies with it."""

    def __init__(self, corpus: Corpus, part: Part, recipe: Recipe, path: str) -> None:
        self.corpus, self.part, self.text = corpus, part, recipe.filters.text
        self.statements = statements_of(Path(__file__).with_name("plan.sql"))
        self.database = duckdb.connect(path)

    def __enter__(self) -> _Planning:
        variables = {
            "per_host": self.text.max_repeats_per_host,
            "in_all": self.text.max_repeats,
            "generation": self.part.name,
        }
        self.database.execute(
            f"SET memory_limit = '{_MEMORY}'; SET preserve_insertion_order = false; SET enable_progress_bar = false"
        )
        for name, value in variables.items():
            self.database.execute(f"SET VARIABLE {name} = $value", {"value": value})
        self._define_functions()
        self.run("macros")
        if not self.corpus.is_local:
            self.database.register_filesystem(self.corpus.fs)
        earlier = [name for name in self.corpus.parts("plan") if name < self.part.name]
        rules = _rules(self.part.fingerprint)
        not_earlier = [tally for tally in self.corpus.tallies("plan") if tally.part >= self.part.name]
        kept = [tally.part for tally in not_earlier if _rules(tally.fingerprint) == rules]
        fetched = [name for name in self.corpus.parts("fetch") if name.startswith(f"{self.part.name}-")]
        elsewhere = [name for name in self.corpus.parts("fetch") if name not in fetched]
        self._view("text", "text", list(self.part.inputs), CANDIDATE)
        self._view("earlier", "plan", earlier, SEEN, role="seen")
        self._view("earlier_plan", "plan", earlier, PLANNED)
        self._view("kept_before", "plan", kept, PLANNED)
        self._view("fetched", "fetch", fetched, _URLS)
        self._view("fetched_elsewhere", "fetch", elsewhere, _URLS)
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

    def run(self, *names: str) -> None:
        for name in names:
            self.database.execute(self.statements[name])

    def pack(self, size: int) -> None:
        """Table `host_batch`, numbered on from the batches that are fetched already."""
        last = self.database.execute("SELECT max(batch) FROM kept_batch").fetchall()[0][0]
        start = int(last.rpartition("-")[2]) + 1 if last else 0
        columns = array("Q"), array("q"), array("q")
        for row in packed(self._pairs("hosts"), size, start):
            for column, value in zip(columns, row, strict=True):
                column.append(value)
        table = pa.table([numpy.frombuffer(column, column.typecode) for column in columns], schema=_HOST_BATCH)
        self.database.register("host_batch", table)

    def count(self, writer: PartWriter) -> None:
        """Put the exact counts, and a sample of each reason, into the tally."""
        for reason, count in self._pairs("counts"):
            dropped = Counter({str(reason): count}) if reason else Counter[str]()
            writer.rows.add(Counts(count, 0 if reason else count, dropped))
        for table in self.tables("samples"):
            for row in table.to_pylist():
                writer.sample({name: row[name] for name in CANDIDATE.names}, row["reason"])

    def tables(self, name: str) -> Iterator[pa.Table]:
        """The rows of a query, in tables of ROW_GROUP rows."""
        return in_row_groups(self._reader(name))

    def _reader(self, name: str) -> pa.RecordBatchReader:
        return self.database.sql(self.statements[name]).to_arrow_reader(ROW_GROUP)

    def _pairs(self, name: str) -> Iterator[tuple[Any, int]]:
        for batch in self._reader(name):
            yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)

    def _define_functions(self) -> None:
        stones = Tombstones.load(self.corpus)

        def normalised_captions(captions: pa.Array) -> pa.Array:
            return pa.array(map(normalised, captions.to_pylist()), pa.string())

        def taken_down(urls: pa.Array, pages: pa.Array) -> pa.Array:
            pairs = zip(urls.to_pylist(), pages.to_pylist(), strict=True)
            return pa.array([stones.covers(url=url, page_url=page) for url, page in pairs], pa.bool_())

        kind: Any = "arrow"
        self.database.create_function("normalised", normalised_captions, ["VARCHAR"], "VARCHAR", type=kind)
        if stones.stones:
            self.database.create_function("taken_down", taken_down, ["VARCHAR", "VARCHAR"], "BOOLEAN", type=kind)
        else:
            self.database.execute("CREATE MACRO taken_down(url, page_url) AS false")

    def _view(self, name: str, stage: str, parts: list[str], schema: pa.Schema, role: str = "rows") -> None:
        """A view of the rows of `parts`, and beside it a table of their files."""
        paths = [self._path(stage, part, role) for part in parts]
        self.database.register(
            f"{name}_file",
            pa.table([paths, parts, range(len(parts))], schema=_FILES),
        )
        if paths:
            self.database.read_parquet(paths, filename=True, file_row_number=True).create_view(name)
        else:
            empty = schema.append(pa.field("filename", pa.string())).append(pa.field("file_row_number", pa.int64()))
            self.database.register(name, empty.empty_table())

    def _path(self, stage: str, part: str, role: str) -> str:
        path = self.corpus.file(stage, part, role) or ""
        return path if self.corpus.is_local else str(self.corpus.fs.unstrip_protocol(path))


class _Summary:
    """What is noted of one batch while its rows stream by."""

    def __init__(self, name: str, first_row: int) -> None:
        self.name, self.first_row = name, first_row
        self.candidates = 0
        self.urls: set[str] = set()
        self.parts: set[str] = set()
        self.digest = blake2b(digest_size=8)

    def add(self, rows: pa.Table) -> None:
        self.candidates += rows.num_rows
        self.digest.update(rows[_ROW_DIGEST].to_numpy().tobytes())
        self.parts.update(rows["image_part"].unique().to_pylist())
        self.urls.update(rows.filter(pc.equal(rows["image_part"], self.name))["url"].unique().to_pylist())

    def to_row(self) -> dict[str, Any]:
        return {
            "batch": self.name,
            "candidates": self.candidates,
            "urls": len(self.urls),
            "image_parts": sorted(self.parts),
            "digest": self.digest.hexdigest(),
            "url_digest": digest16(*sorted(self.urls)),
            "first_row": self.first_row,
        }


def _write_rows(writer: PartWriter, tables: Iterator[pa.Table]) -> list[dict[str, Any]]:
    """Write the planned rows. Returns the rows of BATCHES."""
    batches: list[dict[str, Any]] = []
    current: _Summary | None = None
    row = 0
    for table in tables:
        writer.append_table(table)
        start = 0
        for name, end in _runs(table["batch"]):
            if current is None or name != current.name:
                if current is not None:
                    batches.append(current.to_row())
                current = _Summary(name, row + start)
            current.add(table.slice(start, end - start))
            start = end
        row += table.num_rows
    if current is not None:
        batches.append(current.to_row())
    return batches


def _runs(column: pa.ChunkedArray) -> Iterator[tuple[str, int]]:
    """(value, end) of the runs of equal neighbours."""
    encoded = pc.run_end_encode(column.combine_chunks())
    return zip(encoded.values.to_pylist(), encoded.run_ends.to_pylist(), strict=True)


def _write_file(writer: PartWriter, role: str, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    with writer.open_file(role, "parquet") as file, pq.ParquetWriter(file, schema, compression="zstd") as parquet:
        for table in tables:
            parquet.write_table(table.cast(schema))


def _rules(made_from: str) -> str:
    """What decides of repeats, by a generation's fingerprint."""
    return made_from.partition("-")[0]
