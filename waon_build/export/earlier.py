"""What earlier releases put into which split. It stays there: a model that was trained on one release is
validated on the next.

A hash over a cluster's name gives its split, but the name follows its best pair, and clusters grow
together. Releases that were split otherwise, by another seed or other shares, are not asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from waon_build.corpus import Corpus
from waon_build.export.facts import FILE as RELEASE
from waon_build.export.place import FOLDER, releases
from waon_build.records import InputError


def released_splits(corpus: Corpus, shares: Mapping[str, float], seed: int) -> Iterator[pa.Table]:
    """`pair_id` and `split` of all samples of the releases there are, a shard at a time. Raises InputError
    when one cannot be read."""
    for name in releases(corpus):
        folder = corpus.path(FOLDER, name)
        try:
            facts = json.loads(corpus.fs.cat_file(f"{folder}/{RELEASE}"))
            if (facts["splits"], facts["seed"]) != (dict(shares), seed):
                continue
            for path in sorted(corpus.fs.glob(f"{folder}/*.parquet")):
                with corpus.fs.open(path, "rb") as file:
                    yield pq.read_table(file, columns=["pair_id", "split"])
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            problem = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(
                f"{folder}: an earlier release cannot be read ({problem}): what it holds must stay in its split; "
                "restore it, or move the folder away"
            ) from error
