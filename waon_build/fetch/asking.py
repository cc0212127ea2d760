"""Why an address brought nothing: the same words whether an image (`fetch`) or a page (`crawl`) was asked for, or
either was asked again (`recheck`)."""

from __future__ import annotations

from waon_build.records import Reason


def reason_of_asking(word: str, *, what: str, why: str, setting: str = "", source: str = "waon_build") -> Reason:
    """A reason of all stages that ask the web. See `records.Reason` for the fields."""
    for stage in ("crawl", "recheck"):
        Reason(word, stage=stage, what=what, why=why, setting=setting, source=source)
    return Reason(word, stage="fetch", what=what, why=why, setting=setting, source=source)
