"""Stores a request that a member account publishes, then asks and announces it.

SNS does not say who published a message. So a request's account is what the message says: any account that may publish
on the topic can file a request in another one's name. That gives it a question in Slack. Approving it opens nothing,
since a member applies only what its own ledger says it reverted, and only under the digest it has there.
Whoever makes a change knows its id at once, and might have it filed elsewhere under another person's name before the
genuine request arrives; so the digest covers all that is shown. The genuine request is then refused as a different one,
which operators see: ``DifferentRequestError``. A stored request is never replaced.
"""

from __future__ import annotations

from typing import Final

from shared.domain.place import is_account, is_region
from shared.domain.request import Request
from shared.slack.request_view import POLICY
from shared.telemetry import count, logger
from shared.wire.messages import MessageError, RequestMessage

from .asks import notice_of_refusal
from .batches.joining import store_gathered
from .batches.overtaking import overtake
from .context import Context
from .duplicates import show_again, store_duplicate
from .requests.record import Decision, HistoryEntry, Record, Task
from .requests.table import DifferentRequestError, Stored
from .steps import facts

RESERVED_PREFIXES: Final = ("member#", "batch#", "adoption#", "asks#", "fleet#")
"""No request id of AWS begins like this; items that central makes itself do."""

_LONGEST_ID: Final = 255

_OBSERVED_IN_BOTH_CHANNELS: Final = frozenset(
    {
        # notices of the product itself that somebody has to look into
        *("AdoptedAgain", "CallWithoutDetails", "StateDamaged"),
        *("ModifyManagedPrefixList", "RestoreManagedPrefixListVersion", "AssociateSecurityGroupVpc"),
    }
)
"""Names of calls and notices that are announced in both channels although nobody is asked."""


def store_request(context: Context, message: RequestMessage) -> None:
    """Store a request and post it; what is stored already is kept, and its pending messages are posted.

    A duplicate is stored and counted; the question of the request that it duplicates stands for it. A request that
    follows others of the same requester waits for the question that is asked for all.

    Raises:
        MessageError: when id, account or region cannot be genuine, or a notice is not one.
        DifferentRequestError: when another request is stored under its id.
        UnpostedError: when a setting or a dead webhook kept it from Slack; it is stored, and the sweep tries again.
    """
    request = message.request
    _check(request)
    record = _first_record(context, request)
    duplicate = store_duplicate(context, record)
    if duplicate:
        count("Requests", status=request.status)
        show_again(context, duplicate)
        return
    refusal = notice_of_refusal(context, record)
    if refusal is not None:
        post_first(context, store_first(context, refusal))
        return
    stored = store_gathered(context, record) or _store(context, record)
    if not overtake(context, stored.record):
        return  # later calls have overtaken it, or it is asked with others
    post_first(context, stored)
    if stored.record.duplicate_of:  # delivered again
        show_again(context, stored.record)


def store_first(context: Context, request: Request) -> Stored:
    """Store a request in its first status, its tasks leased; what is stored already is kept.

    Raises:
        DifferentRequestError: when another request is stored under its id.
    """
    return _store(context, _first_record(context, request))


def post_first(context: Context, stored: Stored) -> None:
    """Post the first messages of a request that was stored just now, or those that are still pending.

    Raises:
        UnpostedError: when a setting or a dead webhook kept it from Slack; the sweep tries again.
    """
    request = stored.record.request
    if stored.is_new:
        context.outbox.post(stored.record, _first_tasks(request))
    else:
        context.outbox.resume(request.request_id, _first_tasks(request))


def check_place(account: str, region: str, path: str) -> None:
    """Refuse what would end up in an ARN or a key without being an account id or a region.

    Raises:
        MessageError: names the field below ``path``.
    """
    for field, is_right in (("account", is_account(account)), ("region", is_region(region))):
        if not is_right:
            raise malformed(f"{path}.{field}", "has not the form that AWS gives it")


def malformed(path: str, problem: str) -> MessageError:
    """Count a message as malformed, and return the error that names the field."""
    count("MessagesRefused", reason="malformed")
    return MessageError(path, problem)


def _check(request: Request) -> None:
    check_place(request.account, request.region, "message.request")
    request_id = request.request_id
    if len(request_id) > _LONGEST_ID or request_id.startswith(RESERVED_PREFIXES):
        raise malformed("message.request.requestId", "has not the form that AWS gives it")
    if request.origin == "ask" and request.status not in ("pending", "denied"):
        raise malformed("message.request.status", "what asks first is pending, or denied by policy")
    if request.origin == "notice" and not (request.status == "observed" and request.change.is_empty):
        raise malformed("message.request.status", "a notice is observed, and changes nothing")


def _store(context: Context, record: Record) -> Stored:
    try:
        stored = context.table.store(record)
    except DifferentRequestError:
        count("MessagesRefused", reason="different request")
        raise
    logger.info("request stored" if stored.is_new else "request known already", extra=facts(stored.record))
    if stored.is_new:
        count("Requests", status=record.status)
    return stored


def _first_tasks(request: Request) -> tuple[Task, ...]:
    is_shown = request.status in ("pending", "unreverted")
    is_shown |= request.status == "observed" and request.event_name in _OBSERVED_IN_BOTH_CHANNELS
    return ("ask", "announce") if is_shown else ("announce",)


def _first_record(context: Context, request: Request) -> Record:
    is_decided = request.status in ("denied", "applied")  # by policy
    entry = HistoryEntry(
        at=context.now,
        status=request.status,
        previous="",
        by=POLICY if is_decided else request.account,
        note=request.reason,
    )
    return Record(
        request=request,
        status=request.status,
        # Not the time of the call: an event redriven days later still gives approvers their time.
        requested_at=context.now,
        tasks=tuple((task, context.now) for task in _first_tasks(request)),
        history=(entry,),
        decision=Decision(by=POLICY, at=context.now) if is_decided else None,
    )
