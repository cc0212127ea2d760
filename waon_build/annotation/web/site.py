"""Under which names the server is reached, and what follows: which requests are meant for it, and its cookies.

A page elsewhere can make a browser send requests here: by a form, or by a name of its own that resolves to this
machine (DNS rebinding). So a request must name a host that is ours, and one that changes something must
come from a page of ours.
"""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from waon_build.records import InputError

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Site:
    """host, port: where the server listens. public_url: how people reach it, where that is another address."""

    def __init__(self, host: str = "127.0.0.1", port: int = 8700, public_url: str | None = None) -> None:
        self.url = _checked(public_url) if public_url else f"http://{_in_url(host)}:{port}"
        public = urlsplit(self.url)
        self.is_secure = public.scheme == "https"
        self._hosts = {*_LOOPBACK, host.lower(), str(public.hostname)}
        self._origin = f"{public.scheme}://{public.netloc.lower()}"
        self.is_behind_proxy = public_url is not None
        """Whether `X-Forwarded-For` of a proxy on this machine is believed."""

    def cookie(self, name: str) -> str:
        """The name of a cookie. `__Host-` makes browsers take it from nobody but this host, over https."""
        return f"__Host-waon_{name}" if self.is_secure else f"waon_{name}"

    def link(self, path: str) -> str:
        return self.url + path

    def is_ours(self, host: str, server: Any) -> bool:
        """Whether a `Host` header names us. server: ASGI's (address, port) that the request came to: an address
        can be no name of somebody else's."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        return bool(name) and (name in self._hosts or (bool(server) and name == server[0] and _is_address(name)))

    def is_from_here(self, host: str, origin: str | None, fetch_site: str | None) -> bool:
        """Whether a request that changes something may have been made by a page of ours.

        Browsers of today say so in `Sec-Fetch-Site`. Of others `Origin` must be ours; a form on a page with
        `Referrer-Policy: no-referrer` sends `null`, and then the CSRF token alone decides. host: the `Host`
        header, which has been checked.
        """
        if fetch_site is not None:
            return fetch_site == "same-origin"
        if origin is None or origin == "null":
            return True
        return origin.lower() in (self._origin, f"http://{host.lower()}") or (
            self.is_secure and origin.lower() == f"https://{host.lower()}"
        )


def _checked(url: str) -> str:
    try:
        found = urlsplit(url)
        is_sound = found.scheme in ("http", "https") and bool(found.hostname) and (found.port is None or found.port > 0)
    except ValueError:
        is_sound = False
    if not is_sound or found.path.strip("/") or found.query or found.fragment or found.username:
        raise InputError(f"--public-url {url}: give scheme and host alone, e.g. https://annotate.example.org")
    return f"{found.scheme}://{found.netloc}"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
