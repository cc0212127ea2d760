"""What people and the machine did to others' tasks and standing, for whoever asks later: rows of `event`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from waon_build.annotation.models import Event


def record(connection: Connection, now: datetime, by: str, verb: str, subject: str, detail: dict[str, Any]) -> None:
    """Keep one event. by: a coordinator, or "" for the machine. subject: a person, task or pair."""
    connection.execute(insert(Event), {"at": now, "actor": by, "verb": verb, "subject": subject, "detail": detail})
