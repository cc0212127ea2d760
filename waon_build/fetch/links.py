"""The links of kept pairs: which there are, what was last found of each, and when it is asked for again.

A link is the address of an image, or of a page that shows it. Nothing here makes a request, and nothing
writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import NamedTuple

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from waon_build.corpus import Corpus
from waon_build.due import is_due
from waon_build.recipe import Recipe
from waon_build.records import EVIDENCE, Evidence

CHECK = pa.schema(
    [
        ("kind", pa.string()),
        ("url", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("http_status", pa.int32()),
        ("misses", pa.int32()),
        ("rights", EVIDENCE),
        ("checked_at", pa.string()),
    ]
)
"""One row a link that was asked again: what was found last."""


class Link(NamedTuple):
    """kind: `image` or `page`. since: when it was last known to be there, ISO 8601, or "". is_ours: a page that we
    crawled, so that its robots.txt was asked before it."""

    kind: str
    url: str
    since: str
    is_ours: bool = False


@dataclass(slots=True)
class Check:
    """What a link gave when it was asked again. status: `alive`, `dead`, `refused` (final) or `unknown`. misses:
    checks in a row that found nothing. rights: what it says of its use. checked_at: ISO 8601 UTC."""

    kind: str
    url: str
    status: str
    reason: str = ""
    http_status: int = 0
    misses: int = 0
    rights: list[Evidence] = field(default_factory=list)
    checked_at: str = ""


class Pauses:
    """When a link is asked for again."""

    def __init__(self, recipe: Recipe) -> None:
        self._after = timedelta(days=recipe.refresh.after_days)
        self._retry = timedelta(hours=recipe.fetch.retry_after_hours)

    def is_over(self, link: Link, before: Check | None) -> bool:
        """Whether `link` is to be asked now. before: what was found of it, if it was asked."""
        if before is None:
            return not link.since or is_due(link.since, self._after)
        if before.status == "refused":
            return False
        return is_due(before.checked_at, self._retry if before.status == "unknown" else self._after)


def parts_with_kept_pairs(corpus: Corpus) -> list[str]:
    """Names of the image parts that hold pairs which dedup keeps, sorted. None before dedup has run."""
    path = corpus.file("dedup", "clusters")
    return sorted(_kept(corpus.fs, path)) if path else []


def links_of(corpus: Corpus, part: str, pages: bool) -> list[Link]:
    """The distinct links of the kept pairs of one image part, by kind and address. pages: those of pages too.
    Raises InputError when a part is gone or damaged."""
    path = corpus.file("dedup", "clusters")
    kept = _kept(corpus.fs, path).get(part) if path else None
    if kept is None:
        return []
    columns = ["url", "page_url", "stored_in", "source", "captured_at"]
    rows = corpus.read("image", part, columns, filters=pc.field("pair_id").isin(kept)).to_pylist()
    fetched = _fetched_at(corpus, {(row["stored_in"], row["url"]) for row in rows})
    found: dict[tuple[str, str], Link] = {}
    for row in rows:
        since = fetched.get(row["url"], "")
        found.setdefault(("image", row["url"]), Link("image", row["url"], since))
        if pages and row["page_url"]:
            is_ours = row["source"].startswith("crawl/")
            page = found.get(("page", row["page_url"]), Link("page", row["page_url"], row["captured_at"] or since))
            found["page", page.url] = page._replace(is_ours=page.is_ours or is_ours)
    return [found[key] for key in sorted(found)]


def checks_of(corpus: Corpus, part: str) -> dict[tuple[str, str], Check]:
    """What was found so far, by kind and address."""
    if corpus.tally("recheck", part) is None:
        return {}
    rows = corpus.read("recheck", part).to_pylist()
    return {(row["kind"], row["url"]): Check(**row) for row in rows}


def _fetched_at(corpus: Corpus, places: Iterable[tuple[str, str]]) -> dict[str, str]:
    """When each URL was fetched. places: (fetch part, URL)."""
    urls: dict[str, list[str]] = {}
    for part, url in places:
        urls.setdefault(part, []).append(url)
    return {
        row["url"]: row["fetched_at"]
        for part, wanted in urls.items()
        for row in corpus.read(
            "fetch", part, ["url", "fetched_at"], filters=pc.field("url").isin(pa.array(wanted, pa.string()))
        ).to_pylist()
    }


@lru_cache(maxsize=1)
def _kept(fs: fsspec.AbstractFileSystem, path: str) -> dict[str, pa.Array]:
    """Image part -> pair_ids that dedup keeps of it. A data file carries its digest in its name: what was read
    from it once stays true."""
    with fs.open(path, "rb") as file:
        rows = pq.read_table(file, columns=["pair_id", "image_part"], filters=pc.field("canonical"))
    return dict(_runs(rows.sort_by("image_part").combine_chunks()))


def _runs(rows: pa.Table) -> Iterator[tuple[str, pa.Array]]:
    start = 0
    for run in pc.value_counts(rows["image_part"]).to_pylist():
        yield run["values"], rows["pair_id"].slice(start, run["counts"]).combine_chunks()
        start += run["counts"]
