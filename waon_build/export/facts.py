"""What is known of a release as a whole: what its card, its Croissant description and `release.json` say.

The three are written from one `Facts`, so that they cannot disagree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import waon_build
from waon_build.export.selection import Shard
from waon_build.export.shards import WrittenFile
from waon_build.recipe import Recipe
from waon_build.records import Counts
from waon_build.source_settings import CommonCrawlSource, SiteSource

FILE = "release.json"


class Provenance(NamedTuple):
    """How a release came about, as other rooms know it. funnel: one mapping a step, with `stage`, `unit`,
    `read`, `kept` and `dropped` (reason -> rows). guidelines: name -> version that annotators read.
    annotators: how many people judged. agreement: question -> measure between them."""

    funnel: Sequence[Mapping[str, Any]] = ()
    guidelines: Mapping[str, str] = {}
    annotators: int = 0
    agreement: Mapping[str, float] = {}


class Facts(NamedTuple):
    """One release. name, content and files are "" and () while its name is still to be found.
    content: the digest that the name comes from. format: of the images. shards: in order. files: their
    tars, Parquet files and counts. accepted: what became of the accepted pairs. tombstones: how many."""

    recipe: Recipe
    provenance: Provenance
    format: str
    shards: tuple[Shard, ...]
    accepted: Counts
    tombstones: int
    name: str = ""
    content: str = ""
    files: tuple[WrittenFile, ...] = ()

    @property
    def samples(self) -> dict[str, int]:
        """Split -> samples, of the splits that have any."""
        found: dict[str, int] = {}
        for shard in self.shards:
            found[shard.split] = found.get(shard.split, 0) + shard.samples
        return found

    @property
    def title(self) -> str:
        return " ".join((self.recipe.export.title or self.recipe.name).split())

    @property
    def homepage(self) -> str:
        """The web page of the dataset, or ""."""
        contact = self.recipe.fetch.contact or ""
        return self.recipe.export.homepage or (contact if contact.startswith(("http://", "https://")) else "")

    @property
    def published(self) -> str:
        """The date of publication (ISO 8601), or ""."""
        return self.recipe.export.published or ""


def release_json(facts: Facts) -> bytes:
    """`release.json`: the release in figures, for programs."""
    settings = facts.recipe.export
    data = {
        "name": facts.name,
        "content": facts.content,
        "corpus": facts.recipe.name,
        "language": facts.recipe.language,
        "format": facts.format,
        "samples": facts.samples,
        "shards": len(facts.shards),
        "samples_per_shard": settings.samples_per_shard,
        "splits": settings.splits,
        "seed": settings.seed,
        "accepted": facts.accepted.to_json(),
        "guidelines": dict(facts.provenance.guidelines),
        "tombstones": facts.tombstones,
        "software": f"waon_build {waon_build.__version__}",
    }
    return (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode()


def sources(recipe: Recipe) -> list[str]:
    """Where the candidates came from, in words; of local files only the name."""
    found = []
    for source in recipe.sources:
        if isinstance(source, SiteSource):
            found += [f"web site {seed}" for seed in source.seeds]
        elif isinstance(source, CommonCrawlSource):
            found += [f"Common Crawl {snapshot}, by {source.select} and {source.read}" for snapshot in source.snapshots]
        else:
            kind = "web archive (WARC)" if source.kind == "warc" else "table of URLs and captions"
            found += [f"{kind} {path if '://' in path else path.rsplit('/', 1)[-1]}" for path in source.paths]
    return found
