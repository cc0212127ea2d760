"""Common Crawl: ranges against whole WARC files, WAT against WARC, and rows of an index a second, in one run.

The snapshot is generated in the real layout (by the mirror of the tests): one page in twenty is Japanese, each with
sixty paragraphs, as many links, and ten images, half of which have an alternative text and half a figure caption
alone. `cc2dataset's way` does what its documentation says that it does with a WAT file (links `IMG@/src` with an
`alt`, made absolute, with an id over both), with FastWARC and Python's JSON: the project itself is not installed,
and reads JSON with simdjson. It decides on neither language nor rights. Its own figure is 50 s a WAT file, of about
40,000 pages.

    python benchmarks/common_crawl.py [--pages 2000] [--rows 2000000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pyarrow as pa
import pyarrow.parquet as pq
from fastwarc.warc import ArchiveIterator

from waon_build import pipeline
from waon_build.corpus import Corpus
from waon_build.recipe import ExtractSettings, Recipe
from waon_build.sources import wat
from waon_build.sources.html import read_page
from waon_build.sources.select import Select
from waon_build.sources.warc import html_pages

tests: Any = SourceFileLoader("mirror", str(Path(__file__).parents[1] / "tests/sources/conftest.py")).load_module()

CRAWL = "CC-MAIN-2025-13"
JAPANESE = "夕暮れの海辺を歩きながら、昔の港町の写真を撮りました。灯台の下で猫が眠っています。"
ENGLISH = "The quick brown fox jumps over the lazy dog while the harbour lights come on, one by one."


def pages(count: int) -> list[Any]:
    """Pages of about 20 kB, whose text does not repeat."""
    chance = random.Random(1)
    found = []
    for number in range(count):
        japanese = number % 20 == 0
        text, word, language = (JAPANESE, "灯台の写真", "jpn") if japanese else (ENGLISH, "a lighthouse", "eng")
        rows = "".join(
            f'<li><a href="/p/{chance.getrandbits(64):x}">{text[: chance.randrange(20, 60)]}</a>'
            f"<p>{text} {chance.getrandbits(256):x}</p></li>"
            for _ in range(60)
        )
        images = "".join(
            f'<img src="/i/{number}/{n}.jpg" alt="{word} {n}">'
            if n % 2
            else f'<figure><img src="/i/{number}/{n}.jpg"><figcaption>{word} {n}</figcaption></figure>'
            for n in range(10)
        )
        html = f"<html lang={language[:2]}><head><title>{word}</title></head><body>{rows}{images}</body></html>"
        found.append(tests.Page(f"https://a.example/{number}", html, language))
    return found


def ours_by_warc(path: Path) -> tuple[int, int]:
    """(pages, candidates) of one file."""
    count = rows = 0
    settings = ExtractSettings()
    with path.open("rb") as file:
        for page in html_pages(file, path.name, settings.max_page_bytes, lambda reason: None, print):
            count += 1
            rows += len(read_page(page.url, page.headers, page.body, "ja", settings).candidates)
    return count, rows


def ours_by_wat(path: Path) -> tuple[int, int]:
    count = rows = 0
    with path.open("rb") as file:
        for read in wat.read_pages(file, path.name, "ja", ExtractSettings(), lambda reason: None, print):
            count += 1
            rows += len(read.page.candidates)
    return count, rows


def cc2datasets_way(path: Path) -> tuple[int, int]:
    count = rows = 0
    with path.open("rb") as file:
        for record in ArchiveIterator(file, parse_http=False):
            try:
                envelope = json.loads(record.reader.read())["Envelope"]
                html = envelope["Payload-Metadata"]["HTTP-Response-Metadata"]["HTML-Metadata"]
            except (ValueError, KeyError):
                continue
            count += 1
            base = html.get("Head", {}).get("Base") or envelope["WARC-Header-Metadata"]["WARC-Target-URI"]
            for link in html.get("Links", []):
                if link.get("path") == "IMG@/src" and link.get("alt"):
                    url = urljoin(base, link["url"])
                    hashlib.md5((link["alt"] + url).encode()).hexdigest()
                    rows += 1
    return count, rows


def compare_files(root: Path, rounds: int) -> None:
    (warc,), (wats,) = root.rglob("*.warc.gz"), root.rglob("*.wat.gz")
    print(f"one WARC file of {warc.stat().st_size:,} bytes, its WAT file of {wats.stat().st_size:,}")
    measured: list[tuple[str, Callable[[Path], tuple[int, int]], Path]] = [
        ("WARC, ours", ours_by_warc, warc),
        ("WAT, ours", ours_by_wat, wats),
        ("WAT, cc2dataset's way", cc2datasets_way, wats),
    ]
    seconds: dict[str, list[float]] = {name: [] for name, *_ in measured}
    counts = {name: read(path) for name, read, path in measured}  # and models are loaded
    for _ in range(rounds):
        for name, read, path in measured:
            started = time.process_time()
            read(path)
            seconds[name].append(time.process_time() - started)
    whole = statistics.median(seconds["WARC, ours"])
    for name, (count, rows) in counts.items():
        middle = statistics.median(seconds[name])
        print(
            f"  {name}: {count / middle:,.0f} pages a second of processor time ({whole / middle:.1f} times WARC), "
            f"{rows:,} candidates; 40,000 pages in {40_000 * middle / count:.0f} s"
        )


def run(recipe: Recipe) -> tuple[float, int]:
    """Processor seconds of select and extract, and the image references that they gave."""
    corpus = Corpus(recipe.corpus)
    started = time.process_time()
    for stage in pipeline.stages(recipe):
        if stage.name in ("select", "extract"):
            for part in pipeline.begin(stage, corpus)[0]:
                stage.run(corpus, part)
    return time.process_time() - started, sum(tally.rows.kept for tally in corpus.tallies("extract"))


def compare_ways(root: Path, corpora: Path, rounds: int) -> None:
    """All ways from a served snapshot to candidates: bytes that were sent, and processor time (the server's, which
    runs in this process, included)."""
    server, served = tests.serve(root)
    warcs = [f"{served.url}{path.relative_to(root)}" for path in root.rglob("*.warc.gz")]
    common = {"kind": "common_crawl", "snapshots": [CRAWL], "location": served.url}
    ways: dict[str, dict[str, Any]] = {
        "whole WARC files": {"kind": "warc", "paths": warcs},
        "index, then ranges": common,
        "WAT, then ranges": {**common, "select": "wat"},
        "WAT alone": {**common, "select": "wat", "read": "wat"},
    }
    print("from a snapshot on a server to candidates")
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    sent: dict[str, tuple[int, int, int]] = {}
    for number in range(rounds):
        for name, source in ways.items():
            served.asked.clear()
            corpus = str(corpora / f"{number}-{name.replace(' ', '-')}")
            took, rows = run(Recipe(name="x", corpus=corpus, sources=[source]))  # type: ignore[list-item]
            seconds[name].append(took)
            sent[name] = (served.bytes, len(served.asked), rows)
    whole = sent["whole WARC files"]
    for name, (count, asked, rows) in sent.items():
        middle = statistics.median(seconds[name])
        print(
            f"  {name}: {count:,} bytes ({count / whole[0]:.1%}), {asked} requests, {middle:.2f} s, "
            f"{rows:,} candidates ({rows / whole[2]:.0%})"
        )
    server.shutdown()
    server.server_close()


def compare_index(root: Path, rows: int, corpora: Path) -> None:
    """How fast one index file is counted and chosen from, and how much of it is read."""
    path = root / f"cc-index/table/cc-main/warc/crawl={CRAWL}/subset=warc/part-00001-b.c000.gz.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    chance = random.Random(1)
    with pq.ParquetWriter(path, tests.INDEX, compression="gzip") as writer:
        for start in range(0, rows, 100_000):
            count = min(100_000, rows - start)
            columns: dict[str, Any] = {
                name: pa.nulls(count, kind) for name, kind in zip(tests.INDEX.names, tests.INDEX.types, strict=True)
            }
            addresses = [f"a{start + n >> 5}.example/{chance.getrandbits(96):x}" for n in range(count)]
            columns |= {
                "url_surtkey": addresses,
                "url": [f"https://{address}" for address in addresses],
                "url_path": addresses,
                "content_digest": [f"{chance.getrandbits(160):x}" for _ in range(count)],
                "fetch_status": pa.array([200] * count, pa.int16()),
                "content_mime_detected": ["text/html"] * count,
                "content_languages": [("jpn" if chance.random() < 0.05 else "eng") for _ in range(count)],
                "warc_filename": [f"crawl-data/{CRAWL}/warc/{chance.randrange(90_000)}.warc.gz" for _ in range(count)],
                "warc_record_offset": pa.array([chance.randrange(10**9) for _ in range(count)], pa.int32()),
                "warc_record_length": pa.array([20_000] * count, pa.int32()),
            }
            writer.write_table(pa.table(columns, schema=tests.INDEX))
    tests.Mirror(root)._list(CRAWL, "cc-index-table.paths.gz", str(path.relative_to(root)))
    server, served = tests.serve(root)
    source = {"kind": "common_crawl", "snapshots": [CRAWL], "location": served.url}
    recipe = Recipe(name="x", corpus=str(corpora / "index"), sources=[source])  # type: ignore[list-item]
    corpus, stage = Corpus(recipe.corpus), Select(recipe)
    part = next(part for part in stage.inputs(corpus) if "00001" in part.name)
    served.asked.clear()
    started = time.perf_counter()
    tally = stage.run(corpus, part)
    seconds = time.perf_counter() - started
    print(
        f"an index file of {rows:,} rows and {path.stat().st_size:,} bytes: {rows / seconds:,.0f} rows a second, "
        f"{tally.rows.kept:,} selected, {served.bytes / path.stat().st_size:.0%} of it read in "
        f"{len(served.asked)} requests"
    )
    server.shutdown()
    server.server_close()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pages", type=int, default=2000)
    arguments.add_argument("--rows", type=int, default=2_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        mirror = tests.Mirror(Path(folder, "mirror"))
        mirror.add(CRAWL, pages(chosen.pages), per_file=chosen.pages)
        compare_files(mirror.root, chosen.rounds)
        compare_ways(mirror.root, Path(folder, "corpora"), chosen.rounds)
        compare_index(mirror.root, chosen.rows, Path(folder, "corpora"))


if __name__ == "__main__":
    main()
