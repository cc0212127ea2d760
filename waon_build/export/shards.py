"""One shard: a tar of samples, and the Parquet file and counts beside it. The same rows give the same bytes.

A sample is `KEY.jpg` (or webp, png), `KEY.txt`, `KEY.json`, in this order and side by side; KEY is the
pair_id. Headers are plain USTAR with the same owner, mode and time (0) for all: a float time alone would
cost 3 KB a sample in PAX headers and make every tar another. Nothing here decides what is in a shard.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from waon_build.corpus import Corpus
from waon_build.export.sample import SAMPLE, to_json
from waon_build.export.selection import Shard
from waon_build.part_writer import ROW_GROUP
from waon_build.records import InputError

BLOCK = tarfile.BLOCKSIZE
READ_AHEAD = 64 << 20
"""Bytes of images read at once, in the order they lie in: what a worker holds in memory."""


_PLAIN = tarfile.TarInfo().tobuf(tarfile.USTAR_FORMAT)
_OWNER, _TIME, _REST = _PLAIN[100:124], _PLAIN[136:148], _PLAIN[156:]
"""Mode, uid and gid; mtime; type, user, group and prefix: alike in all members."""
_REST_SUM = sum(_REST)


class WrittenFile(NamedTuple):
    """A finished file of a release."""

    name: str
    sha256: str
    size: int


def write_shard(corpus: Corpus, rows_file: str, folder: str, shard: Shard) -> list[WrittenFile]:
    """Write the files of one shard into a local folder: tar, Parquet, counts, in this order.

    rows_file: of the selection. Raises InputError when an image is no longer where its row says.
    """
    with pq.ParquetFile(rows_file) as parquet:
        rows = parquet.read_row_group(shard.row_group)
    offsets = []
    with open(f"{folder}/{shard.name}.tar", "wb") as file:
        tar = _Tar(file)
        for row, image in _with_images(corpus, rows):
            key = row["pair_id"]
            offsets.append(tar.add(f"{key}.{row['format']}", image))
            tar.add(f"{key}.txt", row["caption"].encode())
            tar.add(f"{key}.json", to_json(row))
        written = WrittenFile(f"{shard.name}.tar", *tar.close())
    rows = rows.append_column("shard", pa.array([f"{shard.name}.tar"] * len(rows), pa.string()))
    rows = rows.append_column("offset", pa.array(offsets, pa.int64())).select(SAMPLE.names).cast(SAMPLE)
    pq.write_table(rows, f"{folder}/{shard.name}.parquet", compression="zstd", row_group_size=ROW_GROUP)
    with open(f"{folder}/{shard.name}_stats.json", "wb") as file:
        file.write(stats_json(len(rows)))
    return [written, *(written_file(folder, f"{shard.name}{suffix}") for suffix in (".parquet", "_stats.json"))]


def written_file(folder: str, name: str) -> WrittenFile:
    """The digest and size of a local file that is finished."""
    with open(f"{folder}/{name}", "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return WrittenFile(name, digest, file.tell())


def stats_json(samples: int) -> bytes:
    """`SHARD_stats.json` with img2dataset's keys. Times are 0: a release does not say how long it took,
    because the same release has the same bytes."""
    stats: dict[str, Any] = {
        "count": samples,
        "successes": samples,
        "failed_to_download": 0,
        "failed_to_resize": 0,
        "duration": 0.0,
        "start_time": 0.0,
        "end_time": 0.0,
        "status_dict": {"success": samples},
    }
    return json.dumps(stats, indent=4).encode()


def header(name: str, size: int) -> bytes:
    """The one tar header that a member of this name and size can have. name: ASCII, up to 100 bytes.

    POSIX.1-1988 (USTAR): what `tarfile` makes of a `TarInfo`, in a quarter of the time."""
    field = name.encode("ascii")
    if len(field) > 100 or not 0 <= size < 8 << 30:
        raise ValueError(f"{name}: is too long, or too large, for a plain tar header")
    before = field.ljust(100, b"\0") + _OWNER + b"%011o\0" % size + _TIME
    checksum = sum(before) + 8 * ord(" ") + _REST_SUM
    return before + b"%06o\0 " % checksum + _REST


def padding(size: int) -> int:
    """Bytes of zeros after `size` bytes of a member."""
    return -size % BLOCK


class _Tar:
    """Writes members one after another, and digests what it writes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._state = hashlib.sha256()
        self._size = 0

    def add(self, name: str, data: bytes) -> int:
        """Add one member; return where its bytes begin."""
        self._write(header(name, len(data)))
        offset = self._size
        self._write(data)
        self._write(bytes(padding(len(data))))
        return offset

    def close(self) -> tuple[str, int]:
        """End the tar; return its sha256 and size."""
        self._write(bytes(2 * BLOCK))
        self._write(bytes(-self._size % tarfile.RECORDSIZE))
        return self._state.hexdigest(), self._size

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._state.update(data)
        self._size += len(data)


def _with_images(corpus: Corpus, rows: pa.Table) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Each row with the bytes of its image. Reads ahead, and in the order that images lie in."""
    paths: dict[str, str] = {}
    for batch in _batches(rows):
        wanted = batch.to_pylist()
        for stored_in in {row["stored_in"] for row in wanted} - paths.keys():
            path = corpus.file("fetch", stored_in, "images")
            if path is None:
                raise InputError(f"{corpus.path('fetch', stored_in)}: its images are gone: run the recipe again")
            paths[stored_in] = path
        order = sorted(range(len(wanted)), key=lambda i: (wanted[i]["stored_in"], wanted[i]["stored_at"]))
        try:
            found = corpus.fs.cat_ranges(
                [paths[wanted[i]["stored_in"]] for i in order],
                [wanted[i]["stored_at"] for i in order],
                [wanted[i]["stored_at"] + wanted[i]["size"] for i in order],
                on_error="raise",
            )
        except FileNotFoundError as error:
            raise InputError(f"{error.filename or error}: is gone: run the recipe again") from error
        images = dict(zip(order, found, strict=True))
        for i, row in enumerate(wanted):
            if len(images[i]) != row["size"] or not row["size"]:
                path, key = paths[row["stored_in"]], row["pair_id"]
                raise InputError(f"{path}: ends before the image of {key}: delete it and run the recipe again")
            yield row, bytes(images[i])


def _batches(rows: pa.Table) -> Iterator[pa.Table]:
    """Slices of `rows` whose images fit into the read-ahead (a single larger image goes alone)."""
    start = held = 0
    for index, size in enumerate(rows["size"].to_pylist()):
        if held and held + size > READ_AHEAD:
            yield rows.slice(start, index - start)
            start, held = index, 0
        held += size
    yield rows.slice(start)
