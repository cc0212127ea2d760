"""How our processes end: workers with their parent, and commands without a word from native libraries.

A thread of Arrow's that still runs when the interpreter tears down aborts the process: `pyarrow.parquet.read_table`
and nothing else, on a busy machine, ended in one of twenty runs with "terminate called without an active exception"
and exit code 134 (pyarrow 26.0.1, measured). The work is done by then, so its end is not waited for.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
import threading
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End this process with `code`: what is written is flushed, what was to be done at its end is done (Prefect
    stops its server), and no library is torn down."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def end_with_parent() -> None:
    """Makes a worker end when its parent does, and not before: a killed parent's would wait for work for ever,
    and Ctrl-C, which reaches them all, is the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
