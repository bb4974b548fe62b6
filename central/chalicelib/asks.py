"""What becomes of requests that ask first and find no room: nobody is asked, and one notice says so.

A role or user has at most twenty open asks: whoever may only ask must not be able to fill a channel.

What does not belong here: how they are counted (``requests.open_asks``).
"""

from __future__ import annotations

from datetime import datetime

from shared.domain.change import make_change
from shared.domain.request import Request
from shared.policy.loading import written_policies
from shared.telemetry import count, logger

from .context import Context
from .requests.open_asks import MOST_OPEN, Full, OpenAsks
from .requests.record import Record
from .steps import facts

TOO_MANY_ASKS = "TooManyAsks"
"""``eventName`` of the notice."""


def has_room(context: Context, record: Record) -> bool:
    """Say whether a request may be asked, and take its place among the open asks; what does not ask first always may.

    Args:
        context: this invocation.
        record: a request that has no question yet.
    """
    return not _asks(record) or _take(context, record) is None


def notice_of_refusal(context: Context, record: Record) -> Request | None:
    """Return the notice to post in the place of a request that finds no room; ``None`` when it has its place.

    The same notice stands for all requests that are refused until one of the open ones has ended.

    Args:
        context: this invocation.
        record: a new request, not stored yet.
    """
    request = record.request
    if not _asks(record) or context.table.get(request.request_id) is not None:  # delivered again, perhaps after its end
        return None
    full = _take(context, record)
    if full is None:
        return None
    count("AsksRefused", account=request.account)
    logger.warning("ask refused: too many are open", extra={**facts(record), "since": full.since})
    caller = request.requester
    who = "An unknown requester" if caller is None else f"{caller.name} ({caller.principal_arn or caller.arn})"
    return Request(
        request_id=f"{full.key}#{full.since}",
        account=request.account,
        account_name=request.account_name,
        region=request.region,
        group_id="",
        group_name="",
        requester=None,  # it is the product's own notice, not a call of theirs
        event_name=TOO_MANY_ASKS,
        event_time=datetime.fromisoformat(full.since),
        change=make_change(),
        origin="notice",
        status="observed",
        reason=(
            f"{who} has {MOST_OPEN} open questions that ask first. What is asked beyond these reaches nobody and "
            "changes nothing; it can be asked again when some of these have been decided or have expired."
        ),
    )


def _asks(record: Record) -> bool:
    return record.request.origin == "ask" and record.status == "pending"


def _take(context: Context, record: Record) -> Full | None:
    expires_after = written_policies().for_account(record.request.account).expires_after
    return OpenAsks(context.table, now=context.clock()).take(record.request, expires_after=expires_after)
