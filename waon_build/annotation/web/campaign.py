"""What the handlers of all requests share: the campaign, its database, its pictures, and who is asking."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection, Engine, select
from starlette.requests import Request

from waon_build.annotation import guideline, order, people
from waon_build.annotation.models import Identity, Role, Standing
from waon_build.annotation.people import Person
from waon_build.annotation.refusals import Refusal
from waon_build.annotation.web.counts import Counts
from waon_build.annotation.web.figures import Count, Figures
from waon_build.annotation.web.limits import PER_ADDRESS, PER_PERSON, PER_SESSION, Buckets, neighbourhood
from waon_build.annotation.web.opaque import Opaque
from waon_build.annotation.web.pictures import Pictures
from waon_build.annotation.web.problems import Stop, of_refusal, signed_out
from waon_build.annotation.web.sessions import Cookies, Keys
from waon_build.annotation.web.site import Site
from waon_build.annotation.web.texts import LANGUAGES
from waon_build.annotation.web.writer import BusyError, Readers, Writer
from waon_build.corpus import Corpus
from waon_build.recipe import AnnotationSettings

Result = TypeVar("Result")

PLAN_SECONDS = 5.0
"""How old may be what is known of the quotas."""


class Names(NamedTuple):
    """What ids are called where one person sees them."""

    tasks: Opaque
    annotations: Opaque


class Campaign:
    """One campaign that is being served."""

    def __init__(
        self,
        engine: Engine,
        corpus: Corpus,
        settings: AnnotationSettings,
        site: Site,
        language: str = "",
        count: Count | None = None,
    ) -> None:
        self.engine = engine
        self.settings = settings
        self.site = site
        self.guideline = guideline.load(settings.guideline)
        self.questions = self.guideline.questions
        self.caption_language = language or self.guideline.language
        self.figures = Figures(count)
        self.counts = Counts()
        self.writer = Writer(engine, failed=self.counts.forget_all)
        self.readers = Readers(engine)
        self.corpus = corpus
        self.pictures = Pictures(corpus)
        with engine.connect() as connection:
            keys = Keys(connection.scalars(select(Identity.pseudonym_key)).one())
        self.cookies = Cookies(site, keys)
        self._ids = keys.of("ids")
        self._sessions = Buckets(PER_SESSION)
        self._addresses = Buckets(PER_ADDRESS)
        self._people = Buckets(PER_PERSON)
        self.harms = {word for _, word in self.questions.rejecting} or {"harmful"}
        self.versions = {self.guideline.version, *(one.version for one in self.guideline.history)}
        self._plan: tuple[float, order.Plan] | None = None
        self.names = lru_cache(maxsize=1000)(self._names)

    def _names(self, annotator: str) -> Names:
        return Names(Opaque(self._ids, annotator, "task"), Opaque(self._ids, annotator, "annotation"))

    def plan(self, connection: Connection) -> order.Plan:
        """What comes next depends on. Only within turns of the writer."""
        now = time.monotonic()
        if self._plan is None or now - self._plan[0] > PLAN_SECONDS:
            self._plan = now, order.plan(connection, self.settings)
        return self._plan[1]

    def knows_version(self, version: str) -> bool:
        """Whether there was such a version of the guideline."""
        return version in self.versions

    # --- who is asking

    def session(self, request: Request) -> str:
        """The session that a request shows. Raises Stop: there is none, or too much is asked."""
        session = self.cookies.session(request.cookies)
        name = _digest(session) if session else ""
        if session is None or name not in self._sessions:
            self.admit(request)
        if session is None:
            raise signed_out()
        if name in self._sessions:
            _within(self._sessions.take(name))
        return session

    def admit(self, request: Request) -> None:
        """Count a request of somebody who is not known against their address. Raises Stop."""
        address = request.client.host if request.client else ""
        _within(self._addresses.take(neighbourhood(address)))

    def count_change(self, person: Person) -> None:
        """Count what somebody does that is done seldom. Only within turns of the writer. Raises Stop."""
        _within(self._people.take(person.id))

    def require_csrf(self, token: str, shown: str) -> None:
        """Raise Stop unless what a request shows was given to the holder of `token`."""
        if not self.cookies.is_csrf(token, shown):
            raise Stop(403, "csrf")

    async def write(self, session: str, call: Callable[[Connection, Person], Result]) -> Result:
        """What `call` returns in a turn of the writer, for who is signed in. Raises Stop."""

        def turn(connection: Connection) -> Result:
            return call(connection, self._person(connection, session))

        return await self.written(turn)

    async def written(self, call: Callable[[Connection], Result]) -> Result:
        """The same for nobody in particular."""
        try:
            return await self.writer.write(call)
        except BusyError as busy:
            raise Stop(503, "busy", after=2) from busy
        except Refusal as refusal:
            raise of_refusal(refusal) from refusal

    async def read(self, session: str, call: Callable[[Connection, Person], Result]) -> Result:
        """What `call` returns, reading beside the writer, for who is signed in. Raises Stop."""

        def reading(connection: Connection) -> Result:
            return call(connection, self._person(connection, session))

        return await self.readers.read(reading)

    def _person(self, connection: Connection, session: str) -> Person:
        person = people.signed_in(connection, session, utc_now())
        if person is None:
            raise signed_out()
        name = _digest(session)
        if name not in self._sessions:
            self._sessions.take(name)
        return person

    def language(self, request: Request) -> str:
        """In which language a page is: chosen, asked for by the browser, or the guideline's."""
        chosen = self.cookies.language(request.cookies)
        if chosen in LANGUAGES:
            return str(chosen)
        for wish in request.headers.get("accept-language", "").split(","):
            language = wish.split(";")[0].strip()[:2].lower()
            if language in LANGUAGES:
                return language
        return self.guideline.language if self.guideline.language in LANGUAGES else "en"


def require(person: Person, *roles: Role) -> None:
    """Raise Stop unless somebody has one of these roles and may work."""
    if person.role not in roles or person.standing != Standing.ACTIVE:
        raise Stop(403, "forbidden")


def utc_now() -> datetime:
    return datetime.now(UTC)


def _within(wait: float) -> None:
    if wait:
        raise Stop(429, "too_many_requests", after=wait)


def _digest(session: str) -> str:
    return hashlib.sha256(session.encode()).hexdigest()
