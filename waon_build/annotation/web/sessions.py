"""Who is asking: the session in the cookie, and the token that shows a form to be ours.

A CSRF token is derived from the session with a key of this database, so that it need not be kept, ends with
the session, and is of no use with another. Who has no session yet has a visitor's cookie in its place: so
nobody can be signed in as somebody else by a form elsewhere.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256

from starlette.responses import Response

from waon_build.annotation.web.site import Site

SESSION_HOURS = 24 * 30
_TOKEN = re.compile(r"[0-9a-f]{64}")


class Keys:
    """Keys for several purposes, made of the one that the database holds."""

    def __init__(self, secret: str) -> None:
        self._secret = bytes.fromhex(secret)

    def of(self, purpose: str) -> bytes:
        return hmac.digest(self._secret, f"waon-build web {purpose}".encode(), sha256)


class Cookies:
    """Reads and writes the cookies of session and visitor."""

    def __init__(self, site: Site, keys: Keys) -> None:
        self._site = site
        self._key = keys.of("csrf")
        self.csrf = lru_cache(maxsize=4096)(self._csrf)
        """What a form must bring along, of a token: the session's, or the visitor's."""
        self._session = site.cookie("session")
        self._visitor = site.cookie("visitor")

    def session(self, cookies: Mapping[str, str]) -> str | None:
        """The token of the session that a request shows; whether there is such a session is another matter."""
        return _token(cookies, self._session)

    def visitor(self, cookies: Mapping[str, str]) -> str | None:
        return _token(cookies, self._visitor)

    def _csrf(self, token: str) -> str:
        return hmac.digest(self._key, token.encode(), sha256).hex()

    def is_csrf(self, token: str, shown: str) -> bool:
        return hmac.compare_digest(self.csrf(token).encode(), shown.encode("utf-8", "replace"))

    def sign_in(self, response: Response, session: str) -> None:
        """Put a new session into the browser: never the one, nor the visitor, that it came with."""
        self._set(response, self._session, session, SESSION_HOURS * 3600)
        self._end(response, self._visitor)

    def sign_out(self, response: Response) -> None:
        self._end(response, self._session)

    def greet(self, response: Response, visitor: str) -> None:
        self._set(response, self._visitor, visitor, None)

    def set_language(self, response: Response, language: str) -> None:
        self._set(response, self._site.cookie("language"), language, 365 * 24 * 3600)

    def language(self, cookies: Mapping[str, str]) -> str | None:
        return cookies.get(self._site.cookie("language"))

    def _set(self, response: Response, name: str, value: str, seconds: int | None) -> None:
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=self._site.is_secure, httponly=True, samesite="lax"
        )

    def _end(self, response: Response, name: str) -> None:
        response.delete_cookie(name, path="/", secure=self._site.is_secure, httponly=True, samesite="lax")


def new_visitor() -> str:
    return secrets.token_hex(32)


def _token(cookies: Mapping[str, str], name: str) -> str | None:
    value = cookies.get(name, "")
    return value if _TOKEN.fullmatch(value) else None
