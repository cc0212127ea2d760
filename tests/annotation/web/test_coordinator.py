"""The pages of coordinators."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update

from waon_build.annotation import decisions, people, reports
from waon_build.annotation.database import writing
from waon_build.annotation.models import (
    Annotation,
    Annotator,
    Event,
    Kind,
    Lease,
    Report,
    ReportOutcome,
    Role,
    Standing,
    State,
    Task,
)
from waon_build.annotation.web.campaign import utc_now
from waon_build.annotation.web.texts import catalogue
from waon_build.recipe import AnnotationSettings
from waon_build.rights.tombstones import Tombstones

PAGES = ("", "/people", "/disagreements", "/adjudication", "/gold", "/reports", "/guideline", "/filters")
VERSION = "2026-11-1"
EN = catalogue("en")


def share(name: str, *values: float | None) -> dict[str, Any]:
    """A share with its interval, as the audit tells it."""
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


FORECAST = {"open_tasks": 20, "answers_expected": 11, "answers_a_day": 300.0, "days_left": 3.5, "why": ""}
FRAMES = {
    "at": "2026-11-23T12:00:00+00:00",
    "progress": [{"kind": "normal", "state": "open", "tasks": 20, "answers": 31, "wanted": 9}],
    "decisions": [{"kind": "normal", "outcome": "accepted", "tasks": 1234}],
    "forecast": [FORECAST],
    "quotas": [
        {"category": "food", "quota": 500, "accepted": 123, "lacking": 377, "open_tasks": 40},
        {"category": "", "quota": None, "accepted": 7, "lacking": None, "open_tasks": 0},
    ],
    "agreement": [{"question": "match", "by": "all", "group": "", "raw": 0.7345, "alpha": None, "ac1": 0.67}],
    "twins": [],
    "pay": [{"by": "all", "group": "", "per_hour": 1100.0, "floor": 1226.0, "is_below": True}],
    "precision": [
        {"estimate": "model", **share("precision", 0.95, 0.9, 0.98)},
        {"estimate": "gold", **share("precision", None, None, None)},
    ],
    "filters": [
        {"filter": "text.too_short", "tasks": 40, "judged": 20, "kept": 3, **share("share", 0.15, 0.05, 0.33)},
        {"filter": "image.blank", "tasks": 4, "judged": 0, "kept": 0, **share("share", None, None, None)},
    ],
}


def submit(browser: Any, answers: dict[str, Any]) -> Any:
    task = browser.call("claim").json()["tasks"][0]
    body = {"task_id": task["task_id"], "token": task["token"], "answers": answers, "guideline_version": VERSION}
    assert browser.call("submit", body).status_code == 200
    return task


def words(page: Any) -> str:
    """What a page says."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


@pytest.fixture
def settings() -> AnnotationSettings:
    """Two answers decide, one way or the other."""
    return AnnotationSettings(max_overlap=2, settle=0.55)


@pytest.fixture
def chief(office: Any) -> Any:
    browser = office.person(Role.COORDINATOR)
    browser.see("/coordinator")
    return browser


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("counts", [None, lambda: FRAMES])
def test_every_page_has_both_languages_with_and_without_figures(
    served: Any, queued: Callable[..., None], language: str, counts: Any
) -> None:
    queued(range(3))
    chief = served(count=counts).person(Role.COORDINATOR)
    for page in PAGES:
        reply = chief.get(f"/coordinator{page}", headers={"Accept-Language": language})
        assert reply.status_code == 200, page
        assert f'<html lang="{language}">' in reply.text


@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.ADJUDICATOR])
def test_the_pages_are_for_coordinators_alone(office: Any, role: Role) -> None:
    browser = office.person(role)
    browser.see("/me")
    for page in PAGES:
        assert browser.get(f"/coordinator{page}").status_code == 403
    for page in ("people", "gold", "reports"):
        for action in ("invite", "block", "role", "make", "import", "uphold"):
            fields = {
                "role": "coordinator",
                "count": "1",
                "days": "1",
                "who": "x",
                "task": "1",
                "report": "1",
                "keys": "{}",
            }
            assert browser.fill_in(f"/coordinator/{page}", action=action, **fields).status_code in (403, 422)
    with office.engine.connect() as connection:
        assert len(people.everyone(connection)) == 1


def test_a_coordinator_who_is_paused_is_none(office: Any, chief: Any) -> None:
    with writing(office.engine) as connection:
        (who,) = people.everyone(connection)
        people.set_standing(connection, who.person.id, Standing.PAUSED, "coordinator", "", utc_now())
    assert chief.get("/coordinator").status_code == 403


def test_progress_is_told_in_figures(served: Any) -> None:
    chief = served(count=lambda: FRAMES).person(Role.COORDINATOR)
    said = words(chief.get("/coordinator"))
    for figure in ("3.5 days", "食べ物・飲み物 123 500", "377", "95% 90%–98%", "0.73 – 0.67", "Accepted 1,234"):
        assert figure in said
    assert EN("coordinator.progress.below_floor") in said
    said = words(chief.get("/coordinator/filters"))
    assert "text.too_short 20 / 40 3 15% 5%–33%" in said
    assert EN("coordinator.filters.not_judged") in said


def test_figures_that_cannot_be_counted_do_not_take_the_page_along(served: Any) -> None:
    def broken() -> Any:
        raise OSError("no")

    chief = served(count=broken).person(Role.COORDINATOR)
    assert EN("coordinator.no_figures") in words(chief.get("/coordinator"))
    assert chief.get("/coordinator/people").status_code == 200


def test_people_are_invited(office: Any, chief: Any) -> None:
    page = chief.fill_in("/coordinator/people", action="invite", role="adjudicator", count="3", days="2")
    links = re.findall(rf"{office.url}/invite/([0-9a-f]{{64}})", page.text)
    assert len(set(links)) == 3
    assert not re.findall("/invite/", chief.get("/coordinator/people").text)
    browser = office.browser()
    assert office.accept(browser, links[0]).status_code == 303
    with office.engine.connect() as connection:
        assert sorted(one.person.role for one in people.everyone(connection)) == ["adjudicator"] * 3 + ["coordinator"]


@pytest.mark.parametrize(
    "fields",
    [
        {"count": "0"},
        {"count": "101"},
        {"count": "many"},
        {"count": "٣"},
        {"role": "emperor"},
        {"days": "-1"},
        {"days": "9" * 5000},
    ],
)
def test_nonsense_invites_nobody(office: Any, chief: Any, fields: dict[str, str]) -> None:
    sent = {"action": "invite", "role": "annotator", "count": "1", "days": "1", **fields}
    assert chief.fill_in("/coordinator/people", **sent).status_code == 422
    with office.engine.connect() as connection:
        assert len(people.everyone(connection)) == 1


def test_somebody_is_paused_blocked_and_let_go_on(office: Any, chief: Any) -> None:
    hanako = office.person()
    hanako.call("claim")
    with office.engine.connect() as connection:
        who = people.everyone(connection)[-1].person.id

    def act(action: str, **fields: str) -> Any:
        reply = chief.fill_in("/coordinator/people", action=action, who=who, **fields)
        assert reply.headers["location"] == f"/coordinator/people?done={action}"
        assert EN(f"coordinator.done.{action}") in words(chief.get(reply.headers["location"]))
        with office.engine.connect() as connection:
            return people.person(connection, who)

    assert act("pause").standing == Standing.PAUSED
    assert hanako.call("claim").json()["why_empty"] == "paused"
    assert act("resume").standing == Standing.ACTIVE
    assert len(hanako.call("claim").json()["tasks"]) == 3
    assert act("role", role="adjudicator").role == Role.ADJUDICATOR
    assert act("sign_out").standing == Standing.ACTIVE
    assert hanako.call("claim").status_code == 401
    assert act("block").standing == Standing.BLOCKED
    with office.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Lease)) == 0
        actors = set(connection.scalars(select(Event.actor).where(Event.subject == who, Event.verb == "standing")))
    with office.engine.connect() as connection:
        assert actors == {people.everyone(connection)[0].person.id}


def test_a_new_link_is_made_for_somebody(office: Any, chief: Any) -> None:
    who, _ = office.invite()
    page = chief.fill_in("/coordinator/people", action="link", who=who)
    (token,) = re.findall(r"/invite/([0-9a-f]{64})", page.text)
    with office.engine.connect() as connection:
        found = people.invited(connection, token, utc_now())
    assert found is not None
    assert found.person.id == who


@pytest.mark.parametrize("action", ["pause", "block", "role", "sign_out"])
def test_nobody_shuts_themselves_out(office: Any, chief: Any, action: str) -> None:
    with office.engine.connect() as connection:
        who = people.everyone(connection)[0].person.id
    assert chief.fill_in("/coordinator/people", action=action, who=who, role="annotator").status_code == 403
    assert chief.get("/coordinator").status_code == 200


def test_about_nobody_nothing_is_done(chief: Any) -> None:
    for action in ("pause", "block", "resume", "link"):
        assert chief.fill_in("/coordinator/people", action=action, who="nobody").status_code == 401
    assert chief.get("/coordinator").status_code == 200


def test_what_people_do_not_agree_on_is_shown_without_names(
    office: Any, chief: Any, settings: AnnotationSettings
) -> None:
    annotators = [office.person() for _ in range(2)]
    task = submit(annotators[0], {"match": 3, "culture": "specific", "category": "event"})
    submit(annotators[1], {"match": 0, "culture": "not"})
    decisions.decide(office.engine, settings, utc_now())
    page = chief.get("/coordinator/disagreements")
    said = words(page)
    assert task["caption"] in said
    assert "よく合っている × 1" in said
    assert "合っていない × 1" in said
    picture = re.findall(r'src="(/pictures/\d+)"', page.text)[0]
    assert chief.get(picture).status_code == 200
    with office.engine.connect() as connection:
        for one in people.everyone(connection):
            assert one.person.role == Role.COORDINATOR or one.person.id[:8] not in page.text
    said = words(chief.get("/coordinator/adjudication"))
    assert EN("coordinator.adjudication.waiting", count=1) in said


def test_an_adjudication_is_settled_by_who_did_not_judge(office: Any, chief: Any, settings: AnnotationSettings) -> None:
    annotators = [office.person() for _ in range(2)]
    submit(annotators[0], {"match": 3, "culture": "specific", "category": "event"})
    submit(annotators[1], {"match": 0, "culture": "not"})
    decisions.decide(office.engine, settings, utc_now())
    chief.see("/judge")
    task = chief.call("claim").json()["tasks"][0]
    assert sorted(task["opinions"], key=str) == sorted(
        [{"match": 3, "culture": "specific", "category": "event"}, {"match": 0, "culture": "not"}], key=str
    )
    submit(chief, {"match": 2, "culture": "related"})
    said = words(chief.get("/coordinator/adjudication"))
    assert EN("coordinator.adjudication.settled") in said
    assert "だいたい合っている" in said


def test_gold_is_made_of_pairs_on_which_all_agree(office: Any, chief: Any, settings: AnnotationSettings) -> None:
    for _ in range(2):
        submit(office.person(), {"match": 3, "culture": "specific", "category": "event"})
    decisions.decide(office.engine, settings, utc_now())
    page = chief.see("/coordinator/gold")
    (number,) = set(re.findall(r'name="task" value="(\d+)"', page.text))
    fields = {"task": number, "kind": "gold", "key_match": "yes", "key_culture": "yes"}
    reply = chief.fill_in("/coordinator/gold", action="make", **fields)
    assert reply.headers["location"] == "/coordinator/gold?done=made"
    with office.engine.connect() as connection:
        row = connection.execute(select(Task.kind, Task.key, Task.state).where(Task.kind == Kind.GOLD)).one()
    assert row == (Kind.GOLD, {"match": 3, "culture": "specific"}, State.OPEN)
    page = chief.see("/coordinator/gold")
    assert EN("coordinator.gold.unanswered") in words(page)
    (number,) = set(re.findall(r'name="task" value="(\d+)"', page.text))
    chief.fill_in("/coordinator/gold", action="retire", task=number)
    with office.engine.connect() as connection:
        assert connection.scalar(select(Task.state).where(Task.kind == Kind.GOLD)) == State.DONE


def test_a_key_of_nothing_makes_no_gold(office: Any, chief: Any, settings: AnnotationSettings) -> None:
    for _ in range(2):
        submit(office.person(), {"match": 3, "culture": "specific", "category": "event"})
    decisions.decide(office.engine, settings, utc_now())
    (number,) = set(re.findall(r'name="task" value="(\d+)"', chief.see("/coordinator/gold").text))
    assert chief.fill_in("/coordinator/gold", action="make", task=number, kind="gold").status_code == 422
    assert (
        chief.fill_in("/coordinator/gold", action="make", task=number, kind="twin", key_match="yes").status_code == 422
    )
    assert chief.fill_in("/coordinator/gold", action="make", task="7", kind="gold", key_match="yes").status_code == 404


def test_keys_are_taken_in_from_a_text_or_what_is_wrong_is_told(office: Any, chief: Any) -> None:
    with office.engine.connect() as connection:
        pair = connection.scalars(select(Task.pair_id).limit(1)).one()
    good = f'{{"pair_id": "{pair}", "match": 3, "kind": "qualification"}}'
    reply = chief.fill_in("/coordinator/gold", action="import", keys=f'{good}\n{{"pair_id": "{pair}", "match": 9}}')
    assert reply.status_code == 422
    assert "line 2" in words(reply)
    assert "/tmp" not in reply.text
    reply = chief.fill_in("/coordinator/gold", action="import", keys=good)
    assert reply.headers["location"] == "/coordinator/gold?done=imported"
    assert EN("coordinator.kind.qualification") in words(chief.get("/coordinator/gold"))


def test_a_report_is_upheld_or_dismissed(office: Any, chief: Any) -> None:
    hanako = office.person()
    for note in ("血が写っている <b>", "違った"):
        task = hanako.call("claim").json()["tasks"][0]
        body = {"task_id": task["task_id"], "token": task["token"], "kind": "harmful", "note": note}
        hanako.call("report", body)
    page = chief.see("/coordinator/reports")
    assert "血が写っている &lt;b&gt;" in page.text
    assert page.text.count('class="blurred"') == 2
    first, second = re.findall(r'name="report" value="(\d+)"', page.text)
    assert (
        chief.fill_in("/coordinator/reports", action="uphold", report=first).headers["location"].endswith("done=upheld")
    )
    assert (
        chief.fill_in("/coordinator/reports", action="dismiss", report=second)
        .headers["location"]
        .endswith("done=dismissed")
    )
    assert chief.fill_in("/coordinator/reports", action="dismiss", report=second).status_code == 404
    assert chief.fill_in("/coordinator/reports", action="burn", report=second).status_code == 422
    with office.engine.connect() as connection:
        outcomes = connection.scalars(select(Report.outcome).order_by(Report.id)).all()
        assert reports.open_reports(connection) == []
    assert outcomes == [ReportOutcome.UPHELD, ReportOutcome.DISMISSED]
    assert EN("coordinator.reports.none") in words(chief.get("/coordinator/reports"))


def test_the_guideline_tells_its_versions(office: Any, chief: Any, settings: AnnotationSettings) -> None:
    submit(office.person(), {"match": 3, "culture": "not"})
    decisions.decide(office.engine, settings, utc_now())
    said = words(chief.get("/coordinator/guideline"))
    assert VERSION in said
    assert EN("coordinator.versions.in_force", version=VERSION) in said


def test_hostile_captions_are_shown_as_text(
    engine: Engine, office: Any, chief: Any, settings: AnnotationSettings
) -> None:
    hostile = "<script>alert(1)</script>\u202e{{ 7*7 }}'\"" + "長" * 10_000
    with writing(engine) as connection:
        connection.execute(update(Task).values(caption=hostile))
    annotators = [office.person() for _ in range(2)]
    submit(annotators[0], {"match": 3, "culture": "specific"})
    submit(annotators[1], {"match": 0, "culture": "not"})
    decisions.decide(engine, settings, utc_now())
    page = chief.get("/coordinator/disagreements").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\u202e{{ 7*7 }}" in page
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Annotation)) == 2


@pytest.mark.parametrize("number", ["0" * 19 + "1" + "9" * 3, "0" * 20 + "1" * 5000])
def test_a_number_with_noughts_before_it_is_not_read_by_its_beginning(office: Any, chief: Any, number: str) -> None:
    sent = chief.fill_in("/coordinator/people", action="invite", role="annotator", count="1", days=number)
    assert sent.status_code == 422


def test_all_reports_of_one_person_are_dismissed_at_once(office: Any, chief: Any) -> None:
    """Of one who reports everything: what others reported goes on waiting."""
    hanako, taro = office.person(), office.person()
    for browser in (taro, hanako, hanako, hanako):
        task = browser.call("claim").json()["tasks"][0]
        browser.call("report", {"task_id": task["task_id"], "token": task["token"], "kind": "harmful"})
    with office.engine.connect() as connection:
        first, second = reports.by_person(connection)
    assert (first[1:], second[1:]) == ((3, 0, 0), (1, 0, 0))
    assert first.annotator_id[:8] in words(chief.see("/coordinator/reports"))
    sent = chief.fill_in("/coordinator/reports", action="dismiss_all", who=first.annotator_id)
    assert sent.headers["location"] == "/coordinator/reports?done=dismissed_all"
    assert EN("coordinator.done.dismissed_all") in words(chief.get(sent.headers["location"]))
    with office.engine.connect() as connection:
        assert [one.annotator_id for one in reports.open_reports(connection)] == [second.annotator_id]
        assert connection.scalar(select(func.count()).where(Task.state == State.OPEN)) == 19


def test_what_was_upheld_has_a_tombstone(office: Any, chief: Any, corpus: Any) -> None:
    hanako = office.person()
    for action in ("dismiss", "uphold"):
        task = hanako.call("claim").json()["tasks"][0]
        hanako.call("report", {"task_id": task["task_id"], "token": task["token"], "kind": "personal"})
        with office.engine.connect() as connection:
            (report,) = reports.open_reports(connection)
        chief.fill_in("/coordinator/reports", action=action, report=str(report.id))
        assert Tombstones.load(corpus).covers(pair_id=report.pair_id) == (action == "uphold")


def test_who_was_paused_by_the_machine_and_let_go_on_is_not_paused_again(office: Any, chief: Any) -> None:
    hanako = office.person()
    with office.engine.connect() as connection:
        who = people.everyone(connection)[-1].person.id
    with writing(office.engine) as connection:
        connection.execute(update(Annotator).where(Annotator.id == who).values(qualified=True, gold_wrong=30))
    assert hanako.call("claim").json()["why_empty"] == "paused"
    chief.fill_in("/coordinator/people", action="resume", who=who)
    for _ in range(2):
        assert len(hanako.call("claim").json()["tasks"]) == 3
