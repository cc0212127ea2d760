"""robots.txt: may we ask for this path, and may we learn from what lies there?

Source: RFC 9309; for the `Content-Usage` rule draft-ietf-aipref-attach; for `Content-Signal`
contentsignals.org. Protego decides what is allowed. The group that is ours is chosen here, before it
parses: N agents over M rules are N times M rules to it, and half a megabyte of that fills a machine.

Fails closed: a rule before any group is for everyone, a usage rule without a path for every path, and a
rule cut off by the size limit is not read as a shorter one. What is no rule (a web page, say) says nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from protego import Protego

from waon_build.rights import content_usage
from waon_build.rights.agent import AGENT
from waon_build.rights.pattern import Pattern, path_of

MAX_BYTES = 500 * 1024
"""Read of a robots.txt: what RFC 9309, section 2.5 asks for at least."""

_AGENT_LINE = re.compile(r"user[- ]?agent\s*[:\s](.*)", re.IGNORECASE)
_USAGE_LINES = frozenset({"content-usage", "content-signal"})
_CANNOT_ALLOW = frozenset({"disallow", "crawl-delay", *_USAGE_LINES})
_GROUPLESS = frozenset({"sitemap", "sitemaps", "site-map", "host"})


@dataclass(slots=True)
class _Group:
    agents: set[str] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)


class _Usage(NamedTuple):
    path: Pattern
    disallows: bool
    line: str


class RobotsTxt:
    """What one robots.txt says to us. body: as served; at most `MAX_BYTES` of it are read."""

    def __init__(self, body: bytes = b"") -> None:
        text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
        lines = re.split(r"\r\n|\r|\n", text)
        if len(body) > MAX_BYTES:
            lines = re.split(r"\r\n|\r|\n", body[:MAX_BYTES].decode("utf-8", "replace"))[:-1]
        rules, self.sitemaps = _ours(lines)
        self._rules = Protego.parse("\n".join(["User-agent: *", *rules]))
        parsed = [_parsed(line) for line in rules]
        self._disallowed = [(Pattern(value), line) for name, value, line in parsed if name == "disallow" and value]
        self._usages = [_usage(value, line) for name, value, line in parsed if name in _USAGE_LINES]
        forbidden = any(name == "disallow" and value in ("/", "/*") for name, value, _ in parsed)
        self.forbids_all: bool = forbidden and all(name in _CANNOT_ALLOW for name, _, line in parsed if line)
        """Whether nothing of the site may be asked for; False where a line might allow something after all."""
        self.crawl_delay: float | None = self._rules.crawl_delay(AGENT)
        """Seconds asked for between two requests."""

    def allows(self, url: str) -> bool:
        """Whether `url` may be asked for."""
        return bool(self._rules.can_fetch(url, AGENT))

    def disallowing_line(self, url: str) -> str:
        """The line that disallows `url`, as written: the longest that matches, as RFC 9309 weighs them."""
        path = path_of(url)
        matching = [(len(pattern.text), line) for pattern, line in self._disallowed if pattern.matches(path)]
        return max(matching)[1] if matching else "Disallow"

    def usage(self, url: str) -> tuple[bool, str]:
        """Whether the usage rules of robots.txt disallow training on `url`, and the line that decides
        ("" when none applies). The longest path counts; of two equally long, the restrictive one."""
        path = path_of(url)
        matching = [
            (len(rule.path.text), rule.disallows, rule.line) for rule in self._usages if rule.path.matches(path)
        ]
        _, disallows, line = max(matching, default=(0, False, ""))
        return disallows, line


def _ours(lines: list[str]) -> tuple[list[str], list[str]]:
    """The rules of the groups that are for us, or for all when none is, and the sitemaps."""
    groups = [_Group({"*", AGENT})]
    sitemaps = []
    naming = False
    for line in lines:
        line = line.partition("#")[0]
        name, value, _ = _parsed(line)
        if agent := _AGENT_LINE.match(line.strip()):
            if not naming:
                groups.append(_Group())
            naming = True
            groups[-1].agents.add(_product(agent[1]))
        elif name in _GROUPLESS:
            if name != "host" and value:
                sitemaps.append(value)
        elif line.strip():
            naming = False
            groups[-1].lines.append(line)
    mine = AGENT if any(AGENT in group.agents for group in groups[1:]) else "*"
    return [line for group in groups if mine in group.agents for line in group.lines], sitemaps


def _product(value: str) -> str:
    """The product token of a user-agent line: `Waon-Build/1.0 (x)` is `waon-build`."""
    match = re.match(r"\*|[a-z_-]+", value.strip().lower())
    return match[0] if match else ""


def _parsed(line: str) -> tuple[str, str, str]:
    """Name, value and the line itself, at most 500 characters of it."""
    name, colon, value = line.partition(":")
    return (name.strip().lower(), value.strip(), line.strip()[:500]) if colon else ("", "", line)


def _usage(value: str, line: str) -> _Usage:
    path, expression = "/", value
    if value.startswith("/"):
        path, *rest = value.split(maxsplit=1)
        expression = " ".join(rest)
    return _Usage(Pattern(path), content_usage.disallows(expression), line)
