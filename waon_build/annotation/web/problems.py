"""What goes wrong, as answers: a status, a word for programs, and a text in the language of the page."""

from __future__ import annotations

from waon_build.annotation.refusals import NotActive, Refusal, UnknownAnnotator, UnknownTask


class Stop(Exception):  # noqa: N818 - an answer, as the queue's refusals are
    """A request is not granted. word: of the catalogue, `error.WORD`. field: the question that was answered
    wrongly, or what of the request is wrong. after: seconds until it may be tried again."""

    def __init__(self, status: int, word: str, field: str | None = None, after: float | None = None) -> None:
        super().__init__(word)
        self.status, self.word, self.field, self.after = status, word, field, after


def signed_out() -> Stop:
    return Stop(401, "signed_out")


def not_found() -> Stop:
    return Stop(404, "not_found")


def of_refusal(refusal: Refusal) -> Stop:
    """What the queue's refusal is on the web."""
    status = {UnknownAnnotator: 401, UnknownTask: 404}.get(type(refusal), 409)
    word = {UnknownAnnotator: "signed_out", UnknownTask: "not_found", NotActive: "not_active"}.get(type(refusal))
    return Stop(status, word or refusal.word)


WORDS = {
    400: "wrong_request",
    401: "signed_out",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "wrong_content_type",
    429: "too_many_requests",
}
"""What a status is called that the framework gives by itself."""
