"""The client against real servers on loopback, kind and hostile: what is asked, in which order, and what is not."""

from __future__ import annotations

import asyncio
import gzip
import os
import socket
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from email.utils import formatdate

import pytest

from waon_build import __version__
from waon_build.fetch.client import REFUSALS, Client
from waon_build.fetch.origin import Origins
from waon_build.fetch.politeness import Politeness
from waon_build.recipe import FetchSettings
from waon_build.records import InputError, Reason, Reply

IMAGE = b"\x89PNG" + b"x" * 100
Writer = asyncio.StreamWriter
Answer = bytes | Callable[[Writer], Awaitable[None]]


def answer(
    body: bytes = IMAGE, status: str = "200 OK", headers: Iterable[str] = (), length: int | None = None
) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


def moved(location: str, status: str = "302 Found", headers: Iterable[str] = ()) -> bytes:
    return answer(b"", status, [f"Location: {location}", *headers])


class Host:
    """One origin: answers by path, and everything it was asked."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.answers: dict[str, Answer | list[Answer]] = {}
        self.asked: list[str] = []
        self.requests: list[str] = []
        self.times: list[float] = []
        self.connections = 0

    def url(self, path: str = "/a.png") -> str:
        return f"http://{self.address}:{self.port}{path}"

    @property
    def images_asked(self) -> list[str]:
        return [path for path in self.asked if path not in ("/robots.txt", "/.well-known/tdmrep.json")]

    async def serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        self.connections += 1
        try:
            while request := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                path = request.split(" ")[1]
                self.asked.append(path)
                self.requests.append(request)
                self.times.append(time.monotonic())
                given = self.answers.get(path, answer(b"nothing", "404 Not Found"))
                if isinstance(given, list):
                    given = given.pop(0) if len(given) > 1 else given[0]
                if isinstance(given, bytes):
                    writer.write(given)
                    await writer.drain()
                else:
                    await given(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(*addresses: str) -> AsyncIterator[list[Host]]:
    hosts = [Host(address) for address in addresses]
    servers = [await asyncio.start_server(host.serve, host.address, 0) for host in hosts]
    for host, server in zip(hosts, servers, strict=True):
        host.port = server.sockets[0].getsockname()[1]
    try:
        yield hosts
    finally:
        for server in servers:
            server.close()


def client(politeness: Politeness | None = None, origins: Origins | None = None, **settings: object) -> Client:
    given: dict[str, object] = {
        "contact": "mailto:us@example.org",
        "per_host_rate": 10_000,
        "per_host_concurrency": 8,
        "timeout_seconds": 5,
        "allow_hosts": ["127.0.0.1", "127.0.0.2", "127.0.0.3", "localhost"],
    }
    return Client(FetchSettings(**{**given, **settings}), politeness, origins, backoff=0.01)  # type: ignore[arg-type]


def ask(
    prepare: Callable[..., None],
    *paths: str,
    hosts: int = 1,
    kind: str = "image",
    max_bytes: int | None = None,
    **settings: object,
) -> tuple[list[Reply], list[Host]]:
    """Set up hosts on 127.0.0.1 and up, and ask the first for `paths`, one after the other."""

    async def asked() -> tuple[list[Reply], list[Host]]:
        async with serving(*(f"127.0.0.{number + 1}" for number in range(hosts))) as served:
            prepare(*served)
            async with client(**settings) as asker:
                replies = []
                for path in paths or ("/a.png",):
                    url = path if "://" in path else served[0].url(path)
                    replies.append(await asker.get(url, kind=kind, max_bytes=max_bytes))
                return replies, served

    return asyncio.run(asked())


def one(answers: dict[str, Answer | list[Answer]], path: str = "/a.png", **options: object) -> tuple[Reply, Host]:
    """The reply of one host with these answers to one GET."""
    replies, hosts = ask(lambda host: host.answers.update(answers), path, **options)  # type: ignore[arg-type]
    return replies[0], hosts[0]


# --- who we are, and what we ask


@pytest.mark.parametrize("contact", [None, "", "  "])
def test_without_a_contact_nothing_starts(contact: str | None) -> None:
    with pytest.raises(InputError, match=r"^fetch\.contact is missing: .*reach you"):
        Client(FetchSettings(contact=contact))


def test_a_contact_that_would_split_the_header_is_refused() -> None:
    with pytest.raises(InputError, match=r"fetch\.contact is wrong"):
        Client(FetchSettings(contact="a@b.c\r\nX: y"))


def test_an_image_comes_with_its_status_headers_and_evidence() -> None:
    reply, host = one({"/a.png": answer(headers=["Content-Type: image/png", "X-Robots-Tag: nosnippet"])})
    assert (reply.reason, reply.status, reply.body, reply.retryable) == ("", 200, IMAGE, False)
    assert reply.url == reply.final_url == host.url()
    assert reply.header("content-type") == "image/png"
    assert [(found.signal, found.value, found.refuses) for found in reply.rights] == [
        ("robots_txt", "HTTP 404", False),
        ("x_robots_tag", "nosnippet", False),
    ]


def test_we_say_who_we_are_and_keep_no_cookies(monkeypatch: pytest.MonkeyPatch) -> None:
    """One honest user agent, no cookie sent back, no proxy taken from the environment."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.9:1")
    cookie = answer(headers=["Set-Cookie: id=1; Path=/"])
    replies, (host,) = ask(lambda host: host.answers.update({"/a.png": cookie, "/b.png": cookie}), "/a.png", "/b.png")
    assert [reply.reason for reply in replies] == ["", ""]
    for request in host.requests:
        assert f"User-Agent: waon-build/{__version__} (+mailto:us@example.org)\r\n" in request
        assert "cookie" not in request.lower()
    assert "Accept-Encoding: identity" in host.requests[-1]


def test_headers_come_as_text_whatever_their_bytes() -> None:
    reply, _ = one({"/a.png": answer(headers=["ETag: 日本", "X-Robots-Tag: caf\udce9, nosnippet"])})
    assert reply.headers[0] == ("ETag", "日本")
    assert reply.rights[-1].value == "café, nosnippet"


def test_an_address_is_sent_as_it_is_written() -> None:
    path = "/a%2Fb%7Ec+d.png?sig=a%3D%26&x=%E3%81%82"
    reply, host = one({path: answer()}, path)
    assert reply.reason == ""
    assert host.images_asked == [path]


# --- robots.txt and tdmrep.json, before anything


def test_rights_files_are_read_first_and_once_however_many_ask() -> None:
    async def many() -> list[str]:
        async with serving("127.0.0.1") as (host,):
            host.answers = {f"/{number}.png": answer() for number in range(50)}
            async with client() as asker:
                replies = await asyncio.gather(*(asker.get(host.url(f"/{number}.png")) for number in range(50)))
            assert {reply.reason for reply in replies} == {""}
            return host.asked

    asked = asyncio.run(many())
    assert asked[:2] == ["/robots.txt", "/.well-known/tdmrep.json"]
    assert len(asked) == 52


def test_what_robots_txt_disallows_is_never_asked_for() -> None:
    reply, host = one({"/robots.txt": answer(b"User-agent: *\nDisallow: /*.png$\n"), "/a.png": answer()})
    assert reply.reason == "refused_by_robots_txt"
    assert reply.reason in REFUSALS
    assert not reply.retryable
    assert host.images_asked == []
    assert reply.rights[0][:3] == ("robots_txt", host.url("/robots.txt"), "Disallow: /*.png$")
    assert reply.rights[0].refuses


def test_dots_in_a_path_do_not_lead_past_robots_txt() -> None:
    robots = {"/robots.txt": answer(b"User-agent: *\nDisallow: /private/\n")}
    reply, host = one(robots, "/open/%2e%2e/private/a.png")
    assert (reply.reason, host.images_asked) == ("refused_by_robots_txt", [])


@pytest.mark.parametrize("status", ["404 Not Found", "401 Unauthorized", "403 Forbidden", "410 Gone", "451 X"])
def test_a_robots_txt_that_is_not_there_means_yes(status: str) -> None:
    reply, _ = one({"/robots.txt": answer(b"", status), "/a.png": answer()})
    assert reply.reason == ""


@pytest.mark.parametrize("status", ["500 X", "503 X", "429 X", "304 X", "204 X", "600 X"])
def test_a_robots_txt_that_nobody_can_read_means_no_for_now(status: str) -> None:
    reply, host = one({"/robots.txt": answer(b"", status), "/a.png": answer()}, retries=1)
    assert (reply.reason, reply.retryable) == ("robots_unreachable", True)
    assert host.images_asked == []
    assert reply.rights[0].refuses


def test_a_robots_txt_that_recovers_within_the_run_counts() -> None:
    reply, host = one({"/robots.txt": [answer(b"", "503 X"), answer(b"")], "/a.png": answer()})
    assert reply.reason == ""
    assert host.asked.count("/robots.txt") == 2


def test_a_robots_txt_too_long_is_read_as_far_as_the_limit() -> None:
    body = b"User-agent: *\nDisallow: /a.png\n" + b"# filler\n" * 200_000
    assert one({"/robots.txt": answer(body), "/a.png": answer()})[0].reason == "refused_by_robots_txt"
    squeezed = answer(gzip.compress(body), headers=["Content-Encoding: gzip"])
    assert one({"/robots.txt": squeezed, "/a.png": answer()})[0].reason == "refused_by_robots_txt"


def test_redirects_of_robots_txt_are_followed_to_another_host_and_count_for_the_first() -> None:
    def prepare(first: Host, second: Host) -> None:
        first.answers = {"/robots.txt": moved(second.url("/r")), "/a.png": answer()}
        second.answers = {"/r": moved("/r2"), "/r2": answer(b"User-agent: *\nDisallow: /a.png\n")}

    (reply,), (first, second) = ask(prepare, hosts=2)
    assert reply.reason == "refused_by_robots_txt"
    assert (first.images_asked, second.asked) == ([], ["/r", "/r2"])


def test_a_robots_txt_that_redirects_forever_or_to_our_own_network_means_no() -> None:
    for location in ("/robots.txt", "http://10.0.0.1/robots.txt", "ftp://x/", ""):
        reply, host = one({"/robots.txt": moved(location), "/a.png": answer()}, retries=0)
        assert reply.reason == "robots_unreachable", location
        assert host.images_asked == []


def test_what_tdmrep_json_reserves_is_never_asked_for() -> None:
    rules = b'[{"location": "/open/*", "tdm-reservation": 0}, {"location": "/", "tdm-reservation": 1}]'
    answers: dict[str, Answer | list[Answer]] = {
        "/.well-known/tdmrep.json": answer(rules),
        "/a.png": answer(headers=["tdm-reservation: 0"]),
        "/open/a.png": answer(),
    }
    replies, (host,) = ask(lambda host: host.answers.update(answers), "/a.png", "/open/a.png")
    assert [reply.reason for reply in replies] == ["refused_by_tdmrep", ""]
    assert host.images_asked == ["/open/a.png"]
    assert [found.signal for found in replies[1].rights] == ["robots_txt", "tdmrep"]


def test_a_tdmrep_json_that_fails_means_no_for_now_and_a_web_page_in_its_place_means_nothing() -> None:
    reply, host = one({"/.well-known/tdmrep.json": answer(b"", "502 X"), "/a.png": answer()}, retries=0)
    assert (reply.reason, reply.retryable, host.images_asked) == ("robots_unreachable", True, [])
    assert reply.rights[0].signal == "tdmrep"
    reply, _ = one({"/.well-known/tdmrep.json": answer(b"<!doctype html><p>Hello"), "/a.png": answer()})
    assert reply.reason == ""


def test_a_tdmrep_json_that_robots_txt_disallows_is_read_all_the_same_and_obeyed() -> None:
    robots = answer(b"User-agent: *\nDisallow: /.well-known/\n")
    reserved = answer(b'[{"location": "/", "tdm-reservation": 1}]')
    reply, host = one({"/robots.txt": robots, "/.well-known/tdmrep.json": reserved, "/a.png": answer()})
    assert (reply.reason, host.images_asked) == ("refused_by_tdmrep", [])
    reply, host = one({"/robots.txt": robots, "/a.png": answer()})
    assert (reply.reason, host.asked) == ("", ["/robots.txt", "/.well-known/tdmrep.json", "/a.png"])


def test_a_site_that_disallows_all_is_asked_for_nothing_but_its_robots_txt() -> None:
    reply, host = one({"/robots.txt": answer(b"User-agent: *\nDisallow: /\n"), "/a.png": answer()})
    assert (reply.reason, host.asked) == ("refused_by_robots_txt", ["/robots.txt"])


def test_a_usage_rule_of_robots_txt_that_disallows_training_is_obeyed_before_asking() -> None:
    robots = answer(b"User-agent: *\nAllow: /\nContent-Usage: / train-ai=n\nContent-Usage: /ok/ train-ai=y\n")
    answers = {"/robots.txt": robots, "/a.png": answer(), "/ok/a.png": answer()}
    replies, (host,) = ask(lambda host: host.answers.update(answers), "/a.png", "/ok/a.png")
    assert [reply.reason for reply in replies] == ["refused_by_content_usage", ""]
    assert host.images_asked == ["/ok/a.png"]


def test_rules_are_kept_for_the_next_client_that_shares_them() -> None:
    async def two_clients() -> list[str]:
        async with serving("127.0.0.1") as (host,):
            host.answers = {"/a.png": answer()}
            politeness, origins = Politeness(1000, 2), Origins()
            for _ in range(2):
                async with client(politeness, origins) as asker:
                    assert (await asker.get(host.url())).reason == ""
            return host.asked

    assert asyncio.run(two_clients()).count("/robots.txt") == 1


# --- with the answer: headers before the body


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("X-Robots-Tag: max-image-preview:large, noai", "refused_by_x_robots_tag"),
        ("X-Robots-Tag: unavailable_after: Wed, 03 Dec 2025 13:09:53 GMT, noimageai", "refused_by_x_robots_tag"),
        ("x-robots-tag: nofollow\r\nX-Robots-Tag: waon-build: none", "refused_by_x_robots_tag"),
        ("TDM-Reservation: 1", "refused_by_tdmrep"),
        ("Content-Usage: train-ai=n", "refused_by_content_usage"),
    ],
)
def test_a_header_that_refuses_is_obeyed_before_the_body_is_read_and_never_tried_again(
    header: str, reason: str
) -> None:
    sent = 0

    async def endless(writer: Writer) -> None:
        nonlocal sent
        writer.write(f"HTTP/1.1 200 OK\r\n{header}\r\nContent-Length: 100000000\r\n\r\n".encode())
        while sent < 100_000_000:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    reply, host = one({"/a.png": endless}, retries=3, max_bytes=200_000_000)
    assert (reply.reason, reply.retryable, reply.body) == (reason, False, b"")
    assert host.images_asked == ["/a.png"]
    assert reply.rights[-1].refuses
    assert sent < 50_000_000


def test_a_header_for_another_bot_does_not_refuse() -> None:
    reply, _ = one({"/a.png": answer(headers=["X-Robots-Tag: otherbot: noai, noindex", "X-Robots-Tag: gptbot: none"])})
    assert reply.reason == ""
    assert len(reply.rights) == 3


def test_the_own_x_robots_tag_of_a_sitemap_speaks_of_search_results_only() -> None:
    answers: dict[str, Answer | list[Answer]] = {"/s.xml": answer(b"<urlset/>", headers=["X-Robots-Tag: noindex"])}
    assert one(answers, "/s.xml", kind="sitemap")[0].reason == ""
    assert one(answers, "/s.xml", kind="page")[0].reason == "refused_by_x_robots_tag"


# --- redirects


def test_redirects_are_followed_and_the_last_address_is_told() -> None:
    reply, host = one(
        {"/a.png": moved("b%20c.png", "301 X"), "/b%20c.png": moved("/d.png?x", "308 X"), "/d.png?x": answer()}
    )
    assert (reply.reason, reply.final_url) == ("", host.url("/d.png?x"))
    assert reply.url == host.url("/a.png")


def test_a_redirect_to_another_host_asks_for_its_rights_first() -> None:
    def prepare(first: Host, second: Host) -> None:
        first.answers = {"/a.png": moved(second.url("/b.png")), "/ok.png": moved(second.url("/ok.png"))}
        second.answers = {
            "/robots.txt": answer(b"User-agent: waon-build\nDisallow: /b.png\n"),
            "/b.png": answer(),
            "/ok.png": answer(),
        }

    replies, (_, second) = ask(prepare, "/a.png", "/ok.png", hosts=2)
    assert [reply.reason for reply in replies] == ["refused_by_robots_txt", ""]
    assert second.asked == ["/robots.txt", "/.well-known/tdmrep.json", "/ok.png"]
    assert [found.url for found in replies[1].rights if found.signal == "robots_txt"][1] == second.url("/robots.txt")


def test_a_refusal_on_the_way_counts() -> None:
    reply, host = one({"/a.png": moved("/b.png", headers=["X-Robots-Tag: noai"]), "/b.png": answer()})
    assert (reply.reason, host.images_asked) == ("refused_by_x_robots_tag", ["/a.png"])


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://10.0.0.1/x.png", "address_not_public"),
        ("http://169.254.169.254/latest/meta-data/", "address_not_public"),
        ("http://2130706433/x.png", "address_not_public"),
        ("http://[::ffff:127.0.0.1]/x.png", "address_not_public"),
        ("http://127.0.0.77/x.png", "address_not_public"),
        ("//0/x.png", "address_not_public"),
        ("http://user:pass@127.0.0.1/x.png", "has_credentials"),
        ("ftp://127.0.0.1/x.png", "not_a_web_address"),
        ("file:///etc/passwd", "not_a_web_address"),
        ("http://[broken/x.png", "not_a_web_address"),
        ("data:image/png;base64,iVBORw0KGgo=", "not_a_web_address"),
    ],
)
def test_a_redirect_cannot_lead_where_we_would_not_go_ourselves(location: str, reason: str) -> None:
    reply, _ = one({"/a.png": moved(location)})
    assert (reply.reason, reply.retryable, reply.body) == (reason, False, b"")


def test_loops_and_long_chains_of_redirects_end() -> None:
    assert one({"/a.png": moved("/b.png"), "/b.png": moved("/a.png#x")})[0].reason == "redirect_loop"
    chain: dict[str, Answer | list[Answer]] = {f"/{n}": moved(f"/{n + 1}") for n in range(30)}
    reply, host = one(chain, "/0", max_redirects=4)
    assert (reply.reason, len(host.images_asked)) == ("too_many_redirects", 5)


def test_a_redirect_without_an_address_is_no_answer() -> None:
    assert one({"/a.png": answer(b"", "302 Found")})[0].reason == "unexpected_status"


def test_a_page_is_not_followed_to_another_origin() -> None:
    def prepare(first: Host, second: Host) -> None:
        first.answers = {"/p": moved(second.url("/p")), "/q": moved("/r"), "/r": answer(b"<html>")}
        second.answers = {"/p": answer(b"<html>")}

    replies, (_, second) = ask(prepare, "/p", "/q", hosts=2, kind="page")
    assert [reply.reason for reply in replies] == ["left_the_site", ""]
    assert second.asked == []


# --- the address guard at work


def test_a_name_is_resolved_once_for_the_check_and_for_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: a name server that says a public address first and 127.0.0.1 next leads nowhere."""
    calls = 0

    def rebinding(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        nonlocal calls
        calls += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def asked() -> tuple[str, list[str]]:
        async with serving("127.0.0.1") as (host,):
            host.answers = {"/a.png": answer()}
            monkeypatch.setattr(socket, "getaddrinfo", rebinding)
            async with client(allow_hosts=["127.0.0.1"]) as asker:
                reply = await asker.get(f"http://rebind.example:{host.port}/a.png")
            return reply.reason, host.asked

    assert asyncio.run(asked()) == ("address_not_public", [])
    assert calls == 1


def test_a_name_of_the_recipes_own_is_asked_on_loopback() -> None:
    async def asked() -> Reply:
        async with serving("127.0.0.1") as (host,):
            host.answers = {"/a.png": answer()}
            async with client(allow_hosts=["localhost"]) as asker:
                return await asker.get(f"http://localhost:{host.port}/a.png")

    assert asyncio.run(asked()).reason == ""


def test_loopback_is_refused_unless_the_recipe_names_it() -> None:
    reply, host = one({"/a.png": answer()}, allow_hosts=[])
    assert (reply.reason, host.asked) == ("address_not_public", [])
    assert reply.reason in REFUSALS


def test_a_name_that_nobody_knows_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(code: int) -> Callable[..., list[object]]:
        def getaddrinfo(*_: object, **__: object) -> list[object]:
            raise socket.gaierror(code, "no")

        return getaddrinfo

    async def asked() -> Reply:
        async with client(retries=0) as asker:
            return await asker.get("http://nowhere.example/a.png")

    monkeypatch.setattr(socket, "getaddrinfo", unknown(socket.EAI_NONAME))
    reply = asyncio.run(asked())
    assert (reply.reason, reply.retryable) == ("name_not_resolved", False)
    monkeypatch.setattr(socket, "getaddrinfo", unknown(socket.EAI_AGAIN))
    reply = asyncio.run(asked())
    assert (reply.reason, reply.retryable) == ("name_not_resolved", True)


# --- bounds


def test_a_body_that_says_it_is_too_long_is_not_read() -> None:
    reply, _ = one({"/a.png": answer(b"x" * 10, length=10**12)}, max_bytes=1000)
    assert (reply.reason, reply.retryable) == ("body_too_large", False)


def test_a_body_without_a_length_is_given_up_at_the_limit() -> None:
    async def endless(writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()

    reply, _ = one({"/a.png": endless}, max_bytes=300_000)
    assert (reply.reason, reply.body) == ("body_too_large", b"")


def test_a_body_of_exactly_the_limit_is_taken() -> None:
    assert one({"/a.png": answer(b"x" * 1000)}, max_bytes=1000)[0].body == b"x" * 1000
    assert one({"/a.png": answer(b"x" * 1001)}, max_bytes=1000)[0].reason == "body_too_large"
    squeezed = answer(gzip.compress(b"x" * 1000), headers=["Content-Encoding: gzip"])
    assert one({"/a.png": squeezed}, max_bytes=1000)[0].body == b"x" * 1000


def _deflated(data: bytes) -> bytes:
    raw = zlib.compressobj(wbits=-15)
    return raw.compress(data) + raw.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(IMAGE * 5000)),
        ("X-GZIP", gzip.compress(IMAGE) + gzip.compress(IMAGE * 4999)),
        ("gzip", gzip.compress(IMAGE * 5000) + b"\0\0 rubbish after the end"),
        ("deflate", zlib.compress(IMAGE * 5000)),
        ("deflate", _deflated(IMAGE * 5000)),
        ("identity", IMAGE * 5000),
        ("utf-8", IMAGE * 5000),
    ],
)
def test_content_codings_are_undone(coding: str, body: bytes) -> None:
    reply, _ = one({"/p": answer(body, headers=[f"Content-Encoding: {coding}"])}, "/p", kind="page")
    assert (reply.reason, reply.body == IMAGE * 5000) == ("", True)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b"this is no gzip"),
        ("gzip", gzip.compress(os.urandom(100_000))[:-2000]),
        ("br", b"abc"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"x"))),
    ],
    ids=["no gzip", "gzip cut short", "no brotli", "gzip in gzip"],
)
def test_a_body_that_is_not_encoded_as_it_says_is_malformed(coding: str, body: bytes) -> None:
    reply, _ = one({"/p": answer(body, headers=[f"Content-Encoding: {coding}"])}, "/p", kind="page")
    assert (reply.reason, reply.retryable) == ("answer_malformed", False)


def test_a_gzip_bomb_is_given_up_at_the_limit() -> None:
    """A gigabyte in one megabyte: neither memory nor time grows with it."""
    bomb = gzip.compress(b"\0" * (1 << 20)) * 1024
    started = time.process_time()
    reply, _ = one({"/p": answer(bomb, headers=["Content-Encoding: gzip"])}, "/p", kind="page", max_bytes=10_000_000)
    assert reply.reason == "body_too_large"
    assert time.process_time() - started < 2


async def _drip(writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _drip_headers(writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(1000):
        writer.write(b"X-%d: y\r\n" % number)
        await writer.drain()
        await asyncio.sleep(0.05)


async def _say_nothing(writer: Writer) -> None:
    await asyncio.sleep(60)


@pytest.mark.parametrize("slow", [_drip, _drip_headers, _say_nothing])
def test_a_host_that_drips_is_given_up_in_time(slow: Answer) -> None:
    started = time.monotonic()
    reply, _ = one({"/a.png": slow}, timeout_seconds=0.4, retries=0)
    assert (reply.reason, reply.retryable) == ("timed_out", True)
    assert time.monotonic() - started < 2


def test_the_time_is_for_all_redirects_together() -> None:
    def later(location: str) -> Answer:
        async def wait(writer: Writer) -> None:
            await asyncio.sleep(0.2)
            writer.write(moved(location))
            await writer.drain()

        return wait

    chain: dict[str, Answer | list[Answer]] = {f"/{n}": later(f"/{n + 1}") for n in range(10)}
    reply, host = one(chain, "/0", timeout_seconds=0.5, retries=0, max_redirects=20)
    assert reply.reason == "timed_out"
    assert len(host.images_asked) <= 4


async def _hang_up(writer: Writer) -> None:
    writer.close()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (b"this is not http\r\n\r\n", "answer_malformed"),
        (b"HTTP/1.1 99999999999999999999 OK\r\n\r\n", "answer_malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc", "answer_malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", "answer_malformed"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n", "answer_malformed"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n", "answer_malformed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", "answer_malformed"),
        (b"\0" * 1000, "answer_malformed"),
        (_hang_up, "connection_failed"),
    ],
)
def test_an_answer_that_is_not_http_is_a_reason_and_no_error(given: Answer, reason: str) -> None:
    reply, _ = one({"/a.png": given}, retries=0, timeout_seconds=2)
    assert reply.reason == reason
    assert reply.body == b""


def test_a_body_that_breaks_off_is_no_body_and_is_asked_for_again() -> None:
    async def cut(writer: Writer) -> None:
        writer.write(answer(IMAGE, length=100_000))
        await writer.drain()
        writer.close()

    reply, host = one({"/a.png": [cut, answer()]}, retries=1)
    assert (reply.reason, reply.body, len(host.images_asked)) == ("", IMAGE, 2)


def test_any_bytes_for_an_answer_give_a_reply() -> None:
    """Rubbish after a plausible start: every one ends in a reply with a known reason."""
    import random

    chance = random.Random(0)
    starts = [
        b"",
        b"HTTP/1.1 ",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 302 X\r\nLocation: ",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
    ]

    def rubbish(number: int) -> Answer:
        data = chance.choice(starts) + chance.randbytes(chance.randrange(200)) + b"\r\n\r\n"

        async def send(writer: Writer) -> None:
            writer.write(data)
            await writer.drain()
            writer.close()

        return send

    paths = [f"/{number}.png" for number in range(150)]
    replies, _ = ask(
        lambda host: host.answers.update({path: rubbish(number) for number, path in enumerate(paths)}),
        *paths,
        retries=0,
        timeout_seconds=2,
    )
    assert all(reply.reason == "" or f"fetch.{reply.reason}" in Reason.all for reply in replies)
    assert len(replies) == 150


# --- trying again


@pytest.mark.parametrize(
    ("status", "reason", "retryable"),
    [
        ("404 X", "not_found", False),
        ("410 X", "not_found", False),
        ("400 X", "http_client_error", False),
        ("403 X", "http_client_error", False),
        ("451 X", "http_client_error", False),
        ("408 X", "timed_out", True),
        ("429 X", "too_many_requests", True),
        ("500 X", "http_server_error", True),
        ("503 X", "http_server_error", True),
        ("204 X", "unexpected_status", False),
        ("206 X", "unexpected_status", False),
        ("304 X", "unexpected_status", False),
    ],
)
def test_only_what_may_succeed_is_tried_again(status: str, reason: str, retryable: bool) -> None:
    body = b"" if status[:3] in ("204", "304") else b"oops"
    reply, host = one({"/a.png": answer(body, status)}, retries=2)
    assert (reply.reason, reply.retryable, reply.body) == (reason, retryable, b"")
    assert len(host.images_asked) == (3 if retryable else 1)


def test_a_second_try_that_succeeds_is_a_success() -> None:
    reply, host = one({"/a.png": [answer(b"", "500 X"), answer(b"", "429 X"), answer()]}, retries=2)
    assert (reply.reason, reply.body, len(host.images_asked)) == ("", IMAGE, 3)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_waited_for_by_everyone_who_asks_that_host(form: str) -> None:
    after = "1" if form == "seconds" else formatdate(time.time() + 2, usegmt=True)

    async def asked() -> list[float]:
        async with serving("127.0.0.1") as (host,):
            host.answers = {"/a.png": [answer(b"", "429 X", [f"Retry-After: {after}"]), answer()], "/b.png": answer()}
            async with client() as asker:
                first = asyncio.ensure_future(asker.get(host.url("/a.png")))
                await asyncio.sleep(0.2)
                second = await asker.get(host.url("/b.png"))
                assert ((await first).reason, second.reason) == ("", "")
            return host.times

    times = asyncio.run(asked())
    assert len(times) == 5
    assert min(times[3:]) - times[2] > 0.9


def test_a_host_that_asks_for_an_hour_is_left_for_a_later_run_and_holds_nobody_up() -> None:
    replies, (host,) = ask(
        lambda host: host.answers.update({"/a.png": answer(b"", "503 X", ["Retry-After: 3600"]), "/b.png": answer()}),
        "/a.png",
        "/b.png",
    )
    assert [(reply.reason, reply.retryable) for reply in replies] == [("host_rests", True), ("host_rests", True)]
    assert host.images_asked == ["/a.png"]


def test_a_dead_host_does_not_hold_up_a_part() -> None:
    """A thousand addresses of a host that never answers cost ten time-outs, not a thousand."""

    async def asked() -> tuple[set[str], int]:
        async with serving("127.0.0.1") as (host,):
            for number in range(1000):
                host.answers[f"/{number}.png"] = _say_nothing
            async with client(timeout_seconds=0.2, per_host_concurrency=2, retries=0) as asker:
                replies = await asyncio.gather(*(asker.get(host.url(f"/{number}.png")) for number in range(1000)))
            return {reply.reason for reply in replies}, len(host.images_asked)

    started = time.monotonic()
    reasons, requests = asyncio.run(asked())
    assert reasons == {"timed_out", "host_rests"}
    assert requests <= 12
    assert time.monotonic() - started < 10


def test_requests_under_way_are_bounded_over_all_hosts() -> None:
    active = most = 0

    async def slow(writer: Writer) -> None:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await asyncio.sleep(0.02)
        active -= 1
        writer.write(answer())
        await writer.drain()

    async def asked() -> None:
        async with serving("127.0.0.1", "127.0.0.2", "127.0.0.3") as hosts:
            for host in hosts:
                host.answers = {f"/{number}.png": slow for number in range(20)}
            async with client(concurrency=5, per_host_concurrency=4) as asker:
                urls = [host.url(f"/{number}.png") for number in range(20) for host in hosts]
                assert {reply.reason for reply in await asyncio.gather(*map(asker.get, urls))} == {""}

    asyncio.run(asked())
    assert most == 5


def test_a_crawl_delay_of_robots_txt_is_kept() -> None:
    robots = answer(b"User-agent: *\nCrawl-delay: 0.2\n")
    answers = {"/robots.txt": robots, "/a.png": answer(), "/b.png": answer()}
    _, (host,) = ask(lambda host: host.answers.update(answers), "/a.png", "/b.png")
    assert host.times[3] - host.times[2] > 0.19


def test_connections_are_used_again() -> None:
    paths = [f"/{number}.png" for number in range(20)]
    _, (host,) = ask(lambda host: host.answers.update(dict.fromkeys(paths, answer())), *paths)
    assert host.connections <= 3


def test_a_client_that_is_closed_early_leaves_nothing_behind() -> None:
    async def asked() -> int:
        async with serving("127.0.0.1") as (host,):
            host.answers = {"/robots.txt": _say_nothing}
            async with client() as asker:
                waiting = asyncio.ensure_future(asker.get(host.url()))
                await asyncio.sleep(0.05)
            with pytest.raises(asyncio.CancelledError):
                await waiting
            return len(asyncio.all_tasks())

    assert asyncio.run(asked()) <= 3


def test_a_host_that_does_not_speak_tls_is_told_apart() -> None:
    async def plain(reader: asyncio.StreamReader, writer: Writer) -> None:
        await reader.read(1)
        writer.write(answer(b"this is no TLS", "400 Bad Request"))
        await writer.drain()
        writer.close()

    async def asked() -> Reply:
        server = await asyncio.start_server(plain, "127.0.0.1", 0)
        async with server, client(retries=1) as asker:
            return await asker.get(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/a.png")

    reply = asyncio.run(asked())
    assert (reply.reason, reply.retryable) == ("tls_failed", False)
