"""What a form sends, and whether a page of ours showed it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from waon_build.annotation.web.campaign import Campaign
from waon_build.annotation.web.problems import Stop

MOST_FIELDS = 100


async def form(request: Request) -> Mapping[str, str]:
    """The fields of a form, the last of each name. Raises Stop."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Stop(415, "wrong_content_type")
    try:
        text = (await request.body()).decode("ascii")
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS))
    except ValueError as error:
        raise Stop(422, "wrong_request") from error


async def form_of_session(request: Request) -> tuple[str, Mapping[str, str]]:
    """The session of who sends a form, and its fields. Raises Stop unless it was shown to just them."""
    campaign: Campaign = request.app.state.campaign
    session = campaign.session(request)
    fields = await form(request)
    campaign.require_csrf(session, fields.get("csrf_token", ""))
    return session, fields


async def form_of_visitor(request: Request) -> Mapping[str, str]:
    """The fields of a form that may be sent without a session. Raises Stop unless we showed it to them."""
    campaign: Campaign = request.app.state.campaign
    campaign.admit(request)
    fields = await form(request)
    tokens = (campaign.cookies.session(request.cookies), campaign.cookies.visitor(request.cookies))
    shown = fields.get("csrf_token", "")
    if not any(campaign.cookies.is_csrf(token, shown) for token in tokens if token is not None):
        raise Stop(403, "csrf")
    return fields
