"""How our processes end: workers with their parent, commands at once on Ctrl-C, and without a word from native
libraries.

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


def end_on_ctrl_c() -> None:
    """Makes Ctrl-C end this process at once, with one line and exit code 130. Nothing is lost by it, as by no other
    end; but Prefect's temporary server gets the same signal, and whoever ends in good order waits a minute and a
    half for its answer."""
    signal.signal(signal.SIGINT, _stop)


def _stop(signal_number: int, frame: object) -> None:
    shown = "\x1b[?25h" if sys.stderr.isatty() else ""  # the cursor, which a progress bar hides
    print(f"{shown}stopped: what is finished stays; the same command goes on from there", file=sys.stderr, flush=True)
    servers = getattr(sys.modules.get("prefect.server.api.server"), "SubprocessASGIServer", None)
    for server in list(getattr(servers, "_instances", {}).values()):
        server.stop()
    os._exit(130)


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
