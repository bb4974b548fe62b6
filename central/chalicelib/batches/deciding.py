"""Decides a batch by a click: all of it in one transaction, on exactly what was shown.

The click's digest has to be the one of the question, and of what the stored requests come to now. Approvals are kept on
the batch's own item until there are enough. Who loses a race is told who won.

What does not belong here: how a click is judged (``shared.domain.approval``), and what happens when the results come
(``batches.reporting``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.approval import Judgement, judge
from shared.domain.request import Approver
from shared.policy.loading import written_policies
from shared.slack.batch_messages import batch_message, batch_processing
from shared.slack.batch_status import batch_status, person
from shared.slack.messages import as_replacement
from shared.telemetry import count, logger
from shared.wire.request_json import approver_to_json
from shared.wire.rule_json import time_to_text

from ..approvers import deciding_policy
from ..context import Context
from ..denial import missing_reason, report_ignored_requirement
from ..dispatch import is_left_undone
from ..requests.items import parts_to_item
from ..requests.record import ClickedMessage, Decision, Record, Task
from ..requests.update_expression import Update
from ..slack.answering import Answering
from ..slack.click_payload import Click
from ..slack.webhook import is_response_url
from ..steps import step
from .asking import expire
from .batch import Batch, Outcome
from .changes import NOTIFY, begin_tasks, end_with_batch
from .net_change import compose_batch, terms_of_batch
from .reporting import try_to_dispatch
from .table import Batches
from .views import view_of_batch
from .withdrawing import withdraw_batch

_MOST_TRIES: Final = 20
"""Each refused write means that somebody else's click counted."""

_VERBS: Final[Mapping[Outcome, str]] = {
    "approved": "Approved",
    "denied": "Denied",
    "one_by_one": "Will be asked one by one, as wished",
}

Why = Literal["", "unknown", "digest", "not allowed", "hours", "repeated", "late", "busy", "reason"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchClick:
    """What a click on a batch came to.

    Attributes:
        batch: the batch as it is now; ``None`` when there is none.
        records: its requests as they are now.
        why: why nothing was changed; empty when something was.
        text: for the clicker, when nothing was changed.
        people: Slack ids of those who may decide, where the clicker may not.
    """

    batch: Batch | None
    records: tuple[Record, ...] = ()
    why: Why = ""
    text: str = ""
    people: tuple[str, ...] = ()


def click_batch(context: Context, answering: Answering) -> None:
    """Decide or withdraw a batch, and answer the click.

    Args:
        context: this invocation.
        answering: a click on one of a batch's buttons, or the reason for denying it.

    Raises:
        botocore.exceptions.ClientError: when it could not be stored.
    """
    click = answering.click
    try:
        if click.withdrawing:
            withdraw_batch(context, answering, click.request_id)
            return
        with step("decide batch", batch=click.request_id, user=click.user_id):
            result = _decide(context, click)
    except (ClientError, BotoCoreError):
        count("ClicksFailed")
        answering.tell("Your click could not be stored, so it may not count. Please click again.")
        raise
    if result.why or result.batch is None:
        _explain(context, answering, result)
        return
    batch, records = result.batch, result.records
    count("Decisions", outcome=batch.outcome or "pending")
    logger.info("batch decided", extra={"batch": batch.batch_id, "outcome": batch.outcome, "user": click.user_id})
    if batch.outcome not in _VERBS:  # another approval is missing, or it has expired
        _refresh(answering, batch, records)
    else:
        view = view_of_batch(batch, records, None)
        verb = _VERBS[batch.outcome]
        answering.post(as_replacement(batch_processing(view, verb=verb, by=f"by {person(click.user_id)}")))
    if batch.outcome == "denied":
        report_ignored_requirement(written_policies().for_account(batch.account), batch.batch_id)
    if batch.outcome not in ("", "one_by_one"):
        try_to_dispatch(context, batch, records)


def _decide(context: Context, click: Click) -> BatchClick:
    batches = Batches(context.table)
    for _ in range(_MOST_TRIES):
        batch = batches.get(click.request_id)
        if batch is None:
            return BatchClick(batch=None, why="unknown", text="This batch is not known here. Nothing was changed.")
        records = tuple(batches.records(batch))
        judged = _judged(context, click, batch, records)
        if isinstance(judged, BatchClick):
            return judged
        if judged.outcome == "expired":
            if expire(context, batch, records, by=click.user_id):
                return _as_stored(batches, batch)
        elif judged.outcome == "":
            counted = _count_approval(batches, batch, judged.judgement)
            if counted is not None:
                return BatchClick(batch=counted, records=records)
        else:
            ending = _ending(context, batches, batch, records, click, judged)
            if _end(batches, batch, ending):
                # What was written is known: nothing has to be read again.
                return BatchClick(batch=ending.batch, records=ending.records)
        if _is_own(batches, click, judged):
            return _as_stored(batches, batch)
    text = "Others click at this very moment, so your click changed nothing. Please click again."
    return BatchClick(batch=None, why="busy", text=text)


def _as_stored(batches: Batches, batch: Batch) -> BatchClick:
    now = batches.get(batch.batch_id) or batch
    return BatchClick(batch=now, records=tuple(batches.records(now)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What a click is to do: the outcome it gives the batch (none: an approval that others have to join)."""

    outcome: Outcome
    judgement: Judgement


def _judged(context: Context, click: Click, batch: Batch, records: Sequence[Record]) -> _Judged | BatchClick:
    some = tuple(records)
    if batch.outcome:
        view = view_of_batch(batch, some, None)
        text = f"Your click changed nothing. {batch_status(view).plain_line}"
        return BatchClick(batch=batch, records=some, why="late", text=text)
    net = compose_batch(batch, some)
    if batch.is_outdated or not batch.digest or not click.digest == batch.digest == net.digest:
        text = "This question has changed since, so your click changed nothing. What is left is asked anew."
        return BatchClick(batch=batch, records=some, why="digest", text=text)
    policy = deciding_policy(written_policies().for_account(batch.account), batch.approvals, click.user_id)
    terms = terms_of_batch(policy, batch, net)
    approver = Approver(by=click.user_id, by_name=click.user_name, at=context.now, hours=click.hours)
    judgement = judge(terms, batch.approvals, approver, approving=click.approving)
    if judgement.outcome == "not allowed":
        return BatchClick(batch=batch, records=some, why="not allowed", text=judgement.reason, people=judgement.people)
    if batch.first_at + policy.expires_after <= context.now:
        return _Judged(outcome="expired", judgement=judgement)
    missing = missing_reason(policy, click)
    if missing:
        return BatchClick(batch=batch, records=some, why="reason", text=missing)
    match judgement.outcome:
        case "hours" | "repeated" as why:
            return BatchClick(batch=batch, records=some, why=why, text=judgement.reason)
        case "counted":
            return _Judged(outcome="", judgement=judgement)
        case "denied":
            return _Judged(outcome="one_by_one" if click.one_by_one else "denied", judgement=judgement)
        case _:
            return _Judged(outcome="approved", judgement=judgement)


def _count_approval(batches: Batches, batch: Batch, judgement: Judgement) -> Batch | None:
    """Keep an approval after which others are missing; ``None`` when somebody else has clicked meanwhile."""
    update = Update()
    update.set("approvals", [approver_to_json(one) for one in judgement.approvals])
    _require_as_judged(update, batch)
    return batches.update_alone(batch, update)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    """How a batch ends.

    Attributes:
        batch: as it is once that is written.
        records: its requests then.
        moved: those that end with it.
    """

    batch: Batch
    records: tuple[Record, ...]
    moved: tuple[Record, ...]


def _ending(
    context: Context, batches: Batches, batch: Batch, records: Sequence[Record], click: Click, judged: _Judged
) -> _Ending:
    """Return what a batch and its requests become by a decision; each request as it was, but for what changes."""
    outcome, judgement, now = judged.outcome, judged.judgement, context.now
    is_approved = outcome == "approved"
    decision = Decision(by=click.user_id, by_name=click.user_name, at=now, reason=click.reason)
    response_url = click.response_url if is_response_url(click.response_url) else ""
    tasks = {"approved": ("dispatch", *NOTIFY), "denied": NOTIFY}.get(outcome, ())
    ended = replace(
        batch,
        outcome=outcome,
        moved_in=batches.invocation,
        decision=decision,
        clicked=ClickedMessage(response_url=response_url, ts=click.message_ts),
        approvals=judgement.approvals if is_approved else batch.approvals,
        valid_until=None if judgement.hours is None else now + timedelta(hours=judgement.hours),
        tasks=tuple((task, now) for task in tasks),
        leases=(),
    )
    asked = set(batch.asked) if outcome != "one_by_one" else set()
    moved: dict[str, Record] = {}
    for one in records:
        if one.request.request_id in asked and one.status == "pending":
            # The batch is found through one of them until its result has been shown.
            own: tuple[Task, ...] = ("dispatch",) if is_approved else ("gather",) if not moved else ()
            moved[one.request.request_id] = replace(
                one,
                status="approved" if is_approved else "denied",
                decision=decision,
                approvals=judgement.approvals if is_approved else one.approvals,
                valid_until=ended.valid_until or one.valid_until,
                tasks=tuple((task, now) for task in own),
                leases=(),
            )
    return _Ending(
        batch=ended,
        records=tuple(moved.get(one.request.request_id, one) for one in records),
        moved=tuple(moved.values()),
    )


def _end(batches: Batches, batch: Batch, ending: _Ending) -> bool:
    """Decide a batch and all its requests; false when something has changed meanwhile."""
    ended = ending.batch
    is_approved = ended.outcome == "approved"
    assert ended.decision is not None  # noqa: S101 - see _ending
    update = Update()
    update.set("outcome", ended.outcome)
    update.set("movedIn", ended.moved_in)
    for key, value in parts_to_item(ended.decision, None, ended.clicked).items():
        update.set(key, value)
    if is_approved:
        update.set("approvals", [approver_to_json(one) for one in ended.approvals])
        if ended.valid_until is not None:
            update.set("validUntil", time_to_text(ended.valid_until))
    begin_tasks(update, (task for task, _ in ended.tasks), ended.decision.at)
    _require_as_judged(update, batch)
    updates = {
        one.request.request_id: end_with_batch(
            one,
            one.status,
            at=ended.decision.at,
            by=ended.decision.by,
            note=f"with batch {batch.batch_id}",
            tasks=tuple(task for task, _ in one.tasks),
            decision=ended.decision,
            approvals=ended.approvals if is_approved else None,
            valid_until=ended.valid_until,
            invocation=batches.invocation,
        )
        for one in ending.moved
    }
    return batches.update(batch, update, updates)


def _is_own(batches: Batches, click: Click, judged: _Judged) -> bool:
    """Say whether a write that was refused had been made before by this invocation, and its answer was lost."""
    batch = batches.get(click.request_id)
    is_same = batch is not None and batch.moved_in == batches.invocation and batch.outcome == judged.outcome
    return bool(is_same and batch is not None and batch.decision and batch.decision.by == click.user_id)


def _require_as_judged(update: Update, batch: Batch) -> None:
    update.require_absent("outcome")
    update.require_absent("isOutdated")
    update.require_equal("digest", batch.digest)
    if batch.approvals:
        update.require_equal("approvals", [approver_to_json(one) for one in batch.approvals])
    else:
        update.require_absent("approvals")


def _explain(context: Context, answering: Answering, result: BatchClick) -> None:
    click, batch = answering.click, result.batch
    count("ClicksRefused", reason=result.why)
    logger.warning(
        "click changed nothing", extra={"batch": click.request_id, "user": click.user_id, "reason": result.why}
    )
    was_shown = answering.tell(result.text, people=result.people)
    if batch is None:
        return
    if was_shown and result.why in ("late", "hours", "repeated"):
        _refresh(answering, batch, result.records)
    if is_left_undone(context.now, click, batch.decision, batch.tasks):
        try_to_dispatch(context, batch, result.records)


def _refresh(answering: Answering, batch: Batch, records: Sequence[Record]) -> None:
    """Show the present status in the clicked message; while approvals are missing, with buttons."""
    policy = written_policies().for_account(batch.account)
    view = view_of_batch(batch, records, None if batch.outcome else policy)
    answering.post(as_replacement(batch_message(view, asks=True)[-1]))
