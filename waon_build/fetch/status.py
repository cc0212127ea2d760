"""What an HTTP status means: a body, or a reason, and whether and when to ask again.

Source: RFC 9110, section 15; RFC 6585 for 429.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from waon_build.fetch.asking import reason_of_asking
from waon_build.fetch.transfer import TIMED_OUT

NOT_FOUND = reason_of_asking(
    "not_found", what="An address that is gone (404, 410).", why="Link rot: there is nothing there."
)
HTTP_CLIENT_ERROR = reason_of_asking(
    "http_client_error",
    what="An answer 4xx but 404, 408, 410 and 429, such as 401, 403 and 451.",
    why="The host does not want to give it to us.",
)
HTTP_SERVER_ERROR = reason_of_asking(
    "http_server_error", what="An answer 5xx.", why="The host has a problem. Asked for again, but for a 501."
)
TOO_MANY_REQUESTS = reason_of_asking(
    "too_many_requests",
    what="An answer 429, still after the pause it asks for, or one that asks for a pause longer than a run waits.",
    why="The host has had enough of us. Asked for again in a later run.",
    setting="fetch.per_host_rate",
)
UNEXPECTED_STATUS = reason_of_asking(
    "unexpected_status",
    what="An answer that is neither 200, 203, an error nor a redirect with an address.",
    why="It brings nothing that was asked for.",
)


def meaning(status: int) -> tuple[str, bool]:
    """The reason that `status` is no answer, "" when it is one, and whether a later try may succeed."""
    match status:
        case 200 | 203:
            return "", False
        case 404 | 410:
            return NOT_FOUND, False
        case 408:
            return TIMED_OUT, True
        case 429:
            return TOO_MANY_REQUESTS, True
        case _ if 400 <= status < 500:
            return HTTP_CLIENT_ERROR, False
        case 501:  # it never will (RFC 9110, section 15.6.2)
            return HTTP_SERVER_ERROR, False
        case _ if status >= 500:
            return HTTP_SERVER_ERROR, True
    return UNEXPECTED_STATUS, False


def retry_after(value: str) -> float:
    """Seconds that a `Retry-After` header asks for, as a number or a date; 0 when it says neither."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
