"""tdmrep.json: the first rule that matches decides, and what cannot be read reserves."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waon_build.rights.tdmrep import TdmRep

SITE = "https://example.org"


def _reserved(rules: object, path: str) -> bool | None:
    rule = TdmRep(json.dumps(rules).encode()).decide(SITE + path)
    return rule.reserves if rule else None


def test_the_first_rule_that_matches_decides() -> None:
    rules = [
        {"location": "/open/", "tdm-reservation": 0},
        {"location": "/", "tdm-reservation": 1, "tdm-policy": "https://example.org/policy.json"},
    ]
    assert _reserved(rules, "/open/a.jpg") is False
    assert _reserved(rules, "/a.jpg") is True


def test_a_path_that_no_rule_matches_is_not_spoken_of() -> None:
    assert _reserved([{"location": "/img/", "tdm-reservation": 1}], "/a") is None
    assert _reserved([], "/a") is None


def test_patterns_are_those_of_robots_txt() -> None:
    rules = [{"location": "/*.jpg$", "tdm-reservation": 1}]
    assert _reserved(rules, "/x/y.jpg") is True
    assert _reserved(rules, "/x/y.jpg?z") is None
    assert _reserved([{"location": "/a/*/c", "tdm-reservation": 1}], "/a/b/b/cd") is True
    assert _reserved([{"location": "/%e6%97%a5", "tdm-reservation": 1}], "/日本") is True


@pytest.mark.parametrize("location", ["img/", "https://example.org/img/", "*/img/"])
def test_a_location_written_otherwise_is_understood(location: str) -> None:
    assert _reserved([{"location": location, "tdm-reservation": 1}], "/img/a.png") is True


def test_a_single_rule_need_not_be_in_a_list() -> None:
    assert _reserved({"location": "/", "tdm-reservation": 1}, "/a") is True


@pytest.mark.parametrize("value", [1, "1", 2, True, False, None, "no", [0]])
def test_a_reservation_is_anything_but_zero(value: object) -> None:
    assert _reserved([{"location": "/", "tdm-reservation": value}], "/a") is True


@pytest.mark.parametrize("value", [0, "0", " 0 "])
def test_zero_is_none(value: object) -> None:
    assert _reserved([{"location": "/", "tdm-reservation": value}], "/a") is False


@pytest.mark.parametrize(
    "body", [b"[{", b'{"location": ', b"[" * 100_000, b'["/"]', b'[{"tdm-reservation": 0}]', b"[\xff]"]
)
def test_a_file_that_looks_like_rules_and_cannot_be_read_reserves_everything(body: bytes) -> None:
    rule = TdmRep(body).decide(f"{SITE}/a")
    assert rule is not None
    assert rule.reserves


@pytest.mark.parametrize(
    "body", [b"", b"<!doctype html><title>Not found</title>", b"404 not found", b"[]", b"\xef\xbb\xbf[]"]
)
def test_a_web_page_or_nothing_in_its_place_says_nothing(body: bytes) -> None:
    assert TdmRep(body).decide(f"{SITE}/a") is None


@given(st.binary(max_size=300), st.text(max_size=30))
def test_any_bytes_are_read_without_an_error(body: bytes, path: str) -> None:
    for start in (b"", b"[", b"{"):
        TdmRep(start + body).decide(f"{SITE}/{path}")
