"""A table of URLs and captions -> candidates: Parquet, CSV or JSONL, e.g. ReLAION or WAON itself.

A table is read in chunks of `rows_per_part` rows, each a part of its own, so that memory is bounded by
the part whatever the table's size. Nothing here judges a caption.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from waon_build.records import Candidate, InputError, Reason, in_a_line
from waon_build.source_settings import TableSource
from waon_build.sources.addresses import absolute

TABLE_ROW_UNREADABLE = Reason(
    "row_unreadable",
    stage="extract",
    what="A row of a table that is not a row: broken JSON, a column too few.",
    why="Nothing can be read from it.",
)

Row = dict[str, Any]
csv.field_size_limit(16 * 1024 * 1024)


def count_rows(stream: IO[bytes], name: str) -> int:
    """The rows of a table. Raises InputError when it cannot be read."""
    with _readable(name):
        if _is_parquet(name):
            return int(_parquet(stream, name).metadata.num_rows)
        if _is_csv(name):
            return sum(1 for _ in _csv_rows(stream, name))
        return sum(1 for line in stream if line.strip())


def rows(stream: IO[bytes], name: str, source: TableSource, start: int, count: int) -> Iterator[Row | None]:
    """Rows `start` to `start + count` of a table, with the columns that `source` names; None for one that
    cannot be read.

    name: says the format by its ending (.parquet, .csv, .tsv, else JSONL). Raises InputError when the
    table has no such column or cannot be read.
    """
    columns = columns_of(source)
    with _readable(name):
        if _is_parquet(name):
            yield from _parquet_rows(_parquet(stream, name), name, source, start, count)
        elif _is_csv(name):
            reader = _csv_rows(stream, name)
            _require(columns, reader.fieldnames or [], name)
            for row in islice(reader, start, start + count):
                yield row if all(row.get(column) is not None for column in columns) else None
        else:
            lines = (line for line in stream if line.strip())
            for line in islice(lines, start, start + count):
                yield _json_row(line)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """What a damaged table raises, as one line."""
    try:
        yield
    except (OSError, EOFError, zlib.error, csv.Error, pa.ArrowException) as error:
        problem = in_a_line(error)
        raise InputError(f"{name}: cannot be read ({problem}): fetch the file again, or mend `sources`") from error


def _csv_rows(stream: IO[bytes], name: str) -> csv.DictReader[str]:
    text = io.TextIOWrapper(stream, encoding=_encoding(stream), errors="replace", newline="")
    return csv.DictReader(text, delimiter="\t" if name.removesuffix(".gz").endswith(".tsv") else ",")


def _encoding(stream: IO[bytes]) -> str:
    """UTF-8; or cp932, which Japanese spreadsheets save, where the file's beginning is that and not UTF-8."""
    start = stream.read(1 << 16)
    stream.seek(0)
    for name in ("utf-8-sig", "cp932"):
        with suppress(UnicodeDecodeError):
            codecs.getincrementaldecoder(name)().decode(start)  # the last character may be cut
            return name
    return "utf-8-sig"


def candidate(row: Row, source: TableSource, origin: str) -> tuple[Candidate, str]:
    """The candidate of one row, and its URL as written. origin: `FILE@ROW`. Its `url` is "" when the row's
    is no absolute http address."""

    def cell(column: str | None) -> str:
        value = row.get(column) if column else None
        text = " ".join(str(value).split()) if value is not None else ""
        return (
            text.encode("utf-8", "replace").decode() if not text.isascii() else text
        )  # JSON may hold half a character

    written = cell(source.url_column)
    url = absolute(written, "") if written else None
    language = cell(source.language_column).partition("-")[0].lower()
    return Candidate(
        url=url if url and url.startswith(("http://", "https://")) else "",
        caption=cell(source.caption_column),
        caption_source="table",
        page_url=cell(source.page_url_column),
        page_title=cell(source.page_title_column),
        page_language=language,
        source=origin,
    ), written


def columns_of(source: TableSource) -> list[str]:
    """The columns that a table must have."""
    return [source.url_column, source.caption_column]


def _named_by(source: TableSource) -> set[str]:
    """The columns that are read, where a table has them: one of pictures may lie beside them."""
    return {
        *columns_of(source),
        *filter(None, (source.page_url_column, source.page_title_column, source.language_column)),
    }


def _parquet(stream: IO[bytes], name: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(stream)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            f"{name}: is not a Parquet file that can be read: check `sources` or fetch it again"
        ) from error


def _parquet_rows(file: pq.ParquetFile, name: str, source: TableSource, start: int, count: int) -> Iterator[Row]:
    schema, named = file.schema_arrow, _named_by(source)
    _require(columns_of(source), schema.names, name)
    wanted = [field.name for field in schema if field.name in named and not pa.types.is_nested(field.type)]
    groups: list[int] = []
    first = 0
    skip = start
    for group in range(file.metadata.num_row_groups):
        size = file.metadata.row_group(group).num_rows
        if first + size > start and first < start + count:
            if not groups:
                skip = start - first
            groups.append(group)
        first += size
    batches = file.iter_batches(batch_size=4096, row_groups=groups, columns=wanted)
    yield from islice((row for batch in batches for row in batch.to_pylist()), skip, skip + count)


def _json_row(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _require(columns: list[str], there: Any, name: str) -> None:
    missing = [column for column in columns if column not in there]
    if missing:
        raise InputError(
            f"{name}: has no column {missing[0]!r} (it has {', '.join(map(str, there))}): "
            "name it in the recipe with url_column or caption_column"
        )


def _is_parquet(name: str) -> bool:
    return name.endswith((".parquet", ".pq"))


def _is_csv(name: str) -> bool:
    return name.removesuffix(".gz").endswith((".csv", ".tsv"))
