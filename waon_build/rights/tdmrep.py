"""TDMRep: may a text and data miner use this? One file per origin, one header, one meta element.

Source: W3C TDM Reservation Protocol. The most specific statement counts: the meta element of a page
over the header of its response over `/.well-known/tdmrep.json` of its origin, and silence resets
nothing. The file is read before anything is asked for, so what it reserves is never asked for, even
where a header would have released it.

Fails closed: a reservation that is not `0` is one; a file that looks like JSON and cannot be read
reserves all. A file that does not (a web page, from servers that answer everything) says nothing.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from waon_build.rights.pattern import Pattern, path_of

WELL_KNOWN = "/.well-known/tdmrep.json"
MAX_BYTES = 1_000_000


class Rule(NamedTuple):
    """location: pattern of the path. reserves: whether it keeps the rights. text: as written."""

    location: Pattern
    reserves: bool
    text: str


class TdmRep:
    """The rules of one `tdmrep.json`, in its order: the first that matches decides."""

    def __init__(self, body: bytes = b"") -> None:
        body = body.removeprefix(b"\xef\xbb\xbf").strip()
        self.rules: list[Rule] = _rules(body) if body[:1] in (b"[", b"{") else []

    def decide(self, url: str) -> Rule | None:
        """The rule for `url`, or None when none matches."""
        path = path_of(url)
        return next((rule for rule in self.rules if rule.location.matches(path)), None)


def reserved(value: object) -> bool:
    """Whether a `tdm-reservation` value reserves the rights: all but `0` do."""
    return isinstance(value, bool) or str(value).strip().strip("\"'") != "0"


def _rules(body: bytes) -> list[Rule]:
    try:
        # Through text once more: JSON's escapes may spell half a character, which no table can hold.
        data = json.loads(json.dumps(json.loads(body[:MAX_BYTES]), ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return [Rule(Pattern("/"), True, "tdmrep.json cannot be read")]
    return [_rule(entry) for entry in (data if isinstance(data, list) else [data])]


def _rule(entry: object) -> Rule:
    text = json.dumps(entry, ensure_ascii=False)[:500]
    if not isinstance(entry, dict) or not isinstance(entry.get("location"), str):
        return Rule(Pattern("/"), True, text)
    location = entry["location"].strip()
    if re.match(r"https?://", location, re.IGNORECASE):
        location = "/" + location.split("/", 3)[3] if location.count("/") > 2 else "/"
    if not location.startswith(("/", "*")):
        location = f"/{location}"
    return Rule(Pattern(location), reserved(entry.get("tdm-reservation", 1)), text)
