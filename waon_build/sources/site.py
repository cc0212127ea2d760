"""Our own crawl of a site: same-origin pages from seeds and sitemaps, into a WARC file. No candidates yet.

Breadth first in document order. Pages are asked for a few at a time, but taken in that order, so the
same site gives the same pages whatever answers first. Whoever answers the GETs (a client that obeys
robots.txt and waits its turn) is passed in.

A later visit asks again for the pages that are known, and for those only if they have changed; what it finds
new or changed is a part of its own (`visits.py`). The links of an unchanged page were followed when it was taken.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol
from urllib.parse import urljoin, urlsplit

from waon_build.corpus import Corpus, Part, fingerprint, part_name
from waon_build.part_writer import PartWriter
from waon_build.recipe import Recipe, RecipeError
from waon_build.records import Reason, Reply, Tally
from waon_build.rights.robots_txt import RobotsTxt
from waon_build.source_settings import SiteSource
from waon_build.sources.links import links, origin_of, same_site
from waon_build.sources.page_archive import PageArchive
from waon_build.sources.sitemap import MAX_BYTES as LONGEST_SITEMAP
from waon_build.sources.sitemap import read_sitemap
from waon_build.sources.visits import (
    AGAIN,
    PAGE,
    PAGE_UNCHANGED,
    Known,
    by_site,
    known_before,
    scope_of,
    site_of,
    visits_wanted,
)

NOT_A_PAGE = Reason(
    "not_a_page",
    stage="crawl",
    what="An address that gives something else than HTML.",
    why="Only pages have captions; images are fetched later, when their captions have passed.",
)
PAGE_TAKEN_ALREADY = Reason(
    "page_taken_already",
    stage="crawl",
    what="An address that redirects to a page that was taken before.",
    why="One page, one record.",
)

LONGEST_PAGE: Final = 20_000_000
"""Bytes asked for at most; `extract.max_page_bytes` decides later what is read."""
AT_ONCE: Final = 8
"""Pages asked for ahead of the one being taken; how many really are under way is the client's to say."""
ASKED_PER_PAGE: Final = 4
"""Addresses asked at most are this many times `max_pages` and the pages known: a site of endless errors ends too."""
MOST_SITEMAPS: Final = 50

_HTML = ("text/html", "application/xhtml+xml")


class Asker(Protocol):
    """Whoever answers a bounded, polite GET, rights checked."""

    async def get(
        self, url: str, *, kind: str = ..., max_bytes: int | None = ..., conditions: Mapping[str, str] = ...
    ) -> Reply: ...


@dataclass(frozen=True, slots=True)
class _Site:
    """One origin, and the limits of all site sources that have seeds on it."""

    origin: str
    seeds: tuple[str, ...]
    sitemaps: bool
    max_pages: int
    max_depth: int
    pause: timedelta | None
    """Between two visits; None for ever."""

    def scope(self, allow_hosts: list[str]) -> list[object]:
        """What of the recipe decides which pages are taken."""
        return [self.seeds, self.sitemaps, self.max_pages, self.max_depth, allow_hosts]


class Crawl:
    """Stage `crawl`: one part for each visit to an origin of the `site` sources. asker: opens a client, once per
    part."""

    name = "crawl"
    kind = "network"
    version = 1

    def __init__(self, recipe: Recipe, asker: Callable[[], AbstractAsyncContextManager[Asker]]) -> None:
        self._recipe = recipe
        self._asker = asker

    def inputs(self, corpus: Corpus) -> list[Part]:
        """One part per visit: those there were, and one more of each origin that it is time to visit again.
        Raises RecipeError for a seed that is no web address."""
        visits = by_site(corpus.tallies(self.name))
        parts: list[Part] = []
        for site in _sites(self._recipe):
            scope = fingerprint(self.name, self.version, site.scope(self._recipe.fetch.allow_hosts), [])
            first = Part(part_name(site.origin), site.origin, scope)
            parts += visits_wanted(corpus, first, visits.get(first.name, []), site.pause)
        return parts

    def hosts(self, corpus: Corpus, part: Part) -> list[str]:
        """The one host of its origin."""
        return [urlsplit(part.source).hostname or ""]

    def run(self, corpus: Corpus, part: Part) -> Tally:
        """Visit one origin. A site that gave no page for a passing cause is committed as not current, so
        that the next run asks again."""
        site = next(site for site in _sites(self._recipe) if site.origin == part.source)
        visits = by_site(corpus.tallies(self.name)).get(site_of(part.name), [])
        before = [visit for visit in visits if visit.part < part.name]
        same_scope = bool(before) and scope_of(before[-1].fingerprint) == scope_of(part.fingerprint)
        nothing_behind = same_scope and before[-1].rows.kept < site.max_pages
        return asyncio.run(self._crawl(corpus, part, site, known_before(corpus, part, visits), nothing_behind))

    async def _crawl(self, corpus: Corpus, part: Part, site: _Site, known: Known, nothing_behind: bool) -> Tally:
        with corpus.write(self.name, part, PAGE) as writer:
            with writer.open_file("pages", "warc.gz") as file:
                archive = PageArchive(file, part.name, self._recipe.fetch.contact or "")
                async with self._asker() as asker:
                    visit = _Visit(site, asker, writer, archive, known, nothing_behind)
                    await visit.run()
            if visit.came_to_nothing:
                writer.problem(f"{site.origin}: gave no page, for a cause that may pass: the next run asks again")
                writer.tally.fingerprint = f"{part.fingerprint}{AGAIN}"
            return writer.commit()


class _Visit:
    """The crawl of one site: what has been seen, what comes next. known: by earlier visits. nothing_behind: the
    links of an unchanged page, as the last of them had the same seeds and limits and came to the end of the site."""

    def __init__(
        self, site: _Site, asker: Asker, writer: PartWriter, archive: PageArchive, known: Known, nothing_behind: bool
    ) -> None:
        self._site, self._asker, self._writer, self._archive = site, asker, writer, archive
        self._known, self._nothing_behind = known, nothing_behind
        self._most_asked = (site.max_pages + len(known.asked)) * ASKED_PER_PAGE
        self._seen: set[str] = set()
        self._taken: set[str] = set()
        self._may_pass = False

    @property
    def came_to_nothing(self) -> bool:
        """Whether there is no page, and a later crawl may find some."""
        rows = self._writer.rows
        return self._may_pass and not rows.kept and not rows.dropped[PAGE_UNCHANGED]

    async def run(self) -> None:
        """Crawl level by level."""
        starts = [*self._site.seeds, *(await self._from_sitemaps() if self._site.sitemaps else [])]
        level = self._new(starts)
        for depth in range(self._site.max_depth + 1):
            level = await self._level([*level, *self._new(self._known.by_depth.get(depth, ()))], depth)

    async def _level(self, urls: list[str], depth: int) -> list[str]:
        """Take the pages of one level in their order, and return those that they are the first to link to."""
        ahead: deque[tuple[str, asyncio.Task[Reply]]] = deque()
        to_ask = deque(urls)
        found: list[str] = []
        try:
            while True:
                room = min(AT_ONCE, self._site.max_pages - self._writer.rows.kept)
                while to_ask and len(ahead) < room:
                    url = to_ask.popleft()
                    ahead.append((url, asyncio.ensure_future(self._ask(url))))
                if not ahead:
                    return found
                url, answer = ahead.popleft()
                found += self._take(url, await answer, depth)
        finally:
            for _, answer in ahead:
                answer.cancel()

    async def _ask(self, url: str) -> Reply:
        page = self._known.asked.get(url) if self._nothing_behind else None
        conditions = page.conditions if page else {}
        return await self._asker.get(url, kind="page", max_bytes=LONGEST_PAGE, conditions=conditions)

    def _take(self, url: str, reply: Reply, depth: int) -> list[str]:
        """Write one page, or the reason why not, and return the addresses it is the first to link to."""
        asked = self._known.asked.get(url)
        # Nobody else was asked on a condition; and a refusal comes with 304 too.
        if reply.status == 304 and asked and not reply.reason.startswith("refused_by"):
            page, sha256 = asked.url, asked.sha256
            reason: str = PAGE_TAKEN_ALREADY if page in self._taken else PAGE_UNCHANGED
        else:
            page = same_site(reply.final_url, self._site.origin)
            sha256 = hashlib.sha256(reply.body).hexdigest() if reply.body else ""
            reason = reply.reason or self._no_page(page, reply, sha256)
        before = self._known.pages.get(page) if reason == PAGE_UNCHANGED else None
        row = {
            "url": url,
            "final_url": page if reason == PAGE_UNCHANGED else reply.final_url,
            "status": reply.status,
            "reason": reason,
            "retryable": reply.retryable,
            "depth": depth,
            "bytes": len(reply.body),
            "sha256": sha256,
            "etag": reply.header("etag") or (before.etag if before else ""),
            "last_modified": reply.header("last-modified") or (before.last_modified if before else ""),
        }
        if reason:
            self._may_pass |= reply.retryable
            self._writer.append(row)
            self._writer.drop(row, reason)
        else:
            self._writer.keep(row)
            self._archive.add(page, reply)
        if reason in ("", PAGE_UNCHANGED):
            self._seen.add(page)
            self._taken.add(page)
        leads_on = not reason or (reason == PAGE_UNCHANGED and not self._nothing_behind)
        return self._new(links(reply, self._site.origin)) if leads_on and depth < self._site.max_depth else []

    def _no_page(self, page: str, reply: Reply, sha256: str) -> str:
        if not page:
            return "left_the_site"  # the client's own word: it does not follow a redirect there
        if page in self._taken:
            return PAGE_TAKEN_ALREADY
        if not _is_html(reply):
            return NOT_A_PAGE
        before = self._known.pages.get(page)
        return PAGE_UNCHANGED if before and before.sha256 == sha256 else ""

    def _new(self, urls: Iterable[str]) -> list[str]:
        """Those not seen before, as many as may still be asked."""
        fresh = []
        for url in urls:
            if len(self._seen) >= self._most_asked:
                break
            if url not in self._seen and url not in self._known.refused:
                self._seen.add(url)
                fresh.append(url)
        return fresh

    async def _from_sitemaps(self) -> list[str]:
        """The pages that the sitemaps of robots.txt, `/sitemap.xml` and their indexes list."""
        origin = self._site.origin
        robots = await self._asker.get(f"{origin}/robots.txt", kind="sitemap", max_bytes=LONGEST_SITEMAP)
        named = [same_site(urljoin(origin, url), origin) for url in RobotsTxt(robots.body).sitemaps]
        to_read = deque(dict.fromkeys([*filter(None, named), f"{origin}/sitemap.xml"]))
        known = set(to_read)
        pages: dict[str, None] = {}
        for _ in range(MOST_SITEMAPS):
            if not to_read or len(pages) >= self._most_asked:
                break
            reply = await self._asker.get(to_read.popleft(), kind="sitemap", max_bytes=LONGEST_SITEMAP)
            if reply.reason:
                self._writer.count("sitemap").drop(reply.reason)
                continue
            self._writer.count("sitemap").keep()
            found = read_sitemap(reply.body)
            pages.update(dict.fromkeys(filter(None, (same_site(url, origin) for url in found.pages))))
            further = [url for url in (same_site(url, origin) for url in found.sitemaps) if url and url not in known]
            to_read.extend(further)
            known.update(further)
        return list(pages)


def crawls(recipe: Recipe) -> set[str]:
    """Names of the first parts of the sites that a recipe asks for (see `visits.site_of`)."""
    return {part_name(site.origin) for site in _sites(recipe)}


def _sites(recipe: Recipe) -> list[_Site]:
    """The origins of the `site` sources, in the recipe's order. An origin of several sources is one site,
    with the larger of their limits, and the shorter of their pauses."""
    sites: dict[str, _Site] = {}
    for number, source in enumerate(recipe.sources):
        if not isinstance(source, SiteSource):
            continue
        for seed in source.seeds:
            origin = origin_of(seed)
            url = same_site(seed, origin)
            if not origin or not url:
                raise RecipeError(
                    recipe.name,
                    f"sources.{number}.seeds",
                    f"holds {seed!r:.80}: give a web address, http(s)://HOST/...",
                )
            days = source.recrawl_after_days
            pauses = [timedelta(days=days)] if days is not None else []
            site = sites.get(origin, _Site(origin, (), False, 0, 0, None))
            pauses += [site.pause] if site.pause is not None else []
            sites[origin] = _Site(
                origin,
                tuple(dict.fromkeys((*site.seeds, url))),
                site.sitemaps or source.sitemaps,
                max(site.max_pages, source.max_pages),
                max(site.max_depth, source.max_depth),
                min(pauses, default=None),
            )
    return list(sites.values())


def _is_html(reply: Reply) -> bool:
    kind = reply.header("content-type").partition(";")[0].strip().lower()
    return kind in _HTML if kind else reply.body[:500].lstrip().lower().startswith((b"<!doctype html", b"<html"))
