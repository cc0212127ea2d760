"""Reports of harm: one person's word is enough, at once; a coordinator looks; a mistake is mended."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from waon_build.annotation import decided, gold, queue, refusals, reports, routing
from waon_build.annotation.database import writing
from waon_build.annotation.models import Event, Kind, Outcome, Report, ReportOutcome, Role, State
from waon_build.annotation.questions import load

from .conftest import pair
from .desk import Desk


def waiting(desk: Desk) -> list[reports.Reported]:
    with writing(desk.engine) as connection:
        return reports.open_reports(connection)


def resolves(desk: Desk, upheld: bool) -> str:
    """A coordinator looks at the one report that waits; returns who."""
    chief = desk.comes(Role.COORDINATOR)
    with writing(desk.engine) as connection:
        reports.resolve(connection, reports.open_reports(connection)[0].id, chief, upheld, desk.now)
    return chief


def outcomes(desk: Desk) -> list[str]:
    with desk.engine.connect() as connection:
        return list(connection.scalars(select(Report.outcome).order_by(Report.id)))


@pytest.fixture
def accepted(desk: Desk) -> Desk:
    """Task 1 has been accepted, task 2 waits."""
    desk.fill(*map(pair, range(2)))
    for _ in range(2):
        desk.judges_task(desk.comes(), 1)
    assert desk.decides() == {1: "accepted"}
    return desk


def released(desk: Desk) -> list[str]:
    return [one.pair_id for one in decided.accepted(desk.engine, load("ja"))]


@pytest.mark.parametrize("how", ["button", "flag"])
def test_a_report_pulls_the_pair_from_everybody_at_once(desk: Desk, how: str) -> None:
    desk.fill(pair(0), overlap=3)
    one, other = desk.comes(), desk.comes()
    mine, theirs = desk.claim(one)[0], desk.claim(other)[0]
    if how == "button":
        desk.reports(one, mine)
    else:
        desk.says(one, mine, flags=["harmful"])
    assert desk.task(1)[3:8] == (State.DONE, 3, 0, int(how == "flag"), "alt")
    assert [(entry.kind, entry.annotator_id) for entry in waiting(desk)] == [("harmful", one)]
    with pytest.raises(refusals.TaskReported):
        desk.says(other, theirs)
    with writing(desk.engine) as connection:
        assert queue.why_not(connection, 1) is refusals.TaskReported
        assert queue.shown_to(connection, other, 1) is None
    assert desk.claim(other) == desk.claim(desk.comes()) == []
    assert desk.outcomes() == {1: Outcome.REJECTED}


def test_a_report_takes_what_was_accepted_out_of_the_next_release(desk: Desk) -> None:
    desk.fill(pair(0))
    who = desk.comes()
    held = desk.claim(who)[0]
    desk.says(who, held)
    desk.judges(desk.comes())
    desk.decides()
    assert released(desk) == [f"{0:016x}"]
    desk.reports(who, held)
    assert released(desk) == []
    assert desk.decides() == {1: "rejected"}


def test_who_answered_may_report_afterwards(accepted: Desk) -> None:
    late = accepted.comes()
    held = accepted.claim(late)[0]
    accepted.says(late, held)
    accepted.reports(late, held, "personal")
    assert [entry.task_id for entry in waiting(accepted)] == [2]
    assert accepted.outcomes() == {1: "accepted", 2: "rejected"}


def test_nobody_reports_what_was_never_theirs(accepted: Desk) -> None:
    stranger, holder = accepted.comes(), accepted.comes()
    held = accepted.claim(holder)[0]
    with pytest.raises(refusals.LeaseLost):
        accepted.reports(stranger, held)
    assert waiting(accepted) == []


def test_a_lease_that_has_run_out_will_do(desk: Desk) -> None:
    desk.fill(pair(0))
    who = desk.comes()
    held = desk.claim(who)[0]
    desk.waits(11)
    desk.reports(who, held)
    assert len(waiting(desk)) == 1
    assert desk.task(1).held == 0


def test_a_report_sent_twice_is_one_and_those_of_two_people_are_two(desk: Desk) -> None:
    desk.fill(pair(0), overlap=3)
    one, other = desk.comes(), desk.comes()
    mine, theirs = desk.claim(one)[0], desk.claim(other)[0]
    desk.says(other, theirs)
    desk.says(one, mine)
    desk.reports(one, mine)
    desk.reports(one, mine)
    desk.reports(other, theirs)
    assert [entry.annotator_id for entry in waiting(desk)] == [one, other]
    resolves(desk, upheld=False)
    assert desk.task(1).state == State.DONE, "the other report still stands"
    resolves(desk, upheld=False)
    assert desk.task(1).state == State.OPEN


def test_upheld_it_never_comes_back(accepted: Desk) -> None:
    who = accepted.comes()
    held = accepted.claim(who)[0]
    accepted.reports(who, held)
    chief = resolves(accepted, upheld=True)
    accepted.decides()
    assert accepted.task(2).state == State.DONE
    assert accepted.claim(accepted.comes()) == []
    with accepted.engine.connect() as connection:
        event = connection.execute(select(Event.actor, Event.verb, Event.subject)).one()
    assert tuple(event) == (chief, "report upheld", f"{1:016x}")
    with pytest.raises(reports.UnknownReport), writing(accepted.engine) as connection:
        reports.resolve(connection, 1, chief, False, accepted.now)


@pytest.mark.parametrize("way", ["leaves and returns", "becomes a pair that is kept", "more answers are wanted"])
def test_a_reported_pair_comes_in_again_by_no_other_way(desk: Desk, way: str) -> None:
    desk.fill(pair(0), kind=Kind.SCREENED_OUT)
    who = desk.comes()
    desk.says(who, desk.claim(who)[0], flags=["harmful"])
    resolves(desk, upheld=True)
    if way == "leaves and returns":
        routing.retire(desk.engine, Kind.SCREENED_OUT, routing.pair_ids([]), desk.now)
        routing.retire(desk.engine, Kind.SCREENED_OUT, routing.pair_ids([f"{0:016x}"]), desk.now)
    elif way == "becomes a pair that is kept":
        desk.fill(pair(0), kind=Kind.NORMAL)
    else:
        desk.settings = desk.settings.model_copy(update={"overlap": 4})
    desk.decides()
    assert desk.claim(desk.comes()) == []
    assert released(desk) == []


def test_dismissed_the_flag_weighs_nothing_and_the_pair_goes_on_where_it_was(desk: Desk) -> None:
    desk.fill(pair(0))
    who = desk.comes()
    desk.says(who, desk.claim(who)[0], flags=["harmful", "advertisement"])
    desk.decides()
    resolves(desk, upheld=False)
    assert (desk.task(1).state, desk.task(1).wanted) == (State.OPEN, 2)
    assert desk.outcomes() == {1: Outcome.UNDECIDED}
    desk.judges(desk.comes())
    assert desk.decides() == {1: Outcome.ACCEPTED}
    with desk.engine.connect() as connection:
        votes = connection.scalars(select(decided.Decision.votes).order_by(decided.Decision.id.desc())).first()
        aggregate = connection.scalars(select(decided.Decision.aggregate).order_by(decided.Decision.id.desc())).first()
    assert votes["flags"] == {"advertisement": 1}
    assert "harmful" not in aggregate["flags"]["answer"]
    assert desk.decides() == {1: Outcome.ACCEPTED}


def test_dismissed_it_is_found_by_those_who_had_done_with_its_wave(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "WAVE", 2)
    desk.fill(*map(pair, range(4)))
    who, reporter = desk.comes(), desk.comes()
    held = desk.claim(reporter)[0]
    desk.reports(reporter, held)
    assert len(desk.judges_all(who)) == 3
    resolves(desk, upheld=False)
    assert desk.judges_all(who) == [held.task.task_id]
    assert desk.claim(reporter) == [] or desk.claim(reporter)[0].task.task_id != held.task.task_id


def test_the_same_person_s_second_word_on_what_was_dismissed_pulls_nothing(desk: Desk) -> None:
    desk.fill(pair(0))
    who = desk.comes()
    held = desk.claim(who)[0]
    desk.says(who, held)
    desk.reports(who, held)
    resolves(desk, upheld=False)
    desk.reports(who, held)
    assert waiting(desk) == []
    assert desk.task(1).state == State.OPEN


@pytest.mark.parametrize("how", ["undo", "correct"])
def test_who_flagged_by_mistake_can_take_it_back(desk: Desk, how: str) -> None:
    desk.fill(pair(0))
    who = desk.comes()
    annotation = desk.says(who, desk.claim(who)[0], flags=["harmful"])
    if how == "undo":
        leased = desk.undoes(who, annotation)
        assert leased.answers is not None
        assert leased.answers["flags"] == ["harmful"]
        assert (desk.task(1).held, desk.task(1).answered) == (1, 0)
    else:
        with writing(desk.engine) as connection:
            queue.correct(connection, who, 1, desk.answers(3), desk.now)
    assert outcomes(desk) == [ReportOutcome.RETRACTED]
    assert desk.task(1).state == State.OPEN
    assert desk.outcomes() == {1: Outcome.UNDECIDED}


@pytest.mark.parametrize("how", ["undo", "correct"])
def test_a_report_by_the_button_stands_whatever_becomes_of_the_answer(desk: Desk, how: str) -> None:
    """Somebody who corrects a grade does not take back that the picture harms."""
    desk.fill(pair(0))
    who = desk.comes()
    held = desk.claim(who)[0]
    annotation = desk.says(who, held, 1)
    desk.reports(who, held)
    if how == "correct":
        with writing(desk.engine) as connection:
            queue.correct(connection, who, 1, desk.answers(3), desk.now)
    else:
        with pytest.raises(refusals.TaskReported):
            desk.undoes(who, annotation)
    assert outcomes(desk) == [ReportOutcome.OPEN]
    assert desk.task(1).state == State.DONE


def test_a_correction_may_report(accepted: Desk) -> None:
    who = accepted.comes()
    accepted.judges(who)
    with writing(accepted.engine) as connection:
        queue.correct(connection, who, 2, accepted.answers(3, flags=["personal"]), accepted.now)
    assert [entry.kind for entry in waiting(accepted)] == ["personal"]
    assert accepted.task(2).state == State.DONE


def test_nobody_undoes_an_answer_to_what_others_reported(desk: Desk) -> None:
    desk.fill(pair(0))
    one, other = desk.comes(), desk.comes()
    annotation = desk.says(one, desk.claim(one)[0])
    desk.reports(other, desk.claim(other)[0])
    with writing(desk.engine) as connection:
        assert [entry.can_undo for entry in queue.recent(connection, one)] == [False]
    with pytest.raises(refusals.TaskReported):
        desk.undoes(one, annotation)
    assert desk.task(1).answered == 1


def test_gold_and_twins_of_the_pair_are_pulled_with_it_and_come_back_with_it(desk: Desk) -> None:
    desk.fill(*map(pair, range(2)))
    with writing(desk.engine) as connection:
        kept = gold.add(connection, f"{0:016x}", Kind.GOLD, {"match": 3}, desk.now)
        removed = gold.add(connection, f"{0:016x}", Kind.QUALIFICATION, {"match": 3}, desk.now)
        assert kept is not None
        assert removed is not None
        gold.remove(connection, removed, desk.now)
    who = desk.comes()
    desk.judges_task(who, 1, flags=["harmful"])
    assert desk.task(kept).state == State.DONE
    with pytest.raises(gold.NoSuchPairError), writing(desk.engine) as connection:
        gold.add(connection, f"{0:016x}", Kind.GOLD, {"match": 2}, desk.now)
    resolves(desk, upheld=False)
    assert desk.task(kept).state == State.OPEN
    assert desk.task(removed).state == State.DONE, "nobody is asked any more"
