"""The files that count: sizes.json, the wids index, SHA256SUMS."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waon_build.export.index import read_sums, sizes_json, sums_text, wids_json
from waon_build.export.selection import Shard
from waon_build.export.shards import WrittenFile

SHARDS = [
    Shard("c-train-000000", "train", 5, 0),
    Shard("c-train-000001", "train", 2, 1),
    Shard("c-test-000000", "test", 1, 2),
]
DIGEST = "0123456789abcdef" * 4


def test_open_clip_learns_the_samples_of_each_tar_by_its_name() -> None:
    assert json.loads(sizes_json(SHARDS)) == {"c-train-000000.tar": 5, "c-train-000001.tar": 2, "c-test-000000.tar": 1}


def test_a_wids_index_lists_the_shards_of_its_split_alone() -> None:
    tars = {f"{shard.name}.tar": WrittenFile(f"{shard.name}.tar", "", 10_240) for shard in SHARDS}
    index = json.loads(wids_json("c", "train", SHARDS, tars))
    assert index["wids_version"] == 1
    assert index["shardlist"] == [
        {"url": "c-train-000000.tar", "nsamples": 5, "filesize": 10_240},
        {"url": "c-train-000001.tar", "nsamples": 2, "filesize": 10_240},
    ]


@given(st.dictionaries(st.from_regex(r"[a-zA-Z_][a-zA-Z0-9._-]{0,20}", fullmatch=True), st.just(DIGEST)))
def test_sums_are_read_as_they_were_written(sums: dict[str, str]) -> None:
    text = sums_text(WrittenFile(name, digest, 1) for name, digest in sums.items())
    assert read_sums(text) == dict(sorted(sums.items()))


@pytest.mark.parametrize(
    "text",
    [
        f"{DIGEST.upper()}  a\n",
        f"{DIGEST}  a",
        f"{DIGEST} a\n",
        f"{DIGEST}  a\n\n",
        f"{DIGEST}  a\n{DIGEST}  a\n",
        f"{DIGEST}  ../a\n",
        f"{DIGEST}  /a\n",
        "\n",
    ],
)
def test_sums_that_are_not_as_written_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="damaged"):
        read_sums(text.encode())
