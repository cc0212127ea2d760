"""Taking turns at a corpus: what a schedule started waits while another run holds it.

Whoever starts a run by hand reads one line and decides. At night there is nobody to read it, and a daily run that
fails since the weekly one still goes on would be a false alarm. The lock of the corpus knows the truth, whatever
became of the other run: Prefect counts one that died with its machine as running until somebody ends it there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from prefect import get_run_logger
from prefect.runtime import deployment

from waon_build.corpus import CorpusHeldError

R = TypeVar("R")

LOOK_AGAIN = 5.0
"""Seconds between two looks at a corpus that is held."""


def in_turn(run: Callable[[], R]) -> R:
    """What `run` returns. While another run holds the corpus, a deployment's run waits for its end, however long;
    one that was started by hand raises CorpusHeldError."""
    said = False
    while True:
        try:
            return run()
        except CorpusHeldError:
            if deployment.id is None:
                raise
            if not said:
                get_run_logger().info("another run holds the corpus: waiting for its end")
                said = True
            time.sleep(LOOK_AGAIN)
