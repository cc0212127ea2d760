"""The refresh on a site that changes its mind: what refuses leaves the queue, what is gone is told, nothing is rash."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from rich.console import Console

from waon_build import pipeline, recipe
from waon_build.audit import terminal
from waon_build.corpus import Corpus
from waon_build.recipe import Recipe
from waon_build.records import Tally
from waon_build.rights.tombstones import Tombstones

CAPTIONS = ["縁側で眠る猫の写真です", "祭りの夜の提灯の写真です", "雪の日の五重塔の写真です"]
UP_TO_DEDUP = tuple(name for name in pipeline.STAGES if name != "route")


@dataclass
class Answer:
    """What one path gives. head: the status of a HEAD request, when it is another. seconds: it takes."""

    body: bytes = b""
    status: int = 200
    kind: str = "text/html; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    head: int = 0
    seconds: float = 0.0


@dataclass
class Host:
    """A server on an address of its own. asked: (method, path), in order."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    sent: int = 0
    origin: str = ""
    port: int = 0

    def asked_for(self, path: str) -> list[str]:
        """Methods of the requests for one path."""
        return [method for method, asked in self.asked if asked == path]


@contextmanager
def served(address: str) -> Iterator[Host]:
    host = Host()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            host.asked.append((self.command, self.path))
            answer = host.answers.get(self.path, Answer(b"no", 404))
            time.sleep(answer.seconds)
            with suppress(ConnectionError):
                self.send_response(answer.head if answer.head and self.command == "HEAD" else answer.status)
                self.send_header("Content-Type", answer.kind)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(answer.body)

        do_HEAD = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((address, 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    host.port = server.server_port
    host.origin = f"http://{address}:{host.port}"
    yield host
    server.shutdown()
    server.server_close()


def picture(seed: int) -> Answer:
    out = BytesIO()
    noise = np.random.default_rng(seed).integers(0, 255, (9, 9, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((240, 200), Image.Resampling.BICUBIC).save(out, "PNG")
    return Answer(out.getvalue(), kind="image/png")


class World:
    """A site whose page shows three pictures of another host, and a corpus of it up to dedup."""

    def __init__(self, folder: Path, site: Host, pictures: Host) -> None:
        self.site, self.pictures = site, pictures
        self.path = folder / "recipe.yaml"
        shown = "".join(
            f'<p><img src="{pictures.origin}/{number}.png" alt="{caption}">' for number, caption in enumerate(CAPTIONS)
        )
        self.page = f'<html lang="ja"><title>写真の頁</title>{shown}'
        site.answers["/"] = Answer(self.page.encode())
        pictures.answers |= {f"/{number}.png": picture(number) for number in range(len(CAPTIONS))}
        self.settings: dict[str, Any] = {
            "name": "t",
            "corpus": str(folder / "corpus"),
            "sources": [{"kind": "site", "seeds": [f"{site.origin}/"], "recrawl_after_days": None}],
            "fetch": {
                "contact": "us@example.org",
                "allow_hosts": ["127.0.0.1", "127.0.0.2"],
                "per_host_rate": 10_000,
                "per_host_concurrency": 4,
                "timeout_seconds": 5,
                "retries": 0,
                "retry_after_hours": 0,
            },
            "refresh": {"after_days": 0},
        }

    def recipe(self, **sections: dict[str, Any]) -> Recipe:
        given = {name: {**self.settings.get(name, {}), **settings} for name, settings in sections.items()}
        self.path.write_text(yaml.safe_dump({**self.settings, **given}))
        return recipe.load(self.path)

    @property
    def corpus(self) -> Corpus:
        return pipeline.open_corpus(self.recipe())

    def run(self, *names: str, **sections: dict[str, Any]) -> int:
        """Run stages by name; how many parts were made."""
        loaded, made = self.recipe(**sections), 0
        for stage in pipeline.stages(loaded):
            if stage.name in names:
                for part in pipeline.begin(stage, self.corpus)[0]:
                    stage.run(self.corpus, part)
                    made += 1
        return made

    def recheck(self, **sections: dict[str, Any]) -> Tally:
        """Ask again; the one part's tally."""
        self.site.asked.clear()
        self.pictures.asked.clear()
        self.run("recheck", **sections)
        (tally,) = self.corpus.tallies("recheck")
        return tally

    @property
    def stones(self) -> list[tuple[str, str]]:
        """(address, why) of the tombstones."""
        return [(stone.value, stone.why) for stone in Tombstones.load(self.corpus).stones]

    def kept(self) -> int:
        self.run("dedup")
        tally = self.corpus.tally("dedup", "clusters")
        assert tally is not None
        return tally.rows.kept


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        world = World(tmp_path, *(stack.enter_context(served(address)) for address in ("127.0.0.1", "127.0.0.2")))
        world.run(*UP_TO_DEDUP)
        assert world.kept() == 3
        yield world


def test_a_link_that_is_there_costs_one_head_request_and_no_body(world: World) -> None:
    tally = world.recheck()
    assert tally.rows.to_json() == {"read": 3, "kept": 3, "dropped": {}}
    assert tally.units["page"].to_json() == {"read": 1, "kept": 1, "dropped": {}}
    assert [world.pictures.asked_for(f"/{number}.png") for number in range(3)] == [["HEAD"]] * 3
    assert world.site.asked_for("/") == ["GET"]
    assert world.stones == []


def test_without_pages_no_page_is_asked(world: World) -> None:
    tally = world.recheck(refresh={"pages": False})
    assert (tally.rows.read, tally.units) == (3, {})
    assert world.site.asked == []


def robots_txt(world: World) -> None:
    world.pictures.answers["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /0", kind="text/plain")


def x_robots_tag(world: World) -> None:
    world.pictures.answers["/0.png"].headers["X-Robots-Tag"] = "max-snippet:50, noimageai"


def tdmrep(world: World) -> None:
    rules = b'[{"location": "/0.png", "tdm-reservation": 1}]'
    world.pictures.answers["/.well-known/tdmrep.json"] = Answer(rules, kind="application/json")


def content_usage(world: World) -> None:
    world.pictures.answers["/0.png"].headers["Content-Usage"] = "train-ai=n"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (robots_txt, "refused_by_robots_txt"),
        (x_robots_tag, "refused_by_x_robots_tag"),
        (tdmrep, "refused_by_tdmrep"),
        (content_usage, "refused_by_content_usage"),
    ],
)
def test_a_picture_that_is_refused_by_now_gets_a_tombstone_with_the_evidence(
    world: World, change: Callable[[World], None], reason: str
) -> None:
    change(world)
    assert world.recheck().rows.to_json() == {"read": 3, "kept": 2, "dropped": {reason: 1}}
    [(address, why)] = world.stones
    assert address == f"{world.pictures.origin}/0.png"
    assert why.startswith(f"refresh: {reason}: ")
    assert world.kept() == 2
    again = world.recheck()
    assert again.rows.dropped == {reason: 1}, "it stays told"
    assert world.pictures.asked_for("/0.png") == [], "and is never asked again"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"body": b'<html lang="ja"><meta name="robots" content="noai">'}, "page_refuses"),
        ({"body": b'<meta name="tdm-reservation" content="1">'}, "page_refuses"),
        ({"headers": {"X-Robots-Tag": "noai"}}, "refused_by_x_robots_tag"),
    ],
)
def test_a_page_that_refuses_by_now_withdraws_all_pictures_on_it(
    world: World, changed: dict[str, Any], reason: str
) -> None:
    world.site.answers["/"] = Answer(**changed)
    tally = world.recheck()
    assert tally.units["page"].dropped == {reason: 1}
    [(address, why)] = world.stones
    assert (address, why.startswith(f"refresh: {reason}: ")) == (f"{world.site.origin}/", True)
    assert world.kept() == 0


def test_a_page_of_our_own_crawl_that_robots_txt_hides_by_now_withdraws_its_pictures(world: World) -> None:
    world.site.answers["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /", kind="text/plain")
    world.recheck()
    assert [address for address, _ in world.stones] == [f"{world.site.origin}/"]
    assert world.site.asked_for("/") == []


def test_what_robots_txt_says_of_a_page_that_others_gave_us_is_not_said_of_its_pictures(
    tmp_path: Path, world: World
) -> None:
    """A table names the page; the hosts of pictures answer for them."""
    rows = [
        f"{world.pictures.origin}/{number}.png,{caption},{world.site.origin}/"
        for number, caption in enumerate(CAPTIONS)
    ]
    (tmp_path / "table.csv").write_text("\n".join(["url,caption,page_url", *rows]), encoding="utf-8")
    world.settings |= {
        "corpus": str(tmp_path / "other"),
        "sources": [{"kind": "table", "paths": [str(tmp_path / "table.csv")]}],
    }
    world.site.answers["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /", kind="text/plain")
    world.run(*UP_TO_DEDUP)
    tally = world.recheck()
    assert tally.units["page"].dropped == {"refused_by_robots_txt": 1}
    assert (tally.rows.kept, world.stones) == (3, [])
    assert world.site.asked_for("/") == []
    world.site.answers["/robots.txt"] = Answer(b"User-agent: *\nAllow: /", kind="text/plain")
    assert world.recheck().units["page"].dropped == {"refused_by_robots_txt": 1}
    assert world.site.asked == [], "a refusal is final"


def test_a_page_that_moved_to_another_port_or_scheme_of_its_host_is_heard(world: World) -> None:
    """Most sites went from http to https."""
    with served("127.0.0.1") as moved:
        world.site.answers["/"] = Answer(status=301, headers={"Location": f"{moved.origin}/"})
        moved.answers["/"] = Answer(b'<meta name="robots" content="noai">')
        world.recheck()
    assert [address for address, _ in world.stones] == [f"{world.site.origin}/"]


def test_what_another_host_says_of_a_page_is_not_the_word_of_its_publisher(world: World) -> None:
    """It may ask who we are, or tell that the site is being mended."""
    world.site.answers["/"] = Answer(status=302, headers={"Location": f"{world.pictures.origin}/sorry"})
    world.pictures.answers["/sorry"] = Answer(b'<meta name="robots" content="noindex">')
    assert world.recheck().units["page"].dropped == {"left_the_site": 1}
    assert world.stones == []


def test_a_page_that_we_crawled_is_ours_though_others_gave_it_to_us_too(tmp_path: Path, world: World) -> None:
    world.pictures.answers["/-.png"] = picture(9)  # its row comes first
    row = f"{world.pictures.origin}/-.png,川辺で遊ぶ子供たちの写真です,{world.site.origin}/"
    (tmp_path / "table.csv").write_text(f"url,caption,page_url\n{row}\n", encoding="utf-8")
    world.settings["corpus"] = str(tmp_path / "other")
    world.settings["sources"].append({"kind": "table", "paths": [str(tmp_path / "table.csv")]})
    world.run(*UP_TO_DEDUP)
    assert world.kept() == 4
    world.site.answers["/robots.txt"] = Answer(b"User-agent: *\nDisallow: /", kind="text/plain")
    world.recheck()
    assert [address for address, _ in world.stones] == [f"{world.site.origin}/"]


@pytest.mark.parametrize("status", [403, 404, 405, 500, 501])
def test_bad_news_of_a_head_request_is_not_believed_before_a_get_says_so(world: World, status: int) -> None:
    world.pictures.answers["/0.png"].head = status
    assert world.recheck().rows.kept == 3
    assert world.pictures.asked_for("/0.png") == ["HEAD", "GET"]


def test_a_host_that_knows_no_head_request_is_not_in_trouble(world: World) -> None:
    """Ten failures in a row would have it rest."""
    shown = {f"/{number}.png": picture(number) for number in range(15)}
    rows = "".join(f"{world.pictures.origin}{path},第{number}の祭りの写真\n" for number, path in enumerate(shown))
    (world.path.parent / "many.csv").write_text(f"url,caption\n{rows}", encoding="utf-8")
    world.pictures.answers |= shown
    world.settings |= {
        "corpus": f"{world.settings['corpus']}-many",
        "sources": [{"kind": "table", "paths": [str(world.path.parent / "many.csv")]}],
    }
    world.run(*UP_TO_DEDUP)
    for answer in shown.values():
        answer.head = 501
    assert world.recheck().rows.kept == 15


def test_a_server_that_heeds_ranges_is_asked_for_one_byte(world: World) -> None:
    answer = world.pictures.answers["/0.png"]
    answer.status, answer.head, answer.body = 206, 405, b"x"
    assert world.recheck().rows.kept == 3


def test_a_refusal_that_comes_with_one_byte_is_heard(world: World) -> None:
    answer = world.pictures.answers["/0.png"]
    answer.status, answer.head, answer.body = 206, 405, b"x"
    answer.headers["X-Robots-Tag"] = "noai"
    assert world.recheck().rows.dropped == {"refused_by_x_robots_tag": 1}
    assert [address for address, _ in world.stones] == [f"{world.pictures.origin}/0.png"]


@pytest.mark.parametrize("status", [404, 410])
def test_a_link_is_dead_when_it_was_not_there_three_times_in_a_row(world: World, status: int) -> None:
    was = world.pictures.answers["/0.png"]
    gone = Answer(status=status)
    world.pictures.answers["/0.png"] = gone
    assert [world.recheck().rows.dropped for _ in range(2)] == [{"not_found": 1}] * 2
    world.pictures.answers["/0.png"] = was
    assert world.recheck().rows.kept == 3, "it came back, and the count begins anew"
    world.pictures.answers["/0.png"] = gone
    assert [list(world.recheck().rows.dropped) for _ in range(3)] == [["not_found"], ["not_found"], ["link_dead"]]
    assert (world.stones, world.kept()) == ([], 3), "it is told, and stays"
    world.pictures.answers["/0.png"] = was
    assert world.recheck().rows.kept == 3


def test_a_host_in_trouble_is_neither_dead_nor_refusing(world: World) -> None:
    world.pictures.answers["/0.png"] = Answer(status=503)
    world.pictures.answers["/1.png"].seconds = 2
    for _ in range(4):
        tally = world.recheck(fetch={"timeout_seconds": 0.5})
        assert tally.rows.dropped == {"http_server_error": 1, "timed_out": 1}
    world.pictures.answers["/robots.txt"] = Answer(status=500)
    assert world.recheck().rows.dropped == {"robots_unreachable": 3}
    assert world.stones == []


def test_a_host_whose_name_is_gone_is_dead_in_time_and_one_without_a_name_server_is_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, trouble = socket.getaddrinfo, socket.EAI_AGAIN

    # aiohttp resolves no plain address: the pictures move to a name.
    world.settings["corpus"] += "-named"
    world.settings["fetch"]["allow_hosts"].append("pictures.test")
    body = world.page.replace("//127.0.0.2:", "//pictures.test:").encode()
    world.site.answers["/"] = Answer(body)

    def resolve(host: Any, *arguments: Any, **options: Any) -> Any:
        return real("127.0.0.2" if host == "pictures.test" else host, *arguments, **options)

    def fail(host: Any, *arguments: Any, **options: Any) -> Any:
        if host == "pictures.test":
            raise socket.gaierror(trouble, "name server")
        return real(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    world.run(*UP_TO_DEDUP)
    assert world.kept() == 3
    monkeypatch.setattr(socket, "getaddrinfo", fail)
    for _ in range(4):
        assert world.recheck().rows.dropped == {"name_not_resolved": 3}
    trouble = socket.EAI_NONAME
    assert [list(world.recheck().rows.dropped) for _ in range(3)] == [["name_not_resolved"]] * 2 + [["link_dead"]]


def test_a_link_is_not_asked_before_it_is_due(world: World) -> None:
    assert world.run("recheck", refresh={"after_days": 30}) == 0
    world.recheck()
    assert world.run("recheck", refresh={"after_days": 30}) == 0
    world.pictures.answers["/0.png"] = Answer(status=503)
    world.recheck()
    assert world.run("recheck", refresh={"after_days": 30}) == 1, "what gave no answer is asked again a day later"
    assert world.pictures.asked_for("/1.png") == ["HEAD"]


def test_a_run_asks_no_more_than_its_share_and_the_next_one_goes_on(world: World) -> None:
    """Two generations make two parts."""
    folder = world.path.parent
    world.settings |= {
        "corpus": f"{world.settings['corpus']}-small",
        "sources": [{"kind": "table", "paths": [str(folder / "*.csv")]}],
    }
    for number, caption in enumerate(CAPTIONS[:2]):
        row = f"{world.pictures.origin}/{number}.png,{caption}"
        (folder / f"{number}.csv").write_text(f"url,caption\n{row}\n", encoding="utf-8")
        world.run(*UP_TO_DEDUP)
    assert world.run("recheck", refresh={"after_days": 0.01}) == 0
    world.pictures.asked.clear()
    for asked in ({"/0.png"}, {"/0.png", "/1.png"}):
        assert world.run("recheck", refresh={"urls_per_run": 1}) == 1
        assert {path for method, path in world.pictures.asked if method == "HEAD"} == asked


def test_the_audit_tells_how_many_links_are_still_there(world: World) -> None:
    world.pictures.answers["/0.png"] = Answer(status=404)
    world.recheck()
    state = pipeline.state(world.recipe())
    assert state.to_json()["links"] == {
        "images": {"read": 3, "kept": 2, "dropped": {"not_found": 1}},
        "pages": {"read": 1, "kept": 1, "dropped": {}},
    }
    console = Console(record=True, width=120)
    terminal.show(state, console)
    assert "not_found 1" in console.export_text()


def test_what_refuses_by_now_leaves_the_annotation_queue(world: World) -> None:
    world.run("route")
    assert len(pipeline.queued(world.recipe())) == 3
    x_robots_tag(world)
    world.run(*pipeline.REFRESH)
    assert len(pipeline.queued(world.recipe())) == 2


RUN_AND_DIE = textwrap.dedent("""
    import os, signal, sys
    from waon_build import corpus, pipeline, recipe

    corpus.PartWriter.commit = lambda writer: os.kill(os.getpid(), signal.SIGKILL)
    loaded = recipe.load(sys.argv[1])
    place = pipeline.open_corpus(loaded)
    (stage,) = (stage for stage in pipeline.stages(loaded) if stage.name == "recheck")
    for part in pipeline.begin(stage, place)[0]:
        stage.run(place, part)
""")


@pytest.mark.slow
def test_a_refusal_outlives_a_refresh_that_is_killed_before_its_part_is_there(world: World) -> None:
    x_robots_tag(world)
    world.recipe()
    ended = subprocess.run([sys.executable, "-c", RUN_AND_DIE, str(world.path)], capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert world.corpus.parts("recheck") == []
    assert len(world.stones) == 1
    assert world.recheck().rows.kept == 2
    assert world.pictures.asked_for("/0.png") == []
    assert world.kept() == 2
