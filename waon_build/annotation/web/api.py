"""The JSON API of the judging page: claim, submit, skip, report, hold on, take back, correct.

An answer and the claim of the next task are one request, one turn of the writer, and two calls of the queue.
Handlers read the body themselves and answer with bytes: it is the path that every judgement takes. That what
is said of a task does not depend on its kind is what keeps gold tasks and twins hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from waon_build.annotation import people, queue
from waon_build.annotation.models import Standing
from waon_build.annotation.people import Person
from waon_build.annotation.questions import AnswerError, Answers
from waon_build.annotation.queue import Leased
from waon_build.annotation.refusals import LeaseLost, NotActive, TooLateToUndo, UnknownTask
from waon_build.annotation.standing import NOT_QUALIFIED
from waon_build.annotation.web import messages
from waon_build.annotation.web.campaign import Campaign, Names, utc_now
from waon_build.annotation.web.opaque import Opaque
from waon_build.annotation.web.problems import Stop

Body = TypeVar("Body", bound=BaseModel)


async def claim(request: Request) -> Response:
    """The tasks that the person holds, held on, and new ones."""
    campaign, session, _ = await _asked(request, messages.Nothing)
    return _reply(await campaign.write(session, partial(_held, campaign)))


async def submit(request: Request) -> Response:
    """Take an answer, and give the next task. The same answer sent again is taken once."""
    campaign, session, body = await _asked(request, messages.Submit)
    answers = _answers(campaign, body.answers, body.guideline_version)
    how = queue.How(device=body.device, active_ms=body.active_ms, wall_ms=body.wall_ms)

    def turn(connection: Connection, person: Person) -> messages.Submitted:
        names = campaign.names(person.id)
        task_id = _found(names.tasks, body.task_id)
        number = queue.submit(connection, person.id, task_id, body.token, answers, utc_now(), how)
        held = _held(campaign, connection, person, (number, body.active_ms or 0))
        return messages.Submitted.model_construct(**held.__dict__, annotation_id=names.annotations.hide(number))

    return _reply(await campaign.write(session, turn))


async def skip(request: Request) -> Response:
    """Pass a task on to others. It counts against nobody."""
    campaign, session, body = await _asked(request, messages.Skip)

    def turn(connection: Connection, person: Person) -> messages.Held:
        task_id = _found(campaign.names(person.id).tasks, body.task_id)
        queue.skip(connection, person.id, task_id, body.token, body.reason, _text(body.note), utc_now())
        return _held(campaign, connection, person)

    return _reply(await campaign.write(session, turn))


async def report(request: Request) -> Response:
    """Say that a picture harms: nobody is shown it any more."""
    campaign, session, body = await _asked(request, messages.Report)
    if body.kind not in campaign.harms:
        raise Stop(422, "wrong_request", "kind")

    def turn(connection: Connection, person: Person) -> messages.Held:
        campaign.count_change(person)
        task_id = _found(campaign.names(person.id).tasks, body.task_id)
        queue.report(connection, person.id, task_id, body.token, body.kind, _text(body.note), utc_now())
        return _held(campaign, connection, person)

    return _reply(await campaign.write(session, turn))


async def renew(request: Request) -> Response:
    """Hold tasks on; tells of those that are lost why they are."""
    campaign, session, body = await _asked(request, messages.Renew)

    def turn(connection: Connection, person: Person) -> messages.Renewals:
        names = campaign.names(person.id)
        tokens = [one.token for one in body.held]
        if person.standing != Standing.ACTIVE:  # else they could keep what they hold for as long as they like
            return messages.Renewals(
                held=[], gone=[messages.Gone(task_id=one.task_id, error=NotActive.word) for one in body.held]
            )
        held, lost = queue.renew(connection, person.id, tokens, utc_now(), campaign.settings.lease_minutes)
        gone = []
        for one in body.held:
            if one.token in lost:
                task_id = names.tasks.find(one.task_id)
                word = queue.why_not(connection, task_id).word if task_id else LeaseLost.word
                gone.append(messages.Gone(task_id=one.task_id, error=word))
        renewed = [messages.Renewed(task_id=names.tasks.hide(one.task_id), expires_at=one.expires_at) for one in held]
        return messages.Renewals(held=renewed, gone=gone)

    return _reply(await campaign.write(session, turn))


async def release(request: Request) -> Response:
    """Give tasks back before their time."""
    campaign, session, body = await _asked(request, messages.Release)

    def turn(connection: Connection, person: Person) -> messages.Done:
        queue.release(connection, person.id, body.tokens, utc_now())
        return messages.Done()

    return _reply(await campaign.write(session, turn))


async def undo(request: Request) -> Response:
    """Take one of one's last answers back: its task is the first of those that are held."""
    campaign, session, body = await _asked(request, messages.Undo)

    def turn(connection: Connection, person: Person) -> messages.Held:
        campaign.count_change(person)
        number = campaign.names(person.id).annotations.find(body.annotation_id)
        if number is None:
            raise TooLateToUndo("there is no such answer")
        queue.undo(connection, person.id, number, utc_now(), campaign.settings.lease_minutes)
        campaign.counts.forget(person.id)
        return _held(campaign, connection, person)

    return _reply(await campaign.write(session, turn))


async def correct(request: Request) -> Response:
    """Put new answers over one of one's last."""
    campaign, session, body = await _asked(request, messages.Correct)
    answers = _answers(campaign, body.answers, body.guideline_version)

    def turn(connection: Connection, person: Person) -> messages.Corrected:
        campaign.count_change(person)
        names = campaign.names(person.id)
        task_id = _found(names.tasks, body.task_id)
        if all(one.task.task_id != task_id for one in queue.recent(connection, person.id)):
            raise TooLateToUndo("it is not one of the last answers")
        number = queue.correct(connection, person.id, task_id, answers, utc_now(), queue.How())
        campaign.counts.forget(person.id)
        return messages.Corrected(annotation_id=names.annotations.hide(number))

    return _reply(await campaign.write(session, turn))


async def recent(request: Request) -> Response:
    """One's own last answers, the newest first."""
    campaign: Campaign = request.app.state.campaign

    def reading(connection: Connection, person: Person) -> messages.Recent:
        names = campaign.names(person.id)
        return messages.Recent(
            answers=[
                messages.RecentAnswer(
                    annotation_id=names.annotations.hide(one.annotation_id),
                    task_id=(number := names.tasks.hide(one.task.task_id)),
                    caption=one.task.caption,
                    picture=_picture(number),
                    answers=one.answers,
                    created_at=one.created_at,
                    can_undo=one.can_undo,
                )
                for one in queue.recent(connection, person.id)
            ]
        )

    return _reply(await campaign.read(campaign.session(request), reading))


async def _asked(request: Request, kind: type[Body]) -> tuple[Campaign, str, Body]:
    """The session of a request and what it says, checked as far as that goes without the database."""
    campaign: Campaign = request.app.state.campaign
    session = campaign.session(request)
    campaign.require_csrf(session, request.headers.get("x-csrf-token", ""))
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Stop(415, "wrong_content_type")
    try:
        return campaign, session, kind.model_validate_json(await request.body())
    except ValidationError as error:
        where = error.errors(include_input=False, include_url=False, include_context=False)[0]["loc"]
        raise Stop(422, "wrong_request", str(where[0])[:80] if where else None) from error


def _held(
    campaign: Campaign, connection: Connection, person: Person, answered: tuple[int, int] | None = None
) -> messages.Held:
    """All that somebody holds, topped up. answered: id of an annotation just made, and its milliseconds."""
    now = utc_now()
    names = campaign.names(person.id)
    try:
        leased = queue.claim(connection, person.id, now, campaign.plan(connection))
    except NotActive:
        leased = []
    if answered is not None:
        campaign.counts.add(person.id, *answered)
    counted = campaign.counts.of(connection, person.id, now)
    return messages.Held.model_construct(
        tasks=[_task(one, names) for one in leased],
        why_empty=None if leased else _why_empty(connection, person),
        counts=messages.Counts.model_construct(
            today=counted.today, total=counted.total, active_minutes_today=round(counted.active_ms / 60_000, 1)
        ),
    )


def _task(leased: Leased, names: Names) -> messages.Task:
    number = names.tasks.hide(leased.task.task_id)
    return messages.Task.model_construct(
        task_id=number,
        token=leased.token,
        expires_at=leased.expires_at,
        caption=leased.task.caption,
        picture=_picture(number),
        width=leased.task.width,
        height=leased.task.height,
        opinions=list(leased.opinions) or None,
        answers=leased.answers,
    )


def _why_empty(connection: Connection, person: Person) -> messages.WhyEmpty:
    now = people.person(connection, person.id) or person
    if now.standing == Standing.ACTIVE:
        return "nothing_left"
    if now.because == NOT_QUALIFIED:
        return "not_qualified"
    return "blocked" if now.standing == Standing.BLOCKED else "paused"


def _picture(number: int) -> str:
    return f"/pictures/{number}"


def _answers(campaign: Campaign, given: Mapping[str, Any], version: str) -> Answers:
    if not campaign.knows_version(version):
        raise Stop(422, "wrong_request", "guideline_version")
    try:
        return campaign.questions.answers(given, version)
    except AnswerError as error:
        raise Stop(422, "wrong_answers", error.field) from error


def _found(names: Opaque, number: int) -> int:
    task_id = names.find(number)
    if task_id is None:
        raise UnknownTask("there is no such task")
    return task_id


def _text(note: str) -> str:
    """What every database can hold."""
    return note.replace("\0", "").strip()


def _reply(message: BaseModel) -> Response:
    return Response(message.model_dump_json(exclude_none=True), media_type="application/json")
