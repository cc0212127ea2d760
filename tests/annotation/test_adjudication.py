"""People who cannot agree: one more looks, who sees what was said and not by whom."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from waon_build.annotation.models import Annotation, Kind, Outcome, Role, Standing, State, Task

from .conftest import pair
from .desk import Desk


@pytest.fixture
def split(desk: Desk) -> Desk:
    """Two people, who may be asked no third, disagree on task 1."""
    desk.settings = desk.settings.model_copy(update={"max_overlap": 2})
    desk.fill(*map(pair, range(2)))
    desk.judges_task(desk.comes(), 1, 3)
    desk.judges_task(desk.comes(), 1, 0, culture="not")
    assert desk.decides() == {1: Outcome.UNDECIDED}
    return desk


def asked(desk: Desk) -> Task:
    found = desk.copy(1, Kind.ADJUDICATION)
    assert found is not None
    return found  # type: ignore[return-value] - a row of it


def test_an_adjudicator_sees_what_was_said_and_decides(split: Desk) -> None:
    chief = split.comes(Role.ADJUDICATOR)
    leased = split.claim(chief)[0]
    assert leased.task.task_id == asked(split).id
    assert leased.task.pair_id == f"{0:016x}"
    assert sorted(one["match"] for one in leased.opinions) == [0, 3]
    assert not any(name in repr(leased.opinions) for name in ("annotator", chief))
    split.says(chief, leased, 3)
    assert split.decides() == {1: Outcome.ACCEPTED}
    assert asked(split).state == State.DONE
    assert split.decides() == {1: Outcome.ACCEPTED}


def test_deciding_again_asks_no_second_one(split: Desk) -> None:
    first = asked(split)
    split.decides()
    assert asked(split) == first
    assert split.claim(split.comes(Role.ADJUDICATOR))
    split.decides()
    assert (asked(split).held, asked(split).wanted) == (1, 1)
    assert split.claim(split.comes(Role.COORDINATOR))[0].task.task_id != first.id


def test_annotators_are_not_asked_and_nor_is_who_judged_the_pair(desk: Desk) -> None:
    desk.settings = desk.settings.model_copy(update={"max_overlap": 2})
    desk.fill(pair(0))
    party, other = desk.comes(Role.ADJUDICATOR), desk.comes()
    desk.judges(party, 3)
    desk.judges(other, 0)
    desk.decides()
    assert asked(desk).state == State.OPEN
    assert desk.claim(party) == desk.claim(other) == desk.claim(desk.comes()) == []
    assert desk.claim(desk.comes(Role.COORDINATOR))


def test_one_who_cannot_tell_leaves_it_undecided_and_asks_nobody_else(split: Desk) -> None:
    split.judges(split.comes(Role.ADJUDICATOR), "cannot_tell")
    assert split.decides() == {1: Outcome.UNDECIDED}
    assert asked(split).state == State.DONE


def test_nobody_is_asked_any_more_when_the_others_agree_after_all(split: Desk) -> None:
    with split.engine.connect() as connection:
        found = select(Task.id).where(Task.kind == Kind.ADJUDICATION, Task.state == State.OPEN)
        assert connection.scalars(found).all() == [asked(split).id]
    split.settings = split.settings.model_copy(update={"max_overlap": 5})
    while split.decides()[1] != Outcome.ACCEPTED:
        split.judges_task(split.comes(), 1, 3)
    assert asked(split).state == State.DONE
    assert split.claim(split.comes(Role.ADJUDICATOR))[0].task.task_id == 2


def test_in_place_of_a_blocked_adjudicator_another_is_asked(split: Desk) -> None:
    """Their word weighs nothing any more: without another the pair would wait for ever."""
    spammer = split.comes(Role.ADJUDICATOR)
    split.judges(spammer, 3)
    assert split.decides() == {1: Outcome.ACCEPTED}
    split.is_set(spammer, Standing.BLOCKED)
    assert split.decides() == {1: Outcome.UNDECIDED}
    assert (asked(split).state, asked(split).answered, asked(split).wanted) == (State.OPEN, 1, 2)
    split.decides()
    assert asked(split).wanted == 2
    split.judges(split.comes(Role.ADJUDICATOR), 0)
    assert split.decides() == {1: Outcome.REJECTED}


def test_an_adjudicator_may_take_their_word_back_and_sees_the_opinions_again(split: Desk) -> None:
    chief = split.comes(Role.ADJUDICATOR)
    annotation = split.says(chief, split.claim(chief)[0], 3)
    split.decides()
    leased = split.undoes(chief, annotation)
    assert len(leased.opinions) == 2
    assert leased.answers == {"match": 3, "culture": "specific"}
    assert split.decides() == {1: Outcome.UNDECIDED}
    split.says(chief, leased, 0)
    assert split.decides() == {1: Outcome.REJECTED}


def test_a_word_that_was_taken_back_and_left_lying_is_asked_of_anybody_the_same_one_too(split: Desk) -> None:
    chief = split.comes(Role.ADJUDICATOR)
    split.undoes(chief, split.says(chief, split.claim(chief)[0], 3))
    split.waits(11)
    assert split.judges(chief, 0) == asked(split).id


def test_who_read_the_opinions_does_not_judge_the_pair_as_one_of_many(split: Desk) -> None:
    chief = split.comes(Role.ADJUDICATOR)
    split.judges(chief, 3)
    split.settings = split.settings.model_copy(update={"overlap": 4, "max_overlap": 5})
    with split.engine.connect() as connection:
        voter = connection.scalars(select(Annotation.annotator_id).where(Annotation.task_id == 1)).first()
    assert voter is not None
    split.is_set(voter, Standing.BLOCKED)
    split.is_set(chief, Standing.ACTIVE)
    split.decides()
    assert 1 not in split.judges_all(chief)


def test_a_flag_of_an_adjudicator_takes_the_pair_out(split: Desk) -> None:
    split.judges(split.comes(Role.ADJUDICATOR), 3, flags=["personal"])
    assert split.decides() == {1: Outcome.REJECTED}
    assert split.task(1).state == asked(split).state == State.DONE


def test_of_a_screened_out_pair_nobody_is_asked(desk: Desk) -> None:
    """It is never released: that people disagree is all that is to be known."""
    desk.settings = desk.settings.model_copy(update={"max_overlap": 2})
    desk.fill(pair(0), kind=Kind.SCREENED_OUT)
    desk.judges(desk.comes(), 3)
    desk.judges(desk.comes(), 0)
    assert desk.decides() == {1: Outcome.UNDECIDED}
    assert desk.copy(1, Kind.ADJUDICATION) is None
