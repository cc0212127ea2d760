"""May we? What a page, an image or its site says about being copied and learned from, as evidence.

Nothing here asks the network: the fetch room does, and brings what it got. The rules that a statement
is read by stand in the module named for it; all fail closed, and each says what that means.
"""

from __future__ import annotations

from collections.abc import Sequence

from waon_build.records import Evidence
from waon_build.rights import content_usage, robots_tag, tdmrep
from waon_build.rights.agent import addresses_us
from waon_build.rights.licence import licence_url

__all__ = ["licence_url", "statements"]

MOST = 20
"""Statements of one response that are kept. No author makes as many; who writes thousands means harm."""


def statements(url: str, headers: Sequence[tuple[str, str]], metas: Sequence[tuple[str, str]] = ()) -> list[Evidence]:
    """What a response says of its own use, each statement with whether it refuses us.

    url: of the page or image. headers: of the response, (name, value). metas: (name, content) of the
    `<meta>` elements of a page. Of TDMRep, the meta element overrules the header. What is said twice is one
    statement, and of each kind, those that refuse and those that do not, the first MOST are kept as evidence:
    a page repeats it with every image.
    """
    found = []
    reservations = [content for name, content in metas if name.strip().lower() == "tdm-reservation"]
    for name, value in headers:
        match name.strip().lower():
            case "x-robots-tag":
                found.append(_evidence("x_robots_tag", url, value, robots_tag.header_refuses(value)))
            case "tdm-reservation":
                refuses = tdmrep.reserved(value) and not reservations
                found.append(_evidence("tdm_reservation", url, value, refuses))
            case "content-usage" | "content-signal":
                found.append(_evidence("content_usage", url, value, content_usage.disallows(value)))
    for name, content in metas:
        match name.strip().lower():
            case "tdm-reservation":
                found.append(_evidence("tdm_reservation", url, content, tdmrep.reserved(content)))
            case agent if addresses_us(agent):
                found.append(_evidence("robots_meta", url, content, robots_tag.meta_refuses(name, content)))
    distinct = list(dict.fromkeys(found))
    if len(distinct) <= MOST:
        return distinct
    kept = [[said for said in distinct if said.refuses is refuses][:MOST] for refuses in (True, False)]
    return [*kept[0], *kept[1]]


def _evidence(signal: str, url: str, value: str, refuses: bool) -> Evidence:
    return Evidence(signal, url, value.strip()[:500], refuses)
