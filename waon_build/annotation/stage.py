"""The stage `route`: every pair that dedup keeps becomes a task, and some of what was dropped does too.

The truth of the queue is in the database, not in this part: the part says what was put there. The
database's own id is in the fingerprint, so that a lost database is filled again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from waon_build.annotation.database import database_id, opened
from waon_build.annotation.models import Kind
from waon_build.annotation.routing import pair_ids, place, placed, put, retire, within
from waon_build.annotation.screened import screened_out
from waon_build.corpus import Corpus, Part, fingerprint
from waon_build.languages.categories import category
from waon_build.recipe import Recipe
from waon_build.records import PAIR, InputError, Tally
from waon_build.rights.tombstones import Tombstones

PART = "tasks"
ROUTED = pa.schema([("pair_id", pa.string()), ("kind", pa.string()), ("stratum", pa.string()), ("wave", pa.int32())])
"""A task in the queue: the place it has there."""

_SHOWN = [name for name in PAIR.names if name not in ("rights", "context", "licence_url", "source")]


class Route:
    """Tasks for all pairs that dedup keeps. One part, `tasks`."""

    name = "route"
    kind = "global"
    version = 1

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self._settings = recipe.annotation

    def inputs(self, corpus: Corpus) -> list[Part]:
        """The one part, once dedup has run. Reads tallies, and the id of the database.

        Raises InputError when the database cannot be opened."""
        clusters = corpus.tally("dedup", "clusters")
        if clusters is None:
            return []
        drops = sorted(
            tally.files["dropped"]
            for stage in ("image", "dedup")
            for tally in corpus.tallies(stage)
            if "dropped" in tally.files
        )
        with opened(self._recipe) as engine:
            # The same clusters may have been made from images that were stored anew, at other places.
            read = [clusters.fingerprint, clusters.digest, *drops]
            made_from = [database_id(engine), Tombstones.load(corpus).digest, *read]
        settings = self._settings.model_dump(include={"overlap", "screened_out_per_reason", "seed", "quotas"})
        return [Part(PART, clusters.part, fingerprint(self.name, self.version, settings, made_from))]

    def run(self, corpus: Corpus, part: Part) -> Tally:
        """Bring the queue in line with what dedup keeps. Raises InputError when a part it needs is gone."""
        now = datetime.now(UTC)
        overlap = self._settings.overlap
        kept = _kept(corpus, part.source)
        keep = pair_ids(name for chunk in kept["pair_id"].chunks for name in chunk.to_pylist())
        screened = screened_out(corpus, self._settings.screened_out_per_reason)
        twice = within(keep, [row["pair_id"] for row in screened])
        screened = [row for row, is_kept in zip(screened, twice, strict=True) if not is_kept]
        with opened(self._recipe) as engine, corpus.write(self.name, part, ROUTED) as writer:
            for pairs in _pairs(corpus, kept):
                put(engine, Kind.NORMAL, map(self._guessed, pairs), overlap, now, self._settings.seed)
            put(engine, Kind.SCREENED_OUT, map(self._guessed, screened), overlap, now, self._settings.seed)
            retire(engine, Kind.NORMAL, keep, now)
            retire(engine, Kind.SCREENED_OUT, pair_ids(row["pair_id"] for row in screened), now)
            place(engine, overlap, self._settings.quotas)
            for pair_id, kind, stratum, wave in placed(engine):
                row = {"pair_id": pair_id, "kind": kind, "stratum": stratum, "wave": wave}
                if kind == Kind.NORMAL:
                    writer.keep(row)
                else:
                    writer.count(kind).keep()
                    writer.append(row)
            return writer.commit()

    def _guessed(self, pair: dict[str, Any]) -> dict[str, Any]:
        """A pair with the category that its caption's words tell of: quotas steer by it until natives say."""
        return {**pair, "category": category(self._recipe.language, pair["caption"])}


def _kept(corpus: Corpus, clusters: str) -> pa.Table:
    """pair_id, image_part and cluster_id of the pairs that dedup keeps, by image_part."""
    columns = ["pair_id", "image_part", "cluster_id"]
    kept = corpus.read("dedup", clusters, columns=columns, filters=pc.field("canonical"))
    return kept.sort_by("image_part").combine_chunks()


def _pairs(corpus: Corpus, kept: pa.Table) -> Iterator[Iterator[dict[str, Any]]]:
    """The kept pairs, part by part. One that stands on several pages is the one with the smallest
    candidate_id, so that the order of pages does not matter."""
    start = 0
    for run in pc.value_counts(kept["image_part"]).to_pylist():
        image_part, wanted = run["values"], kept.slice(start, run["counts"])
        start += run["counts"]
        clusters = dict(zip(wanted["pair_id"].to_pylist(), wanted["cluster_id"].to_pylist(), strict=True))
        named = pc.field("pair_id").isin(pa.array(clusters, pa.string()))
        rows = corpus.read("image", image_part, columns=_SHOWN, filters=named).to_pylist()
        pages = {row["pair_id"]: row for row in sorted(rows, key=lambda row: str(row["candidate_id"]), reverse=True)}
        if len(pages) < len(clusters):
            raise InputError(
                f"{corpus.path('image', image_part)}: lacks {len(clusters) - len(pages)} of the pairs that dedup "
                "keeps: run the recipe again, so that dedup reads it anew"
            )
        yield ({**row, "cluster_id": clusters[name]} for name, row in sorted(pages.items()))
