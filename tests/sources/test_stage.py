"""The extract stage: each file is a part, counted whole, and made again only when it changes."""

from __future__ import annotations

import gzip
import json
import pickle
from pathlib import Path

import pytest

from waon_build.corpus import Corpus
from waon_build.pipeline import begin
from waon_build.recipe import Recipe
from waon_build.records import InputError
from waon_build.sources.stage import Extract

ROWS = [
    {"url": "http://a.example/1.jpg", "caption": "夕暮れの鳥居"},
    {"url": "relative.jpg", "caption": "夕暮れの鳥居"},
    {"url": "ftp://a.example/1.jpg", "caption": "夕暮れの鳥居"},
    {"url": "http://a.example/2.jpg", "caption": None},
]


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(str(tmp_path / "corpus"))


def table(tmp_path: Path, name: str = "t.jsonl", rows: int = 1) -> Path:
    path = tmp_path / name
    path.write_text("\n".join(json.dumps(row) for row in ROWS * rows), encoding="utf-8")
    return path


def extract(*paths: object, **fields: object) -> Extract:
    source = {"kind": "table", "paths": [str(path) for path in paths], **fields}
    return Extract(Recipe(name="x", corpus="x", sources=[source]))  # type: ignore[list-item]


def test_every_row_of_a_table_is_a_candidate_or_leaves_a_reason(tmp_path: Path, corpus: Corpus) -> None:
    stage = extract(table(tmp_path))
    (part,) = stage.inputs(corpus)
    tally = stage.run(corpus, part)
    assert tally.rows.to_json() == {"read": 4, "kept": 1, "dropped": {"no_address": 1, "no_caption": 1, "not_http": 1}}
    row = corpus.read("extract", part.name).to_pylist()[0]
    assert (row["caption_source"], row["source"]) == ("table", "t.jsonl@0")


def test_a_table_is_cut_into_parts_of_bounded_size(tmp_path: Path, corpus: Corpus) -> None:
    stage = extract(table(tmp_path, rows=5), rows_per_part=8)
    parts = stage.inputs(corpus)
    assert [stage.run(corpus, part).rows.read for part in parts] == [8, 8, 4]


def test_a_part_is_made_again_only_when_its_file_changes(tmp_path: Path, corpus: Corpus) -> None:
    stage = extract(table(tmp_path))
    (part,) = stage.inputs(corpus)
    stage.run(corpus, part)
    assert corpus.is_current("extract", stage.inputs(corpus)[0])
    table(tmp_path, rows=2)
    assert not corpus.is_current("extract", extract(tmp_path / "t.jsonl").inputs(corpus)[0])


def test_a_table_cut_anew_leaves_no_row_twice(tmp_path: Path, corpus: Corpus) -> None:
    for rows_per_part in (2, 3):
        stage = extract(table(tmp_path, rows=5), rows_per_part=rows_per_part)
        for part in begin(stage, corpus)[0]:
            stage.run(corpus, part)
    assert sum(tally.rows.read for tally in corpus.tallies("extract")) == 20


def test_a_table_read_for_two_columns_of_captions_gives_both(tmp_path: Path, corpus: Corpus) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"url": "http://a.example/1.jpg", "alt": "夕暮れの鳥居", "title": "厳島神社"}))
    sources = [{"kind": "table", "paths": [str(path)], "caption_column": name} for name in ("alt", "title")]
    stage = Extract(Recipe(name="x", corpus="x", sources=sources))  # type: ignore[arg-type]
    for part in stage.inputs(corpus):
        stage.run(corpus, part)
    captions = [corpus.read("extract", name)["caption"].to_pylist() for name in corpus.parts("extract")]
    assert sorted(captions) == [["厳島神社"], ["夕暮れの鳥居"]]


def test_files_are_found_by_glob_and_by_list(tmp_path: Path, corpus: Corpus) -> None:
    table(tmp_path, "a.jsonl")
    table(tmp_path, "b.jsonl")
    by_glob = [part.name for part in extract(tmp_path / "*.jsonl").inputs(corpus)]
    listing = tmp_path / "all.paths.gz"
    listing.write_bytes(gzip.compress(f"{tmp_path}/a.jsonl\n\n{tmp_path}/b.jsonl\n".encode()))
    assert [part.name for part in extract(listing).inputs(corpus)] == by_glob
    assert len(by_glob) == 2


@pytest.mark.parametrize("path", ["none.jsonl", "none*.jsonl", "none.paths"])
def test_a_missing_file_is_one_line_with_the_field(tmp_path: Path, corpus: Corpus, path: str) -> None:
    with pytest.raises(InputError, match=r"none.*sources|sources.*none"):
        extract(tmp_path / path).inputs(corpus)


def test_an_empty_list_is_one_line_and_takes_nothing_back(tmp_path: Path, corpus: Corpus) -> None:
    """Whoever writes it may not have come to its first line yet."""
    (tmp_path / "all.paths").write_text("\n")
    with pytest.raises(InputError, match=r"all\.paths: names no file: give sources\.0\.paths"):
        extract(tmp_path / "all.paths").inputs(corpus)


def test_the_stage_can_be_sent_to_another_process(tmp_path: Path, corpus: Corpus) -> None:
    stage = extract(table(tmp_path))
    assert pickle.loads(pickle.dumps(stage)).inputs(corpus) == stage.inputs(corpus)


def test_the_pages_of_real_archives_give_what_the_sites_give(shared_data: Path, corpus: Corpus) -> None:
    """Every Japanese pair of the two sites that also lie in WARC files, and none of another language."""
    for name, archive in (
        ("rpi-cats", "rpi-cats.with-images.warc.gz"),
        ("text-baldanders-info", "text-baldanders-info.warc.gz"),
    ):
        truth = json.loads((shared_data / "sites" / f"{name}.expected.json").read_text(encoding="utf-8"))
        wanted = {
            pair["file"].rsplit("/", 1)[-1]
            for pair in truth["pairs"]
            if pair["page_lang"] == "ja"
            and pair["where"] == "local"
            and set(pair["alt_script"] + pair["cap_script"]) & set("kh")
        }
        source = {"kind": "warc", "paths": [str(shared_data / "warc" / "made" / archive)]}
        stage = Extract(Recipe(name="x", corpus="x", sources=[source]))  # type: ignore[list-item]
        (part,) = stage.inputs(corpus)
        stage.run(corpus, part)
        rows = corpus.read("extract", part.name).to_pylist()
        assert wanted <= {row["url"].rsplit("/", 1)[-1] for row in rows}
        assert not [row for row in rows if any(f"/{code}" in row["page_url"] for code in ("en/", "zh-", "ko-", "ru-"))]
        assert all(row["captured_at"] for row in rows)
