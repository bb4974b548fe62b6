"""Takes in a request that a member account files: stores it, then asks and tells.

SNS does not say who published a message. So a request's account is what the message claims: any account that may
publish on the topic can file a request in another one's name. What that gives it: a question in Slack. Approving it
opens nothing, since a member applies only what its own ledger says it reverted, and only under the digest it has there.
Who makes a change knows its id at once, and might have it filed elsewhere under another person's name before the
genuine request arrives; so the digest covers all that is shown. The genuine request is then refused as a different one,
which operators see: ``DifferentRequestError``. A stored request is never replaced.
"""

from __future__ import annotations

import re
from typing import Final

from shared.domain.record import POLICY, Debt, Entry, Record
from shared.domain.request import Request, Status
from shared.telemetry import count, logger
from shared.wire.messages import MessageError

from . import duplicates
from .context import Run, facts
from .outbox.posting import pay
from .requests.table import DifferentRequestError

_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}")
_LONGEST_ID: Final = 255

_FIRST_DEBTS: Final[dict[Status, tuple[Debt, ...]]] = {
    "pending": ("question", "question_monitoring"),
    "unreverted": ("question", "question_monitoring"),
    "observed": ("question_monitoring",),
    "denied": ("question_monitoring",),
}


def store(run: Run, request: Request) -> None:
    """Store a request and post it; what is stored already is kept, and what it still owes is paid.

    One that only repeats another is stored and counted; the other one's question stands for it.

    Raises:
        MessageError: when id, account or region could not be genuine.
        DifferentRequestError: when another request is stored under its id.
        UnpaidError: when a setting or a dead webhook kept it from Slack; it is stored, and the sweep tries again.
    """
    _check(request)
    record = _first_record(run, request)
    try:
        claim = duplicates.stored_as_repeat(run, record) or run.table.store(record)
    except DifferentRequestError:
        count("MessagesRefused", reason="different request")
        raise
    logger.info("request stored" if claim.is_new else "request known already", extra=facts(claim.record))
    if claim.is_new:
        count("Requests", status=request.status)
    pay(run, claim)
    if claim.record.repeat_of:
        duplicates.show_again(run, claim.record)


def _check(request: Request) -> None:
    """Refuse what would end up in an ARN or a key without being one."""
    checks = {
        "account": _ACCOUNT.fullmatch(request.account),
        "region": _REGION.fullmatch(request.region),
        "requestId": len(request.request_id) <= _LONGEST_ID,
    }
    for field, is_right in checks.items():
        if not is_right:
            count("MessagesRefused", reason="malformed")
            raise MessageError(f"message.request.{field}", "has not the form that AWS gives it")


def _first_record(run: Run, request: Request) -> Record:
    is_denied = request.status == "denied"
    return Record(
        request=request,
        status=request.status,
        # Not the time of the call: an event redriven days later still gives approvers their time.
        requested_at=run.now,
        owed=tuple((debt, run.now) for debt in _FIRST_DEBTS[request.status]),
        history=(
            Entry(
                at=run.now,
                status=request.status,
                previous="",
                by=POLICY if is_denied else request.account,
                note=request.reason,
            ),
        ),
        decided_by=POLICY if is_denied else "",
        decided_at=run.now if is_denied else None,
    )
