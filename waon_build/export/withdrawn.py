"""The tombstone list of a release: what was withdrawn from the corpus, so that copies of earlier
releases can be cleaned too.

Why something was withdrawn stays in the corpus, and an address is given as its sha256: a public list of
the very pages that people asked to be left out would harm them again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress

from waon_build.records import InputError
from waon_build.rights.tombstones import Tombstone, Tombstones, normalised, schemes

FILE = "tombstones.jsonl"


def to_jsonl(stones: Sequence[Tombstone]) -> bytes:
    """One line a tombstone, sorted: its kind, its value (of a URL: the sha256), and when."""
    entries = sorted((stone.kind, _published(stone.kind, stone.value), stone.at) for stone in stones)
    lines = (json.dumps({"kind": kind, "value": value, "at": at}) + "\n" for kind, value, at in entries)
    return "".join(lines).encode()


class Withdrawn:
    """The tombstone list of a release, read again. Raises ValueError or KeyError when it is damaged."""

    def __init__(self, data: bytes) -> None:
        entries = [json.loads(line) for line in data.decode().splitlines()]
        self._urls = {entry["value"] for entry in entries if entry["kind"] == "url"}
        self._others = Tombstones(
            [Tombstone(entry["kind"], entry["value"], "", entry["at"]) for entry in entries if entry["kind"] != "url"]
        )

    def covers(self, url: str, page_url: str, pair_id: str, sha256: str, phash: str) -> bool:
        """Whether anything about a sample has been withdrawn."""
        if self._urls and not self._urls.isdisjoint(_digest(twin) for twin in _twins(url, page_url)):
            return True
        return self._others.covers(url, page_url, pair_id, sha256, phash)


def _published(kind: str, value: str) -> str:
    return _digest(value) if kind == "url" else value


def _twins(*addresses: str) -> list[str]:
    """The addresses as tombstones may have them: a list names one scheme, and covers both."""
    twins: list[str] = []
    for address in addresses:
        with suppress(InputError):  # what is no address covers nothing, and is covered by nothing
            twins.extend(schemes(normalised("url", address)))
    return twins


def _digest(address: str) -> str:
    return hashlib.sha256(address.encode("utf-8", "surrogatepass")).hexdigest()
