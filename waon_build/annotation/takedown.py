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


def withdraw_covered(engine: Engine, corpus: Corpus, stones: Tombstones, now: datetime) -> int:
    """Withdraw the tasks that a tombstone covers; returns how many were in the queue. Raises InputError when
    an image part cannot be read."""
    count = withdraw(engine, lambda pair, url, page: stones.covers(url=url, page_url=page, pair_id=pair), now)
    covered = stones.covered_pairs(corpus)
    return count + withdraw(engine, lambda pair, url, page: pair in covered, now)
