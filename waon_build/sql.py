"""What the stages share that work in SQL: the statements of a file by name, and results as tables of one size.

Nothing here knows what a statement asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from waon_build.part_writer import ROW_GROUP


def statements_of(path: Path) -> dict[str, str]:
    """The statements of a file, each below a line `-- name: NAME`."""
    pieces = re.split(r"^-- name: (\w+)$", path.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def in_row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Tables of ROW_GROUP rows: however DuckDB cuts its results, the same row groups."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        while rows >= ROW_GROUP:
            table = pa.Table.from_batches(waiting)
            yield table.slice(0, ROW_GROUP).combine_chunks()
            waiting = table.slice(ROW_GROUP).to_batches()
            rows -= ROW_GROUP
    if rows:
        yield pa.Table.from_batches(waiting).combine_chunks()
