"""From what a trigger delivers to the flow that handles it.

Each flow is imported when its trigger fires: the functions share a code base, not their imports.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from chalice.app import CloudWatchEvent, Request, Response, SNSEvent

from shared.settings import SettingError
from shared.telemetry import count, logger

from . import context

if TYPE_CHECKING:
    from shared.wire.messages import Message

_PROBLEM: Final = "The approval service has a problem; its log says which."


class WrongTopicError(RuntimeError):
    """A message arrived on a topic where messages of its type have no place."""


def button_click(request: Request | None, lambda_context: Any) -> Response:
    """Answer Slack's POST; what cannot be stored is answered with 503, which shows the clicker a warning sign.

    Chalice would answer an error with 500, and neither Lambda's count of errors nor an alarm would show it.
    """
    from . import click

    assert request is not None  # noqa: S101 - Chalice sets it before it calls a route
    try:
        run = context.begin(lambda_context, fail_fast=True)
        answer = click.answer(run, request.headers, _body_of(request))
    except (SettingError, ClientError, BotoCoreError) as error:
        count("ClicksFailed")
        logger.error("click failed", extra={"problem": f"{type(error).__name__}: {error}"})
        answer = click.Answer(status=503, body=_PROBLEM)
    except Exception as error:  # noqa: BLE001 - whatever it is: operators hear of it, and the caller learns nothing
        count("ClicksFailed")
        logger.exception("click failed", extra={"problem": f"{type(error).__name__}: {error}"})
        answer = click.Answer(status=503, body=_PROBLEM)
    return Response(body=answer.body, status_code=answer.status, headers={"Content-Type": "text/plain"})


def _body_of(request: Request) -> bytes:
    """Return the raw body; one that is no bytes at all (damaged base64, half a character) counts as empty."""
    try:
        body = request.raw_body
    except ValueError:
        return b""
    return body.encode() if isinstance(body, str) else body


def security_group_change(event: SNSEvent) -> None:
    """Store and post what member accounts file; take in and tell what they applied."""
    from shared.wire.messages import AppliedMessage, RequestMessage

    run = context.begin(event.context)
    for message in _messages(event):
        match message:
            case RequestMessage():
                from . import intake

                intake.store(run, message.request)
            case AppliedMessage():
                from . import outcome

                outcome.applied(run, message)
            case _:
                raise _wrong_topic(message)


def deny_security_group_change(event: SNSEvent) -> None:
    """Tell that requests were denied, or found expired at a click."""
    from shared.wire.messages import DenyMessage

    from . import outcome

    run = context.begin(event.context)
    for message in _messages(event):
        if not isinstance(message, DenyMessage):
            raise _wrong_topic(message)
        outcome.ended(run, message)


def error_handler_security_group_change(event: SNSEvent) -> None:
    """Take in and tell what could not be applied."""
    from shared.wire.messages import ErrorMessage

    from . import outcome

    run = context.begin(event.context)
    for message in _messages(event):
        if not isinstance(message, ErrorMessage):
            raise _wrong_topic(message)
        outcome.failed(run, message)


def sweep_requests(event: CloudWatchEvent) -> None:
    """Pay overdue debts, remind, expire."""
    from . import sweep

    run = context.begin(event.context, message_seconds=sweep.MESSAGE_SECONDS, at=_time_of(event))
    sweep.sweep(run)


def _messages(event: SNSEvent) -> Iterator[Message]:
    """Yield the messages of all records; Lambda delivers one, but nothing says it always will."""
    from shared.wire.messages import MessageError, read_message

    records: list[dict[str, Any]] = event.to_dict()["Records"]
    for record in records:
        try:
            yield read_message(record["Sns"]["Message"])
        except MessageError as error:
            count("MessagesRefused", reason="unreadable")
            logger.error("message unreadable", extra={"problem": str(error)})
            raise


def _wrong_topic(message: Message) -> WrongTopicError:
    count("MessagesRefused", reason="wrong topic")
    return WrongTopicError(f"{type(message).__name__} has no place on this topic; nothing was changed")


def _time_of(event: CloudWatchEvent) -> datetime | None:
    """Return when the schedule fired; a sweep that is delivered late or run again by hand never goes back in time."""
    try:
        moment = datetime.fromisoformat(event.time)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
