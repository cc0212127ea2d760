"""Which addresses may be asked: public web ones, or those of the hosts a recipe names as its own.

A name is resolved here and the connection is made to the addresses that passed, so that no second
answer of the name server (DNS rebinding) can lead anywhere else. Says nothing about rights.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import quote

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from waon_build.fetch.asking import reason_of_asking
from waon_build.records import Reason

NOT_A_WEB_ADDRESS = reason_of_asking(
    "not_a_web_address",
    what="An address that is not http(s), is longer than 8,000 characters, or cannot be read.",
    why="Only the web is asked, and only with addresses that mean one thing.",
    source="RFC 3986",
)
HAS_CREDENTIALS = reason_of_asking(
    "has_credentials",
    what="An address with a user name or password in it.",
    why="What needs somebody's password was not published.",
)
ADDRESS_NOT_PUBLIC = reason_of_asking(
    "address_not_public",
    what="A host, first asked or redirected to, whose every address is private, loopback, link-local or reserved.",
    why="A page must not make us ask machines of our own network.",
    setting="fetch.allow_hosts",
    source="IANA special-purpose address registries",
)

LONGEST: Final = 8000
_NAME_SERVER_THREADS = 16
_WEB_ADDRESS = re.compile(r"(https?)://([^/?\\]+)(/[^?]*)?(\?.*)?", re.IGNORECASE | re.DOTALL)
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_ENDS_IN_A_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?", re.IGNORECASE)
_KEPT = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"<>\\^`{|}')
_NEVER = [
    ipaddress.ip_network(network)
    for network in (
        "2001::/32",
        "2002::/16",
        "64:ff9b:1::/48",
        "100::/64",
        "fec0::/10",
        "3fff::/20",
        "192.88.99.0/24",
        "5f00::/16",
    )
]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class NotPublicError(OSError):
    """Every address of a host was refused by the guard."""


class Guard:
    """allow_hosts: names or addresses that may be, or resolve to, anything. Any port."""

    def __init__(self, allow_hosts: Iterable[str] = ()) -> None:
        self._allowed = frozenset(host.strip().strip("[]").rstrip(".").lower() for host in allow_hosts)

    def read(self, url: str) -> URL | Reason:
        """`url` as it will be asked (no fragment, spaces and other characters percent-encoded), or why not."""
        match = _WEB_ADDRESS.fullmatch(url.strip().partition("#")[0])
        if match is None or len(url) > LONGEST:
            return NOT_A_WEB_ADDRESS
        scheme, authority, path, query = match.groups(default="")
        if "@" in authority:
            return HAS_CREDENTIALS
        try:
            site = URL(f"{scheme.lower()}://{authority}")
            rest = quote((_without_dots(path or "/") + query).encode(), safe=_KEPT)
        except ValueError:
            return NOT_A_WEB_ADDRESS
        if not site.raw_host or not _HOST.fullmatch(site.raw_host) or not site.port:
            return NOT_A_WEB_ADDRESS
        if not self.allows_host(site.raw_host):
            return ADDRESS_NOT_PUBLIC
        return URL(f"{site.scheme}://{site.raw_authority.lower()}{rest}", encoded=True)

    def allows_host(self, host: str) -> bool:
        """Whether `host` may be asked as far as its text tells: an address must be public, and a number that
        some resolvers take for one (`2130706433`, `0x7f.1`) never is. A name is left to `allows`."""
        if self.is_own(host):
            return True
        try:
            return is_public(host)
        except ValueError:
            return not _ENDS_IN_A_NUMBER.fullmatch(host)

    def is_own(self, host: str) -> bool:
        """Whether the recipe names `host`."""
        return host.strip("[]").rstrip(".").lower() in self._allowed


def _without_dots(path: str) -> str:
    """`path` without `.` and `..` segments, as RFC 3986, section 5.2.4 and every server read it: a rule of
    robots.txt for `/private/` must see `/public/../private/` for what it is."""
    segments = path.split("/")
    plain = [re.sub("%2e", ".", segment, flags=re.IGNORECASE) for segment in segments]
    if not {".", ".."} & set(plain):
        return path
    kept: list[str] = [""]
    for segment, dots in zip(segments[1:], plain[1:], strict=True):
        if dots == "..":
            del kept[max(len(kept) - 1, 1) :]
        elif dots != ".":
            kept.append(segment)
    if plain[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept) or "/"


def is_public(address: str) -> bool:
    """Whether an IP address is a public unicast one. Addresses that carry an IPv4 address inside (mapped,
    NAT64) are as public as it. Raises ValueError when `address` is not one."""
    ip = ipaddress.ip_address(address.strip("[]").partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return (
        ip.is_global
        and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)
        and not any(ip.version == network.version and ip in network for network in _NEVER)
    )


class GuardedResolver(AbstractResolver):
    """Resolves names for aiohttp, and gives it the addresses that the guard allows. Has threads of its own:
    name servers are slow, and the event loop's own are few."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._threads = ThreadPoolExecutor(_NAME_SERVER_THREADS, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises NotPublicError when no address of `host` is allowed, and OSError when it has none."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _addresses, host, port, family)
        allowed = found if self._guard.is_own(host) else [(kind, ip) for kind, ip in found if is_public(ip)]
        if found and not allowed:
            raise NotPublicError(f"{host} is {found[0][1]}")
        return [
            ResolveResult(
                hostname=host,
                host=ip,
                port=port,
                family=kind,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, ip in allowed
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str, port: int, family: int) -> list[tuple[int, str]]:
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    return [(kind, str(address[0])) for kind, _, _, _, address in found if kind in (socket.AF_INET, socket.AF_INET6)]
