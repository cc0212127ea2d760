"""Taking turns at a corpus, and ending when told: how a run behaves that nobody started by hand.

Whoever starts a run by hand reads that the corpus is held, and decides. At night there is nobody to read it, and a
daily run that fails since the weekly one still goes on would be a false alarm. The lock of the corpus knows the truth,
whatever became of the other run: Prefect counts one that died with its machine as running until somebody ends it there.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from prefect import get_run_logger
from prefect.runtime import deployment

from waon_build.corpus import CorpusHeldError

R = TypeVar("R")

LOOK_AGAIN = 5.0
"""Seconds between two looks at a corpus that is held."""


def in_turn(run: Callable[[], R]) -> R:
    """What `run` returns. In a deployment's run: while another run holds the corpus it waits for its end, however
    long, and it ends at once when it is cancelled. One that was started by hand raises CorpusHeldError."""
    if deployment.id is None:
        return run()
    with _ending_at_once():
        try:
            return run()
        except CorpusHeldError:
            get_run_logger().info("another run holds the corpus: waiting for its end")
        while True:
            time.sleep(LOOK_AGAIN)
            try:
                return run()
            except CorpusHeldError:
                continue


@contextmanager
def _ending_at_once() -> Iterator[None]:
    """SIGTERM, by which a worker cancels a run, ends this process. In Prefect's own good order it would wait for the
    parts under way, and be killed after half a minute; nothing is lost by either, and processes of ours end with it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, _: os._exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
