"""The tombstone list of a release: enough to clean a copy, too little to harm again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from waon_build.export.withdrawn import Withdrawn, to_jsonl
from waon_build.rights.tombstones import Tombstone, Tombstones

SAMPLE = {
    "url": "https://img.example.jp/a.jpg",
    "page_url": "https://example.jp/",
    "pair_id": "0123456789abcdef",
    "sha256": "ab" * 32,
    "phash": "ff00ff00ff00ff00",
}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("url", "https://IMG.example.jp:443/a.jpg#x"),
        ("url", "https://example.jp/"),
        ("url", "http://img.example.jp/a.jpg"),
        ("host", "*.example.jp"),
        ("host", "example.jp"),
        ("pair_id", "0123456789abcdef"),
        ("sha256", "ab" * 32),
        ("phash", "ff00ff00ff00ff0f"),
    ],
)
def test_a_release_knows_what_each_kind_of_tombstone_covers(made: Any, kind: str, value: str) -> None:
    stones = Tombstones.add(made.corpus, kind, value, "asked by the photographer").stones
    listed = to_jsonl(stones)
    assert Withdrawn(listed).covers(**SAMPLE)
    others = {"url": "https://a.org/", "page_url": "", "pair_id": "0" * 16, "sha256": "0" * 64, "phash": "0" * 16}
    assert not Withdrawn(listed).covers(**others)


def test_the_list_tells_neither_addresses_nor_why() -> None:
    stone = Tombstone("url", "https://example.jp/private.jpg", "my daughter", "2025-01-01T00:00:00+00:00")
    listed = to_jsonl([stone])
    assert b"private" not in listed
    assert b"daughter" not in listed
    assert set(json.loads(listed)) == {"kind", "value", "at"}


def test_the_list_does_not_depend_on_the_order_of_withdrawals() -> None:
    stones = [Tombstone("host", f"h{i}.jp", "", "2025-01-01T00:00:00+00:00") for i in range(5)]
    assert to_jsonl(stones) == to_jsonl(stones[::-1])


def test_an_empty_list_covers_nothing() -> None:
    assert not Withdrawn(b"").covers(**SAMPLE)
