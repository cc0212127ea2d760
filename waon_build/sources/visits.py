"""The visits to one site: those there were, whether it is time for another, and what they know of its pages.

Each visit is a part of its own (`ORIGIN`, then `ORIGIN-0002`), of pages that no earlier one has, so that what
was planned, clustered and judged of an earlier visit stays as it is. Only a visit that brought no page is
made again under its own name.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, NamedTuple

import pyarrow as pa

from waon_build.corpus import Corpus, Part
from waon_build.due import is_due
from waon_build.records import InputError, Reason, Tally
from waon_build.sources.links import same_site
from waon_build.sources.page_archive import INFO_BYTES, written_at

PAGE_UNCHANGED = Reason(
    "page_unchanged",
    stage="crawl",
    what="A page that an earlier visit took: its bytes are the same, or its server says so (304).",
    why="What it shows is in the corpus already.",
    setting="sources.recrawl_after_days",
    source="RFC 9110, section 13",
)

PAGE: Final = pa.schema(
    [
        ("url", pa.string()),
        ("final_url", pa.string()),
        ("status", pa.int32()),
        ("reason", pa.string()),
        ("retryable", pa.bool_()),
        ("depth", pa.int32()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("etag", pa.string()),
        ("last_modified", pa.string()),
    ]
)
"""One row for each address asked, in the order of the crawl. status: HTTP, 0 when there was none. reason:
"" for a page in the WARC. depth: links from a seed or sitemap. bytes, sha256: of the decoded body; so the part's
digest changes with any page. etag, last_modified: as its server sent them, to ask by the next time."""

AGAIN: Final = "-again"
"""Ends the fingerprint of a visit that came to nothing: it is not current, and the next run makes it again."""
_LATER: Final = re.compile(r"-\d{4}$")


class Page(NamedTuple):
    """What is known of a page that was taken. url: where it lies, after redirects."""

    url: str
    sha256: str
    etag: str
    last_modified: str

    @property
    def conditions(self) -> dict[str, str]:
        """The headers that ask for it only if it has changed."""
        asked = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in asked.items() if value}


@dataclass
class Known:
    """What earlier visits know of a site. pages: by their address. asked: the same, by the address that was asked
    and led there. by_depth: the addresses to ask again, those of pages and those that failed for a passing cause.
    refused: addresses that are never asked again."""

    pages: dict[str, Page] = field(default_factory=dict)
    asked: dict[str, Page] = field(default_factory=dict)
    by_depth: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    refused: set[str] = field(default_factory=set)


def site_of(part: str) -> str:
    """The part of the first visit to the site that `part` is a visit to."""
    return _LATER.sub("", part)


def brought_pages(visit: Tally) -> bool:
    """Whether there is anything to extract of a visit. The first one counts, whatever it brought."""
    return visit.rows.kept > 0 or site_of(visit.part) == visit.part


def scope_of(made_from: str) -> str:
    """The seeds and limits (as a digest) of a visit, by its fingerprint."""
    return made_from.partition("-")[0]


def visits_wanted(corpus: Corpus, first: Part, visits: Iterable[Tally], pause: timedelta | None) -> list[Part]:
    """The visits there should be to one site: those there were, and another when it is time for one.

    first: the first of them; its fingerprint is the digest of seeds and limits. visits: those committed, in order.
    pause: between two; None for ever. Raises InputError when the pages of the last one cannot be read."""
    parts = [Part(visit.part, first.source, visit.fingerprint) for visit in visits]
    if not parts:
        return [first]
    last = list(visits)[-1]
    number = _round(last.fingerprint)
    if last.fingerprint.endswith(AGAIN):
        return [*parts[:-1], parts[-1]._replace(fingerprint=_made_from(first, number))]
    if scope_of(last.fingerprint) == first.fingerprint and not _is_due(corpus, last, pause):
        return parts
    wanted = _made_from(first, number + 1)
    if not last.rows.kept:
        return [*parts[:-1], parts[-1]._replace(fingerprint=wanted)]
    before = _LATER.search(last.part)
    name = f"{first.name}-{int(before[0][1:]) + 1 if before else 2:04d}"
    return [*parts, Part(name, first.source, wanted)]


def known_before(corpus: Corpus, part: Part, visits: Iterable[Tally]) -> Known:
    """What the visits before `part` know, and what it was itself refused when it was made before."""
    known = Known()
    depths: dict[str, int] = {}
    for visit in visits:
        for row in corpus.read("crawl", visit.part).to_pylist() if visit.part <= part.name else ():
            if row["reason"].startswith("refused_by"):
                known.refused.add(row["url"])
            elif visit.part == part.name:
                continue
            elif row["reason"] in ("", PAGE_UNCHANGED):
                url = same_site(row["final_url"], part.source)
                # Parts of older versions have no etag and no last_modified.
                page = Page(url, row["sha256"], row.get("etag") or "", row.get("last_modified") or "")
                known.pages[url] = known.asked[row["url"]] = page
                depths.setdefault(row["url"], row["depth"])
            elif row["retryable"]:
                depths.setdefault(row["url"], row["depth"])
    for url, depth in depths.items():
        known.by_depth[depth].append(url)
    return known


def by_site(visits: Iterable[Tally]) -> Mapping[str, list[Tally]]:
    """Visits by the part of the first one to their site, each site's in order."""
    found: dict[str, list[Tally]] = defaultdict(list)
    for visit in sorted(visits, key=lambda visit: visit.part):
        found[site_of(visit.part)].append(visit)
    return found


def _round(made_from: str) -> int:
    """Which round of visiting its site a visit was made in, by its fingerprint: SCOPE, then SCOPE-2."""
    return int(made_from.removesuffix(AGAIN).partition("-")[2] or 1)


def _made_from(first: Part, number: int) -> str:
    return first.fingerprint if number == 1 else f"{first.fingerprint}-{number}"


def _is_due(corpus: Corpus, last: Tally, pause: timedelta | None) -> bool:
    if pause is None:
        return False
    path = corpus.path("crawl", last.files["pages"])
    try:
        return is_due(written_at(corpus.fs.cat_file(path, start=0, end=INFO_BYTES)), pause)
    except FileNotFoundError:
        return False  # it is made again first
    except ValueError as error:
        problem = f"is {error}: delete {last.part}.tally.json beside it and run again"
        raise InputError(f"{path}: {problem}") from error
