"""Lists of pictures to keep out: Parquet, CSV, text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from waon_build.dedup.evaluation import digest, read_looks
from waon_build.records import InputError

HASHES = ["9fee256238984d71", "0000000000000000", "1234567890123456"]
"""The last has no letter: a number to whoever guesses."""
WORDS = [int(one, 16) for one in HASHES]


def test_the_same_hashes_are_read_from_parquet_csv_and_text(tmp_path: Path) -> None:
    table = pa.table({"url": ["a", "b", "c"], "phash": HASHES})
    pq.write_table(table, tmp_path / "list.parquet")
    (tmp_path / "list.csv").write_text("url,phash\n" + "".join(f"x,{one}\n" for one in HASHES))
    (tmp_path / "list.txt").write_text("\ufeff" + "\r\n".join(one.upper() for one in HASHES) + "\r\n\r\n")
    for name in ("list.parquet", "list.csv", "list.txt"):
        looks = read_looks(str(tmp_path / name), {})
        assert looks.phash.tolist() == WORDS
        assert not looks.known256.any()


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_256_bits_are_read_where_a_list_has_them(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"list.{form}"
    long = "0" * 48 + "9fee256238984d71"
    if form == "csv":
        path.write_text(f"phash256,phash\n{long},{HASHES[0]}\n")
    else:
        pq.write_table(pa.table({"phash": HASHES[:1], "phash256": [long]}), path)
    looks = read_looks(str(path), {})
    assert looks.known256.all()
    assert looks.phash256.tolist() == [[0, 0, 0, WORDS[0]]]


def test_an_empty_list_keeps_nothing_out(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("")
    assert read_looks(str(tmp_path / "list.txt"), {}).phash.tolist() == []


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.txt", b"9fee256238984d71\nhello\n", "row 2 is 'hello', not 16 hex digits"),
        ("a.txt", b"\xff\xfe", "is no list of hashes"),
        ("a.csv", b"url\nhttps://example.jp/1.jpg\n", "has no column `phash`"),
        ("a.csv", b'phash\n""\n', "row 1 is '', not 16 hex digits"),
        ("a.csv", b"", "is no list of hashes"),
        ("a.csv", b"phash,phash256\n9fee256238984d71,12\n", "row 1 is '12', not 64 hex digits"),
        ("a.parquet", b"PAR1", "is no list of hashes"),
    ],
)
def test_a_list_that_cannot_be_used_is_named_with_the_way_out(
    tmp_path: Path, name: str, data: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=says) as error:
        read_looks(str(tmp_path / name), {})
    assert str(error.value).startswith(f"{tmp_path / name}: ")
    assert "dedup.evaluation_sets" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_list_that_is_not_there_is_an_error_before_anything_is_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.csv: cannot be read .*mend dedup\.evaluation_sets"):
        digest(str(tmp_path / "gone.csv"), {})


def test_the_digest_of_a_list_changes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(HASHES[0])
    before = digest(str(path), {})
    assert digest(str(path), {}) == before
    path.write_text(HASHES[1])
    assert digest(str(path), {}) != before
    assert np.uint64(WORDS[1]) in read_looks(str(path), {}).phash
