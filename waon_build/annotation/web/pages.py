"""The pages of annotators: the way in, judging, the guideline, what is known of oneself; and the pictures."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from sqlalchemy import Connection, select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from waon_build.annotation import people, queue
from waon_build.annotation.models import Role, Task
from waon_build.annotation.people import Person
from waon_build.annotation.shown import SHOWN, Shown
from waon_build.annotation.web import profile
from waon_build.annotation.web.campaign import Campaign, utc_now
from waon_build.annotation.web.counts import Count, count
from waon_build.annotation.web.forms import form_of_session, form_of_visitor
from waon_build.annotation.web.pictures import BrokenPictureError, Picture
from waon_build.annotation.web.problems import Stop, not_found
from waon_build.annotation.web.rendering import page
from waon_build.annotation.web.sessions import SESSION_HOURS
from waon_build.annotation.web.texts import LANGUAGES, catalogue

PICTURE_SECONDS = 600
MOST_DIGITS = 15
"""Of the number of a task. Python makes no number of some thousand digits, and Starlette's `:int` fails with it."""
FURTHER_DEVICE_MINUTES = 15
"""How long a link for a further device of one's own works: it is used at once."""


async def home(request: Request) -> Response:
    """The way in for who has been here before."""
    campaign: Campaign = request.app.state.campaign
    try:
        person = await campaign.read(campaign.session(request), lambda _, person: person)
    except Stop as stop:
        if stop.status != 401:
            raise
        return page(request, "welcome.html")
    return _to("/coordinator" if person.is_coordinator else "/judge")


async def invitation(request: Request) -> Response:
    """The terms. To look at them does not use the link up: programs that show previews of links look too."""
    campaign: Campaign = request.app.state.campaign
    campaign.admit(request)
    return await _terms(request)


async def _terms(request: Request, code: int = 200, problem: str | None = None) -> Response:
    campaign: Campaign = request.app.state.campaign
    token = request.path_params["token"]

    def reading(connection: Connection) -> tuple[people.Invited, bool] | None:
        found = people.invited(connection, token, utc_now())
        return (found, people.has_consented(connection, found.person.id)) if found else None

    found = await campaign.readers.read(reading)
    if found is None:
        raise Stop(410, people.InvitationSpent.word)
    return page(
        request,
        "invite.html",
        code=code,
        sections=_sections(campaign),
        guideline_language=campaign.guideline.language,
        guideline_version=campaign.guideline.version,
        pay=campaign.settings.pay,
        until=found[0].expires_at,
        is_new=not found[1],
        problem=problem,
    )


async def accept_invitation(request: Request) -> Response:
    """Use a link up: whoever agrees is signed in, and whoever was is not any more."""
    campaign: Campaign = request.app.state.campaign
    fields = await form_of_visitor(request)
    token, before = request.path_params["token"], campaign.cookies.session(request.cookies)

    def turn(connection: Connection) -> str | None:
        found = people.invited(connection, token, utc_now())
        if found and fields.get("agree") != "yes" and not people.has_consented(connection, found.person.id):
            return None
        session = people.accept(connection, token, utc_now(), campaign.guideline.version, SESSION_HOURS)
        if before is not None:
            people.sign_out(connection, before)
        return session

    try:
        session = await campaign.written(turn)
    except Stop as stop:
        raise (Stop(410, stop.word) if stop.word == people.InvitationSpent.word else stop) from stop
    if session is None:
        return await _terms(request, 422, "agree")
    response = _to("/")
    campaign.cookies.sign_in(response, session)
    return response


async def judge(request: Request) -> Response:
    """Where pairs are judged: all that the page needs but the pairs themselves."""
    campaign: Campaign = request.app.state.campaign
    person = await _signed_in(request)
    language = campaign.language(request)
    pay = campaign.settings.pay
    told = {
        "language": language,
        "guideline_version": campaign.guideline.version,
        "lease_seconds": round(campaign.settings.lease_minutes * 60),
        "role": person.role,
        "questions": [_question(one) for one in campaign.questions.questions],
        "texts": catalogue(language).for_page(),
        "pay": pay.model_dump(mode="json") if pay else None,
    }
    return page(
        request,
        "judge.html",
        person,
        campaign=told,
        sections=_sections(campaign),
        guideline_language=campaign.guideline.language,
        caption_language=campaign.caption_language,
    )


async def read_guideline(request: Request) -> Response:
    """The whole guideline."""
    campaign: Campaign = request.app.state.campaign
    person = await _signed_in(request)
    read = campaign.guideline
    shown = {
        "title": read.title,
        "version": read.version,
        "introduction": Markup(read.introduction),  # noqa: S704 - made by our own Markdown, which lets no HTML through
        "sections": _sections(campaign),
        "history": read.history,
    }
    return page(request, "guideline.html", person, guideline=shown, guideline_language=read.language)


async def me(request: Request) -> Response:
    """What one did, what one declared, and the way out."""
    campaign: Campaign = request.app.state.campaign
    return await _me(request, campaign.session(request))


async def change_me(request: Request) -> Response:
    """Declare, forget, sign out, or make a link for a further device."""
    campaign: Campaign = request.app.state.campaign
    session, fields = await form_of_session(request)
    action = fields.get("action", "")
    if action in ("sign_out", "sign_out_everywhere"):
        everywhere = action == "sign_out_everywhere"

        def leaving(connection: Connection, person: Person) -> None:
            people.sign_out(connection, session)
            if everywhere:
                people.sign_out_everywhere(connection, person.id)

        await campaign.write(session, leaving)
        response = _to("/")
        campaign.cookies.sign_out(response)
        return response
    if action == "link":
        token = await campaign.write(
            session,
            lambda connection, person: people.invite(
                connection, utc_now(), person.id, FURTHER_DEVICE_MINUTES / (24 * 60), person.id
            ),
        )
        return await _me(request, session, link=campaign.site.link(f"/invite/{token}"))
    if action == "forget":
        await campaign.write(session, lambda connection, person: people.forget(connection, person.id))
    elif action == "profile":
        said = {name: fields.get(f"field_{name}", "") for name in profile.names()}
        if not all(profile.is_answer(name, value) for name, value in said.items()):
            raise Stop(422, "wrong_request")

        def declaring(connection: Connection, person: Person) -> None:
            for name, value in said.items():
                may_publish = fields.get(f"publish_{name}") == "yes"
                people.declare(connection, person.id, name, value, may_publish, utc_now())

        await campaign.write(session, declaring)
    else:
        raise Stop(422, "wrong_request")
    return await _me(request, session, saved=action)


async def _me(request: Request, session: str, link: str | None = None, saved: str | None = None) -> Response:
    campaign: Campaign = request.app.state.campaign

    def reading(connection: Connection, person: Person) -> tuple[Person, dict[str, people.Said], Count, int, int]:
        said = people.declared(connection, person.id)
        return person, said, count(connection, person.id, utc_now()), *people.passed_on(connection, person.id)

    person, said, counted, skipped, reported = await campaign.read(session, reading)
    figures = {
        "skipped": skipped,
        "reported": reported,
        "today": counted.today,
        "total": counted.total,
        "active_minutes_today": round(counted.active_ms / 60_000, 1),
        "since": counted.day,
    }
    fields = profile.fields(campaign.language(request), said)
    return page(request, "me.html", person, fields=fields, figures=figures, link=link, saved=saved)


async def choose_language(request: Request) -> Response:
    """The language of the pages."""
    campaign: Campaign = request.app.state.campaign
    fields = await form_of_visitor(request)
    if fields.get("language") not in LANGUAGES:
        raise Stop(422, "wrong_request")
    response = _to(_own_path(fields.get("next", "/")))
    campaign.cookies.set_language(response, fields["language"])
    return response


async def picture(request: Request) -> Response:
    """The picture of a task, for who holds it or answered it just now, and for coordinators."""
    campaign: Campaign = request.app.state.campaign
    number = request.path_params["number"]

    def reading(connection: Connection, person: Person) -> Shown | None:
        is_number = number.isascii() and number.isdecimal() and len(number) <= MOST_DIGITS
        task_id = campaign.names(person.id).tasks.find(int(number)) if is_number else None
        if task_id is None:
            return None
        if person.role == Role.COORDINATOR:
            return _shown(connection, task_id)
        return queue.shown_to(connection, person.id, task_id)

    task = await campaign.read(campaign.session(request), reading)
    if task is None:
        raise not_found()
    try:
        found: Picture = await campaign.readers.run(lambda: campaign.pictures.of(task))
    except BrokenPictureError as error:
        raise not_found() from error
    headers = {"cache-control": f"private, max-age={PICTURE_SECONDS}"}
    return Response(found.data, media_type=found.media_type, headers=headers)


async def _signed_in(request: Request) -> Person:
    campaign: Campaign = request.app.state.campaign
    return await campaign.read(campaign.session(request), lambda _, person: person)


def _shown(connection: Connection, task_id: int) -> Shown | None:
    row = connection.execute(select(*SHOWN).where(Task.id == task_id)).first()
    return Shown(*row) if row is not None else None


def _sections(campaign: Campaign) -> list[dict[str, Any]]:
    return [
        {"name": name, "title": section.title, "html": Markup(section.html)}  # noqa: S704 - as above
        for name, section in campaign.guideline.sections.items()
    ]


def _question(question: Any) -> dict[str, Any]:
    return {
        "name": question.name,
        "kind": question.kind,
        "ask": question.ask,
        "required": question.required,
        "only_if": {name: list(words) for name, words in question.only_if.items()},
        "max_characters": question.max_characters,
        "options": [
            {"value": option.value, "label": option.label, "rejects": option.rejects} for option in question.options
        ],
    }


def _own_path(path: str) -> str:
    """A path of this site, whatever was asked for."""
    is_own = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_own else "/"


def _to(path: str) -> Response:
    return RedirectResponse(path, status_code=303)


ROUTES: list[BaseRoute] = [
    Route("/", home),
    Route("/invite/{token}", invitation, methods=["GET"]),
    Route("/invite/{token}", accept_invitation, methods=["POST"]),
    Route("/judge", judge),
    Route("/guideline", read_guideline),
    Route("/me", me, methods=["GET"]),
    Route("/me", change_me, methods=["POST"]),
    Route("/language", choose_language, methods=["POST"]),
    Route("/pictures/{number}", picture),
]
