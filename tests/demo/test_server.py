"""The server: real HTTP on loopback, that counts, stalls where it should, and ends at once."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from waon_build import recipe as recipes
from waon_build.demo.server import HOST, Served, serve
from waon_build.records import InputError


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serve(0) as site:
        yield site


def get(url: str, path: str, timeout: float = 10) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, dict(response.headers), response.read()
    finally:
        connection.close()


def test_pages_and_pictures_are_served_with_their_headers(served: Served) -> None:
    status, headers, body = get(served.url, "/ikimono/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=Shift_JIS")
    assert body == served.site.answers["/ikimono/"][0].body
    status, headers, body = get(served.url, "/img/noai/wagasa.jpg")
    assert (status, headers["X-Robots-Tag"]) == (200, "max-image-preview:large, noai")
    assert body.startswith(b"\xff\xd8\xff")


def test_the_sites_own_addresses_follow_the_port_it_got(served: Served) -> None:
    assert f"Sitemap: {served.url}/sitemap.xml".encode() in get(served.url, "/robots.txt")[2]
    assert f"{served.site.slow_url}/img/slow/castle.jpg".encode() in get(served.url, "/soko/")[2]
    assert served.url != served.site.slow_url


def test_requests_are_counted_and_an_unwelcome_one_is_noticed(served: Served) -> None:
    assert served.asked_against_its_will == []
    get(served.url, "/style.css")
    get(served.url, "/style.css")
    assert served.requests["/style.css"] == 2
    get(served.url, "/himitsu/")
    get(served.url, "/img/reserved/bonsai.jpg")
    assert served.asked_against_its_will == ["/himitsu/", "/img/reserved/bonsai.jpg"]


def test_a_busy_picture_is_refused_once_and_given_the_next_time(served: Served) -> None:
    status, headers, _ = get(served.url, "/img/busy/wind_bell.jpg")
    assert (status, headers["Retry-After"]) == (503, "1")
    assert [get(served.url, "/img/busy/wind_bell.jpg")[0] for _ in range(2)] == [200, 200]


def test_what_is_not_on_the_site_is_404(served: Served) -> None:
    assert get(served.url, "/nowhere")[0] == 404


def test_several_requests_go_over_one_connection(served: Served) -> None:
    connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=10)
    for path in ("/", "/img/empty/dango.jpg", "/gyoji/", "/kyu/"):
        connection.request("GET", path)
        assert connection.getresponse().read() == served.site.answers[path][0].body
    connection.close()


def test_the_slow_host_gives_its_rules_at_once_and_its_pictures_never_in_time(served: Served) -> None:
    assert get(served.site.slow_url, "/robots.txt")[0] == 200
    with pytest.raises(TimeoutError):
        get(served.site.slow_url, "/img/slow/castle.jpg", timeout=0.3)


def test_the_server_ends_at_once_though_an_answer_is_still_due() -> None:
    with serve(0) as site:
        netloc = urlsplit(site.site.slow_url).netloc
        connection = http.client.HTTPConnection(netloc, timeout=10)
        connection.request("GET", "/img/slow/tram.jpg")
        started = time.monotonic()
    assert time.monotonic() - started < 5
    connection.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((HOST, urlsplit(site.url).port or 0), timeout=1)


def test_a_port_that_is_taken_is_one_line_with_a_way_out() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError) as caught, serve(port):
            pass
    message = str(caught.value)
    assert str(port) in message
    assert "waon-build demo --port" in message
    assert "\n" not in message


@pytest.mark.parametrize("port", [-1, 70_000])
def test_a_port_that_is_none_is_one_line_too(port: int) -> None:
    with pytest.raises(InputError, match=r"^port .* try `waon-build demo"), serve(port):
        pass


def test_the_recipe_it_writes_is_the_demo_recipe_for_this_address(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "a folder: with 「spaces」" / "recipe.yaml"
    served.write_recipe(path, path.parent)
    written = recipes.load(path)
    ready = recipes.load(Path(__file__).parents[2] / "recipes" / "demo.yaml")
    assert written.corpus == str(path.parent)
    assert written.sources[0].seeds == [f"{served.url}/"]  # type: ignore[union-attr]
    assert written.model_dump(exclude={"corpus", "sources"}) == ready.model_dump(exclude={"corpus", "sources"})
    assert path.read_text(encoding="utf-8").startswith("# The demo"), "its comments are kept"
    assert yaml.safe_load(path.read_text(encoding="utf-8"))
