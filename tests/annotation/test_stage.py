"""The stage `route`: parts of the image and dedup stages become a queue, again and again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from waon_build.annotation import database, decided, decisions, people, queue
from waon_build.annotation.database import writing
from waon_build.annotation.models import Kind, State, Task
from waon_build.annotation.questions import load
from waon_build.annotation.stage import Route
from waon_build.batches import BATCHES, PLANNED
from waon_build.corpus import Corpus, Part
from waon_build.recipe import AnnotationSettings, Recipe
from waon_build.records import CANDIDATE, CLUSTER, IMAGE, PAIR, Candidate, Image, InputError, pair_id
from waon_build.rights.tombstones import Tombstones
from waon_build.source_settings import SiteSource


def recipe(corpus: Corpus, **annotation: Any) -> Recipe:
    return Recipe(
        name="trial",
        corpus=corpus.url,
        sources=[SiteSource(kind="site", seeds=["http://127.0.0.1/"])],
        annotation=AnnotationSettings(**annotation),
    )


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(str(tmp_path / "corpus"))


def a_pair(number: int, page: int = 0) -> dict[str, Any]:
    """A pair as the image stage keeps it; of one number on two pages, two rows."""
    url, caption, sha256 = f"https://images.example/{number}.jpg", f"門松\0その{number}", f"{number:064x}"
    page_url = f"https://site{number % 3}.example/{page}.html"
    candidate = Candidate(url, caption, "alt", page_url, "正月")
    image = {"phash": f"{number:016x}", "phash256": f"{number:064x}", "format": "jpg", "stored_in": "g0001-000001"}
    sizes = {"width": 640, "height": 480, "original_width": 640, "original_height": 480, "offset": number, "size": 9}
    known = {name: getattr(candidate, name) for name in CANDIDATE.names}
    return {**known, **image, **sizes, "sha256": sha256, "pair_id": pair_id(sha256, caption)}


def image_part(corpus: Corpus, name: str, pairs: Iterable[dict[str, Any]]) -> None:
    with corpus.write("image", Part(name, name, "made by a test"), PAIR, dropped=CANDIDATE) as writer:
        for row in pairs:
            writer.keep(row)
        writer.commit()


def clusters(
    corpus: Corpus, kept: dict[str, Iterable[int]], dropped: Iterable[tuple[int, str]] = (), made_from: str = ""
) -> None:
    """What dedup says. kept: image part -> numbers of its pairs. dropped: (number, reason)."""
    with corpus.write("dedup", Part("clusters", "image", made_from), CLUSTER, dropped=PAIR) as writer:
        for part, numbers in kept.items():
            for name in (a_pair(number)["pair_id"] for number in numbers):
                row = {"pair_id": name, "image_part": part, "cluster_id": name, "canonical": True, "reason": ""}
                writer.keep(row)
        for number, reason in dropped:
            row = a_pair(number)
            writer.drop(row, reason)
            said = {"image_part": "a", "cluster_id": a_pair(0)["pair_id"], "canonical": False, "reason": reason}
            writer.append({"pair_id": row["pair_id"], **said})
        writer.commit()


def route(corpus: Corpus, **annotation: Any) -> Any:
    """Run the stage as a scheduler would; None when its part is current."""
    stage = Route(recipe(corpus, **annotation))
    [part] = stage.inputs(corpus)
    return None if corpus.is_current("route", part) else stage.run(corpus, part)


def tasks(corpus: Corpus, **conditions: Any) -> list[Any]:
    with database.opened(recipe(corpus)) as engine, engine.connect() as connection:
        return list(connection.execute(select(Task.__table__).filter_by(**conditions).order_by(Task.id)))


def accept(corpus: Corpus, pair: str) -> None:
    """Two people find a pair good, and that is decided."""
    answers = load("ja").answers({"match": 3, "culture": "specific"})
    settings = AnnotationSettings()
    with database.opened(recipe(corpus)) as engine:
        for _ in range(2):
            with writing(engine) as connection:
                now = datetime.now(UTC)
                who = people.add(connection, now)
                task_id = connection.scalars(select(Task.id).where(Task.pair_id == pair)).one()
                leased = queue.lease_task(connection, who, task_id, now, minutes=10)
                queue.submit(connection, who, task_id, leased.token, answers, now)
        decisions.decide(engine, settings)


def accepted(corpus: Corpus) -> list[str]:
    with database.opened(recipe(corpus)) as engine:
        return [pair.pair_id for pair in decided.accepted(engine, load("ja"))]


def test_every_kept_pair_becomes_a_task_and_the_tally_says_so(corpus: Corpus) -> None:
    image_part(corpus, "a", [a_pair(1), a_pair(2), a_pair(2, page=1), a_pair(3)])
    image_part(corpus, "b", [a_pair(4)])
    clusters(corpus, {"a": [1, 2], "b": [4]})
    tally = route(corpus)
    assert tally.rows.to_json() == {"read": 3, "kept": 3, "dropped": {}}
    rows = corpus.read("route", "tasks").to_pylist()
    assert [row["pair_id"] for row in rows] == sorted(a_pair(number)["pair_id"] for number in (1, 2, 4))
    assert {(row["kind"], row["stratum"], row["wave"]) for row in rows} == {("normal", "alt", 0)}
    [task] = tasks(corpus, pair_id=a_pair(4)["pair_id"])
    assert (task.url, task.caption, task.host) == ("https://images.example/4.jpg", "門松その4", "site1.example")
    assert (task.state, task.wanted, task.stored_in, task.offset) == (State.OPEN, 2, "g0001-000001", 4)


def test_the_part_is_current_until_something_that_it_rests_on_changes(corpus: Corpus) -> None:
    image_part(corpus, "a", [a_pair(1), a_pair(2)])
    clusters(corpus, {"a": [1]})
    assert route(corpus) is not None
    assert route(corpus, min_match=3, lease_minutes=5) is None
    assert route(corpus, overlap=3) is not None
    assert [task.wanted for task in tasks(corpus)] == [3]
    clusters(corpus, {"a": [1, 2]})
    assert route(corpus, overlap=3).rows.kept == 2


def test_before_dedup_there_is_nothing_to_route(corpus: Corpus) -> None:
    corpus.create()
    assert Route(recipe(corpus)).inputs(corpus) == []


def test_a_lost_database_is_filled_again(corpus: Corpus) -> None:
    image_part(corpus, "a", [a_pair(1)])
    clusters(corpus, {"a": [1]})
    route(corpus)
    Path(corpus.path("annotation.db")).unlink()
    assert route(corpus) is not None
    assert len(tasks(corpus)) == 1


def test_routing_again_adds_nothing_and_gives_the_same_bytes(corpus: Corpus) -> None:
    image_part(corpus, "a", [a_pair(number) for number in range(9)])
    clusters(corpus, {"a": range(9)})
    digest = route(corpus).digest
    before = tasks(corpus)
    corpus.remove_part("route", "tasks")
    assert route(corpus).digest == digest
    assert tasks(corpus) == before


def test_a_run_killed_half_way_is_finished_by_the_next(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks that have no place yet are handed to nobody, and get it."""
    image_part(corpus, "a", [a_pair(number) for number in range(4)])
    clusters(corpus, {"a": range(4)})
    with monkeypatch.context() as patch:
        patch.setattr("waon_build.annotation.stage.place", _killed)
        with pytest.raises(KeyboardInterrupt):
            route(corpus)
    with database.opened(recipe(corpus)) as engine, engine.connect() as connection:
        assert list(queue.waiting(connection)) == []
    assert route(corpus).rows.kept == 4
    assert {task.wave for task in tasks(corpus)} == {0}


def _killed(*_: Any) -> None:
    raise KeyboardInterrupt


def test_a_pair_no_longer_kept_is_withdrawn_and_what_was_said_of_it_stays(corpus: Corpus) -> None:
    image_part(corpus, "a", [a_pair(1), a_pair(2)])
    clusters(corpus, {"a": [1, 2]})
    route(corpus)
    name = a_pair(1)["pair_id"]
    accept(corpus, name)
    assert accepted(corpus) == [name]
    clusters(corpus, {"a": [2]})
    assert route(corpus).rows.to_json() == {"read": 1, "kept": 1, "dropped": {}}
    [task] = tasks(corpus, pair_id=name)
    assert (task.state, task.answered) == (State.WITHDRAWN, 2)
    assert accepted(corpus) == []
    clusters(corpus, {"a": [1, 2]})
    route(corpus)
    [task] = tasks(corpus, pair_id=name)
    assert (task.state, task.answered) == (State.DONE, 2)


def test_where_an_image_lies_is_brought_up_to_date(corpus: Corpus) -> None:
    """A changed size or quality stores all images anew, at other places."""
    image_part(corpus, "a", [a_pair(1)])
    clusters(corpus, {"a": [1]})
    route(corpus)
    image_part(corpus, "a", [{**a_pair(1), "offset": 77, "size": 5, "width": 320}])
    clusters(corpus, {"a": [1]}, made_from="the same pairs, stored anew")
    assert route(corpus) is not None
    [task] = tasks(corpus)
    assert (task.offset, task.size, task.width) == (77, 5, 320)


def test_dedup_and_its_image_parts_must_agree(corpus: Corpus) -> None:
    image_part(corpus, "a", [a_pair(1)])
    clusters(corpus, {"a": [1, 2]})
    with pytest.raises(InputError, match="lacks 1 of the pairs that dedup keeps: run the recipe again"):
        route(corpus)


def test_no_host_fills_the_queue(corpus: Corpus) -> None:
    """Each host's first task comes before any host's second, in later runs too."""
    hosts = {0: 20, 1: 3, 2: 1}
    pairs = [a_pair(host + 3 * number) for host, count in hosts.items() for number in range(count)]
    image_part(corpus, "a", pairs)
    with corpus.write("dedup", Part("clusters", "image", "made by a test"), CLUSTER, dropped=PAIR) as writer:
        for row in pairs:
            said = {"image_part": "a", "cluster_id": row["pair_id"], "canonical": True, "reason": ""}
            writer.keep({"pair_id": row["pair_id"], **said})
        writer.commit()
    route(corpus)
    order = sorted(tasks(corpus), key=lambda task: (task.wave, task.priority, task.id))
    assert {task.host for task in order[:3]} == {"site0.example", "site1.example", "site2.example"}
    assert {task.host for task in order[3:5]} == {"site0.example", "site1.example"}
    assert {task.host for task in order[7:]} == {"site0.example"}


def sample_of(corpus: Corpus, numbers: Iterable[int], reason: str, fetched: Iterable[int]) -> None:
    """A batch whose candidates (numbers) were dropped by the image filter; of some the image is here."""
    name = "g0001-000001"
    rows = [{key: a_pair(number)[key] for key in CANDIDATE.names} for number in numbers]
    rows.sort(key=lambda row: str(row["url"]))
    with corpus.write("plan", Part("g0001", "text", "made by a test"), PLANNED) as plan:
        for row in rows:
            plan.keep({**row, "batch": name, "image_part": name})
        batch = {
            "batch": name,
            "candidates": len(rows),
            "urls": len(rows),
            "image_parts": [name],
            "digest": "",
            "first_row": 0,
        }
        with plan.open_file("batches", "parquet") as file:
            pq.write_table(pa.Table.from_pylist([batch], schema=BATCHES), file)
        plan.commit()
    with corpus.write("fetch", Part(name, name, "made by a test"), IMAGE) as fetch:
        for number in numbers:
            pair = a_pair(number)
            if number in fetched:
                known = {key: pair[key] for key in IMAGE.names if key in pair and key != "rights"}
                fetch.keep(Image(**{**known, "status": "ok"}))
            else:
                fetch.append(Image(pair["url"], "failed", "timed_out"))
        fetch.commit()
    with corpus.write("image", Part(name, name, "made by a test"), PAIR, dropped=CANDIDATE) as image:
        for row in rows:
            image.drop(row, reason)
        image.commit()


def test_some_of_what_each_filter_dropped_is_judged_too(corpus: Corpus) -> None:
    """Of each reason a few, only where the image is here; dedup's as well."""
    sample_of(corpus, range(10, 14), "image_blank", fetched=[11, 12, 13])
    image_part(corpus, "a", [a_pair(number) for number in range(1, 5)])
    clusters(corpus, {"a": [1]}, [(2, "same_image"), (3, "same_image"), (4, "same_image")])
    tally = route(corpus)
    assert tally.rows.to_json() == {"read": 1, "kept": 1, "dropped": {}}
    assert tally.units["screened_out"].kept == 4
    screened = tasks(corpus, kind=Kind.SCREENED_OUT)
    assert sorted(task.screened_by for task in screened) == ["dedup.same_image"] * 2 + ["image.image_blank"] * 2
    blank = {a_pair(number)["pair_id"]: number for number in (11, 12, 13)}
    assert {task.pair_id for task in screened if task.screened_by == "image.image_blank"} < set(blank)
    for task in screened:
        if task.pair_id in blank:
            assert (task.stored_in, task.offset) == ("g0001-000001", blank[task.pair_id])
        else:
            assert task.cluster_id == a_pair(0)["pair_id"]
    corpus.remove_part("route", "tasks")
    route(corpus)
    assert tasks(corpus, kind=Kind.SCREENED_OUT) == screened


def test_nothing_that_was_taken_down_is_shown_to_anybody(corpus: Corpus) -> None:
    sample_of(corpus, [10], "image_blank", fetched=[10])
    image_part(corpus, "a", [a_pair(1), a_pair(2)])
    clusters(corpus, {"a": [1]}, [(2, "same_image")])
    route(corpus)
    assert len(tasks(corpus, kind=Kind.SCREENED_OUT, state=State.OPEN)) == 2
    Tombstones.add(corpus, "host", "images.example", "asked for")
    assert route(corpus) is not None
    assert {task.state for task in tasks(corpus, kind=Kind.SCREENED_OUT)} == {State.WITHDRAWN}


def test_a_recipe_may_want_no_screened_out_pairs(corpus: Corpus) -> None:
    image_part(corpus, "a", [a_pair(1), a_pair(2)])
    clusters(corpus, {"a": [1]}, [(2, "same_image")])
    route(corpus, screened_out_per_reason=0)
    assert tasks(corpus, kind=Kind.SCREENED_OUT) == []
