"""New people and the links that sign them in, for the command line."""

from __future__ import annotations

from typing import NamedTuple

from waon_build.annotation import people
from waon_build.annotation.database import opened, writing
from waon_build.annotation.models import Role
from waon_build.annotation.web.campaign import utc_now
from waon_build.annotation.web.site import Site
from waon_build.recipe import Recipe


class Made(NamedTuple):
    """A new person, and the link that is for them alone."""

    annotator: str
    link: str


def invitations(
    recipe: Recipe, role: Role, count: int, days: float, host: str, port: int, public_url: str | None
) -> list[Made]:
    """Add people and make their links. Raises InputError."""
    site = Site(host, port, public_url)
    now = utc_now()
    with opened(recipe) as engine, writing(engine) as connection:
        added = [people.add(connection, now, role) for _ in range(count)]
        return [Made(who, site.link(f"/invite/{people.invite(connection, now, who, days)}")) for who in added]
