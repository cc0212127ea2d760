"""Whether what a release says of itself as a whole follows from what is in it: its figures, its files, the
order of its samples, its card and its Croissant description.

Knows no place: bytes and names are handed in. What is wrong is given back, with file and key.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa
import yaml

from waon_build.export.card import FILE as CARD
from waon_build.export.croissant import FILE as CROISSANT
from waon_build.export.facts import FILE as RELEASE
from waon_build.export.index import SIZES, SUMS, sizes_json, wids_json, wids_name
from waon_build.export.selection import Shard
from waon_build.export.shard_check import Failure
from waon_build.export.shards import WrittenFile
from waon_build.export.splits import order_of
from waon_build.export.withdrawn import FILE as TOMBSTONES
from waon_build.records import Counts

_KINDS = {
    "name": str,
    "content": str,
    "corpus": str,
    "format": str,
    "samples": dict,
    "shards": int,
    "samples_per_shard": int,
    "splits": dict,
    "seed": int,
    "accepted": dict,
    "tombstones": int,
}
"""What `release.json` must say, and of what kind: all else is believed only after that."""

_CORPUS, _SPLIT = re.compile(r"[a-z0-9][a-z0-9_-]*"), re.compile(r"[a-z][a-z0-9_]*")


def read_facts(data: bytes) -> dict[str, Any]:
    """`release.json`, its fields of the kind they must be. Raises ValueError, in words, when it is not."""
    try:
        facts = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError("is missing or damaged") from error
    if not isinstance(facts, dict):
        raise ValueError("is missing or damaged")
    for name, kind in _KINDS.items():
        if type(facts.get(name)) is not kind:
            raise ValueError(f"its {name} is missing or damaged")
    if not _CORPUS.fullmatch(facts["corpus"]):
        raise ValueError("its corpus is missing or damaged")
    for split, count in facts["samples"].items():
        if not _SPLIT.fullmatch(split) or type(count) is not int or count < 1:
            raise ValueError("its samples are missing or damaged")
    return facts


def file_problems(there: Collection[str], facts: Mapping[str, Any], shards: Sequence[Shard]) -> Iterator[Failure]:
    """Which files a release has no place for. (One that is missing is said by whatever reads it.)"""
    known = {SUMS, SIZES, TOMBSTONES, RELEASE, CARD, CROISSANT}
    known |= {wids_name(facts["corpus"], split) for split in facts["samples"]}
    known |= {f"{shard.name}{suffix}" for shard in shards for suffix in (".tar", ".parquet", "_stats.json")}
    for name in sorted(set(there) - known):
        if not name.endswith(".tar"):  # said already, where the shards were looked for
            yield Failure(name, "", "is no file of a release")


def figure_problems(facts: Mapping[str, Any], samples: int, tombstones: int) -> Iterator[Failure]:
    """Whether the figures of `release.json` are those of the samples and tombstones that are here."""
    if not re.fullmatch("[0-9a-f]{64}", facts["content"]):
        yield Failure(RELEASE, "", "its content is no digest")
    if not _add_up(facts["accepted"], samples):
        yield Failure(RELEASE, "", f"its accepted pairs do not add up to the {samples} that are here")
    if facts["tombstones"] != tombstones:
        yield Failure(RELEASE, "", f"counts {facts['tombstones']} tombstones, and {tombstones} are here")
    if not _are_shares(facts["splits"].values()):
        yield Failure(RELEASE, "", "its splits are not shares that add up to 1")
    if unnamed := sorted(facts["samples"].keys() - facts["splits"].keys()):
        yield Failure(RELEASE, "", f"its splits do not name {' and '.join(unnamed)}")


def _add_up(accepted: dict[str, Any], kept: int) -> bool:
    dropped = accepted.get("dropped")
    if not isinstance(dropped, dict) or any(type(count) is not int or count < 1 for count in dropped.values()):
        return False
    return Counts(kept + sum(dropped.values()), kept, Counter(dropped)).to_json() == accepted


def _are_shares(shares: Collection[Any]) -> bool:
    if not all(type(share) in (int, float) and 0 <= share <= 1 for share in shares):
        return False
    return bool(abs(sum(shares) - 1) <= 1e-9)


def index_problems(
    read: Callable[[str], bytes], sizes: Mapping[str, int], facts: Mapping[str, Any], shards: Sequence[Shard]
) -> Iterator[Failure]:
    """Whether the files that count samples count those that are there. read: gives the bytes of a file."""
    tars = {name: WrittenFile(name, "", size) for name, size in sizes.items()}
    expected = {SIZES: sizes_json(shards)}
    for split in facts["samples"]:
        expected[wids_name(facts["corpus"], split)] = wids_json(facts["corpus"], split, shards, tars)
    for name, data in expected.items():
        if read(name) != data:
            yield Failure(name, "", "does not count the samples that are here")
    counted = dict.fromkeys(facts["samples"], 0)
    for shard in shards:
        counted[shard.split] += shard.samples
    if counted != facts["samples"]:
        yield Failure(RELEASE, "", f"counts {facts['samples']}, and here are {counted}")
    for shard, following in zip(shards, [*shards[1:], None], strict=True):
        full, last = facts["samples_per_shard"], following is None or following.split != shard.split
        if shard.samples > full:
            yield Failure(f"{shard.name}.tar", "", f"holds {shard.samples} samples, and {full} are the most")
        elif shard.samples < full and not last:
            yield Failure(f"{shard.name}.tar", "", f"holds {shard.samples} samples and is not the last of its split")


class Order:
    """The order of the samples of each split: handed in shard by shard, as it is in the release."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._last: dict[str, tuple[str, str]] = {}

    def problems(self, shard: str, split: str, pair_ids: pa.ChunkedArray) -> Iterator[Failure]:
        """The first sample of a shard that stands before its turn: with another seed, nearly all would."""
        try:
            ids = pair_ids.to_pylist()
            places = [self._last.get(split, ("", "")), *zip(order_of(ids, self._seed), ids, strict=True)]
        except (UnicodeDecodeError, AttributeError):  # no text: said already, where the shard was checked
            return
        self._last[split] = places[-1]
        for before, (place, key) in pairwise(places):
            if (place, key) < before:
                yield Failure(shard, key, f"does not stand where the order of seed {self._seed} has it")
                return


def card_problems(data: bytes, facts: Mapping[str, Any]) -> Iterator[Failure]:
    """Whether the card's header names the splits that are here."""
    try:
        header = yaml.safe_load(data.decode().split("---\n")[1])
        named = {entry["split"]: entry["path"] for entry in header["configs"][0]["data_files"]}
    except Exception:  # YAML's constructors raise what they please
        yield Failure(CARD, "", "has no header that Hugging Face can read")
        return
    if named != {split: f"{facts['corpus']}-{split}-*.tar" for split in facts["samples"]}:
        yield Failure(CARD, "", "names other splits than are here")


def croissant_problems(data: bytes, name: str, files: Mapping[str, tuple[str, int]]) -> Iterator[Failure]:
    """Whether the Croissant description is that of release `name` and of its shards as they are.
    files: their tars and Parquet files: name -> sha256 and size."""
    try:
        described = json.loads(data)
        objects = {
            str(entry["contentUrl"]): (entry["sha256"], entry["contentSize"])
            for entry in described["distribution"]
            if entry["@type"] == "cr:FileObject"
        }
        identifier = described["identifier"]
    except (ValueError, KeyError, TypeError, RecursionError):
        yield Failure(CROISSANT, "", "is missing or damaged")
        return
    if identifier != name:
        yield Failure(CROISSANT, "", f"describes a release of another name than {RELEASE}")
    here = {name: (sha256, f"{size} B") for name, (sha256, size) in files.items()}
    for name in sorted(here.keys() | objects.keys()):
        if objects.get(name) != here.get(name):
            yield Failure(CROISSANT, "", f"does not describe {name} as it is")
