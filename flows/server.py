"""Prefect's server as a run of ours meets it: what is said, and done, when it cannot be reached.

A run needs no server to make a part, and what is finished stays whatever becomes of it. But Prefect ends a flow whose
server has gone with a hundred lines and, draining its events into nothing, after minutes (219 s, measured).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from waon_build.ending import leave_at_once
from waon_build.records import InputError, in_a_line


@contextmanager
def needed() -> Iterator[None]:
    """Around a flow that is run here. A server that was not there when it began is an InputError; one that went away
    ends this process at once, with one line and exit code 1."""
    try:
        yield
    except httpx.TransportError as error:
        line = f"Prefect's server is gone ({in_a_line(error)}): what is finished stays; start it, and run again"
        print(line, file=sys.stderr, flush=True)
        leave_at_once(1)
    except RuntimeError as error:
        if not str(error).startswith("Failed to reach API"):
            raise
        raise InputError(
            f"{in_a_line(error).removeprefix('Failed to reach API at ')}: there is no Prefect server: start it with "
            "`prefect server start`, or unset PREFECT_API_URL for one that lasts as long as the run"
        ) from error
