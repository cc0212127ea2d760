"""How our processes end: workers with their parent, commands at once when they are told, and without a word from native
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
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End this process with `code`: what is written is flushed, what was to be done at its end is done (Prefect
    stops its server), and no library is torn down."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def end_when_told() -> None:
    """Makes Ctrl-C and SIGTERM end this process at once, with one line and exit code 130 or 143. Nothing is lost by
    it, as by no other end; but Prefect's temporary server gets the same Ctrl-C, and whoever ends in good order
    waits a minute and a half for its answer."""
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)


def _stop(signal_number: int, frame: object) -> None:
    shown = "\x1b[?25h" if sys.stderr.isatty() else ""  # the cursor, which a progress bar hides
    print(f"{shown}stopped: what is finished stays; the same command goes on from there", file=sys.stderr, flush=True)
    leave_at_once(128 + signal_number)


def leave_at_once(code: int) -> NoReturn:
    """End this process with `code` in whatever state it is; Prefect's temporary server, if it started one, ends too."""
    servers = getattr(sys.modules.get("prefect.server.api.server"), "SubprocessASGIServer", None)
    for server in list(getattr(servers, "_instances", {}).values()):
        server.stop()
    os._exit(code)


@contextmanager
def ends_after(seconds: float | None) -> Iterator[None]:
    """Ends this process, as `kill -9` does, when what is done inside takes longer: code that hangs in a native
    library hears nothing else. None: never."""
    if seconds is None:
        yield
        return
    watch = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


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
