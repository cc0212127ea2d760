"""Tombstones: withdrawn for good, and never forgotten by accident."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waon_build.corpus import Corpus
from waon_build.records import InputError
from waon_build.rights.tombstones import RADIUS, Tombstone, Tombstones

PHASH = "00ff00ff00ff00ff"


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(str(tmp_path / "corpus"))


def _only(kind: str, value: str) -> Tombstones:
    return Tombstones([Tombstone(kind, value, "", "")])


def test_a_corpus_without_takedowns_covers_nothing(corpus: Corpus) -> None:
    stones = Tombstones.load(corpus)
    assert not stones.covers(url="http://a/", page_url="http://a/", pair_id="0" * 16, sha256="0" * 64, phash=PHASH)
    assert stones.digest == ""


def test_what_is_added_is_covered_from_then_on(corpus: Corpus) -> None:
    Tombstones.add(corpus, "url", "https://Example.org:443/a.jpg#top", "asked by the photographer")
    Tombstones.add(corpus, "pair_id", "0123456789ABCDEF", "wrong caption of a person")
    Tombstones.add(corpus, "sha256", "ab" * 32, "court order")
    stones = Tombstones.load(corpus)
    assert stones.covers(url="https://example.org/a.jpg")
    assert stones.covers(url="https://example.org/b.jpg", page_url="https://example.org/a.jpg")
    assert stones.covers(pair_id="0123456789abcdef")
    assert stones.covers(sha256="ab" * 32)
    assert not stones.covers(url="https://example.org/b.jpg", pair_id="1" * 16, sha256="cd" * 32, phash=PHASH)
    assert [stone.why for stone in stones.stones] == [
        "asked by the photographer",
        "wrong caption of a person",
        "court order",
    ]


def test_a_host_covers_its_pages_its_images_and_its_subdomains(corpus: Corpus) -> None:
    stones = Tombstones.add(corpus, "host", "日本語.example", "asked by the owner")
    assert stones.covers(url="http://xn--wgv71a119e.example/a")
    assert stones.covers(url="http://cdn.日本語.example:8080/a")
    assert stones.covers(url="http://elsewhere.example/a.jpg", page_url="https://WWW.日本語.example./p")
    assert not stones.covers(url="http://other日本語.example/a")
    assert not stones.covers(url="http://[broken")


@pytest.mark.parametrize("written", ["*.bar.jp", ".bar.jp", "https://*.Bar.jp/", "bar.jp."])
def test_a_host_is_covered_with_its_subdomains_however_it_is_written(corpus: Corpus, written: str) -> None:
    stones = Tombstones.add(corpus, "host", written, "asked by the owner")
    assert stones.stones[0].value == "bar.jp"
    assert stones.covers(url="http://bar.jp/a")
    assert stones.covers(url="http://img.bar.jp/a")
    assert not stones.covers(url="http://foobar.jp/a")


def test_the_twin_of_a_withdrawn_address_is_not_written_again(corpus: Corpus) -> None:
    first = Tombstones.add(corpus, "url", "http://h.jp/a.png", "asked")
    again = Tombstones.add(corpus, "url", "https://h.jp/a.png", "asked again")
    assert [stone.value for stone in again.stones] == ["http://h.jp/a.png"]
    assert first.digest == again.digest


def test_a_file_of_before_is_read_and_covers_what_it_was_meant_to(corpus: Corpus) -> None:
    Tombstones.add(corpus, "host", "a.example", "why")
    kept = [("url", "http://h.jp/a"), ("url", "https://h.jp/a"), ("url", "https://h.jp/b"), ("host", "*.bar.jp")]
    lines = (json.dumps({"kind": kind, "value": value, "why": "", "at": ""}) + "\n" for kind, value in kept)
    Path(corpus.path("tombstones.jsonl")).write_text("".join(lines), encoding="utf-8")
    stones = Tombstones.load(corpus)
    assert len(stones.stones) == 4
    assert all(map(stones.covers, ["http://h.jp/a", "http://h.jp/b", "https://h.jp/b", "http://img.bar.jp/"]))


@given(st.integers(0, 2**64 - 1), st.sets(st.integers(0, 63), max_size=20))
def test_a_phash_covers_exactly_what_is_within_its_radius(value: int, flipped: set[int]) -> None:
    other = value
    for bit in flipped:
        other ^= 1 << bit
    assert _only("phash", f"{value:016x}").covers(phash=f"{other:016x}") == (len(flipped) <= RADIUS)


def test_the_digest_changes_with_what_is_covered_and_with_nothing_else(corpus: Corpus) -> None:
    first = Tombstones.add(corpus, "host", "a.example", "one")
    second = Tombstones.add(corpus, "host", "b.example", "two")
    again = Tombstones.add(corpus, "host", "B.example", "said twice")
    assert first.digest != second.digest
    assert second.digest == again.digest == Tombstones.load(corpus).digest
    assert len(Tombstones.load(corpus).stones) == 2


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("url", "example.org/a"),
        ("url", "file:///etc/passwd"),
        ("host", ""),
        ("host", "*"),
        ("host", "jp"),
        ("host", "*.jp"),
        ("host", "img*.bar.jp"),
        ("pair_id", "xyz"),
        ("sha256", "ab"),
        ("phash", "0" * 15),
        ("name", "x"),
    ],
)
def test_what_cannot_be_a_tombstone_is_refused_with_the_way_out(corpus: Corpus, kind: str, value: str) -> None:
    with pytest.raises(InputError, match=r"tombstone: .*: give "):
        Tombstones.add(corpus, kind, value, "why")
    assert Tombstones.load(corpus).stones == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-5],
        lambda data: data + b"\n",
        lambda data: data + b"{}\n",
        lambda data: data + b"\xff\xfe\n",
        lambda data: data.replace(b"a.example", b"A.example"),
        lambda data: data.replace(b'"host"', b'"hose"'),
        lambda data: data + b'["host", "b.example"]\n',
        lambda data: b"\x00" * len(data),
    ],
)
def test_a_damaged_file_is_an_error_that_names_the_line_and_never_an_empty_list(corpus: Corpus, damage: object) -> None:
    Tombstones.add(corpus, "host", "a.example", "why")
    path = Path(corpus.path("tombstones.jsonl"))
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(InputError, match=r"tombstones\.jsonl: line \d+: is damaged"):
        Tombstones.load(corpus)
    with pytest.raises(InputError):
        Tombstones.add(corpus, "host", "b.example", "must not replace what was there")


def test_the_file_is_one_line_of_json_each(corpus: Corpus) -> None:
    Tombstones.add(corpus, "host", "a.example", "line\nbreak, 日本語")
    lines = Path(corpus.path("tombstones.jsonl")).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["why"] == "line\nbreak, 日本語"


@pytest.mark.parametrize(
    ("withdrawn", "written"),
    [
        ("http://h.jp/%E5%86%99%E7%9C%9F.png", "http://h.jp/写真.png"),
        ("http://例え.jp/a.png", "http://xn--r8jz45g.jp/a.png"),
        ("http://h.jp/a%20b.png", "http://h.jp/a b.png"),
        ("http://h.jp/a/../b.png", "http://h.jp/b.png"),
        ("http://h.jp./a.png", "http://h.jp/a.png"),
        ("http://H.jp:80/a.png#x", "http://h.jp/a.png"),
        ("http://h.jp/a.png", "https://h.jp/a.png"),
        ("https://h.jp:443/a.png", "http://h.jp/a.png"),
    ],
)
def test_an_address_is_covered_however_it_is_written(tmp_path: Path, withdrawn: str, written: str) -> None:
    stones = Tombstones.add(Corpus(str(tmp_path / "c")), "url", withdrawn, "asked")
    assert stones.covers(url=written)
    assert stones.covers(page_url=written)


def test_withdrawals_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    """Two processes add at once: no takedown is lost."""
    script = (
        "import sys; from waon_build.corpus import Corpus; from waon_build.rights.tombstones import Tombstones\n"
        "for n in range(15): Tombstones.add(Corpus(sys.argv[1]), 'url', f'http://h.jp/{sys.argv[2]}/{n}', 'asked')"
    )
    place = str(tmp_path / "c")
    processes = [subprocess.Popen([sys.executable, "-c", script, place, name]) for name in ("a", "b")]
    assert [process.wait() for process in processes] == [0, 0]
    assert len(Tombstones.load(Corpus(place)).stones) == 30
