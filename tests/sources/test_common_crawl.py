"""Common Crawl by its index and its WAT files: the right pages, few bytes, and a list that grows."""

from __future__ import annotations

import json
import logging
import random
import re
import shutil
from collections import Counter
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waon_build import pipeline
from waon_build.corpus import Corpus
from waon_build.recipe import Recipe, load
from waon_build.records import InputError, Reason
from waon_build.sources import ranges, select
from waon_build.sources.ranges import GAP, LONGEST, Range, spans

CRAWL = "CC-MAIN-2025-13"
TALK = "夕暮れの海辺を歩きながら、昔の港町の写真を撮りました。灯台の下で猫が眠っています。"
JAPANESE = (
    "<html lang=ja><title>港町の写真</title><body><p>{talk}</p><a href=/x>{talk}</a>"
    '<figure><img src="/{n}.jpg" alt="夕暮れの鳥居 {n}"><figcaption>港町の灯台 {n}</figcaption></figure></body></html>'
)
ENGLISH = "<html lang=en><title>Harbour</title><p>{talk}</p><img src='/{n}.jpg' alt='A lighthouse'></html>"


class Run:
    """Stages select and extract over a mirror, as a run makes them."""

    def __init__(self, tmp_path: Path, location: object, **fields: Any) -> None:
        self.corpus = Corpus(str(tmp_path / "corpus"))
        self.location, self.fields = str(location), fields
        self.extract: dict[str, Any] = {}
        self.recipe = self.made()

    def made(self) -> Recipe:
        source = {"kind": "common_crawl", "snapshots": [CRAWL], "location": self.location} | self.fields
        settings: Any = {"sources": [source], "extract": self.extract}
        return Recipe(name="x", corpus=self.corpus.url, **settings)

    def __call__(self, **fields: Any) -> dict[str, int]:
        """Run; returns how many parts each stage had to make. fields: changed in the source."""
        self.fields |= fields
        self.recipe = self.made()
        made = {}
        for stage in pipeline.stages(self.recipe):
            if stage.name in ("select", "extract"):
                parts, _ = pipeline.begin(stage, self.corpus)
                made[stage.name] = len(parts)
                for part in parts:
                    stage.run(self.corpus, part)
        return made

    def rows(self, stage: str) -> list[dict[str, Any]]:
        return [row for part in self.corpus.parts(stage) for row in self.corpus.read(stage, part).to_pylist()]

    def counts(self, stage: str, unit: str = "") -> dict[str, Any]:
        """Of all parts of a stage together."""
        total: Counter[str] = Counter()
        for tally in self.corpus.tallies(stage):
            found = tally.units[unit] if unit else tally.rows
            total.update({"read": found.read, "kept": found.kept, **found.dropped})
        return dict(total)

    @property
    def problems(self) -> list[str]:
        return [problem for tally in self.corpus.tallies("extract") for problem in tally.problems]


def pages(page, count: int = 12, site: str = "a") -> list[Any]:
    """One page in three is Japanese."""
    return [
        page(f"https://{site}.example/{n}", JAPANESE.format(n=n, talk=TALK), "jpn,eng" if n % 2 else "jpn")
        if n % 3 == 0
        else page(f"https://{site}.example/{n}", ENGLISH.format(n=n, talk="Harbour lights. " * 5), "eng")
        for n in range(count)
    ]


@pytest.fixture
def run(tmp_path: Path, mirror) -> Run:
    return Run(tmp_path, mirror.root)


def test_pages_are_selected_by_their_first_language_and_the_others_leave_a_reason(run: Run, mirror, page) -> None:
    html = JAPANESE.format(n=0, talk=TALK)
    mirror.add(
        CRAWL,
        [
            page("https://z.example/", html, "jpn"),
            page("https://a.example/", html, "jpn,eng"),
            page("https://b.example/", html, "eng,jpn"),
            page("https://c.example/", html, None),
            page("https://d.example/", html, "zho"),
            page("https://e.example/", html, "jpn", status=404),
            page("https://f.example/", html, "jpn", mime="application/pdf"),
        ],
    )
    run()
    assert [row["url"] for row in run.rows("select")] == ["https://z.example/", "https://a.example/"]
    assert run.counts("select") == {
        "read": 7,
        "kept": 2,
        "page_in_another_language": 2,
        "language_not_known": 1,
        "not_ok": 1,
        "not_html": 1,
    }
    (part,) = run.corpus.parts("select")
    sampled = run.corpus.read("select", part, role="dropped").to_pylist()
    assert {row["url"]: row["reason"] for row in sampled}["https://d.example/"] == "page_in_another_language"
    run(among_first=2)
    assert "https://b.example/" in [row["url"] for row in run.rows("select")]
    run(languages=["zho"])
    assert [row["url"] for row in run.rows("select")] == ["https://d.example/"]


@pytest.mark.parametrize("among_first", [1, 2, 3])
def test_whatever_an_index_says_or_leaves_out_a_row_goes_on_or_leaves_one_reason(
    among_first: int, run: Run, mirror
) -> None:
    codes = [",".join(drawn) for count in (1, 2, 3) for drawn in product(("jpn", "eng", "zho"), repeat=count)]
    drawn = product((200, 404, None), ("text/html", "application/pdf", None), (None, *codes), (None, 0, 5, 10**8), "ab")
    rows = [
        {
            "url": f"https://a.example/{number}",
            "fetch_status": status,
            "content_mime_detected": mime,
            "content_languages": said,
            "warc_filename": None if place == "b" else "w.warc.gz",
            "warc_record_offset": 10**6 - number,  # the last comes first in its WARC file
            "warc_record_length": length,
        }
        for number, (status, mime, said, length, place) in enumerate(drawn)
    ]
    mirror.add_index(CRAWL, rows)
    run.fields["among_first"] = among_first
    run.recipe = run.made()
    (stage,) = (stage for stage in pipeline.stages(run.recipe) if stage.name == "select")
    (part,) = stage.inputs(run.corpus)
    tally = stage.run(run.corpus, part)
    assert tally.rows.read == len(rows)
    assert [row["url"] for row in run.rows("select")] == [
        row["url"]
        for row in reversed(rows)
        if (row["fetch_status"], row["content_mime_detected"]) == (200, "text/html")
        and (row["warc_filename"], row["warc_record_length"]) == ("w.warc.gz", 5)
        and "jpn" in (row["content_languages"] or "").split(",")[:among_first]
    ]


def test_no_row_leads_out_of_the_location_or_before_a_file(run: Run, mirror, page) -> None:
    (written,) = mirror.add("CC-MAIN-2024-10", [page("https://a.example/", JAPANESE.format(n=1, talk=TALK))])
    (mirror.root.parent / "outside.warc.gz").write_bytes(written.warc.getvalue())
    [(_, offset, length)] = written.places
    (inside,) = (str(one.relative_to(mirror.root)) for one in mirror.root.rglob("*.warc.gz"))
    places = [(inside, offset), ("../outside.warc.gz", offset), (inside, -length), (inside, 2**31 - 1)]
    rows = [
        {"url": "https://a.example/", "fetch_status": 200, "content_mime_type": "text/html"}
        | {"content_languages": "jpn", "warc_record_length": length}
        | {"warc_filename": name, "warc_record_offset": at}
        for name, at in places
    ]
    mirror.add_index(CRAWL, rows)
    run()
    assert run.counts("select") == {"read": 4, "kept": 3, "no_location": 1}
    assert run.counts("extract", "record") == {"read": 3, "kept": 1, "range_gone": 2}


def test_every_reason_that_the_sql_gives_is_one_of_the_closed_list() -> None:
    words = re.findall(r"THEN '(\w+)'", Path(select.__file__).with_name("select.sql").read_text("utf-8"))
    assert len(words) == 5
    assert {f"select.{word}" for word in words} <= Reason.all.keys()


def test_ranges_give_what_whole_files_give_for_a_fraction_of_the_bytes(tmp_path: Path, mirror, served, page) -> None:
    """Every candidate, drop and `source` of the selected pages is as if their WARC files had been read whole."""
    noise = random.Random(1)
    filler = [
        page(f"https://f.example/{n}", ENGLISH.format(n=n, talk=noise.randbytes(70_000).hex()), "eng")
        for n in range(30)
    ]
    mirror.add(CRAWL, [one for pair in zip(filler, pages(page, 30), strict=True) for one in pair], per_file=40)
    run = Run(tmp_path, served.url, records_per_part=7)
    assert run() == {"select": 1, "extract": 2}
    warcs = sorted(mirror.root.rglob("*.warc.gz"))
    asked = served.of(".warc.gz")
    whole = sum(path.stat().st_size for path in warcs)
    assert sum(sent for *_, sent in asked) < whole / 100
    assert len(asked) == 10
    by_files = Recipe(
        name="x",
        corpus=str(tmp_path / "whole"),
        sources=[{"kind": "warc", "paths": [str(path) for path in warcs]}],  # type: ignore[list-item]
    )
    other = Corpus(by_files.corpus)
    for stage in pipeline.stages(by_files):
        if stage.name == "extract":
            for part in pipeline.begin(stage, other)[0]:
                stage.run(other, part)
    rows = [row for part in other.parts("extract") for row in other.read("extract", part).to_pylist()]
    key = lambda row: row["candidate_id"]  # noqa: E731
    assert sorted(run.rows("extract"), key=key) == sorted(rows, key=key)
    assert len(rows) == 20
    assert run.counts("extract", "record") == {"read": 10, "kept": 10}


def test_of_the_index_only_the_columns_and_row_groups_that_matter_are_read(
    tmp_path: Path, mirror, served, page
) -> None:
    """Four row groups of five have no Japanese page: their addresses are not read, nor is any column without use."""
    chance = random.Random(1)
    rows = [
        {
            "url": f"https://a.example/{chance.getrandbits(200):x}",
            "url_surtkey": f"{chance.getrandbits(200):x}",
            "url_path": f"{chance.getrandbits(200):x}",
            "fetch_status": 200,
            "content_mime_detected": "text/html",
            "content_digest": f"{chance.getrandbits(160):x}",
            "content_languages": "jpn" if n >= 16_000 and n % 4 == 0 else "eng",
            "warc_filename": "w.warc.gz",
            "warc_record_offset": n * 1000,
            "warc_record_length": 900,
        }
        for n in range(20_000)
    ]
    path = mirror.add_index(CRAWL, rows, rows_per_group=4_000)
    size = (mirror.root / path).stat().st_size
    run = Run(tmp_path, served.url)
    stage = next(stage for stage in pipeline.stages(run.recipe) if stage.name == "select")
    (part,) = stage.inputs(run.corpus)
    assert stage.run(run.corpus, part).rows.to_json() == {
        "read": 20_000,
        "kept": 1_000,
        "dropped": {"page_in_another_language": 19_000},
    }
    read = sum(sent for *_, sent in served.of(".parquet"))
    assert read < size / 5
    assert len(served.of(".parquet")) < 60


def test_wat_leaves_out_what_refuses_and_what_has_no_caption_before_a_page_is_read(
    tmp_path: Path, mirror, served, page
) -> None:
    def japanese(name: str, html: str = "", **fields: Any) -> Any:
        return page(f"https://{name}.example/", html or JAPANESE.format(n=1, talk=TALK), **fields)

    bare = f"<html lang=ja><title>港町</title><a href=/x>{TALK}</a><img src=a.jpg><img src=b.jpg alt='photo 1'></html>"
    lazy = (
        f"<html lang=ja><title>港町</title><a href=/x>{TALK}</a><img src='data:,' data-src=a.jpg alt=灯台の写真></html>"
    )
    mirror.add(
        CRAWL,
        [
            japanese("good"),
            japanese("refuses", headers={"X-Robots-Tag": "noai"}),
            japanese("bare", bare),
            japanese("lazy", lazy),
            page("https://english.example/", ENGLISH.format(n=1, talk="x")),
            japanese("gone", status=404),
        ],
    )
    run = Run(tmp_path, served.url, select="wat")
    assert run() == {"select": 1, "extract": 1}
    assert run.counts("select") == {
        "read": 13,
        "kept": 2,
        "not_a_response": 7,
        "page_refused": 1,
        "page_without_captions": 1,
        "page_in_another_language": 1,
        "not_ok": 1,
    }
    assert {row["page_url"] for row in run.rows("extract")} == {"https://good.example/", "https://lazy.example/"}
    assert {row["caption_source"] for row in run.rows("extract")} == {"alt", "figcaption"}
    assert any(row["url"].endswith("/a.jpg") for row in run.rows("extract")), "the lazy address is in the page alone"


def test_more_images_of_a_page_are_looked_at_when_the_recipe_says_so(run: Run, mirror, page) -> None:
    bare = f"<html lang=ja><title>港町</title><a href=/x>{TALK}</a><img src=a.jpg><img src=b.jpg alt=灯台の写真>"
    mirror.add(CRAWL, [page("https://a.example/", bare)])
    run.extract = {"max_candidates_per_page": 1}
    run(select="wat")
    assert run.counts("select")["page_without_captions"] == 1
    run.extract = {}
    assert run() == {"select": 1, "extract": 1}


@pytest.mark.parametrize(
    "place", [{"Gzip-Metadata": {}}, {"Offset": "-5"}, {"Offset": str(10**30)}], ids=["length", "before", "beyond"]
)
def test_a_page_whose_place_wat_does_not_tell_is_left_out(
    place: dict[str, Any], run: Run, mirror, page, archives, wat_record
) -> None:
    (written,) = mirror.add(CRAWL, pages(page, 1))
    told = wat_record(JAPANESE.format(n=1, talk=TALK))
    told["Container"] |= place
    both = archives(written.name)
    both.add_record("https://a.example/", json.dumps(told))
    (path,) = mirror.root.rglob("*.wat.gz")
    path.write_bytes(both.wat.getvalue())
    run(select="wat")
    assert run.counts("select") == {"read": 2, "kept": 0, "not_a_response": 1, "no_location": 1}


def test_candidates_come_out_of_wat_alone_where_the_recipe_says_so(tmp_path: Path, mirror, served, page) -> None:
    mirror.add(CRAWL, pages(page), per_file=5)
    run = Run(tmp_path, served.url, select="wat", read="wat")
    assert run() == {"extract": 3}
    assert {row["caption_source"] for row in run.rows("extract")} == {"alt"}
    assert len(run.rows("extract")) == 4
    assert not served.of(".warc.gz")
    assert run() == {"extract": 0}


# --- what grows, and what goes


def test_a_run_takes_only_the_snapshots_that_are_new(tmp_path: Path, mirror, served, page) -> None:
    mirror.add(CRAWL, pages(page))
    run = Run(tmp_path, served.url, snapshots=["CC-MAIN-2025-*"])
    assert run() == {"select": 1, "extract": 1}
    served.asked.clear()
    assert run() == {"select": 0, "extract": 0}
    assert [path for method, path, *_ in served.asked if method == "GET"] == ["/collinfo.json"]
    mirror.add("CC-MAIN-2025-18", pages(page, site="b"))
    mirror.add("CC-MAIN-2024-51", pages(page, site="c"))
    assert run() == {"select": 1, "extract": 1}
    assert {row["page_url"][:17] for row in run.rows("extract")} == {"https://a.example", "https://b.example"}


def test_a_folder_is_its_own_list_of_snapshots(run: Run, mirror, page) -> None:
    mirror.add(CRAWL, pages(page))
    mirror.add("CC-MAIN-2025-18", pages(page, site="b"))
    assert run(snapshots=["CC-MAIN-*"]) == {"select": 2, "extract": 2}


def test_a_snapshot_to_which_files_are_added_is_noticed(tmp_path: Path, mirror, served, page) -> None:
    mirror.add(CRAWL, pages(page))
    run = Run(tmp_path, served.url)
    run()
    mirror.add(CRAWL, pages(page, site="b"), index="00001")
    assert run() == {"select": 1, "extract": 1}
    assert len(run.corpus.parts("select")) == 2


def test_what_is_no_longer_listed_stays_and_what_is_no_longer_asked_for_goes(
    tmp_path: Path, mirror, served, page
) -> None:
    for snapshot in (CRAWL, "CC-MAIN-2025-18"):
        mirror.add(snapshot, pages(page, site=snapshot[-2:]))
    run = Run(tmp_path, served.url, snapshots=["CC-MAIN-2025-*"])
    run()
    shutil.rmtree(mirror.root / "crawl-data" / CRAWL)
    mirror.write("collinfo.json", json.dumps([{"id": "CC-MAIN-2025-18"}]).encode())
    assert run() == {"select": 0, "extract": 0}
    assert len(run.corpus.parts("extract")) == 2
    run(snapshots=["CC-MAIN-2025-1[5-9]"])
    assert {row["page_url"] for row in run.rows("extract")} == {f"https://18.example/{n}" for n in range(0, 12, 3)}


def test_a_file_that_its_snapshot_no_longer_lists_stays_when_it_was_taken(run: Run, mirror, page) -> None:
    for number in range(2):
        mirror.add(CRAWL, pages(page, 1, site=f"s{number}"), index=f"{number:05d}")
    run()
    (mirror.root / "crawl-data" / CRAWL / "cc-index-table.paths.gz").unlink()
    mirror.add(CRAWL, pages(page, 1, site="s2"), index="00002")
    assert run() == {"select": 1, "extract": 1}
    assert len(run.corpus.parts("extract")) == 3


def test_a_list_that_cannot_be_read_today_is_told_and_stops_nothing_that_is_known(
    tmp_path: Path, mirror, served, page, caplog: pytest.LogCaptureFixture
) -> None:
    mirror.add(CRAWL, pages(page))
    run = Run(tmp_path, served.url, snapshots=["CC-MAIN-2025-*"])
    served.answers = lambda path: (403, {}) if path == "/collinfo.json" else None
    with pytest.raises(InputError, match=r"list of snapshots cannot be read \(HTTP 403\).*sources\.0"):
        run()
    served.answers = lambda path: None
    run()
    served.answers = lambda path: (403, {})
    with caplog.at_level(logging.WARNING):
        assert run() == {"select": 0, "extract": 0}
    assert "going on with those that are known" in caplog.text
    assert len(run.corpus.parts("extract")) == 1


def test_who_does_not_answer_for_one_snapshot_is_not_waited_for_at_the_next(
    tmp_path: Path, mirror, served, page
) -> None:
    for snapshot in (CRAWL, "CC-MAIN-2025-18"):
        mirror.add(snapshot, pages(page, 3, site=snapshot[-2:]))
    run = Run(tmp_path, served.url, snapshots=["CC-MAIN-2025-*"])
    run()
    served.asked.clear()
    served.answers = lambda path: (503, {"Retry-After": "0"})
    assert run() == {"select": 0, "extract": 0}
    asked = {path for _, path, *_ in served.asked}
    assert asked == {"/collinfo.json", f"/crawl-data/{CRAWL}/cc-index-table.paths.gz"}


def test_a_list_that_is_damaged_hides_no_other_snapshot(tmp_path: Path, mirror, served, page) -> None:
    for snapshot in (CRAWL, "CC-MAIN-2025-18"):
        mirror.add(snapshot, pages(page, 3, site=snapshot[-2:]))
    place = mirror.root / "crawl-data" / CRAWL / "cc-index-table.paths.gz"
    data = place.read_bytes()
    place.write_bytes(data[:-8] + b"\0\0\0\0" + data[-4:])  # its checksum
    run = Run(tmp_path, served.url, snapshots=["CC-MAIN-2025-*"])
    assert run() == {"select": 1, "extract": 1}
    place.write_bytes(data)
    assert run() == {"select": 1, "extract": 1}


def test_a_snapshot_without_an_index_yet_is_left_for_a_later_run(
    tmp_path: Path, mirror, served, page, caplog: pytest.LogCaptureFixture
) -> None:
    mirror.add(CRAWL, pages(page))
    mirror.add("CC-MAIN-2025-18", pages(page, site="b"))
    missing = mirror.root / "crawl-data" / "CC-MAIN-2025-18" / "cc-index-table.paths.gz"
    kept = missing.rename(missing.with_name("later"))
    run = Run(tmp_path, served.url, snapshots=["CC-MAIN-2025-*"])
    with caplog.at_level(logging.WARNING):
        assert run() == {"select": 1, "extract": 1}
    assert "the next run looks again" in caplog.text
    kept.rename(missing)
    assert run() == {"select": 1, "extract": 1}


def test_a_trial_grows_without_making_again_what_it_has(run: Run, mirror, page) -> None:
    for number in range(6):
        mirror.add(CRAWL, pages(page, 3, site=f"s{number}"), index=f"{number:05d}")
    assert run(first=2) == {"select": 2, "extract": 2}
    assert run(first=5) == {"select": 3, "extract": 3}


def test_a_trial_keeps_what_it_took_when_files_are_added(run: Run, mirror, page) -> None:
    for number in reversed(range(8)):
        mirror.add(CRAWL, pages(page, 1, site=f"s{number}"), index=f"{number:05d}")
        run(first=1)
        assert {row["page_url"] for row in run.rows("extract")} == {"https://s7.example/0"}


def test_parts_cut_anew_leave_no_page_twice(run: Run, mirror, page) -> None:
    mirror.add(CRAWL, pages(page, 30))
    assert run(records_per_part=3)["extract"] == 4
    assert run(records_per_part=4)["extract"] == 3
    assert len({row["candidate_id"] for row in run.rows("extract")}) == len(run.rows("extract")) == 20


def test_two_mirrors_in_one_recipe_are_told_apart(tmp_path: Path, mirror, page) -> None:
    from_first = type(mirror)(tmp_path / "first")
    from_first.add(CRAWL, pages(page, 3))
    mirror.add("CC-MAIN-2025-18", pages(page, 3, site="b"))
    places = [(CRAWL, from_first.root), ("CC-MAIN-2025-18", mirror.root)]
    sources = [{"kind": "common_crawl", "snapshots": [name], "location": str(place)} for name, place in places]
    corpus = Corpus(str(tmp_path / "corpus"))
    made = [0, 0, 0]
    for turn, named in enumerate((sources[:1], sources, sources)):
        settings: Any = {"sources": named}
        for stage in pipeline.stages(Recipe(name="x", corpus=corpus.url, **settings)):
            if stage.name in ("select", "extract"):
                for part in pipeline.begin(stage, corpus)[0]:
                    made[turn] += 1
                    stage.run(corpus, part)
    found = [row["page_url"] for part in corpus.parts("extract") for row in corpus.read("extract", part).to_pylist()]
    assert set(found) == {"https://a.example/0", "https://b.example/0"}
    assert made == [2, 2, 0], "what the first gave stays when the second comes"


def accounts(run: Run) -> list[tuple[str, str, str]]:
    tallies = [tally for stage in ("select", "extract") for tally in run.corpus.tallies(stage)]
    return [(tally.part, tally.fingerprint, tally.digest) for tally in tallies]


def test_from_another_mirror_the_same_parts_come_with_the_same_bytes(tmp_path: Path, mirror, served, page) -> None:
    """Whoever moves from `https://` to a bucket beside its machines makes nothing again."""
    mirror.add(CRAWL, pages(page), per_file=5)
    near, far = Run(tmp_path / "near", mirror.root), Run(tmp_path / "far", served.url)
    near()
    far()
    assert accounts(near) == accounts(far)
    assert near(location=served.url) == {"select": 0, "extract": 0}


def test_a_web_server_is_told_who_reads_and_not_the_keys_of_the_corpus(tmp_path: Path, mirror, served, page) -> None:
    mirror.add(CRAWL, pages(page, 3))
    recipe = Recipe(
        name="x",
        corpus=str(tmp_path / "corpus"),
        sources=[{"kind": "common_crawl", "snapshots": [CRAWL], "location": served.url}],  # type: ignore[list-item]
        fetch={"contact": "me@example.org"},  # type: ignore[arg-type]
        runtime={"storage_options": {"key": "hush", "secret": "hush"}},  # type: ignore[arg-type]
    )
    corpus = Corpus(recipe.corpus)
    for stage in pipeline.stages(recipe)[:2]:
        for part in pipeline.begin(stage, corpus)[0]:
            stage.run(corpus, part)
    assert len(corpus.parts("extract")) == 1
    assert all(agent.startswith("waon-build/") and "me@example.org" in agent for agent in served.agents)


# --- what goes wrong


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"PAR1" * 99])
def test_a_damaged_index_file_is_one_line_and_commits_nothing(damage: Any, run: Run, mirror, page) -> None:
    mirror.add(CRAWL, pages(page))
    (path,) = mirror.root.rglob("*.parquet")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"part-00000.*(is not a Parquet file|ends at)"):
        run()
    assert run.corpus.parts("select") == []


def test_an_index_without_languages_says_since_when_they_are_there(run: Run, mirror, page) -> None:
    import pyarrow.parquet as pq

    mirror.add(CRAWL, pages(page))
    (path,) = mirror.root.rglob("*.parquet")
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["content_languages"]), path)
    with pytest.raises(InputError, match=r"no column 'content_languages'.*2018-39"):
        run()


def test_a_listed_file_that_is_not_there_is_one_line(run: Run, mirror, page) -> None:
    mirror.add(CRAWL, pages(page))
    (path,) = mirror.root.rglob("*.parquet")
    path.unlink()
    with pytest.raises(InputError, match=r"part-00000.*cannot be had \(there is no such file\)"):
        run()


def test_a_range_that_is_not_there_or_not_whole_costs_its_page_alone(tmp_path: Path, mirror, served, page) -> None:
    """A WARC file that is gone, one that is cut in a record, and noise in place of a record."""
    written = mirror.add(CRAWL, pages(page, 60), per_file=6)  # two Japanese pages in each of ten files
    files = sorted(mirror.root.rglob("*.warc.gz"))
    _, second, length = written[0].places[3]
    files[0].unlink()
    served.answers = lambda path: (403, {}) if path.endswith(files[1].name) else None
    for path, damage in (
        (files[2], lambda data: data[:second]),
        (files[3], lambda data: data[: second + length - 40]),
        (files[4], lambda data: data[:second] + b"\x07" * length + data[second + length :]),
    ):
        path.write_bytes(damage(path.read_bytes()))
    run = Run(tmp_path, served.url)
    run()
    assert run.counts("extract", "record") == {"read": 20, "kept": 14, "range_gone": 5, "record_unreadable": 1}
    told = [re.sub(r"^.*@\d+: |: \d+ bytes.*", "", problem) for problem in run.problems]
    assert Counter(told) == {
        "range_gone: HTTP 404": 2,
        "range_gone: HTTP 403": 2,
        "range_gone: the file ends before it": 1,
        "truncated_record": 1,
        "unreadable_range: it holds no record": 1,
    }


@pytest.mark.parametrize("after", [1, 3, 9])
def test_who_is_let_in_no_more_has_lost_no_page(after: int, tmp_path: Path, mirror, served, page) -> None:
    """Common Crawl answers 403 to whoever asked for too much, for a day."""
    mirror.add(CRAWL, pages(page, 30), per_file=3)  # ten files with one Japanese page each
    run, asked = Run(tmp_path, served.url, requests=1), Counter[bool]()

    def blocked(path: str) -> tuple[int, dict[str, str]] | None:
        asked[path.endswith(".warc.gz")] += 1
        return (403, {}) if asked[True] > after else None

    served.answers = blocked
    with pytest.raises(OSError, match=r"HTTP 403, for what it gave before"):
        run()
    assert run.corpus.parts("extract") == []
    assert asked[True] == after + 2, "it is left alone as soon as that is known"
    served.answers = lambda path: None
    assert run() == {"select": 0, "extract": 1}
    assert run.counts("extract", "record") == {"read": 10, "kept": 10}


def test_where_nothing_can_be_had_the_part_fails_with_the_way_out(tmp_path: Path, mirror, served, page) -> None:
    mirror.add(CRAWL, pages(page))
    served.answers = lambda path: (403, {}) if path.endswith(".warc.gz") else None
    run = Run(tmp_path, served.url)
    with pytest.raises(InputError, match=r"none of 4 pages can be had .*HTTP 403.*storage_options"):
        run()
    assert run.corpus.parts("extract") == []


def test_a_server_that_says_not_now_is_asked_again_when_it_says(tmp_path: Path, mirror, served, page) -> None:
    mirror.add(CRAWL, pages(page))
    refused: Counter[str] = Counter()

    def busy(path: str) -> tuple[int, dict[str, str]] | None:
        refused[path] += 1
        return (503, {"Retry-After": "0"}) if refused[path] < 3 else None

    served.answers = busy
    run = Run(tmp_path, served.url)
    assert run() == {"select": 1, "extract": 1}
    assert run.counts("extract", "record") == {"read": 4, "kept": 4}


def test_a_server_that_says_not_now_for_ever_fails_the_part_for_another_try(
    tmp_path: Path, mirror, served, page
) -> None:
    mirror.add(CRAWL, pages(page))
    served.answers = lambda path: (503, {"Retry-After": "0"}) if path.endswith(".warc.gz") else None
    run = Run(tmp_path, served.url)
    with pytest.raises(ConnectionError, match=r"warc\.gz: HTTP 503 \(asked 5 times\)"):
        run()
    assert run.corpus.parts("extract") == []
    served.answers = lambda path: None
    assert run() == {"select": 0, "extract": 1}


def test_a_server_that_asks_for_a_long_pause_is_not_asked_again_before(tmp_path: Path, mirror, served, page) -> None:
    mirror.add(CRAWL, pages(page, 1))
    served.answers = lambda path: (429, {"Retry-After": "3600"}) if path.endswith(".warc.gz") else None
    with pytest.raises(OSError, match=r"HTTP 429 \(asked 1 times\)"):
        Run(tmp_path, served.url)()
    assert len(served.of(".warc.gz")) == 1


def test_a_server_that_sends_whole_files_is_refused(tmp_path: Path, mirror, page) -> None:
    """Python's own `http.server` knows no ranges: a WARC file would be sent whole for each page."""
    import functools
    import threading
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

    mirror.add(CRAWL, pages(page))
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(mirror.root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(InputError, match="cannot be read by ranges"):
            Run(tmp_path, f"http://127.0.0.1:{server.server_port}/")()
    finally:
        server.shutdown()
        server.server_close()


def test_no_snapshot_at_all_is_one_line_with_the_field(run: Run, mirror, page) -> None:
    mirror.add(CRAWL, pages(page))
    with pytest.raises(InputError, match=r"no index files of CC-MAIN-1999-01 .*sources\.0\.snapshots"):
        run(snapshots=["CC-MAIN-1999-01"])
    with pytest.raises(InputError, match=r"no index files of CC-MAIN-1999-\*.*sources\.0\.snapshots"):
        run(snapshots=["CC-MAIN-1999-*"])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"read": "wat"}, "add `select: wat`"),
        ({"languages": ["ja"]}, "sources.0.languages.0 is wrong"),
        ({"snapshots": []}, "sources.0.snapshots is wrong"),
    ],
)
def test_fields_that_do_not_go_together_are_one_line(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    source = {"kind": "common_crawl", "snapshots": [CRAWL], **fields}
    path = tmp_path / "x.yaml"
    path.write_text(json.dumps({"name": "x", "corpus": "x", "sources": [source]}))
    with pytest.raises(InputError) as raised:
        load(path)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


# --- ranges


PLACES = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 40), st.integers(1, 30)).map(
        lambda drawn: Range(drawn[0], drawn[1] * 100_000, drawn[2] * 40_000)
    )
).map(sorted)


@given(PLACES)
def test_requests_cover_every_range_once_and_stay_small(places: list[Range]) -> None:
    found = list(spans(places))
    assert [one for span in found for one in span] == places
    for span in found:
        assert {one.path for one in span} == {span[0].path}
        assert len(span) == 1 or span[-1].end - span[0].offset <= LONGEST
        assert all(0 <= after.offset - before.end <= GAP for before, after in pairwise(span))


def test_near_ranges_share_a_request_and_far_ones_do_not() -> None:
    near, far = Range("a", 1000, 500), Range("a", 1500 + 10 * GAP, 500)
    assert [len(span) for span in spans([Range("a", 0, 500), near, far, Range("b", 0, 1)])] == [2, 1, 1]


def test_memory_is_bounded_by_the_requests_under_way(tmp_path: Path, mirror) -> None:
    """Ranges are not asked for long before somebody takes them."""
    mirror.write("w", b"x" * 50_000_000)
    read: list[int] = []

    class Watched(ranges.Store):
        def read(self, path: str, start: int, end: int) -> bytes:
            read.append(start)
            return super().read(path, start, end)

    run = Run(tmp_path, mirror.root)
    from waon_build.sources.common_crawl import CommonCrawl

    store = Watched(CommonCrawl(run.recipe, 0).files, run.location)
    wanted = [Range("w", n * 1_000_000, 10) for n in range(50)]
    pieces = ranges.read_all(store, wanted, at_once=4)
    assert next(pieces)[1] == b"x" * 10
    assert len(read) <= 5
    assert len(list(pieces)) == 49
