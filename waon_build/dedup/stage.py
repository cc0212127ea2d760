"""The stage `dedup`: pairs of all parts -> one table that says of each which is kept, and in which cluster.

It looks at everything at once, so it holds numbers only (`pairs.py`): 240 bytes a pair at most, measured,
and 8 more for each two looks that are near (a picture stored in a thousand ways has half a million).
What is the same picture is said by `looks.py` and `clusters.py`; here is said which pair of a cluster
stays, and why the others go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from waon_build.corpus import Corpus, Part, fingerprint
from waon_build.dedup import evaluation
from waon_build.dedup.clusters import Diameter, clusters
from waon_build.dedup.hamming import Indexes, IndexPairs, Words
from waon_build.dedup.looks import Flags, Looks, same_picture_chunks
from waon_build.dedup.pairs import Pairs, read_pairs
from waon_build.dedup.phash import from_hex, to_hex
from waon_build.dedup.runs import first_of_each, starts_of_runs
from waon_build.part_writer import SAMPLED_DROPS
from waon_build.recipe import Recipe
from waon_build.records import CLUSTER, PAIR, InputError, Reason, Tally
from waon_build.rights.tombstones import Tombstones

PART: Final = "clusters"

DUPLICATE_PAIR = Reason(
    "duplicate_pair",
    stage="dedup",
    what="The same image with the same caption again.",
    why="It is the same pair, found on another page.",
)
SAME_IMAGE = Reason(
    "same_image",
    stage="dedup",
    what="The image of its cluster's canonical pair, byte for byte, under another caption.",
    why="One picture counts once; the canonical pair is the best of them.",
    setting="dedup.keep_per_cluster",
    source="WAON keeps one pair a perceptual hash",
)
NEAR_DUPLICATE_IMAGE = Reason(
    "near_duplicate_image",
    stage="dedup",
    what="An image within both radii of another in its cluster, by 64 and by 256 bits of its perceptual hash.",
    why="It is the same picture, scaled, compressed or retouched.",
    setting="dedup.radius dedup.second_radius dedup.max_diameter",
    source="Measured: 99.5 % of benign edits of photographs are within 8 and 30 bits; no two different ones were",
)
IN_EVALUATION_SET = Reason(
    "in_evaluation_set",
    stage="dedup",
    what="An image within both radii of one in a benchmark (within the first alone, where its list has 64 bits).",
    why="A model must not be trained on what it is measured by.",
    setting="dedup.evaluation_sets",
    source="COYO-700M, DataComp: deduplicated against evaluation sets",
)
TAKEN_DOWN = Reason(
    "taken_down",
    stage="dedup",
    what="A pair that a tombstone covers, on any of the pages it stands on.",
    why="What was withdrawn never comes back.",
    source="tombstones.jsonl",
)

_WORDS: Final = ("", SAME_IMAGE, NEAR_DUPLICATE_IMAGE, IN_EVALUATION_SET, TAKEN_DOWN)
_CODES: Final = {word: code for code, word in enumerate(_WORDS)}
_BATCH: Final = 100_000


class Dedup:
    """The stage `dedup`. One part, `clusters`, of schema CLUSTER: a row a distinct pair, cluster by cluster, the best
    pair of each first.

    frozen: gives the ids of pairs that have been annotated or released: they are kept, whatever comes, and
    lead their cluster. They are no part of the fingerprint: an annotation makes nothing anew by itself.

    The fingerprint is RULES-INPUTS: settings and evaluation sets, then image parts and tombstones."""

    name = "dedup"
    kind = "global"
    version = 2

    def __init__(self, recipe: Recipe, frozen: Callable[[], set[str]] = set) -> None:
        self.settings = recipe.dedup
        self._options = recipe.runtime.storage_options
        self._threads = recipe.runtime.workers
        self._frozen = frozen

    def inputs(self, corpus: Corpus) -> list[Part]:
        """The one part, when there are image parts. Raises InputError for an evaluation set that is not there."""
        tallies = corpus.tallies("image")
        if not tallies and corpus.tally(self.name, PART) is None:
            return []
        made_from = [Tombstones.load(corpus).digest, *(f"{tally.part} {tally.digest}" for tally in tallies)]
        return [Part(PART, "image", f"{self._rules()}-{fingerprint(self.name, self.version, [], made_from)}")]

    def check_rules(self, corpus: Corpus) -> None:
        """Raise InputError when the table was made by other settings or evaluation sets than the recipe has now. What
        came in or was withdrawn since is no matter here: who releases looks at each pair."""
        table = corpus.tally(self.name, PART)
        if table is not None and table.fingerprint.partition("-")[0] != self._rules():
            raise InputError(
                f"{corpus.path(self.name, PART)}: was made by other `dedup` settings or evaluation sets than the "
                "recipe has now: run the recipe (`waon-build run`), so that nothing is released that they keep out"
            )

    def _rules(self) -> str:
        """A digest of what the table is made by."""
        lists = [evaluation.digest(path, self._options) for path in self.settings.evaluation_sets]
        settings = self.settings.model_dump(exclude={"evaluation_sets"})
        return fingerprint(self.name, self.version, settings, lists)

    def run(self, corpus: Corpus, part: Part) -> Tally:
        """Make the table anew, over all image parts there are. Raises InputError when one is damaged."""
        parts = corpus.tallies("image")
        rows = read_pairs(corpus, parts, Tombstones.load(corpus))
        ids, places = rows.pair_id, _Places.of(parts)
        ranked, looks = _ranked(rows, self._frozen())
        # All but the ids: what was read is the larger part of what is held, and has served.
        del rows
        judged = self._judged(ranked, *self._clustered(looks))
        del looks, ranked
        with corpus.write(self.name, part, CLUSTER, dropped=PAIR) as writer:
            repeated = np.ones(len(ids), np.bool_)
            repeated[judged.row] = False
            counts = np.bincount(judged.reason, minlength=len(_WORDS))
            writer.rows.read, writer.rows.kept = len(ids), int(counts[0])
            for word, count in zip((DUPLICATE_PAIR, *_WORDS[1:]), (repeated.sum(), *counts[1:]), strict=True):
                if count:
                    writer.rows.dropped[str(word)] = int(count)
            for reason, at in _samples(ids, judged, np.flatnonzero(repeated)):
                writer.sample(places.row(corpus, at), reason)
            for start in range(0, len(judged.row), _BATCH):
                writer.append_table(_table(ids, judged, places, slice(start, start + _BATCH)))
            return writer.commit()

    def _clustered(self, looks: Looks) -> tuple[Indexes, Flags]:
        """The best look of the cluster of each, and whether it is that of a picture in an evaluation set."""
        settings = self.settings
        n = len(looks.phash)
        listed = [evaluation.read_looks(path, self._options) for path in settings.evaluation_sets]
        # Both are one search: what is found between corpus and lists excludes, what is found within links.
        together = looks.with_all(listed) if listed else looks
        excluded = np.zeros(n, np.bool_)

        def links() -> Iterator[IndexPairs]:
            for i, j in same_picture_chunks(together, settings.radius, settings.second_radius, self._threads):
                excluded[i[(i < n) & (j >= n)]] = True
                yield i[j < n], j[j < n]

        return clusters(looks, links(), Diameter(settings.max_diameter, 2 * settings.second_radius)), excluded

    def _judged(self, ranked: _Ranked, best: Indexes, excluded: Flags) -> _Judged:
        """What becomes of each pair. best, excluded: as `_clustered` gives them, by look."""
        cluster = best[ranked.look]
        reason = np.zeros(len(cluster), np.int8)
        reason[excluded[ranked.look]] = _CODES[IN_EVALUATION_SET]
        reason[ranked.withdrawn] = _CODES[TAKEN_DOWN]
        order = np.argsort(cluster, kind="stable")
        judged = _Judged(ranked.row[order], cluster[order], reason[order])
        _keep(judged, ranked.image[order], ranked.frozen[order], self.settings.keep_per_cluster)
        return judged


class _Ranked(NamedTuple):
    """Distinct pairs, the best first. row: of the image parts, the first that has it. image, look: their
    numbers; equal bytes are one image, equal hashes one look."""

    row: Indexes
    image: Indexes
    look: Indexes
    frozen: Flags
    withdrawn: Flags


class _Judged(NamedTuple):
    """Distinct pairs, cluster by cluster, the best first. row: of the image parts. cluster: equal within one.
    reason: index into _WORDS."""

    row: Indexes
    cluster: Indexes
    reason: NDArray[np.int8]


def _ranked(rows: Pairs, frozen_ids: set[str]) -> tuple[_Ranked, Looks]:
    """The distinct pairs, and the looks that their `look` numbers.

    In order: what people have judged, the largest picture served, most bytes stored, the longest caption,
    the smallest id. From here on everything is numbered from the best: pairs, images, looks."""
    number, row = first_of_each(rows.pair_id)
    withdrawn = np.zeros(len(row), np.bool_)
    withdrawn[number[rows.withdrawn]] = True
    del number
    frozen = np.isin(rows.pair_id[row], from_hex(pa.array(sorted(frozen_ids), pa.string()))[:, 0])
    order = np.lexsort((rows.pair_id[row], -rows.caption[row], -rows.size[row], -rows.area[row], ~frozen))
    row, frozen, withdrawn = row[order], frozen[order], withdrawn[order]
    image, best = first_of_each(*rows.sha256[row].T)
    of_images = rows.looks.take(row[best])
    look, best = _look_of_each(of_images)
    return _Ranked(row, image, look[image], frozen, withdrawn), of_images.take(best)


def _look_of_each(looks: Looks) -> tuple[Indexes, Indexes]:
    """Equal looks as one, as `first_of_each` does. One that tells nothing is equal to no other."""
    own = np.where(looks.telling(), np.uint64(0), np.arange(1, len(looks.phash) + 1, dtype=np.uint64))
    return first_of_each(*looks.phash256.T, looks.phash, own)


def _keep(judged: _Judged, image: Indexes, frozen: Flags, most: int) -> None:
    """Give a reason to all pairs that have none yet, but the best `most` of each cluster and the frozen."""
    free = np.flatnonzero(judged.reason == 0)
    starts = starts_of_runs(len(free), [judged.cluster[free]])
    first = np.repeat(starts, np.diff(starts, append=len(free)))
    dropped = (np.arange(len(free)) - first >= most) & ~frozen[free]
    same = image[free] == image[free[first]]
    judged.reason[free[dropped]] = np.where(same[dropped], _CODES[SAME_IMAGE], _CODES[NEAR_DUPLICATE_IMAGE])


def _samples(ids: Words, judged: _Judged, repeated: Indexes) -> Iterator[tuple[str, int]]:
    """Of each reason the rows with the smallest ids, which are digests: a sample without chance or bias."""
    dropped: Iterable[tuple[str, Indexes]] = (
        (word, judged.row[judged.reason == code]) for code, word in enumerate(_WORDS) if word
    )
    for word, at in ((DUPLICATE_PAIR, repeated), *dropped):
        few = at[np.lexsort((at, ids[at]))[:SAMPLED_DROPS]]
        yield from ((word, int(one)) for one in few)


class _Places(NamedTuple):
    """Where rows are. names: of parts. ends: the number of rows up to each part's last."""

    names: pa.Array
    ends: Indexes

    @classmethod
    def of(cls, parts: list[Tally]) -> _Places:
        ends = np.cumsum([tally.rows.kept for tally in parts])
        return cls(pa.array([tally.part for tally in parts], pa.string()), ends)

    def part_of(self, rows: Indexes) -> Indexes:
        return np.searchsorted(self.ends, rows, side="right")

    def row(self, corpus: Corpus, at: int) -> dict[str, Any]:
        """One row, whole."""
        part = int(np.searchsorted(self.ends, at, side="right"))
        table = corpus.read("image", self.names[part].as_py(), PAIR.names)
        found: dict[str, Any] = table.slice(at - int(self.ends[part]) + len(table), 1).to_pylist()[0]
        return found


def _table(ids: Words, judged: _Judged, places: _Places, piece: slice) -> pa.Table:
    """A piece of the table. A cluster is called as its best pair is."""
    row, reason = judged.row[piece], judged.reason[piece]
    # Clusters lie in runs, and the name of one that began in an earlier piece is found there.
    lead = np.searchsorted(judged.cluster, judged.cluster[piece])
    return pa.table(
        {
            "pair_id": to_hex(ids[row]),
            "image_part": places.names.take(pa.array(places.part_of(row))),
            "cluster_id": to_hex(ids[judged.row[lead]]),
            "canonical": reason == 0,
            "reason": pa.array([str(word) for word in _WORDS]).take(pa.array(reason)),
        }
    )
