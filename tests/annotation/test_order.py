"""Which task comes next, for whom, and what never comes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from sqlalchemy import event, insert, select, update

from waon_build.annotation import gold, order, queue, refusals, routing
from waon_build.annotation.copies import copy
from waon_build.annotation.database import writing
from waon_build.annotation.models import Annotation, Annotator, Kind, Lease, Revisit, Role, Standing, State, Task
from waon_build.recipe import AnnotationSettings, QualitySettings

from .conftest import pair
from .desk import Desk

ALWAYS_GOLD = QualitySettings(gold_first=1, gold=1, twins=0)
ALWAYS_TWINS = QualitySettings(gold_first=0, gold=0, twins=1)


@pytest.fixture
def waves_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "WAVE", 2)


def ids(desk: Desk, kind: Kind = Kind.NORMAL) -> list[int]:
    with desk.engine.connect() as connection:
        return list(connection.scalars(select(Task.id).where(Task.kind == kind).order_by(Task.id)))


def floor(desk: Desk, who: str) -> int:
    return int(desk.person(who).floor)


def test_wave_goes_before_everything_else(desk: Desk, waves_of_two: None) -> None:
    desk.fill(*map(pair, range(6)), overlap=1)
    with desk.engine.connect() as connection:
        waves = dict(connection.execute(select(Task.id, Task.wave)).all())
    assert [waves[task] for task in desk.judges_all(desk.comes())] == [0, 0, 1, 1, 2, 2]


def test_of_the_categories_the_one_that_lacks_most_comes_first(desk: Desk) -> None:
    """Accepted pairs count towards a quota, and what has its quota comes after what has none."""
    quotas = {"food": 1, "event": 4}
    settings = AnnotationSettings(quotas=quotas)
    names = ["food", "event", "food", "", "event"]
    desk.fill(*(pair(at, category=name) for at, name in enumerate(names)), quotas=quotas)
    with writing(desk.engine) as connection:
        assert order.deficits(connection, settings) == {"food": 1, "event": 1}
        assert order.plan(connection, settings).quotas == ("event", "food", "")
    desk.settings = settings
    for _ in range(2):
        desk.judges_task(desk.comes(), 1, category="food")
    assert desk.decides() == {1: "accepted"}
    with writing(desk.engine) as connection:
        assert order.deficits(connection, settings) == {"food": 0, "event": 1}
        desk.plan = order.plan(connection, settings)._replace(quality=desk.plan.quality)
    assert desk.plan.quotas == ("event", "", "food")
    given = [names[task - 1] for task in desk.judges_all(desk.comes())]
    assert given == ["event", "event", "", "food"]


def test_what_lost_its_quota_is_still_given(desk: Desk) -> None:
    """The recipe changed, and the queue was not yet brought in line."""
    desk.fill(pair(0, category="food"), pair(1), quotas={"food": 5})
    desk.plan = desk.plan._replace(quotas=("",))
    assert len(desk.judges_all(desk.comes())) == 2


def test_tasks_nearest_completion_come_first_then_by_priority_then_by_chance(desk: Desk) -> None:
    desk.fill(*(pair(at, page_url=f"https://site{at}.example/") for at in range(5)), overlap=2)
    with writing(desk.engine) as connection:
        for task_id, priority, chance in ((1, 1, 0), (2, 0, 7), (3, 0, 3), (4, 2, 0), (5, 2, 0)):
            connection.execute(update(Task).where(Task.id == task_id).values(priority=priority, chance=chance))
        connection.execute(update(Task).where(Task.id == 5).values(chance=9))
    desk.judges_task(desk.comes(), 5)
    assert desk.judges_all(desk.comes()) == [5, 3, 2, 1, 4]


def test_the_same_seed_gives_the_same_order_and_another_seed_another(desk: Desk) -> None:
    drawn = [order.chance(seed, "who", number) for seed in (0, 0, 1) for number in range(20)]
    assert drawn[:20] == drawn[20:40] != drawn[40:]
    assert all(0 <= one < 1 for one in drawn)


def test_near_duplicates_never_come_one_after_the_other(desk: Desk) -> None:
    desk.fill(pair(0, cluster_id="a"), pair(1, cluster_id="a"), pair(2), pair(3), overlap=1)
    clusters = {1: "a", 2: "a", 3: "c", 4: "d"}
    with writing(desk.engine) as connection:
        connection.execute(update(Task).values(chance=Task.id, priority=0))
    given = desk.judges_all(desk.comes())
    assert len(given) == 4
    assert all(clusters[one] != clusters[other] for one, other in pairwise(given))


def test_near_duplicates_are_not_held_ahead_one_after_the_other(desk: Desk) -> None:
    desk.fill(pair(0, cluster_id="a"), pair(1, cluster_id="a"), overlap=1)
    who = desk.comes()
    assert len(desk.claim(who, ahead=3)) == 1
    assert len(desk.claim(desk.comes(), ahead=3)) == 1


def test_pairs_without_a_cluster_are_no_near_duplicates(desk: Desk) -> None:
    desk.fill(pair(0, cluster_id=""), pair(1, cluster_id=""))
    assert len(desk.claim(desk.comes(), ahead=3)) == 2


def test_the_last_task_of_all_comes_again_when_it_was_given_back(desk: Desk) -> None:
    """It is no near-duplicate of itself."""
    desk.fill(pair(0), overlap=1)
    who = desk.comes()
    desk.releases(who, *desk.claim(who))
    assert len(desk.claim(who)) == 1
    desk.waits(11)
    assert len(desk.claim(desk.comes())) == 1
    desk.waits(11)
    assert len(desk.claim(who)) == 1


def test_waves_that_somebody_has_done_with_are_not_looked_at_again(desk: Desk, waves_of_two: None) -> None:
    desk.fill(*map(pair, range(6)), overlap=2)
    who = desk.comes()
    for _ in range(5):
        desk.judges(who)
    assert floor(desk, who) == 2
    seen: list[str] = []
    event.listen(desk.engine, "before_cursor_execute", lambda _c, _k, sql, *_: seen.append(sql))
    desk.judges(who)
    assert sum("ORDER BY (wanted - answered)" in sql for sql in seen) == 1


@pytest.mark.parametrize("comes_back", ["released", "expired", "skipped"])
def test_a_task_that_comes_back_is_found_by_those_who_had_done_with_its_wave(
    desk: Desk, waves_of_two: None, comes_back: str
) -> None:
    desk.fill(*map(pair, range(6)), overlap=2)
    holder, another, who = desk.comes(), desk.comes(), desk.comes()
    held = desk.claim(holder)
    with writing(desk.engine) as connection:
        queue.lease_task(connection, another, held[0].task.task_id, desk.now, minutes=60)
    assert len(desk.judges_all(who)) == 5
    assert floor(desk, who) == 3
    if comes_back == "released":
        desk.releases(holder, *held)
    elif comes_back == "skipped":
        desk.skips(holder, held[0])
    else:
        desk.waits(11)
    assert desk.judges_all(who) == [held[0].task.task_id]
    assert floor(desk, who) == 3, "the other waves are not looked at again"
    with desk.engine.connect() as connection:
        assert connection.execute(select(Revisit)).all() == []


def test_a_task_that_comes_back_sends_nobody_back_who_has_answered_or_skipped_it(
    desk: Desk, waves_of_two: None
) -> None:
    desk.fill(*map(pair, range(4)), overlap=3)
    answered, skipped, holder = desk.comes(), desk.comes(), desk.comes()
    desk.judges_all(answered)
    while held := desk.claim(skipped):
        desk.skips(skipped, held[0])
    desk.releases(holder, *desk.claim(holder, ahead=2))
    with desk.engine.connect() as connection:
        assert connection.execute(select(Revisit)).all() == []
    assert desk.claim(answered) == desk.claim(skipped) == []


def test_a_task_of_which_more_is_asked_is_found_by_those_who_had_done_with_its_wave(
    desk: Desk, waves_of_two: None
) -> None:
    desk.fill(*map(pair, range(4)), overlap=2)
    third = desk.comes()
    desk.judges_task(desk.comes(), 1, 3)
    desk.judges_task(desk.comes(), 1, 0)
    assert 1 not in desk.judges_all(third)
    desk.decides()
    assert desk.judges_all(third) == [1]


def test_what_is_held_is_counted_and_what_is_claimed_again_is_in_the_same_order(desk: Desk) -> None:
    desk.fill(*map(pair, range(6)))
    who = desk.comes()
    first = desk.claim(who, ahead=3)
    assert len(first) == 3
    desk.waits(5)
    again = desk.claim(who, ahead=3)
    assert [(one.task, one.token) for one in again] == [(one.task, one.token) for one in first]
    desk.says(who, first[0])
    then = desk.claim(who, ahead=3)
    assert [one.token for one in then[:2]] == [one.token for one in first[1:]]
    assert len({one.task.task_id for one in (*first, *then)}) == 4


def test_gold_comes_by_chance_and_never_twice(desk: Desk) -> None:
    desk.fill(*map(pair, range(8)))
    with writing(desk.engine) as connection:
        golds = [gold.add(connection, f"{at:016x}", Kind.GOLD, {"match": 3}, desk.now) for at in range(3)]
    desk.plan = desk.plan._replace(quality=ALWAYS_GOLD)
    given = desk.judges_all(desk.comes())
    assert sorted(given[:3]) == golds
    assert len(given) == len(set(given)) == 11


def test_a_pair_that_somebody_met_as_gold_comes_to_them_last(desk: Desk) -> None:
    """Else a picture seen just now would tell which one was gold."""
    desk.fill(*map(pair, range(8)))
    with writing(desk.engine) as connection:
        gold.add(connection, f"{0:016x}", Kind.GOLD, {"match": 3}, desk.now)
        connection.execute(update(Task).values(priority=Task.id))
    desk.plan = desk.plan._replace(quality=ALWAYS_GOLD)
    who = desk.comes()
    held = desk.claim(who, ahead=8)
    assert [one.task.pair_id for one in held].count(f"{0:016x}") == 1, "not while they hold it"
    for one in held:
        desk.says(who, one)
    assert desk.judges_all(who) == [1]
    assert desk.judges_all(desk.comes())[-1] == 1


def test_gold_is_not_given_to_those_who_judged_its_pair(desk: Desk) -> None:
    desk.fill(*map(pair, range(2)))
    who = desk.comes()
    desk.judges_all(who)
    with writing(desk.engine) as connection:
        gold.add(connection, f"{0:016x}", Kind.GOLD, {"match": 3}, desk.now)
    desk.plan = desk.plan._replace(quality=ALWAYS_GOLD)
    assert desk.claim(who) == []


def test_a_twin_is_of_a_pair_that_its_annotator_judged_some_time_ago(desk: Desk) -> None:
    desk.fill(*map(pair, range(order.TWIN_AFTER + 5)))
    who = desk.comes()
    given = [desk.judges(who) for _ in range(order.TWIN_AFTER + 2)]
    desk.plan = desk.plan._replace(quality=ALWAYS_TWINS)
    held = desk.claim(who)[0]
    assert held.task.task_id not in given
    twin = desk.task(held.task.task_id)
    assert (twin.kind, twin.wave) == (Kind.TWIN, None)
    judged = [desk.task(task).pair_id for task in given]
    assert judged.index(twin.pair_id) < 2
    desk.says(who, held)
    assert all(desk.task(task).kind == Kind.NORMAL for task in desk.judges_all(desk.comes())[: order.TWIN_AFTER])


def test_a_pair_that_somebody_passed_on_is_not_shown_to_them_in_another_guise(desk: Desk) -> None:
    desk.fill(*map(pair, range(3)))
    who = desk.comes()
    held = desk.claim(who)[0]
    desk.skips(who, held, "distressing")
    with writing(desk.engine) as connection:
        gold.add(connection, held.task.pair_id, Kind.GOLD, {"match": 3}, desk.now)
    desk.plan = desk.plan._replace(quality=ALWAYS_GOLD)
    assert held.task.pair_id not in [desk.task(task).pair_id for task in desk.judges_all(who)]


def test_nobody_is_given_a_task_without_a_place(desk: Desk) -> None:
    routing.put(desk.engine, Kind.NORMAL, [pair(0)], 2, desk.now)
    assert desk.claim(desk.comes()) == []


def test_adjudication_comes_first_for_those_who_may(desk: Desk) -> None:
    desk.fill(*map(pair, range(3)))
    with writing(desk.engine) as connection:
        task_id = copy(connection, 1, Kind.ADJUDICATION, wanted=1)
    assert task_id not in desk.judges_all(desk.comes())
    assert desk.judges(desk.comes(Role.ADJUDICATOR)) == task_id
    assert desk.task(task_id).state == State.DONE


def plans(desk: Desk, who: str) -> list[str]:
    """How SQLite goes about what a claim and a submit ask of it."""
    statements: list[tuple[str, object]] = []
    event.listen(desk.engine, "before_cursor_execute", lambda _c, _k, sql, given, *_: statements.append((sql, given)))
    held = desk.claim(who)
    desk.says(who, held[0])
    found = []
    with desk.engine.connect() as connection:
        for sql, given in statements:
            is_of_few = "ORDER BY annotations.id DESC" in sql  # of the last 200 answers
            if sql.startswith(("SELECT", "UPDATE", "DELETE", "INSERT")) and not is_of_few:
                found += [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)]
    return found


def test_no_claim_reads_all_that_its_annotator_ever_answered(desk: Desk, sqlite: object) -> None:
    """SQLite would begin with it, and somebody with 50,000 answers would wait for seconds."""
    desk.fill(*map(pair, range(30)))
    who = desk.comes(Role.ADJUDICATOR)
    with writing(desk.engine) as connection:
        gold.add(connection, f"{29:016x}", Kind.GOLD, {"match": 3}, desk.now)
    for quality in (ALWAYS_GOLD, ALWAYS_TWINS, desk.plan.quality):
        desk.plan = desk.plan._replace(quality=quality)
        assert not [plan for plan in plans(desk, who) if "annotations USING INDEX ix_annotations_annotator_id" in plan]


def test_what_is_left_is_found_though_much_was_answered(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred tasks in ten waves, all but the last of each answered."""
    monkeypatch.setattr(routing, "WAVE", 20)
    desk.fill(*map(pair, range(200)))
    who = desk.comes()
    with writing(desk.engine) as connection:
        places = connection.execute(select(Task.id, Task.wave).order_by(Task.wave, Task.priority)).all()
        last = {wave: task_id for task_id, wave in places}
        given = {"annotator_id": who, "guideline_version": "1", "answers": {}, "created_at": desk.now}
        answered = [task_id for task_id, _ in places if task_id not in last.values()]
        connection.execute(insert(Annotation), [{"task_id": task_id, **given} for task_id in answered])
        connection.execute(update(Task).where(Task.id.in_(answered)).values(answered=1))
    assert desk.judges_all(who) == list(last.values())


def test_a_claim_that_fails_gives_nothing(desk: Desk) -> None:
    desk.fill(*map(pair, range(3)))
    who = desk.comes()

    def fails() -> None:
        with writing(desk.engine) as connection:
            queue.claim(connection, who, desk.now, desk.plan)
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        fails()
    with desk.engine.connect() as connection:
        assert connection.execute(select(Lease)).all() == []
        assert connection.scalars(select(Annotator.given)).all() == [0]


def test_what_is_given_back_comes_again_gold_or_not(desk: Desk) -> None:
    """Else a gold task would show by not coming again."""
    desk.fill(*map(pair, range(60)))
    with writing(desk.engine) as connection:
        for number in range(30):
            gold.add(connection, f"{number:016x}", Kind.GOLD, {"match": 3}, desk.now)
    desk.plan = desk.plan._replace(quality=QualitySettings(gold_first=0.3))
    kinds = set()
    for _ in range(10):
        who = desk.comes()
        first = desk.claim(who, ahead=3)
        desk.releases(who, *first)
        assert [one.task for one in desk.claim(who, ahead=3)] == [one.task for one in first]
        kinds |= {desk.task(one.task.task_id).kind for one in first}
    assert kinds == {Kind.NORMAL, Kind.GOLD}


def test_nobody_keeps_a_task_for_ever(desk: Desk) -> None:
    desk.fill(pair(0), overlap=1)
    who, other = desk.comes(), desk.comes()
    held = desk.claim(who)[0]
    for _ in range(20):
        desk.waits(5)
        with writing(desk.engine) as connection:
            queue.renew(connection, who, [held.token], desk.now, 10)
        if desk.claim(other):
            break
    assert desk.claim(other)[0].task == held.task


def test_who_reports_again_and_again_rests_until_a_coordinator_has_looked(desk: Desk) -> None:
    desk.fill(*map(pair, range(40)))
    who = desk.comes()
    for _ in range(20):
        desk.reports(who, desk.claim(who)[0])
    assert (desk.person(who).standing, desk.person(who).because) == (Standing.PAUSED, "many_reports")
    with pytest.raises(refusals.NotActive):
        desk.claim(who)
