"""What the API says of itself: the operations of `api.py` as FastAPI routes, with all that they take and give.

The answers are described by the questions of the campaign, so that the description is as strict as the check.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from waon_build.annotation.questions import Question, Questions
from waon_build.annotation.web import api, messages

MEANINGS = {
    400: "The request cannot be read.",
    401: "Nobody is signed in.",
    403: "It was not made by a page of ours.",
    404: "There is no such task.",
    409: "The queue refuses, by name.",
    413: "It is too large.",
    415: "It is not JSON.",
    421: "It was meant for another host.",
    422: "It is not what is asked for, or an answer is wrong: `field` says which.",
    429: "Too many requests: try again after `Retry-After` seconds.",
    503: "The server is busy: try again after `Retry-After` seconds.",
}
_EVERYWHERE = (400, 401, 421, 429, 503)
_TAKES_BODY = (403, 413, 415, 422)


class _Operation(NamedTuple):
    name: str
    handler: Any
    takes: type[BaseModel] | None
    gives: type[BaseModel]
    refuses: tuple[int, ...] = ()


_OPERATIONS = (
    _Operation("claim", api.claim, messages.Nothing, messages.Held),
    _Operation("submit", api.submit, messages.Submit, messages.Submitted, (404, 409)),
    _Operation("skip", api.skip, messages.Skip, messages.Held, (404, 409)),
    _Operation("report", api.report, messages.Report, messages.Held, (404, 409)),
    _Operation("renew", api.renew, messages.Renew, messages.Renewals),
    _Operation("release", api.release, messages.Release, messages.Done),
    _Operation("undo", api.undo, messages.Undo, messages.Held, (409,)),
    _Operation("correct", api.correct, messages.Correct, messages.Corrected, (404, 409)),
    _Operation("recent", api.recent, None, messages.Recent),
)

HANDLERS = {("POST" if one.takes else "GET", f"/api/{one.name}"): one.handler for one in _OPERATIONS}
"""(method, path) -> what answers there."""


def routes(questions: Questions, harms: Iterable[str], versions: Iterable[str]) -> APIRouter:
    """The API of a campaign."""
    closer = {
        "answers": answers_schema(questions),
        "kind": {"enum": sorted(harms)},
        "guideline_version": {"enum": sorted(versions)},
    }
    router = APIRouter(prefix="/api")
    for one in _OPERATIONS:
        refuses = sorted({*_EVERYWHERE, *(_TAKES_BODY if one.takes else ()), *one.refuses})
        router.add_api_route(
            f"/{one.name}",
            one.handler,
            methods=["POST" if one.takes else "GET"],
            operation_id=one.name,
            summary=one.handler.__doc__,
            response_model=None,
            responses={
                200: {"model": one.gives},
                **{status: {"model": messages.Problem, "description": MEANINGS[status]} for status in refuses},
            },
            openapi_extra=_extra(one.takes, closer),
        )
    return router


def described(app: FastAPI, cookie: str) -> dict[str, Any]:
    """What the API says of itself. cookie: in which the session is shown."""
    schemes = {"session": {"type": "apiKey", "in": "cookie", "name": cookie}}
    found = app.openapi()
    return {**found, "components": {**found["components"], "securitySchemes": schemes}}


def answers_schema(questions: Questions) -> dict[str, Any]:
    """What the answers to these questions look like, as JSON Schema. Which are asked of whom, and which must be
    answered then, it does not say."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [one.name for one in questions.questions if one.required and not one.only_if],
        "properties": {one.name: _answer_schema(one) for one in questions.questions},
    }


def _answer_schema(question: Question) -> dict[str, Any]:
    words = [option.value for option in question.options]
    kinds: dict[str, dict[str, Any]] = {
        "scale": {"enum": [int(word) if word.isdecimal() else word for word in words]},
        "choice": {"enum": words},
        "flags": {"type": "array", "items": {"enum": words}},
        "text": {"type": "string", "maxLength": question.max_characters},
        "consent": {"type": "boolean"},
    }
    return {**kinds[question.kind], "description": question.ask}


def _extra(takes: type[BaseModel] | None, closer: dict[str, dict[str, Any]]) -> dict[str, Any]:
    signed_in: dict[str, Any] = {"security": [{"session": []}]}
    if takes is None:
        return signed_in
    schema = takes.model_json_schema()
    for name, more in closer.items():
        if name in schema["properties"]:
            schema["properties"][name] = {**schema["properties"][name], **more}
    lease = schema.pop("$defs", {}).get("Lease")
    if lease:
        schema["properties"]["held"]["items"] = lease
    token = {"name": "X-CSRF-Token", "in": "header", "required": True, "schema": {"type": "string"}}
    return {
        **signed_in,
        "parameters": [{**token, "description": "Of the page: `<meta name=csrf-token>`."}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
    }
