"""What the pages of coordinators share: who may see them, what their forms send, where these lead back to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from waon_build.annotation import disputes
from waon_build.annotation.models import Role
from waon_build.annotation.people import Person
from waon_build.annotation.questions import MATCH, Questions
from waon_build.annotation.shown import Shown
from waon_build.annotation.web.campaign import Campaign, require
from waon_build.annotation.web.figures import PATIENCE
from waon_build.annotation.web.forms import form_of_session
from waon_build.annotation.web.opaque import Opaque
from waon_build.annotation.web.problems import Stop, not_found
from waon_build.annotation.web.rendering import page
from waon_build.annotation.web.votes import voted

Values = dict[str, Any]
Result = TypeVar("Result")


async def desk_page(
    request: Request, name: str, values: Callable[[Campaign, Connection, Person], Values], code: int = 200
) -> Response:
    """A page, for coordinators. values: of its template."""
    campaign: Campaign = request.app.state.campaign
    session = campaign.session(request)

    def reading(connection: Connection, person: Person) -> tuple[Person, Values]:
        _require_coordinator(person)
        return person, values(campaign, connection, person)

    person, found = await campaign.read(session, reading)
    patience = _WITH_FIGURES.get(name)
    frames = {} if patience is None else await campaign.figures.frames(patience)
    questions = campaign.questions.questions
    return page(
        request,
        f"coordinator/{name}.html",
        person,
        code,
        frames=frames,
        done=request.query_params.get("done", ""),
        asks={one.name: one.ask for one in questions},
        labels={option.value: option.label for one in questions if one.name == "category" for option in one.options},
        twins={
            row["group"]: row for row in frames.get("twins", ()) if row["by"] == "person" and row["question"] == MATCH
        },
        guideline_language=campaign.guideline.language,
        caption_language=campaign.caption_language,
        **found,
    )


_WITH_FIGURES = {"progress": PATIENCE, "filters": PATIENCE, "people": 0.0}
"""Pages, and how long they wait for figures when there are none yet."""


async def sent(request: Request) -> tuple[Campaign, str, Mapping[str, str]]:
    campaign: Campaign = request.app.state.campaign
    return campaign, *await form_of_session(request)


async def done(campaign: Campaign, session: str, call: Callable[[Connection, Person], Result]) -> Result:
    """What `call` returns in a turn of the writer, for coordinators."""

    def turn(connection: Connection, person: Person) -> Result:
        _require_coordinator(person)
        return call(connection, person)

    return await campaign.write(session, turn)


def _require_coordinator(person: Person) -> None:
    require(person, Role.COORDINATOR)


def back(name: str, done: str) -> Response:
    return RedirectResponse(f"/coordinator/{name}?done={done}", 303)


def judged_pair(one: disputes.Judged, names: Opaque, questions: Questions) -> Values:
    return {
        **shown_pair(one.task, names),
        "outcome": one.outcome,
        "votes": voted(one.votes, questions),
        "at": one.decided_at,
    }


def shown_pair(task: Shown, names: Opaque) -> Values:
    number = names.hide(task.task_id)
    return {
        "task": number,
        "picture": f"/pictures/{number}",
        "caption": task.caption,
        "width": task.width,
        "height": task.height,
        "page_url": task.page_url,
    }


def found_task(campaign: Campaign, person: Person, number: int) -> int:
    task_id = campaign.names(person.id).tasks.find(number)
    if task_id is None:
        raise not_found()
    return task_id


def number_in(text: str | None, most: int) -> int:
    """A whole number from 1 on. Raises Stop."""
    if text is None or not (text.isascii() and text.isdecimal() and len(text) <= 15 and 1 <= int(text) <= most):
        raise Stop(422, "wrong_request")
    return int(text)


def one_of(words: Any, text: str | None) -> Any:
    if text not in list(words):
        raise Stop(422, "wrong_request")
    return words(text)
