"""Which part may begin now: so many at once, and never two that ask the same host.

A worker process keeps its own account of each host (how many requests, how often), so that two of them
at one host would ask twice as much as it may be asked. Plain objects; nothing here knows Prefect.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from waon_build.corpus import Part

KeptApart = Callable[[Part], Collection[str]]
"""What of a part no other part under way may have too: the hosts it asks."""


def nothing(part: Part) -> Collection[str]:
    """Keeps no parts apart: all share one process's account."""
    return ()


class Waiting:
    """The parts of a stage, in their order where that can be. at_once: parts under way at most."""

    def __init__(self, parts: Iterable[Part], at_once: int, apart: KeptApart = nothing) -> None:
        self._waiting = {part.name: part for part in parts}
        self._at_once = at_once
        self._apart = apart
        self._kept: dict[str, frozenset[str]] = {}
        self._under_way: set[str] = set()
        self._taken: set[str] = set()

    def __bool__(self) -> bool:
        """Whether a part waits or is under way."""
        return bool(self._waiting or self._under_way)

    def begin(self) -> Part | None:
        """The first part whose turn it is, which is under way from now on; None when none may begin yet."""
        if len(self._under_way) >= self._at_once:
            return None
        for name, part in self._waiting.items():
            if self._taken.isdisjoint(self._of(part)):
                del self._waiting[name]
                self._under_way.add(name)
                self._taken |= self._kept[name]
                return part
        return None

    def end(self, part: Part) -> None:
        """The part is under way no more."""
        self._under_way.remove(part.name)
        self._taken -= self._kept.pop(part.name)

    def _of(self, part: Part) -> frozenset[str]:
        if part.name not in self._kept:
            self._kept[part.name] = frozenset(self._apart(part))
        return self._kept[part.name]
