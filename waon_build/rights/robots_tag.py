"""X-Robots-Tag headers and robots meta elements: does one of their rules refuse us?

A header holds comma-separated rules. A rule may carry a value (`max-image-preview:large`), and a
user agent before a rule (`otherbot: noindex`) addresses it and those after it. Source: Google's robots
meta specification, which is the only one there is, and MDN. What img2dataset reads past
(`max-snippet:50, noimageai`) is read here.

Fails closed: a refusing word is heard behind any punctuation (`noindex; noai`, `noindex noai`,
`"noai"`) and behind a value (`max-snippet:50 noai`), and what cannot be an agent (`03 Dec 2025 13:09`)
addresses nobody else.
"""

from __future__ import annotations

import re

from waon_build.rights.agent import addresses_us

REFUSING = frozenset({"none", "noai", "noimageai", "noml", "noindex", "noimageindex"})

_WITH_VALUE = frozenset({"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"})
_WORD = re.compile(r"[a-z0-9_-]+")
_AGENT = re.compile(r"[a-z*][a-z0-9._*/-]*")


def header_refuses(value: str) -> bool:
    """Whether one X-Robots-Tag header refuses us."""
    return any(REFUSING & words for words in _rules(value, agents=True))


def meta_refuses(name: str, content: str) -> bool:
    """Whether one `<meta name=... content=...>` is a robots statement that refuses us."""
    return addresses_us(name) and any(REFUSING & words for words in _rules(content, agents=False))


def meta_forbids_following(name: str, content: str) -> bool:
    """Whether one `<meta>` asks us not to follow the links of its page."""
    return addresses_us(name) and any(words & {"nofollow", "none"} for words in _rules(content, agents=False))


def header_forbids_following(value: str) -> bool:
    """Whether one X-Robots-Tag header asks us not to follow the links of its page."""
    return any(words & {"nofollow", "none"} for words in _rules(value, agents=True))


def _rules(text: str, *, agents: bool) -> list[set[str]]:
    """The words of each rule that is for us."""
    rules = []
    for_us = True
    for piece in re.split(r"[,;\r\n]", text.lower()):
        name, colon, value = piece.partition(":")
        name = name.strip(" \t\"'")
        while colon and agents and name not in _WITH_VALUE | REFUSING and _AGENT.fullmatch(name):
            for_us = addresses_us(name)
            piece = value
            name, colon, value = value.partition(":")
            name = name.strip(" \t\"'")
        words = _WORD.findall(value if name in _WITH_VALUE else piece)
        if name in _WITH_VALUE and words[:1] == ["none"]:  # a preview of none is a value; behind one it is a rule
            del words[0]
        if for_us:
            rules.append(set(words))
    return rules
