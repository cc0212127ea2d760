"""A batch of URLs becomes rows and a tar: each URL asked for once, whatever happens on the way."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from PIL import Image as Pillow

from waon_build.batches import images_of, list_batches
from waon_build.corpus import Corpus, Part
from waon_build.fetch import gather
from waon_build.fetch.client import Client
from waon_build.fetch.decode import Stored
from waon_build.fetch.spool import GONE
from waon_build.fetch.stage import Fetch, Plan
from waon_build.recipe import Recipe
from waon_build.records import CANDIDATE, Candidate, InputError, Tally
from waon_build.rights.tombstones import Tombstones

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def jpeg(seed: int, size: tuple[int, int] = (80, 60)) -> bytes:
    rng = np.random.default_rng(seed)
    out = BytesIO()
    Pillow.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)).resize(size, 3).save(out, "JPEG")
    return out.getvalue()


class Site:
    """A web site on the loopback device, in a thread of its own. `asked` counts requests by path."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes | int | Handler] = {}
        self.asked: Counter[str] = Counter()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Site:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def images_asked(self) -> Counter[str]:
        return Counter({path: n for path, n in self.asked.items() if not path.endswith((".txt", ".json"))})

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked[request.path] += 1
        answer = self.answers.get(request.path, 404)
        if isinstance(answer, bytes):
            return web.Response(body=answer, content_type="image/jpeg")
        if isinstance(answer, int):
            return web.Response(status=answer)
        return await answer(request)


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        yield site


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(str(tmp_path / "corpus"))


def recipe(**fetch: Any) -> Recipe:
    given = {
        "contact": "test@example.org",
        "allow_hosts": ["127.0.0.1"],
        "per_host_rate": 10_000,
        "per_host_concurrency": 8,
        "retries": 0,
        "timeout_seconds": 1.0,
        "shortest_side": 48,
        "retry_after_hours": 0,
    }
    return Recipe.model_validate(
        {
            "name": "t",
            "corpus": "unused",
            "sources": [{"kind": "warc", "paths": ["unused"]}],
            "fetch": given | fetch,
        }
    )


def put_plan(corpus: Corpus, urls: Sequence[str], given: Recipe | None = None) -> None:
    with corpus.write("text", Part("a", "test", str(hash(tuple(urls)))), CANDIDATE) as writer:
        for url in urls:
            writer.keep(Candidate(url, f"caption of {url}", "alt"))
        writer.commit()
    stage = Plan(given or recipe())
    for part in stage.inputs(corpus):
        if not corpus.is_current("plan", part):
            stage.run(corpus, part)


def fetch(corpus: Corpus, given: Recipe | None = None, pool: Any = None) -> list[Tally]:
    """Run what is not current. Returns the tallies of what was run."""
    given = given or recipe()
    stage = Fetch(given, pool, partial(Client, given.fetch, backoff=0.01))
    return [stage.run(corpus, part) for part in stage.inputs(corpus) if not corpus.is_current("fetch", part)]


def rows(corpus: Corpus) -> dict[str, dict[str, Any]]:
    """The rows of all parts, by the path of their URL."""
    found = [row for part in corpus.parts("fetch") for row in corpus.read("fetch", part).to_pylist()]
    return {"/" + row["url"].split("/", 3)[3]: row for row in found}


def settled(corpus: Corpus) -> list[dict[str, Any]]:
    """All that must not depend on when or how often a part was run."""
    return [
        {**row, "fetched_at": ""} for part in corpus.parts("fetch") for row in corpus.read("fetch", part).to_pylist()
    ]


def tar_digests(corpus: Corpus) -> list[str]:
    return [tally.files["images"] for tally in corpus.tallies("fetch")]


def test_every_url_ends_as_an_image_or_with_its_reason(site: Site, corpus: Corpus) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    async def moved(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/ok.jpg")

    async def refused(request: web.Request) -> web.StreamResponse:
        return web.Response(body=jpeg(2), headers={"X-Robots-Tag": "max-snippet:50, noai"})

    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "5000"})
        await response.prepare(request)
        await response.write(b"\xff\xd8\xff")
        assert request.transport
        request.transport.close()
        return response

    site.answers |= {
        "/ok.jpg": jpeg(1),
        "/moved.jpg": moved,
        "/noai.jpg": refused,
        "/gone.jpg": 404,
        "/busy.jpg": 503,
        "/slow.jpg": slow,
        "/cut.jpg": cut,
        "/half.jpg": jpeg(3)[:400],
        "/page.jpg": b"<html>not found</html>",
        "/drawing.jpg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "/robots.txt": b"User-agent: *\nDisallow: /private/",
        "/private/1.jpg": jpeg(4),
    }
    paths = [path for path in site.answers if path != "/robots.txt"]
    put_plan(corpus, [site.url(path) for path in paths])
    (tally,) = fetch(corpus)
    found = rows(corpus)
    assert {path: (row["status"], row["reason"], row["retryable"]) for path, row in found.items()} == {
        "/ok.jpg": ("ok", "", False),
        "/moved.jpg": ("ok", "", False),
        "/noai.jpg": ("refused", "refused_by_x_robots_tag", False),
        "/private/1.jpg": ("refused", "refused_by_robots_txt", False),
        "/gone.jpg": ("failed", "not_found", False),
        "/busy.jpg": ("failed", "http_server_error", True),
        "/slow.jpg": ("failed", "timed_out", True),
        "/cut.jpg": ("failed", "connection_failed", True),
        "/half.jpg": ("failed", "image_broken", False),
        "/page.jpg": ("failed", "not_an_image", False),
        "/drawing.jpg": ("failed", "format_not_taken", False),
    }
    assert (tally.rows.read, tally.rows.kept) == (11, 2)
    assert tally.rows.adds_up
    assert tally.units["retryable"].read == 3
    assert found["/moved.jpg"]["final_url"] == site.url("/ok.jpg")
    assert found["/private/1.jpg"]["rights"][0]["refuses"]
    assert site.asked["/private/1.jpg"] == 0
    assert {row["reason"] for row in corpus.read("fetch", tally.part, role="dropped").to_pylist()} == set(
        tally.rows.dropped
    )


def test_the_rows_say_where_the_bytes_of_each_image_lie(site: Site, corpus: Corpus) -> None:
    site.answers |= {f"/{n}.jpg": jpeg(n) for n in range(20)}
    put_plan(corpus, [site.url(path) for path in site.answers])
    (tally,) = fetch(corpus)
    for row in rows(corpus).values():
        image = Pillow.open(BytesIO(corpus.image_bytes(row["stored_in"], row["offset"], row["size"])))
        assert image.size == (row["width"], row["height"]) == (64, 48)
        assert (row["original_width"], row["original_height"]) == (80, 60)
    path = corpus.file("fetch", tally.part, "images")
    assert path
    with tarfile.open(path) as tar:
        members = tar.getmembers()
        order = sorted(rows(corpus).values(), key=lambda row: row["url"])
        assert [member.name for member in members] == [f"{row['sha256'][:32]}.jpg" for row in order]
        assert {(member.mtime, member.uid, member.gid, member.uname) for member in members} == {(0, 0, 0, "")}
        assert [member.offset_data for member in members] == [row["offset"] for row in order]


def test_the_same_bytes_under_several_urls_are_stored_once(site: Site, corpus: Corpus) -> None:
    site.answers |= {"/a.jpg": jpeg(1), "/b.jpg": jpeg(1), "/c.jpg": jpeg(2)}
    put_plan(corpus, [site.url(path) for path in site.answers])
    fetch(corpus)
    found = rows(corpus)
    assert found["/a.jpg"]["offset"] == found["/b.jpg"]["offset"] != found["/c.jpg"]["offset"]


def test_the_part_s_bytes_do_not_depend_on_the_order_of_the_answers(site: Site, tmp_path: Path) -> None:
    made = []
    for delay in (lambda n: n, lambda n: 12 - n):

        def later(n: int, seconds: float) -> Handler:
            async def handler(request: web.Request) -> web.StreamResponse:
                await asyncio.sleep(seconds)
                return web.Response(body=jpeg(n))

            return handler

        site.answers |= {f"/{n}.jpg": later(n, delay(n) * 0.02) for n in range(12)}
        corpus = Corpus(str(tmp_path / str(len(made))))
        put_plan(corpus, [site.url(path) for path in site.answers])
        fetch(corpus)
        made.append((settled(corpus), tar_digests(corpus)))
    assert made[0] == made[1]


def test_a_second_run_asks_for_nothing(site: Site, corpus: Corpus) -> None:
    site.answers |= {f"/{n}.jpg": jpeg(n) for n in range(10)} | {"/gone.jpg": 404}
    put_plan(corpus, [site.url(path) for path in site.answers])
    fetch(corpus)
    asked = site.images_asked()
    assert fetch(corpus) == []
    assert site.images_asked() == asked
    assert set(asked.values()) == {1}


def test_a_contact_a_rate_or_a_pool_makes_no_part_anew(site: Site, corpus: Corpus) -> None:
    site.answers |= {"/1.jpg": jpeg(1)}
    put_plan(corpus, [site.url("/1.jpg")])
    fetch(corpus)
    assert fetch(corpus, recipe(contact="other@example.org", per_host_rate=3, concurrency=2, max_redirects=1)) == []


def test_what_failed_for_a_passing_cause_succeeds_later_and_nothing_else_is_asked_again(
    site: Site, corpus: Corpus
) -> None:
    site.answers |= {"/ok.jpg": jpeg(1), "/busy.jpg": 503, "/gone.jpg": 404}
    put_plan(corpus, [site.url(path) for path in site.answers])
    fetch(corpus)
    before = rows(corpus)
    site.answers["/busy.jpg"] = jpeg(2)
    (tally,) = fetch(corpus)
    assert (tally.rows.kept, tally.units) == (2, {})
    after = rows(corpus)
    assert after["/busy.jpg"]["attempts"] == 2
    assert after["/gone.jpg"] == before["/gone.jpg"]
    assert after["/ok.jpg"]["fetched_at"] == before["/ok.jpg"]["fetched_at"]
    assert site.images_asked() == {"/ok.jpg": 1, "/gone.jpg": 1, "/busy.jpg": 2}
    for row in (after["/ok.jpg"], after["/busy.jpg"]):
        assert Pillow.open(BytesIO(corpus.image_bytes(row["stored_in"], row["offset"], row["size"]))).size == (64, 48)
    assert fetch(corpus) == []


def test_what_keeps_failing_is_given_up_after_the_attempts_of_the_recipe(site: Site, corpus: Corpus) -> None:
    site.answers |= {"/busy.jpg": 503}
    put_plan(corpus, [site.url("/busy.jpg")])
    runs = 0
    while fetch(corpus, recipe(max_attempts=3)):
        runs += 1
        assert runs < 10
    assert (runs, site.asked["/busy.jpg"]) == (3, 3)
    assert len(fetch(corpus, recipe(max_attempts=4))) == 1


def test_a_failure_is_not_asked_again_before_its_pause_is_over(
    site: Site, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.answers |= {"/busy.jpg": 503}
    put_plan(corpus, [site.url("/busy.jpg")])
    fetch(corpus, recipe(retry_after_hours=24))
    assert fetch(corpus, recipe(retry_after_hours=24)) == []

    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(UTC) + timedelta(hours=25)

    monkeypatch.setattr("waon_build.due.datetime", Tomorrow)
    assert len(fetch(corpus, recipe(retry_after_hours=24))) == 1


def test_a_host_that_asks_for_a_pause_gets_it_and_the_image_comes(site: Site, corpus: Corpus) -> None:
    times: list[float] = []

    async def busy_once(request: web.Request) -> web.StreamResponse:
        times.append(time.monotonic())
        if len(times) == 1:
            return web.Response(status=429, headers={"Retry-After": "1"})
        return web.Response(body=jpeg(1))

    site.answers |= {"/1.jpg": busy_once}
    put_plan(corpus, [site.url("/1.jpg")])
    fetch(corpus, recipe(retries=2))
    assert rows(corpus)["/1.jpg"]["status"] == "ok"
    assert times[1] - times[0] >= 0.95


def test_a_refusal_is_final_even_when_the_image_is_wanted_in_another_form(site: Site, corpus: Corpus) -> None:
    async def refused(request: web.Request) -> web.StreamResponse:
        return web.Response(body=jpeg(2), headers={"X-Robots-Tag": "noai"})

    site.answers |= {"/ok.jpg": jpeg(1), "/noai.jpg": refused}
    put_plan(corpus, [site.url(path) for path in site.answers])
    fetch(corpus)
    (tally,) = fetch(corpus, recipe(format="webp", shortest_side=32))
    assert site.images_asked() == {"/ok.jpg": 2, "/noai.jpg": 1}
    assert tally.rows.to_json() == {"read": 2, "kept": 1, "dropped": {"refused_by_x_robots_tag": 1}}
    row = rows(corpus)["/ok.jpg"]
    assert (row["format"], row["height"], row["attempts"]) == ("webp", 32, 1)
    assert Pillow.open(BytesIO(corpus.image_bytes(row["stored_in"], row["offset"], row["size"]))).format == "WEBP"


def test_new_urls_of_a_batch_are_asked_for_and_known_ones_are_not(site: Site, corpus: Corpus) -> None:
    site.answers |= {f"/{n}.jpg": jpeg(n) for n in range(6)}
    put_plan(corpus, [site.url(f"/{n}.jpg") for n in range(4)])
    fetch(corpus)
    put_plan(corpus, [site.url(f"/{n}.jpg") for n in range(1, 6)])
    fetch(corpus)
    assert site.images_asked() == {f"/{n}.jpg": 1 for n in range(6)}
    found = [url for batch in list_batches(corpus) for url in images_of(corpus, batch.name)["url"].to_pylist()]
    assert sorted(found) == [site.url(f"/{n}.jpg") for n in range(1, 6)]


def test_a_url_that_leaves_the_plan_and_comes_back_is_not_asked_for_again(site: Site, corpus: Corpus) -> None:
    """A threshold tried and taken back costs no request."""
    site.answers |= {f"/{n}.jpg": jpeg(n) for n in range(4)}
    all_urls = [site.url(f"/{n}.jpg") for n in range(4)]
    for urls in (all_urls, all_urls[:2], all_urls):
        put_plan(corpus, urls)
        fetch(corpus)
    assert site.images_asked() == {f"/{n}.jpg": 1 for n in range(4)}
    assert sum(tally.rows.kept for tally in corpus.tallies("fetch")) == 4
    assert all(row["status"] == "ok" for row in rows(corpus).values())


def test_a_second_generation_asks_only_for_what_is_new(site: Site, corpus: Corpus) -> None:
    site.answers |= {f"/{n}.jpg": jpeg(n) for n in range(5)}
    put_plan(corpus, [site.url(f"/{n}.jpg") for n in range(3)])
    fetch(corpus)
    with corpus.write("text", Part("b", "test", "f"), CANDIDATE) as writer:
        for n in range(1, 5):
            writer.keep(Candidate(site.url(f"/{n}.jpg"), f"another caption {n}", "alt"))
        writer.commit()
    stage = Plan(recipe())
    stage.run(corpus, stage.inputs(corpus)[-1])
    (tally,) = fetch(corpus)
    assert (tally.part[:5], tally.rows.read) == ("g0002", 2)
    assert site.images_asked() == {f"/{n}.jpg": 1 for n in range(5)}
    assert images_of(corpus, tally.part).num_rows == 4


def test_what_is_withdrawn_leaves_the_tar_and_everything_else_stays_where_pairs_and_tasks_say(
    site: Site, corpus: Corpus
) -> None:
    """Whoever judges while a run is under way must not see another picture under the caption."""
    corpus.create()
    site.answers |= {f"/{n}.jpg": jpeg(n) for n in range(5)}
    put_plan(corpus, [site.url(f"/{n}.jpg") for n in range(5)])
    fetch(corpus)
    before = rows(corpus)
    pictures = {name: corpus.image_bytes(row["stored_in"], row["offset"], row["size"]) for name, row in before.items()}
    places = {name: (row["offset"], row["size"]) for name, row in before.items()}
    for number in (0, 2, 4):  # the first, one between, and the last
        Tombstones.add(corpus, "url", site.url(f"/{number}.jpg"), "asked")
    for _ in range(2):
        stage = Fetch(recipe())
        (part,) = stage.inputs(corpus)
        stage.run(corpus, part._replace(fingerprint=f"{part.fingerprint}1"))  # a later round
        after = rows(corpus)
        for name in ("/1.jpg", "/3.jpg"):
            assert (after[name]["offset"], after[name]["size"]) == places[name]
            assert corpus.image_bytes(part.name, *places[name]) == pictures[name]
        for name in ("/0.jpg", "/2.jpg", "/4.jpg"):
            assert set(corpus.image_bytes(part.name, *places[name])) <= {0}
    (tally,) = corpus.tallies("fetch")
    with tarfile.open(corpus.path("fetch", tally.files["images"])) as tar:
        assert [member.name for member in tar.getmembers()].count(GONE) == 3


def test_a_tombstone_keeps_a_url_from_being_asked_for_and_removes_what_was_stored(site: Site, corpus: Corpus) -> None:
    corpus.create()
    site.answers |= {f"/{n}.jpg": jpeg(n) for n in range(3)}
    put_plan(corpus, [site.url(f"/{n}.jpg") for n in range(3)])
    Tombstones.add(corpus, "url", site.url("/0.jpg"), "asked")
    fetch(corpus)
    assert site.asked["/0.jpg"] == 0
    assert (rows(corpus)["/0.jpg"]["status"], rows(corpus)["/0.jpg"]["reason"]) == ("refused", "taken_down")
    Tombstones.add(corpus, "sha256", rows(corpus)["/1.jpg"]["sha256"], "asked")
    corpus.remove_part("fetch", corpus.parts("fetch")[0])
    fetch(corpus)
    assert rows(corpus)["/1.jpg"]["reason"] == "taken_down"
    assert rows(corpus)["/1.jpg"]["size"] == 0
    (tally,) = corpus.tallies("fetch")
    with tarfile.open(corpus.path("fetch", tally.files["images"])) as tar:
        assert len(tar.getmembers()) == 1


def test_without_a_contact_nothing_is_fetched(site: Site, corpus: Corpus) -> None:
    put_plan(corpus, [site.url("/1.jpg")])
    with pytest.raises(InputError, match=r"fetch\.contact is missing"):
        fetch(corpus, recipe(contact=None))
    assert not site.asked
    assert corpus.parts("fetch") == []


def test_a_process_pool_makes_the_same_part_as_threads_do(site: Site, tmp_path: Path) -> None:
    site.answers |= {f"/{n}.jpg": jpeg(n) for n in range(8)} | {"/page.jpg": b"<html>"}
    made = []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for executor in (None, pool):
            corpus = Corpus(str(tmp_path / str(len(made))))
            put_plan(corpus, [site.url(path) for path in site.answers])
            fetch(corpus, pool=executor)
            made.append((settled(corpus), tar_digests(corpus)))
    assert made[0] == made[1]


def crash_on_poison(data: bytes, settings: Any) -> Stored | str:
    if b"poison" in data:
        os.kill(os.getpid(), signal.SIGKILL)
    return decode_really(data, settings)


decode_really = gather.decode


def test_a_file_that_kills_the_decoder_costs_one_row(
    site: Site, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "decode", crash_on_poison)
    monkeypatch.setattr(gather, "get_context", lambda _: get_context("fork"))
    site.answers |= {f"/{n}.jpg": jpeg(n) for n in range(4)} | {"/bad.jpg": b"poison"}
    put_plan(corpus, [site.url(path) for path in site.answers])
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        (tally,) = fetch(corpus, pool=pool)
    assert tally.rows.to_json() == {"read": 5, "kept": 4, "dropped": {"decoder_crashed": 1}}


def test_bodies_that_come_faster_than_they_are_decoded_wait_on_disk(
    site: Site, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the memory holds is bounded, and what waited on disk is decoded all the same."""
    monkeypatch.setattr(gather, "HELD_BYTES", 5_000)
    held: list[int] = []
    monkeypatch.setattr(gather, "decode", lambda data, settings: (time.sleep(0.02), decode_really(data, settings))[1])

    class Watched(gather.Gathering):
        async def _decode(self, data: bytes) -> Stored | str:
            held.append(self._held)
            return await super()._decode(data)

    monkeypatch.setattr("waon_build.fetch.stage.Gathering", Watched)
    site.answers |= {f"/{n}.jpg": jpeg(n) for n in range(40)}
    put_plan(corpus, [site.url(path) for path in site.answers])
    (tally,) = fetch(corpus)
    assert tally.rows.kept == 40
    assert max(held) <= 5_000
    assert min(held) < 5_000


def test_progress_is_told_up_to_the_last_url(site: Site, corpus: Corpus) -> None:
    site.answers |= {f"/{n}.jpg": jpeg(n) for n in range(5)}
    put_plan(corpus, [site.url(path) for path in site.answers])
    heard: list[tuple[int, int]] = []
    stage = Fetch(recipe(), client_factory=partial(Client, recipe().fetch))
    stage.progress = lambda done, total: heard.append((done, total))
    for part in stage.inputs(corpus):
        stage.run(corpus, part)
    assert heard == [(n, 5) for n in range(6)]


RUN = """
import sys
from functools import partial
from pathlib import Path
from waon_build.corpus import Corpus
from waon_build.fetch.client import Client
from waon_build.fetch.stage import Fetch
from waon_build.recipe import Recipe
import json, resource
recipe = Recipe.model_validate_json(sys.argv[2])
if len(sys.argv) > 3:
    import signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
stage = Fetch(recipe, None, partial(Client, recipe.fetch, backoff=0.01))
corpus = Corpus(sys.argv[1])
for part in stage.inputs(corpus):
    stage.run(corpus, part)
status = Path("/proc/self/status")  # ru_maxrss begins with the peak of whoever started this process
lines = status.read_text().splitlines() if status.exists() else []
peaks = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
print(*(peaks or [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


def run_apart(corpus: Corpus, *arguments: str, **given: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RUN, corpus.root, recipe(**given).model_dump_json(), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("answered", [1, 12, 29])
def test_a_run_that_is_killed_loses_only_the_part_in_flight_and_the_next_one_makes_the_same_bytes(
    site: Site, tmp_path: Path, answered: int
) -> None:
    def some_time(n: int) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            await asyncio.sleep(0.03)
            return web.Response(body=jpeg(n))

        return handler

    site.answers |= {f"/{n}.jpg": some_time(n) for n in range(30)} | {"/gone.jpg": 404}
    urls = [site.url(path) for path in site.answers]
    undisturbed, killed = Corpus(str(tmp_path / "undisturbed")), Corpus(str(tmp_path / "killed"))
    for corpus in (undisturbed, killed):
        put_plan(corpus, urls)
    fetch(undisturbed)
    site.asked.clear()
    process = run_apart(killed)
    while site.images_asked().total() < answered:
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert killed.parts("fetch") == []
    fetch(killed)
    assert settled(killed) == settled(undisturbed)
    assert tar_digests(killed) == tar_digests(undisturbed)
    folder = Path(killed.path("fetch"))
    (tally,) = killed.tallies("fetch")
    assert {path.name for path in folder.iterdir()} == {*tally.files.values(), f"{tally.part}.tally.json"}


@pytest.mark.slow
def test_a_full_disk_leaves_no_half_part_and_what_was_there_before(site: Site, corpus: Corpus) -> None:
    site.answers |= {f"/{n}.jpg": jpeg(n, (400, 300)) for n in range(40)} | {"/busy.jpg": 503}
    put_plan(corpus, [site.url(path) for path in site.answers])
    process = run_apart(corpus, "20000")
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "File too large" in errors
    assert corpus.parts("fetch") == []
    fetch(corpus)
    before = corpus.tally("fetch", corpus.parts("fetch")[0])
    process = run_apart(corpus, "20000")
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert corpus.tally("fetch", corpus.parts("fetch")[0]) == before
    row = rows(corpus)["/7.jpg"]
    assert Pillow.open(BytesIO(corpus.image_bytes(row["stored_in"], row["offset"], row["size"]))).height == 48


def test_a_part_can_be_read_from_an_object_store(site: Site) -> None:
    corpus = Corpus("memory://fetch-object-store")
    site.answers |= {f"/{n}.jpg": jpeg(n) for n in range(3)} | {"/busy.jpg": 503}
    put_plan(corpus, [site.url(path) for path in site.answers])
    fetch(corpus)
    site.answers["/busy.jpg"] = jpeg(9)
    fetch(corpus)
    for row in rows(corpus).values():
        data = corpus.image_bytes(row["stored_in"], row["offset"], row["size"])
        assert Pillow.open(io.BytesIO(data)).size == (64, 48)
    assert site.images_asked() == {"/0.jpg": 1, "/1.jpg": 1, "/2.jpg": 1, "/busy.jpg": 2}


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_urls(site: Site, tmp_path: Path) -> None:
    """Ten times the URLs do not take ten times the memory: bodies wait for a decoder, within a bound."""
    big = jpeg(1, (1600, 1200)) + bytes(100_000)

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=big + request.path.encode())

    peaks = []
    for count in (60, 600):
        site.answers = {f"/{count}/{n}.jpg": answer for n in range(count)}
        corpus = Corpus(str(tmp_path / str(count)))
        put_plan(corpus, [site.url(path) for path in site.answers])
        peak, errors = run_apart(corpus).communicate(timeout=200)
        assert peak, errors
        peaks.append(int(peak))
    assert peaks[1] < peaks[0] + 128 * 1024


@pytest.mark.slow
def test_memory_does_not_grow_with_the_bodies_under_way(site: Site, corpus: Corpus) -> None:
    """Sixty hosts that each keep back the last bytes of 12 MB: what has come of a body waits on disk."""
    body, all_here = jpeg(1) + bytes(12_000_000), asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[:-1000])
        waiting.append(request.path)
        if len(waiting) == 60:
            all_here.set()
        await all_here.wait()
        await response.write(body[-1000:])
        return response

    waiting: list[str] = []
    site.answers = {f"/{n}.jpg": answer for n in range(60)}
    put_plan(corpus, [site.url(path) for path in site.answers])
    process = run_apart(corpus, per_host_concurrency=60, timeout_seconds=100)
    peak, errors = process.communicate(timeout=200)
    assert peak, errors
    assert len(waiting) == 60
    assert {row["status"] for row in corpus.read("fetch", corpus.parts("fetch")[0]).to_pylist()} == {"ok"}
    assert int(peak) < 640 * 1024


def test_a_part_names_the_hosts_that_it_asks_also_where_one_has_several_parts(corpus: Corpus) -> None:
    """What keeps two parts apart where parts run in several processes."""
    urls = [*(f"http://large.example:8080/{number}.jpg" for number in range(7)), "http://Small.example/1.jpg"]
    given = recipe(urls_per_part=3)
    put_plan(corpus, [*urls, "https://例え.jp/1.jpg"], given)
    stage = Fetch(given)
    found = [stage.hosts(corpus, part) for part in stage.inputs(corpus)]
    assert found.count({"large.example"}) == 3
    assert set().union(*found) == {"large.example", "small.example", "xn--r8jz45g.jp"}
