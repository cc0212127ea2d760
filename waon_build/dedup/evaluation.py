"""Pictures of benchmarks and evaluation sets, to be kept out of the corpus: lists of perceptual hashes."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from waon_build.dedup.phash import Hashes, from_hex
from waon_build.records import InputError

_HASH = re.compile(r"[0-9a-f]{16}")


def read(path: str, options: dict[str, Any]) -> tuple[Hashes, str]:
    """The hashes of one list, all different, and a digest of the file. path: Parquet or CSV with a column
    `phash`, or text with one hash a line; anything fsspec opens. Raises InputError when it is none."""
    try:
        with fsspec.open(path, "rb", **(options if "://" in path else {})) as file:
            data = file.read()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}): mend dedup.evaluation_sets") from error
    digits = [text.strip().lower() for text in _column(path, data)]
    wrong = next((text for text in digits if not _HASH.fullmatch(text)), None)
    if wrong is not None:
        raise InputError(f"{path}: phash {wrong[:40]!r} is not 16 hex digits: make the list with imagehash.phash")
    return np.unique(from_hex(digits)), hashlib.sha256(data).hexdigest()


def _column(path: str, data: bytes) -> list[str]:
    try:
        if path.endswith(".parquet"):
            found: list[str] = pq.read_table(io.BytesIO(data), columns=["phash"])["phash"].to_pylist()
            return found
        text = data.decode("utf-8-sig")
    except (pa.ArrowInvalid, KeyError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: has no readable column `phash`: mend the file or dedup.evaluation_sets") from error
    if path.endswith(".csv"):
        rows = list(csv.DictReader(io.StringIO(text)))
        if rows and "phash" not in rows[0]:
            raise InputError(f"{path}: has no column `phash`: mend the file or dedup.evaluation_sets")
        return [row["phash"] for row in rows]
    return [line for line in text.splitlines() if line.strip()]
