"""A move of a request, and the one conditional write that makes it true.

With the status change everything that depends on it: the history, the debts that begin and end, and who pays them.

What does not belong here: carrying the write out (``central.chalicelib.requests.table``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.aws.update_expression import Update
from shared.domain.record import Debt, Entry, Record
from shared.domain.request import Status
from shared.wire.rule_json import time_to_text

from .items import claim_to_item, entry_to_item

CLAIMED_FOR: Final = timedelta(seconds=120)
"""How long a claim holds: longer than any function but the sweep may run, shorter than the sweep's patience."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One move of a request; what is given here holds in the same write.

    Attributes:
        request_id: which request.
        previous: the status it has to have.
        to: the status it gets; has to be one of ``MOVES[previous]``.
        digest: the digest it has to have.
        at: when, UTC.
        by: Slack user id, account id, or ``sweep``.
        note: for the history.
        requested_after: it has to be younger than this.
        account: the account it has to be of; any when empty.
        region: the region it has to be of; any when empty.
        owes: debts that begin with the move; those of an earlier status end with it.
        pays_itself: the mover claims these debts and pays them next.
        values: further attributes to write, e.g. ``decidedBy``; empty ones are left alone.
    """

    request_id: str
    previous: Status
    to: Status
    digest: str
    at: datetime
    by: str
    note: str = ""
    requested_after: datetime | None = None
    account: str = ""
    region: str = ""
    owes: tuple[Debt, ...] = ()
    pays_itself: bool = False
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The move happened; the record as it stands after it."""

    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class NotMoved:
    """The move did not happen; the record as it stands, ``None`` when there is no such request."""

    record: Record | None


def entry_of(move: Move) -> Entry:
    """Return the line that a move adds to the history."""
    return Entry(at=move.at, status=move.to, previous=move.previous, by=move.by, note=move.note)


def update_of(move: Move, *, invocation: str) -> Update:
    """Return the write that makes a move true if everything it asks for holds.

    Args:
        move: the move.
        invocation: the id of the Lambda invocation that makes it; the item keeps it, so that the invocation can tell
            its own work when the answer to the write was lost.
    """
    at = time_to_text(move.at)
    update = Update()
    update.set("status", move.to)
    update.set("movedIn", invocation)
    update.append("history", [entry_to_item(entry_of(move))])
    for key, value in move.values.items():
        if value:
            update.set(key, value)
    # Both maps as a whole: the debts of an earlier status end with it, and whoever was paying them pays for nothing.
    claim = claim_to_item(invocation, move.at + CLAIMED_FOR)
    update.set("owed", dict.fromkeys(move.owes, at))
    update.set("claims", dict.fromkeys(move.owes, claim) if move.pays_itself else {})
    update.require(f"{update.name('status')} = {update.value(move.previous)}")
    required = {"digest": move.digest, "account": move.account, "region": move.region}
    for key, value in required.items():
        if value:
            update.require(f"{update.name(key)} = {update.value(value)}")
    if move.requested_after is not None:
        update.require(f"{update.name('requestedAt')} > {update.value(time_to_text(move.requested_after))}")
    return update
