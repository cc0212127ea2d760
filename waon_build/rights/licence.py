"""Which licence does a page link to? Only a finding of what is declared; never a judgement."""

from __future__ import annotations

import re
from collections.abc import Iterable

_KNOWN = re.compile(
    r"(?:https?:)?//(?:[a-z0-9-]+\.)?(?:"
    r"creativecommons\.org/(?:licenses|publicdomain)/"
    r"|opendatacommons\.org/licenses/"
    r"|data\.gov\.jp/.*terms"
    r"|digital\.go\.jp/.*(?:public_data_license|terms)"
    r"|rightsstatements\.org/(?:vocab|page)/"
    r"|artlibre\.org/"
    r"|gnu\.org/(?:licenses|copyleft)/fdl"
    r")",
    re.IGNORECASE,
)
_STRIPPED = " \t\r\n\f"


def licence_url(links: Iterable[tuple[str, str]]) -> str:
    """The licence that a page's links declare, or "". links: (rel, href) pairs in document order.

    The first `rel="license"` counts; otherwise the first link to a known licence (Creative Commons,
    Open Data Commons, RightsStatements.org, Japan's public data terms, Free Art, GNU FDL).
    """
    known = ""
    for rel, href in links:
        href = href.strip(_STRIPPED)
        if not href or href.startswith(("#", "javascript:", "mailto:")):
            continue
        if "license" in rel.lower().split():
            return href
        if not known and _KNOWN.match(href):
            known = href
    return known
