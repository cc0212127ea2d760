"""The coordinators' page of gold: tasks whose right answers are known, and pairs to make more of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from waon_build.annotation import disputes, gold
from waon_build.annotation.models import Kind
from waon_build.annotation.people import Person
from waon_build.annotation.quality import lower_bound, upper_bound
from waon_build.annotation.questions import AnswerError, Questions
from waon_build.annotation.web.campaign import Campaign, utc_now
from waon_build.annotation.web.desk import (
    Values,
    back,
    desk_page,
    done,
    found_task,
    judged_pair,
    number_in,
    one_of,
    sent,
    shown_pair,
)
from waon_build.annotation.web.gold_file import import_text
from waon_build.annotation.web.problems import Stop, not_found
from waon_build.annotation.web.votes import said


async def keys(request: Request) -> Response:
    """Gold and qualification tasks, how people did, and pairs to make more of."""
    return await desk_page(request, "gold", _gold)


def _gold(campaign: Campaign, connection: Connection, person: Person) -> Values:
    names = campaign.names(person.id).tasks
    rows = [
        {
            **shown_pair(one.task, names),
            "kind": one.kind,
            "key": said(one.key, campaign.questions),
            "right": one.right,
            "wrong": one.wrong,
            "bounds": (lower_bound(one.right, one.wrong), upper_bound(one.right, one.wrong)),
        }
        for one in gold.listing(connection, campaign.questions)
    ]
    agreed = disputes.unanimous(connection, campaign.settings.overlap)
    return {"rows": rows, "candidates": [judged_pair(one, names, campaign.questions) for one in agreed], "problem": ""}


async def change_keys(request: Request) -> Response:
    """Make a gold task of a pair on which all agree, take keys in from a text, or retire one."""
    campaign, session, fields = await sent(request)
    action = fields.get("action", "")
    if action == "import":
        await done(campaign, session, lambda connection, person: None)
        problem = await campaign.writer.alone(
            lambda: import_text(campaign.engine, fields.get("keys", ""), campaign.settings)
        )
        if problem:
            return await desk_page(request, "gold", lambda *given: {**_gold(*given), "problem": problem}, code=422)
        return back("gold", "imported")
    number = number_in(fields.get("task"), 2**48)
    if action == "retire":
        await done(
            campaign,
            session,
            lambda connection, person: gold.remove(
                connection, found_task(campaign, person, number), utc_now(), person.id
            ),
        )
        return back("gold", "retired")
    if action != "make":
        raise Stop(422, "wrong_request")
    kind = one_of(Kind, fields.get("kind"))
    if kind not in gold.KINDS:
        raise Stop(422, "wrong_request")
    chosen = {name.removeprefix("key_") for name, value in fields.items() if name.startswith("key_") and value == "yes"}

    def making(connection: Connection, person: Person) -> None:
        task_id = found_task(campaign, person, number)
        one = next(
            (one for one in disputes.unanimous(connection, campaign.settings.overlap) if one.task.task_id == task_id),
            None,
        )
        if one is None:
            raise not_found()
        key = {name: _answer(campaign.questions, name, counts) for name, counts in one.votes.items() if name in chosen}
        try:
            checked = gold.checked_key(campaign.questions, key)
        except AnswerError as error:
            raise Stop(422, "wrong_request", error.field) from error
        gold.add(connection, one.task.pair_id, kind, checked, utc_now(), person.id)

    await done(campaign, session, making)
    return back("gold", "made")


def _answer(questions: Questions, name: str, counts: Mapping[str, int]) -> Any:
    """The one answer that was given."""
    (word,) = counts
    kind = questions[name].kind
    if kind == "flags":
        return [word]
    return int(word) if kind == "scale" and word.isdecimal() else word
