"""What stands before every handler: strangers, forged requests, floods, and what every answer says to the browser."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

import httpx
import pytest

from waon_build.annotation.models import Role
from waon_build.annotation.web import campaign
from waon_build.annotation.web.limits import Rate
from waon_build.annotation.web.site import Site
from waon_build.annotation.web.texts import catalogue
from waon_build.records import InputError

ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; img-src 'self' blob:; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'; "
    "worker-src 'self'",
}


def refused(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]


def test_every_answer_tells_the_browser_what_it_may_not_do(office: Any) -> None:
    hanako, nobody = office.person(), office.browser()
    answers = [
        *(
            hanako.get(path)
            for path in ("/", "/judge", "/guideline", "/me", "/api/recent", "/static/judge.js", "/none")
        ),
        hanako.get(hanako.call("claim").json()["tasks"][0]["picture"]),
        hanako.call("claim", "no"),
        *(nobody.get(path) for path in ("/", "/judge", "/api/recent", "/invite/0", "/pictures/7", "/coordinator")),
        nobody.get("/", headers={"Host": "evil.example"}),
        nobody.post("/api/claim", content=b"x" * 70_000),
    ]
    for answer in answers:
        for name, value in ALWAYS.items():
            assert answer.headers[name] == value, (answer.request.url, name)
        assert "server" not in answer.headers


def test_pages_and_answers_are_not_kept_by_browsers(office: Any) -> None:
    hanako = office.person()
    for path in ("/judge", "/me", "/guideline", "/api/recent"):
        assert hanako.get(path).headers["cache-control"] == "no-store"
    assert hanako.call("claim").headers["cache-control"] == "no-store"
    assert hanako.get("/static/judge.js").headers["cache-control"] == "no-cache"


def test_a_file_that_did_not_change_is_not_sent_again(office: Any) -> None:
    browser = office.browser()
    first = browser.get("/static/style.css")
    again = browser.get("/static/style.css", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


@pytest.mark.parametrize("path", ["../app.py", "%2e%2e/app.py", "..%2fapp.py", "", "none.js", "/etc/passwd"])
def test_only_the_files_of_the_pages_are_served(office: Any, path: str) -> None:
    assert office.browser().get(f"/static/{path}").status_code == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8700", "127.0.0.1.evil.example", "", "localhost@evil.example"]
)
def test_a_name_of_somebody_elses_is_refused(office: Any, host: str) -> None:
    """A name that resolves to this machine would make its pages ours, in the eyes of a browser."""
    hanako = office.person()
    assert hanako.get("/judge", headers={"Host": host}).status_code == 421
    reply = hanako.post("/api/claim", json={}, headers={"Host": host, "X-CSRF-Token": hanako.csrf})
    assert refused(reply) == (421, "wrong_host")


@pytest.mark.parametrize("host", ["localhost:1234", "LOCALHOST", "127.0.0.1", "[::1]:8700", "localhost."])
def test_names_of_this_machine_are_ours(office: Any, host: str) -> None:
    assert office.browser().get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_page_elsewhere_can_change_nothing_here(office: Any, headers: dict[str, str]) -> None:
    """Not even with the right cookie and the right token."""
    hanako = office.person()
    assert refused(hanako.call("claim", **headers)) == (403, "csrf")
    fields = {"csrf_token": hanako.csrf, "action": "sign_out"}
    assert hanako.post("/me", data=fields, headers=headers).status_code == 403
    assert hanako.call("claim").status_code == 200


def test_a_page_of_ours_can(office: Any) -> None:
    hanako = office.person()
    assert hanako.call("claim", Origin=office.url).status_code == 200
    assert hanako.call("claim", **{"Origin": "null", "Sec-Fetch-Site": "same-origin"}).status_code == 200


@pytest.mark.parametrize("token", ["", "0" * 64, "門松".encode().decode("latin-1")])
def test_a_request_without_the_token_of_the_page_is_refused(office: Any, token: str) -> None:
    hanako = office.person()
    reply = hanako.post("/api/claim", json={}, headers={"X-CSRF-Token": token.encode("latin-1")})  # type: ignore[dict-item]
    assert refused(reply) == (403, "csrf")
    assert hanako.post("/me", data={"csrf_token": token, "action": "forget"}).status_code == 403


def test_a_token_is_of_no_use_in_another_session(office: Any) -> None:
    hanako, taro = office.person(), office.person()
    assert hanako.csrf != taro.csrf
    assert refused(taro.call("claim", **{"X-CSRF-Token": hanako.csrf})) == (403, "csrf")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_only_json_is_read_as_json(office: Any, kind: str) -> None:
    """The other kinds are those that a form elsewhere can send."""
    hanako = office.person()
    headers = {"X-CSRF-Token": hanako.csrf, "Content-Type": kind}
    assert refused(hanako.post("/api/claim", content=b"{}", headers=headers)) == (415, "wrong_content_type")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"a": 1}', b'{"x": "\\ud800"}', b"\xff\xfe", b"[" * 60_000]
)
def test_what_is_no_request_is_refused(office: Any, body: bytes) -> None:
    hanako = office.person()
    headers = {"X-CSRF-Token": hanako.csrf, "Content-Type": "application/json"}
    assert refused(hanako.post("/api/claim", content=body, headers=headers)) == (422, "wrong_request")


def test_what_is_too_large_is_not_read(office: Any) -> None:
    hanako = office.person()
    assert refused(hanako.call("claim", {"x": "x" * 70_000})) == (413, "too_large")
    assert hanako.fill_in("/me", action="x" * 70_000).status_code == 413


def test_what_is_too_large_is_not_read_when_its_length_is_not_told(office: Any) -> None:
    hanako = office.person()
    headers = {"X-CSRF-Token": hanako.csrf, "Content-Type": "application/json"}
    chunks = iter([b" " * 8192] * 10_000)
    with suppress(httpx.TransportError):  # the connection is cut, and the reply may be lost with it
        assert refused(hanako.post("/api/claim", content=chunks, headers=headers)) == (413, "too_large")
    assert next(chunks, None) is not None
    assert hanako.call("claim").status_code == 200


def test_a_length_that_is_none_is_refused(office: Any) -> None:
    host, port = office.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"POST /api/claim HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n")
        assert b" 400 " in connection.recv(200) or connection.recv(200) == b""


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks more often than a few times has to wait, however slow the machine is."""
    monkeypatch.setattr(campaign, "PER_SESSION", Rate(burst=12, per_second=0.01))
    monkeypatch.setattr(campaign, "PER_ADDRESS", Rate(burst=20, per_second=0.01))


@pytest.mark.usefixtures("slow")
def test_who_asks_without_end_is_told_to_wait(served: Any, queued: Any) -> None:
    queued(range(3))
    office = served()
    hanako = office.person()
    replies = [hanako.get("/api/recent") for _ in range(20)]
    assert {reply.status_code for reply in replies[:10]} == {200}
    assert {refused(reply) for reply in replies[-5:]} == {(429, "too_many_requests")}
    assert all(int(reply.headers["retry-after"]) >= 1 for reply in replies[-5:])
    assert office.person().call("claim").status_code == 200  # others notice nothing


@pytest.mark.usefixtures("slow")
def test_links_cannot_be_tried_out_without_end(served: Any) -> None:
    office = served()
    hanako = office.person()
    browser = office.browser()
    codes = [browser.get(f"/invite/{number:064x}").status_code for number in range(25)]
    assert (codes[0], codes[-1]) == (410, 429)
    made_up = office.browser(Cookie=f"waon_session={'0' * 64}")
    assert made_up.get("/api/recent").status_code == 429
    assert hanako.call("claim").status_code == 200  # who is signed in at the same address goes on


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/none", 404),
        ("GET", "/api/none", 404),
        ("PUT", "/judge", 405),
        ("GET", "/api/claim", 405),
        ("POST", "/api/recent", 405),
    ],
)
def test_what_is_not_there_is_told_in_our_words(office: Any, method: str, path: str, code: int) -> None:
    reply = office.browser().request(method, path)
    assert reply.status_code == code
    if path.startswith("/api/"):
        assert reply.json()["error"] == {404: "not_found", 405: "method_not_allowed"}[code]
        assert code != 405 or reply.headers["allow"]
    else:
        assert "<h1>" in reply.text


def test_a_mistake_of_ours_shows_nothing_of_its_inside(
    office: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("the password is hunter2")

    hanako = office.person()
    monkeypatch.setattr("waon_build.annotation.queue.claim", broken)
    reply = hanako.call("claim")
    assert refused(reply) == (500, "server_error")
    monkeypatch.setattr("waon_build.annotation.people.declared", broken)
    page = hanako.get("/me")
    assert page.status_code == 500
    for answer in (reply, page):
        assert "hunter2" not in answer.text
        assert "Traceback" not in answer.text
    assert "hunter2" in caplog.text


def test_messages_are_in_the_language_of_the_page(office: Any) -> None:
    ja, en = (catalogue(language)("error.signed_out") for language in ("ja", "en"))
    assert ja != en
    browser = office.browser()
    for wish, message in (("ja,en;q=0.5", ja), ("en-GB,ja", en), ("de", ja), ("", ja)):
        reply = browser.get("/api/recent", headers={"Accept-Language": wish})
        assert reply.json() == {"error": "signed_out", "message": message}


def test_the_description_of_the_api_is_for_coordinators(office: Any) -> None:
    assert office.browser().get("/api/openapi.json").status_code == 401
    assert refused(office.person().get("/api/openapi.json")) == (403, "forbidden")
    found = office.person(Role.COORDINATOR).get("/api/openapi.json").json()
    assert set(found["paths"]) == {
        f"/api/{name}"
        for name in ("claim", "submit", "skip", "report", "renew", "release", "undo", "correct", "recent")
    }
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert office.browser().get(path).status_code == 404


# --- behind https


def test_behind_https_cookies_are_for_this_host_alone(served: Any) -> None:
    office = served(public_url="https://annotate.example.org")
    _, token = office.invite()
    browser = office.browser(Host="annotate.example.org", Origin="https://annotate.example.org")
    page = browser.get(f"/invite/{token}")
    visitor = page.headers["set-cookie"]
    assert visitor.startswith("__Host-waon_visitor=")
    for word in ("HttpOnly", "SameSite=lax", "Path=/", "Secure"):
        assert word in visitor
    assert "Domain" not in visitor
    assert page.headers["strict-transport-security"]


@pytest.mark.usefixtures("slow")
def test_behind_a_proxy_the_address_is_the_one_it_tells(served: Any) -> None:
    office = served(public_url="https://annotate.example.org")
    flood = office.browser(**{"X-Forwarded-For": "192.0.2.1"})
    codes = [flood.get(f"/invite/{number:064x}").status_code for number in range(25)]
    assert codes[-1] == 429
    assert office.browser(**{"X-Forwarded-For": "192.0.2.2"}).get("/invite/0").status_code == 410


@pytest.mark.usefixtures("slow")
def test_without_a_proxy_nobody_can_pretend_another_address(served: Any) -> None:
    office = served()
    codes = [
        office.browser(**{"X-Forwarded-For": f"192.0.2.{number}"}).get("/invite/0").status_code for number in range(25)
    ]
    assert codes[-1] == 429


@pytest.mark.parametrize(
    "url", ["annotate.example.org", "ftp://example.org", "https://", "https://a.example/path", "https://a:b"]
)
def test_a_public_address_is_scheme_and_host(url: str) -> None:
    with pytest.raises(InputError, match="--public-url"):
        Site(public_url=url)
