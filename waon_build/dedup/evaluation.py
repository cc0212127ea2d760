"""Pictures that models are measured with, to be kept out: lists of perceptual hashes, from files."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from waon_build.dedup.looks import Looks
from waon_build.dedup.phash import from_hex
from waon_build.records import InputError, in_a_line

_HASHES = ("phash", "phash256")


def digest(path: str, options: dict[str, Any]) -> str:
    """sha256 of a list, hex. Raises InputError when it cannot be read."""
    return hashlib.sha256(_bytes(path, options)).hexdigest()


def read_looks(path: str, options: dict[str, Any]) -> Looks:
    """What the pictures of one list look like.

    path: Parquet or CSV with a column `phash` (16 hex digits, `imagehash.phash`) and, where known, `phash256`
    (64 digits, `hash_size=16`); or text with one phash a line. Anything fsspec opens. options: for it.
    Raises InputError when it is none of these.
    """
    data = _bytes(path, options)
    try:
        table = _table(path, data)
        phash = from_hex(_stripped(table["phash"]))[:, 0]
        if "phash256" in table.column_names:
            return Looks.of(phash, from_hex(_stripped(table["phash256"]), 4))
    except (pa.ArrowException, KeyError, ValueError) as error:
        problem = "has no column `phash`" if isinstance(error, KeyError) else f"is no list of hashes: {error}"
        raise InputError(
            f"{path}: {problem.splitlines()[0]}: give one `phash` of 16 hex digits a row (dedup.evaluation_sets)"
        ) from error
    return Looks(phash, np.zeros((len(phash), 4), np.uint64), np.zeros(len(phash), np.bool_))


def _bytes(path: str, options: dict[str, Any]) -> bytes:
    try:
        with fsspec.open(path, "rb", **(options if "://" in path else {})) as file:
            data: bytes = file.read()
            return data
    except Exception as error:  # every store has its own
        raise InputError(
            f"{path}: cannot be read ({in_a_line(error)}): mend dedup.evaluation_sets in the recipe"
        ) from error


def _table(path: str, data: bytes) -> pa.Table:
    if path.endswith(".parquet"):
        table = pq.read_table(BytesIO(data))
        return table.select([name for name in _HASHES if name in table.column_names])
    if path.endswith(".csv"):
        # Said to be text: sixteen digits without a letter are a hash too, not a number.
        kinds = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(_HASHES, pa.string()), strings_can_be_null=False)
        return pyarrow.csv.read_csv(BytesIO(data), convert_options=kinds)
    lines = data.decode("utf-8-sig").splitlines()
    return pa.table({"phash": pa.array([line for line in lines if line.strip()], pa.string())})


def _stripped(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.utf8_trim_whitespace(column.cast(pa.string()))
