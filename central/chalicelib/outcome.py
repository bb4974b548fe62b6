"""Stores what became of a decision, and posts it.

A member account reports with request id, digest, account and region. All four have to be those of the stored request,
and it has to be approved. So no account can end another account's request, nor a request that nobody approved.

Messages may overtake each other: that a change has ended says that it was applied, and a later word of that says
nothing new.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from shared.telemetry import count, logger
from shared.wire.messages import AppliedMessage, DenyMessage, EndedMessage, ErrorMessage

from .context import Context
from .outbox import NOTIFY, Lease
from .requests.moves import Move, Moved
from .requests.record import Failure, Record
from .steps import facts

_LONGEST_CODE: Final = 200
_LONGEST_REASON: Final = 2000
"""Characters kept of what a member account says; EC2's own sentences are far shorter."""


_OVERTAKEN: Final = frozenset({("applied", "error"), ("ended", "applied"), ("ended", "error")})
"""What the request is already, and what a message that was overtaken says."""


class MessageRefusedError(RuntimeError):
    """A message that does not fit the stored request: forged, damaged, or out of place. Nothing was changed."""


def record_outcome(context: Context, message: AppliedMessage | ErrorMessage) -> None:
    """Store that an approved change was applied, or could not be, and post it.

    Raises:
        MessageRefusedError: when the message does not fit the stored request.
        UnpostedError: when a setting or a dead webhook kept the outcome from Slack; the sweep tries again.
    """
    failure = None
    if isinstance(message, ErrorMessage):
        failure = Failure(code=message.code[:_LONGEST_CODE], reason=message.reason[:_LONGEST_REASON])
    move = Move(
        request_id=message.request_id,
        previous="approved",
        to="error" if failure else "applied",
        digest=message.digest,
        at=context.now,
        by=message.account,
        note=failure.code if failure else "",
        account=message.account,
        region=message.region,
        tasks=NOTIFY,
        leases_tasks=True,
        failure=failure,
    )
    answer = context.table.move(move)
    if not isinstance(answer, Moved) and not failure and answer.record and answer.record.status == "error":
        answer = context.table.move(replace(move, previous="error"))  # a redriven message succeeded after all
    if not isinstance(answer, Moved):
        _resume(context, move, answer.record)
        return
    count("Outcomes", status=move.to)
    logger.info("outcome stored", extra=facts(answer.record))
    context.outbox.post(answer.record, NOTIFY)


def record_ended(context: Context, message: EndedMessage) -> None:
    """Store that the time of an applied change is over and that it is reverted, and post it.

    Raises:
        MessageRefusedError: when the message does not fit the stored request.
        UnpostedError: when a setting or a dead webhook kept it from Slack; the sweep tries again.
    """
    move = Move(
        request_id=message.request_id,
        previous="applied",
        to="ended",
        digest=message.digest,
        at=context.now,
        by=message.account,
        note=message.reason[:_LONGEST_REASON],
        account=message.account,
        region=message.region,
        tasks=NOTIFY,
        leases_tasks=True,
    )
    answer = context.table.move(move)
    if not isinstance(answer, Moved) and answer.record and answer.record.status in ("approved", "error"):
        note = "reported with its end"
        applied = replace(move, previous=answer.record.status, to="applied", note=note, tasks=(), leases_tasks=False)
        if isinstance(context.table.move(applied), Moved):
            answer = context.table.move(move)
    if not isinstance(answer, Moved):
        _resume(context, move, answer.record)
        return
    count("Outcomes", status=move.to)
    logger.info("end stored", extra=facts(answer.record))
    context.outbox.post(answer.record, NOTIFY)


def post_end(context: Context, message: DenyMessage) -> None:
    """Post that a request was denied, or found expired at a click.

    Raises:
        MessageRefusedError: when the message does not fit the stored request.
        UnpostedError: when a setting or a dead webhook kept it from Slack; the sweep tries again.
    """
    leased = context.outbox.resume(message.request_id, NOTIFY, digest=message.digest)
    if leased is None:
        raise _refused(message.request_id, "no such request is stored", None)
    if leased.record.request.digest != message.digest:
        raise _refused(message.request_id, "its digest is not the stored request's", leased.record)
    _log_if_done(leased)


def _resume(context: Context, move: Move, record: Record | None) -> None:
    """Post what a redelivered message finds unposted; refuse a message that does not fit the request."""
    if record is None:
        raise _refused(move.request_id, "no such request is stored", None)
    request = record.request
    if (request.digest, request.account, request.region) != (move.digest, move.account, move.region):
        reason = f"digest, account or region are not the stored request's (it says account {move.account})"
        raise _refused(move.request_id, reason, record)
    if (record.status, move.to) in _OVERTAKEN:
        logger.info("late message ignored: the request has gone further", extra={**facts(record), "says": move.to})
        return
    if record.status != move.to:
        raise _refused(move.request_id, f"it says {move.to}, but the request is {record.status}", record)
    leased = context.outbox.resume(move.request_id, NOTIFY)
    if leased is not None:
        _log_if_done(leased)


def _log_if_done(leased: Lease) -> None:
    if not leased.tasks:
        logger.info("posted already, or being posted", extra=facts(leased.record))


def _refused(request_id: str, reason: str, record: Record | None) -> MessageRefusedError:
    count("MessagesRefused", reason="does not fit")
    logger.error("message refused", extra={"request_id": request_id, **facts(record), "reason": reason})
    return MessageRefusedError(f"message about request {request_id} refused: {reason}; nothing was changed")
