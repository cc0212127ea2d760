"""Who may come in, on a real SQLite file: invitations, sessions, standing, profiles."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, func, select, text, update

from waon_build.annotation import decisions, people, queue
from waon_build.annotation.access import Consent, Declared, Invitation, Session
from waon_build.annotation.database import writing
from waon_build.annotation.models import Annotator, Event, Lease, Role, Standing, State, Task
from waon_build.annotation.order import Plan
from waon_build.annotation.questions import Answers
from waon_build.recipe import AnnotationSettings

Add = Callable[[], str]
Fill = Callable[..., None]
Answer = Callable[..., Answers]


def take(connection: Connection, who: str, now: datetime) -> list[queue.Leased]:
    return queue.claim(connection, who, now, Plan(minutes=10))


def invited(engine: Engine, who: str, now: datetime, days: float = 14) -> str:
    with writing(engine) as connection:
        return people.invite(connection, now, who, days)


def accepted(engine: Engine, token: str, now: datetime) -> str:
    with writing(engine) as connection:
        return people.accept(connection, token, now, "2026-11-1")


def whose(engine: Engine, session: str, now: datetime) -> people.Person | None:
    with engine.connect() as connection:
        return people.signed_in(connection, session, now)


def test_a_link_signs_its_annotator_in(engine: Engine, annotator: Add, now: datetime) -> None:
    who = annotator()
    session = accepted(engine, invited(engine, who, now), now)
    found = whose(engine, session, now)
    assert found == people.Person(who, Role.ANNOTATOR, Standing.ACTIVE, "", False)


def test_a_link_works_once(engine: Engine, annotator: Add, now: datetime) -> None:
    token = invited(engine, annotator(), now)
    accepted(engine, token, now)
    with pytest.raises(people.InvitationSpent):
        accepted(engine, token, now)
    with engine.connect() as connection:
        assert people.invited(connection, token, now) is None


def test_to_look_at_a_link_does_not_use_it_up(engine: Engine, annotator: Add, now: datetime) -> None:
    """Programs that show previews of links open them too."""
    who = annotator()
    token = invited(engine, who, now)
    for _ in range(3):
        with engine.connect() as connection:
            found = people.invited(connection, token, now)
        assert found is not None
        assert (found.person.id, found.expires_at) == (who, now + timedelta(days=14))
    accepted(engine, token, now)


def test_a_link_expires(engine: Engine, annotator: Add, now: datetime) -> None:
    token = invited(engine, annotator(), now, days=1)
    with pytest.raises(people.InvitationSpent):
        accepted(engine, token, now + timedelta(days=1))


@pytest.mark.parametrize("token", ["", "0" * 64, "門松", "\ud800"])
def test_what_was_never_a_link_signs_nobody_in(engine: Engine, now: datetime, token: str) -> None:
    with pytest.raises(people.InvitationSpent):
        accepted(engine, token, now)


def test_a_link_is_for_somebody_who_exists(engine: Engine, now: datetime) -> None:
    with pytest.raises(queue.UnknownAnnotator):
        invited(engine, "nobody", now)


def test_the_database_holds_no_token(engine: Engine, annotator: Add, now: datetime) -> None:
    """Whoever reads the database, or a copy of it, cannot come in with what stands there."""
    waiting = invited(engine, annotator(), now)
    token = invited(engine, annotator(), now)
    session = accepted(engine, token, now)
    with engine.connect() as connection:
        kept = [str(row) for table in (Invitation, Session) for row in connection.execute(select(table.__table__))]
    assert len(kept) == 3
    for secret in (waiting, token, session):
        assert len(secret) == 64
        assert not any(secret in row for row in kept)


def test_a_session_ends_by_itself(engine: Engine, annotator: Add, now: datetime) -> None:
    session = accepted(engine, invited(engine, annotator(), now), now)
    assert whose(engine, session, now + timedelta(days=29)) is not None
    assert whose(engine, session, now + timedelta(days=30)) is None


def test_sessions_that_are_over_are_swept_away(engine: Engine, annotator: Add, now: datetime) -> None:
    accepted(engine, invited(engine, annotator(), now), now)
    later = now + timedelta(days=31)
    accepted(engine, invited(engine, annotator(), later), later)
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Session)) == 1


def test_to_sign_out_ends_this_session_and_no_other(engine: Engine, annotator: Add, now: datetime) -> None:
    who = annotator()
    desk, phone = (accepted(engine, invited(engine, who, now), now) for _ in range(2))
    with writing(engine) as connection:
        people.sign_out(connection, desk)
    assert whose(engine, desk, now) is None
    assert whose(engine, phone, now) is not None


def test_to_sign_out_everywhere_ends_every_session_and_open_link(engine: Engine, annotator: Add, now: datetime) -> None:
    who, other = annotator(), annotator()
    sessions = [accepted(engine, invited(engine, who, now), now) for _ in range(2)]
    link = invited(engine, who, now)
    theirs = accepted(engine, invited(engine, other, now), now)
    with writing(engine) as connection:
        people.sign_out_everywhere(connection, who)
    assert [whose(engine, session, now) for session in sessions] == [None, None]
    assert whose(engine, theirs, now) is not None
    with pytest.raises(people.InvitationSpent):
        accepted(engine, link, now)


def test_consent_is_kept_with_the_version_that_was_read(engine: Engine, annotator: Add, now: datetime) -> None:
    who = annotator()
    for _ in range(2):
        accepted(engine, invited(engine, who, now), now)
    with engine.connect() as connection:
        rows = connection.execute(select(Consent.annotator_id, Consent.guideline_version)).all()
        assert rows == [(who, "2026-11-1")]
        assert people.has_consented(connection, who)
        assert not people.has_consented(connection, annotator())


def test_who_is_blocked_is_out_and_what_they_held_is_free(
    engine: Engine, queued: Fill, annotator: Add, now: datetime
) -> None:
    queued(range(1), overlap=1)
    who, other = annotator(), annotator()
    session = accepted(engine, invited(engine, who, now), now)
    link = invited(engine, who, now)
    with writing(engine) as connection:
        assert take(connection, who, now)
        assert not take(connection, other, now)
        people.set_standing(connection, who, Standing.BLOCKED, "gold", other, now)
        assert connection.scalar(select(func.count()).select_from(Lease)) == 0
        assert take(connection, other, now)
    assert whose(engine, session, now) is None
    with pytest.raises(people.InvitationSpent):
        accepted(engine, link, now)


def test_a_link_made_for_somebody_blocked_signs_nobody_in(engine: Engine, annotator: Add, now: datetime) -> None:
    who = annotator()
    with writing(engine) as connection:
        people.set_standing(connection, who, Standing.BLOCKED, "gold", "", now)
    with pytest.raises(people.InvitationSpent):
        accepted(engine, invited(engine, who, now), now)


def test_the_slots_of_the_blocked_reopen(
    engine: Engine, queued: Fill, annotator: Add, answer: Answer, settings: AnnotationSettings, now: datetime
) -> None:
    """Their answers are kept and weigh nothing: somebody else is asked."""
    queued(range(1), overlap=2)
    settings = settings.model_copy(update={"settle": 0.6})
    who, other, third = annotator(), annotator(), annotator()
    with writing(engine) as connection:
        for one in (who, other):
            leased = take(connection, one, now)[0]
            queue.submit(connection, one, leased.task.task_id, leased.token, answer(), now)
    decisions.decide(engine, settings, now)
    with writing(engine) as connection:
        assert connection.execute(select(Task.state, Task.wanted)).one() == (State.DONE, 2)
        people.set_standing(connection, who, Standing.BLOCKED, "gold", "", now)
    decisions.decide(engine, settings, now)
    with writing(engine) as connection:
        assert connection.execute(select(Task.state, Task.wanted)).one() == (State.OPEN, 3)
        assert take(connection, third, now)


def test_who_is_paused_stays_signed_in_and_may_be_resumed(engine: Engine, annotator: Add, now: datetime) -> None:
    who = annotator()
    session = accepted(engine, invited(engine, who, now), now)
    with writing(engine) as connection:
        people.set_standing(connection, who, Standing.PAUSED, "gold", "", now)
    found = whose(engine, session, now)
    assert found is not None
    assert (found.standing, found.because) == (Standing.PAUSED, "gold")
    with writing(engine) as connection:
        people.set_standing(connection, who, Standing.ACTIVE, "", "c" * 32, now)
    found = whose(engine, session, now)
    assert found is not None
    assert (found.standing, found.because) == (Standing.ACTIVE, "")


def test_what_is_done_about_people_is_recorded_with_who_did_it(engine: Engine, annotator: Add, now: datetime) -> None:
    who, chief = annotator(), annotator()
    with writing(engine) as connection:
        people.set_role(connection, who, Role.ADJUDICATOR, chief, now)
        people.set_standing(connection, who, Standing.PAUSED, "wish", chief, now)
        people.set_standing(connection, who, Standing.PAUSED, "wish", chief, now)  # which is no news
        rows = connection.execute(select(Event.actor, Event.verb, Event.subject, Event.detail).order_by(Event.id)).all()
    assert rows == [
        (chief, "role", who, {"from": "annotator", "to": "adjudicator"}),
        (chief, "standing", who, {"from": "active", "to": "paused", "because": "wish"}),
    ]


def test_nothing_is_done_about_nobody(engine: Engine, now: datetime) -> None:
    with writing(engine) as connection:
        with pytest.raises(queue.UnknownAnnotator):
            people.set_standing(connection, "nobody", Standing.BLOCKED, "", "", now)
        with pytest.raises(queue.UnknownAnnotator):
            people.set_role(connection, "nobody", Role.COORDINATOR, "", now)


def test_a_profile_says_what_was_declared_last(engine: Engine, annotator: Add, now: datetime) -> None:
    who = annotator()
    with writing(engine) as connection:
        people.declare(connection, who, "region", "kanto", True, now)
        people.declare(connection, who, "native_language", "ja", False, now)
        people.declare(connection, who, "region", "kinki", False, now)
        assert people.declared(connection, who) == {
            "region": people.Said("kinki", False),
            "native_language": people.Said("ja", False),
        }
        people.declare(connection, who, "region", "", False, now)
        assert set(people.declared(connection, who)) == {"native_language"}
        people.forget(connection, who)
        assert people.declared(connection, who) == {}


def test_the_table_of_profiles_can_be_dropped(engine: Engine, annotator: Add, now: datetime) -> None:
    """Nothing refers to it, and nobody who works is kept from working."""
    who = annotator()
    with writing(engine) as connection:
        people.declare(connection, who, "region", "kanto", True, now)
        connection.execute(text(f"DROP TABLE {Declared.__tablename__}"))
        token = people.invite(connection, now, who)
        session = people.accept(connection, token, now, "2026-11-1")
        assert people.signed_in(connection, session, now) is not None


def test_everyone_is_listed_with_what_they_have_done(
    engine: Engine, queued: Fill, annotator: Add, answer: Answer, now: datetime
) -> None:
    queued(range(3))
    busy, idle = annotator(), annotator()
    with writing(engine) as connection:
        for _ in range(2):
            leased = take(connection, busy, now)[0]
            queue.submit(connection, busy, leased.task.task_id, leased.token, answer(), now)
        queue.correct(connection, busy, leased.task.task_id, answer(0), now + timedelta(minutes=1))
        doings = {one.person.id: one for one in people.everyone(connection)}
    assert (doings[busy].answers, doings[busy].last_at) == (2, now + timedelta(minutes=1))
    assert (doings[idle].answers, doings[idle].skips, doings[idle].last_at) == (0, 0, None)


def test_the_first_coordinator_gets_a_link_until_there_is_one(engine: Engine, now: datetime) -> None:
    with writing(engine) as connection:
        lost = people.first_coordinator(connection, now)
        token = people.first_coordinator(connection, now)
        assert lost is not None
        assert token is not None
        assert people.invited(connection, lost, now) is None
        session = people.accept(connection, token, now, "2026-11-1")
        found = people.signed_in(connection, session, now)
        assert found is not None
        assert found.is_coordinator
        assert people.first_coordinator(connection, now) is None
        assert [one.person for one in people.everyone(connection)] == [found]


def test_what_somebody_held_who_was_blocked_is_found_by_whoever_had_passed_it(
    engine: Engine, queued: Callable[..., None], now: datetime
) -> None:
    """Waves in which nothing was left are looked at again."""
    queued(range(1), overlap=1)
    plan = Plan(minutes=10)
    with writing(engine) as connection:
        first, second = people.add(connection, now), people.add(connection, now)
        assert len(queue.claim(connection, first, now, plan)) == 1
        assert queue.claim(connection, second, now, plan) == []
        connection.execute(update(Annotator).where(Annotator.id == second).values(floor=5))
        people.set_standing(connection, first, Standing.BLOCKED, "", "", now)
        assert len(queue.claim(connection, second, now, plan)) == 1


def test_a_new_link_ends_the_one_that_was_not_used(engine: Engine, now: datetime) -> None:
    with writing(engine) as connection:
        who = people.add(connection, now)
        lost, new = people.invite(connection, now, who), people.invite(connection, now, who)
        assert people.invited(connection, lost, now) is None
        assert people.invited(connection, new, now) is not None


def test_the_oldest_of_too_many_browsers_is_signed_out(engine: Engine, now: datetime) -> None:
    with writing(engine) as connection:
        who = people.add(connection, now)
        sessions = []
        for minute in range(people.MOST_SESSIONS + 1):
            then = now + timedelta(minutes=minute)
            sessions.append(people.accept(connection, people.invite(connection, then, who), then, "1"))
        assert [people.signed_in(connection, one, then) is not None for one in sessions] == [False] + 10 * [True]
