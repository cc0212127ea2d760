"""Whether one shard keeps its promises: its tar, its Parquet file and its counts, sample by sample.

Runs in a process of its own. What is wrong is returned, with file and key; nothing is raised.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from io import BytesIO
from itertools import zip_longest
from typing import Any, NamedTuple

import imagehash
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from waon_build.export.sample import SAMPLE, misfits, to_json
from waon_build.export.shards import stats_json
from waon_build.export.tar_reader import StoredSample, TarError, samples_in
from waon_build.export.withdrawn import Withdrawn
from waon_build.records import pair_id
from waon_build.rights.tombstones import Tombstones

ROWS_AT_ONCE = 1000
_FORMATS = {"jpg": "JPEG", "webp": "WEBP", "png": "PNG"}


class Failure(NamedTuple):
    """A promise that is not kept. file: of the release. key: of the sample, or ""."""

    file: str
    key: str
    problem: str

    def __str__(self) -> str:
        return ": ".join(part for part in self if part)


class ShardWork(NamedTuple):
    """A shard to check. fs: the fsspec file system it is on. root: the release's folder there. form: of
    the images. withdrawn: lists that may not cover a sample, with the name of each."""

    fs: Any
    root: str
    shard: str
    split: str
    form: str
    withdrawn: tuple[tuple[str, Withdrawn | Tombstones], ...]


class ShardReport(NamedTuple):
    """What was found. digests: file -> sha256, of the files that are there; "" of one that cannot be read."""

    shard: str
    samples: int
    failures: list[Failure]
    digests: dict[str, str]


def unreadable(file: str, error: OSError) -> Failure:
    """That a file is listed, and cannot be read: a link to nothing, a disk that gives way."""
    return Failure(file, "", f"cannot be read ({error.strerror or type(error).__name__})")


def check_shard(work: ShardWork) -> ShardReport:
    """Read one shard again, all of it."""
    failures: list[Failure] = []
    digests: dict[str, str] = {}
    samples = 0
    tar, parquet, stats = (f"{work.shard}{suffix}" for suffix in (".tar", ".parquet", "_stats.json"))
    table = _read(work, parquet, failures, digests)
    rows = _rows(parquet, table, failures)
    for sample, row in zip_longest(_samples(work, tar, failures, digests), rows):
        if sample is None:
            failures.append(Failure(parquet, row["pair_id"], "is a row without a sample"))
            continue
        samples += 1
        failures += [Failure(tar, sample.key, problem) for problem in _problems(work, sample)]
        failures += [Failure(parquet, sample.key, problem) for problem in _row_problems(work, tar, sample, row)]
    if _read(work, stats, failures, digests) not in (None, stats_json(samples)):
        failures.append(Failure(stats, "", f"does not count the {samples} samples of its shard"))
    return ShardReport(work.shard, samples, failures, digests)


def _read(work: ShardWork, name: str, failures: list[Failure], digests: dict[str, str]) -> bytes | None:
    try:
        data: bytes = work.fs.cat_file(f"{work.root}/{name}")
    except FileNotFoundError:
        failures.append(Failure(name, "", "is missing"))
        return None
    except OSError as error:
        failures.append(unreadable(name, error))
        digests[name] = ""
        return None
    digests[name] = hashlib.sha256(data).hexdigest()
    return data


def _samples(work: ShardWork, tar: str, failures: list[Failure], digests: dict[str, str]) -> Iterator[StoredSample]:
    state = hashlib.sha256()
    try:
        with work.fs.open(f"{work.root}/{tar}", "rb") as file:
            try:
                yield from samples_in(file, work.fs.size(f"{work.root}/{tar}"), work.form, state)
            except TarError as error:
                failures.append(Failure(tar, "", str(error)))
                while rest := file.read(1 << 20):
                    state.update(rest)
        digests[tar] = state.hexdigest()
    except OSError as error:
        failures.append(unreadable(tar, error))
        digests[tar] = ""


def _rows(name: str, data: bytes | None, failures: list[Failure]) -> Iterator[dict[str, Any]]:
    if data is None:
        return
    try:
        parquet = pq.ParquetFile(pa.BufferReader(data))
        if not parquet.schema_arrow.equals(SAMPLE):
            failures.append(Failure(name, "", "has other columns than a release has"))
            return
        for batch in parquet.iter_batches(ROWS_AT_ONCE):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        failures.append(Failure(name, "", f"cannot be read ({str(error).partition(chr(10))[0]})"))


def _problems(work: ShardWork, stored: StoredSample) -> Iterator[str]:
    """What is wrong with a sample in itself."""
    try:
        sample = json.loads(stored.json)
    except (ValueError, RecursionError) as error:
        yield f"its JSON cannot be read ({error})"
        return
    unlike = misfits(sample)
    if unlike:
        yield from unlike
        return
    if stored.caption != sample["caption"].encode("utf-8", "surrogatepass"):
        yield "its caption in the text file is not that in the JSON"
    if sample["pair_id"] != stored.key:
        yield f"is called {sample['pair_id']} in its JSON"
    if pair_id(sample["sha256"], sample["caption"]) != stored.key:
        yield "its key does not follow from sha256 and caption"
    yield from _image_problems(work.form, stored.image, sample)
    known = {field: sample[field] for field in ("url", "page_url", "pair_id", "sha256")}
    known["phash"] = sample["phash"] if re.fullmatch("[0-9a-f]{16}", sample["phash"]) else ""
    for name, withdrawn in work.withdrawn:
        if withdrawn.covers(**known):
            yield f"was withdrawn ({name})"


def _image_problems(form: str, data: bytes, sample: dict[str, Any]) -> Iterator[str]:
    try:
        with Image.open(BytesIO(data), formats=[_FORMATS[form]]) as image:
            image.load()
            size, grey = image.size, image.convert("L")  # as the hash itself does, twice
            phash, phash256 = str(imagehash.phash(grey)), str(imagehash.phash(grey, hash_size=16))
            carried = _carried(image)
    except Exception as error:  # Pillow's plugins raise what they please
        yield f"its image cannot be decoded ({type(error).__name__})"
        return
    if size != (sample["width"], sample["height"]):
        yield f"its image is {size[0]} x {size[1]}, not {sample['width']} x {sample['height']}"
    if phash != sample["phash"]:
        yield f"the phash of its image is {phash}, not {sample['phash']}"
    if phash256 != sample["phash256"]:
        yield "the phash256 of its image is another"
    if carried:
        yield f"its image carries metadata ({', '.join(carried)})"


def _carried(image: Image.Image) -> list[str]:
    """What a decoded image says beside its pixels: where it was taken, and by whom, stands there."""
    found = {"exif", "xmp", "comment", "photoshop"} & image.info.keys()
    if image.getexif():
        found.add("exif")
    if getattr(image, "text", None):  # of a PNG
        found.add("text")
    # A JPEG as we store it has no segment but JFIF's own: whatever another holds, Pillow need not know it.
    return sorted(found or {name for name, _ in getattr(image, "applist", ()) if name != "APP0"})


def _row_problems(work: ShardWork, tar: str, stored: StoredSample, row: dict[str, Any] | None) -> Iterator[str]:
    """Where the Parquet row and the sample differ."""
    if row is None:
        yield "has no row"
        return
    try:
        same = to_json(row) == stored.json
    except (ValueError, TypeError):
        same = False
    if not same:
        yield "its row does not say what its JSON says"
    expected = {
        "split": work.split,
        "shard": tar,
        "offset": stored.offset,
        "size": len(stored.image),
        "format": work.form,
    }
    for name, value in expected.items():
        if row[name] != value:
            yield f"its {name} is {row[name]} in the row, and {value} in truth"
    if any(statement and statement["refuses"] for statement in row["rights"] or ()):
        yield "its rights evidence forbids what we do"
