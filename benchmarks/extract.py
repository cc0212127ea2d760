"""HTML to candidates: pages a second of one process, against warcio with BeautifulSoup, in one run.

The baseline does what WAON's own script does: every `img` with a `src`, its figure caption or alternative
text, joined to the page. Ours does all that, and decides on language and rights.

    python benchmarks/extract.py [--warc FILE.warc.gz] [--pages 300]
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

from bs4 import BeautifulSoup
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from waon_build.recipe import ExtractSettings
from waon_build.sources.html import read_page
from waon_build.sources.warc import html_pages

SENTENCE = "<p>夕暮れの海辺を歩きながら、昔の港町の写真を撮りました。<b>灯台</b>の下で猫が眠っています。</p>"
ENGLISH = "<p>The quick brown fox jumps over the lazy dog while the harbour lights come on, one by one.</p>"


def write_pages(path: Path, count: int) -> None:
    """A WARC of generated pages; one in twenty is Japanese, as in Common Crawl."""
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=True)
        for number in range(count):
            text = SENTENCE if number % 20 == 0 else ENGLISH
            word = "灯台の写真" if number % 20 == 0 else "a lighthouse"
            images = "".join(
                f'<figure><img src="/i/{number}/{n}.jpg" alt="{n}"><figcaption>{word} {n}</figcaption></figure>'
                for n in range(10)
            )
            rows = "".join(f'<li class="c{n}"><a href="/p/{n}">{text}</a></li>' for n in range(60))
            body = f"<html><head><title>t</title></head><body><ul>{rows}</ul>{images}</body></html>".encode()
            http = StatusAndHeaders("200 OK", [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
            record = writer.create_warc_record(
                f"http://a.example/{number}", "response", payload=io.BytesIO(body), http_headers=http
            )
            writer.write_record(record)


def baseline(path: Path, parser: str) -> tuple[int, int]:
    """Pages and pairs by warcio and BeautifulSoup."""
    pages = pairs = 0
    with path.open("rb") as file:
        for record in ArchiveIterator(file):
            if record.rec_type != "response" or "html" not in (record.http_headers.get_header("Content-Type") or ""):
                continue
            pages += 1
            url = record.rec_headers.get_header("WARC-Target-URI")
            soup = BeautifulSoup(record.content_stream().read(), parser)
            for image in soup.find_all("img", src=True):
                figure = image.find_parent("figure")
                caption = figure.find("figcaption") if figure else None
                if (caption.get_text(strip=True) if caption else "") or image.get("alt"):
                    urljoin(url, image["src"])
                    pairs += 1
    return pages, pairs


def ours(path: Path) -> tuple[int, int]:
    pages = pairs = 0
    settings = ExtractSettings()
    with path.open("rb") as file:
        for page in html_pages(file, path.name, settings.max_page_bytes, lambda reason: None, print):
            pages += 1
            pairs += len(read_page(page.url, page.headers, page.body, "ja", settings).candidates)
    return pages, pairs


def measure(name: str, run: Callable[[], tuple[int, int]]) -> float:
    started = time.process_time()
    pages, pairs = run()
    speed = pages / (time.process_time() - started)
    print(f"  {name}: {speed:,.0f} pages a second of processor, {pairs:,} pairs of {pages:,} pages")
    return speed


def compare(name: str, path: Path) -> None:
    print(name)
    ours(path)  # loads the language model once
    slow = {parser: measure(f"warcio + BeautifulSoup ({parser})", lambda: baseline(path, parser)) for parser in PARSERS}  # noqa: B023
    fast = measure("waon_build", lambda: ours(path))
    for parser, speed in slow.items():
        print(f"  {fast / speed:.1f} times {parser}")


PARSERS = ["html.parser"]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--warc", type=Path, action="append", default=[])
    arguments.add_argument("--pages", type=int, default=300)
    chosen = arguments.parse_args()
    try:
        import lxml  # noqa: F401

        PARSERS.append("lxml")
    except ImportError:
        print("lxml is not installed: the baseline is html.parser alone", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "made.warc.gz")
        write_pages(made, chosen.pages)
        compare(f"{chosen.pages} generated pages, 1 in 20 Japanese", made)
    for path in chosen.warc:
        compare(path.name, path)


if __name__ == "__main__":
    main()
