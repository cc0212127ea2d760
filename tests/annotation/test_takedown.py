"""What was taken down leaves the queue at once, whatever a tombstone names it by."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from waon_build.annotation import decided, decisions, queue, refusals
from waon_build.annotation.database import writing
from waon_build.annotation.models import Kind, State, Task
from waon_build.annotation.questions import Answers, load
from waon_build.annotation.takedown import withdraw_covered
from waon_build.corpus import Corpus, Part
from waon_build.recipe import AnnotationSettings
from waon_build.records import PAIR
from waon_build.rights.tombstones import Tombstones


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Pair 4 of the queue, as the image stage found it: also on a page that its task does not name."""
    corpus = Corpus(str(tmp_path / "corpus"))
    row: dict[str, Any] = {"pair_id": f"{4:016x}", "sha256": f"{4:064x}", "phash": "00000000ffffffff"}
    with corpus.write("image", Part("a", "a", "made by a test"), PAIR) as writer:
        for page in ("https://site1.example/4.html", "https://elsewhere.example/", None):
            writer.keep({**row, "url": "https://images.example/4.jpg", "page_url": page})
        writer.commit()
    return corpus


def withdrawn(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        ids = connection.scalars(select(Task.pair_id).where(Task.state == State.WITHDRAWN).order_by(Task.id))
        return [int(name, 16) for name in ids]


@pytest.mark.parametrize(
    ("kind", "value", "gone"),
    [
        ("url", "https://images.example/5.jpg", [5]),
        ("url", "https://site2.example/5.html", [5]),
        ("host", "site1.example", [1, 4]),
        ("host", "elsewhere.example", [4]),
        ("pair_id", f"{3:016x}", [3]),
        ("sha256", f"{4:064x}", [4]),
        ("phash", "00000000fffffffe", [4]),
        ("phash", "ffffffff00000000", []),
    ],
)
def test_every_kind_of_tombstone_clears_the_queue_of_what_it_covers(
    engine: Engine, queued: Callable[..., None], corpus: Corpus, kind: str, value: str, gone: list[int], now: datetime
) -> None:
    queued(range(6))
    stones = Tombstones.add(corpus, kind, value, "asked for")
    assert withdraw_covered(engine, corpus, stones, now) == len(gone)
    assert withdrawn(engine) == gone
    assert withdraw_covered(engine, corpus, stones, now) == 0


def test_what_is_withdrawn_is_neither_judged_nor_accepted_any_more(
    engine: Engine,
    queued: Callable[..., None],
    corpus: Corpus,
    annotator: Callable[[], str],
    answer: Callable[..., Answers],
    settings: AnnotationSettings,
    now: datetime,
) -> None:
    queued(range(1))
    queued(range(1), kind=Kind.SCREENED_OUT)
    for _ in range(2):
        who = annotator()
        with writing(engine) as connection:
            leased = queue.lease_task(connection, who, 1, now, minutes=10)
            queue.submit(connection, who, 1, leased.token, answer(), now)
    decisions.decide(engine, settings, now)
    assert [pair.pair_id for pair in decided.accepted(engine, load("ja"))] == [f"{0:016x}"]
    with writing(engine) as connection:
        queue.lease_task(connection, who, 2, now, minutes=10)
    stones = Tombstones.add(corpus, "host", "site0.example", "asked for")
    assert withdraw_covered(engine, corpus, stones, now) == 2
    assert list(decided.accepted(engine, load("ja"))) == []
    with pytest.raises(refusals.TaskWithdrawn), writing(engine) as connection:
        queue.lease_task(connection, who, 2, now, minutes=10)
