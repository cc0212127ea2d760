"""HTML to candidates: pages a second of one process, against two peers that write the same rows, in one run.

`warcio + BeautifulSoup` does what WAON's `goodhtml2pair.py` does: every `img` with a `src`, its figure caption or
else its alternative text, joined to the page, as rows of `url`, `caption`, `page_title`, `page_url`. It decides on
neither language nor rights and keeps no context, all of which ours does: the comparison is generous. `WAON's way`
decides on language as `html2goodhtml.py` does before that (trafilatura's text and title, lingua on the text); it
is measured where both are installed, which no extra of ours does:
`pip install trafilatura lingua-language-detector lxml_html_clean`.

Rounds are interleaved, a measurement takes a second at least, and the median round counts.

    python benchmarks/extract.py [--warc FILE.warc.gz] [--pages 300] [--rounds 3]
"""

from __future__ import annotations

import argparse
import gc
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from bs4 import BeautifulSoup
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from waon_build.recipe import ExtractSettings
from waon_build.sources.html import read_page
from waon_build.sources.warc import html_pages

try:
    import lxml
except ImportError:
    lxml = None
try:
    import lingua
    import trafilatura
    from trafilatura.deduplication import LRU_TEST
except ImportError:
    trafilatura = None

JAPANESE = "<p>夕暮れの海辺を歩きながら、昔の港町の写真を撮りました。<b>灯台</b>の下で猫が眠っています。</p>"
ENGLISH = "<p>The quick brown fox jumps over the lazy dog while the harbour lights come on, one by one.</p>"

Extract = Callable[[Path], tuple[int, int]]
"""Reads one file of pages; how many pages and how many rows there were."""


def write_pages(path: Path, count: int, japanese_every: int, paragraphs: int, images: int) -> None:
    """A WARC of generated pages, of which one in `japanese_every` is Japanese."""
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=True)
        for number in range(count):
            japanese = number % japanese_every == 0
            text, word = (JAPANESE, "灯台の写真") if japanese else (ENGLISH, "a lighthouse")
            figures = "".join(
                f'<figure><img src="/i/{number}/{n}.jpg" alt="{n}"><figcaption>{word} {n}</figcaption></figure>'
                for n in range(images)
            )
            rows = "".join(f'<li class="c{n}"><a href="/p/{n}">{text}</a></li>' for n in range(paragraphs))
            body = f"<html><head><title>t</title></head><body><ul>{rows}</ul>{figures}</body></html>".encode()
            http = StatusAndHeaders("200 OK", [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
            record = writer.create_warc_record(
                f"http://a.example/{number}", "response", payload=io.BytesIO(body), http_headers=http
            )
            writer.write_record(record)


def warcio_pages(path: Path) -> Iterator[tuple[str, bytes]]:
    """(address, body) of the pages of a file, by warcio."""
    with path.open("rb") as file:
        for record in ArchiveIterator(file):
            if record.rec_type == "response" and "html" in (record.http_headers.get_header("Content-Type") or ""):
                yield record.rec_headers.get_header("WARC-Target-URI"), record.content_stream().read()


def soup_rows(url: str, title: str, soup: BeautifulSoup) -> list[dict[str, str]]:
    rows = []
    for image in soup.find_all("img", src=True):
        figure = image.find_parent("figure")
        found = figure.find("figcaption") if figure else None
        caption = (found.get_text(strip=True) if found else "") or image.get("alt", "").strip()
        if caption:
            row = {"url": urljoin(url, image["src"]), "caption": caption, "page_title": title, "page_url": url}
            rows.append(row)
    return rows


def beautiful_soup(parser: str, path: Path) -> tuple[int, int]:
    pages = rows = 0
    for url, body in warcio_pages(path):
        pages += 1
        soup = BeautifulSoup(body, parser)
        rows += len(soup_rows(url, soup.title.get_text() if soup.title else "", soup))
    return pages, rows


def waons_way(detector: Any, path: Path) -> tuple[int, int]:
    LRU_TEST.clear()  # or the second reading of a file is nothing but repetitions, and is skipped
    pages = rows = 0
    for url, body in warcio_pages(path):
        pages += 1
        html = body.decode("utf-8", "replace")
        text = trafilatura.extract(
            html, favor_precision=True, include_comments=False, include_tables=False, deduplicate=True
        )
        title = trafilatura.extract_metadata(html).title if text else None
        if title and detector.detect_language_of(text) == lingua.Language.JAPANESE:
            rows += len(soup_rows(url, title, BeautifulSoup(html, "html.parser")))
    return pages, rows


def ours(path: Path) -> tuple[int, int]:
    pages = rows = 0
    settings = ExtractSettings()
    with path.open("rb") as file:
        for page in html_pages(file, path.name, settings.max_page_bytes, lambda reason: None, print):
            pages += 1
            rows += len(read_page(page.url, page.headers, page.body, "ja", settings).candidates)
    return pages, rows


def peers() -> dict[str, Extract]:
    found: dict[str, Extract] = {"warcio + BeautifulSoup (html.parser)": partial(beautiful_soup, "html.parser")}
    if lxml is None:
        print("lxml is not installed: BeautifulSoup is measured with html.parser alone")
    else:
        found["warcio + BeautifulSoup (lxml)"] = partial(beautiful_soup, "lxml")
    if trafilatura is None:
        print("trafilatura or lingua is not installed: WAON's way is not measured")
    else:
        detector = lingua.LanguageDetectorBuilder.from_all_spoken_languages().build()
        found["WAON's way (trafilatura, lingua, BeautifulSoup)"] = partial(waons_way, detector)
    return found


def speed(extract: Extract, path: Path) -> float:
    """Pages a second of processor time, over as many readings of the file as take a second."""
    gc.collect()  # what the one before left behind is not this one's work
    pages = 0
    started = time.process_time()
    while (seconds := time.process_time() - started) < 1:
        pages += extract(path)[0]
    return pages / seconds


def compare(name: str, path: Path, measured: dict[str, Extract], rounds: int) -> None:
    print(name)
    counts = {peer: extract(path) for peer, extract in measured.items()}  # and models are loaded
    speeds: dict[str, list[float]] = {peer: [] for peer in measured}
    for _ in range(rounds):
        for peer, extract in measured.items():
            speeds[peer].append(speed(extract, path))
    for peer, (pages, rows) in counts.items():
        ratios = sorted(one / other for one, other in zip(speeds["waon_build"], speeds[peer], strict=True))
        times = "" if peer == "waon_build" else f"; we are {statistics.median(ratios):.1f} times as fast"
        spread = f" ({ratios[0]:.1f} to {ratios[-1]:.1f})" if times and rounds > 1 else ""
        middle = statistics.median(speeds[peer])
        print(f"  {peer}: {middle:,.0f} pages a second, {rows:,} rows of {pages:,} pages{times}{spread}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--warc", type=Path, action="append", default=[])
    arguments.add_argument("--pages", type=int, default=300)
    arguments.add_argument("--rounds", type=int, default=3)
    chosen = arguments.parse_args()
    measured: dict[str, Extract] = {"waon_build": ours, **peers()}
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "made.warc.gz")
        write_pages(made, chosen.pages, japanese_every=20, paragraphs=60, images=10)
        compare(f"{chosen.pages} pages, 1 in 20 Japanese, as in Common Crawl", made, measured, chosen.rounds)
        write_pages(made, chosen.pages, japanese_every=1, paragraphs=10, images=10)
        compare(f"{chosen.pages} small pages, all Japanese, 10 images each", made, measured, chosen.rounds)
    for path in chosen.warc:
        compare(path.name, path, measured, chosen.rounds)


if __name__ == "__main__":
    main()
