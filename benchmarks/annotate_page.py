"""How long an annotator waits for the next picture: from the key to the painted picture, in a real browser.

    python benchmarks/annotate_page.py [--pairs 60]

The page is served by `waon-build annotate serve` as shipped, on a queue of pictures of 1280 x 960 pixels, and
driven in Debian's Chromium (headless, software rendering) through Playwright. Each pair takes four keys. Measured
is the page's own mark `waon:next-picture`: from the time stamp of the last key of a pair to the frame in which
the next picture was drawn. Two hands: one that looks at each picture for a second, and one that never pauses.
Two connections: the loopback device as it is, and with 150 ms to the server and back and 10 Mbit/s, as on a
phone: the pictures held ahead are what keeps both alike for a hand that looks.

Beside it, in the same run, what it would be without holding ahead: the next task is claimed, and its picture
loaded and decoded, only after the key.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa

from waon_build.annotation import people
from waon_build.annotation.database import connect, writing
from waon_build.annotation.models import Kind, Role
from waon_build.annotation.routing import place, put
from waon_build.annotation.web.app import create_app
from waon_build.annotation.web.campaign import utc_now
from waon_build.annotation.web.serve import Server, configuration, listening
from waon_build.annotation.web.site import Site
from waon_build.corpus import Corpus, Part
from waon_build.demo import pictures
from waon_build.recipe import AnnotationSettings

SIZE = (1280, 960)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
PART = "g0001-000001"
KEYS = ("3", "1", "2", "Enter")
LATENCY_MS, BITS = 150, 10_000_000

WITHOUT = """async () => {
    const begun = performance.now();
    const csrf = document.querySelector('meta[name="csrf-token"]').content;
    const reply = await fetch("/api/claim", {
        method: "POST", body: "{}", headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
    });
    const { tasks } = await reply.json();
    const image = new Image();
    image.src = tasks[0].picture + "?" + begun;
    await image.decode();
    document.getElementById("picture").replaceWith(image);
    image.id = "picture";
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - begun;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=60)
    pairs = parser.parse_args().pairs
    chromium = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sys.exit("playwright is not installed: pip install playwright")
    if chromium is None:
        sys.exit("there is no chromium here (Debian: apt-get install chromium)")
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder), 4 * pairs + 50) as (url, engine),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        print(f"Chromium {browser.version}, {pairs} pairs each, pictures of {SIZE[0]} x {SIZE[1]}; milliseconds")
        print(f"{'connection':<24}{'hand':<26}{'median':>8}{'95 %':>8}{'most':>8}")
        for far in (False, True):
            where = f"{LATENCY_MS} ms, {BITS // 1_000_000} Mbit/s" if far else "loopback"
            page = signed_in(browser, url, engine, far)
            for hand, pause in (("looks for a second", 1.0), ("never pauses", 0.0)):
                line(where, hand, judged(page, pairs, pause))
            line(where, "without holding ahead", [page.evaluate(WITHOUT) for _ in range(min(pairs, 20))])
            page.context.close()
        browser.close()


def line(where: str, hand: str, taken: list[float]) -> None:
    ordered = sorted(taken)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    print(f"{where:<24}{hand:<26}{statistics.median(ordered):>8.1f}{p95:>8.1f}{ordered[-1]:>8.1f}")


def judged(page: Any, pairs: int, pause: float) -> list[float]:
    """Milliseconds from the last key of each pair to the next picture."""
    page.evaluate("performance.clearMeasures()")
    for _ in range(pairs):
        page.wait_for_selector("#picture:not([hidden])")
        time.sleep(pause)
        for key in KEYS:
            page.keyboard.press(key)
    page.wait_for_timeout(500)
    return [
        float(taken)
        for taken in page.evaluate("performance.getEntriesByName('waon:next-picture').map(one => one.duration)")
    ]


def signed_in(browser: Any, url: str, engine: Any, far: bool) -> Any:
    with writing(engine) as connection:
        who = people.add(connection, utc_now(), Role.ANNOTATOR)
        token = people.invite(connection, utc_now(), who, 1)
    context = browser.new_context(base_url=url, locale="ja-JP", viewport={"width": 1366, "height": 768})
    page = context.new_page()
    if far:
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.send(
            "Network.emulateNetworkConditions",
            {"offline": False, "latency": LATENCY_MS, "downloadThroughput": BITS // 8, "uploadThroughput": BITS // 8},
        )
    page.goto(f"/invite/{token}")
    page.locator("input[name=agree]").check()
    page.locator("main form button").click()
    page.wait_for_selector("#picture:not([hidden])")
    return page


@contextmanager
def served(folder: Path, pairs: int) -> Iterator[tuple[str, Any]]:
    """A campaign with so many pairs, on the loopback device."""
    corpus = Corpus(str(folder))
    corpus.create()
    files = []
    with corpus.write("fetch", Part(PART, "made", "1"), pa.schema([("url", pa.string())])) as writer:
        with writer.open_file("images", "tar") as images:
            for name in list(pictures.scenes())[:24]:
                file = BytesIO()
                pictures.picture(name).resize(SIZE).save(file, "JPEG", quality=90)
                files.append((images.tell(), len(file.getvalue()), pictures.scenes()[name].captions[0]))
                images.write(file.getvalue())
        writer.commit()
    engine = connect(f"sqlite:///{folder}/annotation.db")
    put(engine, Kind.NORMAL, (pair(number, *files[number % len(files)]) for number in range(pairs)), 2, utc_now())
    place(engine, 2)
    listener = listening("127.0.0.1", 0)
    site = Site("127.0.0.1", listener.getsockname()[1])
    server = Server(configuration(create_app(engine, corpus, AnnotationSettings(), site, language="ja"), site))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield site.url, engine
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        engine.dispose()


def pair(number: int, offset: int, size: int, caption: str) -> dict[str, Any]:
    return {
        "pair_id": f"{number:016x}",
        "cluster_id": f"{number:016x}",
        "url": f"https://images.example/{number}.jpg",
        "caption": caption,
        "caption_source": "alt",
        "page_url": f"https://site{number % 7}.example/{number}.html",
        "page_title": "",
        "stored_in": PART,
        "offset": offset,
        "size": size,
        "format": "jpg",
        "width": SIZE[0],
        "height": SIZE[1],
    }


if __name__ == "__main__":
    main()
