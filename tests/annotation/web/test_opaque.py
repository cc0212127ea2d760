"""What ids are called outside: nobody can read anything from them, and nobody can make one up."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from waon_build.annotation.web.opaque import LARGEST_ID, Opaque

KEY = bytes(range(32))
MINE = Opaque(KEY, "a" * 32, "task")


@given(st.integers(1, LARGEST_ID))
def test_what_is_hidden_is_found(number: int) -> None:
    assert MINE.find(MINE.hide(number)) == number
    assert 0 <= MINE.hide(number) < 2**48


@given(st.integers())
def test_a_made_up_number_is_harmless(number: int) -> None:
    found = MINE.find(number)
    assert found is None or MINE.hide(found) == number


def test_it_cannot_be_guessed() -> None:
    """Of 48 bits only those are of any use that stand for an id there is: one in 65,536 is of an id at all."""
    chance = random.Random(7)
    guesses = [MINE.find(chance.randrange(2**48)) for _ in range(20_000)]
    assert sum(guess is not None and guess <= 100_000 for guess in guesses) == 0


def test_what_came_later_is_not_larger() -> None:
    hidden = [MINE.hide(number) for number in range(1, 2001)]
    assert len(set(hidden)) == 2000
    rising = sum(one < other for one, other in pairwise(hidden))
    assert 900 < rising < 1100


def test_two_people_cannot_compare() -> None:
    theirs = Opaque(KEY, "b" * 32, "task")
    assert not {MINE.hide(number) for number in range(1, 1001)} & {theirs.hide(number) for number in range(1, 1001)}


def test_tasks_and_annotations_have_numbers_of_their_own() -> None:
    assert Opaque(KEY, "a" * 32, "annotation").hide(7) != MINE.hide(7)


def test_another_database_has_other_numbers() -> None:
    assert Opaque(bytes(32), "a" * 32, "task").hide(7) != MINE.hide(7)
