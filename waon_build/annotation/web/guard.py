"""What stands before every handler: is the request meant for us, is it small enough; and what every answer says.

Pure ASGI, since it runs with every request.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from waon_build.annotation.web.problems import Stop
from waon_build.annotation.web.site import Site

MOST_BYTES = 64 << 10
"""Of what is sent to us."""
SAFE = ("GET", "HEAD", "OPTIONS")

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "img-src 'self' blob:",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "manifest-src 'self'",
        "worker-src 'self'",
    )
)
_ALWAYS = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"x-frame-options", b"DENY"),
]
_NO_STORE = (b"cache-control", b"no-store")
_HTTPS_ONLY = (b"strict-transport-security", b"max-age=31536000")

log = logging.getLogger(__name__)

Answer = Callable[[Request, Stop], Awaitable[Response]]
Handler = Callable[[Request], Awaitable[Response]]


class Guard:
    """answer: makes a response of what a request is refused for. handlers: of (method, path), those that are called
    without the framework's layers in between, which take as long as they do."""

    def __init__(self, app: Starlette, site: Site, answer: Answer, handlers: Mapping[tuple[str, str], Handler]) -> None:
        self.app = app
        self._handlers = handlers
        self._site = site
        self._answer = answer
        self._always = [*_ALWAYS, _HTTPS_ONLY] if site.is_secure else _ALWAYS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["app"] = self.app
        sent = ""

        async def sending(message: Message) -> None:
            nonlocal sent
            sent = "all" if message["type"] == "http.response.body" and not message.get("more_body") else "some"
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append(_NO_STORE)
                message["headers"] = headers + self._always
            await send(message)

        try:
            self._refuse_strangers(scope)
            handler = self._handlers.get((scope["method"], scope["path"]))
            if handler is None:
                await self.app(scope, _at_most(receive), sending)
            else:
                response = await handler(Request(scope, _at_most(receive)))
                await response(scope, receive, sending)
        except Stop as stop:
            await self._refused(scope, receive, sending, stop)
        except Exception:
            log.exception("%s %s failed", scope["method"], _route(scope))
            if sent == "some":  # it cannot be mended: the connection is cut
                raise
            if not sent:
                await self._refused(scope, receive, sending, Stop(500, "server_error"))

    async def _refused(self, scope: Scope, receive: Receive, send: Send, stop: Stop) -> None:
        response = await self._answer(Request(scope), stop)
        if stop.status == 413:  # what is left of it is not read
            response.headers["connection"] = "close"
        await response(scope, receive, send)

    def _refuse_strangers(self, scope: Scope) -> None:
        """Raise Stop for what is not meant for us, was not made by a page of ours, or is too large."""
        headers = dict(scope["headers"])  # of one that is there twice, the last
        host = headers.get(b"host", b"").decode("latin-1")
        if not self._site.is_ours(host, scope.get("server")):
            raise Stop(421, "wrong_host")
        if scope["method"] not in SAFE and not self._site.is_from_here(
            host, _text(headers.get(b"origin")), _text(headers.get(b"sec-fetch-site"))
        ):
            raise Stop(403, "csrf")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > MOST_BYTES:
            raise Stop(413, "too_large")


def _at_most(receive: Receive) -> Receive:
    """Raises Stop where more comes than may: without a length, it is not known before."""
    read = 0

    async def receiving() -> Message:
        nonlocal read
        message = await receive()
        if message["type"] == "http.request":
            read += len(message.get("body", b""))
            if read > MOST_BYTES:
                raise Stop(413, "too_large")
        return message

    return receiving


def _route(scope: Scope) -> str:
    """The path as it may be logged: the token of an invitation is not."""
    path = str(scope["path"])
    return "/invite/..." if path.startswith("/invite/") else path


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
