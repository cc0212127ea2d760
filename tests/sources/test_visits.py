"""A site visited again: only what is new or has changed is taken, and what was taken before stays as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from waon_build.corpus import Corpus
from waon_build.fetch.client import Client
from waon_build.recipe import Recipe
from waon_build.records import InputError
from waon_build.sources.site import Crawl
from waon_build.sources.stage import Extract


@dataclass
class Site:
    """Pages by path, on loopback. validators: whether the server tells and heeds ETags. asked: method-less log of
    (path, status)."""

    pages: dict[str, str] = field(default_factory=dict)
    validators: bool = False
    status: dict[str, int] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    origin: str = ""

    def answered(self) -> list[tuple[str, int]]:
        """Pages asked since the last call, with what they were answered."""
        found = [(path, status) for path, status in self.asked if not path.endswith((".txt", ".json", ".xml"))]
        self.asked.clear()
        return found


@contextmanager
def served(site: Site) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = site.pages.get(self.path, "").encode()
            status = site.status.get(self.path, 200 if self.path in site.pages else 404)
            etag = f'"{hashlib.sha256(body).hexdigest()[:8]}"'
            if site.validators and status == 200 and self.headers["If-None-Match"] == etag:
                status = 304
            site.asked.append((self.path, status))
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if self.path.endswith(".txt") else "text/html; charset=utf-8")
            for name, value in site.headers.get(self.path, {}).items():
                self.send_header(name, value)
            if site.validators and status != 304:  # some servers tell it once
                self.send_header("ETag", etag)
            body = body if status == 200 else b""
            if status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    site.origin = f"http://127.0.0.1:{server.server_port}"
    yield site
    server.shutdown()
    server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    with served(Site()) as site:
        yield site


def linking(*targets: str, text: str = "") -> str:
    return text + "".join(f'<p><a href="{target}">x</a>' for target in targets)


def recipe(folder: Path, site: Site, **source: object) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "t",
            "corpus": str(folder),
            "sources": [{"kind": "site", "seeds": [f"{site.origin}/"], "recrawl_after_days": 0, **source}],
            "fetch": {
                "contact": "us@example.org",
                "per_host_rate": 10_000,
                "per_host_concurrency": 4,
                "allow_hosts": ["127.0.0.1"],
                "retries": 0,
            },
        }
    )


def visit(folder: Path, site: Site, **source: object) -> dict[str, list[str]]:
    """Make the visits that are pending; the paths taken by each part that was made."""
    given = recipe(folder, site, **source)
    corpus, stage = Corpus(given.corpus), Crawl(given, partial(Client, given.fetch, backoff=0.01))
    made = corpus.pending("crawl", stage.inputs(corpus))
    for part in made:
        stage.run(corpus, part)
    return {part.name: taken(corpus, part.name) for part in made}


def taken(corpus: Corpus, part: str) -> list[str]:
    return ["/" + row["url"].split("/", 3)[3] for row in corpus.read("crawl", part).to_pylist() if not row["reason"]]


def reasons(folder: Path) -> dict[str, dict[str, int]]:
    """Drops of each visit."""
    return {tally.part: dict(tally.rows.dropped) for tally in Corpus(str(folder)).tallies("crawl")}


@pytest.mark.parametrize("validators", [True, False])
def test_a_later_visit_takes_new_and_changed_pages_as_a_part_of_its_own(
    tmp_path: Path, site: Site, validators: bool
) -> None:
    site.validators = validators
    site.pages = {"/": linking("/a", "/b"), "/a": linking("/a1"), "/a1": "<p>deep", "/b": "<p>old"}
    [(first, pages)] = visit(tmp_path, site).items()
    assert pages == ["/", "/a", "/b", "/a1"]
    before = Corpus(str(tmp_path)).tally("crawl", first)
    site.pages |= {"/b": linking("/new", text="changed"), "/new": "<p>new"}
    site.answered()
    [(second, pages)] = visit(tmp_path, site).items()
    assert (second, pages) == (f"{first}-0002", ["/b", "/new"])
    assert Corpus(str(tmp_path)).tally("crawl", first) == before
    assert reasons(tmp_path)[second] == {"page_unchanged": 3}
    unchanged = 304 if validators else 200
    assert sorted(site.answered()) == [
        ("/", unchanged),
        ("/a", unchanged),
        ("/a1", unchanged),
        ("/b", 200),
        ("/new", 200),
    ]
    visit(tmp_path, site)
    assert sorted(site.answered()) == [(path, unchanged) for path in ("/", "/a", "/a1", "/b", "/new")]


def test_what_a_visit_took_is_known_to_all_that_follow(tmp_path: Path, site: Site) -> None:
    site.pages = {"/": linking("/a"), "/a": "<p>1"}
    visit(tmp_path, site)
    for turn in range(2, 5):
        site.pages["/a"] = f"<p>{turn}"
        [(name, pages)] = visit(tmp_path, site).items()
        assert (name[-5:], pages) == (f"-{turn:04d}", ["/a"])


def test_a_page_that_an_unchanged_page_of_the_first_visit_led_to_is_asked_again(tmp_path: Path, site: Site) -> None:
    """It failed for a passing cause, and nobody links to it anew."""
    site.pages = {"/": linking("/a"), "/a": "<p>a"}
    site.status = {"/a": 503}
    visit(tmp_path, site)
    site.status.clear()
    assert list(visit(tmp_path, site).values()) == [["/a"]]


def test_a_visit_that_brings_nothing_leaves_no_part_to_extract_and_is_made_again_under_its_name(
    tmp_path: Path, site: Site
) -> None:
    site.pages = {"/": linking("/a"), "/a": "<p>a"}
    visit(tmp_path, site)
    names = [*visit(tmp_path, site), *visit(tmp_path, site)]
    assert names[0] == names[1]
    corpus = Corpus(str(tmp_path))
    assert len(corpus.parts("crawl")) == 2
    assert len(Extract(recipe(tmp_path, site)).inputs(corpus)) == 1
    site.pages["/a"] = "<p>news"
    assert visit(tmp_path, site) == {names[0]: ["/a"]}
    assert len(Extract(recipe(tmp_path, site)).inputs(corpus)) == 2


def test_a_site_is_not_visited_again_before_its_pause_is_over(tmp_path: Path, site: Site) -> None:
    site.pages = {"/": "<p>x"}
    visit(tmp_path, site, recrawl_after_days=7)
    for days in (7, None):
        assert visit(tmp_path, site, recrawl_after_days=days) == {}
    assert len(site.answered()) == 1


def test_changed_limits_visit_a_site_at_once_and_keep_what_was_taken(tmp_path: Path, site: Site) -> None:
    """Also where every page says that it has not changed: what its links led to was beyond the limits before."""
    site.validators = True
    site.pages = {"/": linking("/a"), "/a": linking("/b"), "/b": "<p>b"}
    [(first, _)] = visit(tmp_path, site, recrawl_after_days=None, max_depth=1).items()
    made = visit(tmp_path, site, recrawl_after_days=None, max_depth=2)
    assert made == {f"{first}-0002": ["/b"]}
    assert taken(Corpus(str(tmp_path)), first) == ["/", "/a"]
    assert visit(tmp_path, site, recrawl_after_days=None, max_depth=2) == {}


def test_a_page_that_refused_is_never_asked_again(tmp_path: Path, site: Site) -> None:
    site.pages = {"/": linking("/no"), "/no": "<p>no"}
    site.headers = {"/no": {"X-Robots-Tag": "noai"}}
    visit(tmp_path, site)
    site.pages["/"] = linking("/no", text="changed")
    site.headers.clear()
    site.answered()
    visit(tmp_path, site)
    assert site.answered() == [("/", 200)]


def test_a_page_that_has_not_changed_and_refuses_by_now_is_heard(tmp_path: Path, site: Site) -> None:
    """The header comes with 304 too."""
    site.validators = True
    site.pages = {"/": linking("/no"), "/no": "<p>no"}
    visit(tmp_path, site)
    site.headers = {"/no": {"X-Robots-Tag": "noai"}}
    [second] = visit(tmp_path, site)
    assert reasons(tmp_path)[second] == {"page_unchanged": 1, "refused_by_x_robots_tag": 1}
    site.answered()
    visit(tmp_path, site)
    assert site.answered() == [("/", 304)]


def test_visits_of_a_site_larger_than_one_go_on_until_all_of_it_is_taken(tmp_path: Path, site: Site) -> None:
    site.validators = True
    site.pages = {f"/{n}": linking(f"/{n + 1}") for n in range(1, 40)} | {"/": linking("/1"), "/40": "<p>end"}
    found: list[str] = []
    for _ in range(45):
        made = visit(tmp_path, site, max_pages=3, max_depth=50)
        new = [path for pages in made.values() for path in pages]
        assert len(new) <= 3
        found += new
    assert sorted(found) == sorted(site.pages)


def test_a_visit_that_finds_the_site_down_is_made_again_and_takes_nothing_from_the_corpus(
    tmp_path: Path, site: Site
) -> None:
    site.pages = {"/": "<p>x"}
    [first] = visit(tmp_path, site)
    site.status = {"/robots.txt": 503}
    site.pages["/"] = "<p>y"
    given = {"recrawl_after_days": 7}
    assert visit(tmp_path, site) == {f"{first}-0002": []}
    site.status.clear()
    assert visit(tmp_path, site, **given) == {f"{first}-0002": ["/"]}
    assert visit(tmp_path, site, **given) == {}
    assert taken(Corpus(str(tmp_path)), first) == ["/"]


def test_a_part_of_an_archive_that_was_damaged_is_one_line(tmp_path: Path, site: Site) -> None:
    site.pages = {"/": "<p>x"}
    [first] = visit(tmp_path, site)
    corpus = Corpus(str(tmp_path))
    path = corpus.file("crawl", first, "pages")
    assert path is not None
    corpus.fs.pipe_file(path, b"rubbish")
    with pytest.raises(InputError, match=r"not the beginning of an archive of pages: delete .*tally\.json"):
        visit(tmp_path, site)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2), min_size=1), min_size=2, max_size=4))
def test_however_a_site_changes_each_version_of_a_page_that_was_met_is_taken_once(
    tmp_path_factory: pytest.TempPathFactory, states: list[dict[str, int]]
) -> None:
    """Each state of the site is served during one visit. The newest version of every page is in the corpus, and no
    version stands there twice in a row."""
    folder = tmp_path_factory.mktemp("corpus")
    with served(Site(validators=True)) as site:
        versions: dict[str, list[str]] = {}
        for state in states:
            site.pages = {f"/{name}": f"<p>{name} {version}" for name, version in state.items()}
            site.pages["/"] = linking(*sorted(site.pages))
            expected = [path for path, body in site.pages.items() if (versions.get(path) or [""])[-1] != body]
            made = visit(folder, site)
            assert sorted(path for pages in made.values() for path in pages) == sorted(expected)
            for path in expected:
                versions.setdefault(path, []).append(site.pages[path])
