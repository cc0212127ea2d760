"""The coordinators' page of people: who takes part, and what is done about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from waon_build.annotation import people, standing
from waon_build.annotation.models import Role, Standing
from waon_build.annotation.people import Person
from waon_build.annotation.quality import lower_bound, upper_bound
from waon_build.annotation.web.campaign import Campaign, utc_now
from waon_build.annotation.web.desk import Values, back, desk_page, done, number_in, one_of, sent
from waon_build.annotation.web.problems import Stop

MOST_INVITED = 100
"""Links made at once."""


async def everyone(request: Request) -> Response:
    """Who takes part."""
    return await desk_page(request, "people", _people)


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
    campaign, session, fields = await sent(request)
    action = fields.get("action", "")
    if action == "invite":
        role, count = one_of(Role, fields.get("role")), number_in(fields.get("count"), MOST_INVITED)
        days = number_in(fields.get("days"), 365)

        def inviting(connection: Connection, person: Person) -> list[str]:
            now = utc_now()
            new = [people.add(connection, now, role) for _ in range(count)]
            return [people.invite(connection, now, one, days, person.id) for one in new]

        return await _links(request, await done(campaign, session, inviting))
    who = fields.get("who", "")
    if action == "link":

        def making(connection: Connection, person: Person) -> list[str]:
            return [people.invite(connection, utc_now(), who, by=person.id)]

        return await _links(request, await done(campaign, session, making))
    change = _CHANGES.get(action)
    if change is None:
        raise Stop(422, "wrong_request")

    def changing(connection: Connection, person: Person) -> None:
        if who == person.id:  # nobody shuts themselves out
            raise Stop(403, "forbidden")
        change(connection, who, person.id, fields)

    await done(campaign, session, changing)
    return back("people", action)


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
    people.set_role(connection, who, one_of(Role, fields.get("role")), by, utc_now())


def _sign_out(connection: Connection, who: str, by: str, fields: Mapping[str, str]) -> None:
    people.sign_out_everywhere(connection, who)


_CHANGES: dict[str, Callable[[Connection, str, str, Mapping[str, str]], None]] = {
    "pause": _pause,
    "block": _block,
    "resume": _resume,
    "role": _role,
    "sign_out": _sign_out,
}


async def _links(request: Request, tokens: list[str]) -> Response:
    """The page of people, with new links: they are shown here and never again."""
    campaign: Campaign = request.app.state.campaign
    links = [campaign.site.link(f"/invite/{token}") for token in tokens]
    return await desk_page(request, "people", lambda *given: {**_people(*given), "links": links})
