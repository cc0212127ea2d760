"""When something is done again: after a pause, told from the wall clock, which may be wrong.

What was done is dated by the machine that did it. A clock that ran ahead and was set right leaves dates in
the future; waiting for them could take years, so such a date counts as long past.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

SKEW: Final = timedelta(hours=1)
"""How far the clocks of two machines that share a corpus may differ."""


def is_due(since: str, pause: timedelta) -> bool:
    """Whether `pause` has passed since `since` (ISO 8601 with its zone), or no clock that is right can have said so."""
    now, then = datetime.now(UTC), datetime.fromisoformat(since)
    return then + pause <= now or then > now + SKEW
