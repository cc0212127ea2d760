"""What killed runs leave at an object store: data files that no tally names. A local corpus is swept part by part."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

Named = Callable[[str, str], set[str]]
"""The files that the tally of a part names: (stage, part) -> names; empty when there is no such part."""

_TALLY = ".tally.json"
_FILE = re.compile(r"[A-Za-z0-9_-]+\.[a-z]+-[0-9a-f]{12}\..+")


def sweep(fs: Any, root: str, named: Named, older_than: float) -> int:
    """Remove the orphans of all stages below `root`; for whoever holds the corpus. older_than: seconds; a worker of
    the killed run may still be at younger ones. Returns how many were removed. One listing a stage, and a tally read
    only for a part that has two files of one role."""
    latest = datetime.now(UTC) - timedelta(seconds=older_than)
    swept = 0
    for folder in fs.ls(root, detail=False, refresh=True):
        stage = folder.rsplit("/", 1)[-1]
        files = {entry["name"].rsplit("/", 1)[-1]: entry for entry in fs.ls(folder, detail=True, refresh=True)}
        for part, names in _files_of_parts(files).items():
            kept = _kept(stage, part, names, f"{part}{_TALLY}" in files, named)
            for name in names - kept:
                if _modified(files[name]) <= latest:
                    with suppress(FileNotFoundError):
                        fs.rm_file(files[name]["name"])
                    swept += 1
    return swept


def _files_of_parts(names: Iterable[str]) -> dict[str, set[str]]:
    """Part -> names of its data files (`PART.ROLE-DIGEST.SUFFIX`)."""
    found: dict[str, set[str]] = {}
    for name in names:
        if _FILE.fullmatch(name):
            found.setdefault(name.partition(".")[0], set()).add(name)
    return found


def _kept(stage: str, part: str, names: set[str], is_committed: bool, named: Named) -> set[str]:
    if not is_committed:
        return set()
    roles = {name.partition(".")[2].partition("-")[0] for name in names}
    return names if len(roles) == len(names) else named(stage, part)


def _modified(entry: dict[str, Any]) -> datetime:
    """When a file was written; stores call it one thing or the other. Unknown is now: such a file stays."""
    found = entry.get("LastModified") or entry.get("created") or datetime.now(UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
