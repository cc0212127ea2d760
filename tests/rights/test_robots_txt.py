"""robots.txt: the group that is ours, its paths, and what it says of training."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protego import Protego

from waon_build.rights.robots_txt import MAX_BYTES, RobotsTxt

SITE = "https://example.org"


def _allows(text: str, path: str) -> bool:
    return RobotsTxt(text.encode()).allows(SITE + path)


def test_an_empty_file_or_a_web_page_in_its_place_allows_everything() -> None:
    assert RobotsTxt().allows(f"{SITE}/x")
    assert RobotsTxt(b"<!doctype html><html><body>Disallow nothing</body></html>").allows(f"{SITE}/x")


def test_our_own_group_counts_alone_when_there_is_one() -> None:
    text = "User-agent: *\nDisallow: /\n\nUser-agent: Waon-Build/1.0\nDisallow: /private/\n"
    assert _allows(text, "/a.jpg")
    assert not _allows(text, "/private/a.jpg")


def test_groups_of_the_same_agent_are_one() -> None:
    ours = "User-agent: waon-build\nDisallow: "
    text = f"{ours}/a/\nUser-agent: other\nDisallow: /b/\n{ours}/c/\n"
    assert [_allows(text, path) for path in ("/a/", "/b/", "/c/")] == [False, True, False]


def test_agents_named_together_share_their_rules() -> None:
    text = "User-agent: gptbot\nUser-agent: waon-build\nSitemap: /s.xml\nUser-agent: ccbot\nDisallow: /x\n"
    assert not _allows(text, "/x")


def test_an_agent_that_only_resembles_ours_is_not_us() -> None:
    text = "User-agent: waon\nDisallow: /a\nUser-agent: waon-builder\nDisallow: /b\n"
    assert _allows(text, "/a")
    assert _allows(text, "/b")


@pytest.mark.parametrize("name", ["User-agent *", "USER-AGENT :*", "useragent: *", "User agent: *"])
def test_misspelt_agent_lines_are_heard(name: str) -> None:
    assert not _allows(f"User-agent: other\nAllow: /\n{name}\nDisallow: /\n", "/x")


def test_a_rule_before_any_group_is_for_everyone() -> None:
    assert not _allows("Disallow: /private\nUser-agent: waon-build\nAllow: /public\n", "/private/x")


def test_the_longest_path_counts_and_allow_wins_a_tie() -> None:
    text = "User-agent: *\nDisallow: /img/\nAllow: /img/open/\nDisallow: /*.gif$\nDisallow: /same\nAllow: /same\n"
    assert not _allows(text, "/img/a.png")
    assert _allows(text, "/img/open/a.png")
    assert not _allows(text, "/x/a.gif")
    assert _allows(text, "/x/a.gif?v=1")
    assert _allows(text, "/same")


def test_the_deciding_line_is_kept_as_evidence() -> None:
    robots = RobotsTxt("User-agent: *\nDisallow: /a\n  disallow :  /a/日本/*.png$ # not these\n".encode())
    assert robots.disallowing_line(f"{SITE}/a/%E6%97%A5%E6%9C%AC/x.png") == "disallow :  /a/日本/*.png$"
    assert robots.disallowing_line(f"{SITE}/a/x") == "Disallow: /a"


def test_usage_rules_follow_the_drafts_own_example() -> None:
    """draft-ietf-aipref-attach, figure 4 and table 1."""
    text = b"""User-Agent: *
Allow: /
Disallow: /never/
Content-Usage: / train-ai=n
Content-Usage: /ai-ok/ train-ai=y

User-Agent: ExampleBot
Allow: /
Content-Usage: / train-ai=y
"""
    robots = RobotsTxt(text)
    assert (robots.allows(f"{SITE}/test"), robots.usage(f"{SITE}/test")) == (
        True,
        (True, "Content-Usage: / train-ai=n"),
    )
    assert not robots.allows(f"{SITE}/never/test")
    assert robots.usage(f"{SITE}/ai-ok/test") == (False, "Content-Usage: /ai-ok/ train-ai=y")
    ours = RobotsTxt(text.replace(b"ExampleBot", b"waon-build"))
    assert ours.usage(f"{SITE}/test") == (False, "Content-Usage: / train-ai=y")


def test_usage_rules_of_equal_paths_combine_to_the_restrictive_one() -> None:
    robots = RobotsTxt(b"User-Agent: *\nContent-Usage: /a train-ai=n\nContent-Usage: /a train-ai=y\n")
    assert robots.usage(f"{SITE}/a/b")[0]
    assert robots.usage(f"{SITE}/b") == (False, "")


@pytest.mark.parametrize(
    "line", ["Content-Usage:\t/\ttrain-ai=n", "Content-Usage: /  train-ai=n", "Content-Usage:/ \tai=n"]
)
def test_path_and_expression_of_a_usage_rule_stand_any_white_space_apart(line: str) -> None:
    assert RobotsTxt(f"User-agent: *\n{line}\n".encode()).usage(f"{SITE}/a") == (True, line)


@pytest.mark.parametrize(
    ("rules", "all_of_it"),
    [
        ("Disallow: /\nCrawl-delay: 1\n# no more\n", True),
        ("Disallow: /*", True),
        ("Disallow: /a", False),
        ("Disallow: /\nAllow: /images/", False),
        ("Disallow: /\nalow /images/", False),
        ("Disallow:", False),
        ("", False),
    ],
)
def test_a_site_is_known_to_forbid_all_only_where_no_line_might_allow_something(rules: str, all_of_it: bool) -> None:
    robots = RobotsTxt(f"User-agent: *\n{rules}\n".encode())
    assert robots.forbids_all == all_of_it
    assert not (robots.forbids_all and robots.allows(f"{SITE}/images/a.png"))


def test_a_usage_rule_without_a_path_is_for_every_path() -> None:
    assert RobotsTxt(b"User-Agent: *\nContent-Usage: train-ai=n\n").usage(f"{SITE}/x?y=1")[0]
    assert RobotsTxt(b"User-agent: *\nContent-Signal: search=yes,ai-train=no\nAllow: /\n").usage(f"{SITE}/x")[0]


def test_sitemaps_and_crawl_delay_are_read() -> None:
    robots = RobotsTxt(b"Sitemap: https://example.org/s.xml\nUser-agent: *\nCrawl-delay: 2.5\nSitemap: /t.xml\n")
    assert robots.sitemaps == ["https://example.org/s.xml", "/t.xml"]
    assert robots.crawl_delay == 2.5


def test_byte_order_marks_and_old_line_ends_are_read_past() -> None:
    robots = RobotsTxt(b"\xef\xbb\xbfUser-agent: *\rDisallow: /a\r\nDisallow: /b\n")
    assert not robots.allows(f"{SITE}/a")
    assert not robots.allows(f"{SITE}/b")


def test_a_rule_cut_off_by_the_size_limit_is_not_read_as_a_shorter_one() -> None:
    start = b"User-agent: *\nDisallow: /private/\n"
    cut = b"\nAllow: /private/open"
    filler = b"#" * (MAX_BYTES - len(start) - len(cut) + len(b"/open"))
    robots = RobotsTxt(start + filler + cut)
    assert len(start + filler + cut) > MAX_BYTES
    assert not robots.allows(f"{SITE}/private/x")


@pytest.mark.parametrize(
    "body",
    [
        b"".join(b"User-agent: a%d\n" % n for n in range(12000))
        + b"".join(b"Disallow: /a%d\n" % n for n in range(12000)),
        b"User-agent: *\n" + b"".join(b"Disallow: /*a*b*c%d\n" % n for n in range(20000)),
        b"User-agent: *\nDisallow: /" + b"*a" * 200_000,
        b"User-agent: *\nDisallow: /" + b" " * 400_000 + b"x",
        b"User-agent: *\n" + b"".join(b"Content-Usage: /*a*b%d train-ai=n\n" % n for n in range(12000)),
        b"\xff\x00" * 200_000,
    ],
    ids=["agents x rules", "wildcards", "one long pattern", "white space", "usage rules", "rubbish"],
)
def test_a_hostile_file_takes_no_time(body: bytes) -> None:
    """Half a megabyte of it is read and asked in a moment; protego alone takes gigabytes for the first."""
    started = time.process_time()
    robots = RobotsTxt(body)
    url = f"{SITE}/" + "ab" * 900
    robots.allows(url), robots.usage(url), robots.disallowing_line(url)
    assert time.process_time() - started < 3


_PATHS = st.text(alphabet="ab/*$.%2Fé?", max_size=8).map(lambda text: "/" + text)


@given(st.lists(st.tuples(st.sampled_from(["Allow", "Disallow"]), _PATHS), max_size=6), _PATHS)
def test_what_is_allowed_is_what_protego_says_of_the_whole_file(rules: list[tuple[str, str]], path: str) -> None:
    """Choosing the group before protego parses changes nothing of what it decides."""
    lines = [f"{name}: {value}" for name, value in rules]
    text = "\n".join(["User-agent: other", "Disallow: /", "", "User-agent: *", *lines])
    url = SITE + path.replace("*", "").replace("$", "")
    assert RobotsTxt(text.encode()).allows(url) == Protego.parse(text).can_fetch(url, "waon-build")


@given(st.binary(max_size=400))
def test_any_bytes_are_read_without_an_error(body: bytes) -> None:
    robots = RobotsTxt(body)
    robots.allows(f"{SITE}/x"), robots.usage(f"{SITE}/x"), robots.disallowing_line(f"{SITE}/x")
