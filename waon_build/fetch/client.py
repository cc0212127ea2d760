"""The one way to the web: a GET that is polite, bounded, and made only where everybody agreed.

The order is the promise. The address is judged, then robots.txt and tdmrep.json of its origin, then the
host's turn is waited for; of the answer the headers are judged before the body is read; a redirect
starts over. No cookies, no proxies, no second try of what was refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Final, NamedTuple
from urllib.parse import urljoin

import aiohttp
from yarl import URL

from waon_build.fetch.asking import reason_of_asking
from waon_build.fetch.guard import ADDRESS_NOT_PUBLIC, HAS_CREDENTIALS, Guard, GuardedResolver
from waon_build.fetch.origin import (
    REFUSED_BY_CONTENT_USAGE,
    REFUSED_BY_ROBOTS_TXT,
    REFUSED_BY_TDMREP,
    ROBOTS_UNREACHABLE,
    OriginRules,
    Origins,
)
from waon_build.fetch.politeness import HostRests, Politeness, backoff_seconds
from waon_build.fetch.status import HTTP_CLIENT_ERROR, NOT_FOUND, meaning, retry_after
from waon_build.fetch.transfer import (
    CONNECTION_FAILED,
    NAME_NOT_RESOLVED,
    REDIRECTS,
    TIMED_OUT,
    TLS_FAILED,
    Answer,
    transfer,
)
from waon_build.recipe import FetchSettings
from waon_build.records import Evidence, InputError, Reason, Reply
from waon_build.rights import robots_txt, statements, tdmrep
from waon_build.rights.agent import user_agent
from waon_build.rights.robots_txt import RobotsTxt

REFUSED_BY_X_ROBOTS_TAG = reason_of_asking(
    "refused_by_x_robots_tag",
    what="An answer whose X-Robots-Tag holds none, noai, noimageai, noml, noindex or noimageindex for us.",
    why="Its publisher does not want it collected. The body is not read, and it is never asked for again.",
    source="Google's robots meta specification; DeviantArt's noai",
)
HOST_RESTS = reason_of_asking(
    "host_rests",
    what="An address of a host that failed ten times in a row, or asks for a pause of more than a minute.",
    why="It is left alone, and does not hold up the rest. Asked for again in a later run.",
)
TOO_MANY_REDIRECTS = reason_of_asking(
    "too_many_redirects",
    what="More redirects than this.",
    why="A chain without an end.",
    setting="fetch.max_redirects",
)
REDIRECT_LOOP = reason_of_asking(
    "redirect_loop", what="A redirect to an address already visited.", why="It never ends."
)

TAKEN_DOWN = Reason(
    "taken_down",
    stage="fetch",
    what="An image whose URL (or one that it redirects to), bytes or likeness a tombstone covers, or all of its pages.",
    why="What was withdrawn never comes back. It is not asked for.",
    source="tombstones.jsonl",
)
REFUSALS: Final = frozenset(
    {
        TAKEN_DOWN,
        REFUSED_BY_ROBOTS_TXT,
        REFUSED_BY_X_ROBOTS_TAG,
        REFUSED_BY_TDMREP,
        REFUSED_BY_CONTENT_USAGE,
        ADDRESS_NOT_PUBLIC,
        HAS_CREDENTIALS,
    }
)
"""Reasons that are final and a matter of permission (`Image.status` is `refused`); all others are failures."""

REFUSED_BY: Final = frozenset(
    {REFUSED_BY_ROBOTS_TXT, REFUSED_BY_X_ROBOTS_TAG, REFUSED_BY_TDMREP, REFUSED_BY_CONTENT_USAGE}
)
"""The refusals that are somebody's own words."""

LEFT_THE_SITE = reason_of_asking(
    "left_the_site",
    what="A page or sitemap that redirects to another origin.",
    why="A crawl stays on the site it was given. Name the other origin as a seed to crawl it.",
    setting="sources.seeds",
)

_REFUSAL: Final = {
    "x_robots_tag": REFUSED_BY_X_ROBOTS_TAG,
    "tdm_reservation": REFUSED_BY_TDMREP,
    "content_usage": REFUSED_BY_CONTENT_USAGE,
}


class _Kind(NamedTuple):
    """How something is asked for."""

    method: str
    headers: dict[str, str]


_PAGE: Final = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.5", "Accept-Encoding": "gzip, deflate"}
_IMAGE: Final = {"Accept": "image/webp,image/png,image/jpeg,image/*;q=0.8,*/*;q=0.5", "Accept-Encoding": "identity"}
_KINDS: Final = {
    "image": _Kind("GET", _IMAGE),
    "head": _Kind("HEAD", _IMAGE),
    "first_byte": _Kind("GET", {**_IMAGE, "Range": "bytes=0-0"}),
    "page": _Kind("GET", _PAGE),
    "page_again": _Kind("GET", _PAGE),
    "sitemap": _Kind("GET", {"Accept": "application/xml,text/plain,*/*;q=0.5", "Accept-Encoding": "gzip, deflate"}),
    "rights": _Kind("GET", {"Accept": "text/plain,application/json,*/*;q=0.5", "Accept-Encoding": "gzip, deflate"}),
}
_STAYS_ON: Final[dict[str, Callable[[URL], object]]] = {
    "page": URL.origin,
    "sitemap": URL.origin,
    "page_again": lambda url: (url.raw_host or "").removeprefix("www."),
}
"""What a redirect may not leave, by kind. A page that is known may have moved to https since."""
_ROBOTS_REDIRECTS: Final = 5
NOT_IMPLEMENTED: Final = 501
"""What many servers say to HEAD, however well they are."""
_NO_SUCH_HOST: Final = frozenset({ADDRESS_NOT_PUBLIC, NAME_NOT_RESOLVED, TLS_FAILED, HOST_RESTS})
_FOR_A_LATER_RUN: Final = frozenset({ROBOTS_UNREACHABLE, HOST_RESTS})


class Client:
    """An async context manager over one HTTP session; use it in one event loop.

    politeness, origins: give all clients of a process the same ones. backoff: seconds before the second try.
    Requests under way are `settings.concurrency` at most; calls that wait their turn cost nothing but a task,
    so make as many as there is work. Raises InputError without a contact."""

    def __init__(
        self,
        settings: FetchSettings,
        politeness: Politeness | None = None,
        origins: Origins | None = None,
        *,
        backoff: float = 1.0,
    ) -> None:
        if not settings.contact or not settings.contact.strip():
            raise InputError(
                "fetch.contact is missing: sites must be able to reach you: "
                "set it to an e-mail or web address, in the recipe"
            )
        if not settings.contact.isprintable():
            raise InputError(f"fetch.contact is wrong: it must be one line of text (it is {settings.contact!r:.80})")
        self.settings = settings
        self._politeness = politeness or Politeness.of(settings)
        self._origins = origins or Origins()
        self._backoff = backoff
        self._guard = Guard(settings.allow_hosts)
        self._asking: dict[URL, asyncio.Task[OriginRules]] = {}

    async def __aenter__(self) -> Client:
        self._under_way = asyncio.Semaphore(self.settings.concurrency)
        self._resolver = GuardedResolver(self._guard)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                resolver=self._resolver,
                ttl_dns_cache=300,
                # Long enough for the host's next turn; longer ones pile up when hosts are many.
                keepalive_timeout=min(15.0, 1.0 + 2.0 / self.settings.per_host_rate),
            ),
            headers={"User-Agent": user_agent(self.settings.contact or "")},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await self._session.close()
        await self._resolver.close()

    async def get(
        self,
        url: str,
        *,
        kind: str = "image",
        max_bytes: int | None = None,
        withdrawn: Callable[[str], bool] = lambda url: False,
        conditions: Mapping[str, str] = MappingProxyType({}),
    ) -> Reply:
        """Ask for `url`, and again within `settings.retries` for what may succeed.

        kind: `image`, or, on one site, `page` and `sitemap` (whose own X-Robots-Tag speaks of search results,
        not of reading it): these two are not followed to another origin. `page_again` asks for a page that is known,
        and follows it on its host alone; `head` and `first_byte` ask whether an image is still there: see
        `looking.py`. max_bytes: of the decoded body;
        `settings.max_bytes` by default. withdrawn: whether an address was taken down, asked of every redirect.
        conditions: headers that ask `url` itself, and nothing it redirects to, for its body only if it has changed
        (RFC 9110, section 13): a status of 304 says that it has not."""
        limit = self.settings.max_bytes if max_bytes is None else max_bytes
        for attempt in range(self.settings.retries + 1):
            reply = await self._follow(url, kind, limit, withdrawn, conditions)
            if not reply.retryable or reply.reason in _FOR_A_LATER_RUN or attempt == self.settings.retries:
                break
            await asyncio.sleep(backoff_seconds(url, attempt, self._backoff))
        return reply

    async def _follow(
        self, url: str, kind: str, limit: int, withdrawn: Callable[[str], bool], conditions: Mapping[str, str]
    ) -> Reply:
        """One try: the request and its redirects."""
        reply = Reply(url, final_url=url)
        seconds = self.settings.timeout_seconds
        visited: set[URL] = set()
        for _ in range(self.settings.max_redirects + 1):
            asked = self._guard.read(reply.final_url)
            if isinstance(asked, Reason):
                return _ended(reply, asked)
            reply.final_url = str(asked)
            if withdrawn(reply.final_url):
                return _ended(reply, TAKEN_DOWN)
            if asked in visited:
                return _ended(reply, REDIRECT_LOOP)
            site_of = _STAYS_ON.get(kind)
            if site_of and any(site_of(asked) != site_of(before) for before in visited):
                return _ended(reply, LEFT_THE_SITE)
            visited.add(asked)
            rules = await self._rules(asked.origin())
            reason, evidence = rules.decide(reply.final_url)
            _add(reply.rights, evidence)
            if reason:
                return _ended(reply, reason, rules.retryable)

            def judged(answer: Answer, here: str = reply.final_url) -> str:
                said = statements(here, answer.headers) if kind != "sitemap" else []
                _add(reply.rights, said)
                return next((_REFUSAL[evidence.signal] for evidence in said if evidence.refuses), "")

            request = _KINDS[kind]
            if len(visited) == 1:
                request = _Kind(request.method, {**request.headers, **conditions})
            answer = await self._ask(asked, request, limit, seconds, judged, rules.crawl_delay)
            seconds -= answer.seconds
            reply.status, reply.headers = answer.status, answer.headers
            location = answer.header("location")
            if answer.status not in REDIRECTS or answer.reason or not location:
                return _ended(reply, *_outcome(answer), answer.body)
            reply.final_url = _joined(reply.final_url, location)
        return _ended(reply, TOO_MANY_REDIRECTS)

    async def _ask(
        self,
        url: URL,
        request: _Kind,
        limit: int,
        seconds: float,
        judged: Callable[[Answer], str] | None,
        crawl_delay: float,
    ) -> Answer:
        """One request when the host's turn has come, and what is learnt of the host from its answer."""
        host = url.raw_host or ""
        try:
            async with self._politeness.slot(host, crawl_delay), self._under_way:
                # What tells of rights is judged by nobody, and its beginning will do.
                answer = await transfer(
                    self._session, url, request.headers, limit, seconds, judged, judged is None, request.method
                )
        except HostRests:
            return Answer(reason=HOST_RESTS, retryable=True)
        if answer.status in (429, 503):
            self._politeness.pause(host, retry_after(answer.header("retry-after")) or self._backoff)
        has_trouble = answer.status >= 500 and answer.status != NOT_IMPLEMENTED
        if has_trouble or answer.reason in (TIMED_OUT, CONNECTION_FAILED):
            self._politeness.failed(host)
        elif answer.status:
            self._politeness.answered(host)
        return answer

    async def _rules(self, origin: URL) -> OriginRules:
        """The rules of an origin, read once however many ask at the same time."""
        rules = self._origins.get(origin)
        if rules is not None:
            return rules
        task = self._asking.get(origin)
        if task is None:
            task = self._asking[origin] = asyncio.create_task(self._read_rules(origin))
            task.add_done_callback(lambda _: self._asking.pop(origin, None))
        return await asyncio.shield(task)

    async def _read_rules(self, origin: URL) -> OriginRules:
        rules = OriginRules(origin)
        answer = await self._rights_file(origin.with_path("/robots.txt"), robots_txt.MAX_BYTES)
        if not answer.reason:
            rules.robots = RobotsTxt(answer.body)
            rules.robots_answer = "allowed" if answer.status < 300 else f"HTTP {answer.status}"
            location = origin.with_path(tdmrep.WELL_KNOWN)
            # Asked for even where robots.txt disallows it: it is no content but, as robots.txt itself, what
            # tells whether we may. `Disallow: /.well-known/`, written out of habit, must not hide a reservation.
            if not rules.robots.forbids_all:
                answer = await self._rights_file(location, tdmrep.MAX_BYTES, rules.crawl_delay)
                rules.reservations = tdmrep.TdmRep(answer.body)
                rules.failed_file = tdmrep.WELL_KNOWN
        rules.failure, rules.retryable = answer.reason, answer.retryable
        self._origins.put(rules)
        return rules

    async def _rights_file(self, url: URL, limit: int, crawl_delay: float = 0.0) -> Answer:
        """robots.txt or tdmrep.json: its beginning, an empty body when there is none, or the reason why
        nobody knows (`robots_unreachable`, or what says that there is no such host)."""
        for attempt in range(self.settings.retries + 1):
            answer = await self._follow_rights_file(url, limit, crawl_delay)
            if not answer.retryable or answer.reason == HOST_RESTS:
                break
            if attempt < self.settings.retries:
                await asyncio.sleep(backoff_seconds(str(url), attempt, self._backoff))
        if answer.reason and answer.reason not in _NO_SUCH_HOST:
            answer.reason = ROBOTS_UNREACHABLE
            answer.retryable = True
        return answer

    async def _follow_rights_file(self, url: URL, limit: int, crawl_delay: float) -> Answer:
        """One try. Redirects count for the origin that was asked, to wherever they lead (RFC 9309, 2.3.1.2)."""
        asked: URL | Reason = url
        seconds = self.settings.timeout_seconds
        for _ in range(_ROBOTS_REDIRECTS + 1):
            if isinstance(asked, Reason):
                break
            answer = await self._ask(asked, _KINDS["rights"], limit, seconds, None, crawl_delay)
            seconds -= answer.seconds
            if answer.status not in REDIRECTS or answer.reason:
                break
            asked = self._guard.read(_joined(str(asked), answer.header("location")))
        reason, retryable = _outcome(answer)
        if reason in (NOT_FOUND, HTTP_CLIENT_ERROR):
            return Answer(answer.status)
        answer.reason, answer.retryable = reason, retryable
        return answer


def _outcome(answer: Answer) -> tuple[str, bool]:
    """The reason of the last answer of a chain ("" when it brought the body), and whether to ask again."""
    return (answer.reason, answer.retryable) if answer.reason else meaning(answer.status)


def _ended(reply: Reply, reason: str, retryable: bool = False, body: bytes = b"") -> Reply:
    reply.reason, reply.retryable = reason, retryable
    reply.body = b"" if reason else body
    return reply


def _add(evidence: list[Evidence], more: list[Evidence]) -> None:
    evidence.extend(statement for statement in more if statement not in evidence)


def _joined(base: str, location: str) -> str:
    try:
        return urljoin(base, location)
    except ValueError:
        return location
