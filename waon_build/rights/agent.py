"""Who we say we are: one honest user agent, and the token by which a site can address us."""

from __future__ import annotations

from waon_build import __version__

AGENT = "waon-build"
"""Our product token: what a robots.txt group, an X-Robots-Tag prefix or a meta name addresses."""

_EVERYONE = frozenset({"*", "all", "robots", AGENT})


def user_agent(contact: str) -> str:
    """The `User-Agent` header of every request: `waon-build/VERSION (+CONTACT)`."""
    return f"{AGENT}/{__version__} (+{contact})"


def addresses_us(name: str) -> bool:
    """Whether a rule for the agent `name` is for us: by our token, with a version (`waon-build/0.1`) or
    without, or because it is for all."""
    return name.partition("/")[0].strip().lower() in _EVERYONE
