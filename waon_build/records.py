"""What flows through the house: candidates, images, pairs, and the tally that accounts for them.

Field names are those of the published WAON dataset where it has them. Every record type is a
dataclass for code that makes rows one by one, and has an Arrow schema (`CANDIDATE`, `IMAGE`,
`PAIR`, in `schemas.py`) for the Parquet file it rests in; the two agree field by field (a test holds them to it).
Nothing here reads or writes.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from waon_build.schemas import CANDIDATE as CANDIDATE
    from waon_build.schemas import CLUSTER as CLUSTER
    from waon_build.schemas import EVIDENCE as EVIDENCE
    from waon_build.schemas import IMAGE as IMAGE
    from waon_build.schemas import IMAGE_IN_PAIR as IMAGE_IN_PAIR
    from waon_build.schemas import PAIR as PAIR
else:

    def __getattr__(name: str) -> object:
        """The Arrow schemas, for who reads Parquet: others need not pay for Arrow."""
        if name not in ("CANDIDATE", "CLUSTER", "EVIDENCE", "IMAGE", "IMAGE_IN_PAIR", "PAIR"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from waon_build import schemas

        return getattr(schemas, name)


class Reason(str):
    """A word of a closed list that says why a row was dropped, with what a reader of the funnel asks.

    Defined once, beside the rule that gives it: `CAPTION_TOO_SHORT = Reason("caption_too_short", ...)`.
    It is a plain string wherever it is counted, stored or compared. `Reason.all` holds every reason
    of the imported rooms by `stage.word`, and the table in `docs/reasons.md` is generated from it.

    stage: the stage whose tally counts it. what: what is dropped. why: why that is right.
    setting: the recipe field that moves the rule, or "". source: where the rule comes from.
    """

    all: ClassVar[dict[str, Reason]] = {}

    stage: str
    what: str
    why: str
    setting: str
    source: str

    def __new__(
        cls, word: str, *, stage: str, what: str, why: str, setting: str = "", source: str = "waon_build"
    ) -> Reason:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", word):
            raise ValueError(f"a reason is one lower-case word: {word!r}")
        if f"{stage}.{word}" in cls.all:
            raise ValueError(f"reason {word!r} is defined twice for stage {stage!r}")
        self = super().__new__(cls, word)
        self.stage, self.what, self.why, self.setting, self.source = stage, what, why, setting, source
        cls.all[f"{stage}.{word}"] = self
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


class Evidence(NamedTuple):
    """One statement about what may be done with a page or an image, as it was found.

    signal: `robots_txt`, `robots_meta`, `x_robots_tag`, `tdmrep`, `tdm_reservation`,
    `content_usage`, `licence`. url: where it was read. value: the text itself (the rule or line that
    decided, at most 500 characters). refuses: whether it forbids what we do.
    """

    signal: str
    url: str
    value: str
    refuses: bool


@dataclass(slots=True)
class Candidate:
    """An image reference with a caption, found somewhere. Not yet looked at, not yet fetched."""

    url: str
    """Absolute http(s) address of the image."""
    caption: str
    """As written on the page: entities decoded, white space folded, not otherwise normalised."""
    caption_source: str
    """`alt`, `figcaption`, `title`, `table` or `contribution`."""
    page_url: str = ""
    page_title: str = ""
    page_language: str = ""
    """BCP 47 primary subtag (`ja`), or "" when nothing told."""
    context: str = ""
    """Text near the image on the page."""
    licence_url: str = ""
    """Link to the licence that the page declares, or ""."""
    rights: list[Evidence] = field(default_factory=list)
    source: str = ""
    """Where it was read: `FILE@OFFSET` of the WARC record, or `FILE@ROW` of the table."""
    captured_at: str = ""
    """When the page was captured, ISO 8601 UTC, as the WARC or table says; "" for our own crawl,
    whose times are in its WARC: a release must not depend on when it was made."""
    candidate_id: str = ""
    """16 hex digits over url, caption and page_url. Filled in when left empty."""

    def __post_init__(self) -> None:
        if not self.candidate_id:
            self.candidate_id = digest16(self.url, self.caption, self.page_url)


@dataclass(slots=True)
class Image:
    """What one distinct URL gave. Only `status == "ok"` rows have bytes and measures."""

    url: str
    status: str
    """`ok`, `refused` (final), or `failed`."""
    reason: str = ""
    """Why it was refused or failed; "" when ok."""
    retryable: bool = False
    """A later run may succeed (time-out, 429, 5xx, connection)."""
    attempts: int = 0
    """Runs that asked for it."""
    http_status: int = 0
    final_url: str = ""
    """After redirects."""
    sha256: str = ""
    """Of the bytes served, hex."""
    phash: str = ""
    """`imagehash.phash` of the stored image, 16 hex digits."""
    phash256: str = ""
    """`imagehash.phash(hash_size=16)` of the stored image, 64 hex digits: the second look."""
    width: int = 0
    """Of the stored image, pixels."""
    height: int = 0
    original_width: int = 0
    """Of the image served, after its EXIF orientation is applied."""
    original_height: int = 0
    format: str = ""
    """Of the stored image: `jpg`, `webp` or `png`."""
    original_format: str = ""
    """Of the bytes served, Pillow's name in lower case."""
    served_bytes: int = 0
    colours: int = 0
    """Distinct colours of the image served, counted up to 256."""
    deviation: float = 0.0
    """Standard deviation of the stored image's grey levels, 0 to 127.5: near 0 is blank."""
    frames: int = 0
    """1 for a still picture."""
    rights: list[Evidence] = field(default_factory=list)
    fetched_at: str = ""
    """ISO 8601 UTC."""
    stored_in: str = ""
    """Name of the fetch part whose tar holds the bytes."""
    offset: int = 0
    """Of the bytes in that tar."""
    size: int = 0
    """Of the stored bytes."""


def pair_id(sha256: str, caption: str) -> str:
    """16 hex digits of BLAKE2b over the image's sha256 and the normalised caption: the same pair has
    the same id in every run, and on every machine."""
    return digest16(sha256, normalised(caption))


def normalised(caption: str) -> str:
    """`caption` in Unicode NFKC with white space folded: what captions are compared by."""
    return " ".join(unicodedata.normalize("NFKC", caption).split())


def digest16(*texts: str) -> str:
    """16 hex digits of BLAKE2b over `texts`, kept apart by their lengths. Lone surrogates are allowed."""
    state = blake2b(digest_size=8)
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


@dataclass(slots=True)
class Counts:
    """Rows read, kept, and dropped by reason. They add up, always."""

    read: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def keep(self) -> None:
        self.read += 1
        self.kept += 1

    def drop(self, reason: str) -> None:
        self.read += 1
        self.dropped[str(reason)] += 1

    def add(self, other: Counts) -> None:
        self.read += other.read
        self.kept += other.kept
        self.dropped.update(other.dropped)

    @property
    def adds_up(self) -> bool:
        return self.read == self.kept + self.dropped.total()

    def to_json(self) -> dict[str, Any]:
        return {"read": self.read, "kept": self.kept, "dropped": dict(sorted(self.dropped.items()))}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Counts:
        return cls(data["read"], data["kept"], Counter(data["dropped"]))


@dataclass(slots=True)
class Tally:
    """What happened to one part: the commit record of the stage contract.

    A part exists when its tally does. `rows` counts the stage's own rows; `units` counts what they
    were found in (records and pages, for the extract stage), by the same rule.
    """

    stage: str
    part: str
    fingerprint: str
    """Digest of the stage version, its recipe section and its inputs: while it fits, the part is current."""
    inputs: list[str] = field(default_factory=list)
    """Names of the parts it was made from, when they are many."""
    rows: Counts = field(default_factory=Counts)
    units: dict[str, Counts] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """What could not be read, in words, with file and offset: a truncated gzip member, say."""
    files: dict[str, str] = field(default_factory=dict)
    """`rows`, `dropped`, `images`, `pages` -> name of the file in the stage's folder."""
    digest: str = ""
    """sha256 of the rows file: what a following stage is fingerprinted with."""
    bytes: int = 0
    """Of all the part's files."""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return {
            "stage": self.stage,
            "part": self.part,
            "fingerprint": self.fingerprint,
            "inputs": self.inputs,
            "rows": self.rows.to_json(),
            "units": {name: counts.to_json() for name, counts in sorted(self.units.items())},
            "problems": self.problems,
            "files": self.files,
            "digest": self.digest,
            "bytes": self.bytes,
            "seconds": self.seconds,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Tally:
        return cls(
            stage=data["stage"],
            part=data["part"],
            fingerprint=data["fingerprint"],
            inputs=data["inputs"],
            rows=Counts.from_json(data["rows"]),
            units={name: Counts.from_json(counts) for name, counts in data["units"].items()},
            problems=data["problems"],
            files=data["files"],
            digest=data["digest"],
            bytes=data["bytes"],
            seconds=data["seconds"],
        )


@dataclass(slots=True)
class Reply:
    """What a server answered to one bounded, polite GET, or why it was not asked.

    `reason` is "" when the body is here; otherwise a reason of the fetch room, and `body` is empty.
    """

    url: str
    reason: str = ""
    retryable: bool = False
    status: int = 0
    final_url: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    rights: list[Evidence] = field(default_factory=list)

    def header(self, name: str) -> str:
        """The first header called `name` (case does not matter), or ""."""
        name = name.lower()
        return next((value for key, value in self.headers if key.lower() == name), "")


class InputError(Exception):
    """Input that a user can mend. One line: the file, the field, what is wrong and the way out.

    The command line prints it and exits with 2.
    """


def in_a_line(error: BaseException) -> str:
    """What happened, for the brackets of an InputError: the first line of an error's text, 200 characters at most, or
    its type where it says nothing."""
    said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return " ".join(said.split())[:200]
