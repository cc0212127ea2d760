"""The web application: one campaign, its API and its pages, behind the guard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from math import ceil
from typing import Any

from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from waon_build import __version__
from waon_build.annotation.decisions import Deciding
from waon_build.annotation.models import Role
from waon_build.annotation.web import coordinator, description, pages
from waon_build.annotation.web.campaign import Campaign, require, utc_now
from waon_build.annotation.web.figures import Count
from waon_build.annotation.web.guard import Guard
from waon_build.annotation.web.problems import WORDS, Stop
from waon_build.annotation.web.rendering import problem_page
from waon_build.annotation.web.site import Site
from waon_build.annotation.web.static_files import StaticFiles
from waon_build.annotation.web.texts import catalogue
from waon_build.corpus import Corpus
from waon_build.recipe import AnnotationSettings

DECIDE_EVERY, DECIDE_AGAIN = 2.0, 0.1
"""Seconds between two looks at what the new answers decide; and while there is more to decide at once."""
DECIDE_MOST = 30
"""Of them at once: so long those wait who judge meanwhile."""
_SILENT: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""Nothing is measured for, or sent to, anybody."""

log = logging.getLogger(__name__)


def create_app(
    engine: Engine,
    corpus: Corpus,
    settings: AnnotationSettings,
    site: Site | None = None,
    language: str = "",
    count: Count | None = None,
) -> Guard:
    """The application of one campaign. site: under which names it is reached. language: of the captions, when it
    is not the guideline's. count: counts the figures for coordinators (`figures.py`). Raises InputError when
    the guideline cannot be read."""
    campaign = Campaign(engine, corpus, settings, site or Site(), language, count)
    app = FastAPI(
        title="waon-build annotate",
        version=__version__,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        telemetry=_SILENT,
        exception_handlers={Stop: answer, HTTPException: _not_served, Exception: _failed},
    )
    app.state.campaign = campaign
    app.include_router(description.routes(campaign.questions, campaign.harms, campaign.versions))
    app.add_route("/api/openapi.json", _describe, methods=["GET"], include_in_schema=False)
    for routes in (pages.ROUTES, coordinator.ROUTES):
        app.router.routes.extend(routes)
    app.add_route("/static/{name:path}", StaticFiles().serve, methods=["GET"], include_in_schema=False)
    return Guard(app, campaign.site, answer, description.HANDLERS)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    campaign: Campaign = app.state.campaign
    campaign.writer.start()
    deciding = asyncio.create_task(_decide(campaign))
    try:
        yield
    finally:
        deciding.cancel()
        with suppress(asyncio.CancelledError):
            await deciding
        await campaign.writer.stop()
        campaign.readers.stop()


async def _decide(campaign: Campaign) -> None:
    """Again and again, decide what the new answers decide: in short steps, between the turns of those who judge."""
    deciding = Deciding(campaign.engine, campaign.settings)
    while True:
        is_more = False
        try:
            if deciding.is_due(utc_now()):
                await campaign.readers.run(lambda: deciding.refit(utc_now()))
            is_more = await campaign.writer.alone(lambda: deciding.step(utc_now(), DECIDE_MOST))
        except Exception:
            log.exception("nothing was decided")
        await asyncio.sleep(DECIDE_AGAIN if is_more else DECIDE_EVERY)


async def answer(request: Request, stop: Stop) -> Response:
    """What is said of a request that is not granted: to a program JSON, to a person a page."""
    campaign: Campaign = request.app.state.campaign
    path = request.url.path
    if path.startswith("/api/"):
        message = catalogue(campaign.language(request))(f"error.{stop.word}")
        body = {"error": stop.word, "message": message, "field": stop.field}
        response: Response = JSONResponse(
            {name: value for name, value in body.items() if value is not None}, stop.status
        )
    elif stop.status == 401 and request.method == "GET" and not path.startswith("/pictures/"):
        response = RedirectResponse("/", 303)
    else:
        response = problem_page(request, stop)
    if stop.after is not None:
        response.headers["retry-after"] = str(ceil(stop.after))
    return response


async def _not_served(request: Request, error: HTTPException) -> Response:
    response = await answer(request, Stop(error.status_code, WORDS.get(error.status_code, "wrong_request")))
    if error.headers:
        response.headers.update(error.headers)
    return response


async def _failed(request: Request, error: Exception) -> Response:
    return await answer(request, Stop(500, "server_error"))


async def _describe(request: Request) -> Response:
    """What the API says of itself, for coordinators."""
    campaign: Campaign = request.app.state.campaign
    person = await campaign.read(campaign.session(request), lambda _, person: person)
    require(person, Role.COORDINATOR)
    return JSONResponse(description.described(request.app, campaign.site.cookie("session")))
