"""The dedup stage: pairs of all parts -> one table that says which are kept, and of which cluster.

The one stage that looks at everything at once. It holds numbers only, some seventy bytes a pair: ids and
hashes as integers, never a caption or an address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from waon_build.corpus import SAMPLED_DROPS, Corpus, Part, PartWriter, fingerprint
from waon_build.dedup import evaluation
from waon_build.dedup.clusters import clusters
from waon_build.dedup.hamming import Indexes, near_pairs
from waon_build.dedup.phash import Hashes, distance, from_hex, to_hex
from waon_build.recipe import Recipe
from waon_build.records import CLUSTER, PAIR, Reason, Tally
from waon_build.rights.tombstones import Tombstones

PART = "clusters"

DUPLICATE_PAIR = Reason(
    "duplicate_pair",
    stage="dedup",
    what="The same image with the same caption again.",
    why="It is the same pair, found on another page.",
)
SAME_IMAGE = Reason(
    "same_image",
    stage="dedup",
    what="An image with the same perceptual hashes as its cluster's canonical member, under another caption.",
    why="One picture counts once; the canonical member is the best of them.",
    setting="dedup.keep_per_cluster",
    source="WAON keeps one pair a perceptual hash",
)
NEAR_DUPLICATE_IMAGE = Reason(
    "near_duplicate_image",
    stage="dedup",
    what="An image within `dedup.radius` of 64 bits and `dedup.second_radius` of 256 bits of another in its cluster.",
    why="It is the same picture, scaled, compressed or retouched.",
    setting="dedup.radius dedup.second_radius dedup.max_diameter",
    source="Measured: of benign edits, radius 0 finds 62 %, 4 finds 81 %, 8 finds 90 %, 10 finds 93 %",
)
IN_EVALUATION_SET = Reason(
    "in_evaluation_set",
    stage="dedup",
    what="An image within `dedup.radius` of 64 bits of one in `dedup.evaluation_sets`.",
    why="A model must not be trained on what it is measured by. No second look: a false alarm costs one pair.",
    setting="dedup.evaluation_sets",
)
TAKEN_DOWN = Reason(
    "taken_down",
    stage="dedup",
    what="A pair that a tombstone covers.",
    why="Somebody asked for it to be taken out, and it never comes back.",
)


@dataclass
class _Pairs:
    """The distinct pairs, one entry each, in order of pair_id. part: index into `parts`."""

    ids: Hashes
    phash: Hashes
    phash256: Hashes
    area: npt.NDArray[np.int64]
    caption: npt.NDArray[np.int64]
    """Length, characters."""
    part: npt.NDArray[np.int32]
    parts: list[str]


class Dedup:
    """Which pairs are kept. See `waon_build.corpus.Stage`.

    frozen: gives the ids of pairs that have been annotated or released: they stay canonical for ever.
    """

    name = "dedup"
    kind = "global"
    version = 1

    def __init__(self, recipe: Recipe, frozen: Callable[[], set[str]] = set) -> None:
        self.settings = recipe.dedup
        self.options = recipe.runtime.storage_options
        self.frozen = frozen

    def inputs(self, corpus: Corpus) -> list[Part]:
        """One part, when there are pairs. Raises InputError for an evaluation set that cannot be read."""
        tallies = corpus.tallies("image")
        if not tallies:
            return []
        digests = [self._evaluation_set(path)[1] for path in self.settings.evaluation_sets]
        settings = self.settings.model_dump(exclude={"evaluation_sets"})
        made_from = [*digests, Tombstones.load(corpus).digest, *(tally.digest for tally in tallies)]
        return [Part(PART, "image", fingerprint(self.name, self.version, settings, made_from))]

    def run(self, corpus: Corpus, part: Part) -> Tally:
        """Make the table."""
        with corpus.write(self.name, part, CLUSTER, dropped=PAIR) as writer:
            pairs, withdrawn, repeated = self._read(corpus)
            leader, canonical, reason = self._judge(pairs, withdrawn)
            rows = writer.rows
            rows.read = len(pairs.ids) + int(repeated.sum())
            rows.kept = int(canonical.sum())
            for why in np.unique(reason[~canonical]):
                rows.dropped[_REASONS[why]] += int((reason[~canonical] == why).sum())
            if repeated.sum():
                rows.dropped[DUPLICATE_PAIR] += int(repeated.sum())
            self._sample(corpus, writer, pairs, canonical, reason)
            for start in range(0, len(pairs.ids), 100_000):
                piece = slice(start, start + 100_000)
                writer.append_table(_table(pairs, leader, canonical, reason, piece))
            return writer.commit()

    # --- reading

    def _read(self, corpus: Corpus) -> tuple[_Pairs, npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """The distinct pairs of all parts; which of them a tombstone covers; how often each was repeated."""
        stones = Tombstones.load(corpus)
        parts = corpus.parts("image")
        columns = ["pair_id", "phash", "phash256", "original_width", "original_height", "caption"]
        covered = ["url", "page_url", "sha256"] if stones.stones else []
        pieces: list[tuple[Any, ...]] = []
        for index, name in enumerate(parts):
            table = corpus.read("image", name, columns + covered)
            if table.num_rows:
                pieces.append(_numbers(table, index, stones))
        if not pieces:
            empty = np.empty(0, np.int64)
            none = _Pairs(
                from_hex([]), from_hex([]), np.empty((0, 4), np.uint64), empty, empty, empty.astype(np.int32), parts
            )
            return none, np.empty(0, bool), empty
        ids, phash, phash256, area, caption, part, withdrawn = (
            np.concatenate(column) for column in zip(*pieces, strict=True)
        )
        # The first of equal ids, by part, then row: np.unique's index is that of the first.
        ids, first, times = np.unique(ids, return_index=True, return_counts=True)
        pairs = _Pairs(ids, phash[first], phash256[first], area[first], caption[first], part[first], parts)
        gone = np.zeros(len(ids), bool)
        gone[np.searchsorted(ids, np.concatenate([piece[0] for piece in pieces])[withdrawn])] = True
        return pairs, gone, times - 1

    def _evaluation_set(self, path: str) -> tuple[Hashes, str]:
        return evaluation.read(path, self.options)

    # --- judging

    def _judge(self, pairs: _Pairs, withdrawn: npt.NDArray[np.bool_]) -> tuple[Indexes, Any, Any]:
        """The cluster leader, whether it is kept, and the code of the reason when not, of each pair."""
        count = len(pairs.ids)
        reason = np.zeros(count, np.int8)
        reason[self._evaluated(pairs.phash)] = _CODES[IN_EVALUATION_SET]
        reason[withdrawn] = _CODES[TAKEN_DOWN]
        free = np.flatnonzero(reason == 0)
        leader = np.arange(count)
        frozen = np.isin(pairs.ids, from_hex(sorted(self.frozen())))
        rank = _rank(pairs, frozen)
        leader[free] = free[_same_pictures(pairs, free, rank[free], self.settings)]
        order = free[np.lexsort((rank[free], leader[free]))]
        place = _place_in_group(leader[order])
        canonical = np.zeros(count, bool)
        canonical[order] = (place < self.settings.keep_per_cluster) | frozen[order]
        dropped = free[~canonical[free]]
        same = (pairs.phash[dropped] == pairs.phash[leader[dropped]]) & (
            (pairs.phash256[dropped] == pairs.phash256[leader[dropped]]).all(axis=1)
        )
        reason[dropped] = np.where(same, _CODES[SAME_IMAGE], _CODES[NEAR_DUPLICATE_IMAGE])
        return leader, canonical, reason

    def _evaluated(self, phash: Hashes) -> npt.NDArray[np.bool_]:
        """Whether each hash is within the radius of one in the evaluation sets."""
        found = np.zeros(len(phash), bool)
        sets = [self._evaluation_set(path)[0] for path in self.settings.evaluation_sets]
        if not sets or not len(phash):
            return found
        wanted = np.unique(np.concatenate(sets))
        distinct = np.unique(np.concatenate([phash, wanted]))
        first, second = near_pairs(distinct, self.settings.radius)
        known = np.isin(distinct, wanted)
        near = known.copy()
        near[first[known[second]]] = True
        near[second[known[first]]] = True
        return np.isin(phash, distinct[near])

    # --- showing

    def _sample(self, corpus: Corpus, writer: PartWriter, pairs: _Pairs, canonical: Any, reason: Any) -> None:
        """A few dropped pairs of each reason, whole, with the smallest ids: ids are digests, so without bias."""
        for code in np.unique(reason[~canonical]):
            for at in np.flatnonzero((reason == code) & ~canonical)[:SAMPLED_DROPS]:
                name = pairs.parts[pairs.part[at]]
                wanted = to_hex(pairs.ids[at : at + 1])[0]
                rows = corpus.read("image", name, filters=pc.field("pair_id") == wanted).slice(0, 1).to_pylist()
                writer.sample(rows[0], _REASONS[code])


_REASONS = ["", SAME_IMAGE, NEAR_DUPLICATE_IMAGE, IN_EVALUATION_SET, TAKEN_DOWN]
_CODES = {reason: code for code, reason in enumerate(_REASONS)}


def _numbers(table: pa.Table, index: int, stones: Tombstones) -> tuple[Any, ...]:
    """The columns of one part as arrays."""
    area = table["original_width"].to_numpy().astype(np.int64) * table["original_height"].to_numpy()
    ids = from_hex(table["pair_id"].to_pylist())
    withdrawn = np.zeros(len(ids), bool)
    if stones.stones:
        names = ["url", "page_url", "pair_id", "sha256", "phash"]
        withdrawn[:] = [stones.covers(**row) for row in table.select(names).to_pylist()]
    return (
        ids,
        from_hex(table["phash"].to_pylist()),
        from_hex(table["phash256"].to_pylist()),
        area,
        pc.utf8_length(table["caption"]).to_numpy().astype(np.int64),
        np.full(len(ids), index, np.int32),
        withdrawn,
    )


def _rank(pairs: _Pairs, frozen: npt.NDArray[np.bool_]) -> Indexes:
    """0 for the best: what people have seen, then the largest picture, then the longest caption, then the
    smallest id."""
    rank = np.empty(len(pairs.ids), np.int64)
    rank[np.lexsort((pairs.ids, -pairs.caption, -pairs.area, ~frozen))] = np.arange(len(pairs.ids))
    return rank


def _same_pictures(pairs: _Pairs, free: Indexes, rank: Indexes, settings: Any) -> Indexes:
    """The best member of the cluster of each of `free`, as an index into `free`."""
    if not len(free):
        return free
    words = np.column_stack([pairs.phash[free], pairs.phash256[free]])
    pictures, which = np.unique(words, axis=0, return_inverse=True)
    best = np.full(len(pictures), len(free), np.int64)
    by_rank = np.argsort(rank)
    best[which[by_rank[::-1]]] = by_rank[::-1]  # written last, so kept: the smallest rank
    hashes, whole = np.ascontiguousarray(pictures[:, 0]), np.ascontiguousarray(pictures[:, 1:])
    first, second = (np.concatenate(column) for column in zip(*_looked_at(hashes, settings.radius), strict=True))
    same = distance(whole[first], whole[second]) <= settings.second_radius
    leader = clusters(hashes, (first[same], second[same]), rank[best], settings.max_diameter)
    found: Indexes = best[leader][which]
    return found


def _looked_at(hashes: Hashes, radius: int) -> Iterator[tuple[Indexes, Indexes]]:
    """Pairs of pictures within the radius. hashes: sorted, with repeats (pictures that only the second
    look tells apart)."""
    distinct, start, size = np.unique(hashes, return_index=True, return_counts=True)
    first, second = near_pairs(distinct, radius)
    alone = (size[first] == 1) & (size[second] == 1)
    yield start[first[alone]], start[second[alone]]
    for i, j in zip(first[~alone], second[~alone], strict=True):
        left, right = np.arange(start[i], start[i] + size[i]), np.arange(start[j], start[j] + size[j])
        yield np.repeat(left, len(right)), np.tile(right, len(left))
    for i in np.flatnonzero(size > 1):
        left, right = np.triu_indices(size[i], 1)
        yield start[i] + left, start[i] + right


def _place_in_group(groups: Indexes) -> Indexes:
    """0, 1, 2, ... within each run of equal values."""
    starts = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]]) if len(groups) else np.empty(0, np.int64)
    return np.arange(len(groups)) - np.repeat(starts, np.diff(np.r_[starts, len(groups)]))


def _table(pairs: _Pairs, leader: Indexes, canonical: Any, reason: Any, piece: slice) -> pa.Table:
    words = np.array([str(one) for one in _REASONS])
    return pa.table(
        {
            "pair_id": to_hex(pairs.ids[piece]),
            "image_part": [pairs.parts[at] for at in pairs.part[piece]],
            "cluster_id": to_hex(pairs.ids[leader[piece]]),
            "canonical": canonical[piece],
            "reason": words[reason[piece]],
        }
    )
