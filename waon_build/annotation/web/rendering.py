"""Pages out of templates: everything escaped, in the language of whoever looks."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from waon_build.annotation.people import Person
from waon_build.annotation.web.campaign import Campaign
from waon_build.annotation.web.problems import Stop
from waon_build.annotation.web.sessions import new_visitor
from waon_build.annotation.web.texts import catalogue

LANGUAGES = [("ja", "日本語"), ("en", "English")]
PSEUDONYM = 8
"""Digits of a pseudonym that are shown."""


class Visitor(NamedTuple):
    """A person as the templates see them."""

    id: str
    role: str
    standing: str
    because: str
    qualified: bool
    is_coordinator: bool

    @property
    def short(self) -> str:
        return self.id[:PSEUDONYM]


def page(
    request: Request, name: str, person: Person | None = None, code: int = 200, language: str = "", **values: Any
) -> Response:
    """A page out of a template. person: who is signed in. language: other than the request would have."""
    campaign: Campaign = request.app.state.campaign
    language = language or campaign.language(request)
    session = campaign.cookies.session(request.cookies) if person is not None else None
    visitor = None
    if session is None:
        visitor = campaign.cookies.visitor(request.cookies) or new_visitor()
    text = (
        _templates()
        .get_template(name)
        .render(
            t=catalogue(language),
            language=language,
            languages=LANGUAGES,
            path=request.url.path,
            csrf=campaign.cookies.csrf(session or visitor or ""),
            person=Visitor(*person, person.is_coordinator) if person is not None else None,
            contact=campaign.settings.contact,
            campaign_title=campaign.guideline.title,
            **values,
        )
    )
    response = HTMLResponse(text, code)
    response.headers["vary"] = "Cookie, Accept-Language"
    if visitor is not None and visitor != campaign.cookies.visitor(request.cookies):
        campaign.cookies.greet(response, visitor)
    return response


def problem_page(request: Request, stop: Stop) -> Response:
    """A page that says why not."""
    campaign: Campaign = request.app.state.campaign
    message = catalogue(campaign.language(request))(f"error.{stop.word}")
    return page(request, "error.html", code=stop.status, status=stop.status, word=stop.word, message=message)


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("waon_build.annotation.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"number": _number, "percent": _percent, "decimal": _decimal, "moment": _moment}
    return environment


def _number(value: float) -> str:
    """A count, or a quantity to one place."""
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 100 else f"{value:,.1f}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"


def _decimal(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _moment(when: datetime | str) -> str:
    """Date and minute in the time zone of the server."""
    moment = datetime.fromisoformat(when) if isinstance(when, str) else when
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
