"""The pairs of a corpus as numbers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from waon_build.dedup.pairs import read_pairs
from waon_build.records import InputError
from waon_build.rights.tombstones import Tombstones


def test_rows_come_in_the_order_of_parts_however_they_are_read(made: Any) -> None:
    for number in range(12):
        made.part(
            f"p{number:02}",
            [made.row(f"{number}-{at}", made.look(number), side=number + 1) for at in range(number % 4)],
        )
    pairs = read_pairs(made.corpus, made.corpus.tallies("image"), Tombstones([]))
    assert pairs.area.tolist() == [(number + 1) ** 2 for number in range(12) for _ in range(number % 4)]
    assert len(np.unique(pairs.sha256[:, 0])) == len(pairs.pair_id)


def test_the_area_of_the_largest_image_does_not_overflow(made: Any) -> None:
    made.part("p", [made.row("a", made.look(1), side=65_535)])
    assert read_pairs(made.corpus, made.corpus.tallies("image"), Tombstones([])).area.tolist() == [65_535**2]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("url", "https://img.example.jp/b.jpg"),
        ("url", "HTTPS://IMG.example.jp:443/b.jpg#top"),
        ("url", "https://example.jp/2.html"),
        ("url", "http://img.example.jp/b.jpg"),
        ("host", "*.example.jp"),
        ("host", "img.example.jp"),
        ("host", "example.jp"),
        ("host", "example.com"),
        ("pair_id", None),
        ("sha256", None),
        ("phash", None),
    ],
)
def test_what_is_withdrawn_is_what_the_tombstones_say_of_each_row(made: Any, kind: str, value: str | None) -> None:
    """Columns are looked at one by one, for speed: the answer is that of `Tombstones.covers`, row by row."""
    look = made.look(1)
    rows = [
        made.row("a", look, page="1"),
        made.row("b", look.moved(8, 100), page="2"),
        made.row("c", look.moved(10, 0), page="3", url=""),
        made.row("d", made.look(2), page="2", page_url=None),
    ]
    made.part("p", rows)
    stones = Tombstones.add(made.corpus, kind, value or rows[0][kind], "asked for")
    pairs = read_pairs(made.corpus, made.corpus.tallies("image"), Tombstones.load(made.corpus))
    names = ["url", "page_url", "pair_id", "sha256", "phash"]
    assert pairs.withdrawn.tolist() == [stones.covers(**{name: one[name] or "" for name in names}) for one in rows]
    assert pairs.withdrawn.any() == (value != "example.com")


def test_a_damaged_hash_names_the_part_and_the_way_out(made: Any) -> None:
    made.part("p", [made.row("a", made.look(1)), made.row("b", made.look(2), phash="")])
    with pytest.raises(InputError, match=r"image/p\.tally\.json: a hash in row 2 is '', not 16 hex digits: delete"):
        read_pairs(made.corpus, made.corpus.tallies("image"), Tombstones([]))


def test_a_part_with_other_rows_than_its_tally_tells_of_is_an_error(made: Any) -> None:
    made.part("p", [made.row("a", made.look(1))])
    path = made.corpus.path("image", "p.tally.json")
    tally = json.loads(made.corpus.fs.cat_file(path))
    tally["rows"] |= {"read": 2, "kept": 2}
    made.corpus.fs.pipe_file(path, json.dumps(tally).encode())
    with pytest.raises(InputError, match="tells of 2 rows, and there are 1"):
        read_pairs(made.corpus, made.corpus.tallies("image"), Tombstones([]))
