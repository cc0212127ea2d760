"""X-Robots-Tag and robots meta: every rule is heard, and only those for us refuse us."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waon_build.rights.robots_tag import (
    REFUSING,
    header_forbids_following,
    header_refuses,
    meta_forbids_following,
    meta_refuses,
)

DATE = "Wed, 03 Dec 2025 13:09:53 GMT"


@pytest.mark.parametrize(
    "value",
    [
        "max-image-preview:large, noai",
        "max-snippet:50, noimageai",
        f"unavailable_after: {DATE}, noai",
        f"noai, unavailable_after: {DATE}",
        "none",
        "noml",
        "noindex; noai",
        "noai, otherbot: nofollow",
    ],
)
def test_the_eight_headers_that_img2dataset_reads_past_refuse(value: str) -> None:
    assert header_refuses(value)


@pytest.mark.parametrize(
    "value",
    [
        "noai",
        "NOAI, noimageai",
        "waon-build: noai",
        "Waon-Build: NoIndex, nofollow",
        "*: noimageindex",
        "otherbot: nofollow, waon-build: noindex",
        "otherbot: nosnippet, *: noai",
        "noindex nofollow",
        '"noai"',
        "'noindex'",
        "noai:",
        "noindex: true",
        " ,, noml ,",
        "unavailable_after: 2025-12-03T13:09:53Z, noai",
        "unavailable_after: Sat, 2025-01-01T10:00, noai",
        "unavailable_after: 25 Jun 2010 15:00:00 PST; noai",
        "max-video-preview:-1\tnoai, noindex",
        "360spider: noindex",
        "max-image-preview:large noai",
        "max-image-preview:large none",
        "max-snippet:50 noimageai",
        "unavailable_after: 25 Jun 2010 15:00:00 PST noai",
        "otherbot: nofollow, waon-build: max-snippet:50 noml",
        "waon-build/0.1: noai",
        "otherbot: noindex, Waon-Build/0.1: none",
    ],
)
def test_a_refusing_rule_for_us_or_for_all_refuses(value: str) -> None:
    assert header_refuses(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "all",
        "index, follow",
        "nofollow, noarchive, nosnippet",
        "otherbot: noindex, nofollow",
        "googlebot: none",
        "GPTBot: noai, CCBot: noai, noimageai",
        "otherbot: noai, max-image-preview: none",
        "otherbot: max-image-preview:large noai",
        "otherbot/0.1: noai",
        "max-image-preview: none",
        "max-image-preview:none, max-snippet:0",
        f"unavailable_after: {DATE}",
        f"max-snippet:-1, unavailable_after: {DATE}, nofollow",
        "waon-build: all",
        "nonesuch, noaim, indexnoindexed",
    ],
)
def test_a_header_without_a_refusing_rule_for_us_does_not_refuse(value: str) -> None:
    assert not header_refuses(value)


@given(
    before=st.lists(st.sampled_from(["all", "nofollow", "max-snippet:50", f"unavailable_after: {DATE}", ""])),
    refusing=st.sampled_from(sorted(REFUSING)),
    after=st.lists(st.sampled_from(["otherbot: nofollow", "max-image-preview:none", "noarchive", ""])),
    separator=st.sampled_from([",", ", ", " ,\t", ";"]),
)
def test_a_refusing_rule_refuses_wherever_it_stands(
    before: list[str], refusing: str, after: list[str], separator: str
) -> None:
    assert header_refuses(separator.join([*before, refusing.title(), *after]))


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_error(value: str) -> None:
    header_refuses(value)
    meta_refuses("robots", value)


def test_a_meta_element_counts_when_its_name_is_robots_or_ours() -> None:
    assert meta_refuses("robots", "noindex, noai")
    assert meta_refuses("ROBOTS", "NONE")
    assert meta_refuses("waon-build", "noai")
    assert meta_refuses("waon-build/0.1", "noai")
    assert meta_refuses("robots", "max-image-preview:large noai")
    assert not meta_refuses("googlebot", "noindex")
    assert not meta_refuses("description", "none of this is noai")


def test_a_meta_element_knows_no_agent_prefix_so_a_rule_behind_one_is_heard() -> None:
    assert meta_refuses("robots", "otherbot: noindex")
    assert not meta_refuses("robots", "max-image-preview:none, follow")


def test_nofollow_and_none_forbid_following_links() -> None:
    assert meta_forbids_following("robots", "index, nofollow")
    assert meta_forbids_following("waon-build", "none")
    assert not meta_forbids_following("googlebot", "nofollow")
    assert header_forbids_following("noarchive, nofollow")
    assert not header_forbids_following("otherbot: nofollow")
