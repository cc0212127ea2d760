"""A PostgreSQL of one's own: made in a folder that is thrown away, reached by a socket there, by nobody else. It ends
with the process that began it, however that ends."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import Any

import psycopg

_SETTINGS = {
    "listen_addresses": "''",  # no TCP
    "fsync": "off",  # what is tested here is who may do what, not the disk
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "jit": "off",
}


class Server:
    """A server that runs. Its databases are copies of a template, which is quick."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0

    def address(self, database: str) -> str:
        return f"postgresql://waon@/{database}?host={self._folder}"

    def create(self, template: str = "template1") -> str:
        """A new database; returns its name."""
        self._made += 1
        name = f"made_{self._made}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, database: str) -> None:
        self._run(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        with psycopg.connect(f"host={self._folder} user=waon dbname=postgres", autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type] - names are made here


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, of the newest PostgreSQL there is."""
    found = sorted(glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(Path(path).parts[-3]))
    path = found[-1] if found else shutil.which("initdb")
    return Path(path).parent if path else None


@contextmanager
def server() -> Iterator[Server]:
    """A server, for the length of a `with`. PostgreSQL will not run as root, who lends it to somebody else."""
    bin_ = programs()
    assert bin_ is not None
    who = _somebody_else() if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="waon-pg-"))  # short, since a socket's path may not be long
    if who is not None:
        os.chown(folder, who.pw_uid, who.pw_gid)

    as_them: dict[str, Any] = {"cwd": folder}
    if who is not None:
        as_them |= {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}

    def run(*command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False, **as_them)
        assert done.returncode == 0, f"{command[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}{_log(folder)}"

    data, control = str(folder / "data"), f"{bin_}/pg_ctl"
    options = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
    options += f" -c unix_socket_directories={folder}"
    try:
        run(f"{bin_}/initdb", "-D", data, "-U", "waon", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        run(control, "-D", data, "start", "-w", "-t", "60", "-l", str(folder / "log"), "-o", options)
        stop = f'read _; "{control}" -D "{data}" stop -w -m immediate; rm -rf "{folder}"'
        # It reads from a pipe that nobody writes to: when this process ends, and be it killed, it reads the end.
        keeper = subprocess.Popen(
            ["sh", "-c", stop], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **as_them
        )
        try:
            yield Server(folder)
        finally:
            assert keeper.stdin is not None
            keeper.stdin.close()
            keeper.wait(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _somebody_else() -> pwd.struct_passwd:
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _log(folder: Path) -> str:
    log = folder / "log"
    return log.read_text()[-2000:] if log.exists() else ""
