"""WAT files: what they keep of a page is judged as the page itself is, its refusals first."""

from __future__ import annotations

import io
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from waon_build.corpus import Corpus
from waon_build.recipe import ExtractSettings, Recipe
from waon_build.records import Candidate
from waon_build.sources.html import read_page
from waon_build.sources.stage import Extract
from waon_build.sources.warc import html_pages
from waon_build.sources.wat import Read, is_wat, read_pages

TALK = "夕暮れの海辺を歩きながら、昔の港町の写真を撮りました。灯台の下で猫が眠っています。"
IMAGES = f"""
<img src="/i/1.jpg" alt="夕暮れの鳥居"> <img src="2.jpg" alt="港町の &amp; 灯台">
<img src="2.jpg" alt="港町の &amp; 灯台">
<img src="//cdn.example/3.jpg" title="厳島神社の大鳥居"> <img src="../4.jpg" alt=""> <img src="5.jpg">
<img src="data:image/gif;base64,R0" alt="空の写真"> <img src="ftp://a.example/6.jpg" alt="古い写真">
<img src="http://[bad/7.jpg" alt="壊れた住所"> <img src="" alt="住所なし"> <img src=" 8 .jpg " alt=" 余白の  ある説明 ">
<a href="/about">{TALK}</a>
"""
PAGES = {
    "images": f"<html lang=ja><title>港町の{' '}写真</title><body>{IMAGES}</body></html>",
    "base": f'<html lang=ja><base href="https://b.example/x/"><title>港町</title>{IMAGES}</html>',
    "licence": f'<html lang=ja><title>港町</title>{IMAGES}<a href="https://creativecommons.org/licenses/by/4.0/">CC</a>',
    "licence in the head": f'<html lang=ja><link rel="license" href="/l"><title>港町</title>{IMAGES}</html>',
    "no image": f"<html lang=ja><title>港町の写真</title><a href=/x>{TALK}</a></html>",
    "English": '<html lang=en><title>Harbour</title><img src="a.jpg" alt="A lighthouse"><a href="/x">More</a></html>',
    "Chinese": '<html lang=zh><title>中国新闻网今天报道</title><img src="a.jpg" alt="这是一张灯塔的照片"></html>',
    "refused": f'<html lang=ja><meta name="robots" content="noai"><title>港町</title>{IMAGES}</html>',
    "a statement": f'<html lang=ja><meta name="robots" content="max-snippet:5"><title>港町</title>{IMAGES}</html>',
}


class Reading:
    """What came of one WAT file."""

    def __init__(self, data: bytes, name: str = "x.warc.wat.gz", **settings: int) -> None:
        self.skipped: Counter[str] = Counter()
        self.problems: list[str] = []
        self.read: list[Read] = list(
            read_pages(
                io.BytesIO(data),
                name,
                "ja",
                ExtractSettings(**settings),
                lambda why: self.skipped.update([str(why)]),
                self.problems.append,
            )
        )

    @property
    def reasons(self) -> list[str | None]:
        return [read.page.reason and str(read.page.reason) for read in self.read]


def known(candidate: Candidate) -> tuple[Any, ...]:
    """All that WAT can know of a candidate."""
    return (*(getattr(candidate, name) for name in candidate.__dataclass_fields__ if name not in NOT_IN_WAT),)


NOT_IN_WAT = ("context", "captured_at")


def written(archives, pages: list[Any]) -> Any:
    found = archives("CC-MAIN-20250315-00000.warc.gz")
    for one in pages:
        found.add(one)
    return found


@pytest.mark.parametrize("name", PAGES)
def test_a_wat_record_gives_what_its_page_gives(name: str, page, archives) -> None:
    """Candidates, drops and reasons; the page has no figure, `srcset` or size, which WAT does not keep."""
    headers = {"Content-Language": "ja", "X-Robots-Tag": "max-image-preview:large"}
    both = written(archives, [page("https://a.example/d/page", PAGES[name], headers=headers)])
    (response,) = html_pages(io.BytesIO(both.warc.getvalue()), both.name, 10**6, lambda why: None, print)
    source = f"{both.name}@{response.offset}"
    expected = read_page(response.url, response.headers, response.body, "ja", ExtractSettings(), source)
    (read,) = Reading(both.wat.getvalue()).read
    assert read.page.reason == expected.reason
    assert [*map(known, read.page.candidates)] == [*map(known, expected.candidates)]
    assert [(known(one), why) for one, why in read.page.dropped] == [(known(one), why) for one, why in expected.dropped]
    if expected.reason is None or name == "refused":  # of others the JSON is not even read
        assert (read.archive, read.offset, read.captured_at) == (both.name, response.offset, response.captured_at)
        assert read.length == both.places[0][2]


@pytest.mark.parametrize(
    ("headers", "head"),
    [
        ({"X-Robots-Tag": "max-snippet:50, noimageai"}, ""),
        ({"x-robots-tag": "noindex"}, ""),
        ({"TDM-Reservation": "1"}, ""),
        ({"Content-Usage": "train-ai=n"}, ""),
        ({}, '<meta name="robots" content="noindex, noarchive">'),
        ({}, '<meta name="tdm-reservation" content="1">'),
        ({}, '<meta http-equiv="X-Robots-Tag" content="noml">'),
    ],
)
def test_a_refusal_is_seen_before_anything_is_asked_for(headers: dict[str, str], head: str, page, archives) -> None:
    html = f"<html lang=ja><head>{head}<title>港町</title></head>{IMAGES}</html>"
    both = written(archives, [page("https://a.example/", html, headers=headers)])
    assert Reading(both.wat.getvalue()).reasons == ["page_refused"]


def test_a_header_that_was_sent_twice_is_heard_twice(wat_record, archives) -> None:
    html = f"<html lang=ja><title>港町</title>{IMAGES}</html>"
    headers: Any = {"X-Robots-Tag": ["all", "otherbot: noindex", "noai"]}
    both = archives("x.warc.gz")
    record = wat_record(html)
    record["Envelope"]["Payload-Metadata"]["HTTP-Response-Metadata"]["Headers"] |= headers
    both.add_record("https://a.example/", json.dumps(record))
    assert Reading(both.wat.getvalue()).reasons == ["page_refused"]


def test_what_is_of_no_page_leaves_its_reason(page, archives) -> None:
    html = PAGES["images"]
    both = written(
        archives,
        [
            page("https://a.example/", html),
            page("https://a.example/gone", html, status=404),
            page("https://a.example/x.pdf", html, mime="application/pdf"),
            page("http://[bad/", html),
        ],
    )
    found = Reading(both.wat.getvalue())
    assert len(found.read) == 1
    assert found.skipped == {"not_a_response": 5, "not_ok": 1, "not_html": 1, "bad_address": 1}
    assert found.problems == []


@pytest.mark.parametrize(
    "text",
    [
        '{"Envelope": {"Payload-Metadata": {"HTTP-Response-Metadata": {',
        '{"HTTP-Response-Metadata": 1}',
        '{"Envelope": [], "x": {"HTTP-Response-Metadata": []}}',
        '{"HTTP-Response-Metadata":' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
)
def test_a_record_that_is_none_is_counted_and_those_after_it_are_read(text: str, page, archives) -> None:
    both = archives("x.warc.gz")
    both.add_record("https://a.example/", text)
    both.add(page("https://a.example/", PAGES["images"]))
    found = Reading(both.wat.getvalue())
    assert found.skipped["record_unreadable"] == 1
    assert "unreadable_envelope" in found.problems[0]
    assert found.reasons == [None]


def test_a_file_that_ends_in_the_middle_gives_what_can_be_read(page, archives) -> None:
    both = written(archives, [page(f"https://a.example/{n}", PAGES["images"]) for n in range(3)])
    found = Reading(both.wat.getvalue()[:-200])
    assert [read.url for read in found.read][:2] == ["https://a.example/0", "https://a.example/1"]
    assert found.problems


def test_escaped_letters_are_the_letters_and_half_a_character_is_replaced(wat_record, archives) -> None:
    both = archives("x.warc.gz")
    record = wat_record(PAGES["images"])
    links = record["Envelope"]["Payload-Metadata"]["HTTP-Response-Metadata"]["HTML-Metadata"]["Links"]
    links[0]["alt"] = "夕暮れの\ud83d鳥居"
    both.add_record("https://a.example/", json.dumps(record))
    captions = [one.caption for one in Reading(both.wat.getvalue()).read[0].page.candidates]
    assert captions[0] == "夕暮れの?鳥居"
    assert "港町の & 灯台" in captions


def test_a_record_of_too_many_bytes_is_not_read(page, archives) -> None:
    both = written(archives, [page("https://a.example/", PAGES["images"] + "<img src=a alt=b>" * 5000)])
    assert Reading(both.wat.getvalue(), max_page_bytes=50_000).reasons == ["page_too_large"]


def test_images_beyond_the_limit_are_counted(page, archives) -> None:
    html = f"<html lang=ja><title>港町の写真</title>{'<img src=a.jpg alt=鳥居の写真>' * 300}</html>"
    (read,) = Reading(
        written(archives, [page("https://a.example/", html)]).wat.getvalue(), max_candidates_per_page=10
    ).read
    assert len(read.page.candidates) + len(read.page.dropped) + read.page.beyond == 300


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_record_however_made_ends_the_reading(data, wat_record, archives) -> None:
    record = wat_record(PAGES["licence"])
    node: Any = record
    while True:
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        inner = node[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 3)) == 0:
            node[key] = data.draw(JSON)
            break
        node = inner
    both = archives("x.warc.gz")
    both.add_record("https://a.example/", json.dumps(record))
    found = Reading(both.wat.getvalue())
    assert len(found.read) + found.skipped.total() == 2  # and the warcinfo


def test_wat_files_among_warc_paths_are_read_as_what_they_are(tmp_path: Path, page, archives) -> None:
    both = written(
        archives, [page("https://a.example/", PAGES["images"]), page("https://a.example/e", PAGES["English"])]
    )
    (tmp_path / "x.warc.wat.gz").write_bytes(both.wat.getvalue())
    corpus = Corpus(str(tmp_path / "corpus"))
    source = {"kind": "warc", "paths": [str(tmp_path / "*.wat.gz")]}
    stage = Extract(Recipe(name="x", corpus="x", sources=[source]))  # type: ignore[list-item]
    (part,) = stage.inputs(corpus)
    tally = stage.run(corpus, part)
    assert tally.units["record"].to_json() == {"read": 5, "kept": 2, "dropped": {"not_a_response": 3}}
    assert tally.units["page"].to_json()["dropped"] == {"page_in_another_language": 1}
    rows = corpus.read("extract", part.name).to_pylist()
    assert {row["captured_at"] for row in rows} == {"2025-03-15T12:00:00Z"}
    assert {row["source"] for row in rows} == {f"{both.name}@{both.places[0][1]}"}


@pytest.mark.parametrize(("path", "is_one"), [("a.warc.wat.gz", True), ("a.wat", True), ("a.warc.gz", False)])
def test_a_wat_file_is_told_by_its_name(path: str, is_one: bool) -> None:
    assert is_wat(path) is is_one


def test_a_real_wat_file_is_read(shared_data: Path) -> None:
    """Common Crawl's own, of one page: its warcinfo and its request."""
    for name in ("whirlwind.warc.wat", "whirlwind.warc.wat.gz"):
        found = Reading((shared_data / "warc" / "whirlwind" / name).read_bytes(), name)
        assert found.read == []
        assert found.problems == []
        assert set(found.skipped) == {"not_a_response"}


def test_the_wat_of_real_pages_loses_few_pages_and_invents_nothing(shared_data: Path, page, archives) -> None:
    """Of each real Japanese page, an alternative text in its WAT is a caption of the same picture in the page."""
    pages = kept = 0
    for site in ("rpi-cats", "text-baldanders-info", "haskell-jp-blog", "railsguides-jp"):
        for path in sorted((shared_data / "sites" / site).rglob("*.html")):
            html = path.read_text("utf-8", "replace")
            url = f"https://{site}.example/{os.path.relpath(path, shared_data / 'sites' / site)}"
            expected = read_page(url, [("Content-Type", "text/html")], html.encode(), "ja", ExtractSettings())
            if expected.reason is not None:
                continue
            (read,) = Reading(written(archives, [page(url, html)]).wat.getvalue()).read
            pages += 1
            kept += read.page.reason is None
            captions = {(one.url, one.caption) for one in expected.candidates}
            urls = {one.url for one in expected.candidates} | {one.url for one, _ in expected.dropped}
            for one in read.page.candidates:
                assert (one.url, one.caption) in captions if one.caption_source == "alt" else one.url in urls, one
    assert pages > 100
    assert kept >= 0.95 * pages
