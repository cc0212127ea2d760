"""Who may go on: qualification, gold, pauses, and a coordinator's word."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from waon_build.annotation import gold, order, queue, refusals, standing
from waon_build.annotation.database import writing
from waon_build.annotation.models import Event, Kind, Lease, Role, Standing, State
from waon_build.recipe import AnnotationSettings, QualitySettings

from .conftest import pair
from .desk import Desk


def begins(desk: Desk, tasks: int, kind: Kind = Kind.QUALIFICATION, asked: int = 20, more: int = 5) -> list[int]:
    """A queue with so many qualification tasks, and some that are none; returns the qualification tasks."""
    desk.fill(*map(pair, range(tasks + more)))
    with writing(desk.engine) as connection:
        made = [gold.add(connection, f"{at:016x}", kind, {"match": 3}, desk.now) for at in range(tasks)]
    plans(desk, asked)
    return [one for one in made if one is not None]


def plans(desk: Desk, asked: int = 20, **quality: float) -> None:
    given = QualitySettings(**{"qualification": asked, "gold_first": 0, "gold": 0, "twins": 0, **quality})
    with desk.engine.connect() as connection:
        desk.plan = order.plan(connection, AnnotationSettings(quality=given))


def events(desk: Desk) -> list[tuple[str, str, dict[str, object]]]:
    with desk.engine.connect() as connection:
        rows = connection.execute(select(Event.actor, Event.verb, Event.detail).where(Event.verb == "paused"))
        return [tuple(row) for row in rows]


def test_a_new_annotator_qualifies_first_and_then_begins_without_a_pause(desk: Desk) -> None:
    asked = begins(desk, 6, asked=6)
    who = desk.comes()
    given = []
    for _ in range(6):
        held = desk.claim(who, ahead=3)
        given.append(held[0].task.task_id)
        desk.says(who, held[0])
    assert sorted(given) == asked
    assert not desk.person(who).qualified
    assert len(desk.claim(who, ahead=3)) == 3, "the very claim by which they qualify gives them work"
    assert desk.person(who).qualified
    assert (desk.person(who).gold_right, desk.person(who).gold_wrong) == (6, 0)


def test_no_more_are_held_ahead_than_are_still_to_be_answered(desk: Desk) -> None:
    asked = begins(desk, 7, asked=6)
    who = desk.comes()
    for _ in range(4):
        desk.says(who, desk.claim(who)[0])
    held = [one.task.task_id for one in desk.claim(who, ahead=3)]
    assert len(held) == 2
    assert set(held) <= set(asked)


def test_who_errs_too_often_is_paused_and_gives_back_what_they_hold(desk: Desk) -> None:
    begins(desk, 6, asked=6)
    who = desk.comes()
    for _ in range(6):
        desk.says(who, desk.claim(who)[0], 0)
    assert desk.claim(who) == []
    assert (desk.person(who).standing, desk.person(who).because) == (Standing.PAUSED, standing.NOT_QUALIFIED)
    assert events(desk) == [("", "paused", {"because": "not_qualified", "right": 0, "wrong": 6})]
    with pytest.raises(refusals.NotActive):
        desk.claim(who)
    with desk.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Lease)) == 0


@pytest.mark.parametrize("there", [0, 1, 4])
def test_a_round_that_nobody_could_pass_is_none(desk: Desk, there: int) -> None:
    """Four right of four do not bound anybody's accuracy at 0.6: all would be paused for what is not there."""
    begins(desk, there)
    assert desk.plan.qualification == 0
    assert len(desk.judges_all(desk.comes())) == there + 5


def test_fewer_tasks_than_the_recipe_asks_are_a_shorter_round(desk: Desk) -> None:
    begins(desk, 8)
    assert desk.plan.qualification == 8
    who = desk.comes()
    assert all(desk.task(desk.judges(who)).kind == Kind.QUALIFICATION for _ in range(8))
    assert desk.task(desk.judges(who)).kind == Kind.NORMAL


def test_a_task_removed_in_the_midst_of_it_counts_for_those_who_answered_it(desk: Desk) -> None:
    asked = begins(desk, 8)
    early, late = desk.comes(), desk.comes()
    for _ in range(7):
        desk.judges(early)
    with writing(desk.engine) as connection:
        gold.remove(connection, asked[0], desk.now)
        gold.remove(connection, asked[1], desk.now)
    plans(desk)
    assert desk.plan.qualification == 6
    assert desk.task(desk.judges(early)).kind == Kind.NORMAL
    for _ in range(6):
        assert desk.judges(late) not in asked[:2]
    assert desk.task(desk.judges(late)).kind == Kind.NORMAL


def test_a_task_removed_while_the_plan_is_some_seconds_old_keeps_nobody_waiting(desk: Desk) -> None:
    asked = begins(desk, 8)
    who = desk.comes()
    with writing(desk.engine) as connection:
        gold.remove(connection, asked[0], desk.now)
    for _ in range(7):
        desk.judges(who)
    assert desk.task(desk.judges(who)).kind == Kind.NORMAL


def test_a_qualification_task_that_was_skipped_keeps_nobody_waiting(desk: Desk) -> None:
    """To skip never counts against anybody: they qualify by the others."""
    begins(desk, 8)
    who = desk.comes()
    desk.skips(who, desk.claim(who)[0], "distressing")
    for _ in range(7):
        assert desk.task(desk.judges(who)).kind == Kind.QUALIFICATION
    assert desk.task(desk.judges(who)).kind == Kind.NORMAL
    assert desk.person(who).qualified


def test_one_that_was_skipped_is_made_up_for_by_another_where_there_is_one(desk: Desk) -> None:
    begins(desk, 8, asked=6)
    who = desk.comes()
    desk.skips(who, desk.claim(who)[0])
    for _ in range(6):
        assert desk.task(desk.judges(who)).kind == Kind.QUALIFICATION
    assert desk.person(who).gold_right == 6


def test_who_is_qualified_is_paused_when_their_errors_are_beyond_doubt(desk: Desk) -> None:
    begins(desk, 12, kind=Kind.GOLD, more=20)
    plans(desk, 0, gold_first=1, gold=1)
    who = desk.comes()
    desk.claim(who)
    with writing(desk.engine) as connection:
        standing.forgive(connection, who)
    for _ in range(4):
        desk.judges(who, 0)
    assert desk.person(who).standing == Standing.ACTIVE, "four errors are no rate"
    desk.judges(who, 0)
    assert desk.claim(who) == []
    assert desk.person(who).because == standing.TOO_MANY_ERRORS


def test_what_was_forgiven_is_not_held_against_them(desk: Desk) -> None:
    begins(desk, 12, kind=Kind.GOLD, more=20)
    plans(desk, 0, gold_first=1, gold=1)
    who = desk.comes()
    with writing(desk.engine) as connection:
        standing.forgive(connection, who)
    for _ in range(5):
        desk.judges(who, 0)
    assert desk.claim(who) == []
    desk.is_set(who, Standing.ACTIVE)
    with writing(desk.engine) as connection:
        standing.forgive(connection, who)
    for _ in range(3):
        desk.judges(who, 3)
    assert (desk.person(who).gold_right, desk.person(who).gold_wrong) == (3, 0)
    assert desk.person(who).standing == Standing.ACTIVE


def test_a_gold_answer_that_is_corrected_counts_as_corrected(desk: Desk) -> None:
    begins(desk, 2, kind=Kind.GOLD)
    plans(desk, 0, gold_first=1)
    who = desk.comes()
    task_id = desk.judges(who, 0)
    assert (desk.person(who).gold_right, desk.person(who).gold_wrong) == (0, 1)
    with writing(desk.engine) as connection:
        queue.correct(connection, who, task_id, desk.answers(3), desk.now)
    assert (desk.person(who).gold_right, desk.person(who).gold_wrong) == (1, 0)


def test_a_gold_answer_that_is_taken_back_and_given_anew_counts_once(desk: Desk) -> None:
    begins(desk, 2, kind=Kind.GOLD)
    plans(desk, 0, gold_first=1)
    who = desk.comes()
    annotation = desk.says(who, desk.claim(who)[0], 0)
    desk.says(who, desk.undoes(who, annotation), 3)
    assert (desk.person(who).gold_right, desk.person(who).gold_wrong) == (1, 0)


def test_adjudicators_and_coordinators_need_not_qualify(desk: Desk) -> None:
    begins(desk, 8)
    for role in (Role.ADJUDICATOR, Role.COORDINATOR):
        assert desk.task(desk.judges(desk.comes(role))).kind == Kind.NORMAL


def test_those_who_came_before_there_was_a_round_qualify_when_there_is_one(desk: Desk) -> None:
    desk.fill(*map(pair, range(20)))
    who = desk.comes()
    desk.judges(who)
    with writing(desk.engine) as connection:
        for at in range(5, 12):
            gold.add(connection, f"{at:016x}", Kind.QUALIFICATION, {"match": 3}, desk.now)
    plans(desk)
    assert desk.task(desk.judges(who)).kind == Kind.QUALIFICATION
    assert all(desk.task(one).state == State.OPEN for one in range(1, 21))
