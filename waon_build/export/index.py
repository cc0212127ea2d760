"""What loaders read beside the shards: how many samples each holds, and the sha256 of every file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from waon_build.export.selection import Shard
from waon_build.export.shards import WrittenFile

SUMS = "SHA256SUMS"
SIZES = "sizes.json"

_LINE = re.compile(r"([0-9a-f]{64})  ([^\s/][^\n/]*)")


def sizes_json(shards: Iterable[Shard]) -> bytes:
    """`sizes.json`, from which open_clip learns the length of an epoch: tar -> samples."""
    return _json({f"{shard.name}.tar": shard.samples for shard in shards})


def wids_name(corpus: str, split: str) -> str:
    """The name of the shard index of one split."""
    return f"{corpus}-{split}.wids.json"


def wids_json(corpus: str, split: str, shards: Sequence[Shard], tars: Mapping[str, WrittenFile]) -> bytes:
    """The shard index of one split, version 1, for random access with wids. tars: by name."""
    listed = [
        {"url": f"{shard.name}.tar", "nsamples": shard.samples, "filesize": tars[f"{shard.name}.tar"].size}
        for shard in shards
        if shard.split == split
    ]
    return _json(
        {"__kind__": "wids-shard-index-v1", "wids_version": 1, "name": f"{corpus}-{split}", "shardlist": listed}
    )


def sums_text(files: Iterable[WrittenFile]) -> bytes:
    """`SHA256SUMS` as `sha256sum --check` reads it, by name."""
    return "".join(f"{file.sha256}  {file.name}\n" for file in sorted(files)).encode()


def read_sums(data: bytes) -> dict[str, str]:
    """File -> sha256. Raises ValueError when the text is not what `sums_text` writes."""
    text = data.decode("utf-8")
    found: dict[str, str] = {}
    for number, line in enumerate(text.split("\n")[:-1], 1):
        match = _LINE.fullmatch(line)
        if not match or match[2] in found:
            raise ValueError(f"line {number} is damaged")
        found[match[2]] = match[1]
    if text != "".join(f"{digest}  {name}\n" for name, digest in found.items()):
        raise ValueError("its last line is damaged")
    return found


def _json(data: object) -> bytes:
    return (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode()
