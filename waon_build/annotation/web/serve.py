"""Runs the web application: one process, one event loop, until it is stopped."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from waon_build.annotation import people
from waon_build.annotation.database import opened, writing
from waon_build.annotation.web.app import create_app
from waon_build.annotation.web.campaign import utc_now
from waon_build.annotation.web.figures import Count
from waon_build.annotation.web.guard import Guard
from waon_build.annotation.web.site import Site
from waon_build.corpus import Corpus
from waon_build.recipe import Recipe
from waon_build.records import InputError

GRACE_SECONDS = 10
"""What is under way when the server is stopped may take so long."""
KEEP_ALIVE_SECONDS = 75
"""A connection is kept from one judgement to the next."""
MOST_CONNECTIONS = 900


class Server(uvicorn.Server):
    """uvicorn's server, which tells when people can come in. ready: called then."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None] = lambda: None) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def serve(
    recipe: Recipe,
    host: str,
    port: int,
    public_url: str | None,
    count: Count | None,
    say: Callable[[str], None],
) -> None:
    """Serve the campaign of a recipe until somebody stops it. count: counts the figures for coordinators.

    Raises InputError for what keeps it from beginning."""
    with listening(host, port) as listener, opened(recipe) as engine:
        site = Site(host, listener.getsockname()[1], public_url)
        corpus = Corpus(recipe.corpus, **recipe.runtime.storage_options)
        app = create_app(engine, corpus, recipe.annotation, site, recipe.language, count)

        def ready() -> None:
            with writing(engine) as connection:
                token = people.first_coordinator(connection, utc_now())
            say(f"{recipe.name} is judged at {site.url} (Ctrl-C stops it; nothing that was answered is lost)")
            if token is not None:
                say(f"the first coordinator comes in here, once, within a day: {site.link(f'/invite/{token}')}")

        Server(configuration(app, site), ready).run(sockets=[listener])


def configuration(app: Guard, site: Site) -> uvicorn.Config:
    """How uvicorn serves. No line is written for each request: addresses hold invitations, and tell who did what."""
    return uvicorn.Config(
        app,
        lifespan="on",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=site.is_behind_proxy,
        forwarded_allow_ips="127.0.0.1,::1",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        limit_concurrency=MOST_CONNECTIONS,
    )


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises InputError."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError) as error:
        raise InputError(f"--host {host} --port {port}: cannot be listened on ({_told(error)}): give others") from error
    return listener


def _told(error: Any) -> str:
    return getattr(error, "strerror", None) or str(error)
