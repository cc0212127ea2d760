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
    """Whether `pause` has passed since `since` (ISO 8601; without a zone, in UTC), or no clock that is right can have
    said so. What is no date, as an archive may have any, counts as long past too."""
    try:
        then = datetime.fromisoformat(since)
    except ValueError:
        return True
    passed = datetime.now(UTC) - then.replace(tzinfo=then.tzinfo or UTC)
    return passed >= pause or passed < -SKEW
