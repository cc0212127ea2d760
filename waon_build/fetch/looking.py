"""Whether an image is still there and may still be kept: its headers, and nothing of its body.

A HEAD request is the cheapest question, and some servers answer it wrongly: with 403, 404, 405 or 501, or by
hanging up. Good news and refusals are believed; bad news is not, before a GET of the first byte says the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from waon_build.fetch.status import meaning
from waon_build.fetch.transfer import ANSWER_MALFORMED, CONNECTION_FAILED
from waon_build.records import Reply

_IT_IS_BUSY: Final = frozenset({408, 429, 502, 503, 504})
"""What a second request would only make worse."""
_PART_OF_IT: Final = frozenset({206, 416})
"""Answers to a range: the byte, or that the file has none."""


class Looks(Protocol):
    """What is needed of `client.Client`."""

    async def get(
        self, url: str, *, kind: str = ..., max_bytes: int | None = ..., withdrawn: Callable[[str], bool] = ...
    ) -> Reply: ...


async def look(client: Looks, url: str, withdrawn: Callable[[str], bool]) -> Reply:
    """What `url` answers today, without its body; `reason` is "" when it is there and nobody objects."""
    reply = await client.get(url, kind="head", max_bytes=0, withdrawn=withdrawn)
    is_bad_news = reply.status >= 400 and reply.status not in _IT_IS_BUSY
    if is_bad_news or reply.reason in (ANSWER_MALFORMED, CONNECTION_FAILED):
        reply = await client.get(url, kind="first_byte", max_bytes=0, withdrawn=withdrawn)
        if reply.status in _PART_OF_IT and reply.reason == meaning(reply.status)[0]:  # and no refusal came with it
            reply.reason, reply.retryable = "", False
    return reply
