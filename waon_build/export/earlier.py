"""What earlier releases hold, and in which split. It stays there: a model that was trained on one release is
validated on the next.

A hash over a cluster's name gives its split, but the name follows its best pair, and clusters grow
together. Releases that were split otherwise, by another seed or other shares, are not asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from waon_build.corpus import Corpus
from waon_build.export.facts import FILE as RELEASE
from waon_build.export.place import FOLDER, releases
from waon_build.records import InputError, in_a_line


def released_splits(corpus: Corpus, shares: Mapping[str, float], seed: int) -> Iterator[pa.Table]:
    """`pair_id` and `split` of all samples of the releases there are, a shard at a time. Raises InputError
    when one cannot be read."""
    for name in releases(corpus):
        with _told(corpus, name):
            facts = json.loads(corpus.fs.cat_file(f"{corpus.path(FOLDER, name)}/{RELEASE}"))
            if (facts["splits"], facts["seed"]) == (dict(shares), seed):
                yield from _samples(corpus, name, ["pair_id", "split"])


def released_pairs(corpus: Corpus) -> set[str]:
    """Ids of all pairs that any release holds. Raises InputError when one cannot be read."""
    found: set[str] = set()
    for name in releases(corpus):
        with _told(corpus, name):
            for table in _samples(corpus, name, ["pair_id"]):
                found.update(table["pair_id"].to_pylist())
    return found


def _samples(corpus: Corpus, name: str, columns: list[str]) -> Iterator[pa.Table]:
    for path in sorted(corpus.fs.glob(f"{corpus.path(FOLDER, name)}/*.parquet")):
        with corpus.fs.open(path, "rb") as file:
            yield pq.read_table(file, columns=columns)


@contextmanager
def _told(corpus: Corpus, name: str) -> Iterator[None]:
    """What cannot be read becomes one line."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        problem = in_a_line(error)
        raise InputError(
            f"{corpus.path(FOLDER, name)}: an earlier release cannot be read ({problem}): what it holds must stay in "
            "its split; restore it, or move the folder away"
        ) from error
