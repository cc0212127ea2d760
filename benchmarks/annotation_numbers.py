"""What aggregation and agreement cost, and what they are worth, on simulated people.

    python benchmarks/annotation_numbers.py [--seeds 5]

Speed: 100,000 labels aggregated; 200 bootstraps of 20,000 items, against tables that are drawn anew for
each (and against the package `krippendorff`, where it is installed); a whole audit of a database of 20,000
items. Worth: how often the majority and
Dawid and Skene's model find what an item truly is, and what it saves to ask again only where it is
unsure. Simulated people are not people: the figures compare rules with each other and promise nothing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Engine, insert, select

from waon_build.annotation import database, decisions
from waon_build.annotation.aggregation import UNKNOWN, Model, counts, dawid_skene, majority, posterior_of
from waon_build.annotation.agreement import agreement, agreement_by_person
from waon_build.annotation.models import Annotation, Kind, State, Task
from waon_build.annotation.people import add
from waon_build.annotation.quality import lower_bound
from waon_build.annotation.questions import load
from waon_build.annotation.routing import place, put
from waon_build.audit.annotation.audit import audit
from waon_build.audit.annotation.report import headlines
from waon_build.recipe import AnnotationSettings, PaySettings


class Crowd(NamedTuple):
    """truth (items,). order (items, most): who would be asked, one after the other. said (items, most)."""

    truth: np.ndarray
    order: np.ndarray
    said: np.ndarray

    def answers(self, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Flat arrays of the first `asked` (items,) answers to each item."""
        items, at = np.nonzero(np.arange(self.order.shape[1]) < asked[:, None])
        return items, self.order[items, at], self.said[items, at]


def crowd(
    seed: int, items: int, people: int, prior: tuple[float, ...], clickers: float, most: int = 5, hard: float = 0.15
) -> Crowd:
    """People who judge much and people who judge little (a power law), right 14 to 19 times in 20 of what is
    easy and 9 times in 20 of what is `hard`; a share of `clickers` says the first answer to all."""
    random = np.random.default_rng(seed)
    k = len(prior)
    truth = random.choice(k, items, p=prior)
    productivity = random.pareto(1.2, people) + 0.2
    keys = random.exponential(size=(items, people)) / productivity  # the smallest are a weighted sample
    order = keys.argsort(axis=1)[:, :most]
    skill = random.uniform(0.7, 0.95, people)
    is_hard = random.random(items) < hard
    right = np.where(is_hard[:, None], 0.45, skill[order])
    other = (truth[:, None] + random.integers(1, k, order.shape)) % k
    said = np.where(random.random(order.shape) < right, truth[:, None], other)
    clicks = np.zeros(people, dtype=bool)
    clicks[random.permutation(people)[: round(clickers * people)]] = True
    return Crowd(truth, order, np.where(clicks[order], 0, said))


def scores(found: np.ndarray, truth: np.ndarray, k: int) -> tuple[float, float]:
    """Accuracy, and the mean F1 of the answers."""
    f1 = [
        2 * ((found == one) & (truth == one)).sum() / max(((found == one).sum() + (truth == one).sum()), 1)
        for one in range(k)
    ]
    return float((found == truth).mean()), float(np.mean(f1))


def by_majority(answers: Any, people: Crowd, k: int, seed: int) -> np.ndarray:
    """Ties drawn by lot."""
    items, _, labels = answers
    table = counts(items, labels, k, len(people.truth))
    jitter = np.random.default_rng(seed).random(table.shape)
    assert (majority(table).label == table.argmax(axis=1)).all()
    return (table + jitter / 2).argmax(axis=1)


def adaptive(people: Crowd, k: int, enough: float, least: int = 2) -> tuple[np.ndarray, Model]:
    """Ask on while the posterior is below `enough`; returns how many were asked, and the model."""
    asked = np.full(len(people.truth), least)
    while True:
        model = dawid_skene(*people.answers(asked), choices=k, item_count=len(people.truth))
        unsure = (model.posterior.max(axis=1) < enough) & (asked < people.order.shape[1])
        if not unsure.any():
            return asked, model
        asked += unsure


WORLDS = {
    "balanced, honest, overlap 3": (3000, 20, (1 / 3, 1 / 3, 1 / 3), 0.0, 3),
    "75/20/5, 15 % click yes, overlap 3": (3000, 20, (0.75, 0.2, 0.05), 0.15, 3),
    "75/20/5, 15 % click yes, overlap 5": (3000, 20, (0.75, 0.2, 0.05), 0.15, 5),
    "75/20/5, 200 items, 6 people": (200, 6, (0.75, 0.2, 0.05), 0.0, 3),
}


def worth(seeds: int) -> None:
    print(f"accuracy / macro-F1, mean of {seeds} seeds; errors: of the model over those of the majority")
    for name, (items, people, prior, clickers, overlap) in WORLDS.items():
        found: dict[str, list[tuple[float, float]]] = {"majority": [], "model": []}
        for seed in range(seeds):
            made = crowd(seed, items, people, prior, clickers)
            answers = made.answers(np.full(items, overlap))
            model = dawid_skene(*answers, choices=3, item_count=items)
            found["majority"].append(scores(by_majority(answers, made, 3, seed), made.truth, 3))
            found["model"].append(scores(model.posterior.argmax(axis=1), made.truth, 3))
        (a, f), (b, g) = (np.mean(found[one], axis=0) for one in ("majority", "model"))
        print(f"  {name:36} majority {a:.3f} / {f:.3f}, model {b:.3f} / {g:.3f}, errors x {(1 - b) / (1 - a):.2f}")
    print("asking on where the model is unsure (2 to 5), against 3 for each, 75/20/5 with 15 % who click yes")
    fixed: list[Any] = []
    rows: dict[float, list[Any]] = {0.9: [], 0.95: []}
    for seed in range(seeds):
        made = crowd(seed, 3000, 20, (0.75, 0.2, 0.05), 0.15)
        answers = made.answers(np.full(3000, 3))
        model = dawid_skene(*answers, choices=3, item_count=3000)
        votes = by_majority(answers, made, 3, seed)
        fixed.append((*scores(votes, made.truth, 3), *scores(model.posterior.argmax(axis=1), made.truth, 3)))
        for enough, row in rows.items():
            asked, model = adaptive(made, 3, enough)
            row.append((asked.mean(), *scores(model.posterior.argmax(axis=1), made.truth, 3)))
    votes, votes_f1, model, model_f1 = np.mean(fixed, axis=0)
    print(
        f"  3 for each: 3.00 labels an item, majority {votes:.3f} / {votes_f1:.3f}, model {model:.3f} / {model_f1:.3f}"
    )
    for enough, row in rows.items():
        labels, accuracy, f1 = np.mean(row, axis=0)
        print(
            f"  until {enough:.2f}: {labels:.2f} labels an item (x {labels / 3:.2f}), model {accuracy:.3f} / {f1:.3f}, "
            f"errors x {(1 - accuracy) / (1 - votes):.2f} of the majority's, x {(1 - accuracy) / (1 - model):.2f} of "
            "the model's with 3 for each"
        )


def timed(call: Callable[[], Any], times: int = 3) -> float:
    """The least seconds of some calls."""
    return both_times(call, times)[0]


def both_times(call: Callable[[], Any], times: int = 3) -> tuple[float, float]:
    """The least seconds by the clock of some calls, and the least of the cores: what others do on the machine
    is in the first."""
    took = []
    for _ in range(times):
        started, worked = time.perf_counter(), time.process_time()
        call()
        took.append((time.perf_counter() - started, time.process_time() - worked))
    clock, core = zip(*took, strict=True)
    return min(clock), min(core)


def drawn_anew(table: np.ndarray, resamples: int) -> None:
    """A bootstrap that builds each table."""
    random = np.random.default_rng(0)
    for _ in range(resamples):
        agreement(table[random.integers(0, len(table), len(table))], "ordinal", resamples=0)


def speed() -> None:
    big = crowd(1, 33_400, 60, (0.7, 0.2, 0.07, 0.03), 0.1, most=3)
    items, people, labels = (one[:100_000] for one in big.answers(np.full(33_400, 3)))
    took, worked = both_times(lambda: dawid_skene(items, people, labels, 4))
    print(f"aggregate {len(labels):,} labels of 60 people: {took:.2f} s, {worked:.2f} core s (goal: 2 s)")
    model = dawid_skene(items, people, labels, 4)
    one = timed(lambda: [posterior_of(model, [3, 7, UNKNOWN], [0, 0, 1]) for _ in range(1000)]) * 1000
    bound = timed(lambda: [lower_bound(16 + at / 1e6, 4) for at in range(1000)], times=1) * 1000
    print(f"posterior of one item: {one:.0f} microseconds; a bound of a rate: {bound:.0f} microseconds")
    table = counts(*(big.answers(np.full(33_400, 3))[at][:60_000] for at in (0, 2)), 4)
    took = timed(lambda: agreement(table, "ordinal", 200))
    anew = timed(lambda: drawn_anew(table, 200), times=1)
    print(
        f"raw, alpha and AC1 of {len(table):,} items, 200 bootstraps: {took * 1000:.1f} ms; drawn anew {anew:.2f} s: "
        f"{anew / took:.0f} times"
    )
    took = timed(lambda: agreement_by_person(*(one[:60_000] for one in (items, people, labels)), 4, "ordinal", 200))
    print(f"the same for each of 60 people against the others: {took * 1000:.0f} ms")
    try:
        import krippendorff
    except ImportError:
        return
    peer = timed(lambda: krippendorff.alpha(value_counts=table, level_of_measurement="ordinal"))
    took = timed(lambda: agreement(table, "ordinal", 200))
    print(f"the package krippendorff, alpha alone, 200 times: {200 * peer:.2f} s: {200 * peer / took:.0f} times")


NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PAY = PaySettings(per_pair=4, floor_per_hour=1226, region="Tokyo", valid_from="2025-10-03", source="benchmark")


def filled(folder: str, items: int = 20_000) -> Engine:
    """A database of judged pairs: 3 answers each, of 60 people, from 400 hours."""
    random = np.random.default_rng(5)
    made = crowd(5, items, 60, (0.08, 0.12, 0.3, 0.5), 0.05, most=3)
    engine = database.connect(f"sqlite:///{folder}/annotation.db")
    with database.writing(engine) as connection:
        people = [add(connection, NOW) for _ in range(60)]
    for kind, numbers in ((Kind.SCREENED_OUT, range(items // 50)), (Kind.NORMAL, range(items // 50, items))):
        put(engine, kind, (pair(number) for number in numbers), 3, NOW)
    place(engine, 3)
    words = [option.value for option in load("ja")["category"].options]
    with database.writing(engine) as connection:
        tasks = list(connection.scalars(select(Task.id).order_by(Task.pair_id)))
        answers = [
            {"match": int(grade), "culture": str(culture), **({} if culture == "not" else {"category": str(category)})}
            for grade, culture, category in zip(
                made.said.ravel(),
                random.choice(["specific", "related", "not"], 3 * items, p=(0.6, 0.3, 0.1)),
                random.choice(words, 3 * items),
                strict=True,
            )
        ]
        ago = random.integers(0, 400 * 3600, 3 * items).tolist()
        took = random.integers(4000, 20_000, 3 * items).tolist()
        rows = [
            {
                "task_id": tasks[at // 3],
                "annotator_id": people[int(person)],
                "guideline_version": load("ja").version,
                "answers": answers[at],
                "active_ms": took[at],
                "created_at": NOW - timedelta(seconds=ago[at]),
            }
            for at, person in enumerate(made.order.ravel())
        ]
        connection.execute(insert(Annotation), rows)
        connection.execute(Task.__table__.update().values(answered=3, state=State.DONE))
    return engine


def pair(number: int) -> dict[str, Any]:
    name = f"{number:016x}"
    addresses = {"url": f"https://i{number % 97}.example/{number}.jpg", "page_url": f"https://p{number % 97}.example/"}
    shown = {"caption": "夕暮れの駅前", "page_title": "旅", "caption_source": ("alt", "figcaption")[number % 2]}
    stored = {"stored_in": "g0001-000001", "offset": 0, "size": 1, "format": "jpg", "width": 640, "height": 480}
    screened = {"screened_by": ("image.too_small", "image.too_narrow")[number % 2]}
    return {"pair_id": name, "cluster_id": name, **addresses, **shown, **stored, **screened}


def whole_audit() -> None:
    settings = AnnotationSettings(overlap=3, pay=PAY, quotas={"food": 4000, "event": 2000})
    with tempfile.TemporaryDirectory() as folder:
        engine = filled(folder)
        decided = timed(lambda: decisions.decide(engine, settings, NOW), times=1)
        took, worked = both_times(lambda: audit(engine, "bench", settings, NOW))
        found = audit(engine, "bench", settings, NOW)
        engine.dispose()
    rows = sum(map(len, found.frames.values()))
    print(f"audit of 20,000 items, 60 people, 200 bootstraps: {took:.2f} s, {worked:.2f} core s (goal: 2 s)")
    print(f"  ({rows:,} rows; to decide the items took {decided:.2f} s)")
    for line in headlines(found):
        print(f"  {line}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="worlds simulated of each kind")
    seeds = parser.parse_args().seeds
    speed()
    whole_audit()
    worth(seeds)


if __name__ == "__main__":
    main()
