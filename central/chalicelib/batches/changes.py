"""The writes by which requests join, leave and end with their batch, each a part of one transaction.

What does not belong here: when they are made (the flows of this package), and making them (``batches.table``).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from shared.domain.request import Approver, Status
from shared.wire.rule_json import time_to_text

from ..requests.items import entry_to_item
from ..requests.moves import Move, update_of
from ..requests.record import SUPERSEDED, ClickedMessage, Decision, HistoryEntry, Record, Task
from ..requests.update_expression import Update
from .batch import Batch

SWEEP: Final = "sweep"
"""Who did it, in a request's history."""

NOTIFY: Final[tuple[Task, ...]] = ("notify", "notifyMonitoring")

_SHOWING: Final[tuple[Task, ...]] = ("gather", *NOTIFY)


def begin_tasks(update: Update, tasks: Iterable[Task], now: datetime) -> None:
    """Begin messages of a batch; those of an earlier question end."""
    update.set("tasks", dict.fromkeys(tasks, time_to_text(now)))
    update.set("leases", {})


def asked_in_batch(batch: Batch, record: Record) -> Update:
    """Return the write after which the question of a batch stands for a request."""
    update = Update()
    update.set("askedIn", batch.batch_id)
    update.set("tasks", {})
    update.set("leases", {})
    update.remove("approvals")
    _require_as_read(update, record)
    return update


def ask_alone(record: Record, now: datetime) -> Update:
    """Return the write after which a request has a question of its own; one that has it keeps it."""
    update = Update()
    _require_as_read(update, record)
    if not record.asked_in:
        update.remove("tasks.gather")
        return update
    update.remove("askedIn")
    update.remove("remindedAt")
    update.set("tasks", {"ask": time_to_text(now)})
    update.set("leases", {})
    entry = HistoryEntry(at=now, status=record.status, previous=record.status, by=SWEEP, note="asked alone")
    update.append("history", [entry_to_item(entry)])
    return update


def moves_to_batch(record: Record, batch_id: str) -> Update:
    """Return the write after which a request is of another batch."""
    update = Update()
    update.set("askedIn", batch_id)
    update.set("tasks", {})
    update.set("leases", {})
    _require_as_read(update, record)
    return update


def leave_gathering() -> Update:
    """Return the write after which a request waits for its batch no more, and has no message of its own."""
    update = Update()
    for task in _SHOWING:
        update.remove(f"tasks.{task}")
        update.remove(f"leases.{task}")
    return update


def has_left(record: Record) -> bool:
    """True when :func:`leave_gathering` would change nothing."""
    return not any(record.has(task) for task in _SHOWING)


def end_superseded(
    record: Record, now: datetime, *, by: str, superseded_by: str, batch_id: str = "", carries: bool = False
) -> Update:
    """Return the move of a request that later calls have cancelled.

    Args:
        record: the request.
        now: when.
        by: for the history.
        superseded_by: id of the last call that has to do with it.
        batch_id: the batch with which it is told; empty: it is told in messages of its own.
        carries: the batch is found through this request until it has been told.
    """
    told: tuple[Task, ...] = ("gather",) if carries else ()
    move = Move(
        request_id=record.request.request_id,
        previous="pending",
        to="expired",
        digest=record.request.digest,
        account=record.request.account,
        at=now,
        by=by,
        note=SUPERSEDED,
        tasks=told if batch_id else NOTIFY,
        asked_in=record.asked_in,
    )
    update = update_of(move, invocation="")
    update.set("askedIn", batch_id) if batch_id else update.remove("askedIn")
    update.set("supersededBy", superseded_by)
    return update


def end_with_batch(
    record: Record,
    to: Status,
    *,
    at: datetime,
    by: str,
    note: str = "",
    tasks: tuple[Task, ...] = (),
    decision: Decision | None = None,
    approvals: tuple[Approver, ...] | None = None,
    valid_until: datetime | None = None,
    clicked: ClickedMessage | None = None,
    invocation: str = "",
) -> Update:
    """Return the move of a request that is decided with its batch."""
    move = Move(
        request_id=record.request.request_id,
        previous="pending",
        to=to,
        digest=record.request.digest,
        account=record.request.account,
        at=at,
        by=by,
        note=note,
        tasks=tasks,
        decision=decision,
        approvals=approvals,
        valid_until=valid_until,
        clicked=clicked,
        asked_in=record.asked_in,
    )
    return update_of(move, invocation=invocation)


def _require_as_read(update: Update, record: Record) -> None:
    update.require_equal("status", record.status)
    update.require_equal("askedIn", record.asked_in) if record.asked_in else update.require_absent("askedIn")
