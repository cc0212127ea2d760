"""Taking an answer back, and passing a task on."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from waon_build.annotation import decided, queue, refusals
from waon_build.annotation.database import writing
from waon_build.annotation.models import Annotation, Lease, Outcome, Skip, Standing, State
from waon_build.annotation.questions import load
from waon_build.annotation.routing import pair_ids, retire

from .conftest import pair
from .desk import Desk


def recent(desk: Desk, who: str) -> list[queue.Recent]:
    with desk.engine.connect() as connection:
        return queue.recent(connection, who)


def test_an_answer_that_is_taken_back_is_kept_and_weighs_nothing(desk: Desk) -> None:
    desk.fill(pair(0))
    who = desk.comes()
    first = desk.says(who, desk.claim(who)[0], 1, flags=["generated"])
    leased = desk.undoes(who, first)
    assert leased.answers == {"match": 1, "culture": "specific", "flags": ["generated"]}
    assert (desk.task(1).answered, desk.task(1).held) == (0, 1)
    with desk.engine.connect() as connection:
        rows = connection.execute(
            select(Annotation.id, Annotation.supersedes, Annotation.retracted, Annotation.answers)
        ).all()
    assert [tuple(row) for row in rows] == [
        (first, None, False, {"match": 1, "culture": "specific", "flags": ["generated"]}),
        (first + 1, first, True, {}),
    ]
    second = desk.says(who, leased, 3)
    assert desk.task(1).answered == 1
    assert [entry.annotation_id for entry in recent(desk, who)] == [second]


def test_what_was_undone_comes_before_all_that_is_held_and_the_last_undone_first(desk: Desk) -> None:
    desk.fill(*map(pair, range(8)))
    who = desk.comes()
    annotations = {}
    for _ in range(3):
        held = desk.claim(who, ahead=3)
        annotations[held[0].task.task_id] = desk.says(who, held[0])
    ahead = [one.task.task_id for one in desk.claim(who, ahead=3)]
    undone = list(annotations)[1:]
    for task_id in undone:
        desk.undoes(who, annotations[task_id])
    held = desk.claim(who, ahead=3)
    assert [one.task.task_id for one in held] == [*undone[::-1], *ahead]
    assert [one.answers is not None for one in held] == [True, True, False, False, False]


def test_only_the_last_ten_answers_can_be_taken_back_and_only_one_s_own(desk: Desk) -> None:
    desk.fill(*map(pair, range(12)))
    who = desk.comes()
    annotations = [desk.says(who, desk.claim(who)[0]) for _ in range(12)]
    assert [entry.annotation_id for entry in recent(desk, who)] == annotations[:1:-1]
    for gone, by in ((annotations[1], who), (annotations[-1], desk.comes()), (999, who)):
        with pytest.raises(refusals.TooLateToUndo):
            desk.undoes(by, gone)
    desk.undoes(who, annotations[2])
    with pytest.raises(refusals.TooLateToUndo):
        desk.undoes(who, annotations[2])


def test_who_is_paused_takes_nothing_back(desk: Desk) -> None:
    desk.fill(pair(0))
    who = desk.comes()
    annotation = desk.says(who, desk.claim(who)[0])
    desk.is_set(who, Standing.PAUSED)
    with pytest.raises(refusals.NotActive):
        desk.undoes(who, annotation)


def test_an_answer_to_a_pair_that_is_gone_cannot_be_taken_back(desk: Desk) -> None:
    desk.fill(pair(0))
    who = desk.comes()
    annotation = desk.says(who, desk.claim(who)[0])
    retire(desk.engine, desk.task(1).kind, pair_ids([]), desk.now)
    assert [entry.can_undo for entry in recent(desk, who)] == [False]
    with pytest.raises(refusals.TaskWithdrawn):
        desk.undoes(who, annotation)
    assert desk.task(1).answered == 1


def test_the_first_submit_sent_once_more_after_an_undo_answers_nothing(desk: Desk) -> None:
    desk.fill(pair(0))
    who = desk.comes()
    leased = desk.claim(who)[0]
    again = desk.undoes(who, desk.says(who, leased))
    with pytest.raises(refusals.LeaseLost):
        desk.says(who, leased)
    desk.says(who, again)
    assert desk.task(1).answered == 1


def test_an_undone_task_that_is_left_lying_goes_to_others_and_comes_back_in_the_end(desk: Desk) -> None:
    """The one who took an answer back may be the only one there is."""
    desk.fill(*map(pair, range(3)), overlap=1)
    who = desk.comes()
    first = desk.claim(who)[0]
    desk.undoes(who, desk.says(who, first))
    desk.waits(11)
    given = desk.judges_all(who)
    assert sorted(given) == [1, 2, 3]
    assert given[-1] == first.task.task_id
    assert desk.claim(who) == []
    with desk.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Lease)) == 0


def test_a_decision_falls_with_the_only_answer_that_it_rested_on(desk: Desk) -> None:
    desk.settings = desk.settings.model_copy(update={"overlap": 1, "settle": 0.6})
    desk.fill(pair(0), overlap=1)
    who = desk.comes()
    annotation = desk.says(who, desk.claim(who)[0])
    assert desk.decides() == {1: Outcome.ACCEPTED}
    desk.undoes(who, annotation)
    assert desk.decides() == {1: Outcome.UNDECIDED}
    assert list(decided.accepted(desk.engine, load("ja"))) == []


def test_a_skipped_task_goes_to_others_and_counts_against_nobody(desk: Desk) -> None:
    desk.fill(pair(0), pair(1), overlap=1)
    who = desk.comes()
    leased = desk.claim(who)[0]
    desk.skips(who, leased, "distressing")
    assert (desk.task(leased.task.task_id).held, desk.task(leased.task.task_id).answered) == (0, 0)
    assert desk.judges_all(who) != [leased.task.task_id]
    assert desk.claim(who) == []
    assert desk.judges_all(desk.comes()) == [leased.task.task_id]
    with desk.engine.connect() as connection:
        assert connection.execute(select(Skip.task_id, Skip.reason)).all() == [(leased.task.task_id, "distressing")]
    assert (desk.person(who).gold_right, desk.person(who).gold_wrong) == (0, 0)


def test_a_skip_sent_twice_is_one(desk: Desk) -> None:
    desk.fill(pair(0))
    who = desk.comes()
    leased = desk.claim(who)[0]
    desk.skips(who, leased)
    desk.skips(who, leased)
    assert desk.task(1).held == 0


def test_a_skip_under_a_lost_lease_is_refused(desk: Desk) -> None:
    desk.fill(pair(0))
    who = desk.comes()
    leased = desk.claim(who)[0]
    desk.waits(11)
    with pytest.raises(refusals.LeaseLost):
        desk.skips(who, leased)
    with pytest.raises(refusals.LeaseLost):
        desk.skips(desk.comes(), leased)


def test_what_is_released_is_given_to_others_and_nobody_releases_for_another(desk: Desk) -> None:
    desk.fill(*map(pair, range(3)), overlap=1)
    who = desk.comes()
    held = desk.claim(who, ahead=3)
    desk.releases(desk.comes(), *held)
    assert [desk.task(one.task.task_id).held for one in held] == [1, 1, 1]
    desk.releases(who, *held[1:])
    desk.releases(who, *held[1:])
    assert [desk.task(one.task.task_id).held for one in held] == [1, 0, 0]
    assert len(desk.judges_all(desk.comes())) == 2


def test_who_is_blocked_holds_nothing_on(desk: Desk) -> None:
    """A page that goes on knocking would keep its tasks from everybody for ever."""
    desk.fill(pair(0), overlap=1)
    who = desk.comes()
    leased = desk.claim(who)[0]
    desk.is_set(who, Standing.BLOCKED)
    with writing(desk.engine) as connection:
        assert queue.renew(connection, who, [leased.token], desk.now, 10) == ([], [leased.token])
        queue.give_back(connection, who)
    assert desk.judges_all(desk.comes()) == [1]


def test_a_correction_counts_once(desk: Desk) -> None:
    desk.fill(pair(0))
    who, other = desk.comes(), desk.comes()
    desk.judges(who, 2)
    with writing(desk.engine) as connection:
        queue.correct(connection, who, 1, desk.answers(3), desk.now)
    assert desk.task(1).answered == 1
    with pytest.raises(refusals.NotAnswered), writing(desk.engine) as connection:
        queue.correct(connection, other, 1, desk.answers(3), desk.now)


def test_an_undo_opens_the_task_for_others_too_when_there_is_room(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two had answered and a third held it when it was decided; the third let go, and one took it back."""
    monkeypatch.setattr("waon_build.annotation.routing.WAVE", 1)
    desk.fill(pair(0), pair(1), pair(2), overlap=3)
    one, other, third, fourth = (desk.comes() for _ in range(4))
    with writing(desk.engine) as connection:
        leased = queue.lease_task(connection, third, 1, desk.now, minutes=60)
    annotation = desk.judges_task(one, 1)
    desk.judges_task(other, 1)
    assert sorted(desk.judges_all(fourth)) == [2, 3]
    desk.settings = desk.settings.model_copy(update={"overlap": 2})
    assert desk.decides()[1] == Outcome.ACCEPTED
    assert (desk.task(1).state, desk.task(1).wanted) == (State.DONE, 3)
    desk.releases(third, leased)
    desk.undoes(one, annotation)
    assert desk.judges_all(fourth) == [1]
