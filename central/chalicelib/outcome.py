"""Takes in what became of a decision, and tells it.

A member account reports with request id, digest, account and region. All four have to be those of the stored request,
and it has to be approved: so no account can end another one's request, and none a request that nobody approved.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from shared.domain.record import Record
from shared.telemetry import count, logger
from shared.wire.messages import AppliedMessage, DenyMessage, ErrorMessage

from .context import Run, facts
from .outbox.posting import RESULTS, pay
from .requests.moves import Move, Moved
from .requests.table import Claim

_LONGEST_CODE: Final = 200
_LONGEST_REASON: Final = 2000
"""Characters kept of what a member account says; EC2's own sentences are far shorter."""


class MessageRefusedError(RuntimeError):
    """A message that does not fit the stored request: forged, damaged, or out of place. Nothing was changed."""


def applied(run: Run, message: AppliedMessage) -> None:
    """Take in that an approved change is in force.

    Raises:
        MessageRefusedError: when it does not fit the stored request.
        UnpaidError: when a setting or a dead webhook kept the result from Slack; the sweep tries again.
    """
    move = Move(
        request_id=message.request_id,
        previous="approved",
        to="applied",
        digest=message.digest,
        at=run.now,
        by=message.account,
        account=message.account,
        region=message.region,
        owes=RESULTS,
        pays_itself=True,
        values={},
    )
    answer = run.table.move(move)
    if not isinstance(answer, Moved) and answer.record is not None and answer.record.status == "error":
        answer = run.table.move(replace(move, previous="error"))  # a redriven message succeeded after all
    _tell(run, move, answer.record, moved=isinstance(answer, Moved))


def failed(run: Run, message: ErrorMessage) -> None:
    """Take in that an approved change could not be applied.

    Raises:
        MessageRefusedError: when it does not fit the stored request.
        UnpaidError: when a setting or a dead webhook kept the result from Slack; the sweep tries again.
    """
    move = Move(
        request_id=message.request_id,
        previous="approved",
        to="error",
        digest=message.digest,
        at=run.now,
        by=message.account,
        note=message.code[:_LONGEST_CODE],
        account=message.account,
        region=message.region,
        owes=RESULTS,
        pays_itself=True,
        values={"errorCode": message.code[:_LONGEST_CODE], "errorReason": message.reason[:_LONGEST_REASON]},
    )
    answer = run.table.move(move)
    _tell(run, move, answer.record, moved=isinstance(answer, Moved))


def ended(run: Run, message: DenyMessage) -> None:
    """Tell that a request was denied, or found expired at a click.

    Raises:
        MessageRefusedError: when it does not fit the stored request.
        UnpaidError: when a setting or a dead webhook kept the result from Slack; the sweep tries again.
    """
    claim = run.table.claim(message.request_id, RESULTS, now=run.now, digest=message.digest)
    if claim is None:
        raise _refused(message.request_id, "no such request is stored", None)
    if claim.record.request.digest != message.digest:
        raise _refused(message.request_id, "its digest is not the stored request's", claim.record)
    _pay(run, claim)


def _tell(run: Run, move: Move, record: Record | None, *, moved: bool) -> None:
    if record is None:
        raise _refused(move.request_id, "no such request is stored", None)
    if moved:
        count("Outcomes", status=move.to)
        logger.info("outcome stored", extra=facts(record))
        pay(run, Claim(record=record, debts=frozenset(RESULTS)))
        return
    request = record.request
    if (request.digest, request.account, request.region) != (move.digest, move.account, move.region):
        reason = f"digest, account or region are not the stored request's (it says account {move.account})"
        raise _refused(move.request_id, reason, record)
    if record.status == "applied" and move.to == "error":
        logger.info("late error ignored: the change was applied", extra=facts(record))
        return
    if record.status != move.to:
        raise _refused(move.request_id, f"it says {move.to}, but the request is {record.status}", record)
    claim = run.table.claim(move.request_id, RESULTS, now=run.now)
    if claim is not None:
        _pay(run, claim)


def _pay(run: Run, claim: Claim) -> None:
    if not claim.debts:
        logger.info("told already, or being told", extra=facts(claim.record))
    pay(run, claim)


def _refused(request_id: str, reason: str, record: Record | None) -> MessageRefusedError:
    count("MessagesRefused", reason="does not fit")
    logger.error("message refused", extra={"request_id": request_id, **facts(record), "reason": reason})
    return MessageRefusedError(f"message about request {request_id} refused: {reason}; nothing was changed")
