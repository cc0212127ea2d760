"""Numbers that tell nothing: what a task or an annotation is called where its annotator can see it.

The ids of the database count up, so they say what came into the queue late (a gold task, a hidden twin,
an adjudication) and how much others have said. What goes out is a permutation of 48 bits instead, made
with a key of this database and different for each annotator: two of them cannot compare, and nobody can
name a task that they were not shown. JavaScript holds the numbers exactly.
"""

from __future__ import annotations

from hashlib import blake2b

_HALF = 24
_MASK = (1 << _HALF) - 1
_ROUNDS = 4
LARGEST_ID = (1 << 31) - 1
"""Of the database's ids."""


class Opaque:
    """The permutation of one annotator. purpose: tells numbers of tasks from those of annotations."""

    def __init__(self, key: bytes, annotator: str, purpose: str) -> None:
        self._rounds = tuple(
            blake2b(f"{purpose}:{annotator}".encode(), key=key, salt=bytes([number] * 16), digest_size=16).digest()
            for number in range(_ROUNDS)
        )

    def hide(self, number: int) -> int:
        """What an id is called outside."""
        left, right = number >> _HALF, number & _MASK
        for key in self._rounds:
            left, right = right, left ^ _mix(key, right)
        return left << _HALF | right

    def find(self, hidden: int) -> int | None:
        """The id that is called so; None when no id can be."""
        if not 0 <= hidden < 1 << 2 * _HALF:
            return None
        left, right = hidden >> _HALF, hidden & _MASK
        for key in reversed(self._rounds):
            left, right = right ^ _mix(key, left), left
        number = left << _HALF | right
        return number if 0 < number <= LARGEST_ID else None


def _mix(key: bytes, half: int) -> int:
    return int.from_bytes(blake2b(half.to_bytes(3, "big"), key=key, digest_size=3).digest(), "big")
