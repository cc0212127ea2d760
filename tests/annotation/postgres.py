"""A PostgreSQL of one's own: made in a folder that is thrown away, reached by a socket there, by nobody else."""

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

    def run(*command: str) -> None:
        as_them = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []} if who is not None else {}
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **as_them)
        assert done.returncode == 0, f"{command[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}{_log(folder)}"

    data = str(folder / "data")
    options = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
    try:
        run(f"{bin_}/initdb", "-D", data, "-U", "waon", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        start = (
            "start",
            "-w",
            "-t",
            "60",
            "-l",
            str(folder / "log"),
            "-o",
            f"{options} -c unix_socket_directories={folder}",
        )
        run(f"{bin_}/pg_ctl", "-D", data, *start)
        try:
            yield Server(folder)
        finally:
            run(f"{bin_}/pg_ctl", "-D", data, "stop", "-w", "-m", "immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _somebody_else() -> pwd.struct_passwd:
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _log(folder: Path) -> str:
    log = folder / "log"
    return log.read_text()[-2000:] if log.exists() else ""
