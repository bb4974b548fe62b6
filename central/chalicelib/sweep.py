"""Does overdue tasks, reminds once, lets old requests expire, and notices silent members.

Every few minutes the sweep examines the requests that may have pending tasks and does what has been pending for more
than five minutes: by then neither the function that began a task nor its retries will do it. Each request is handled
separately; one that fails does not stop the others, and all problems are raised together at the end, so that operators
see them.

Requests that wait for something (``pending``, ``approved``) are found whatever their age. Of those that have ended,
only the ones young enough to have pending tasks are read, so that the table may grow for years.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.policy import Policies, Policy
from shared.domain.request import Status
from shared.policy.loading import written_policies
from shared.telemetry import count, logger
from shared.wire.rule_json import time_to_text

from .batches.asking import PendingBatches
from .batches.overtaking import PendingRequests
from .context import Context
from .dispatch import dispatch_decision
from .duplicates import PendingDuplicates
from .fleet import announce_members
from .outbox import MESSAGE_TASKS, NOTIFY, OVERDUE_AFTER, next_try
from .requests.moves import Move, Moved
from .requests.record import HistoryEntry, Record
from .requests.table import Row
from .requests.update_expression import Update
from .steps import facts

MESSAGE_SECONDS: Final = 10.0
"""How long one message may take in a sweep: while Slack is slow, decisions still have to be dispatched."""

SWEEP: Final = "sweep"
"""Who did it, in a request's history."""

_WAITING: Final[frozenset[Status]] = frozenset({"approved", "pending"})

_IN_ORDER: Final[tuple[Status, ...]] = (
    *("approved", "unreverted", "error", "pending"),
    *("applied", "ended", "denied", "expired", "observed"),
)
"""Decisions first, then what a person has to act on now, then questions, the oldest first.

Slack takes one message a second: after a flood of questions the others would wait for many sweeps."""

_ENDED_FOR: Final = timedelta(days=7)
"""How long an ended request may have unposted messages: an outage of Slack, or until somebody repairs a webhook."""

_STUCK_AFTER: Final = timedelta(minutes=15)
_PROBLEMS_NAMED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    """What one sweep meets only once, however many requests lead there."""

    duplicates: PendingDuplicates
    batches: PendingBatches
    requests: PendingRequests


class SweepError(RuntimeError):
    """Some requests could not be finished; the message names the first. The next sweep tries again."""


def sweep_requests(context: Context) -> None:
    """Handle every request that may have pending tasks.

    Raises:
        SweepError: when something could not be done.
    """
    pending = _Pending(
        duplicates=PendingDuplicates(context), batches=PendingBatches(context), requests=PendingRequests(context)
    )
    problems: list[str] = []
    written = written_policies()
    policies = None if written.problem else written  # without it, nothing expires and nobody is reminded
    if written.problem:
        problems.append(written.problem)
    seen = 0
    for row in _rows(context, policies):
        if context.is_over:
            logger.warning("sweep out of time; the next one continues", extra={"requests": seen})
            break
        seen += 1
        try:
            _handle(context, policies, row, pending)
        except Exception as error:  # noqa: BLE001 - one bad request must not stop the others; all are raised below
            logger.warning("request not finished", extra={"request_id": row.request_id, "problem": str(error)})
            problems.append(f"{row.request_id}: {error}")
    try:
        pending.requests.finish()
    except Exception as error:  # noqa: BLE001 - as above
        problems.append(f"requests not compared: {error}")
    try:
        problems += [] if context.is_over else announce_members(context)
    except Exception as error:  # noqa: BLE001 - as above
        problems.append(f"members not looked at: {error}")
    logger.info("sweep done", extra={"requests": seen, "problems": len(problems)})
    if problems:
        count("SweepsFailed")
        rest = f" and {len(problems) - _PROBLEMS_NAMED} more" if len(problems) > _PROBLEMS_NAMED else ""
        raise SweepError(f"could not be finished: {'; '.join(problems[:_PROBLEMS_NAMED])}{rest}")


def _rows(context: Context, policies: Policies | None) -> Iterator[Row]:
    every = (Policy(),) if policies is None else (policies.general, *(policy for _, policy in policies.accounts))
    since = context.now - max(policy.expires_after for policy in every) - _ENDED_FOR
    for status in _IN_ORDER:
        if status in _WAITING:
            yield from context.table.by_status(status)
        else:
            longest = _longest_valid(every) if status == "ended" else timedelta(0)
            yield from context.table.by_status(status, since=since - longest, with_tasks=True)


def _longest_valid(policies: Iterable[Policy]) -> timedelta:
    """Return for how long a change may be in force before it ends."""
    hours = [hours for policy in policies for hours in (*policy.offer_hours, *(one.max_hours for one in policy.rules))]
    return timedelta(hours=max((one for one in hours if one is not None), default=0))


def _handle(context: Context, policies: Policies | None, row: Row, pending: _Pending) -> None:
    record = context.table.read(row)
    if record is None:
        return
    policy = None if policies is None else policies.for_account(record.request.account)
    pending.requests.add(record)
    if record.has("gather") or (record.asked_in and record.status != "ended"):
        pending.batches.finish(record, is_policy_known=policy is not None)
    elif record.status == "pending" and record.duplicate_of:
        pending.duplicates.end(record, None if policy is None else policy.expires_after)
    elif record.status == "approved":
        _dispatch_again(context, record)
    elif record.status != "pending" or policy is None:
        _post_overdue(context, record)
    elif record.requested_at + policy.expires_after <= context.now:
        _expire(context, record)
    else:
        _post_overdue(context, record)
        is_late = record.requested_at + policy.reminds_after <= context.now
        if is_late and record.reminded_at is None and not record.has("ask") and context.outbox.takes("ask"):
            _remind(context, record)


def _post_overdue(context: Context, record: Record) -> None:
    """Post what has been pending for long, to the channels that have not failed."""
    overdue = record.due(context.now, pending_for=OVERDUE_AFTER)
    tasks = [task for task in overdue if task in MESSAGE_TASKS and context.outbox.takes(task)]
    if tasks:
        context.outbox.resume(record.request.request_id, tasks)


def _dispatch_again(context: Context, record: Record) -> None:
    """Dispatch an approval whose outcome has not come: the first publish may have failed, or its message got lost.

    The member accepts the same decision twice and applies it once. The pauses between tries grow, so that a member that
    never answers does not get a message every few minutes for days.
    """
    if "dispatch" not in record.due(context.now, pending_for=OVERDUE_AFTER):
        return
    leased = context.outbox.lease(record.request.request_id, ("dispatch",))
    if leased is None or not leased.tasks:
        return
    since = dict(leased.record.tasks)["dispatch"]
    if context.now - since >= _STUCK_AFTER:
        count("ApprovalsStuck")
        logger.warning("approved, but no outcome came", extra={**facts(record), "since": since.isoformat()})
    try:
        dispatch_decision(context, leased.record)
    except (ClientError, BotoCoreError):
        context.outbox.release(leased.record, "dispatch")
        raise
    entry = HistoryEntry(at=context.now, status="approved", previous="approved", by=SWEEP, note="dispatched again")
    context.outbox.release(leased.record, "dispatch", until=next_try(context.now, since), entry=entry)


def _expire(context: Context, record: Record) -> None:
    move = Move(
        request_id=record.request.request_id,
        previous="pending",
        to="expired",
        digest=record.request.digest,
        at=context.clock(),
        by=SWEEP,
        note="nobody decided in time",
        account=record.request.account,
        tasks=NOTIFY,
        leases_tasks=True,
    )
    moved = context.table.move(move)
    if isinstance(moved, Moved):
        count("Outcomes", status="expired")
        logger.info("request expired", extra=facts(moved.record))
        context.outbox.post(moved.record, NOTIFY)


def _remind(context: Context, record: Record) -> None:
    """Ask once more, at most once per request."""
    update = Update()
    update.set("remindedAt", time_to_text(context.clock()))
    update.require_absent("remindedAt")
    update.require_absent("tasks.ask")
    if context.outbox.begin(record, ("ask",), by=SWEEP, note="asked again", update=update):
        count("Reminders")
