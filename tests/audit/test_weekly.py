"""The weekly report: it tells to the row what is new since the one before, and what is running out."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waon_build.audit.kept import keep, latest, zone_of
from waon_build.audit.weekly import Change, Outlook, Report, Snapshot, snapshot
from waon_build.audit.weekly_text import markdown
from waon_build.corpus import Corpus, Part
from waon_build.records import CANDIDATE, IMAGE, Candidate, Image, InputError

MONDAY = datetime(2026, 11, 16, 8, tzinfo=UTC)
NEXT_MONDAY = MONDAY + timedelta(days=7)
STAGES = ("extract", "text", "fetch", "recheck")
SITE, SNAPSHOT = "food-example-0123456789abcdef", "CC-MAIN-20250315025350-{:05d}-0123456789abcdef"


def extracted(corpus: Corpus, part: str, candidates: int, dropped: int = 0, pages: int = 1) -> None:
    with corpus.write("extract", Part(part, "", "f"), CANDIDATE) as writer:
        for _ in range(pages):
            writer.count("page").keep()
        for number in range(candidates + dropped):
            row = Candidate(url=f"http://a.example/{part}/{number}", caption="写真", caption_source="alt")
            if number < candidates:
                writer.keep(row)
            else:
                writer.drop(row, "no_caption")
        writer.commit()


def filtered(corpus: Corpus, part: str, kept: int, **dropped: int) -> None:
    with corpus.write("text", Part(part, "", "f"), CANDIDATE) as writer:
        row = Candidate(url="http://a.example/", caption="写真", caption_source="alt")
        for _ in range(kept):
            writer.keep(row)
        for reason, count in dropped.items():
            for _ in range(count):
                writer.drop(row, reason)
        writer.commit()


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """As it stood on the first Monday."""
    corpus = Corpus(str(tmp_path / "corpus"))
    extracted(corpus, SITE, candidates=5, dropped=2, pages=3)
    extracted(corpus, SNAPSHOT.format(0), candidates=4)
    filtered(corpus, SITE, 3, caption_too_short=2)
    filtered(corpus, SNAPSHOT.format(0), 1, caption_too_short=1, caption_is_boilerplate=2)
    return corpus


def grown(corpus: Corpus) -> None:
    """A week later: one more file of the snapshot."""
    extracted(corpus, SNAPSHOT.format(1), candidates=10, dropped=1, pages=4)
    filtered(corpus, SNAPSHOT.format(1), 6, caption_too_short=1, caption_is_boilerplate=3)


def test_a_first_report_counts_all_there_is_as_new(corpus: Corpus) -> None:
    report = Report("small", snapshot(corpus, STAGES, MONDAY), None)
    assert report.came_in() == {
        "pages": Change(4, 4),
        "image references with a caption": Change(9, 9),
        "captions that passed": Change(4, 4),
    }
    assert report.quiet_sources() == []
    assert report.growth_a_week() is None
    assert "It is the first report" in markdown(report)


def test_a_report_tells_what_is_new_since_the_one_before_to_the_row(corpus: Corpus) -> None:
    before = snapshot(corpus, STAGES, MONDAY)
    grown(corpus)
    report = Report("small", snapshot(corpus, STAGES, NEXT_MONDAY), before)
    assert report.came_in() == {
        "pages": Change(4, 8),
        "image references with a caption": Change(10, 19),
        "captions that passed": Change(6, 10),
    }
    assert report.by_source() == {
        "CC-MAIN": {"pages": Change(4, 5), "candidates": Change(10, 14)},
        "food-example": {"pages": Change(0, 3), "candidates": Change(0, 5)},
    }
    assert [(row.reason, row.since, row.total, row.read) for row in report.dropped()] == [
        ("caption_is_boilerplate", 3, 5, 19),
        ("caption_too_short", 1, 4, 19),
        ("no_caption", 1, 3, 22),
    ]
    assert report.quiet_sources() == ["food-example"]
    shown = markdown(report, "Asia/Tokyo")
    assert "As of 2026-11-23 17:00 (Asia/Tokyo); new is what came since 2026-11-16 17:00, 7.0 days." in shown
    assert "| text | caption_is_boilerplate | +3 | 5 | 26.3% of candidates |" in shown
    assert "Sources with nothing new: food-example." in shown
    assert "Nobody was asked yet" in shown


def test_what_comes_of_one_source_of_the_recipe_is_counted_together(corpus: Corpus) -> None:
    extracted(corpus, "part-00000-c000-gz-0123456789abcdef-ab12cd-000000", candidates=2)
    parts = [name for name in corpus.parts("extract") if name != SITE]
    now = snapshot(corpus, STAGES, MONDAY, outlook=Outlook(sources=dict.fromkeys(parts, "sources.1 (common_crawl)")))
    assert now.sources == {
        "food-example": {"pages": 3, "candidates": 5},
        "sources.1 (common_crawl)": {"pages": 2, "candidates": 6},
    }


def test_parts_that_were_taken_back_are_told_as_fewer(corpus: Corpus) -> None:
    before = snapshot(corpus, STAGES, MONDAY)
    corpus.remove_part("extract", SITE)
    corpus.remove_part("text", SITE)
    report = Report("small", snapshot(corpus, STAGES, NEXT_MONDAY), before)
    assert report.came_in()["pages"] == Change(-3, 1)
    assert report.by_source()["food-example"] == {"pages": Change(-3, 0), "candidates": Change(-5, 0)}
    assert report.quiet_sources() == ["CC-MAIN"]
    shown = markdown(report)
    assert "| pages | -3 | 1 |" in shown
    assert "| food-example | -3 | -5 | 0 |" in shown


def test_what_nothing_is_dropped_for_any_more_is_told_too(corpus: Corpus) -> None:
    """As after a filter was relaxed, and its parts were made anew."""
    before = snapshot(corpus, STAGES, MONDAY)
    filtered(corpus, SITE, 5)
    filtered(corpus, SNAPSHOT.format(0), 2, caption_is_boilerplate=2)
    report = Report("small", snapshot(corpus, STAGES, NEXT_MONDAY), before)
    assert [row for row in report.dropped() if row.stage == "text"] == [
        ("text", "candidates", "caption_too_short", -3, 0, 9),
        ("text", "candidates", "caption_is_boilerplate", 0, 2, 9),
    ]
    assert "| text | caption_too_short | -3 | 0 | 0.0% of candidates |" in markdown(report)
    corpus.remove_part("text", SITE)
    corpus.remove_part("text", SNAPSHOT.format(0))
    nothing = Report("small", snapshot(corpus, STAGES, NEXT_MONDAY), before)
    assert [row.since for row in nothing.dropped() if row.stage == "text"] == [-3, -2]
    assert "| text | caption_too_short | -3 | 0 | 0.0% of candidates |" in markdown(nothing)


def test_the_disk_lasts_as_long_as_its_growth_says(corpus: Corpus) -> None:
    before = snapshot(corpus, STAGES, MONDAY)
    grown(corpus)
    now = snapshot(corpus, STAGES, MONDAY + timedelta(days=14))
    report = Report("small", now, before)
    assert now.free is not None
    assert now.stored > before.stored > 0
    assert report.growth_a_week() == (now.stored - before.stored) / 2
    assert report.weeks_of_disk() == pytest.approx(now.free / ((now.stored - before.stored) / 2))
    assert Report("small", before, before).weeks_of_disk() is None


def test_failures_checks_pending_parts_and_problems_are_told(corpus: Corpus) -> None:
    with corpus.write("extract", Part("broken", "", "f"), CANDIDATE) as writer:
        writer.problem("a.warc.gz@120: truncated_gzip")
        writer.commit()
    with corpus.write("fetch", Part("g0001-000000", "", "f"), IMAGE) as writer:
        for number in range(3):
            writer.drop(Image(url=f"http://a.example/{number}", status="failed"), "timed_out")
            writer.count("retryable").keep()
        writer.commit()
    with corpus.write("recheck", Part("g0001-000000", "", "f"), IMAGE) as writer:
        writer.keep(Image(url="http://a.example/", status="ok"))
        writer.drop(Image(url="http://a.example/gone", status="failed"), "link_dead")
        writer.count("page").drop("page_refuses")
        writer.commit()
    outlook = Outlook(pending={"fetch": 2, "text": 0}, problems=["x.csv: is not there"])
    now = snapshot(corpus, STAGES, MONDAY, outlook=outlook)
    assert (now.failed, now.pending) == (3, {"fetch": 2})
    shown = markdown(Report("small", now, None))
    for line in (
        "- Images that failed for a passing cause: 3; later runs ask again, until `fetch.max_attempts` have asked.",
        "- Links of images that were asked again: 2, 1 as they were; link_dead 1 (+1).",
        "- Links of pages that were asked again: 1, 0 as they were; page_refuses 1 (+1).",
        "- Parts that a run would make now: fetch 2.",
        "- x.csv: is not there",
        "- extract broken: a.warc.gz@120: truncated_gzip",
    ):
        assert line in shown.splitlines()


def test_a_report_is_kept_for_the_next_and_one_of_the_same_day_takes_its_place(corpus: Corpus) -> None:
    first, day = snapshot(corpus, STAGES, MONDAY), date(2026, 11, 16)
    assert latest(corpus, day) == (None, [])
    keep(corpus, Report("small", first, None), day, "# one\n")
    assert latest(corpus, day) == (None, []), "a report is not compared with one of its own day"
    grown(corpus)
    again = snapshot(corpus, STAGES, MONDAY + timedelta(hours=1))
    path = keep(corpus, Report("small", again, None), day, "# two\n")
    assert path.endswith("reports/2026-11-16.md")
    assert Path(path).read_text(encoding="utf-8") == "# two\n"
    assert latest(corpus, date(2026, 11, 23)) == (again, [])
    assert sorted(file.name for file in Path(path).parent.iterdir()) == ["2026-11-16.json", "2026-11-16.md"]


def test_reports_are_kept_where_there_is_no_disk_too() -> None:
    store = Corpus("memory://weekly-reports")
    empty = snapshot(store, STAGES, MONDAY)
    assert empty.free is None
    keep(store, Report("small", empty, None), date(2026, 11, 16), "# one\n")
    assert latest(store, date(2026, 11, 23)) == (empty, [])


def test_a_report_that_cannot_be_read_is_a_problem_and_the_one_before_it_is_taken(corpus: Corpus) -> None:
    first = snapshot(corpus, STAGES, MONDAY)
    keep(corpus, Report("small", first, None), date(2026, 11, 16), "")
    corpus.put(corpus.path("reports", "2026-11-17.json"), b"{")
    found, problems = latest(corpus, date(2026, 11, 23))
    assert found == first
    assert [problem.rpartition("/")[2] for problem in problems] == [
        "2026-11-17.json: cannot be read, or is of another version: compared with the one before it"
    ]


def test_a_report_is_the_same_after_it_was_json(corpus: Corpus) -> None:
    report = Report("small", snapshot(corpus, STAGES, MONDAY), None)
    document = json.loads(json.dumps(report.to_json()))
    assert Snapshot.from_json(document["snapshot"]) == report.now
    assert document["came_in"]["pages"] == {"since": 4, "total": 4}


@given(st.lists(st.tuples(st.integers(0, 9), st.dictionaries(st.sampled_from("abc"), st.integers(1, 9))), max_size=4))
def test_what_is_new_in_reports_one_after_the_other_adds_up_to_all(weeks: list[tuple[int, dict[str, int]]]) -> None:
    total, drops = 0, dict.fromkeys("abc", 0)
    before, sums = None, {"kept": 0, **drops}
    for week, (kept, dropped) in enumerate(weeks):
        total += kept
        drops = {reason: count + dropped.get(reason, 0) for reason, count in drops.items()}
        read = total + sum(drops.values())
        step = {"stage": "text", "unit": "candidates", "parts": 1, "read": read, "kept": total, "dropped": drops}
        now = Snapshot(MONDAY + timedelta(days=7 * week), [step], {}, 0, None, 0, {}, {}, None, [])
        report = Report("small", now, before)
        sums["kept"] += report.came_in()["captions that passed"].since
        for row in report.dropped():
            sums[row.reason] += row.since
        before = now
    assert sums == {"kept": total, **drops}


def test_a_report_that_cannot_be_kept_is_one_line(corpus: Corpus) -> None:
    Path(corpus.path("reports")).write_text("in the way")
    with pytest.raises(InputError, match=r"reports/2026-11-16.md: cannot be written \("):
        keep(corpus, Report("small", snapshot(corpus, STAGES, MONDAY), None), date(2026, 11, 16), "")


def test_a_time_zone_that_there_is_not_is_bad_input() -> None:
    with pytest.raises(InputError, match="timezone Mars/Olympus: there is none"):
        zone_of("Mars/Olympus")
