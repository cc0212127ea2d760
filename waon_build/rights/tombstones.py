"""What has been withdrawn, for good: a takedown by URL, host, pair, image bytes or likeness.

One line of JSON each in `CORPUS/tombstones.jsonl`. A tombstone is only ever added. A damaged file is
an error, never an empty list: withdrawn pictures must not come back because a disk was full.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import numpy as np
from yarl import URL

from waon_build.corpus import Corpus
from waon_build.records import InputError

FILE = "tombstones.jsonl"
KINDS = ("url", "host", "pair_id", "sha256", "phash")
BY_REFRESH: Final = "refresh: "
"""How the `why` of a tombstone begins that no person asked for: the refresh found that a site refuses now."""
RADIUS: Final = 8
"""A phash covers every picture within this Hamming distance (of 64 bits): 90 % of benign edits of one
photograph are found at 8, and no two different pictures of those measured were within 10."""

_SCHEME = re.compile("^https?:", re.IGNORECASE)
_WILDCARD = re.compile(r"^(?:\*?\.)+")
_SHAPE = {"pair_id": r"[0-9a-f]{16}", "sha256": r"[0-9a-f]{64}", "phash": r"[0-9a-f]{16}"}


class Tombstone(NamedTuple):
    """One withdrawal. kind: of `KINDS`. value: normalised. why: in words. at: ISO 8601 UTC."""

    kind: str
    value: str
    why: str
    at: str


class Tombstones:
    """All withdrawals of one corpus. `digest` changes when what they cover does."""

    def __init__(self, stones: list[Tombstone]) -> None:
        self.stones = stones
        self._values: dict[str, set[str]] = {kind: set() for kind in KINDS}
        for stone in stones:
            self._values[stone.kind].add(_compared(stone.kind, stone.value))
        hashes = sorted(int(value, 16) for value in self._values["phash"])
        self._phashes = np.array(hashes, dtype=np.uint64)
        covered = json.dumps({kind: sorted(values) for kind, values in self._values.items()})
        self.digest = hashlib.sha256(covered.encode()).hexdigest()[:16] if stones else ""

    @classmethod
    def load(cls, corpus: Corpus) -> Tombstones:
        """The tombstones of a corpus. Raises InputError when their file is damaged."""
        path = corpus.path(FILE)
        try:
            data = corpus.fs.cat_file(path)
        except FileNotFoundError:
            return cls([])
        if data and not data.endswith(b"\n"):
            raise _damaged(path, data.count(b"\n") + 1)
        stones = []
        for number, line in enumerate(data.split(b"\n")[:-1], 1):
            try:
                entry = json.loads(line)
                stone = Tombstone(entry["kind"], entry["value"], entry["why"], entry["at"])
                if stone.kind == "host":  # once kept as `*.example.jp`, which covered nothing
                    stone = stone._replace(value=_WILDCARD.sub("", stone.value))
                if normalised(stone.kind, stone.value) != stone.value:
                    raise ValueError("not in its normal form")
            except (ValueError, KeyError, TypeError, AttributeError, InputError) as error:
                raise _damaged(path, number) from error
            stones.append(stone)
        return cls(stones)

    @classmethod
    def add(cls, corpus: Corpus, kind: str, value: str, why: str) -> Tombstones:
        """Write one tombstone, and return all there are now. Adding what is there changes nothing.

        Raises InputError when kind or value cannot be a tombstone."""
        return cls.add_all(corpus, [(kind, value, why)])

    @classmethod
    def add_all(cls, corpus: Corpus, withdrawals: Iterable[tuple[str, str, str]]) -> Tombstones:
        """Write many tombstones at once, each (kind, value, why): all of them, or none. See `add`."""
        new = {(kind, normalised(kind, value)): why for kind, value, why in withdrawals}
        with corpus.turn(FILE):
            present = cls.load(corpus)
            at = datetime.now(UTC).isoformat(timespec="seconds")
            added = [
                Tombstone(kind, value, why, at)
                for (kind, value), why in new.items()
                if _compared(kind, value) not in present._values[kind]
            ]
            if not added:
                return present
            stones = [*present.stones, *added]
            lines = (json.dumps(stone._asdict(), ensure_ascii=False) + "\n" for stone in stones)
            corpus.put(corpus.path(FILE), "".join(lines).encode())
        return cls(stones)

    def covers(self, url: str = "", page_url: str = "", pair_id: str = "", sha256: str = "", phash: str = "") -> bool:
        """Whether anything about a candidate, an image or a pair has been withdrawn.

        A URL or host covers the image at it and the images of the page at it; a URL covers its twin
        (http, https), a host its subdomains."""
        if not self.stones:
            return False
        values = self._values
        return (
            pair_id in values["pair_id"]
            or sha256 in values["sha256"]
            or any(self._covers_address(address) for address in (url, page_url) if address)
            or (phash != "" and self._covers_likeness(phash))
        )

    def covered_pairs(self, corpus: Corpus) -> set[str]:
        """Ids of the pairs of a corpus that have been withdrawn, by their picture or by any page they stand on, in
        any part. Raises InputError when an image part cannot be read."""
        named = ["url", "page_url", "pair_id", "sha256", "phash"]
        return {
            row["pair_id"]
            for part in (corpus.parts("image") if self.stones else ())
            for batch in corpus.batches("image", part, columns=named)
            for row in batch.to_pylist()
            if self.covers(**{name: row[name] or "" for name in named})
        }

    def _covers_address(self, address: str) -> bool:
        if _compared("url", _normal_url(address)) in self._values["url"]:
            return True
        if not self._values["host"]:
            return False
        labels = _host(address).split(".")
        return any(".".join(labels[start:]) in self._values["host"] for start in range(len(labels)))

    def _covers_likeness(self, phash: str) -> bool:
        if not len(self._phashes):
            return False
        distances = np.bitwise_count(self._phashes ^ np.uint64(int(phash, 16)))
        return bool((distances <= RADIUS).any())


def normalised(kind: str, value: str) -> str:
    """`value` as a tombstone of `kind` keeps it: of `*.example.jp` the host, which covers its subdomains
    anyway. Raises InputError when it cannot be one."""
    value = value.strip()
    if kind == "url" and re.match(r"https?://[^/]", value, re.IGNORECASE):
        return _normal_url(value)
    if kind == "host":
        host = _host(value if "//" in value else f"//{value}")
        if host and "*" not in host and ("." in host or ":" in host or host == "localhost"):
            return host  # not `jp`: that is everybody
    if kind in _SHAPE and re.fullmatch(_SHAPE[kind], value.lower()):
        return value.lower()
    if kind not in KINDS:
        raise InputError(f"tombstone: kind is {kind!r}: give one of {', '.join(KINDS)}")
    expected = {"url": "an http(s) address", "host": "a host name, e.g. www.example.jp", "sha256": "64 hex digits"}
    raise InputError(f"tombstone: {value[:80]!r} is not a {kind}: give {expected.get(kind, '16 hex digits')}")


def schemes(url: str) -> tuple[str, ...]:
    """A normalised URL as http and as https: a site serves one picture at both."""
    rest, found = _SCHEME.subn("", url)
    return (f"http:{rest}", f"https:{rest}") if found else (url,)


def _compared(kind: str, value: str) -> str:
    """What of a kept value is compared: of a URL all but its scheme."""
    return _SCHEME.sub("", value) if kind == "url" else value


@lru_cache(maxsize=4096)
def _normal_url(url: str) -> str:
    """The address as it is asked for: without fragment, default port and dots, escapes and host in one form
    (`%E5%86%99` and `写` are one; so are `xn--...` and its letters)."""
    try:
        read = URL(url.strip()).with_fragment(None)
        host = (read.host or "").rstrip(".")
        read = read.with_host(host) if host else read
        return str(read.with_path("/")) if not read.path else str(read)
    except (ValueError, UnicodeError):
        return url.strip()


def _host(url: str) -> str:
    """In lower case and ASCII, as DNS has it, without `*.` and dots before it."""
    try:
        host = _WILDCARD.sub("", (urlsplit(url.strip()).hostname or "").rstrip(".").lower())
        return host if host.isascii() else host.encode("idna").decode()
    except ValueError:
        return ""


def _damaged(path: str, line: int) -> InputError:
    return InputError(f"{path}: line {line}: is damaged: restore the file from a copy; withdrawn pairs depend on it")
