"""Common Crawl in small: WARC, WAT, columnar index and lists in the real layout, and a server of them that counts.

The WAT records are made from the pages with Python's own parser, as ia-web-commons makes them: nothing here is
shared with the project.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

INDEX = pa.schema(
    [
        *((name, pa.string()) for name in ("url_surtkey", "url", "url_host_name", "url_host_tld")),
        *((f"url_host_{part}_last_part", pa.string()) for part in ("2nd", "3rd", "4th", "5th")),
        ("url_host_registry_suffix", pa.string()),
        ("url_host_registered_domain", pa.string()),
        ("url_host_private_suffix", pa.string()),
        ("url_host_private_domain", pa.string()),
        ("url_host_name_reversed", pa.string()),
        ("url_protocol", pa.string()),
        ("url_port", pa.int32()),
        ("url_path", pa.string()),
        ("url_query", pa.string()),
        ("fetch_time", pa.timestamp("ms")),
        ("fetch_status", pa.int16()),
        ("fetch_redirect", pa.string()),
        *((f"content_{name}", pa.string()) for name in ("digest", "mime_type", "mime_detected", "charset")),
        ("content_languages", pa.string()),
        ("content_truncated", pa.string()),
        ("warc_filename", pa.string()),
        ("warc_record_offset", pa.int32()),
        ("warc_record_length", pa.int32()),
        ("warc_segment", pa.string()),
    ]
)
"""Source: commoncrawl/cc-index-table, `cc-index-schema-flat.json`."""


@dataclass
class Page:
    """One capture. languages: as the index has them."""

    url: str
    html: str
    languages: str | None = "jpn"
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    mime: str = "text/html"


class _Tags(HTMLParser):
    """What ia-web-commons keeps of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.head: dict[str, Any] = {}
        self.links: list[dict[str, str]] = []
        self._title: list[str] | None = None
        self._anchor: dict[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}

        def link(path: str, url: str, *further: str) -> dict[str, str]:
            return {"path": path, "url": said[url], **{name: said[name] for name in further if name in said}}

        if tag == "html":
            metas = [{"name": f"HTML@/{name}", "content": said[name]} for name in ("lang", "xml:lang") if name in said]
            self.head.setdefault("Metas", []).extend(metas)
        elif tag == "meta":
            kept = {name: said[name] for name in ("name", "rel", "content", "http-equiv", "property") if name in said}
            self.head.setdefault("Metas", []).append(kept)
        elif tag == "base" and "href" in said:
            self.head["Base"] = said["href"]
        elif tag == "link" and "href" in said:
            self.head.setdefault("Link", []).append(link("LINK@/href", "href", "rel", "type"))
        elif tag == "title":
            self._title = []
        elif tag == "img" and "src" in said:
            self.links.append(link("IMG@/src", "src", "alt", "title"))
        elif tag == "a" and "href" in said:
            self._anchor = link("A@/href", "href", "title", "rel")
            self.links.append(self._anchor)

    def handle_data(self, data: str) -> None:
        if self._title is not None:
            self._title.append(data)
        if self._anchor is not None and data.strip():
            self._anchor["text"] = (self._anchor.get("text", "") + data.strip())[:128]

    def handle_endtag(self, tag: str) -> None:
        if tag == "title" and self._title is not None:
            self.head.setdefault("Title", "".join(self._title).strip()[:128])
            self._title = None
        elif tag == "a":
            self._anchor = None


def envelope(page: Page, archive: str, offset: int, length: int) -> dict[str, Any]:
    """The JSON of one page's record, as Common Crawl writes it."""
    tags = _Tags()
    tags.feed(page.html)
    html = {"Head": tags.head, **({"Links": tags.links} if tags.links else {})}
    response = {
        "Response-Message": {"Status": str(page.status), "Version": "HTTP/1.1", "Reason": "OK"},
        "Headers": {"Content-Type": f"{page.mime}; charset=utf-8", **page.headers},
        "Headers-Length": "200",
        **({"HTML-Metadata": html} if page.mime == "text/html" else {}),
    }
    return {
        "Container": {
            "Filename": archive,
            "Compressed": True,
            "Offset": str(offset),
            "Gzip-Metadata": {"Header-Length": "10", "Deflate-Length": str(length - 18), "Footer-Length": "8"},
        },
        "Envelope": {
            "Format": "WARC/1.0",
            "WARC-Header-Metadata": {
                "WARC-Type": "response",
                "WARC-Date": "2025-03-15T12:00:00Z",
                "WARC-Target-URI": page.url,
                "Content-Type": "application/http; msgtype=response",
            },
            "Payload-Metadata": {
                "Actual-Content-Type": "application/http; msgtype=response",
                "HTTP-Response-Metadata": response,
            },
        },
    }


def as_json(record: dict[str, Any]) -> str:
    """As Common Crawl writes it: without spaces or escapes."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


class Archives:
    """A WARC file and its WAT file being written, in memory. places: (page, offset, length) of each capture."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.warc, self.wat = io.BytesIO(), io.BytesIO()
        self._warc, self._wat = WARCWriter(self.warc, gzip=True), WARCWriter(self.wat, gzip=True)
        self._warc.write_record(self._warc.create_warcinfo_record(name, {"isPartOf": "CC-MAIN"}))
        self._wat.write_record(self._wat.create_warcinfo_record(name, {"isPartOf": "CC-MAIN"}))
        self.places: list[tuple[Page, int, int]] = []

    def add(self, page: Page) -> None:
        request = StatusAndHeaders("GET / HTTP/1.1", [("User-Agent", "CCBot/2.0")], is_http_request=True)
        self._warc.write_record(
            self._warc.create_warc_record(page.url, "request", payload=io.BytesIO(b""), http_headers=request)
        )
        offset = self.warc.tell()
        headers = [("Content-Type", f"{page.mime}; charset=utf-8"), *page.headers.items()]
        response = StatusAndHeaders(f"{page.status} OK", headers, protocol="HTTP/1.1")
        self._warc.write_record(
            self._warc.create_warc_record(
                page.url,
                "response",
                payload=io.BytesIO(page.html.encode()),
                http_headers=response,
                warc_headers_dict={"WARC-Date": "2025-03-15T12:00:00Z"},
            )
        )
        length = self.warc.tell() - offset
        self.places.append((page, offset, length))
        request_only = {"Envelope": {"Payload-Metadata": {"HTTP-Request-Metadata": {"Headers": {}}}}}
        self.add_record(page.url, as_json(request_only))
        self.add_record(page.url, as_json(envelope(page, self.name, offset, length)))

    def add_record(self, url: str, text: str) -> None:
        """Write one record of the WAT file, as it is."""
        payload = io.BytesIO(text.encode())
        record = self._wat.create_warc_record(url, "metadata", payload=payload, warc_content_type="application/json")
        self._wat.write_record(record)


class Mirror:
    """A folder laid out like Common Crawl's bucket."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def add(
        self, snapshot: str, pages: list[Page], per_file: int = 1000, rows_per_group: int = 1000, index: str = "00000"
    ) -> list[Archives]:
        """Publish pages as WARC files of `per_file` pages, with their WAT files, in one index file."""
        segment = f"crawl-data/{snapshot}/segments/1700000000000.1"
        written, rows = [], []
        there = len(list((self.root / segment / "warc").glob("*")))
        for number in range(0, len(pages), per_file):
            name = f"CC-MAIN-20250315-{there + number // per_file:05d}.warc.gz"
            archives = Archives(name)
            for page in pages[number : number + per_file]:
                archives.add(page)
            self.write(f"{segment}/warc/{name}", archives.warc.getvalue())
            wat = f"{segment}/wat/{name.removesuffix('.gz')}.wat.gz"
            self.write(wat, archives.wat.getvalue())
            self._list(snapshot, "warc.paths.gz", f"{segment}/warc/{name}")
            self._list(snapshot, "wat.paths.gz", wat)
            rows += [_row(page, f"{segment}/warc/{name}", *place) for page, *place in archives.places]
            written.append(archives)
        self.add_index(snapshot, rows, rows_per_group, index)
        collinfo = [{"id": path.name, "name": path.name} for path in sorted((self.root / "crawl-data").glob("CC-*"))]
        self.write("collinfo.json", json.dumps(collinfo[::-1]).encode())
        return written

    def add_index(
        self, snapshot: str, rows: list[dict[str, Any]], rows_per_group: int = 1000, name: str = "00000"
    ) -> str:
        """Write an index file; returns its path."""
        path = f"cc-index/table/cc-main/warc/crawl={snapshot}/subset=warc/part-{name}-a1b2.c000.gz.parquet"
        table = pa.Table.from_pylist(rows, schema=INDEX)
        data = io.BytesIO()
        pq.write_table(table, data, compression="gzip", row_group_size=rows_per_group)
        self.write(path, data.getvalue())
        self._list(snapshot, "cc-index-table.paths.gz", path.replace("subset=warc", "subset=crawldiagnostics"))
        self._list(snapshot, "cc-index-table.paths.gz", path)
        return path

    def write(self, path: str, data: bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def _list(self, snapshot: str, name: str, path: str) -> None:
        place = self.root / "crawl-data" / snapshot / name
        lines = gzip.decompress(place.read_bytes()).decode().split() if place.exists() else []
        if path not in lines:
            self.write(
                f"crawl-data/{snapshot}/{name}", gzip.compress("".join(f"{one}\n" for one in [*lines, path]).encode())
            )


def _row(page: Page, warc: str, offset: int, length: int) -> dict[str, Any]:
    host = urlsplit(page.url).hostname or ""
    return {
        "url_surtkey": ",".join(reversed(host.split("."))) + ")" + urlsplit(page.url).path,
        "url": page.url,
        "url_host_name": host,
        "url_host_tld": host.rpartition(".")[2],
        "fetch_time": datetime(2025, 3, 15, 12, tzinfo=UTC),
        "fetch_status": page.status,
        "content_digest": f"{hash(page.html) & (1 << 64) - 1:032x}",
        "content_mime_type": page.mime,
        "content_mime_detected": page.mime,
        "content_charset": "UTF-8",
        "content_languages": page.languages,
        "warc_filename": warc,
        "warc_record_offset": offset,
        "warc_record_length": length,
        "warc_segment": "1700000000000.1",
    }


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Mirror(tmp_path / "mirror")


class Counting:
    """A server of a folder that knows ranges. asked: (method, path, range, bytes sent). agents: who asked. answers:
    called with a path before it is served; a (status, headers) that it returns is sent instead."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}/"
        self.asked: list[tuple[str, str, str, int]] = []
        self.agents: set[str] = set()
        self.answers: Callable[[str], tuple[int, dict[str, str]] | None] = lambda path: None

    @property
    def bytes(self) -> int:
        return sum(sent for *_, sent in self.asked)

    def of(self, ending: str) -> list[tuple[str, str, str, int]]:
        return [one for one in self.asked if one[1].endswith(ending) and one[0] == "GET"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root: Path
    counting: Counting

    def log_message(self, *_: Any) -> None: ...

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        asked, file = self.headers.get("Range") or "", self.root / self.path.lstrip("/")
        status, headers, data = 200, {"ETag": '"0"'}, b""
        if (instead := self.counting.answers(self.path)) is not None:
            status, headers = instead
        elif not file.is_file():
            status = 404
        else:
            headers["ETag"] = f'"{file.stat().st_mtime_ns}"'
            size = file.stat().st_size
            begin, end = 0, size
            if found := re.fullmatch(r"bytes=(\d+)-(\d+)", asked):
                begin, end = int(found[1]), min(int(found[2]) + 1, size)
                status = 206 if begin < size else 416
                headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
            with file.open("rb") as stream:
                stream.seek(begin)
                data = stream.read(max(0, end - begin))
        sent = len(data) if self.command == "GET" else 0
        self.counting.agents.add(self.headers.get("User-Agent") or "")
        self.counting.asked.append((self.command, self.path, asked, sent))
        self.send_response(status)
        for name, value in {**headers, "Accept-Ranges": "bytes", "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if sent:
            self.wfile.write(data)


def serve(root: Path) -> tuple[ThreadingHTTPServer, Counting]:
    """A server of a folder, running; shut it down."""
    handler = type("Handler", (_Handler,), {"root": root})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    handler.counting = Counting(server)  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server, handler.counting  # type: ignore[attr-defined]


@pytest.fixture
def served(mirror: Mirror) -> Iterator[Counting]:
    """The mirror, on loopback."""
    server, counting = serve(mirror.root)
    yield counting
    server.shutdown()
    server.server_close()


@pytest.fixture
def page() -> type[Page]:
    return Page


@pytest.fixture
def archives() -> type[Archives]:
    return Archives


@pytest.fixture
def wat_record() -> Callable[[str], dict[str, Any]]:
    """The JSON of the record of a page with this HTML."""
    return lambda html: envelope(Page("https://a.example/", html), "CC-MAIN-20250315-00000.warc.gz", 1000, 500)
