"""Whoever reads a release reads all of it: webdataset, Hugging Face datasets, sha256sum, each with its own code."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import webdataset
from PIL import Image

from waon_build.export.release import export


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Hugging Face datasets, without network, with a cache of its own."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    return datasets


@pytest.fixture
def uneven(tmp_path: Path, make_corpus: Callable[..., Any]) -> Path:
    """A release whose first five samples lack every value that may be missing, and later ones have them."""
    rows: dict[str, dict[str, Any]] = {}

    def change(number: int, row: dict[str, Any]) -> None:
        rows[row["pair_id"]] = row

    folder = tmp_path / "corpus"
    settings = {"samples_per_shard": 40, "splits": {"train": 1.0}}
    first = make_corpus(str(folder / "a"), 30, change=change, **settings)
    order = _keys(Path(export(first.recipe, first.corpus, first.accepted).url))

    def forget(number: int, row: dict[str, Any]) -> None:
        rank = order.index(row["pair_id"])
        if rank < 5:
            row |= dict.fromkeys(("page_title", "page_url", "context", "licence_url", "captured_at", "source"), "")
            row["rights"] = []
        else:
            row |= {
                "licence_url": "https://creativecommons.org/licenses/by/4.0/",
                "captured_at": "2024-02-29T00:00:00Z",
            }

    made = make_corpus(str(folder / "b"), 30, change=forget, **settings)
    accepted = [row._replace(match=3.0 if order.index(row.pair_id) < 5 else 2.5, culture="") for row in made.accepted]
    release = Path(export(made.recipe, made.corpus, accepted).url)
    assert _keys(release) == order
    return release


def _keys(release: Path) -> list[str]:
    return [key for path in sorted(release.glob("*.parquet")) for key in pq.read_table(path)["pair_id"].to_pylist()]


def _rows(release: Path, split: str) -> dict[str, dict[str, Any]]:
    """The truth, from Parquet: pair_id -> the fields of KEY.json."""
    rows = {}
    for path in sorted(release.glob(f"*-{split}-*.parquet")):
        for row in pq.read_table(path).to_pylist():
            for name in ("split", "shard", "offset", "size", "format"):
                del row[name]
            row["rights"] = json.dumps(row["rights"], ensure_ascii=False)
            rows[row["pair_id"]] = row
    return rows


def test_webdataset_reads_every_sample(made: Any) -> None:
    release = Path(export(made.recipe, made.corpus, made.accepted).url)
    urls = str(release / "made-train-{000000..000001}.tar")
    samples = list(webdataset.WebDataset(urls, shardshuffle=False).decode("pil"))
    truth = _rows(release, "train")
    assert [sample["__key__"] for sample in samples] == list(truth)
    for sample in samples:
        row = truth[sample["__key__"]]
        assert sample["json"] == row
        assert sample["txt"] == row["caption"]
        assert sample["jpg"].size == (row["width"], row["height"])


def test_webdataset_reads_what_the_index_and_sizes_count(made: Any) -> None:
    release = Path(export(made.recipe, made.corpus, made.accepted).url)
    sizes = json.loads((release / "sizes.json").read_bytes())
    listed = [
        shard
        for split in ("train", "validation")
        for shard in json.loads((release / f"made-{split}.wids.json").read_bytes())["shardlist"]
    ]
    assert {shard["url"]: shard["nsamples"] for shard in listed} == sizes
    for shard in listed:
        samples = list(webdataset.WebDataset(str(release / shard["url"]), shardshuffle=False))
        assert len(samples) == shard["nsamples"]
        assert (release / shard["url"]).stat().st_size == shard["filesize"]


@pytest.mark.slow
@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_reads_the_tars_and_loses_nothing(uneven: Path, offline: Any, streaming: bool) -> None:
    """It takes its types from the first five samples, which here know the least."""
    files = [str(path) for path in sorted(uneven.glob("*-train-*.tar"))]
    loaded = offline.load_dataset("webdataset", data_files={"train": files}, split="train", streaming=streaming)
    truth = _rows(uneven, "train")
    seen = []
    for sample in loaded:
        row = truth[sample["__key__"].rpartition("/")[2]]
        assert sample["json"] == row
        assert all(type(value) is type(row[name]) for name, value in sample["json"].items())
        assert sample["txt"] == row["caption"]
        assert isinstance(sample["jpg"], Image.Image)
        assert sample["jpg"].size == (row["width"], row["height"])
        seen.append(row["pair_id"])
    assert seen == list(truth)


@pytest.mark.slow
@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_opens_the_folder_by_its_card(made: Any, offline: Any, streaming: bool) -> None:
    release = Path(export(made.recipe, made.corpus, made.accepted).url)
    loaded = offline.load_dataset(str(release), streaming=streaming)
    assert sorted(loaded) == ["train", "validation"]
    for split in loaded:
        truth = _rows(release, split)
        samples = list(loaded[split])
        assert [sample["json"] for sample in samples] == list(truth.values())
        assert {tuple(sorted(sample)) for sample in samples} == {("__key__", "__url__", "jpg", "json", "txt")}


@pytest.mark.slow
def test_datasets_reads_the_parquet_files(made: Any, offline: Any) -> None:
    release = Path(export(made.recipe, made.corpus, made.accepted).url)
    loaded = offline.load_dataset("parquet", data_files={"train": str(release / "*-train-*.parquet")}, split="train")
    assert loaded["pair_id"][:] == list(_rows(release, "train"))
    assert loaded[0]["rights"][0]["signal"] == "robots_txt"


def test_sha256sum_checks_a_release(made: Any) -> None:
    release = Path(export(made.recipe, made.corpus, made.accepted).url)
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=release, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""


def test_tar_lists_and_unpacks_a_shard(made: Any, tmp_path: Path) -> None:
    release = Path(export(made.recipe, made.corpus, made.accepted).url)
    done = subprocess.run(
        ["tar", "-xf", str(release / "made-train-000000.tar"), "-C", str(tmp_path)], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    key = _keys(release)[0]
    assert json.loads((tmp_path / f"{key}.json").read_bytes())["caption"] == (tmp_path / f"{key}.txt").read_text()
