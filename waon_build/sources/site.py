"""Our own crawl of a site: same-origin pages from seeds and sitemaps, into a WARC file. No candidates yet.

Breadth first in document order. Pages are asked for a few at a time, but taken in that order, so the
same site gives the same pages whatever answers first. Whoever answers the GETs (a client that obeys
robots.txt and waits its turn) is passed in.

A record holds the body as it was after its content coding was undone; the headers that this makes
untrue (`Content-Encoding`, `Transfer-Encoding`, `Content-Length`) are kept as `X-Crawler-...`, as
Common Crawl does. The status line is written anew, as HTTP/1.1.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import IO, Final, Protocol
from urllib.parse import urljoin, urlsplit

import pyarrow as pa
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from waon_build import __version__
from waon_build.corpus import Corpus, Part, PartWriter, fingerprint, part_name
from waon_build.recipe import Recipe, RecipeError, SiteSource
from waon_build.records import Reason, Reply, Tally
from waon_build.rights.robots_txt import RobotsTxt
from waon_build.sources.links import links, origin_of, same_site
from waon_build.sources.sitemap import MAX_BYTES as LONGEST_SITEMAP
from waon_build.sources.sitemap import read_sitemap

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
    ]
)
"""One row for each address asked, in the order of the crawl. status: HTTP, 0 when there was none. reason:
"" for a page in the WARC. depth: links from a seed or sitemap. bytes, sha256: of the
decoded body; so the part's digest changes with any page."""

LONGEST_PAGE: Final = 20_000_000
"""Bytes asked for at most; `extract.max_page_bytes` decides later what is read."""
AT_ONCE: Final = 8
"""Pages asked for ahead of the one being taken; how many really are under way is the client's to say."""
ASKED_PER_PAGE: Final = 4
"""Addresses asked at most are this many times `max_pages`: a site of endless errors ends too."""
MOST_SITEMAPS: Final = 50

_HTML = ("text/html", "application/xhtml+xml")
_UNTRUE_NOW = frozenset({"content-encoding", "transfer-encoding", "content-length"})


class Asker(Protocol):
    """Whoever answers a bounded, polite GET, rights checked."""

    async def get(self, url: str, *, kind: str = ..., max_bytes: int | None = ...) -> Reply: ...


@dataclass(frozen=True, slots=True)
class _Site:
    """One origin, and the limits of all site sources that have seeds on it."""

    origin: str
    seeds: tuple[str, ...]
    sitemaps: bool
    max_pages: int
    max_depth: int


class Crawl:
    """Stage `crawl`: one part per origin of the `site` sources. asker: opens a client, once per part."""

    name = "crawl"
    kind = "network"
    version = 1

    def __init__(self, recipe: Recipe, asker: Callable[[], AbstractAsyncContextManager[Asker]]) -> None:
        self._recipe = recipe
        self._asker = asker

    def inputs(self, corpus: Corpus) -> list[Part]:
        """One part per origin. Raises RecipeError for a seed that is no web address."""
        parts = []
        for site in _sites(self._recipe):
            settings = [site.seeds, site.sitemaps, site.max_pages, site.max_depth, self._recipe.fetch.allow_hosts]
            made_from = fingerprint(self.name, self.version, settings, [])
            parts.append(Part(part_name(site.origin), site.origin, made_from))
        return parts

    def hosts(self, corpus: Corpus, part: Part) -> list[str]:
        """The one host of its origin."""
        return [urlsplit(part.source).hostname or ""]

    def run(self, corpus: Corpus, part: Part) -> Tally:
        """Crawl one origin. A site that gave no page for a passing cause is committed as not current, so
        that the next run asks again."""
        site = next(site for site in _sites(self._recipe) if site.origin == part.source)
        return asyncio.run(self._crawl(corpus, part, site))

    async def _crawl(self, corpus: Corpus, part: Part, site: _Site) -> Tally:
        with corpus.write(self.name, part, PAGE) as writer:
            with writer.open_file("pages", "warc.gz") as file:
                async with self._asker() as asker:
                    visit = _Visit(site, asker, writer, _Archive(file, part.name, self._recipe.fetch.contact or ""))
                    await visit.run()
            if visit.came_to_nothing:
                writer.problem(f"{site.origin}: gave no page, for a cause that may pass: the next run asks again")
                writer.tally.fingerprint = f"{part.fingerprint}-again"
            return writer.commit()


class _Visit:
    """The crawl of one site: what has been seen, what comes next."""

    def __init__(self, site: _Site, asker: Asker, writer: PartWriter, archive: _Archive) -> None:
        self._site, self._asker, self._writer, self._archive = site, asker, writer, archive
        self._seen: set[str] = set()
        self._taken: set[str] = set()
        self._may_pass = False

    @property
    def came_to_nothing(self) -> bool:
        """Whether there is no page, and a later crawl may find some."""
        return self._may_pass and not self._writer.rows.kept

    async def run(self) -> None:
        """Crawl level by level."""
        starts = [*self._site.seeds, *(await self._from_sitemaps() if self._site.sitemaps else [])]
        level = self._new(starts)
        for depth in range(self._site.max_depth + 1):
            level = await self._level(level, depth)

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
                    asking = self._asker.get(url, kind="page", max_bytes=LONGEST_PAGE)
                    ahead.append((url, asyncio.ensure_future(asking)))
                if not ahead:
                    return found
                url, answer = ahead.popleft()
                found += self._take(url, await answer, depth)
        finally:
            for _, answer in ahead:
                answer.cancel()

    def _take(self, url: str, reply: Reply, depth: int) -> list[str]:
        """Write one page, or the reason why not, and return the addresses it is the first to link to."""
        page = same_site(reply.final_url, self._site.origin)
        reason = reply.reason or self._no_page(page, reply)
        row = {
            "url": url,
            "final_url": reply.final_url,
            "status": reply.status,
            "reason": reason,
            "retryable": reply.retryable,
            "depth": depth,
            "bytes": len(reply.body),
            "sha256": hashlib.sha256(reply.body).hexdigest() if reply.body else "",
        }
        if reason:
            self._may_pass |= reply.retryable
            self._writer.append(row)
            self._writer.drop(row, reason)
            return []
        self._writer.keep(row)
        self._archive.add(page, reply)
        self._seen.add(page)
        self._taken.add(page)
        return self._new(links(reply, self._site.origin)) if depth < self._site.max_depth else []

    def _no_page(self, page: str, reply: Reply) -> str:
        if not page:
            return "left_the_site"  # the client's own word: it does not follow a redirect there
        if page in self._taken:
            return PAGE_TAKEN_ALREADY
        return "" if _is_html(reply) else NOT_A_PAGE

    def _new(self, urls: Iterable[str]) -> list[str]:
        """Those not seen before, as many as may still be asked."""
        fresh = []
        for url in urls:
            if len(self._seen) >= self._site.max_pages * ASKED_PER_PAGE:
                break
            if url not in self._seen:
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
            if not to_read or len(pages) >= self._site.max_pages * ASKED_PER_PAGE:
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


class _Archive:
    """A WARC 1.1 file of pages, each record gzipped by itself, as ISO 28500 has it."""

    def __init__(self, file: IO[bytes], part: str, operator: str) -> None:
        self._writer = WARCWriter(file, gzip=True, warc_version="1.1")
        about = {
            "software": f"waon-build/{__version__}",
            "format": "WARC File Format 1.1",
            "conformsTo": "https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
            "robots": "obeyed",
            "operator": operator,
            "isPartOf": part,
        }
        self._writer.write_record(self._writer.create_warcinfo_record(f"{part}.warc.gz", about))

    def add(self, url: str, reply: Reply) -> None:
        """Write one page as a response record."""
        headers = [
            (f"X-Crawler-{name}" if name.lower() in _UNTRUE_NOW else name, value)
            for name, value in reply.headers
            if (name.lower(), value) != ("content-length", str(len(reply.body)))
        ]
        headers.append(("Content-Length", str(len(reply.body))))
        record = self._writer.create_warc_record(
            url,
            "response",
            payload=BytesIO(reply.body),
            length=len(reply.body),
            http_headers=StatusAndHeaders(_status_line(reply.status), headers, protocol="HTTP/1.1"),
            warc_headers_dict={"WARC-Record-ID": f"<urn:uuid:{_record_id(url, reply.body)}>"},
        )
        self._writer.write_record(record)


def crawls(recipe: Recipe) -> set[str]:
    """Names of the parts of the crawl stage that a recipe asks for."""
    return {part_name(site.origin) for site in _sites(recipe)}


def _sites(recipe: Recipe) -> list[_Site]:
    """The origins of the `site` sources, in the recipe's order. An origin of several sources is one site,
    with the larger of their limits."""
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
            site = sites.get(origin, _Site(origin, (), False, 0, 0))
            sites[origin] = _Site(
                origin,
                tuple(dict.fromkeys((*site.seeds, url))),
                site.sitemaps or source.sitemaps,
                max(site.max_pages, source.max_pages),
                max(site.max_depth, source.max_depth),
            )
    return list(sites.values())


def _is_html(reply: Reply) -> bool:
    kind = reply.header("content-type").partition(";")[0].strip().lower()
    return kind in _HTML if kind else reply.body[:500].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _record_id(url: str, body: bytes) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{url} {hashlib.sha256(body).hexdigest()}")
