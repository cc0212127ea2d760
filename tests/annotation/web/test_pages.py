"""The pages of annotators: the way in and out, the guideline, what one declares."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from waon_build.annotation import people
from waon_build.annotation.access import Consent, Session
from waon_build.annotation.database import writing
from waon_build.annotation.models import Role, Standing
from waon_build.annotation.web.campaign import utc_now
from waon_build.annotation.web.texts import catalogue


def test_a_link_shows_the_terms_and_signs_in_who_agrees(office: Any) -> None:
    who, token = office.invite()
    browser = office.browser()
    page = browser.see(f"/invite/{token}")
    assert page.status_code == 200
    reply = browser.fill_in(f"/invite/{token}", agree="yes")
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    cookie = next(one for one in reply.headers.get_list("set-cookie") if one.startswith("waon_session="))
    for word in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=2592000"):
        assert word in cookie
    assert browser.get("/").headers["location"] == "/judge"
    assert browser.see("/judge").status_code == 200
    with office.engine.connect() as connection:
        assert connection.execute(select(Consent.annotator_id, Consent.guideline_version)).all() == [(who, "2026-11-1")]


def test_a_preview_of_a_link_does_not_use_it_up(office: Any) -> None:
    """Chat programs open links to show what is behind them."""
    _, token = office.invite()
    for _ in range(3):
        assert office.browser().get(f"/invite/{token}").status_code == 200
        assert office.browser().head(f"/invite/{token}").status_code == 200
    assert office.accept(office.browser(), token).status_code == 303


def test_a_link_works_once(office: Any) -> None:
    _, token = office.invite()
    office.accept(office.browser(), token)
    again = office.browser()
    assert again.see(f"/invite/{token}").status_code == 410
    assert again.fill_in(f"/invite/{token}", agree="yes").status_code == 410
    assert again.get("/api/recent").status_code == 401


def test_a_link_that_two_press_at_once_lets_one_in(office: Any) -> None:
    _, token = office.invite()
    first, second = office.browser(), office.browser()
    for browser in (first, second):
        browser.see(f"/invite/{token}")
    assert first.fill_in(f"/invite/{token}", agree="yes").status_code == 303
    assert second.fill_in(f"/invite/{token}", agree="yes").status_code == 410


def test_who_does_not_agree_is_not_let_in_and_the_link_still_works(office: Any) -> None:
    _, token = office.invite()
    browser = office.browser()
    browser.see(f"/invite/{token}")
    reply = browser.fill_in(f"/invite/{token}")
    assert reply.status_code == 422
    assert catalogue("en")("invite.consent_missing") in reply.text
    assert browser.fill_in(f"/invite/{token}", agree="yes").status_code == 303


def test_a_form_elsewhere_cannot_sign_a_browser_in_as_somebody_else(office: Any) -> None:
    """Whoever is signed in as the attacker without knowing works for the attacker's figures."""
    _, token = office.invite()
    attacker, victim = office.browser(), office.browser()
    attacker.see(f"/invite/{token}")
    reply = victim.post(f"/invite/{token}", data={"csrf_token": attacker.csrf, "agree": "yes"})
    assert reply.status_code == 403
    assert "waon_session" not in reply.headers.get("set-cookie", "")


def test_a_session_that_was_put_into_the_browser_before_is_not_the_one_that_is_signed_in(office: Any) -> None:
    _, token = office.invite()
    planted = "a" * 64
    browser = office.browser()
    browser.cookies.set("waon_session", planted)
    office.accept(browser, token)
    session = browser.cookies["waon_session"] if len(list(browser.cookies.jar)) == 1 else ""
    assert session != planted
    stranger = office.browser(Cookie=f"waon_session={planted}")
    assert stranger.get("/api/recent").status_code == 401


def test_who_signs_in_anew_leaves_no_session_behind(office: Any) -> None:
    browser = office.browser()
    for _ in range(2):
        _, token = office.invite()
        office.accept(browser, token)
    with office.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Session)) == 1


def test_the_token_of_a_link_is_not_written_down(office: Any, caplog: pytest.LogCaptureFixture) -> None:
    _, token = office.invite()
    browser = office.browser()
    page = browser.see(f"/invite/{token}")
    office.accept(browser, token)
    browser.see(f"/invite/{token}")
    assert token not in caplog.text
    assert "http://" not in page.text.replace(office.url, "")
    assert "https://" not in page.text  # nothing is loaded from elsewhere, to which a referrer could tell it


def test_who_is_not_signed_in_is_shown_the_way(office: Any) -> None:
    browser = office.browser()
    assert browser.get("/").status_code == 200
    for path in ("/judge", "/guideline", "/me", "/coordinator", "/coordinator/people"):
        reply = browser.get(path)
        assert (reply.status_code, reply.headers["location"]) == (303, "/")


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("path", ["/judge", "/guideline", "/me", "/none"])
def test_every_page_has_both_languages(office: Any, path: str, language: str) -> None:
    hanako = office.person()
    page = hanako.get(path, headers={"Accept-Language": language})
    assert f'<html lang="{language}">' in page.text
    assert catalogue(language)("site.name") in page.text


def test_a_language_is_chosen_and_stays_chosen(office: Any) -> None:
    for browser in (office.person(), office.browser()):
        browser.see("/")
        if not browser.csrf:
            browser.see("/me")
        reply = browser.fill_in("/language", language="ja", next="/guideline")
        assert (reply.status_code, reply.headers["location"]) == (303, "/guideline")
        assert '<html lang="ja">' in browser.get("/none").text


@pytest.mark.parametrize(
    "path", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\r\nX: y", ""]
)
def test_to_choose_a_language_leads_nowhere_else(office: Any, path: str) -> None:
    browser = office.browser()
    browser.see("/")
    assert browser.fill_in("/language", language="ja", next=path).headers["location"] == "/"


@pytest.mark.parametrize("fields", [{"language": "xx"}, {}])
def test_only_languages_there_are_can_be_chosen(office: Any, fields: dict[str, str]) -> None:
    browser = office.browser()
    browser.see("/")
    assert browser.fill_in("/language", **fields).status_code == 422


def test_a_profile_is_kept_and_forgotten(office: Any) -> None:
    hanako = office.person()
    hanako.see("/me")
    reply = hanako.fill_in(
        "/me", action="profile", field_region="kinki", publish_region="yes", field_native_language="ja"
    )
    assert catalogue("en")("me.saved_profile") in reply.text
    with office.engine.connect() as connection:
        (who,) = people.everyone(connection)
        assert people.declared(connection, who.person.id) == {
            "region": people.Said("kinki", True),
            "native_language": people.Said("ja", False),
        }
    hanako.fill_in("/me", action="forget")
    with office.engine.connect() as connection:
        assert people.declared(connection, who.person.id) == {}


@pytest.mark.parametrize("value", ["Tokyo, Minato 1-2-3", "x" * 300, "\0"])
def test_a_profile_holds_no_words_of_ones_own(office: Any, value: str) -> None:
    """What is written freely could say who somebody is."""
    hanako = office.person()
    assert hanako.fill_in("/me", action="profile", field_region=value).status_code == 422


def test_a_link_for_a_further_device_is_shown_once_and_is_short_lived(office: Any) -> None:
    hanako = office.person()
    page = hanako.fill_in("/me", action="link")
    link = page.text.partition("/invite/")[2][:64]
    assert len(link) == 64
    assert link not in hanako.get("/me").text
    with office.engine.connect() as connection:
        assert people.invited(connection, link, utc_now() + timedelta(minutes=16)) is None
    phone = office.browser()
    assert "agree" not in phone.see(f"/invite/{link}").text  # who has agreed to the terms is not asked again
    assert phone.fill_in(f"/invite/{link}").status_code == 303
    assert phone.get("/api/recent").status_code == 200
    assert hanako.get("/api/recent").status_code == 200


def test_to_sign_out_ends_the_session_on_the_server(office: Any) -> None:
    hanako = office.person()
    cookie = hanako.cookies["waon_session"]
    reply = hanako.fill_in("/me", action="sign_out")
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    assert office.browser(Cookie=f"waon_session={cookie}").get("/api/recent").status_code == 401


def test_to_sign_out_everywhere_ends_all_sessions(office: Any) -> None:
    who, token = office.invite()
    desk, phone = office.browser(), office.browser()
    office.accept(desk, token)
    with writing(office.engine) as connection:
        token = people.invite(connection, utc_now(), who)
    office.accept(phone, token)
    phone.see("/me")
    phone.fill_in("/me", action="sign_out_everywhere")
    assert desk.get("/api/recent").status_code == phone.get("/api/recent").status_code == 401


@pytest.mark.parametrize("action", ["", "delete", "sign_out_others"])
def test_what_a_page_does_not_offer_is_refused(office: Any, action: str) -> None:
    assert office.person().fill_in("/me", action=action).status_code == 422


def test_what_somebody_blocked_had_open_is_closed(office: Any) -> None:
    hanako = office.person()
    with writing(office.engine) as connection:
        (who,) = people.everyone(connection)
        people.set_standing(connection, who.person.id, Standing.BLOCKED, "coordinator", "", utc_now())
    assert hanako.get("/judge").headers["location"] == "/"
    assert hanako.fill_in("/me", action="link").status_code == 401


def test_hostile_captions_are_text(office: Any) -> None:
    """The judging page gets its pairs as JSON; what the server puts into pages itself is escaped."""
    hanako = office.person(Role.COORDINATOR)
    page = hanako.get("/me?done=<script>alert(1)</script>").text
    assert "<script>alert" not in page
    page = hanako.get("/coordinator/people?done=<script>alert(1)</script>").text
    assert "<script>alert" not in page
