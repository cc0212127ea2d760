"""Chooses dropped pairs for natives to judge, so that each filter is measured by the people it serves.

A few of each reason of the `image` and `dedup` stages, out of the samples that their parts keep: always
those with the smallest digest, so that a second look at the same drops chooses the same. Only pairs
whose image is here can be shown, and nothing that was taken down is.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pyarrow.compute as pc

from waon_build.batches import images_of
from waon_build.corpus import Corpus
from waon_build.records import IMAGE_IN_PAIR, digest16, pair_id
from waon_build.rights.tombstones import Tombstones

TRIED = 5
"""Samples looked at for each one wanted: not every dropped row has an image."""

Row = dict[str, Any]


def screened_out(corpus: Corpus, per_reason: int) -> list[Row]:
    """Dropped pairs to judge, `per_reason` of each reason at most, by pair_id.

    Rows have the columns of PAIR, `cluster_id` and `screened_by` (`stage.reason`).
    """
    if per_reason == 0:
        return []
    tombstones = Tombstones.load(corpus)
    chosen: dict[str, Row] = {}
    for stage, located in (("image", _with_image), ("dedup", _with_cluster)):
        for reason, samples in sorted(_samples(corpus, stage).items()):
            found = 0
            for sample in samples[: TRIED * per_reason]:
                row = located(corpus, sample)
                if row is not None and row["pair_id"] not in chosen and not _is_covered(tombstones, row):
                    chosen[row["pair_id"]] = {**row, "screened_by": f"{stage}.{reason}"}
                    found += 1
                if found == per_reason:
                    break
    return [chosen[name] for name in sorted(chosen)]


def _is_covered(tombstones: Tombstones, row: Row) -> bool:
    return tombstones.covers(**{name: row[name] or "" for name in ("url", "page_url", "pair_id", "sha256", "phash")})


def _samples(corpus: Corpus, stage: str) -> dict[str, list[Row]]:
    """The sampled drops of a stage by reason, in the order of their digests."""
    samples: dict[str, list[tuple[str, Row]]] = defaultdict(list)
    for tally in corpus.tallies(stage):
        if "dropped" in tally.files:
            for row in corpus.read(stage, tally.part, role="dropped").to_pylist():
                key = digest16(str(row["candidate_id"]))
                samples[row["reason"]].append((key, {**row, "part": tally.part}))
    return {
        reason: [row for _, row in sorted(rows, key=lambda entry: (entry[0], entry[1]["part"]))]
        for reason, rows in samples.items()
    }


def _with_image(corpus: Corpus, candidate: Row) -> Row | None:
    """A candidate that the image filter dropped, as a pair; None when its image is not here."""
    images = images_of(corpus, candidate["part"])
    here = images.filter((pc.field("url") == candidate["url"]) & (pc.field("status") == "ok")).to_pylist()
    if not here:
        return None
    image = {name: here[0][name] for name in IMAGE_IN_PAIR}
    return {**candidate, **image, "pair_id": pair_id(image["sha256"], candidate["caption"]), "cluster_id": ""}


def _with_cluster(corpus: Corpus, duplicate: Row) -> Row | None:
    """A pair that dedup dropped, with its cluster."""
    named = pc.field("pair_id") == duplicate["pair_id"]
    rows = corpus.read("dedup", duplicate["part"], columns=["cluster_id"], filters=named).to_pylist()
    return {**duplicate, "cluster_id": rows[0]["cluster_id"]} if rows else None
