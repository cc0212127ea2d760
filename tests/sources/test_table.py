"""Tables of URLs: Parquet, CSV and JSONL give the same candidates, chunk by chunk."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from waon_build.records import InputError
from waon_build.source_settings import TableSource
from waon_build.sources import table

ROWS = [{"url": f"http://a.example/{n}.jpg", "caption": f"写真、{n}\n枚目", "similarity": 0.5} for n in range(25)]
SOURCE = TableSource(kind="table", paths=["x"])


def written(ending: str) -> io.BytesIO:
    stream = io.BytesIO()
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), stream, row_group_size=7)
    elif ending == "csv":
        import pandas as pd

        stream.write(pd.DataFrame(ROWS).to_csv(index=False).encode("utf-8-sig"))
    else:
        stream.write("\n\n".join(json.dumps(row) for row in ROWS).encode())
    stream.seek(0)
    return stream


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize(("start", "count"), [(0, 25), (0, 10), (10, 10), (20, 10), (6, 2), (24, 1)])
def test_a_chunk_holds_its_rows_whatever_the_format(ending: str, start: int, count: int) -> None:
    found = list(table.rows(written(ending), f"x.{ending}", SOURCE, start, count))
    assert [row["url"] for row in found if row] == [row["url"] for row in ROWS[start : start + count]]
    candidate, _ = table.candidate(found[0] or {}, SOURCE, "x@0")
    assert candidate.caption == f"写真、{start} 枚目"
    assert table.count_rows(written(ending), f"x.{ending}") == 25


def test_a_broken_row_is_told_apart_and_the_rest_is_read() -> None:
    stream = io.BytesIO(b'{"url": "http://a.example/", "caption": "a"}\n{"url": \n[1]\n' + b"[" * 10_000 + b"\n")
    found = list(table.rows(stream, "x.jsonl", SOURCE, 0, 10))
    assert [row is None for row in found] == [False, True, True, True]


@pytest.mark.parametrize("url", ["", "not an address", "/relative.jpg", "ftp://a.example/a.jpg", "http://[x/a.jpg"])
def test_a_row_without_an_absolute_address_has_none(url: str) -> None:
    candidate, _ = table.candidate({"url": url, "caption": "鳥居"}, SOURCE, "x@0")
    assert candidate.url == ""


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_missing_column_is_one_line_with_those_there_are(ending: str) -> None:
    with pytest.raises(InputError, match=r"has no column 'TEXT' \(it has url, caption, similarity\).*caption_column"):
        list(
            table.rows(
                written(ending), f"x.{ending}", TableSource(kind="table", paths=["x"], caption_column="TEXT"), 0, 1
            )
        )


def test_a_table_of_tabs_is_counted_as_it_is_read() -> None:
    data = b"url\tcaption\n" + b"".join(b'http://a.example/%d\tx,"y\n' % n for n in range(10))
    found = list(table.rows(io.BytesIO(data), "x.tsv", SOURCE, 0, 99))
    assert len(found) == table.count_rows(io.BytesIO(data), "x.tsv")


def test_a_column_that_the_recipe_does_not_name_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables come with their pictures beside the addresses, hundreds of megabytes a row group."""
    read: list[str] = []
    real = pq.ParquetFile.iter_batches
    monkeypatch.setattr(
        pq.ParquetFile,
        "iter_batches",
        lambda *given, **named: (read.extend(named["columns"]), real(*given, **named))[1],
    )
    list(table.rows(written("parquet"), "x.parquet", SOURCE, 0, 25))
    assert read == ["url", "caption"]


def test_a_table_from_a_japanese_spreadsheet_is_read_as_it_was_written() -> None:
    data = ("url,caption\n" + "http://a.example/1.jpg,清水寺の紅葉①\n" * 3000).encode("cp932")
    found = list(table.rows(io.BytesIO(data), "x.csv", SOURCE, 2999, 1))
    assert [row and row["caption"] for row in found] == ["清水寺の紅葉①"]


def test_half_a_character_in_json_is_replaced() -> None:
    (row,) = table.rows(io.BytesIO(b'{"url": "http://a.example/1", "caption": "\\ud800 x"}'), "x.jsonl", SOURCE, 0, 1)
    candidate, _ = table.candidate(row or {}, SOURCE, "x@0")
    assert candidate.caption == "? x"


def test_a_cell_without_an_end_is_one_line() -> None:
    data = b'url,caption\nx,"' + b"a" * (17 * 1024 * 1024)
    with pytest.raises(InputError, match=r"x\.csv: cannot be read"):
        list(table.rows(io.BytesIO(data), "x.csv", SOURCE, 0, 1))


def test_what_is_no_parquet_is_one_line() -> None:
    with pytest.raises(InputError, match="is not a Parquet file"):
        table.count_rows(io.BytesIO(b"rubbish" * 10), "x.parquet")
