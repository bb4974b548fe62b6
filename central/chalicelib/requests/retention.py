"""Gives a request that ends the time at which its item may go, in the write that ends it.

Open requests have none, nor have unreverted ones (a person acts) and those that are in force for a time: they get it
when they end.

What does not belong here: how long that is (``shared.domain.retention``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from shared.domain.request import Status
from shared.domain.retention import EXPIRES_AT, kept_until
from shared.policy.loading import written_policies

from .items import record_to_item
from .record import Record
from .update_expression import Update

_ENDED: Final[frozenset[Status]] = frozenset({"applied", "denied", "ended", "error", "expired", "observed"})


def new_item(record: Record) -> dict[str, Any]:
    """Return the item of a new record; one that comes into being ended has the time at which it may go."""
    item = record_to_item(record)
    is_timed = record.status == "applied" and (record.valid_until is not None or bool(record.request.limits))
    until = None if is_timed or record.status not in _ENDED else _until(record.request.account, record.requested_at)
    return item if until is None else item | {EXPIRES_AT: until}


def keep_until(update: Update, status: Status, *, account: str, at: datetime) -> None:
    """Let a write that moves a request to a status set the time at which its item may go.

    Args:
        update: the write.
        status: where the request moves to.
        account: the request's; empty where it is not known: it is kept as long as any account's policy says.
        at: when.
    """
    if status not in _ENDED:
        return
    until = _until(account, at)
    if until is None:
        update.remove(EXPIRES_AT)  # policy may have said otherwise when it failed at first
    elif status == "applied":
        # Where it is in force for a time, the text of that time, which DynamoDB's deletion ignores.
        update.set_unless_there("validUntil", EXPIRES_AT, until)
    else:
        update.set(EXPIRES_AT, until)


def _until(account: str, at: datetime) -> int | None:
    written = written_policies()
    every = (written.general, *(policy for _, policy in written.accounts))
    found = [kept_until(policy, at) for policy in ((written.for_account(account),) if account else every)]
    times = [one for one in found if one is not None]
    return max(times) if len(times) == len(found) else None
