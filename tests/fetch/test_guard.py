"""The address guard: which addresses may be asked, in whatever way they are written."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from waon_build.fetch.guard import (
    ADDRESS_NOT_PUBLIC,
    HAS_CREDENTIALS,
    NOT_A_WEB_ADDRESS,
    Guard,
    GuardedResolver,
    NotPublicError,
    is_public,
)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::808:808",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_an_address_that_is_not_of_the_public_web_is_refused(address: str) -> None:
    assert not is_public(address)
    bracketed = f"[{address.partition('%')[0]}]" if ":" in address else address
    assert Guard().read(f"http://{bracketed}/a.jpg") == ADDRESS_NOT_PUBLIC


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_a_public_address_is_allowed(address: str) -> None:
    assert is_public(address)


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_is_as_public_mapped_into_ipv6_or_translated_as_by_itself(number: int) -> None:
    plain = is_public(str(IPv4Address(number)))
    assert is_public(str(IPv6Address((0xFFFF << 32) | number))) == plain
    assert is_public(str(IPv6Address((0x64FF9B << 96) | number))) == plain


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0x7f.1", "127.1", "017700000001", "010.0.0.1", "1.2.3.4.5", "a.0x1", "127.0.0.1."],
)
def test_a_number_that_some_resolvers_take_for_an_address_is_refused(host: str) -> None:
    assert Guard().read(f"http://{host}/") == ADDRESS_NOT_PUBLIC


def test_a_host_that_the_recipe_names_may_be_anything_and_no_other_way_to_write_it() -> None:
    guard = Guard(["127.0.0.1", "Localhost", "[::1]"])
    assert guard.read("http://127.0.0.1:8000/a") == URL("http://127.0.0.1:8000/a")
    assert guard.read("http://[::1]:8000/a") == URL("http://[::1]:8000/a")
    assert guard.read("http://LOCALHOST./a") == URL("http://localhost./a")
    assert guard.read("http://127.0.0.2/") == ADDRESS_NOT_PUBLIC
    assert guard.read("http://2130706433/") == ADDRESS_NOT_PUBLIC
    assert guard.read("http://[::ffff:127.0.0.1]/") == ADDRESS_NOT_PUBLIC


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("HTTP://Example.COM:80", "http://example.com/"),
        (" http://example.com/a b?q=é#top ", "http://example.com/a%20b?q=%C3%A9"),
        ("http://日本語.jp/画像.png", "http://xn--wgv71a119e.jp/%E7%94%BB%E5%83%8F.png"),
        ("https://example.com:8443?x=1", "https://example.com:8443/?x=1"),
        ("http://example.com/a%2Fb%7e+c?d=%3D", "http://example.com/a%2Fb%7e+c?d=%3D"),
        ("http://example.com/a/../b/./c/%2E%2e/d", "http://example.com/b/d"),
        ("http://example.com/../..", "http://example.com/"),
        ("http://example.com/a\r\nHost: b", "http://example.com/a%0D%0AHost:%20b"),
    ],
)
def test_an_address_is_asked_as_it_is_written_but_for_what_cannot_be_sent(written: str, asked: str) -> None:
    read = Guard().read(written)
    assert isinstance(read, URL)
    assert str(read) == asked


@pytest.mark.parametrize(
    "url",
    ["", "//example.com/a", "/a", "ftp://example.com/", "data:image/png;base64,AA", "javascript:alert(1)", "http://", "http:///a",
     "http://[::1", "http://example.com:99999/", "http://example.com:0/", "http://exa mple.com/", "http://a%2fb/", "http://a\\b/",
     "http://a\r\nHost: b/", "http://\ud800/", "http://a/\ud800", "http://a/" + "a" * 8000, "file:x", "http:\\\\a\\"],
)  # fmt: skip
def test_what_is_no_web_address_is_refused(url: str) -> None:
    assert Guard().read(url) == NOT_A_WEB_ADDRESS


@pytest.mark.parametrize("url", ["http://user:secret@example.com/", "http://user@example.com/", "http://@example.com/"])
def test_credentials_are_refused(url: str) -> None:
    assert Guard().read(url) == HAS_CREDENTIALS


@given(st.text(max_size=60).map(lambda text: "http://" + text) | st.text(max_size=60))
def test_any_text_gives_an_address_or_a_reason(url: str) -> None:
    read = Guard().read(url)
    if isinstance(read, URL):
        assert str(read).isascii()
        assert " " not in str(read)
        assert Guard().read(str(read)) == read


def _resolved(guard: Guard, host: str, monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    async def resolve() -> list[str]:
        resolver = GuardedResolver(guard)
        try:
            return [found["host"] for found in await resolver.resolve(host, 80)]
        finally:
            await resolver.close()

    def names(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80))
            for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", names)
    return asyncio.run(resolve())


def test_of_the_addresses_of_a_name_only_public_ones_are_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _resolved(Guard(), "a.example", monkeypatch, "127.0.0.1", "8.8.8.8", "::1") == ["8.8.8.8"]


def test_a_name_that_resolves_to_nothing_public_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotPublicError, match=r"a\.example is 10\.0\.0\.1"):
        _resolved(Guard(["b.example"]), "a.example", monkeypatch, "10.0.0.1", "fe80::1%2")


def test_a_name_of_the_recipes_own_may_resolve_to_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _resolved(Guard(["A.example"]), "a.example", monkeypatch, "10.0.0.1") == ["10.0.0.1"]
