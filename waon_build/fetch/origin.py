"""What an origin says before anything else of it is asked for: its robots.txt and its tdmrep.json.

Read once per origin, kept for a day, shared by all parts of a process. 404 and other client errors mean
that there is no such file; server errors, 429 and silence mean no, for now (RFC 9309, section 2.3.1).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from yarl import URL

from waon_build.fetch.asking import reason_of_asking
from waon_build.records import Evidence
from waon_build.rights import tdmrep
from waon_build.rights.robots_txt import RobotsTxt

REFUSED_BY_ROBOTS_TXT = reason_of_asking(
    "refused_by_robots_txt",
    what="An address that its host's robots.txt disallows for us, or for all.",
    why="The host said so before we asked. Never asked for.",
    source="RFC 9309",
)
REFUSED_BY_TDMREP = reason_of_asking(
    "refused_by_tdmrep",
    what="An address whose rights for text and data mining are reserved: `tdmrep.json` or `tdm-reservation`.",
    why="The reservation that Article 4 of the EU directive 2019/790 asks machines to read.",
    source="W3C TDMRep",
)
REFUSED_BY_CONTENT_USAGE = reason_of_asking(
    "refused_by_content_usage",
    what="An address for which `Content-Usage` (robots.txt or header) disallows AI training.",
    why="It says exactly what we would do.",
    source="IETF AIPREF drafts, contentsignals.org",
)
ROBOTS_UNREACHABLE = reason_of_asking(
    "robots_unreachable",
    what="An address whose host answers for its robots.txt or tdmrep.json with a server error, or not at all.",
    why="What may not be known is not allowed. Asked for again in a later run.",
    source="RFC 9309, section 2.3.1.4",
)

KEPT_FOR: Final = 24 * 3600.0
"""Seconds: what RFC 9309, section 2.4 allows."""
FAILURE_KEPT_FOR: Final = 600.0
_REMEMBERED: Final = 20_000


@dataclass(slots=True)
class OriginRules:
    """The rules of one origin. failure: why its files could not be read, or ""; nothing of it is asked
    for then. retryable: a later run may read them."""

    origin: URL
    robots: RobotsTxt = field(default_factory=RobotsTxt)
    robots_answer: str = ""
    """What the evidence says when robots.txt does not refuse: `allowed`, or `HTTP 404`."""
    reservations: tdmrep.TdmRep = field(default_factory=tdmrep.TdmRep)
    failure: str = ""
    failed_file: str = "/robots.txt"
    retryable: bool = False

    @property
    def robots_url(self) -> str:
        return str(self.origin.with_path("/robots.txt"))

    @property
    def crawl_delay(self) -> float:
        return self.robots.crawl_delay or 0.0

    def decide(self, url: str) -> tuple[str, list[Evidence]]:
        """A reason not to ask for `url`, or "", and the evidence either way."""
        if self.failure:
            signal = "robots_txt" if self.failed_file == "/robots.txt" else "tdmrep"
            return self.failure, [Evidence(signal, str(self.origin.with_path(self.failed_file)), self.failure, True)]
        if not self.robots.allows(url):
            line = self.robots.disallowing_line(url)
            return REFUSED_BY_ROBOTS_TXT, [Evidence("robots_txt", self.robots_url, line, True)]
        evidence = [Evidence("robots_txt", self.robots_url, self.robots_answer, False)]
        disallows, line = self.robots.usage(url)
        if line:
            evidence.append(Evidence("content_usage", self.robots_url, line, disallows))
        rule = self.reservations.decide(url)
        if rule:
            location = str(self.origin.with_path(tdmrep.WELL_KNOWN))
            evidence.append(Evidence("tdmrep", location, rule.text, rule.reserves))
        if disallows:
            return REFUSED_BY_CONTENT_USAGE, evidence
        return (REFUSED_BY_TDMREP if rule and rule.reserves else ""), evidence


class Origins:
    """Rules by origin, for all clients of a process that share it. Thread-safe."""

    def __init__(self) -> None:
        self._rules: dict[URL, tuple[float, OriginRules]] = {}
        self._lock = Lock()

    def get(self, origin: URL) -> OriginRules | None:
        with self._lock:
            expires, rules = self._rules.get(origin, (0.0, None))
        return rules if expires > time.monotonic() else None

    def put(self, rules: OriginRules) -> None:
        kept_for = FAILURE_KEPT_FOR if rules.failure else KEPT_FOR
        with self._lock:
            while len(self._rules) >= _REMEMBERED:
                del self._rules[next(iter(self._rules))]
            self._rules.pop(rules.origin, None)
            self._rules[rules.origin] = (time.monotonic() + kept_for, rules)
