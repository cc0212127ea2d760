"""The JSON API, from a browser's side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, func, select, update

from waon_build.annotation import gold, people
from waon_build.annotation.database import writing
from waon_build.annotation.models import Annotation, Kind, Lease, Report, Role, Skip, Standing, Task
from waon_build.annotation.web.campaign import utc_now
from waon_build.recipe import AnnotationSettings

ANSWERS = {"match": 3, "culture": "specific", "category": "event"}
VERSION = "2026-11-1"


def submit(browser: Any, task: dict[str, Any], answers: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
    body = {
        "task_id": task["task_id"],
        "token": task["token"],
        "answers": ANSWERS if answers is None else answers,
        "guideline_version": VERSION,
        "active_ms": 4000,
        "wall_ms": 5000,
        "device": "keyboard",
        **more,
    }
    response: httpx.Response = browser.call("submit", body)
    return response


def refused(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]


def count(engine: Engine, table: Any) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def test_who_claims_holds_three_pairs_and_gets_their_pictures(office: Any) -> None:
    hanako = office.person()
    held = hanako.call("claim").json()
    assert len(held["tasks"]) == 3
    assert held["counts"] == {"today": 0, "total": 0, "active_minutes_today": 0.0}
    task = held["tasks"][0]
    assert set(task) == {"task_id", "token", "expires_at", "caption", "picture", "width", "height"}
    picture = hanako.get(task["picture"])
    assert picture.status_code == 200
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.headers["cache-control"] == "private, max-age=600"
    assert picture.content.startswith(b"\xff\xd8")
    assert picture.content.endswith(b"\xff\xd9")


def test_an_answer_brings_the_next_pair_with_it(office: Any) -> None:
    hanako = office.person()
    first = hanako.call("claim").json()["tasks"]
    reply = submit(hanako, first[0])
    assert reply.status_code == 200
    held = reply.json()
    assert [task["task_id"] for task in held["tasks"][:2]] == [task["task_id"] for task in first[1:]]
    assert len(held["tasks"]) == 3
    assert held["counts"] == {"today": 1, "total": 1, "active_minutes_today": 0.1}
    with office.engine.connect() as connection:
        row = connection.execute(select(Annotation)).one()
    assert row.answers == ANSWERS
    assert (row.source, row.device, row.active_ms, row.wall_ms) == ("web", "keyboard", 4000, 5000)
    assert row.guideline_version == VERSION


def test_an_answer_sent_twice_is_taken_once(office: Any) -> None:
    """A browser that lost the reply sends again what waits in its outbox."""
    hanako = office.person()
    task = hanako.call("claim").json()["tasks"][0]
    first, again = submit(hanako, task).json(), submit(hanako, task).json()
    assert (again["annotation_id"], again["counts"]) == (first["annotation_id"], first["counts"])
    assert [task["token"] for task in again["tasks"]] == [task["token"] for task in first["tasks"]]
    assert count(office.engine, Annotation) == 1


def test_another_answer_under_the_same_token_is_refused(office: Any) -> None:
    hanako = office.person()
    task = hanako.call("claim").json()["tasks"][0]
    submit(hanako, task)
    assert refused(submit(hanako, task, {"match": 0, "culture": "not"})) == (409, "already_answered")


def test_a_lease_that_was_lost_is_told(office: Any) -> None:
    hanako = office.person()
    task = hanako.call("claim").json()["tasks"][0]
    with writing(office.engine) as connection:
        connection.execute(update(Lease).values(expires_at=utc_now()))
    reply = submit(hanako, task)
    assert refused(reply) == (409, "lease_lost")
    assert reply.json()["message"] == "The time for this picture ran out, and it went to somebody else."


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        ({}, "match"),
        ({"match": 4, "culture": "not"}, "match"),
        ({"match": True, "culture": "not"}, "match"),
        ({"match": 3, "culture": "not", "category": "food"}, "category"),
        ({"match": 3, "culture": "not", "flags": ["evil"]}, "flags"),
        ({"match": 3, "culture": "not", "better_caption": "あ" * 501}, "better_caption"),
        ({"match": 3, "culture": "not", "colour": "red"}, "colour"),
    ],
)
def test_a_wrong_answer_is_refused_with_its_question(office: Any, answers: dict[str, Any], field: str) -> None:
    hanako = office.person()
    task = hanako.call("claim").json()["tasks"][0]
    reply = submit(hanako, task, answers)
    assert refused(reply) == (422, "wrong_answers")
    assert reply.json()["field"] == field
    assert count(office.engine, Annotation) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"token": ""},
        {"token": 7},
        {"task_id": "1"},
        {"task_id": -1},
        {"task_id": 2**60},
        {"guideline_version": "1999-1"},
        {"active_ms": -1},
        {"device": "telepathy"},
        {"kind": "gold"},
    ],
)
def test_what_is_not_asked_for_is_refused(office: Any, change: dict[str, Any]) -> None:
    hanako = office.person()
    task = hanako.call("claim").json()["tasks"][0]
    assert refused(submit(hanako, task, **change)) == (422, "wrong_request")


def test_nothing_left_is_told_with_its_reason(office: Any) -> None:
    hanako = office.person()
    with writing(office.engine) as connection:
        connection.execute(update(Task).values(state="done"))
    held = hanako.call("claim").json()
    assert (held["tasks"], held["why_empty"]) == ([], "nothing_left")


@pytest.mark.parametrize(
    ("because", "why"), [("coordinator", "paused"), ("too_many_errors", "paused"), ("not_qualified", "not_qualified")]
)
def test_who_is_paused_is_told_why_there_is_nothing(office: Any, because: str, why: str) -> None:
    hanako = office.person()
    with writing(office.engine) as connection:
        (who,) = people.everyone(connection)
        people.set_standing(connection, who.person.id, Standing.PAUSED, because, "", utc_now())
    held = hanako.call("claim").json()
    assert (held["tasks"], held["why_empty"]) == ([], why)


def test_who_is_blocked_is_out(office: Any) -> None:
    hanako = office.person()
    with writing(office.engine) as connection:
        (who,) = people.everyone(connection)
        people.set_standing(connection, who.person.id, Standing.BLOCKED, "coordinator", "", utc_now())
    assert refused(hanako.call("claim")) == (401, "signed_out")


def test_a_skipped_pair_goes_to_others_and_not_to_the_same_person_again(office: Any) -> None:
    hanako = office.person()
    tasks = hanako.call("claim").json()["tasks"]
    body = {"task_id": tasks[0]["task_id"], "token": tasks[0]["token"], "reason": "distressing", "note": "血\0"}
    held = hanako.call("skip", body).json()
    assert tasks[0]["task_id"] not in [task["task_id"] for task in held["tasks"]]
    assert hanako.call("skip", body).status_code == 200  # the reply was lost, and it was sent again
    with office.engine.connect() as connection:
        assert connection.execute(select(Skip.reason, Skip.note)).one() == ("distressing", "血")


def test_a_reported_pair_is_gone_for_everybody_at_once(office: Any) -> None:
    hanako, taro = office.person(), office.person()
    mine = hanako.call("claim").json()["tasks"]
    theirs = taro.call("claim").json()["tasks"]
    shared = next(task for task in theirs if task["caption"] == mine[0]["caption"])
    body = {"task_id": mine[0]["task_id"], "token": mine[0]["token"], "kind": "harmful", "note": ""}
    held = hanako.call("report", body).json()
    assert mine[0]["task_id"] not in [task["task_id"] for task in held["tasks"]]
    assert refused(submit(taro, shared)) == (409, "task_reported")
    lease = {"task_id": shared["task_id"], "token": shared["token"]}
    assert taro.call("renew", {"held": [lease]}).json() == {
        "held": [],
        "gone": [{"task_id": shared["task_id"], "error": "task_reported"}],
    }
    assert taro.get(shared["picture"]).status_code == 404
    assert count(office.engine, Report) == 1


def test_only_what_the_questions_know_can_be_reported(office: Any) -> None:
    hanako = office.person()
    task = hanako.call("claim").json()["tasks"][0]
    body = {"task_id": task["task_id"], "token": task["token"], "kind": "ugly"}
    assert refused(hanako.call("report", body)) == (422, "wrong_request")


def test_leases_are_held_on_and_given_back(office: Any) -> None:
    hanako = office.person()
    tasks = hanako.call("claim").json()["tasks"]
    leases = [{"task_id": task["task_id"], "token": task["token"]} for task in tasks]
    renewed = hanako.call("renew", {"held": leases}).json()
    assert {one["task_id"] for one in renewed["held"]} == {one["task_id"] for one in leases}
    assert all(one["expires_at"] > task["expires_at"] for one, task in zip(renewed["held"], tasks, strict=True))
    assert hanako.call("release", {"tokens": [one["token"] for one in leases]}).json() == {}
    assert count(office.engine, Lease) == 0
    gone = hanako.call("renew", {"held": leases}).json()["gone"]
    assert [one["error"] for one in gone] == ["lease_lost"] * 3


def test_an_answer_can_be_taken_back_and_given_anew(office: Any) -> None:
    hanako = office.person()
    first = hanako.call("claim").json()["tasks"][0]
    number = submit(hanako, first).json()["annotation_id"]
    (answer,) = hanako.get("/api/recent").json()["answers"]
    assert (answer["annotation_id"], answer["task_id"], answer["can_undo"]) == (number, first["task_id"], True)
    assert answer["answers"] == ANSWERS
    held = hanako.call("undo", {"annotation_id": number}).json()
    assert (held["tasks"][0]["task_id"], held["tasks"][0]["answers"]) == (first["task_id"], ANSWERS)
    assert held["counts"]["total"] == 0
    assert hanako.get("/api/recent").json() == {"answers": []}
    again = submit(hanako, held["tasks"][0], {"match": 0, "culture": "not"}).json()
    assert again["counts"]["total"] == 1
    assert refused(hanako.call("undo", {"annotation_id": number})) == (409, "too_late_to_undo")


def test_an_answer_can_be_corrected(office: Any) -> None:
    hanako = office.person()
    task = hanako.call("claim").json()["tasks"][0]
    before = submit(hanako, task).json()["annotation_id"]
    body = {"task_id": task["task_id"], "answers": {"match": 1, "culture": "not"}, "guideline_version": VERSION}
    after = hanako.call("correct", body).json()["annotation_id"]
    assert after != before
    (answer,) = hanako.get("/api/recent").json()["answers"]
    assert (answer["annotation_id"], answer["answers"]) == (after, body["answers"])
    assert hanako.call("claim").json()["counts"]["total"] == 1


def test_only_the_last_ten_can_be_changed(office: Any) -> None:
    hanako = office.person()
    held = hanako.call("claim").json()
    first, number = held["tasks"][0], None
    for _ in range(11):
        reply = submit(hanako, held["tasks"][0]).json()
        number, held = number or reply["annotation_id"], reply
    assert len(hanako.get("/api/recent").json()["answers"]) == 10
    assert refused(hanako.call("undo", {"annotation_id": number})) == (409, "too_late_to_undo")
    body = {"task_id": first["task_id"], "answers": {"match": 1, "culture": "not"}, "guideline_version": VERSION}
    assert refused(hanako.call("correct", body)) == (409, "too_late_to_undo")


# --- nobody else's


def test_nobody_can_answer_skip_report_renew_or_release_for_somebody_else(office: Any) -> None:
    hanako, taro = office.person(), office.person()
    task = hanako.call("claim").json()["tasks"][0]
    lease = {"task_id": task["task_id"], "token": task["token"]}
    assert refused(submit(taro, task))[0] in (404, 409)
    assert refused(taro.call("skip", {**lease, "reason": "other"}))[0] in (404, 409)
    assert refused(taro.call("report", {**lease, "kind": "harmful"}))[0] in (404, 409)
    assert taro.call("renew", {"held": [lease]}).json()["held"] == []
    taro.call("release", {"tokens": [task["token"]]})
    assert (count(office.engine, Annotation), count(office.engine, Skip), count(office.engine, Report)) == (0, 0, 0)
    assert submit(hanako, task).status_code == 200


def test_nobody_can_take_back_or_correct_what_somebody_else_said(office: Any) -> None:
    hanako, taro = office.person(), office.person()
    task = hanako.call("claim").json()["tasks"][0]
    number = submit(hanako, task).json()["annotation_id"]
    assert refused(taro.call("undo", {"annotation_id": number})) == (409, "too_late_to_undo")
    body = {"task_id": task["task_id"], "answers": {"match": 0, "culture": "not"}, "guideline_version": VERSION}
    assert refused(taro.call("correct", body))[0] in (404, 409)
    assert taro.get("/api/recent").json() == {"answers": []}
    assert count(office.engine, Annotation) == 1


def test_a_picture_is_only_for_who_judges_it(office: Any) -> None:
    hanako, taro = office.person(), office.person()
    task = hanako.call("claim").json()["tasks"][0]
    assert hanako.get(task["picture"]).status_code == 200
    assert taro.get(task["picture"]).status_code == 404
    assert office.browser().get(task["picture"]).status_code == 401
    submit(hanako, task)
    assert hanako.get(task["picture"]).status_code == 200  # among the last answers it may be looked at again


def test_ids_of_the_database_name_nothing(office: Any) -> None:
    """Who counts up from 1 must not come upon pictures, tasks or answers."""
    hanako = office.person(Role.COORDINATOR)
    tasks = hanako.call("claim").json()["tasks"]
    submit(hanako, tasks[0])
    for number in range(1, 30):
        assert hanako.get(f"/pictures/{number}").status_code == 404
        assert refused(hanako.call("undo", {"annotation_id": number})) == (409, "too_late_to_undo")
        lease = {"task_id": number, "token": tasks[1]["token"]}
        assert refused(hanako.call("skip", {**lease, "reason": "other"})) == (404, "not_found")


def test_the_same_pair_has_another_number_for_each_person(office: Any) -> None:
    found = [office.person().call("claim").json()["tasks"][0] for _ in range(2)]
    assert found[0]["caption"] == found[1]["caption"]
    assert found[0]["task_id"] != found[1]["task_id"]


def test_nothing_tells_a_gold_task_or_a_twin_from_another(
    engine: Engine, queued: Callable[..., None], served: Any, settings: AnnotationSettings
) -> None:
    """All that is said of it, and all that is answered to it, has the same form; its number has no order."""
    queued(range(40))
    with writing(engine) as connection:
        pairs = connection.scalars(select(Task.pair_id).order_by(Task.id).limit(20)).all()
        for pair in pairs:
            gold.add(connection, pair, Kind.GOLD, {"match": 3}, utc_now())
    often = settings.quality.model_copy(update={"gold_first": 0.3, "twins": 0.1})
    hanako = served(settings.model_copy(update={"quality": often})).person()
    held = hanako.call("claim").json()
    forms, numbers = defaultdict(set), defaultdict(list)
    while held["tasks"]:
        task = held["tasks"][0]
        with engine.connect() as connection:
            of_lease = select(Task.kind).join(Lease, Lease.task_id == Task.id).where(Lease.token == task["token"])
            kind = "normal" if connection.scalar(of_lease) == Kind.NORMAL else "hidden"
        picture = hanako.get(task["picture"])
        held = submit(hanako, task).json()
        (recent, *_) = hanako.get("/api/recent").json()["answers"]
        told = (task, picture.headers, recent, {**held, "why_empty": ""})
        forms[kind].add((picture.status_code, len(task["token"]), *map(frozenset, told)))
        numbers[kind].append(task["task_id"])
    assert len(numbers["hidden"]) > 1
    assert forms["hidden"] == forms["normal"]
    assert len(forms["normal"]) == 1
    assert min(numbers["normal"]) < max(numbers["hidden"])
    assert min(numbers["hidden"]) < max(numbers["normal"])


def test_not_everything_can_be_taken_back_ten_at_a_time(office: Any) -> None:
    """Only the last ten answers, however many of them were taken back already."""
    hanako = office.person()
    for _ in range(14):
        task = hanako.call("claim").json()["tasks"][0]
        body = {"task_id": task["task_id"], "token": task["token"], "guideline_version": "2026-11-1"}
        assert hanako.call("submit", {**body, "answers": {"match": 0, "culture": "not"}}).status_code == 200
    undone = 0
    while answers := hanako.get("/api/recent").json()["answers"]:
        assert hanako.call("undo", {"annotation_id": answers[-1]["annotation_id"]}).status_code == 200
        undone += 1
    assert undone == 10


def test_what_grows_the_database_is_not_done_all_day(office: Any) -> None:
    """Corrections, undos and reports have one limit, which a person's further browsers share."""
    hanako = office.person()
    task = hanako.call("claim").json()["tasks"][0]
    body = {"task_id": task["task_id"], "guideline_version": "2026-11-1"}
    answers = {"match": 0, "culture": "not"}
    assert hanako.call("submit", {**body, "token": task["token"], "answers": answers}).status_code == 200
    statuses = [
        hanako.call("correct", {**body, "answers": {**answers, "match": at % 3}}).status_code for at in range(70)
    ]
    assert 60 <= statuses.index(429) < 70
    last = hanako.call("correct", {**body, "answers": answers})
    assert (last.status_code, last.json()["error"]) == (429, "too_many_requests")
    assert 0 < int(last.headers["retry-after"]) <= 5
    assert hanako.call("claim").status_code == 200


def test_who_is_paused_does_not_hold_on(office: Any) -> None:
    hanako = office.person()
    tasks = hanako.call("claim").json()["tasks"]
    leases = [{name: one[name] for name in ("task_id", "token")} for one in tasks]
    assert len(hanako.call("renew", {"held": leases}).json()["held"]) == len(tasks)
    with writing(office.engine) as connection:
        (who,) = people.everyone(connection)
        people.set_standing(connection, who.person.id, Standing.PAUSED, "coordinator", "", utc_now())
    reply = hanako.call("renew", {"held": leases}).json()
    assert (reply["held"], {one["error"] for one in reply["gone"]}) == ([], {"not_active"})
