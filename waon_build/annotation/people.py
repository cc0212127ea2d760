"""Who may come in: invitations, sessions, standing, and what people declare of themselves.

An annotator is a random pseudonym. A link signs them in, once; what it leaves in the browser is a session.
Of neither is the token kept, only its SHA-256: who reads the database cannot come in with it. Each call
takes the connection of a transaction that writes (`database.writing`), those that only read any. `now` is
an argument, as in `queue.py`.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from waon_build.annotation import events, order
from waon_build.annotation.access import Consent, Declared, Invitation, Session
from waon_build.annotation.database import inserting
from waon_build.annotation.models import (
    Annotation,
    Annotator,
    Lease,
    Report,
    ReportOutcome,
    Role,
    Skip,
    Standing,
    Task,
    live,
)
from waon_build.annotation.refusals import Refusal, UnknownAnnotator

MOST_SESSIONS = 10
"""Browsers of one person that are signed in at once; with one more, the oldest is signed out. Each has limits of its
own (`web/limits.py`), so that without an end to them there would be no limits."""


class InvitationSpent(Refusal):
    """The link was used, has expired, was replaced, or never was: which of these is not told."""

    word = "invitation_spent"


class Person(NamedTuple):
    """An annotator as far as it matters what they may do. because: why they are paused or blocked, in a word."""

    id: str
    role: Role
    standing: Standing
    because: str
    qualified: bool

    @property
    def is_coordinator(self) -> bool:
        return self.role == Role.COORDINATOR


class Doings(NamedTuple):
    """A person, and what they have done. answers: live ones. right, wrong: their gold and qualification answers.
    last_at: of their last answer."""

    person: Person
    answers: int
    skips: int
    right: int
    wrong: int
    last_at: datetime | None
    created_at: datetime


class Invited(NamedTuple):
    """Whom a link signs in, and until when."""

    person: Person
    expires_at: datetime


class Said(NamedTuple):
    """What somebody declares of themselves in one field."""

    value: str
    may_publish: bool


def add(connection: Connection, now: datetime, role: Role = Role.ANNOTATOR) -> str:
    """A new annotator's pseudonym: 32 random hex digits."""
    pseudonym = secrets.token_hex(16)
    connection.execute(
        insert(Annotator), {"id": pseudonym, "role": role, "standing": Standing.ACTIVE, "created_at": now}
    )
    return pseudonym


def invite(connection: Connection, now: datetime, annotator: str, days: float = 14, by: str = "") -> str:
    """The token of a link that signs an annotator in, once, within `days`. It is told here and never again. One that
    was not used ends: who asks for a new link has lost it, and somebody else may find it. by: who asked for it; that
    somebody else can come in as this annotator is on record.

    Raises UnknownAnnotator."""
    if person(connection, annotator) is None:
        raise UnknownAnnotator(f"there is no annotator {annotator}")
    connection.execute(delete(Invitation).where(Invitation.annotator_id == annotator, Invitation.used_at.is_(None)))
    token = secrets.token_hex(32)
    row = {"digest": _digest(token), "annotator_id": annotator, "created_at": now}
    connection.execute(insert(Invitation), {**row, "expires_at": now + timedelta(days=days)})
    events.record(connection, now, by, "invited", annotator, {})
    return token


def invited(connection: Connection, token: str, now: datetime) -> Invited | None:
    """Whom a link would sign in; None when it would sign nobody in. Asking does not use it up."""
    row = connection.execute(_INVITED, {"the_digest": _digest(token), "the_time": now}).first()
    return Invited(_known(row), row.expires_at) if row is not None else None


def accept(connection: Connection, token: str, now: datetime, guideline_version: str, hours: float = 24 * 30) -> str:
    """Use a link up: its holder agrees to the terms of a guideline version and is signed in for `hours`.
    Returns the token of the session. Raises InvitationSpent."""
    used = connection.execute(_USE, {"the_digest": _digest(token), "the_time": now}).first()
    who = person(connection, used.annotator_id) if used is not None else None
    if who is None or who.standing == Standing.BLOCKED:
        raise InvitationSpent("this link was used, or its time has run out: ask for a new one")
    connection.execute(
        inserting(connection, Consent)
        .values(annotator_id=who.id, guideline_version=guideline_version, given_at=now)
        .on_conflict_do_nothing()
    )
    connection.execute(delete(Session).where(Session.expires_at <= now))
    session = secrets.token_hex(32)
    mine = select(Session.digest).where(Session.annotator_id == who.id)
    kept = mine.order_by(Session.created_at.desc(), Session.digest).limit(MOST_SESSIONS - 1)
    connection.execute(delete(Session).where(Session.annotator_id == who.id, Session.digest.not_in(kept)))
    row = {"digest": _digest(session), "annotator_id": who.id, "created_at": now}
    connection.execute(insert(Session), {**row, "expires_at": now + timedelta(hours=hours)})
    return session


def has_consented(connection: Connection, annotator: str) -> bool:
    """Whether they have agreed to the terms of any guideline version: they have been here before."""
    return connection.scalar(select(Consent.annotator_id).where(Consent.annotator_id == annotator).limit(1)) is not None


def signed_in(connection: Connection, session: str, now: datetime) -> Person | None:
    """Whose session it is; None when it is over, or never was."""
    return _person(connection.execute(_SIGNED_IN, {"the_digest": _digest(session), "the_time": now}).first())


def sign_out(connection: Connection, session: str) -> None:
    connection.execute(delete(Session).where(Session.digest == _digest(session)))


def sign_out_everywhere(connection: Connection, annotator: str) -> None:
    """End all sessions of an annotator, and the links that have not been used."""
    connection.execute(delete(Session).where(Session.annotator_id == annotator))
    connection.execute(delete(Invitation).where(Invitation.annotator_id == annotator, Invitation.used_at.is_(None)))


def person(connection: Connection, annotator: str) -> Person | None:
    """An annotator by pseudonym."""
    return _person(connection.execute(_PERSON, {"the_annotator": annotator}).first())


def first_coordinator(connection: Connection, now: datetime, days: float = 1) -> str | None:
    """The token of a link for the first coordinator, while none has ever come in; else None. An earlier such
    link ends."""
    here = select(Consent.annotator_id).where(Consent.annotator_id == Annotator.id).exists()
    chiefs = select(Annotator.id).where(Annotator.role == Role.COORDINATOR, Annotator.standing == Standing.ACTIVE)
    if connection.scalar(chiefs.where(here).limit(1)) is not None:
        return None
    chief = connection.scalar(chiefs.order_by(Annotator.created_at).limit(1)) or add(connection, now, Role.COORDINATOR)
    connection.execute(delete(Invitation).where(Invitation.annotator_id == chief))
    return invite(connection, now, chief, days)


def set_standing(
    connection: Connection, annotator: str, standing: Standing, because: str, by: str, now: datetime
) -> None:
    """Pause, block or resume somebody. by: the coordinator, or "" for the machine.

    Who is blocked is signed out, and what they hold goes back. Their answers are kept and weigh nothing:
    `decisions.decide` asks others in their place. Raises UnknownAnnotator."""
    before = person(connection, annotator)
    if before is None:
        raise UnknownAnnotator(f"there is no annotator {annotator}")
    because = "" if standing == Standing.ACTIVE else because
    if (before.standing, before.because) == (standing, because):
        return
    connection.execute(
        update(Annotator).where(Annotator.id == annotator).values(standing=standing, because=because[:32])
    )
    if standing == Standing.BLOCKED:
        sign_out_everywhere(connection, annotator)
        _give_back(connection, annotator)
    change = {"from": before.standing, "to": standing, "because": because}
    events.record(connection, now, by, "standing", annotator, change)


def set_role(connection: Connection, annotator: str, role: Role, by: str, now: datetime) -> None:
    """Raises UnknownAnnotator."""
    before = person(connection, annotator)
    if before is None:
        raise UnknownAnnotator(f"there is no annotator {annotator}")
    if before.role != role:
        connection.execute(update(Annotator).where(Annotator.id == annotator).values(role=role))
        _give_back(connection, annotator)  # an adjudicator's task is none for an annotator
        events.record(connection, now, by, "role", annotator, {"from": before.role, "to": role})


def declare(connection: Connection, annotator: str, field: str, value: str, may_publish: bool, now: datetime) -> None:
    """Keep what somebody says of themselves; with an empty value, keep it no longer."""
    mine = (Declared.annotator_id == annotator, Declared.field == field)
    connection.execute(delete(Declared).where(*mine))
    if value:
        row = {"annotator_id": annotator, "field": field, "value": value}
        connection.execute(insert(Declared), {**row, "may_publish": may_publish, "declared_at": now})


def declared(connection: Connection, annotator: str) -> dict[str, Said]:
    """What somebody says of themselves, by field."""
    rows = connection.execute(
        select(Declared.field, Declared.value, Declared.may_publish).where(Declared.annotator_id == annotator)
    )
    return {row.field: Said(row.value, row.may_publish) for row in rows}


def forget(connection: Connection, annotator: str) -> None:
    """Keep nothing of what somebody said of themselves."""
    connection.execute(delete(Declared).where(Declared.annotator_id == annotator))


def passed_on(connection: Connection, annotator: str) -> tuple[int, int]:
    """How many tasks somebody skipped, and how many pairs they reported."""
    skipped = select(func.count()).where(Skip.annotator_id == annotator, Skip.reason != "reported")
    reported = select(func.count(Report.pair_id.distinct())).where(
        Report.annotator_id == annotator, Report.outcome != ReportOutcome.RETRACTED
    )
    return connection.scalar(skipped) or 0, connection.scalar(reported) or 0


def everyone(connection: Connection) -> list[Doings]:
    """All annotators and what they have done, those who came first in front."""
    said = (
        select(Annotation.annotator_id, func.count().label("number"), func.max(Annotation.created_at).label("last"))
        .where(live(Annotation), ~Annotation.retracted)
        .group_by(Annotation.annotator_id)
        .subquery()
    )
    skipped = select(Skip.annotator_id, func.count().label("number")).group_by(Skip.annotator_id).subquery()
    rows = connection.execute(
        select(*_ABOUT, said.c.number, skipped.c.number, Annotator.gold_right, Annotator.gold_wrong)
        .add_columns(said.c.last, Annotator.created_at)
        .outerjoin(said, said.c.annotator_id == Annotator.id)
        .outerjoin(skipped, skipped.c.annotator_id == Annotator.id)
        .order_by(Annotator.created_at, Annotator.id)
    )
    about = len(_ABOUT)
    return [Doings(_known(row), row[about] or 0, row[about + 1] or 0, *row[about + 2 :]) for row in rows]


def _give_back(connection: Connection, annotator: str) -> None:
    """End the leases of an annotator: others find their tasks again."""
    ended = connection.scalars(delete(Lease).where(Lease.annotator_id == annotator).returning(Lease.task_id)).all()
    for task_id, count in sorted(Counter(ended).items()):
        connection.execute(update(Task).where(Task.id == task_id).values(held=Task.held - count))
    order.reopened(connection, sorted(set(ended)))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _person(row: Sequence[Any] | None) -> Person | None:
    return _known(row) if row is not None else None


def _known(row: Sequence[Any]) -> Person:
    """Of a row that begins with _ABOUT."""
    return Person(row[0], Role(row[1]), Standing(row[2]), row[3], row[4])


# Made once, as in `queue.py`: one of them runs with every request.

_ABOUT = (Annotator.id, Annotator.role, Annotator.standing, Annotator.because, Annotator.qualified)
_PERSON = select(*_ABOUT).where(Annotator.id == bindparam("the_annotator"))
_SIGNED_IN = (
    select(*_ABOUT)
    .join(Session, Session.annotator_id == Annotator.id)
    .where(Session.digest == bindparam("the_digest"), Session.expires_at > bindparam("the_time"))
    .where(Annotator.standing != Standing.BLOCKED)
)
_IS_OPEN = (
    Invitation.digest == bindparam("the_digest"),
    Invitation.used_at.is_(None),
    Invitation.expires_at > bindparam("the_time"),
)
_INVITED = (
    select(*_ABOUT, Invitation.expires_at)
    .join(Invitation, Invitation.annotator_id == Annotator.id)
    .where(*_IS_OPEN, Annotator.standing != Standing.BLOCKED)
)
_USE = update(Invitation).where(*_IS_OPEN).values(used_at=bindparam("the_time")).returning(Invitation.annotator_id)
