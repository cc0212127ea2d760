"""Takes out of the queue, at once, what was taken down: nobody is shown it while the next run is awaited.

A task knows its addresses and its pair. What else a tombstone may name (the picture, another page that
the pair stands on) is in the image parts. Only a picture that a filter dropped, and that is in the queue
to measure that filter, is in neither by its hashes: the next run takes it out.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine

from waon_build.annotation.routing import withdraw
from waon_build.corpus import Corpus
from waon_build.rights.tombstones import Tombstones

_NAMED = ["url", "page_url", "pair_id", "sha256", "phash"]
"""What a tombstone may name."""


def withdraw_covered(engine: Engine, corpus: Corpus, stones: Tombstones, now: datetime) -> int:
    """Withdraw the tasks that a tombstone covers; returns how many were in the queue. Raises InputError when
    an image part cannot be read."""
    count = withdraw(engine, lambda pair, url, page: stones.covers(url=url, page_url=page, pair_id=pair), now)
    covered = _covered_pairs(corpus, stones)
    return count + withdraw(engine, lambda pair, url, page: pair in covered, now)


def _covered_pairs(corpus: Corpus, stones: Tombstones) -> set[str]:
    """Pairs that a tombstone covers, by their picture or by any of the pages they stand on."""
    return {
        row["pair_id"]
        for part in corpus.parts("image")
        for batch in corpus.batches("image", part, columns=_NAMED)
        for row in batch.to_pylist()
        if stones.covers(**{name: row[name] or "" for name in _NAMED})
    }
