"""A move of a request to another status, and the one conditional write that makes it.

With the status changes everything that depends on it: the history, the decision, and which tasks begin and end.

What does not belong here: making the write (``requests.table``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.domain.request import Status
from shared.wire.rule_json import time_to_text

from .items import LEASED_FOR, entry_to_item, lease_to_item, parts_to_item
from .record import ClickedMessage, Decision, Failure, HistoryEntry, Record, Task
from .update_expression import Update


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
        tasks: tasks that begin with the move; those of an earlier status end with it.
        leases_tasks: the mover leases these tasks and does them next.
        decision: who decided; unchanged when ``None``.
        failure: why applying failed; unchanged when ``None``.
        clicked: the message that was clicked; unchanged when ``None``.
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
    tasks: tuple[Task, ...] = ()
    leases_tasks: bool = False
    decision: Decision | None = None
    failure: Failure | None = None
    clicked: ClickedMessage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The move happened; the record after it."""

    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class NotMoved:
    """The move did not happen; the record as stored, ``None`` when there is no such request."""

    record: Record | None


def entry_of(move: Move) -> HistoryEntry:
    """Return the line that a move adds to the history."""
    return HistoryEntry(at=move.at, status=move.to, previous=move.previous, by=move.by, note=move.note)


def update_of(move: Move, *, invocation: str) -> Update:
    """Return the write that makes a move if everything it requires holds.

    Args:
        move: the move.
        invocation: the id of the Lambda invocation that makes it; the item keeps it, so that the invocation recognises
            its own write when the answer to it was lost.
    """
    update = Update()
    update.set("status", move.to)
    update.set("movedIn", invocation)
    update.append("history", [entry_to_item(entry_of(move))])
    for key, value in parts_to_item(move.decision, move.failure, move.clicked).items():
        update.set(key, value)
    # Both maps as a whole: the tasks of an earlier status end with it, whoever has leased them.
    lease = lease_to_item(invocation, move.at + LEASED_FOR)
    update.set("tasks", dict.fromkeys(move.tasks, time_to_text(move.at)))
    update.set("leases", dict.fromkeys(move.tasks, lease) if move.leases_tasks else {})
    update.require_equal("status", move.previous)
    required = {"digest": move.digest, "account": move.account, "region": move.region}
    for key, value in required.items():
        if value:
            update.require_equal(key, value)
    if move.requested_after is not None:
        update.require(f"{update.name('requestedAt')} > {update.value(time_to_text(move.requested_after))}")
    return update
