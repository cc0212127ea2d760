"""What follows from answers: the rule, and its application to the queue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update

from waon_build.annotation import decisions, queue, refusals
from waon_build.annotation.database import writing
from waon_build.annotation.models import Annotator, Decision, Kind, Outcome, Standing, State, Task, live
from waon_build.annotation.questions import Answers, load
from waon_build.annotation.routing import pair_ids, retire
from waon_build.recipe import AnnotationSettings

Fill = Callable[..., None]
Answer = Callable[..., Answers]


def grades(*given_: int | str) -> list[dict[str, Any]]:
    return [{"match": grade, "culture": "specific"} for grade in given_]


@pytest.mark.parametrize(
    ("given_", "outcome", "wanted"),
    [
        ((3,), None, 2),
        ((3, 2), Outcome.ACCEPTED, 2),
        ((2, 1), Outcome.REJECTED, 2),
        ((1, 0), Outcome.REJECTED, 2),
        ((3, 3), Outcome.ACCEPTED, 2),
        # Two steps apart, and on both sides: one more is asked until a side leads by two.
        ((3, 1), None, 3),
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
    found = decisions.verdict(grades(*given_), load("ja"), AnnotationSettings())
    assert (found.outcome, found.wanted) == (outcome, wanted)


@pytest.mark.parametrize("flag", ["harmful", "personal"])
def test_one_person_is_enough_to_take_a_pair_out(flag: str) -> None:
    answers = [*grades(3, 3, 3), {"match": 3, "culture": "specific", "flags": ["generated", flag]}]
    assert decisions.verdict(answers, load("ja"), AnnotationSettings()).outcome == Outcome.REJECTED
    assert decisions.verdict(answers[-1:], load("ja"), AnnotationSettings()).outcome == Outcome.REJECTED


def test_other_flags_are_counted_and_take_nothing_out() -> None:
    answers = [{"match": 3, "culture": "not", "flags": ["generated"]}] * 2
    found = decisions.verdict(answers, load("ja"), AnnotationSettings())
    assert found.outcome == Outcome.ACCEPTED
    assert found.votes == {"match": {"3": 2}, "culture": {"not": 2}, "flags": {"generated": 2}}


@given(
    st.lists(st.sampled_from([0, 1, 2, 3, "cannot_tell"]), min_size=1, max_size=8),
    st.integers(1, 4),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_every_task_is_decided_in_the_end(given_: list[int | str], overlap: int, further: int, min_match: int) -> None:
    """More answers are wanted only while there may be more, and never in vain."""
    settings = AnnotationSettings(overlap=overlap, max_overlap=overlap + further, min_match=min_match)
    found = decisions.verdict(grades(*given_), load("ja"), settings)
    if found.outcome is None:
        assert len(given_) < found.wanted <= settings.max_overlap
    else:
        assert found.wanted == len(given_) >= overlap
    assert decisions.verdict(grades(*given_[::-1]), load("ja"), settings) == found


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
    assert list(decisions.accepted(engine)) == [("0000000000000000", 2, 2.5, "specific", "food")]
    assert decisions.frozen_pairs(engine) == {f"{number:016x}" for number in range(3)}


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
    assert [row.outcome for row in history] == ["accepted", "rejected", "rejected"]
    assert history[0].rule == "median/1 min_match=2 overlap=2-5"
    assert list(decisions.accepted(engine)) == []


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
    assert list(decisions.accepted(engine)) == []
    say(1, answer(3))
    decisions.decide(engine, settings, now)
    assert [pair.annotations for pair in decisions.accepted(engine)] == [2]


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
    assert [pair.pair_id for pair in decisions.accepted(engine)] == [f"{1:016x}"]
    assert len(decisions.frozen_pairs(engine)) == 2
    retire(engine, Kind.NORMAL, pair_ids([f"{0:016x}", f"{1:016x}"]), now)
    decisions.decide(engine, settings, now)
    assert len(list(decisions.accepted(engine))) == 2


def test_a_screened_out_pair_is_decided_but_never_accepted_for_release(
    engine: Engine, queued: Fill, say: Any, answer: Answer, settings: AnnotationSettings, now: datetime
) -> None:
    """Natives would keep it: that says something of the filter, and does not undo it."""
    queued(range(1), kind=Kind.SCREENED_OUT)
    say(1, answer(3))
    say(1, answer(3))
    decisions.decide(engine, settings, now)
    assert outcomes(engine) == {1: "accepted"}
    assert list(decisions.accepted(engine)) == []
    assert decisions.frozen_pairs(engine) == set()
