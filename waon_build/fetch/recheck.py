"""The stage `recheck`: are the links of kept pairs still there, and may their pictures still be used?

What is asked, and how seldom, is the recipe's `refresh`. A site that refuses by now gets a tombstone, so that the
pair leaves the queue and the next release when dedup and route have run. A link that died is told and no
more: the picture was given when it was asked for. What refused is never asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from waon_build.corpus import Corpus, Part, fingerprint
from waon_build.fetch.client import REFUSED_BY
from waon_build.fetch.links import CHECK, Check, Link, Pauses, checks_of, links_of, parts_with_kept_pairs
from waon_build.fetch.looking import Looks, look
from waon_build.fetch.origin import REFUSED_BY_ROBOTS_TXT
from waon_build.fetch.status import NOT_FOUND
from waon_build.fetch.transfer import NAME_NOT_RESOLVED
from waon_build.recipe import Recipe
from waon_build.records import Evidence, Reason, Reply, Tally
from waon_build.rights.tombstones import BY_REFRESH, Tombstones

LINK_DEAD = Reason(
    "link_dead",
    stage="recheck",
    what="A link that was not there in this many checks in a row: 404, 410, or no such host.",
    why="Reported, so that people know how much of a corpus is still on the web. The pair stays.",
    setting="refresh.dead_after",
)
PAGE_REFUSES = Reason(
    "page_refuses",
    stage="recheck",
    what="A page whose robots meta, X-Robots-Tag, TDM reservation or Content-Usage refuses by now.",
    why="Its publisher has decided. A tombstone takes its pictures out of queue and next release.",
    source="robots meta and X-Robots-Tag (noai, noimageai, noindex, ...), TDMRep, AIPREF",
)
TAKEN_DOWN = Reason(
    "taken_down",
    stage="recheck",
    what="A link that redirects to an address that a tombstone covers.",
    why="What was withdrawn never comes back, under no other address.",
    source="tombstones.jsonl",
)

_NOTHING_THERE: Final = frozenset({NOT_FOUND, NAME_NOT_RESOLVED})
_READERS: Final = 8
"""Parts looked into at once: an object store answers slowly, and many questions at a time."""

ReadRights = Callable[[str, Sequence[tuple[str, str]], bytes], list[Evidence]]
"""What a page says of its use: (address, headers, body) -> statements."""


class Recheck:
    """The stage `recheck`. One part an image part that holds kept pairs, of the same name and of schema CHECK: a row
    for each link that was asked again. Its rows count images; its unit `page` counts pages.

    client_factory: makes the client of one part. read_rights: reads what a page says.

    A part's fingerprint ends in its round: it is made again when a link of it is due."""

    name = "recheck"
    kind = "network"
    version = 1

    def __init__(
        self, recipe: Recipe, client_factory: Callable[[], AbstractAsyncContextManager[Looks]], read_rights: ReadRights
    ) -> None:
        self._settings = recipe.refresh
        self._max_page_bytes = recipe.extract.max_page_bytes
        self._pauses = Pauses(recipe)
        self._client = client_factory
        self._read_rights = read_rights

    def inputs(self, corpus: Corpus) -> list[Part]:
        """The parts with links to ask, those that waited longest first until there are `refresh.urls_per_run`, and
        those that have none as they are."""
        made = {tally.part: tally for tally in corpus.tallies(self.name)}
        stones = Tombstones.load(corpus)
        names = parts_with_kept_pairs(corpus)
        with ThreadPoolExecutor(_READERS) as readers:
            waiting = list(readers.map(lambda name: self._waiting(corpus, name, stones), names))
        room, chosen = self._settings.urls_per_run, set[str]()
        for one in sorted(waiting, key=lambda one: (one.since, one.part)):
            if one.links and room > 0:
                chosen.add(one.part)
                room -= one.links
        rounds = {name: _round(made[name].fingerprint) if name in made else 0 for name in names}
        form = fingerprint(self.name, self.version, [], [])
        return [
            Part(name, name, f"{form}-{rounds[name] + 1}" if name in chosen else made[name].fingerprint)
            for name in names
            if name in chosen or name in made
        ]

    def hosts(self, corpus: Corpus, part: Part) -> set[str]:
        """The hosts of the images and pages of one part, redirects aside."""
        return {urlsplit(link.url).hostname or "" for link in links_of(corpus, part.source, self._settings.pages)}

    def run(self, corpus: Corpus, part: Part) -> Tally:
        """Ask again what is due of one part. Tombstones are written before the part: a run that is killed in between
        asks again, and a refusal is never lost."""
        stones = Tombstones.load(corpus)
        before = checks_of(corpus, part.name)
        links = links_of(corpus, part.source, self._settings.pages)
        due = self._due(links, before, stones)
        found = {(check.kind, check.url): check for check in self._ask(due, before, stones)}
        wanted = {(link.kind, link.url) for link in links}
        refused = {key for key, check in before.items() if check.status == "refused"}
        known = {**{key: check for key, check in before.items() if key in wanted | refused}, **found}
        with corpus.write(self.name, part, CHECK) as writer:
            Tombstones.add_all(corpus, _withdrawals(due, found))
            for _, check in sorted(known.items()):
                counts = writer.rows if check.kind == "image" else writer.count("page")
                writer.append(check)
                if check.reason:
                    counts.drop(check.reason)
                else:
                    counts.keep()
            return writer.commit()

    def _waiting(self, corpus: Corpus, part: str, stones: Tombstones) -> _Waiting:
        before = checks_of(corpus, part)
        due = self._due(links_of(corpus, part, self._settings.pages), before, stones)
        since = [before[key].checked_at if (key := (link.kind, link.url)) in before else link.since for link in due]
        return _Waiting(part, min(since, default=""), len(due))

    def _due(self, links: Iterable[Link], before: dict[tuple[str, str], Check], stones: Tombstones) -> list[Link]:
        return [
            link
            for link in links
            if self._pauses.is_over(link, before.get((link.kind, link.url))) and not stones.covers(url=link.url)
        ]

    def _ask(self, links: list[Link], before: dict[tuple[str, str], Check], stones: Tombstones) -> list[Check]:
        if not links:
            return []
        try:
            return asyncio.run(self._all(links, before, stones))
        except ExceptionGroup as errors:  # of the tasks; the first stopped the others
            raise errors.exceptions[0] from None

    async def _all(self, links: list[Link], before: dict[tuple[str, str], Check], stones: Tombstones) -> list[Check]:
        async with self._client() as client, asyncio.TaskGroup() as group:
            asked = [
                group.create_task(self._one(client, link, before.get((link.kind, link.url)), stones)) for link in links
            ]
        return [task.result() for task in asked]

    async def _one(self, client: Looks, link: Link, before: Check | None, stones: Tombstones) -> Check:
        def withdrawn(url: str) -> bool:
            return stones.covers(url=url)

        if link.kind == "image":
            reply = await look(client, link.url, withdrawn)
        else:
            reply = await client.get(link.url, kind="page_again", max_bytes=self._max_page_bytes, withdrawn=withdrawn)
            if not reply.reason:
                reply.rights += self._read_rights(reply.final_url, reply.headers, reply.body)
                reply.reason = PAGE_REFUSES if any(said.refuses for said in reply.rights) else ""
        return self._checked(link, before.misses if before else 0, reply)

    def _checked(self, link: Link, misses: int, reply: Reply) -> Check:
        """What an answer says of a link."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")  # so that parts take turns
        check = Check(link.kind, link.url, "unknown", str(reply.reason), reply.status, misses, reply.rights, at)
        if not reply.reason:
            check.status, check.misses = "alive", 0
        elif reply.reason in REFUSED_BY | {PAGE_REFUSES, TAKEN_DOWN}:
            check.status = "refused"
        elif reply.reason in _NOTHING_THERE and not reply.retryable:
            check.misses += 1
            if check.misses >= self._settings.dead_after:
                check.status, check.reason = "dead", str(LINK_DEAD)
        return check


class _Waiting(NamedTuple):
    """The links of one part that are due. since: how long the one has waited that waits longest, ISO 8601, or ""."""

    part: str
    since: str
    links: int


def _withdrawals(links: Iterable[Link], found: dict[tuple[str, str], Check]) -> Iterable[tuple[str, str, str]]:
    """The tombstones for what refuses now: (kind, value, why).

    That robots.txt keeps us from a page says nothing of its pictures, whose own hosts were asked, unless it is
    by a crawl of ours that we have the page."""
    for link in links:
        check = found[link.kind, link.url]
        is_kept_from_page = link.kind == "page" and check.reason == REFUSED_BY_ROBOTS_TXT
        if check.status == "refused" and (link.is_ours or not is_kept_from_page):
            said = next((f": {said.value} ({said.url})" for said in check.rights if said.refuses), "")
            yield "url", link.url, f"{BY_REFRESH}{check.reason}{said}"


def _round(made_from: str) -> int:
    return int(made_from.rpartition("-")[2])
