"""Puts pairs into the queue, takes out those that are no longer kept, and says who comes when.

The order is fair to hosts: each host's first task comes before any host's second, so that no large site
fills the queue; within a host the pair_id, a hash, decides. `WAVE` tasks make a wave, and new pairs come
in later waves than those already placed. Tasks are never deleted. Each step may be done again: a run
that was killed between two of them is finished by the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, Engine, and_, case, delete, func, literal, or_, select, update

from waon_build.annotation import order, reports
from waon_build.annotation.database import expect_many, inserting, writing
from waon_build.annotation.decided import conclude
from waon_build.annotation.models import Kind, Lease, Outcome, State, Task, of_kinds
from waon_build.records import digest16, normalised

WAVE = 2000
"""Tasks of one wave: what is searched for someone who has answered much of it stays small."""

_CHUNK = 5000
_IDS = 500
PLACED = (Kind.NORMAL, Kind.SCREENED_OUT)
"""Kinds that come in waves; the others are handed out by their kind."""
_COPIES = [kind for kind in Kind if kind not in PLACED]
_MOVES = ("cluster_id", "stored_in", "offset", "size", "format", "width", "height")
"""What may change of a pair that is in the queue: its cluster, and where its image lies."""

PairIds = npt.NDArray[np.bytes_]
"""Sorted pair_ids, 16 bytes each."""


def reference(url: str, caption: str) -> str:
    """What a task can be found by where its pair_id is not known: 16 hex digits over url and caption."""
    return digest16(url, normalised(caption))


def pair_ids(ids: Iterable[str]) -> PairIds:
    """Pair ids in the form that `retire()` takes."""
    return np.sort(np.fromiter(ids, dtype="S16"))


def within(keep: PairIds, ids: Sequence[str]) -> list[bool]:
    """Which of `ids` are in `keep`."""
    wanted = np.array(ids, dtype="S16")
    at = np.minimum(np.searchsorted(keep, wanted), max(len(keep) - 1, 0))
    return [bool(found) for found in keep[at] == wanted] if len(keep) else [False] * len(ids)


def put(
    engine: Engine, kind: Kind, pairs: Iterable[Mapping[str, Any]], overlap: int, now: datetime, seed: int = 0
) -> None:
    """Make tasks of pairs; of those that have one, bring up to date where the image lies.

    pairs: with the columns of PAIR, `cluster_id`, `category` when its words tell, and `screened_by` when a
    filter dropped them. overlap: annotations wanted. seed: of the order among equals. `place()` must follow,
    or nobody is given the new ones.
    """
    rows = (_task(kind, pair, overlap, now, seed) for pair in pairs)
    while chunk := list(islice(rows, _CHUNK)):
        with writing(engine) as connection:
            expect_many(connection)
            statement = inserting(connection, Task)
            given = statement.excluded
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["pair_id", "kind"],
                    set_={name: given[name] for name in _MOVES},
                    where=or_(*(getattr(Task, name) != given[name] for name in _MOVES)),
                ),
                chunk,
            )


def retire(engine: Engine, kind: Kind, keep: PairIds, now: datetime) -> None:
    """Withdraw tasks whose pair is not in `keep`, and put those back that are in it again; with the normal ones
    also the gold, twin and other further tasks of their pairs. What was said stays; what was decided becomes
    `withdrawn`."""
    kinds = [kind, *_COPIES] if kind == Kind.NORMAL else [kind]
    for tasks in _pages(engine, (Task.pair_id, Task.state), of_kinds(kinds)):
        kept = within(keep, [task.pair_id for task in tasks])
        gone = [
            task.id for task, is_kept in zip(tasks, kept, strict=True) if not is_kept and task.state != State.WITHDRAWN
        ]
        back = [task.id for task, is_kept in zip(tasks, kept, strict=True) if is_kept and task.state == State.WITHDRAWN]
        with writing(engine) as connection:
            for start in range(0, len(gone), _IDS):
                _withdraw(connection, gone[start : start + _IDS], now)
            for start in range(0, len(back), _IDS):
                _put_back(connection, back[start : start + _IDS])


def withdraw(engine: Engine, is_gone: Callable[[str, str, str], bool], now: datetime) -> int:
    """Withdraw every task, of whatever kind, of whose pair_id, url and page_url it is said that it is gone;
    returns how many were in the queue."""
    count = 0
    for tasks in _pages(engine, (Task.pair_id, Task.url, Task.page_url), Task.state != State.WITHDRAWN):
        gone = [task.id for task in tasks if is_gone(task.pair_id, task.url, task.page_url)]
        count += len(gone)
        for start in range(0, len(gone), _IDS):
            with writing(engine) as connection:
                _withdraw(connection, gone[start : start + _IDS], now)
    return count


def place(engine: Engine, overlap: int, quotas: Iterable[str] = ()) -> None:
    """Give each new task its priority and wave, each that nobody has begun the overlap of today, and each the
    quota that its category counts towards; what was reported stays out. quotas: the categories that have one."""
    hosts = (
        select(Task.host, Task.kind, func.count().label("placed"))
        .where(Task.wave.is_not(None), Task.kind.in_(PLACED))
        .group_by(Task.host, Task.kind)
    )
    already = hosts.subquery()
    rank = func.row_number().over(partition_by=(Task.host, Task.kind), order_by=Task.pair_id)
    ranked = (
        select(Task.id, Task.pair_id, (rank - 1 + func.coalesce(already.c.placed, 0)).label("priority"))
        .outerjoin(already, and_(already.c.host == Task.host, already.c.kind == Task.kind))
        .where(Task.wave.is_(None), Task.kind.in_(PLACED))
        .subquery()
    )
    position = func.row_number().over(order_by=(ranked.c.priority, ranked.c.pair_id))
    first = select(func.coalesce(func.max(Task.wave) + 1, 0)).scalar_subquery()
    places = select(ranked.c.id, ranked.c.priority, (first + (position - 1) // WAVE).label("wave")).subquery()
    quota = case((Task.category.in_(list(quotas)), Task.category), else_=literal(""))
    with writing(engine) as connection:
        connection.execute(
            update(Task).where(Task.id == places.c.id).values(priority=places.c.priority, wave=places.c.wave)
        )
        connection.execute(
            update(Task)
            .where(Task.kind.in_(PLACED), Task.state == State.OPEN, Task.held == 0, Task.answered == 0)
            .where(Task.wanted != overlap)
            .values(wanted=overlap)
        )
        connection.execute(update(Task).where(Task.quota != quota).values(quota=quota))
        reports.keep_out(connection)


def placed(engine: Engine) -> Iterator[tuple[str, str, str, int | None]]:
    """(pair_id, kind, stratum, wave) of every task in the queue, by kind and pair_id."""
    statement = (
        select(Task.pair_id, Task.kind, Task.stratum, Task.wave)
        .where(Task.state != State.WITHDRAWN, Task.wave.is_not(None))
        .order_by(Task.kind, Task.pair_id)
    )
    with engine.connect() as connection:
        yield from connection.execution_options(yield_per=_CHUNK).execute(statement).tuples()


def _task(kind: Kind, pair: Mapping[str, Any], overlap: int, now: datetime, seed: int) -> dict[str, Any]:
    url, caption = pair["url"], pair["caption"]
    return {
        "pair_id": pair["pair_id"],
        "kind": kind,
        "state": State.OPEN,
        "wanted": overlap,
        "held": 0,
        "answered": 0,
        "stratum": pair["caption_source"] or "",
        "host": _host(pair["page_url"] or url),
        "wave": None,
        "priority": 0,
        "chance": int(digest16(str(seed), pair["pair_id"])[:7], 16),
        "category": pair.get("category", ""),
        "screened_by": pair.get("screened_by", ""),
        "reference": reference(url, caption),
        "url": url,
        "caption": caption.replace("\0", ""),  # which PostgreSQL cannot hold
        "page_url": pair["page_url"] or "",
        "page_title": (pair["page_title"] or "").replace("\0", ""),
        **{name: pair[name] for name in _MOVES},
        "created_at": now,
    }


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "")[:255]
    except ValueError:
        return ""


def _pages(engine: Engine, columns: Sequence[Any], which: ColumnElement[bool]) -> Iterator[list[Any]]:
    """The ids and `columns` of some tasks, page by page."""
    last = 0
    while True:
        with engine.connect() as connection:
            tasks = connection.execute(
                select(Task.id, *columns).where(which, Task.id > last).order_by(Task.id).limit(_CHUNK)
            ).all()
        if not tasks:
            return
        last = tasks[-1].id
        yield list(tasks)


def _withdraw(connection: Connection, ids: list[int], now: datetime) -> None:
    connection.execute(delete(Lease).where(Lease.task_id.in_(ids)))
    connection.execute(update(Task).where(Task.id.in_(ids)).values(state=State.WITHDRAWN, held=0))
    conclude(connection, ids, Outcome.WITHDRAWN, "no longer kept", now, only_decided=True)


def _put_back(connection: Connection, ids: list[int]) -> None:
    state = case((Task.answered < Task.wanted, literal(State.OPEN.value)), else_=literal(State.DONE.value))
    connection.execute(update(Task).where(Task.id.in_(ids)).values(state=state))
    reports.keep_out(connection)
    order.reopened(connection, ids)
