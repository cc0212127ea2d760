"""WARC files: pages come out whole, what is no page leaves a reason, damage gives what can be read."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import time
import zlib
from collections import Counter
from pathlib import Path

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from waon_build.records import InputError
from waon_build.sources.warc import Response, html_pages

PAGE = "<html lang=ja><p>鳥居の写真です</p></html>".encode() * 20


def chunked(body: bytes) -> bytes:
    pieces = [body[at : at + 100] for at in range(0, len(body), 100)]
    return b"".join(b"%x;ext=1\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def bare_deflate(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(body) + stream.flush()


def archive(*bodies: tuple[bytes, dict[str, str]], compress: bool = True, status: str = "200 OK") -> bytes:
    stream = io.BytesIO()
    writer = WARCWriter(stream, gzip=compress)
    writer.write_record(writer.create_warcinfo_record("x.warc.gz", {"software": "test"}))
    for number, (body, headers) in enumerate(bodies):
        http = StatusAndHeaders(status, [("Content-Type", "text/html"), *headers.items()], protocol="HTTP/1.1")
        record = writer.create_warc_record(
            f"http://a.example/{number}", "response", payload=io.BytesIO(body), http_headers=http
        )
        writer.write_record(record)
    return stream.getvalue()


class Reading:
    """What came of one archive."""

    def __init__(self, data: bytes, name: str = "x.warc.gz", limit: int = 1_000_000) -> None:
        self.skipped: Counter[str] = Counter()
        self.problems: list[str] = []
        self.pages: list[Response] = list(
            html_pages(io.BytesIO(data), name, limit, lambda why: self.skipped.update([str(why)]), self.problems.append)
        )


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize(
    ("encode", "headers"),
    [
        (bytes, {}),
        (chunked, {"Transfer-Encoding": "chunked"}),
        (gzip.compress, {"Content-Encoding": "gzip"}),
        (zlib.compress, {"Content-Encoding": "deflate"}),
        (bare_deflate, {"Content-Encoding": "deflate"}),
        (brotli.compress, {"Content-Encoding": "br"}),
        (lambda body: chunked(gzip.compress(body)), {"Content-Encoding": "GZIP", "Transfer-Encoding": "chunked"}),
        (bytes, {"Content-Encoding": "gzip", "Transfer-Encoding": "chunked"}),
    ],
    ids=["plain", "chunked", "gzip", "deflate", "bare deflate", "brotli", "both", "neither though it says both"],
)
def test_a_page_comes_out_as_its_author_wrote_it(encode, headers: dict[str, str], compress: bool) -> None:
    found = Reading(archive((encode(PAGE), headers), compress=compress))
    assert [page.body for page in found.pages] == [PAGE]
    assert found.pages[0].url == "http://a.example/0"
    assert found.skipped == {"not_a_response": 1}
    assert found.problems == []


def test_an_offset_is_where_the_record_begins() -> None:
    data = archive((PAGE, {}), (PAGE, {}))
    second = Reading(data).pages[1]
    assert Reading(data[second.offset :]).pages[0].url == second.url


def test_what_is_no_page_leaves_its_reason() -> None:
    assert Reading(archive((PAGE, {}), status="404 Not Found")).skipped["not_ok"] == 1
    stream = io.BytesIO()
    writer = WARCWriter(stream, gzip=True)
    writer.write_record(
        writer.create_revisit_record("http://a.example/", "sha1:X", "http://a.example/", "2020-01-01T00:00:00Z")
    )
    writer.write_record(
        writer.create_warc_record("http://a.example/", "request", payload=io.BytesIO(b"GET / HTTP/1.1\r\n\r\n"))
    )
    assert Reading(stream.getvalue()).skipped == {"revisit_record": 1, "not_a_response": 1}


def test_a_truncated_file_gives_what_can_be_read_and_says_where_it_broke() -> None:
    import random

    noise = random.Random(1).randbytes(200_000).hex().encode()
    data = archive((PAGE, {}), (b"<html>" + noise, {}))
    found = Reading(data[:-50_000])
    assert [page.url for page in found.pages] == ["http://a.example/0", "http://a.example/1"]
    assert "x.warc.gz@" in found.problems[0]
    assert "truncated_record" in found.problems[0]


def test_after_a_damaged_member_reading_goes_on_and_the_loss_is_said() -> None:
    first = archive((PAGE, {}))
    damaged = bytearray(archive((PAGE, {})))
    damaged[20:] = bytes(byte ^ 0xFF for byte in damaged[20:])
    found = Reading(first + bytes(damaged) + first)
    assert [page.url for page in found.pages] == ["http://a.example/0", "http://a.example/0"]
    assert found.problems


def test_a_network_that_breaks_off_is_no_damage_of_the_file() -> None:
    """The part must fail and be tried again, not be committed as if the file ended there."""
    data = archive((PAGE, {}), (PAGE, {}), (PAGE, {}))

    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > len(data) // 2:
                raise ConnectionResetError(104, "Connection reset by peer")
            return super().read(min(size or 100, 100))

    with pytest.raises(ConnectionResetError):
        list(html_pages(Breaking(data), "x.warc.gz", 1_000_000, lambda why: None, lambda text: None))


def test_an_address_of_more_than_4096_characters_is_none() -> None:
    stream = io.BytesIO()
    http = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.1")
    writer = WARCWriter(stream, gzip=True)
    for url in ("http://a.example" + "/" * 5_000, "http://a.example" + "/" * 4_000):
        writer.write_record(writer.create_warc_record(url, "response", payload=io.BytesIO(PAGE), http_headers=http))
    found = Reading(stream.getvalue())
    assert (len(found.pages), found.skipped) == (1, {"bad_address": 1})


@pytest.mark.parametrize("url", ["https://[bad/", "https://a.example:99999/", "https://:80/"])
def test_one_address_that_is_none_costs_its_record_alone(url: str) -> None:
    stream = io.BytesIO()
    writer = WARCWriter(stream, gzip=True)
    http = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.1")
    for one in (url, "https://a.example/"):
        writer.write_record(writer.create_warc_record(one, "response", payload=io.BytesIO(PAGE), http_headers=http))
    found = Reading(stream.getvalue())
    assert ([page.url for page in found.pages], found.skipped) == (["https://a.example/"], {"bad_address": 1})


@pytest.mark.parametrize("compress", [True, False])
def test_a_record_that_cannot_be_read_is_counted_and_those_after_it_are_read(compress: bool) -> None:
    bodies = [(PAGE, {"X-Long": "a" * 70_000} if number == 1 else {}) for number in range(12)]
    found = Reading(archive(*bodies, compress=compress), "x.warc.gz" if compress else "x.warc")
    assert {page.url for page in found.pages} >= {f"http://a.example/{n}" for n in range(12) if n != 1}
    assert len(found.pages) + found.skipped["record_unreadable"] == 12
    assert len(found.pages) == 12 or found.problems


def test_a_damaged_body_takes_time_that_grows_with_its_length() -> None:
    whole = gzip.compress(b"".join(b"<p>%d</p>" % (number * number) for number in range(1_500_000)))
    started = time.monotonic()
    damaged = whole[:-5000] + b"\xff" * 5000
    found = Reading(archive((damaged, {"Content-Encoding": "gzip"})), limit=50_000_000)
    assert len(found.pages[0].body) > 15_000_000
    assert time.monotonic() - started < 10


def test_a_body_of_many_empty_gzip_members_ends_soon() -> None:
    started = time.monotonic()
    Reading(archive((gzip.compress(b"") * 200_000, {"Content-Encoding": "gzip"})), limit=10_000_000)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("data", [b"", b"this is no archive" * 100, b"\x1f\x8bbroken" * 100, b"<html></html>"])
def test_what_is_no_archive_at_all_is_bad_input(data: bytes) -> None:
    with pytest.raises(InputError, match="is not a WARC file"):
        Reading(data)


def test_a_compression_bomb_stops_at_the_limit() -> None:
    bomb = gzip.compress(b"<html>" + b"\x20" * 50_000_000)
    found = Reading(archive((bomb, {"Content-Encoding": "gzip"})), limit=1000)
    assert len(found.pages[0].body) == 1001


@given(st.binary(max_size=400), st.integers(0, 600), st.integers(0, 255))
def test_no_damage_crashes_the_reader(body: bytes, at: int, byte: int) -> None:
    data = bytearray(archive((body, {"Transfer-Encoding": "chunked"}), (PAGE, {})))
    data[at % len(data)] = byte
    with contextlib.suppress(InputError):
        Reading(bytes(data))


def test_every_real_archive_gives_what_warcio_reads_or_better(shared_data: Path) -> None:
    observed = json.loads((shared_data / "warc" / "observed.json").read_text(encoding="utf-8"))["files"]
    assert len(observed) > 30
    for name, truth in observed.items():
        found = Reading((shared_data / "warc" / name).read_bytes(), name, 10_000_000)
        records = len(found.pages) + found.skipped.total()
        assert records >= sum(truth["records"].values()), name
