"""Our own crawl, against real servers on loopback: which pages it takes, in which order, and that it ends."""

from __future__ import annotations

import gzip
import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from warcio.archiveiterator import ArchiveIterator as WarcioIterator

from waon_build.corpus import Corpus
from waon_build.fetch.client import Client
from waon_build.recipe import Recipe, RecipeError
from waon_build.records import Tally
from waon_build.sources.links import same_site
from waon_build.sources.site import ASKED_PER_PAGE, Crawl

HOSTS = [f"127.0.0.{number}" for number in range(1, 9)]


class Served:
    """What one path gives. write: sends whatever it likes instead."""

    def __init__(
        self,
        body: bytes | str = b"",
        status: int = 200,
        kind: str = "text/html",
        headers: dict[str, str] | None = None,
        write: Callable[[Any], None] | None = None,
    ) -> None:
        self.body = body.encode() if isinstance(body, str) else body
        self.status, self.kind, self.headers, self.write = status, kind, headers or {}, write


GONE = Served(b"no", 404)
NOT_PAGES = ("/robots.txt", "/.well-known/tdmrep.json", "/sitemap.xml")


def linking(*targets: str, more: str = "") -> Served:
    return Served(more + "".join(f'<p><a href="{target}">x</a>' for target in targets))


class Site:
    """A server in a thread. pages: by path; `other` answers what is not there."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.pages: dict[str, Served] = {}
        self.other: Callable[[str], Served] = lambda path: GONE
        self.asked: list[str] = []
        self.delay: Callable[[], float] = lambda: 0
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16

            def do_GET(self) -> None:
                site.asked.append(self.path)
                time.sleep(site.delay())
                served = site.pages.get(self.path) or (GONE if self.path in NOT_PAGES else site.other(self.path))
                try:
                    if served.write:
                        served.write(self.wfile)
                        self.close_connection = True
                        return
                    self.send_response(served.status)
                    self.send_header("Content-Type", served.kind)
                    for name, value in served.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(served.body)))
                    self.end_headers()
                    self.wfile.write(served.body)
                except ConnectionError:
                    pass

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer((address, 0), Handler)
        self.origin = f"http://{address}:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def pages_asked(self) -> list[str]:
        return [path for path in self.asked if path not in NOT_PAGES]


@pytest.fixture
def site() -> Iterator[Site]:
    served = Site()
    yield served
    served.server.shutdown()
    served.server.server_close()


class Crawled:
    """One crawl of one site into a fresh corpus, and what came of it."""

    def __init__(self, folder: Path, *seeds: str, fetch: dict[str, object] | None = None, **limits: object) -> None:
        settings: dict[str, object] = {
            "contact": "us@example.org",
            "per_host_rate": 10_000,
            "per_host_concurrency": 8,
            "timeout_seconds": 5,
            "allow_hosts": HOSTS,
            "retries": 0,
        }
        self.recipe = Recipe.model_validate(
            {
                "name": "test",
                "corpus": str(folder),
                "sources": [{"kind": "site", "seeds": list(seeds), **limits}],
                "fetch": {**settings, **(fetch or {})},
            }
        )
        self.corpus = Corpus(self.recipe.corpus)
        self.stage = Crawl(self.recipe, partial(Client, self.recipe.fetch, backoff=0.01))
        (self.part,) = self.stage.inputs(self.corpus)

    def run(self) -> Crawled:
        self.tally: Tally = self.stage.run(self.corpus, self.part)
        self.rows = self.corpus.read("crawl", self.part.name).to_pylist()
        path = self.corpus.file("crawl", self.part.name, "pages")
        assert path is not None
        self.archive = Path(path)
        return self

    @property
    def taken(self) -> list[str]:
        """Paths of the pages in the WARC, in its order."""
        with self.archive.open("rb") as file:
            targets = [
                record.headers["WARC-Target-URI"]
                for record in ArchiveIterator(file, record_types=WarcRecordType.response)
            ]
        return [target.removeprefix(self.part.source) for target in targets]

    @property
    def reasons(self) -> dict[str, str]:
        """Reason by path asked, of what was dropped."""
        return {row["url"].removeprefix(self.part.source): row["reason"] for row in self.rows if row["reason"]}


def crawl(folder: Path, site: Site, *paths: str, **options: Any) -> Crawled:
    return Crawled(folder, *(site.origin + path for path in paths or ("/",)), **options).run()


# --- order


def test_pages_are_taken_level_by_level_in_document_order(tmp_path: Path, site: Site) -> None:
    site.pages = {
        "/": linking("/b", "/a", "/c"),
        "/a": linking("/a1", "/b"),
        "/b": linking("/b1", "/a1"),
        "/c": linking("/"),
        "/a1": Served("<p>"),
        "/b1": linking("/b2"),
        "/b2": Served("<p>"),
    }
    crawled = crawl(tmp_path, site)
    assert crawled.taken == ["/", "/b", "/a", "/c", "/b1", "/a1", "/b2"]
    assert [row["depth"] for row in crawled.rows] == [0, 1, 1, 1, 2, 2, 3]
    assert crawled.tally.rows.kept == crawled.tally.rows.read == 7
    assert sorted(site.pages_asked) == sorted(crawled.taken)


def test_whoever_answers_first_the_pages_are_the_same_in_the_same_order(tmp_path: Path, site: Site) -> None:
    chance = random.Random(1)
    for number in range(40):
        site.pages[f"/{number}"] = linking(*(f"/{chance.randrange(60)}" for _ in range(6)))
    site.delay = lambda: random.random() * 0.01
    first, second = (crawl(tmp_path / name, site, "/0", max_pages=25) for name in "ab")
    assert first.rows == second.rows
    assert first.taken == second.taken
    assert first.tally.digest == second.tally.digest
    assert len(first.taken) == 25


def test_an_address_is_asked_once_however_it_is_written(tmp_path: Path, site: Site) -> None:
    site.pages = {
        "/": linking("/", "#top", "/?", "/a#x", "/a", "//" + site.origin[7:] + "/a", "./a", " /a "),
        "/a": Served("<p>"),
    }
    assert crawl(tmp_path, site).taken == ["/", "/a"]
    assert site.pages_asked == ["/", "/a"]


def test_a_base_element_and_the_pages_own_charset_are_understood(tmp_path: Path, site: Site) -> None:
    sjis = '<meta charset="Shift_JIS"><base href="/sub/"><a href="日本.html">x</a>'.encode("shift_jis")
    site.pages = {
        "/": Served(sjis),
        "/sub/%E6%97%A5%E6%9C%AC.html": Served("<frameset><frame src='f.html'>"),
        "/sub/f.html": Served("<p>"),
    }
    assert crawl(tmp_path, site).tally.rows.kept == 3


# --- limits


def test_max_pages_counts_pages_taken_and_asks_for_no_more(tmp_path: Path, site: Site) -> None:
    site.pages = {"/": linking("/404a", *(f"/{number}" for number in range(100)))}
    site.pages |= {f"/{number}": Served("<p>") for number in range(100)}
    crawled = crawl(tmp_path, site, max_pages=10)
    assert crawled.taken == ["/", *(f"/{number}" for number in range(9))]
    assert len(site.pages_asked) == 11


def test_max_depth_is_kept(tmp_path: Path, site: Site) -> None:
    site.other = lambda path: linking(f"/{int(path[1:] or 0) + 1}")
    assert crawl(tmp_path, site, max_depth=3).taken == ["/", "/1", "/2", "/3"]
    assert crawl(tmp_path / "b", site, max_depth=0).taken == ["/"]


def test_a_site_without_end_ends(tmp_path: Path, site: Site) -> None:
    """A calendar: every page links to a thousand new ones."""
    site.other = lambda path: linking(*(f"{path.rstrip('/')}{number}" for number in range(1000)))
    crawled = crawl(tmp_path, site, max_pages=30)
    assert crawled.tally.rows.kept == 30
    assert len(site.pages_asked) <= 30


def test_a_site_of_endless_errors_ends(tmp_path: Path, site: Site) -> None:
    site.pages = {"/": linking(*(f"/missing/{number}" for number in range(10_000)))}
    crawled = crawl(tmp_path, site, max_pages=20)
    assert crawled.tally.rows.kept == 1
    assert len(site.pages_asked) <= 20 * ASKED_PER_PAGE


@pytest.mark.parametrize("path", ["/a/b/a/b/a/b/a/b/", "/" + "x/" * 16, "/" + "x" * 2000, "/..//" + "y/" * 20])
def test_an_address_that_leads_nowhere_is_not_followed(path: str) -> None:
    assert same_site(f"http://a.example{path}", "http://a.example") == ""


def test_a_link_relative_to_itself_ends(tmp_path: Path, site: Site) -> None:
    site.other = lambda path: linking("a/b/")
    crawled = crawl(tmp_path, site, max_depth=50)
    assert crawled.tally.rows.kept < 8


# --- what we are asked not to do


def test_what_robots_txt_disallows_is_dropped_and_never_asked(tmp_path: Path, site: Site) -> None:
    site.pages = {
        "/robots.txt": Served("User-agent: *\nDisallow: /private/\n", kind="text/plain"),
        "/": linking("/private/a", "/open"),
        "/open": Served("<p>"),
    }
    crawled = crawl(tmp_path, site)
    assert crawled.taken == ["/", "/open"]
    assert crawled.reasons == {"/private/a": "refused_by_robots_txt"}
    assert dict(crawled.tally.rows.dropped) == {"refused_by_robots_txt": 1}
    assert site.pages_asked == ["/", "/open"]


def test_a_page_whose_header_refuses_is_dropped(tmp_path: Path, site: Site) -> None:
    site.pages = {"/": linking("/a"), "/a": Served("<p>", headers={"X-Robots-Tag": "noai"})}
    assert crawl(tmp_path, site).reasons == {"/a": "refused_by_x_robots_tag"}


def test_links_that_ask_not_to_be_followed_are_not(tmp_path: Path, site: Site) -> None:
    site.pages = {
        "/": Served(
            '<a rel="UGC NoFollow" href="/a">x</a><a rel="noopener" href="/b">x</a><a href="/c">x</a><a href="/d">x</a>'
        ),
        "/b": linking("/b1", more='<meta name="ROBOTS" content="noarchive, NOFOLLOW">'),
        "/c": Served('<a href="/c1">x</a>', headers={"X-Robots-Tag": "nofollow"}),
        "/d": linking("/d1", more='<meta name="googlebot" content="nofollow">'),
        "/d1": Served("<p>"),
    }
    assert crawl(tmp_path, site).taken == ["/", "/b", "/c", "/d", "/d1"]


def test_other_sites_are_left_alone(tmp_path: Path, site: Site) -> None:
    other = Site("127.0.0.2")
    other.other = lambda path: Served("<p>other")
    site.pages = {
        "/": linking(
            other.origin + "/a",
            "/away",
            "https" + site.origin[4:] + "/tls",
            "mailto:a@b",
            "javascript:x()",
            "/back",
            "/b",
        ),
        "/away": Served(status=302, headers={"Location": other.origin + "/"}),
        "/back": Served(status=301, headers={"Location": "/"}),
        "/b": Served("<p>"),
    }
    crawled = crawl(tmp_path, site)
    other.server.shutdown()
    assert crawled.taken == ["/", "/b"]
    assert crawled.reasons == {"/away": "left_the_site", "/back": "page_taken_already"}
    assert other.asked == []


def test_what_is_no_page_is_dropped_or_not_even_asked_for(tmp_path: Path, site: Site) -> None:
    site.pages = {
        "/": linking("/a.png", "/b.PDF?x=1", "/c.json", "/d", "/e.jpg/page", "/f"),
        "/d": Served("{}", kind="application/json"),
        "/e.jpg/page": Served("<p>", kind="application/xhtml+xml; charset=utf-8"),
        "/f": Served("<!DOCTYPE html><p>", kind=""),
    }
    crawled = crawl(tmp_path, site)
    assert crawled.taken == ["/", "/e.jpg/page", "/f"]
    assert crawled.reasons == {"/d": "not_a_page"}
    assert len(site.pages_asked) == 4


# --- sitemaps


def test_sitemaps_of_robots_txt_and_their_indexes_are_read(tmp_path: Path, site: Site) -> None:
    o = site.origin
    site.pages = {
        "/robots.txt": Served(
            f"Sitemap: {o}/index.xml\nSitemap: /plain.txt\nSitemap: http://127.0.0.2:1/s.xml\n", kind="text/plain"
        ),
        "/index.xml": Served(
            f"<?xml version='1.0'?><sitemapindex><sitemap><loc>{o}/one.xml.gz</loc></sitemap>"
            f"<sitemap><loc> {o}/index.xml </loc></sitemap><sitemap><loc>http://127.0.0.2:1/x.xml</loc></sitemap></sitemapindex>",
            headers={"X-Robots-Tag": "noindex"},
        ),
        "/one.xml.gz": Served(
            gzip.compress(
                f"<urlset><url><loc>{o}/a?x=1&amp;y=2</loc><image:loc>{o}/no.png</image:loc></url>"
                f"<url><loc><![CDATA[{o}/b]]></loc></url><url><loc>http://127.0.0.2:1/far</loc></url></urlset>".encode()
            ),
            kind="application/gzip",
        ),
        "/plain.txt": Served(f"{o}/c\n{o}/a?x=1&y=2\nnot an address\n", kind="text/plain"),
        "/sitemap.xml": Served(f"<urlset><url><loc>{o}/d</loc></url></urlset>", kind="application/xml"),
        **{path: Served("<p>") for path in ("/", "/a?x=1&y=2", "/b", "/c", "/d")},
    }
    crawled = crawl(tmp_path, site)
    assert crawled.taken == ["/", "/c", "/a?x=1&y=2", "/d", "/b"]
    assert crawled.tally.units["sitemap"].kept == 4
    without = crawl(tmp_path / "b", site, sitemaps=False)
    assert without.taken == ["/"]


def test_hostile_sitemaps_end(tmp_path: Path, site: Site) -> None:
    """An index of itself without end, and a bomb in gzip: no page is lost by them, and no time."""
    o = site.origin
    bomb = gzip.compress(gzip.compress(b"<urlset>" + b" " * (1 << 26)))

    def other(path: str) -> Served:
        if path.startswith("/index"):
            return Served(
                f"<sitemapindex><loc>{o}/index{path[6:]}0</loc><loc>{o}/index{path[6:]}1</loc></sitemapindex>"
            )
        return Served("<p>")

    site.other = other
    site.pages = {
        "/robots.txt": Served(f"Sitemap: {o}/bomb.xml.gz\nSitemap: {o}/index\n", kind="text/plain"),
        "/bomb.xml.gz": Served(bomb, headers={"Content-Encoding": "gzip"}),
    }
    started = time.monotonic()
    crawled = crawl(tmp_path, site)
    assert crawled.taken == ["/"]
    assert len(site.asked) < 60
    assert time.monotonic() - started < 5


# --- hostile pages


def _ten_gigabytes(file: Any) -> None:
    file.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    for _ in range(10_000):
        file.write(b"x" * 1_000_000)


def _drip(file: Any) -> None:
    file.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        file.write(b"x")
        file.flush()
        time.sleep(0.05)


def test_a_hostile_site_costs_its_bad_pages_and_no_more(tmp_path: Path, site: Site) -> None:
    bomb = gzip.compress(b"\0" * (1 << 20)) * 512
    site.pages = {
        "/": linking("/drip", "/huge", "/bomb", "/loop1", "/rubbish", "/good"),
        "/drip": Served(write=_drip),
        "/huge": Served(write=_ten_gigabytes),
        "/bomb": Served(bomb, headers={"Content-Encoding": "gzip"}),
        "/loop1": Served(status=302, headers={"Location": "/loop2"}),
        "/loop2": Served(status=302, headers={"Location": "/loop1"}),
        "/rubbish": Served(write=lambda file: file.write(b"\0\xff not http \r\n\r\n")),
        "/good": Served("<p>good"),
    }
    started = time.monotonic()
    crawled = crawl(tmp_path, site, fetch={"timeout_seconds": 1})
    assert time.monotonic() - started < 8
    assert crawled.taken == ["/", "/good"]
    assert crawled.reasons == {
        "/drip": "timed_out",
        "/huge": "body_too_large",
        "/bomb": "body_too_large",
        "/loop1": "redirect_loop",
        "/rubbish": "answer_malformed",
    }


@pytest.mark.parametrize(
    "body",
    [
        b"<a href=" * 200_000,
        b"<div>" * 200_000,
        b"<p>" + b"".join(b"<b a%d>" % n for n in range(3000)) + b"</p><p>x" * 3000,
        b"<a " + b"a " * 500_000,
        b'<a "' * 300_000,
        b"<script" * 300_000,
        b"<!--" * 300_000,
        b"<a href=" + b" " * 1_000_000,
        b"<a href='http://[x'><a href='//['><a href='\xff\xfe'><a href='/ok'>",
        b"<meta charset='nonsense'><a href='/ok'>",
        b"<base href='http://[x'><a href='/ok'>",
        b"\0" * 100_000,
        b"",
    ],
)
def test_rubbish_for_a_page_is_a_page(tmp_path: Path, site: Site, body: bytes) -> None:
    """Some of these take a parser that builds a tree minutes and gigabytes."""
    site.pages = {"/": Served(body), "/ok": Served("<p>")}
    started = time.process_time()
    assert crawl(tmp_path, site).taken == (["/", "/ok"] if b"/ok" in body else ["/"])
    assert time.process_time() - started < 3


# --- the archive


def test_the_warc_is_read_by_others_and_holds_what_was_served(tmp_path: Path, site: Site) -> None:
    page = "<!doctype html><title>日本</title>" * 50
    site.pages = {
        "/": Served(
            gzip.compress(page.encode()), headers={"Content-Encoding": "gzip", "X-Odd": "caf\xe9", "ETag": '"1"'}
        )
    }
    crawled = crawl(tmp_path, site)
    with crawled.archive.open("rb") as file:
        records = ArchiveIterator(file, parse_http=False)
        assert next(records).record_type == WarcRecordType.warcinfo
        record = next(records)
        assert record.verify_block_digest()
        record.parse_http()
        assert record.verify_payload_digest()
        assert record.headers["WARC-Target-URI"] == site.origin + "/"
        assert record.http_headers.status_code == 200
        headers = dict(record.http_headers)
        assert headers["X-Crawler-Content-Encoding"] == "gzip"
        assert headers["ETag"] == '"1"'
        assert headers["Content-Length"] == str(len(page.encode()))
        assert "Content-Encoding" not in headers
    with crawled.archive.open("rb") as file:
        bodies = [
            record.content_stream().read()
            for record in WarcioIterator(file, check_digests="raise")
            if record.rec_type == "response"
        ]
    assert bodies == [page.encode()]
    assert gzip.decompress(crawled.archive.read_bytes()).startswith(b"WARC/1.1\r\n")


def test_every_address_asked_is_one_row(tmp_path: Path, site: Site) -> None:
    site.pages = {"/": linking("/a", "/gone"), "/a": Served("<p>four")}
    crawled = crawl(tmp_path, site)
    first, second, third = crawled.rows
    assert first == {
        "url": f"{site.origin}/",
        "final_url": f"{site.origin}/",
        "status": 200,
        "reason": "",
        "retryable": False,
        "depth": 0,
        "bytes": len(site.pages["/"].body),
        "sha256": hashlib.sha256(site.pages["/"].body).hexdigest(),
        "etag": "",
        "last_modified": "",
    }
    assert (second["url"], second["depth"], second["bytes"]) == (f"{site.origin}/a", 1, 7)
    assert (third["status"], third["reason"], third["bytes"], third["sha256"]) == (404, "not_found", 0, "")
    assert crawled.tally.rows.adds_up
    assert crawled.tally.rows.read == 3


# --- parts


def _parts(tmp_path: Path, *sources: dict[str, object], **fetch: object) -> list[tuple[str, str, str]]:
    recipe = Recipe.model_validate(
        {
            "name": "test",
            "corpus": str(tmp_path),
            "sources": [{"kind": "site", **source} for source in sources],
            "fetch": fetch,
        }
    )
    stage = Crawl(recipe, partial(Client, recipe.fetch))
    return [(part.name, part.source, part.fingerprint) for part in stage.inputs(Corpus(str(tmp_path)))]


def test_each_origin_is_one_part_whatever_its_seeds(tmp_path: Path) -> None:
    seeds = ["http://B.example/x", "http://a.example", "http://b.example:80/y", "https://a.example/"]
    parts = _parts(tmp_path, {"seeds": seeds}, {"seeds": ["http://a.example/z"], "max_pages": 7})
    assert [source for _, source, _ in parts] == ["http://b.example", "http://a.example", "https://a.example"]
    assert len({name for name, _, _ in parts}) == 3


def test_limits_make_a_part_anew_and_manners_do_not(tmp_path: Path) -> None:
    seeds = ["http://a.example/"]
    ((_, _, before),) = _parts(tmp_path, {"seeds": seeds}, contact="one@example.org")
    ((_, _, polite),) = _parts(tmp_path, {"seeds": seeds}, contact="two@example.org", per_host_rate=0.1)
    ((_, _, deeper),) = _parts(tmp_path, {"seeds": seeds, "max_depth": 9})
    assert before == polite
    assert before != deeper


@pytest.mark.parametrize(
    "seed", ["example.org", "ftp://a.example/", "http://", "http://user:pw@a.example/", "http://[x/"]
)
def test_a_seed_that_is_no_web_address_is_refused_with_the_way_out(tmp_path: Path, seed: str) -> None:
    with pytest.raises(RecipeError, match=r"sources\.0\.seeds holds .*: give a web address"):
        _parts(tmp_path, {"seeds": [seed]})


def test_a_site_that_is_down_is_asked_again_by_the_next_run(tmp_path: Path, site: Site) -> None:
    site.pages = {"/robots.txt": Served(status=503)}
    crawled = crawl(tmp_path, site)
    assert crawled.reasons == {"/": "robots_unreachable"}
    assert not crawled.corpus.is_current("crawl", crawled.part)
    assert "asks again" in crawled.tally.problems[0]
    site.pages = {"/": Served("<p>")}
    crawled.run()
    assert crawled.taken == ["/"]
    assert crawled.corpus.is_current("crawl", crawled.part)


def test_a_site_that_refuses_us_is_not_asked_again(tmp_path: Path, site: Site) -> None:
    site.pages = {"/robots.txt": Served("User-agent: *\nDisallow: /\n", kind="text/plain")}
    crawled = crawl(tmp_path, site)
    assert crawled.taken == []
    assert crawled.corpus.is_current("crawl", crawled.part)


# --- real sites


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16

    def log_message(self, *_: object) -> None:
        pass


def _whole(tmp_path: Path, folder: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    crawled = Crawled(tmp_path, f"http://127.0.0.1:{server.server_port}/").run()
    server.shutdown()
    server.server_close()
    taken = {unquote(path.lstrip("/").partition("?")[0]) for path in crawled.taken}
    taken = {f"{path}index.html" if path == "" or path.endswith("/") else path for path in taken}
    files = {str(path.relative_to(folder)) for path in folder.rglob("*.html")}
    assert taken == files
    assert set(crawled.tally.rows.dropped) <= {"not_found"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["haskell-jp-blog", "pyconjp-2018", "railsguides-jp", "rpi-boat-race", "rpi-cats", "rpi-chatbot",
     "rpi-getting-started-with-picamera", "text-baldanders-info"],
)  # fmt: skip
def test_every_page_of_a_real_site_is_found_from_its_front_page(shared_data: Path, tmp_path: Path, name: str) -> None:
    _whole(tmp_path, shared_data / "sites" / name)


def test_every_page_of_a_made_site_is_found_from_its_front_page(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    names = [f"{part}/{name}.html" for part in ("ja", "en/深い") for name in ("index", "写真", "a b")]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(
            f"<a href='{Path(name).name}'>x</a><a href='写真.html'>y</a><a href='a b.html'>z</a>", encoding="utf-8"
        )
    (folder / "index.html").write_text("".join(f"<a href='{name}'>x</a>" for name in names[::3]), encoding="utf-8")
    _whole(tmp_path / "corpus", folder)


def test_a_sitemap_cut_off_or_broken_gives_what_it_holds() -> None:
    from waon_build.sources.sitemap import read_sitemap

    assert read_sitemap(b"<urlset><url><loc>http://a/1</loc></url><url><loc>http://a/2").pages == [
        "http://a/1",
        "http://a/2",
    ]
    assert read_sitemap(gzip.compress(b"<urlset><loc>http://a/1</loc>" + b" " * 5000)[:-10]).pages == ["http://a/1"]
    assert read_sitemap(b"\x1f\x8brubbish") == ([], [])
    assert read_sitemap(BytesIO(b"").read()) == ([], [])
