"""The pages of coordinators: how the work goes, what is disputed, what was reported, what filters are worth.

Plain pages and forms. Each form leads back to its page, which says what was done.
"""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from waon_build.annotation import disputes, guideline, reports
from waon_build.annotation.people import Person
from waon_build.annotation.questions import Questions
from waon_build.annotation.web import coordinator_gold, coordinator_people
from waon_build.annotation.web.campaign import Campaign, utc_now
from waon_build.annotation.web.desk import Values, back, desk_page, done, judged_pair, number_in, sent, shown_pair
from waon_build.annotation.web.problems import Stop, not_found
from waon_build.annotation.web.votes import said, voted
from waon_build.rights.tombstones import Tombstones


async def progress(request: Request) -> Response:
    """How far the work is, and how long it takes."""
    return await desk_page(request, "progress", lambda campaign, connection, person: {})


async def disagreements(request: Request) -> Response:
    """What people do not agree on."""

    def values(campaign: Campaign, connection: Connection, person: Person) -> Values:
        names = campaign.names(person.id).tasks
        found = disputes.disagreements(connection)
        return {"rows": [judged_pair(one, names, campaign.questions) for one in found]}

    return await desk_page(request, "disagreements", values)


async def adjudication(request: Request) -> Response:
    """What waits for one more to say."""

    def values(campaign: Campaign, connection: Connection, person: Person) -> Values:
        names = campaign.names(person.id).tasks
        rows = [
            {
                **shown_pair(one.task, names),
                "votes": voted(one.votes, campaign.questions),
                "said": said(one.answers, campaign.questions) if one.answers is not None else None,
                "is_held": one.is_held,
            }
            for one in disputes.adjudications(connection)
        ]
        return {"rows": rows, "waiting": sum(row["said"] is None for row in rows)}

    return await desk_page(request, "adjudication", values)


async def reported(request: Request) -> Response:
    """What was reported as harmful, and waits for somebody to look."""

    def values(campaign: Campaign, connection: Connection, person: Person) -> Values:
        names = campaign.names(person.id).tasks
        found = reports.open_reports(connection)
        tasks = disputes.shown(connection, [one.task_id for one in found])
        flags = dict(_flags(campaign.questions))
        rows = [
            {**shown_pair(tasks[one.task_id], names), "report": one, "flag": flags.get(one.kind, one.kind)}
            for one in found
        ]
        people_shown = [one for one in reports.by_person(connection) if one.open or one.dismissed]
        return {"rows": rows, "reporters": people_shown}

    return await desk_page(request, "reports", values)


async def resolve(request: Request) -> Response:
    """Uphold a report, or dismiss it; or dismiss all of one person's that are open."""
    campaign, session, fields = await sent(request)
    action = fields.get("action", "")
    if action == "dismiss_all":
        who = fields.get("who", "")
        await done(
            campaign, session, lambda connection, person: reports.dismiss_all(connection, who, person.id, utc_now())
        )
        return back("reports", "dismissed_all")
    number = number_in(fields.get("report"), 2**31 - 1)
    if action not in ("uphold", "dismiss"):
        raise Stop(422, "wrong_request")

    def resolving(connection: Connection, person: Person) -> str:
        try:
            return reports.resolve(connection, number, person.id, action == "uphold", utc_now())
        except reports.UnknownReport as error:
            raise not_found() from error

    pair_id = await done(campaign, session, resolving)
    if action == "uphold":  # for good: also where another database, or none, knows of the report
        await campaign.readers.run(
            lambda: Tombstones.add(campaign.corpus, "pair_id", pair_id, "an annotator's report of harm was upheld")
        )
    return back("reports", f"{action}ed" if action == "dismiss" else "upheld")


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

    return await desk_page(request, "guideline", values)


async def filters(request: Request) -> Response:
    """What the filters are worth: how often natives would have kept what they dropped."""
    return await desk_page(request, "filters", lambda campaign, connection, person: {})


def _flags(questions: Questions) -> list[tuple[str, str]]:
    return [(option.value, option.label) for one in questions.questions for option in one.options if option.rejects]


ROUTES: list[BaseRoute] = [
    Route("/coordinator", progress),
    Route("/coordinator/people", coordinator_people.everyone, methods=["GET"]),
    Route("/coordinator/people", coordinator_people.change_people, methods=["POST"]),
    Route("/coordinator/disagreements", disagreements),
    Route("/coordinator/adjudication", adjudication),
    Route("/coordinator/gold", coordinator_gold.keys, methods=["GET"]),
    Route("/coordinator/gold", coordinator_gold.change_keys, methods=["POST"]),
    Route("/coordinator/reports", reported, methods=["GET"]),
    Route("/coordinator/reports", resolve, methods=["POST"]),
    Route("/coordinator/guideline", versions),
    Route("/coordinator/filters", filters),
]
