"""A move of a request to another status, and the one conditional write that makes it.

With the status changes everything that depends on it: the history, the decision, and which tasks begin and end. An
approval that is not the last one needed is a move too, one that leaves the request ``pending``.

What does not belong here: making the write (``requests.table``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.domain.request import MOVES, Approver, Origin, Status
from shared.wire.request_json import approver_to_json
from shared.wire.rule_json import time_to_text

from .items import LEASED_FOR, entry_to_item, lease_to_item, parts_to_item
from .record import ClickedMessage, Decision, Failure, HistoryEntry, Record, Task
from .retention import keep_until
from .update_expression import Update


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One move of a request; what is given here holds in the same write.

    Attributes:
        request_id: which request.
        previous: the status it has to have.
        to: the status it gets; has to be one of ``MOVES[previous]``, or ``pending`` still where approvals are missing.
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
        not_of: an origin that it must not have.
        judged_on: the approvals it has to have, in this order; any when ``None``.
        approvals: who has approved, this move included; unchanged when ``None``.
        valid_until: until when it is approved; unchanged when ``None``.
        clicked_at: address of the clicked message, which has to be the one that the bot posted, if it did; any message
            when ``None``.
        asked_in: of a pending request, the batch whose question has to stand for it; empty: none may.
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
    not_of: Origin | None = None
    judged_on: tuple[Approver, ...] | None = None
    approvals: tuple[Approver, ...] | None = None
    valid_until: datetime | None = None
    clicked_at: str | None = None
    asked_in: str = ""

    @property
    def stays(self) -> bool:
        """True for an approval after which others are missing."""
        return self.previous == self.to == "pending" and bool(self.approvals)

    @property
    def is_allowed(self) -> bool:
        """False for a move that no request may make."""
        return self.stays or self.to in MOVES[self.previous]


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
    if move.approvals is not None:
        update.set("approvals", [approver_to_json(one) for one in move.approvals])
    if move.valid_until is not None:
        update.set("validUntil", time_to_text(move.valid_until))
    if move.stays:
        for task in move.tasks:
            update.set(f"tasks.{task}", time_to_text(move.at))
    else:
        # Both maps as a whole: the tasks of an earlier status end with it, whoever has leased them.
        lease = lease_to_item(invocation, move.at + LEASED_FOR)
        update.set("tasks", dict.fromkeys(move.tasks, time_to_text(move.at)))
        update.set("leases", dict.fromkeys(move.tasks, lease) if move.leases_tasks else {})
    keep_until(update, move.to, account=move.account, at=move.at)
    _require(update, move)
    return update


def _require(update: Update, move: Move) -> None:
    update.require_equal("status", move.previous)
    required = {"digest": move.digest, "account": move.account, "region": move.region}
    for key, value in required.items():
        if value:
            update.require_equal(key, value)
    if move.requested_after is not None:
        update.require(f"{update.name('requestedAt')} > {update.value(time_to_text(move.requested_after))}")
    if move.asked_in:
        update.require_equal("askedIn", move.asked_in)
    elif move.previous == "pending":
        update.require_absent("askedIn")
    if move.clicked_at is not None:
        posted, clicked = update.name("approvalPost"), update.value(move.clicked_at)
        update.require(f"(attribute_not_exists({posted}) OR {posted} = {clicked})")
    if move.not_of is not None:
        update.require(f"{update.name('origin')} <> {update.value(move.not_of)}")
    if move.judged_on:
        update.require_equal("approvals", [approver_to_json(one) for one in move.judged_on])
    elif move.judged_on is not None:
        update.require_absent("approvals")
