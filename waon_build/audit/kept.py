"""Weekly reports that are kept in the corpus, one a day: `reports/YYYY-MM-DD.json`, and `.md` for people.

The JSON is what the next report compares with.
"""

from __future__ import annotations

import json
import re
from datetime import date
from zoneinfo import ZoneInfo

from waon_build.audit.weekly import Report, Snapshot
from waon_build.corpus import Corpus
from waon_build.records import InputError

FOLDER = "reports"


def latest(corpus: Corpus, day: date) -> tuple[Snapshot | None, list[str]]:
    """The snapshot of the newest report of a day before `day`, and what is wrong with reports that cannot be read."""
    problems: list[str] = []
    for name in reversed(_kept_days(corpus)):
        if name >= day.isoformat():
            continue
        path = corpus.path(FOLDER, f"{name}.json")
        try:
            return Snapshot.from_json(json.loads(corpus.fs.cat_file(path))["snapshot"]), problems
        except (ValueError, KeyError, TypeError):
            problems.append(f"{path}: cannot be read, or is of another version: compared with the one before it")
    return None, problems


def keep(corpus: Corpus, report: Report, day: date, markdown: str) -> str:
    """Keep a report in the corpus, in place of one of the same day; returns where its Markdown is. Raises InputError
    when it cannot be written."""
    path = corpus.path(FOLDER, f"{day.isoformat()}.md")
    document = json.dumps(report.to_json(), ensure_ascii=False, indent=1)
    try:
        corpus.put(path, markdown.encode())
        corpus.put(corpus.path(FOLDER, f"{day.isoformat()}.json"), document.encode())
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error}): make room, or allow it") from error
    return path


def zone_of(timezone: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises InputError when there is none."""
    try:
        return ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:  # there is none; it is a path; it is a folder of zones
        raise InputError(f"timezone {timezone}: there is none: give one such as Asia/Tokyo or UTC") from error


def _kept_days(corpus: Corpus) -> list[str]:
    try:
        found = corpus.fs.ls(corpus.path(FOLDER), detail=False, refresh=True)
    except FileNotFoundError:
        return []
    names = (path.rsplit("/", 1)[-1] for path in found)
    return sorted(name.removesuffix(".json") for name in names if re.fullmatch(r"\d{4}-\d\d-\d\d\.json", name))
