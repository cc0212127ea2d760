"""AIPREF: does a `Content-Usage` expression disallow training?

Source: draft-ietf-aipref-vocab and draft-ietf-aipref-attach. An expression is a structured-field
dictionary (`train-ai=n, search=y`). Earlier drafts named the category differently, and Cloudflare's
`Content-Signal` says the same with `ai-train=no`: all are heard.

Fails closed where the draft would call a preference unknown: any value of a training category but
`y` or `yes`, in any case, disallows; of two that differ, the restrictive one counts; and what is not
a dictionary disallows when it names a training category at all.
"""

from __future__ import annotations

import re

TRAINING = frozenset({"train-ai", "train-genai", "ai-train", "ai", "genai", "tdm", "bots"})
"""Labels of the category we fall under, or one that holds it: the drafts' over time, and Content-Signal's."""

_MEMBER = re.compile(r"\s*([a-z*][a-z0-9_.*-]*)\s*(?:=\s*(\"[^\"]*\"|[^\s,;=\"]*))?\s*((?:;[^,]*)?)", re.IGNORECASE)
_ALLOWED = frozenset({"y", "yes"})


def disallows(expression: str) -> bool:
    """Whether one usage expression disallows training."""
    refused = False
    for member in expression.split(","):
        match = _MEMBER.fullmatch(member)
        if match is None:
            names = set(re.findall(r"[a-z][a-z-]*", member.lower()))
            refused |= bool(names & TRAINING)
        elif match[1].lower() in TRAINING:
            refused |= (match[2] or "").strip('"').lower() not in _ALLOWED
    return refused
