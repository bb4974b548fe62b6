"""From what a trigger delivers to the flow that handles it.

Each flow is imported when its trigger fires: the functions share a code base, not their imports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from chalice.app import CloudWatchEvent, Request, Response, SNSEvent

from shared.settings import SettingError
from shared.telemetry import count, logger

from .context import Context, begin

if TYPE_CHECKING:
    from shared.wire.messages import Message

_PROBLEM: Final = "The approval service has a problem; its log says which."


class WrongTopicError(RuntimeError):
    """A message arrived on a topic that does not carry messages of its type."""


def button_click(request: Request | None, lambda_context: Any) -> Response:
    """Answer Slack's POST; what cannot be stored is answered with 503, which shows the clicker a warning sign.

    Chalice would answer an error with 500, and neither Lambda's count of errors nor an alarm would show it.
    """
    from . import click

    assert request is not None  # noqa: S101 - Chalice sets it before it calls a route
    try:
        context = begin(lambda_context, fail_fast=True)
        answer = click.answer(context, request.headers, _body_of(request))
    except (SettingError, ClientError, BotoCoreError) as error:
        count("ClicksFailed")
        logger.error("click failed", extra={"problem": f"{type(error).__name__}: {error}"})
        answer = click.Answer(status=503, body=_PROBLEM)
    except Exception as error:  # noqa: BLE001 - whatever it is: operators see it, and the caller learns nothing
        count("ClicksFailed")
        logger.exception("click failed", extra={"problem": f"{type(error).__name__}: {error}"})
        answer = click.Answer(status=503, body=_PROBLEM)
    return Response(body=answer.body, status_code=answer.status, headers={"Content-Type": answer.content_type})


def _body_of(request: Request) -> bytes:
    """Return the raw body; one that is not bytes (damaged base64, half a character) counts as empty."""
    try:
        body = request.raw_body
    except ValueError:
        return b""
    return body.encode() if isinstance(body, str) else body


def security_group_change(event: SNSEvent) -> None:
    """Handle what member accounts publish: requests, applied changes and their ends, adoptions, heartbeats."""
    from shared.wire.messages import AdoptedMessage, AppliedMessage, EndedMessage, HeartbeatMessage, RequestMessage

    from .adoption import record_adoption
    from .fleet import record_heartbeat
    from .intake import store_request
    from .outcome import record_ended, record_outcome

    flows: dict[type[Message], Callable[[Context, Any], None]] = {
        RequestMessage: store_request,
        AppliedMessage: record_outcome,
        EndedMessage: record_ended,
        AdoptedMessage: record_adoption,
        HeartbeatMessage: record_heartbeat,
    }
    _handle(event, flows)


def deny_security_group_change(event: SNSEvent) -> None:
    """Handle that requests were denied, or found expired at a click."""
    from shared.wire.messages import DenyMessage

    from .outcome import post_end

    _handle(event, {DenyMessage: post_end})


def error_handler_security_group_change(event: SNSEvent) -> None:
    """Handle what could not be applied."""
    from shared.wire.messages import ErrorMessage

    from .outcome import record_outcome

    _handle(event, {ErrorMessage: record_outcome})


def sweep_requests(event: CloudWatchEvent) -> None:
    """Do overdue tasks, remind, expire."""
    from . import sweep

    sweep.sweep_requests(begin(event.context, message_seconds=sweep.MESSAGE_SECONDS, at=_time_of(event)))


def _handle(event: SNSEvent, flows: Mapping[type[Message], Callable[[Context, Any], None]]) -> None:
    """Pass each message to the flow of its type; Lambda delivers one, but nothing says it always will."""
    context = begin(event.context)
    records: list[dict[str, Any]] = event.to_dict()["Records"]
    for record in records:
        message = _read(record["Sns"]["Message"])
        flow = flows.get(type(message))
        if flow is None:
            count("MessagesRefused", reason="wrong topic")
            raise WrongTopicError(f"this topic does not carry {type(message).__name__}; nothing was changed")
        flow(context, message)


def _read(text: str) -> Message:
    from shared.wire.messages import MessageError, read_message

    try:
        return read_message(text)
    except MessageError as error:
        count("MessagesRefused", reason="unreadable")
        logger.error("message unreadable", extra={"problem": str(error)})
        raise


def _time_of(event: CloudWatchEvent) -> datetime | None:
    """Return when the schedule fired; a sweep that is delivered late or run again by hand never goes back in time."""
    try:
        moment = datetime.fromisoformat(event.time)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
