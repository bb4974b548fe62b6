"""Finishes what was left half done, reminds once, and lets old requests expire.

Every few minutes the sweep looks at the requests that may owe something and pays what is owed for longer than five
minutes: by then neither the function that made the debt nor its retries are going to. Each request is looked after on
its own; one that cannot be does not stop the others, and all problems together are raised at the end, so that operators
see them.

How far back it looks: requests that wait for something (``pending``, ``approved``) are found whatever their age. Of
those that came to an end, only the ones young enough to owe anything are read, so that the table may grow for years.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.policy import Policies, Policy
from shared.domain.record import Entry, Record
from shared.domain.request import Status
from shared.policy.loading import written_policies
from shared.telemetry import count, logger

from . import dispatch, duplicates
from .context import Run, facts
from .outbox.posting import CHANNELS, OVERDUE_AFTER, RESULTS, pay, spaced
from .requests.moves import Move, Moved
from .requests.table import Claim, Row

MESSAGE_SECONDS: Final = 10.0
"""How long one message may take in a sweep: while Slack is slow, decisions still have to be dispatched."""

SWEEP: Final = "sweep"
"""Who did it, in a request's history."""

_WAITING: Final[frozenset[Status]] = frozenset({"approved", "pending"})

_IN_ORDER: Final[tuple[Status, ...]] = (
    *("approved", "unreverted", "error", "pending"),
    *("applied", "denied", "expired", "observed"),
)
"""What is looked after first: decisions, then what a person has to act on now, then questions, the oldest first.

Slack takes one message a second: after a flood of questions the others would wait for many sweeps."""

_ENDED_FOR: Final = timedelta(days=7)
"""How long an ended request may owe a message: an outage of Slack, or the time until somebody repairs a webhook."""

_STUCK_AFTER: Final = timedelta(minutes=15)
_PROBLEMS_NAMED: Final = 5


class SweepError(RuntimeError):
    """Some requests could not be finished; the message names the first. The next sweep tries again."""


def sweep(run: Run) -> None:
    """Look after every request that may owe something.

    Raises:
        SweepError: when something could not be done.
    """
    followers = duplicates.Followers(run)
    problems: list[str] = []
    written = written_policies()
    policies = None if written.problem else written  # without it, nothing expires and nobody is reminded
    if written.problem:
        problems.append(written.problem)
    seen = 0
    for row in _rows(run, policies):
        if run.is_over:
            logger.warning("sweep out of time; the next one goes on", extra={"requests": seen})
            break
        seen += 1
        try:
            _tend(run, policies, row, followers)
        except Exception as error:  # noqa: BLE001 - one bad request must not stop the others; all are raised below
            logger.warning("request not finished", extra={"request_id": row.request_id, "problem": str(error)})
            problems.append(f"{row.request_id}: {error}")
    logger.info("sweep done", extra={"requests": seen, "problems": len(problems)})
    if problems:
        count("SweepsFailed")
        rest = f" and {len(problems) - _PROBLEMS_NAMED} more" if len(problems) > _PROBLEMS_NAMED else ""
        raise SweepError(f"could not be finished: {'; '.join(problems[:_PROBLEMS_NAMED])}{rest}")


def _rows(run: Run, policies: Policies | None) -> Iterator[Row]:
    every = (Policy(),) if policies is None else (policies.general, *(policy for _, policy in policies.accounts))
    since = run.now - max(policy.expires_after for policy in every) - _ENDED_FOR
    for status in _IN_ORDER:
        if status in _WAITING:
            yield from run.table.by_status(status)
        else:
            yield from run.table.by_status(status, since=since, owing=True)


def _tend(run: Run, policies: Policies | None, row: Row, followers: duplicates.Followers) -> None:
    record = run.table.read(row)
    if record is None:
        return
    policy = None if policies is None else policies.for_account(record.request.account)
    if record.status == "pending" and record.repeat_of:
        followers.tend(record, None if policy is None else policy.expires_after)
    elif record.status == "approved":
        _dispatch_again(run, record)
    elif policy is None:
        _pay_overdue(run, record)
    elif record.status == "pending" and record.requested_at + policy.expires_after <= run.now:
        _expire(run, record)
    else:
        _pay_overdue(run, record)
        if (
            record.status == "pending"
            and record.reminded_at is None
            and not record.owes("question")
            and record.requested_at + policy.reminds_after <= run.now
            and run.channels.problem("approval") is None
        ):
            _remind(run, record)


def _pay_overdue(run: Run, record: Record) -> None:
    """Pay what is owed for long, in the channels that are not known to be closed."""
    overdue = record.due(run.now, owed_for=OVERDUE_AFTER)
    payable = [debt for debt in overdue if debt in CHANNELS and run.channels.problem(CHANNELS[debt]) is None]
    if not payable:
        return
    claim = run.table.claim(record.request.request_id, payable, now=run.present)
    if claim is not None:
        pay(run, claim)


def _dispatch_again(run: Run, record: Record) -> None:
    """Dispatch an approval whose outcome has not come: the first publish may have failed, or got lost on the way.

    The member takes the same decision twice and carries it out once. It is asked ever more rarely, so that a member
    that never answers is not called each few minutes for days.
    """
    if "dispatch" not in record.due(run.now, owed_for=OVERDUE_AFTER):
        return
    claim = run.table.claim(record.request.request_id, ("dispatch",), now=run.present)
    if claim is None or not claim.debts:
        return
    since = dict(claim.record.owed)["dispatch"]
    if run.now - since >= _STUCK_AFTER:
        count("ApprovalsStuck")
        logger.warning("approved, but no outcome came", extra={**facts(record), "since": since.isoformat()})
    try:
        dispatch.dispatch(run, claim.record)
    except (ClientError, BotoCoreError):
        run.table.release(claim.record, "dispatch")
        raise
    entry = Entry(at=run.now, status="approved", previous="approved", by=SWEEP, note="dispatched again")
    run.table.release(claim.record, "dispatch", until=spaced(run.now, since), entry=entry)


def _expire(run: Run, record: Record) -> None:
    move = Move(
        request_id=record.request.request_id,
        previous="pending",
        to="expired",
        digest=record.request.digest,
        at=run.present,
        by=SWEEP,
        note="nobody decided in time",
        owes=RESULTS,
        pays_itself=True,
        values={},
    )
    moved = run.table.move(move)
    if isinstance(moved, Moved):
        count("Outcomes", status="expired")
        logger.info("request expired", extra=facts(moved.record))
        pay(run, Claim(record=moved.record, debts=frozenset(RESULTS)))


def _remind(run: Run, record: Record) -> None:
    entry = Entry(at=run.present, status="pending", previous="pending", by=SWEEP, note="asked again")
    claim = run.table.remind(record, entry)
    if claim.debts:
        count("Reminders")
        pay(run, claim)
