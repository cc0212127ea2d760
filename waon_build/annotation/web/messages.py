"""What the JSON API takes and gives. The description of the API (`/api/openapi.json`) is made of these."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _whole(value: object) -> object:
    """In JSON 7.0 is a whole number too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Number = Annotated[
    int, Field(ge=0, lt=2**48, description="Opaque, and different for each person."), BeforeValidator(_whole)
]
Token = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[!-~]+$")]
Note = Annotated[str, Field(max_length=2000)]
Version = Annotated[str, Field(min_length=1, max_length=32)]
Milliseconds = Annotated[int, Field(ge=0, lt=2**31), BeforeValidator(_whole)]
Answers = dict[str, Any]
WhyEmpty = Literal["nothing_left", "paused", "blocked", "not_qualified"]


class _Taken(BaseModel):
    """What comes in: a misspelt field is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Nothing(_Taken):
    pass


class Submit(_Taken):
    task_id: Number
    token: Token
    answers: Answers
    guideline_version: Version
    active_ms: Milliseconds | None = None
    wall_ms: Milliseconds | None = None
    device: Literal["keyboard", "mouse", "touch", "mixed", ""] = ""


class Skip(_Taken):
    task_id: Number
    token: Token
    reason: Literal["cannot_judge", "distressing", "broken", "other"]
    note: Note = ""


class Report(_Taken):
    task_id: Number
    token: Token
    kind: Literal["harmful", "personal"]
    note: Note = ""


class Lease(_Taken):
    task_id: Number
    token: Token


class Renew(_Taken):
    held: Annotated[list[Lease], Field(max_length=10)]


class Release(_Taken):
    tokens: Annotated[list[Token], Field(max_length=10)]


class Undo(_Taken):
    annotation_id: Number


class Correct(_Taken):
    task_id: Number
    answers: Answers
    guideline_version: Version


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Task(_Given):
    """A pair to judge, whatever it is in the queue for. opinions: what others said of it, when the person settles
    it. answers: what the person said before taking it back."""

    task_id: Number
    token: str
    expires_at: datetime
    caption: str
    picture: str
    width: int
    height: int
    opinions: list[Answers] | None = None
    answers: Answers | None = None


class Counts(_Given):
    """Own answers, and the time they took."""

    today: int
    total: int
    active_minutes_today: float


class Held(_Given):
    """All that the person holds, the one to show first in front."""

    tasks: list[Task]
    why_empty: WhyEmpty | None = None
    counts: Counts


class Submitted(Held):
    annotation_id: Number


class Corrected(_Given):
    annotation_id: Number


class Renewed(_Given):
    task_id: Number
    expires_at: datetime


class Gone(_Given):
    task_id: Number
    error: str


class Renewals(_Given):
    held: list[Renewed]
    gone: list[Gone]


class RecentAnswer(_Given):
    annotation_id: Number
    task_id: Number
    caption: str
    picture: str
    answers: Answers
    created_at: datetime
    can_undo: bool


class Recent(_Given):
    answers: list[RecentAnswer]


class Done(_Given):
    pass


class Problem(_Given):
    """Why not. error: a word for programs. message: for people, in the language of the page. field: the question
    that was answered wrongly."""

    error: str
    message: str
    field: str | None = None
