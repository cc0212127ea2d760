"""All pairs of a corpus as numbers: what dedup judges by, ninety bytes a pair, no caption and no address.

Reads the image parts column by column. Which pairs a tombstone covers is found here too, while their
addresses are at hand. Nothing here judges.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from waon_build.corpus import Corpus
from waon_build.dedup.hamming import Words
from waon_build.dedup.looks import Flags, Looks
from waon_build.dedup.phash import from_hex
from waon_build.records import InputError, Tally
from waon_build.rights.tombstones import RADIUS, Tombstones

_READERS: Final = 8
"""Parts read at once: an object store answers slowly, and many questions at a time."""
_COLUMNS: Final = ("pair_id", "sha256", "phash", "phash256", "original_width", "original_height", "size", "caption")
_ADDRESSES: Final = ("url", "page_url")


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows of the image parts, n of each, in the order of parts and rows.

    sha256: its first 128 bits, shape (n, 2). looks: of the image. area: of the image served, pixels.
    size: of the stored image, bytes. caption: its length, characters. withdrawn: a tombstone covers it.
    """

    pair_id: Words
    sha256: Words
    looks: Looks
    area: NDArray[np.int64]
    size: NDArray[np.int32]
    caption: NDArray[np.int32]
    withdrawn: Flags


def read_pairs(corpus: Corpus, parts: list[Tally], stones: Tombstones) -> Pairs:
    """The rows of the image parts. Raises InputError when one of them is gone or damaged."""
    n = sum(tally.rows.kept for tally in parts)
    looks = Looks.of(np.zeros(n, np.uint64), np.zeros((n, 4), np.uint64))
    ids, sha256 = np.zeros(n, np.uint64), np.zeros((n, 2), np.uint64)
    area, size, caption = np.zeros(n, np.int64), np.zeros(n, np.int32), np.zeros(n, np.int32)
    pairs = Pairs(ids, sha256, looks, area, size, caption, np.zeros(n, np.bool_))
    ends = accumulate(tally.rows.kept for tally in parts)
    with ThreadPoolExecutor(_READERS) as pool:
        # Memory is bounded: a part is a few thousand rows, and there are as many at a time as readers.
        list(pool.map(partial(_fill, pairs, corpus, stones), parts, ends))
    return pairs


def _fill(pairs: Pairs, corpus: Corpus, stones: Tombstones, part: Tally, end: int) -> None:
    """Put the rows of one part where they belong: up to `end`."""
    by_address = any(stone.kind in ("url", "host") for stone in stones.stones)
    table = corpus.read("image", part.part, [*_COLUMNS, *(_ADDRESSES if by_address else ())])
    where = f"{corpus.path('image', part.part)}.tally.json"
    if len(table) != part.rows.kept:
        raise InputError(f"{where}: tells of {part.rows.kept} rows, and there are {len(table)}: delete it, run again")
    rows = slice(end - len(table), end)
    try:
        pairs.pair_id[rows] = from_hex(table["pair_id"])[:, 0]
        pairs.sha256[rows] = from_hex(table["sha256"], 4)[:, :2]
        pairs.looks.phash[rows] = from_hex(table["phash"])[:, 0]
        pairs.looks.phash256[rows] = from_hex(table["phash256"], 4)
    except ValueError as error:
        raise InputError(f"{where}: a hash in {error}: delete it and run again to redo this part") from error
    width, height = (table[name].to_numpy().astype(np.int64) for name in ("original_width", "original_height"))
    pairs.area[rows] = width * height
    pairs.size[rows] = table["size"].to_numpy()
    pairs.caption[rows] = pc.utf8_length(table["caption"]).to_numpy()
    if stones.stones:
        pairs.withdrawn[rows] = _covered(table, pairs.looks.phash[rows], stones)


def _covered(table: pa.Table, phash: Words, stones: Tombstones) -> Flags:
    """Which rows a tombstone covers: what `stones.covers` says of each, a column at a time."""
    covered = np.zeros(len(table), np.bool_)
    for kind in ("pair_id", "sha256"):
        values = pa.array([stone.value for stone in stones.stones if stone.kind == kind], pa.string())
        covered |= pc.is_in(table[kind], value_set=values).to_numpy()
    for stone in stones.stones:
        if stone.kind == "phash":
            covered |= np.bitwise_count(phash ^ np.uint64(int(stone.value, 16))) <= RADIUS
    for name in set(_ADDRESSES) & set(table.column_names):
        distinct = pc.fill_null(table[name], "").unique()
        gone = [address for address in distinct.to_pylist() if stones.covers(url=address)]
        covered |= pc.is_in(table[name], value_set=pa.array(gone, pa.string())).to_numpy()
    return covered
