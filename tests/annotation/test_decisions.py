"""What follows from answers: the rule, and its application to the queue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, event, func, select, update

from waon_build.annotation import decided, decisions, queue, refusals, reports
from waon_build.annotation.consensus import Consensus, Said
from waon_build.annotation.database import writing
from waon_build.annotation.models import Annotator, Decision, Kind, Outcome, Role, Standing, State, Task, live
from waon_build.annotation.questions import Answers, load
from waon_build.annotation.routing import pair_ids, retire
from waon_build.recipe import AnnotationSettings

from .conftest import pair
from .desk import Desk

Fill = Callable[..., None]
Answer = Callable[..., Answers]


SETTINGS = AnnotationSettings()


def grades(*given_: int | str) -> list[dict[str, Any]]:
    return [{"match": grade, "culture": "specific"} for grade in given_]


def judge(answers: list[dict[str, Any]], settings: AnnotationSettings = SETTINGS, **more: Any) -> decisions.Verdict:
    """The verdict on what people of whom nothing else is known say of one task."""
    questions = load("ja")
    said = [Said(str(number), answer) for number, answer in enumerate(answers)]
    aggregate = Consensus(questions, settings.min_match).of(said)
    return decisions.verdict(said, questions, settings, aggregate, **more)


@pytest.mark.parametrize(
    ("given_", "outcome", "wanted"),
    [
        ((3,), None, 2),
        ((3, 2), Outcome.ACCEPTED, 2),
        ((1, 0), Outcome.REJECTED, 2),
        ((3, 3), Outcome.ACCEPTED, 2),
        # On both sides of enough: one more is asked until a side has a lead of two.
        ((2, 1), None, 3),
        ((3, 1, 3), None, 4),
        ((3, 1, 3, 2), Outcome.ACCEPTED, 4),
        ((3, 1, 0), None, 4),
        ((3, 1, 0, 0), Outcome.REJECTED, 4),
        ((3, 1, 3, 1), None, 5),
        ((3, 1, 3, 1, 3), Outcome.UNDECIDED, 5),
        # Who cannot tell is made up for.
        ((3, "cannot_tell"), None, 3),
        ((3, "cannot_tell", 3), Outcome.ACCEPTED, 3),
        (("cannot_tell",) * 2, None, 4),
        (("cannot_tell",) * 4, None, 5),
        (("cannot_tell",) * 5, Outcome.UNDECIDED, 5),
        ((3, 3, 3, 3, 3, 3), Outcome.ACCEPTED, 6),
    ],
)
def test_the_rule(given_: tuple[int | str, ...], outcome: Outcome | None, wanted: int) -> None:
    found = judge(grades(*given_))
    assert (found.outcome, found.wanted) == (outcome, wanted)
    assert found.adjudicate == (outcome == Outcome.UNDECIDED)


def test_more_are_asked_while_people_disagree_on_the_culture() -> None:
    """The grade alone does not settle a pair, and a field that differs does not keep it open."""
    one, other = {"match": 3, "culture": "specific"}, {"match": 3, "culture": "not"}
    assert judge([one, other]).outcome is None
    assert judge([one, other, one]).outcome is None
    assert judge([one, other, one, one]).outcome == Outcome.ACCEPTED
    assert judge([one, other, one, other, one]).adjudicate
    assert judge([{**one, "category": "food"}, {**one, "category": "event"}]).outcome == Outcome.ACCEPTED


def test_posterior_majority_median_and_votes_are_all_kept() -> None:
    found = judge(
        [{"match": 3, "culture": "specific"}, {"match": 2, "culture": "specific"}, {"match": 2, "culture": "not"}]
    )
    assert found.votes == {"match": {"2": 2, "3": 1}, "culture": {"not": 1, "specific": 2}}
    assert found.aggregate["match"]["median"] == 2.0
    assert found.aggregate["culture"]["answer"] == found.aggregate["culture"]["majority"] == "specific"
    assert 0.5 < found.aggregate["culture"]["posterior"] < 0.9
    assert judge(grades(3, 3, 0, 0)).aggregate["match"]["majority"] == "", "nobody has it"


def test_an_adjudicator_decides() -> None:
    split = grades(3, 1, 3, 1, 3)
    assert judge(split, adjudicated={"match": 3, "culture": "not"}).outcome == Outcome.ACCEPTED
    assert judge(split, adjudicated={"match": 3, "culture": "not"}).aggregate["culture"]["answer"] == "not"
    assert judge(split, adjudicated={"match": 1, "culture": "not"}).outcome == Outcome.REJECTED
    assert judge(split, adjudicated={"match": "cannot_tell", "culture": "not"}).outcome == Outcome.UNDECIDED
    assert judge(split, adjudicated={"match": 3, "culture": "not", "flags": ["harmful"]}).outcome == Outcome.REJECTED
    assert not judge(split, adjudicated={"match": 3, "culture": "not"}).adjudicate


@pytest.mark.parametrize("flag", ["harmful", "personal"])
def test_one_person_is_enough_to_take_a_pair_out(flag: str) -> None:
    answers = [*grades(3, 3, 3), {"match": 3, "culture": "specific", "flags": ["generated", flag]}]
    assert judge(answers).outcome == Outcome.REJECTED
    assert judge(answers[-1:]).outcome == Outcome.REJECTED
    assert judge(answers[:-1], is_pulled=True).outcome == Outcome.REJECTED


def test_other_flags_are_counted_and_take_nothing_out() -> None:
    found = judge([{"match": 3, "culture": "not", "flags": ["generated"]}] * 2)
    assert found.outcome == Outcome.ACCEPTED
    assert found.votes == {"match": {"3": 2}, "culture": {"not": 2}, "flags": {"generated": 2}}
    assert found.aggregate["flags"]["answer"] == ["generated"]


@given(
    st.lists(st.sampled_from([0, 1, 2, 3, "cannot_tell"]), min_size=1, max_size=8),
    st.integers(1, 4),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_every_task_is_decided_in_the_end(given_: list[int | str], overlap: int, further: int, min_match: int) -> None:
    """More answers are wanted only while there may be more, and never in vain."""
    settings = AnnotationSettings(overlap=overlap, max_overlap=overlap + further, min_match=min_match)
    found = judge(grades(*given_), settings)
    if found.outcome is None:
        assert len(given_) < found.wanted <= settings.max_overlap
    else:
        assert found.wanted == len(given_) >= overlap
    assert judge(grades(*given_[::-1]), settings) == found


@pytest.fixture
def say(engine: Engine, annotator: Callable[[], str], now: datetime) -> Callable[[int, Answers], str]:
    """A new annotator answers a certain task."""

    def judged(task_id: int, answers: Answers) -> str:
        who = annotator()
        with writing(engine) as connection:
            leased = queue.lease_task(connection, who, task_id, now, minutes=10)
            queue.submit(connection, who, task_id, leased.token, answers, now)
        return who

    return judged


def outcomes(engine: Engine) -> dict[int, str]:
    with engine.connect() as connection:
        rows = connection.execute(select(Decision.task_id, Decision.outcome).where(live(Decision)))
        return {row.task_id: row.outcome for row in rows}


def test_answers_become_decisions_and_deciding_again_changes_nothing(
    engine: Engine, queued: Fill, say: Any, answer: Answer, settings: AnnotationSettings, now: datetime
) -> None:
    queued(range(4))
    for grade in (3, 2):
        say(1, answer(grade, category="food"))
        say(2, answer(0))
    say(3, answer(3))
    assert decisions.decide(engine, settings, now) == {"accepted": 1, "rejected": 1, "waiting": 1}
    assert outcomes(engine) == {1: "accepted", 2: "rejected"}
    decisions.decide(engine, settings, now + timedelta(days=1))
    with engine.connect() as connection:
        assert len(connection.execute(select(Decision.id)).all()) == 2
    assert list(decided.accepted(engine, load("ja"))) == [
        ("0000000000000000", 2, 2.5, "specific", "food", pytest.approx(0.99, abs=0.01), "")
    ]
    assert decided.frozen_pairs(engine) == {f"{number:016x}" for number in range(3)}


def test_strong_disagreement_asks_for_one_more(
    engine: Engine, queued: Fill, say: Any, answer: Answer, settings: AnnotationSettings, now: datetime
) -> None:
    queued(range(1))
    say(1, answer(3))
    say(1, answer(0))
    with pytest.raises(refusals.OverlapReached):
        say(1, answer(3))
    decisions.decide(engine, settings, now)
    assert outcomes(engine) == {}
    say(1, answer(3))
    with pytest.raises(refusals.OverlapReached):
        say(1, answer(3))


def test_a_correction_and_a_changed_threshold_are_decided_anew_and_the_history_is_kept(
    engine: Engine, queued: Fill, say: Any, answer: Answer, settings: AnnotationSettings, now: datetime
) -> None:
    queued(range(1))
    who = say(1, answer(2))
    say(1, answer(2))
    decisions.decide(engine, settings, now)
    decisions.decide(engine, settings.model_copy(update={"min_match": 3}), now)
    with writing(engine) as connection:
        queue.correct(connection, who, 1, answer(1), now)
    decisions.decide(engine, settings, now)
    with engine.connect() as connection:
        history = connection.execute(select(Decision.outcome, Decision.rule).order_by(Decision.id)).all()
    assert [row.outcome for row in history] == ["accepted", "rejected", "undecided"]
    assert history[0].rule == "median+dawid-skene/2 min_match=2 overlap=2-5 settle=0.9"
    assert list(decided.accepted(engine, load("ja"))) == []


def test_a_flag_closes_the_task_at_once(
    engine: Engine, queued: Fill, say: Any, answer: Answer, settings: AnnotationSettings, now: datetime
) -> None:
    queued(range(1), overlap=5)
    say(1, answer(3, flags=["harmful"]))
    decisions.decide(engine, settings, now)
    assert outcomes(engine) == {1: "rejected"}
    with engine.connect() as connection:
        assert list(queue.waiting(connection)) == []


def test_answers_of_a_blocked_annotator_weigh_nothing_and_their_slots_reopen(
    engine: Engine, queued: Fill, say: Any, answer: Answer, settings: AnnotationSettings, now: datetime
) -> None:
    queued(range(1))
    spammer = say(1, answer(3))
    say(1, answer(3))
    decisions.decide(engine, settings, now)
    with writing(engine) as connection:
        connection.execute(update(Annotator).where(Annotator.id == spammer).values(standing=Standing.BLOCKED))
    decisions.decide(engine, settings, now)
    assert outcomes(engine) == {1: "undecided"}
    assert list(decided.accepted(engine, load("ja"))) == []
    say(1, answer(3))
    decisions.decide(engine, settings, now)
    assert [pair.annotations for pair in decided.accepted(engine, load("ja"))] == [2]


def test_a_higher_overlap_reopens_what_has_fewer_answers(
    engine: Engine, queued: Fill, say: Any, answer: Answer, settings: AnnotationSettings, now: datetime
) -> None:
    queued(range(1))
    say(1, answer(3))
    say(1, answer(3))
    decisions.decide(engine, settings, now)
    decisions.decide(engine, settings.model_copy(update={"overlap": 3}), now)
    assert outcomes(engine) == {1: "undecided"}
    with engine.connect() as connection:
        assert connection.execute(select(Task.state, Task.wanted)).one() == (State.OPEN, 3)


def test_a_withdrawn_pair_is_no_longer_accepted_and_is_again_when_it_returns(
    engine: Engine, queued: Fill, say: Any, answer: Answer, settings: AnnotationSettings, now: datetime
) -> None:
    queued(range(2))
    for task in (1, 2):
        say(task, answer(3))
        say(task, answer(3))
    decisions.decide(engine, settings, now)
    retire(engine, Kind.NORMAL, pair_ids([f"{1:016x}"]), now)
    decisions.decide(engine, settings, now)
    assert outcomes(engine) == {1: "withdrawn", 2: "accepted"}
    assert [pair.pair_id for pair in decided.accepted(engine, load("ja"))] == [f"{1:016x}"]
    assert len(decided.frozen_pairs(engine)) == 2
    retire(engine, Kind.NORMAL, pair_ids([f"{0:016x}", f"{1:016x}"]), now)
    decisions.decide(engine, settings, now)
    assert len(list(decided.accepted(engine, load("ja")))) == 2


def test_a_screened_out_pair_is_decided_but_never_accepted_for_release(
    engine: Engine, queued: Fill, say: Any, answer: Answer, settings: AnnotationSettings, now: datetime
) -> None:
    """Natives would keep it: that says something of the filter, and does not undo it."""
    queued(range(1), kind=Kind.SCREENED_OUT)
    say(1, answer(3))
    say(1, answer(3))
    decisions.decide(engine, settings, now)
    assert outcomes(engine) == {1: "accepted"}
    assert list(decided.accepted(engine, load("ja"))) == []
    assert decided.frozen_pairs(engine) == set()


def test_a_native_s_own_caption_is_published_only_with_consent(
    engine: Engine, queued: Fill, say: Any, answer: Answer, now: datetime
) -> None:
    queued(range(2))
    for task_id, consent in ((1, True), (2, False)):
        say(task_id, answer(3, better_caption="三段の重箱のおせち", better_caption_consent=consent))
    assert decided.native_captions(engine, load("ja")) == {f"{0:016x}": "三段の重箱のおせち"}


def decided_beside(deciding: decisions.Deciding, now: datetime) -> int:
    """Steps until there is nothing more to do at once; returns how many."""
    count = 1
    while deciding.step(now):
        count += 1
    return count


@pytest.fixture
def beside(desk: Desk) -> decisions.Deciding:
    """Decides beside a queue of four tasks, of which nothing was said yet."""
    desk.fill(*map(pair, range(4)))
    deciding = decisions.Deciding(desk.engine, desk.settings)
    decided_beside(deciding, desk.now)
    return deciding


def test_what_is_answered_is_decided_in_the_next_step(desk: Desk, beside: decisions.Deciding) -> None:
    one, other = desk.comes(), desk.comes()
    for who in (one, other):
        desk.judges_task(who, 1)
    assert not beside.step(desk.now)
    assert desk.outcomes() == {1: Outcome.ACCEPTED}
    with writing(desk.engine) as connection:
        annotation = queue.correct(connection, one, 1, desk.answers(0), desk.now)
    beside.step(desk.now)
    assert desk.outcomes() == {1: Outcome.UNDECIDED}
    assert desk.task(1).state == State.OPEN
    desk.undoes(one, annotation)
    beside.step(desk.now)
    assert (desk.task(1).wanted, desk.task(1).answered) == (2, 1)


def test_a_step_without_news_changes_nothing(desk: Desk, beside: decisions.Deciding) -> None:
    for _ in range(2):
        desk.judges_task(desk.comes(), 1)
    beside.step(desk.now)
    before = desk.task(1)
    with desk.engine.connect() as connection:
        made = connection.scalar(select(func.count()).select_from(Decision))
    assert not beside.step(desk.now + timedelta(minutes=1))
    with desk.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Decision)) == made
    assert desk.task(1) == before


def test_what_a_coordinator_does_is_followed_in_the_next_step(desk: Desk, beside: decisions.Deciding) -> None:
    """Slots of a blocked annotator reopen, and what was dismissed goes on, without waiting for the next fit."""
    spammer, other, third = desk.comes(), desk.comes(), desk.comes()
    for who in (spammer, other):
        desk.judges_task(who, 1)
        desk.judges_task(who, 2)
    desk.judges_task(third, 3, flags=["harmful"])
    desk.judges_task(other, 3)
    beside.step(desk.now)
    assert desk.outcomes() == {1: "accepted", 2: "accepted", 3: "rejected"}
    desk.is_set(spammer, Standing.BLOCKED)
    beside.step(desk.now)
    assert desk.outcomes() == {1: "undecided", 2: "undecided", 3: "rejected"}
    assert [desk.task(at).state for at in (1, 2)] == [State.OPEN, State.OPEN]
    with writing(desk.engine) as connection:
        [report] = reports.open_reports(connection)
        reports.resolve(connection, report.id, other, False, desk.now)
    beside.step(desk.now)
    assert desk.outcomes()[3] == "accepted"


def test_an_adjudicator_s_word_is_followed_in_the_next_step(desk: Desk) -> None:
    desk.fill(pair(0))
    desk.settings = desk.settings.model_copy(update={"max_overlap": 2})
    beside = decisions.Deciding(desk.engine, desk.settings)
    decided_beside(beside, desk.now)
    desk.judges(desk.comes(), 3)
    desk.judges(desk.comes(), 0)
    beside.step(desk.now)
    desk.judges(desk.comes(Role.ADJUDICATOR), 3)
    beside.step(desk.now)
    assert desk.outcomes()[1] == Outcome.ACCEPTED


def test_all_is_gone_through_again_in_short_steps_though_answers_keep_coming(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "_STEP", 1)
    desk.fill(*map(pair, range(8)))
    for task_id in (1, 2, 3, 4):
        for _ in range(2):
            desk.judges_task(desk.comes(), task_id)
    beside = decisions.Deciding(desk.engine, desk.settings)
    assert beside.is_due(desk.now)
    beside.refit(desk.now)
    assert not beside.is_due(desk.now + timedelta(hours=1)), "one thing after the other"
    for task_id in (5, 6, 7, 8):
        assert beside.step(desk.now)
        desk.judges_task(desk.comes(), task_id)
    assert {1, 2, 3, 4} <= desk.outcomes().keys()
    decided_beside(beside, desk.now)
    assert not beside.is_due(desk.now + timedelta(minutes=4))
    assert beside.is_due(desk.now + timedelta(minutes=5))


def test_a_step_that_is_not_written_is_done_again(
    desk: Desk, beside: decisions.Deciding, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        desk.judges_task(desk.comes(), 1)

    def stumble(*_: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(decisions, "_decide", stumble)
        with pytest.raises(RuntimeError):
            beside.step(desk.now)
    beside.step(desk.now)
    assert desk.outcomes() == {1: Outcome.ACCEPTED}


def test_an_answer_that_comes_while_models_are_fitted_is_decided_as_it_is(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The posterior of the fit knows nothing of it: two agreed, a third does not."""
    desk.fill(*map(pair, range(20)), overlap=3)
    for at in range(1, 21):
        for grade in (3, 3) if at % 2 else (0, 0):
            desk.judges_task(desk.comes(), at, grade)
    third = desk.comes()
    fit = decisions._context

    def fitted_and_late(*given: Any) -> Any:
        context = fit(*given)
        desk.judges_task(third, 1, 0)
        return context

    with monkeypatch.context() as patch:
        patch.setattr(decisions, "_context", fitted_and_late)
        decisions.decide(desk.engine, desk.settings, desk.now)
    with desk.engine.connect() as connection:
        rows = connection.execute(select(Decision.task_id, Decision.aggregate).where(Decision.task_id.in_((1, 3))))
        sure = {row.task_id: row.aggregate["match"]["posterior"] for row in rows}
    assert sure[1] < sure[3] - 0.01


def test_a_threshold_of_many_digits_fits_into_the_name_of_the_rule(desk: Desk) -> None:
    """PostgreSQL refuses what is longer than its column."""
    desk.fill(pair(0))
    desk.settings = AnnotationSettings(settle=8 / 9.5, max_overlap=12)
    for _ in range(2):
        desk.judges(desk.comes())
    assert desk.decides() == {1: Outcome.ACCEPTED}


def test_a_page_of_tasks_is_found_by_their_numbers(desk: Desk, sqlite: Engine) -> None:
    """SQLite would take the index of kinds, and sort all tasks for each page."""
    desk.fill(*map(pair, range(4)))
    for _ in range(2):
        desk.judges_task(desk.comes(), 1)
    statements: list[tuple[str, Any]] = []
    event.listen(sqlite, "before_cursor_execute", lambda _c, _k, sql, given, *_: statements.append((sql, given)))
    desk.decides()
    plans = []
    with sqlite.connect() as connection:
        for sql, values in statements.copy():
            if sql.startswith("SELECT tasks.id, tasks.pair_id"):
                plans += [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert plans
    assert not [plan for plan in plans if "ix_tasks_kind" in plan or "TEMP B-TREE" in plan]
