"""One at a time at a corpus on an object store: a lock is an object with an owner and a time until when it holds.

Its owner renews it from a thread; one that was killed stops doing so, and the lock can be taken over. What it
cannot promise: the clocks of the machines must agree to within `HELD_FOR`; a holder that stood still for longer
than that (a suspended machine, a network that was cut) loses the lock and learns of it when it goes on; and where
a store has no conditional put, as S3 has (If-None-Match), two that come within milliseconds are told apart only
by reading back. What parts commit stays whole in any case: each is one object put.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple

import fsspec

HELD_FOR: Final = 120.0
"""Seconds that a lock holds after it was last renewed."""
RENEWED_EVERY: Final = 30.0
SETTLED_AFTER: Final = 1.0
"""Seconds after which whoever took over a lock looks whether it is still theirs."""


class Held(Exception):  # noqa: N818 - an outcome, not an error
    """Somebody else holds the lock. holder: who, in words."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


class Lost(Exception):  # noqa: N818 - an outcome, not an error
    """Somebody else took the lock while it was held."""


class _Note(NamedTuple):
    """What the object says. numbers: see `numbers`."""

    owner: str
    machine: str
    pid: int
    until: float
    numbers: str = ""

    @property
    def is_left(self) -> bool:
        """Whether its owner is gone: it did not renew the lock, or was a process of this machine that ended."""
        return self.until < time.time() or (self.numbers == numbers() and not is_running(self.pid))

    @property
    def holder(self) -> str:
        return f"process {self.pid} of {self.machine}"


@contextmanager
def held(fs: fsspec.AbstractFileSystem, path: str) -> Iterator[bool]:
    """Hold the lock at `path`. Yields whether it was one that its owner had left without giving it back. Raises Held
    when somebody has it, and at the end Lost when somebody took it."""
    owner = uuid.uuid4().hex
    was_left = _take(fs, path, owner)
    given_back = threading.Event()
    lost = threading.Event()

    def renew() -> None:
        while not given_back.wait(RENEWED_EVERY):
            with suppress(Exception):  # the store's own troubles: there is time for three more tries
                if _is_of(fs, path, owner):
                    fs.pipe_file(path, _written(owner))
                else:
                    lost.set()
                    return

    renewal = threading.Thread(target=renew, name=f"renews {path}", daemon=True)
    renewal.start()
    try:
        yield was_left
    finally:
        given_back.set()
        renewal.join()
        with suppress(Exception):  # the store's own troubles hide no others: the lock ends by itself
            if _is_of(fs, path, owner):
                fs.rm_file(path)
            else:
                lost.set()
    if lost.is_set():
        raise Lost(path)


def _take(fs: Any, path: str, owner: str) -> bool:
    was_left = False
    while True:
        if _create(fs, path, owner):
            if was_left:
                time.sleep(SETTLED_AFTER)
            if _is_of(fs, path, owner):
                return was_left
        note = _read(fs, path)
        if note is None:
            continue  # given back this moment
        if note.owner == owner:
            return was_left  # the reply to our put was lost, and it was put again
        if not note.is_left:
            raise Held(note.holder)
        was_left = True
        with suppress(FileNotFoundError):
            fs.rm_file(path)


def _create(fs: Any, path: str, owner: str) -> bool:
    """Put the object where there is none. False when there is one."""
    try:
        fs.pipe_file(path, _written(owner), mode="create")
    except FileExistsError:
        return False
    return True


def _written(owner: str) -> bytes:
    note = _Note(owner, socket.gethostname(), os.getpid(), time.time() + HELD_FOR, numbers())
    return json.dumps(note._asdict()).encode()


def _read(fs: Any, path: str) -> _Note | None:
    try:
        return _Note(**json.loads(fs.cat_file(path)))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        return _Note("", "", 0, 0.0)  # nobody's


def _is_of(fs: Any, path: str, owner: str) -> bool:
    note = _read(fs, path)
    return note is not None and note.owner == owner


def numbers() -> str:
    """Where the numbers of our processes are unique: on this machine since it was started, in this container. Two
    containers, or machines, that have one name give the same number to different processes."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:  # not Linux
        return socket.gethostname()


def is_running(pid: int) -> bool:
    """Whether this machine has a process of this number."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
