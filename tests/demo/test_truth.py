"""The truth beside the site: it uses the pipeline's own words, adds up, and pages say what it expects of them."""

from __future__ import annotations

from collections import Counter

import pytest

import waon_build.pipeline  # noqa: F401 - brings in every room, and so every reason
from waon_build.demo.site import Site, pages
from waon_build.demo.truth import expectations, funnel, pages_refused
from waon_build.recipe import ExtractSettings
from waon_build.records import Reason
from waon_build.sources.html import read_page

OF_ANOTHER_STAGE = {"crawl.not_found", "crawl.refused_by_robots_txt", "crawl.refused_by_x_robots_tag"}
"""The crawl asks through the fetch room's client, and counts in its words."""


def test_every_fate_is_a_reason_that_the_pipeline_has() -> None:
    fates = {f"{row.stage}.{row.reason}" for row in expectations() if row.stage != "queued"}
    fates |= {page.fate for page in pages() if page.fate} - OF_ANOTHER_STAGE
    assert fates - set(Reason.all) == set()
    for fate in OF_ANOTHER_STAGE:
        assert f"fetch.{fate.partition('.')[2]}" in Reason.all


def test_every_text_and_image_reason_that_a_page_can_show_is_shown() -> None:
    """A rule that is added needs a thing on the site that breaks it, or a line here that says why not."""
    shown = {f"{row.stage}.{row.reason}" for row in expectations()} | {
        f"image.{one}" for one in funnel()["image"].dropped
    }
    not_shown = {reason for reason in Reason.all if reason.startswith(("text.", "image."))} - shown
    assert not_shown == {"text.caption_too_long", "text.caption_has_national_number"}


def test_the_funnel_adds_up_from_stage_to_stage() -> None:
    stages = funnel()
    assert all(counts.adds_up for counts in stages.values())
    for before, after in (("extract", "text"), ("text", "plan"), ("plan", "image"), ("image", "dedup")):
        assert stages[before].kept == stages[after].read
    assert stages["fetch"].read <= stages["plan"].kept
    assert stages["crawl"].kept - pages_refused().total() == sum(not page.fate for page in pages())


def test_enough_is_left_to_look_like_a_release() -> None:
    queued = [row for row in expectations() if row.stage == "queued"]
    assert len(queued) == funnel()["dedup"].kept >= 45
    assert sum(sorted(row.answers)[1] >= 2 for row in queued) >= 40
    assert len({row.url for row in queued}) == len(queued)
    assert {row.scene.category for row in queued} == {scene.category for scene in {row.scene for row in queued}}
    assert {"alt", "figcaption", "title"} == {row.caption_source for row in queued}


def test_one_caption_is_wrong_and_annotators_disagree_about_another() -> None:
    queued = [row for row in expectations() if row.stage == "queued"]
    assert [row.caption for row in queued if max(row.answers) == 0] == ["五合目から見上げた富士山"]
    assert len([row for row in queued if max(row.answers) - min(row.answers) > 1]) == 1


def test_a_kanji_only_caption_is_expected_in_the_queue() -> None:
    queued = {row.caption for row in expectations() if row.stage == "queued"}
    assert {"厳島神社大鳥居", "京都東山五重塔"} <= queued


OPEN = [page for page in pages() if page.title and not page.fate.startswith("crawl.refused_by_robots")]


@pytest.mark.parametrize("page", OPEN, ids=[page.path for page in OPEN])
def test_a_page_read_as_html_gives_the_references_that_are_expected_of_it(page, site: Site) -> None:
    """Captions, addresses and languages come out right whatever the encoding, the markup and the declarations."""
    answer = site.answers[page.path][0]
    url = f"{site.url}{page.path}"
    read = read_page(url, answer.headers, answer.body, "ja", ExtractSettings())
    expected = [row for row in expectations(site.url, site.slow_url) if row.page == url]
    if page.fate:
        assert not read.candidates
        assert not page.fate.startswith("extract.") or read.reason == page.fate.partition(".")[2]
        return
    assert read.reason is None
    found = Counter((one.url, one.caption, one.caption_source) for one in read.candidates)
    assert found == Counter((row.url, row.caption, row.caption_source) for row in expected if row.stage != "extract")
    dropped = Counter(str(reason) for _, reason in read.dropped)
    assert dropped == Counter(row.reason for row in expected if row.stage == "extract")
    assert {one.page_title for one in read.candidates} <= {page.title}
    assert {one.licence_url for one in read.candidates} == (
        {"https://creativecommons.org/licenses/by/4.0/deed.ja"} if page.licence else {""}
    )


def test_a_refused_page_that_nobody_may_ask_for_would_have_had_candidates(site: Site) -> None:
    """The robots-disallowed page is a good page: only robots.txt stands before it."""
    page = site.answers["/himitsu/"][0]
    assert read_page(f"{site.url}/himitsu/", page.headers, page.body, "ja", ExtractSettings()).candidates
