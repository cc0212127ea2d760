"""A run whose Prefect server fails it ends with one line, and leaves no process behind."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest


@pytest.mark.slow
def test_a_temporary_server_that_does_not_answer_ends_with_its_run(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import httpx
        from flows import server
        from prefect import flow
        from prefect.server.api.server import SubprocessASGIServer

        @flow
        def silent():
            [temporary] = SubprocessASGIServer._instances.values()
            print(temporary.server_process.pid, flush=True)
            raise httpx.ReadTimeout("it did not answer")

        with server.needed():
            silent()
    """)
    environment = {key: value for key, value in os.environ.items() if key != "PREFECT_API_URL"}
    environment |= {"PREFECT_HOME": str(tmp_path), "PREFECT_LOGGING_LEVEL": "CRITICAL"}
    ended = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=240
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("Prefect's server is gone (it did not answer)")
    with pytest.raises(ProcessLookupError):
        os.kill(int(ended.stdout), 0)
