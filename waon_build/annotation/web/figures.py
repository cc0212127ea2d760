"""The figures that coordinators see: counted elsewhere, kept for a while.

They are counted a floor above (`waon_build/audit/annotation/`) and in another process, so that whoever looks
at them does not hold up whoever judges. What comes is plain data: frames by name, each a list of rows.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

FRESH = 60.0
"""Seconds for which figures are not counted anew."""
PATIENCE = 10.0
"""Seconds that a page of figures waits for the first."""

log = logging.getLogger(__name__)

Frames = Mapping[str, Any]
Count = Callable[[], Frames]


class Figures:
    """The figures of a campaign. count: counts them, and may take its time; None when nobody does."""

    def __init__(self, count: Count | None = None) -> None:
        self._count = count
        self._frames: Frames = {}
        self._counted_at: float | None = None
        self._counting: asyncio.Task[None] | None = None

    async def frames(self, patience: float = PATIENCE) -> Frames:
        """The last figures, while newer ones are counted; {} when there are none after `patience` seconds."""
        if self._count is not None and self._is_old() and self._counting is None:
            self._counting = asyncio.create_task(self._anew(self._count))
        if self._counting is not None and not self._frames:
            await asyncio.wait([self._counting], timeout=patience)
        return self._frames

    def _is_old(self) -> bool:
        return self._counted_at is None or time.monotonic() - self._counted_at > FRESH

    async def _anew(self, count: Count) -> None:
        try:
            self._frames = await asyncio.to_thread(count)
        except Exception:
            log.exception("the figures were not counted")
        finally:
            self._counted_at = time.monotonic()
            self._counting = None
