"""The pages of coordinators: how the work goes, who does it, what is disputed, and what was reported.

Plain pages and forms. Each form leads back to its page, which says what was done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from waon_build.annotation import disputes, gold, guideline, people, reports, standing
from waon_build.annotation.models import Kind, Role, Standing
from waon_build.annotation.people import Person
from waon_build.annotation.quality import lower_bound, upper_bound
from waon_build.annotation.questions import MATCH, AnswerError, Questions
from waon_build.annotation.shown import Shown
from waon_build.annotation.web.campaign import Campaign, require, utc_now
from waon_build.annotation.web.figures import PATIENCE
from waon_build.annotation.web.forms import form_of_session
from waon_build.annotation.web.gold_file import import_text
from waon_build.annotation.web.opaque import Opaque
from waon_build.annotation.web.problems import Stop, not_found
from waon_build.annotation.web.rendering import page
from waon_build.annotation.web.votes import said, voted
from waon_build.rights.tombstones import Tombstones

MOST_INVITED = 100
"""Links made at once."""

Values = dict[str, Any]
Result = TypeVar("Result")


async def progress(request: Request) -> Response:
    """How far the work is, and how long it takes."""
    return await _page(request, "progress", lambda campaign, connection, person: {})


async def everyone(request: Request) -> Response:
    """Who takes part."""
    return await _page(request, "people", _people)


def _people(campaign: Campaign, connection: Connection, person: Person) -> Values:
    rows = [
        {
            "who": one,
            "bounds": (lower_bound(one.right, one.wrong), upper_bound(one.right, one.wrong)),
            "is_self": one.person.id == person.id,
        }
        for one in people.everyone(connection)
    ]
    return {"rows": rows, "links": [], "roles": list(Role)}


async def change_people(request: Request) -> Response:
    """Invite, pause, block, let go on, give another role, make a new link."""
    campaign, session, fields = await _sent(request)
    action = fields.get("action", "")
    if action == "invite":
        role, count = _one_of(Role, fields.get("role")), _number(fields.get("count"), MOST_INVITED)
        days = _number(fields.get("days"), 365)

        def inviting(connection: Connection, person: Person) -> list[str]:
            now = utc_now()
            return [people.invite(connection, now, people.add(connection, now, role), days) for _ in range(count)]

        return await _links(request, await _done(campaign, session, inviting))
    who = fields.get("who", "")
    if action == "link":
        making = await _done(campaign, session, lambda connection, _: [people.invite(connection, utc_now(), who)])
        return await _links(request, making)
    change = _CHANGES.get(action)
    if change is None:
        raise Stop(422, "wrong_request")

    def changing(connection: Connection, person: Person) -> None:
        if who == person.id:  # nobody shuts themselves out
            raise Stop(403, "forbidden")
        change(connection, who, person.id, fields)

    await _done(campaign, session, changing)
    return _back("people", action)


def _pause(connection: Connection, who: str, by: str, fields: Mapping[str, str]) -> None:
    people.set_standing(connection, who, Standing.PAUSED, "coordinator", by, utc_now())


def _block(connection: Connection, who: str, by: str, fields: Mapping[str, str]) -> None:
    people.set_standing(connection, who, Standing.BLOCKED, "coordinator", by, utc_now())


def _resume(connection: Connection, who: str, by: str, fields: Mapping[str, str]) -> None:
    before = people.person(connection, who)
    people.set_standing(connection, who, Standing.ACTIVE, "", by, utc_now())
    if before is not None and before.because in standing.BY_GOLD:
        standing.forgive(connection, who)  # else what they were paused for would pause them again


def _role(connection: Connection, who: str, by: str, fields: Mapping[str, str]) -> None:
    people.set_role(connection, who, _one_of(Role, fields.get("role")), by, utc_now())


def _sign_out(connection: Connection, who: str, by: str, fields: Mapping[str, str]) -> None:
    people.sign_out_everywhere(connection, who)


_CHANGES: dict[str, Callable[[Connection, str, str, Mapping[str, str]], None]] = {
    "pause": _pause,
    "block": _block,
    "resume": _resume,
    "role": _role,
    "sign_out": _sign_out,
}


async def disagreements(request: Request) -> Response:
    """What people do not agree on."""

    def values(campaign: Campaign, connection: Connection, person: Person) -> Values:
        names = campaign.names(person.id).tasks
        found = disputes.disagreements(connection)
        return {"rows": [_judged(one, names, campaign.questions) for one in found]}

    return await _page(request, "disagreements", values)


async def adjudication(request: Request) -> Response:
    """What waits for one more to say."""

    def values(campaign: Campaign, connection: Connection, person: Person) -> Values:
        names = campaign.names(person.id).tasks
        rows = [
            {
                **_shown(one.task, names),
                "votes": voted(one.votes, campaign.questions),
                "said": said(one.answers, campaign.questions) if one.answers is not None else None,
                "is_held": one.is_held,
            }
            for one in disputes.adjudications(connection)
        ]
        return {"rows": rows, "waiting": sum(row["said"] is None for row in rows)}

    return await _page(request, "adjudication", values)


async def keys(request: Request) -> Response:
    """Gold and qualification tasks, how people did, and pairs to make more of."""
    return await _page(request, "gold", _gold)


def _gold(campaign: Campaign, connection: Connection, person: Person) -> Values:
    names = campaign.names(person.id).tasks
    rows = [
        {
            **_shown(one.task, names),
            "kind": one.kind,
            "key": said(one.key, campaign.questions),
            "right": one.right,
            "wrong": one.wrong,
            "bounds": (lower_bound(one.right, one.wrong), upper_bound(one.right, one.wrong)),
        }
        for one in gold.listing(connection, campaign.questions)
    ]
    agreed = disputes.unanimous(connection, campaign.settings.overlap)
    return {"rows": rows, "candidates": [_judged(one, names, campaign.questions) for one in agreed], "problem": ""}


async def change_keys(request: Request) -> Response:
    """Make a gold task of a pair on which all agree, take keys in from a text, or retire one."""
    campaign, session, fields = await _sent(request)
    action = fields.get("action", "")
    if action == "import":
        await _done(campaign, session, lambda connection, person: None)
        problem = await campaign.writer.alone(
            lambda: import_text(campaign.engine, fields.get("keys", ""), campaign.settings)
        )
        if problem:
            return await _page(request, "gold", lambda *given: {**_gold(*given), "problem": problem}, code=422)
        return _back("gold", "imported")
    number = _number(fields.get("task"), 2**48)
    if action == "retire":
        await _done(
            campaign,
            session,
            lambda connection, person: gold.remove(connection, _found(campaign, person, number), utc_now(), person.id),
        )
        return _back("gold", "retired")
    if action != "make":
        raise Stop(422, "wrong_request")
    kind = _one_of(Kind, fields.get("kind"))
    if kind not in gold.KINDS:
        raise Stop(422, "wrong_request")
    chosen = {name.removeprefix("key_") for name, value in fields.items() if name.startswith("key_") and value == "yes"}

    def making(connection: Connection, person: Person) -> None:
        task_id = _found(campaign, person, number)
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

    await _done(campaign, session, making)
    return _back("gold", "made")


async def reported(request: Request) -> Response:
    """What was reported as harmful, and waits for somebody to look."""

    def values(campaign: Campaign, connection: Connection, person: Person) -> Values:
        names = campaign.names(person.id).tasks
        found = reports.open_reports(connection)
        tasks = disputes.shown(connection, [one.task_id for one in found])
        flags = dict(_flags(campaign.questions))
        rows = [
            {**_shown(tasks[one.task_id], names), "report": one, "flag": flags.get(one.kind, one.kind)} for one in found
        ]
        people_shown = [one for one in reports.by_person(connection) if one.open or one.dismissed]
        return {"rows": rows, "reporters": people_shown}

    return await _page(request, "reports", values)


async def resolve(request: Request) -> Response:
    """Uphold a report, or dismiss it; or dismiss all of one person's that are open."""
    campaign, session, fields = await _sent(request)
    action = fields.get("action", "")
    if action == "dismiss_all":
        who = fields.get("who", "")
        await _done(
            campaign, session, lambda connection, person: reports.dismiss_all(connection, who, person.id, utc_now())
        )
        return _back("reports", "dismissed_all")
    number = _number(fields.get("report"), 2**31 - 1)
    if action not in ("uphold", "dismiss"):
        raise Stop(422, "wrong_request")

    def resolving(connection: Connection, person: Person) -> str:
        try:
            return reports.resolve(connection, number, person.id, action == "uphold", utc_now())
        except reports.UnknownReport as error:
            raise not_found() from error

    pair_id = await _done(campaign, session, resolving)
    if action == "uphold":  # for good: also where another database, or none, knows of the report
        await campaign.readers.run(
            lambda: Tombstones.add(campaign.corpus, "pair_id", pair_id, "an annotator's report of harm was upheld")
        )
    return _back("reports", f"{action}ed" if action == "dismiss" else "upheld")


async def versions(request: Request) -> Response:
    """The versions of the guideline, and what changed."""

    def values(campaign: Campaign, connection: Connection, person: Person) -> Values:
        titles = {name: section.title for name, section in campaign.guideline.sections.items()}
        seen = {row.version: row.seen_at for row in guideline.versions_seen(connection)}
        history = [
            {
                "version": one.version,
                "date": one.date,
                "note": one.note,
                "changed": [titles.get(name, name) for name in one.changed],
                "seen_at": seen.get(one.version),
            }
            for one in reversed(campaign.guideline.history)
        ]
        answers = guideline.answers_by_version(connection)
        return {"history": history, "answers": answers, "version": campaign.guideline.version}

    return await _page(request, "guideline", values)


async def filters(request: Request) -> Response:
    """What the filters are worth: how often natives would have kept what they dropped."""
    return await _page(request, "filters", lambda campaign, connection, person: {})


# --- what they share


async def _page(
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


async def _sent(request: Request) -> tuple[Campaign, str, Mapping[str, str]]:
    campaign: Campaign = request.app.state.campaign
    return campaign, *await form_of_session(request)


async def _done(campaign: Campaign, session: str, call: Callable[[Connection, Person], Result]) -> Result:
    """What `call` returns in a turn of the writer, for coordinators."""

    def turn(connection: Connection, person: Person) -> Result:
        _require_coordinator(person)
        return call(connection, person)

    return await campaign.write(session, turn)


async def _links(request: Request, tokens: list[str]) -> Response:
    """The page of people, with new links: they are shown here and never again."""
    campaign: Campaign = request.app.state.campaign
    links = [campaign.site.link(f"/invite/{token}") for token in tokens]
    return await _page(request, "people", lambda *given: {**_people(*given), "links": links})


def _require_coordinator(person: Person) -> None:
    require(person, Role.COORDINATOR)


def _back(name: str, done: str) -> Response:
    return RedirectResponse(f"/coordinator/{name}?done={done}", 303)


def _judged(one: disputes.Judged, names: Opaque, questions: Questions) -> Values:
    return {
        **_shown(one.task, names),
        "outcome": one.outcome,
        "votes": voted(one.votes, questions),
        "at": one.decided_at,
    }


def _shown(task: Shown, names: Opaque) -> Values:
    number = names.hide(task.task_id)
    return {
        "task": number,
        "picture": f"/pictures/{number}",
        "caption": task.caption,
        "width": task.width,
        "height": task.height,
        "page_url": task.page_url,
    }


def _answer(questions: Questions, name: str, counts: Mapping[str, int]) -> Any:
    """The one answer that was given."""
    (word,) = counts
    kind = questions[name].kind
    if kind == "flags":
        return [word]
    return int(word) if kind == "scale" and word.isdecimal() else word


def _flags(questions: Questions) -> list[tuple[str, str]]:
    return [(option.value, option.label) for one in questions.questions for option in one.options if option.rejects]


def _found(campaign: Campaign, person: Person, number: int) -> int:
    task_id = campaign.names(person.id).tasks.find(number)
    if task_id is None:
        raise not_found()
    return task_id


def _number(text: str | None, most: int) -> int:
    """A whole number from 1 on. Raises Stop."""
    if text is None or not (text.isascii() and text.isdecimal() and len(text) <= 15 and 1 <= int(text) <= most):
        raise Stop(422, "wrong_request")
    return int(text)


def _one_of(words: Any, text: str | None) -> Any:
    if text not in list(words):
        raise Stop(422, "wrong_request")
    return words(text)


ROUTES: list[BaseRoute] = [
    Route("/coordinator", progress),
    Route("/coordinator/people", everyone, methods=["GET"]),
    Route("/coordinator/people", change_people, methods=["POST"]),
    Route("/coordinator/disagreements", disagreements),
    Route("/coordinator/adjudication", adjudication),
    Route("/coordinator/gold", keys, methods=["GET"]),
    Route("/coordinator/gold", change_keys, methods=["POST"]),
    Route("/coordinator/reports", reported, methods=["GET"]),
    Route("/coordinator/reports", resolve, methods=["POST"]),
    Route("/coordinator/guideline", versions),
    Route("/coordinator/filters", filters),
]
