"""Decides a request by a click: judged by the stored request and today's policy, made by one conditional write.

The write itself checks status, digest and age, and returns what the rest needs. Where the answer depends on more than
that (``[[rules]]``, a list of approvers that holds for some accounts, hours, who made the change), the request is read
first, consistently, and the write also checks that nobody has approved meanwhile; else the click is judged again.

What does not belong here: how a click is judged (``shared.domain.approval``), and what happens to a decision afterwards
(``click``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from shared.domain.approval import Judgement, Terms, judge, terms_of
from shared.domain.policy import Policies, Policy, may_decide
from shared.domain.request import Approver
from shared.policy.loading import written_policies
from shared.slack.status_view import click_sentence

from .approvers import deciding_policy
from .batches.batch import LONGEST
from .context import Context
from .denial import missing_reason
from .outbox import NOTIFY
from .requests.moves import Move, Moved
from .requests.record import ClickedMessage, Decision, Record
from .slack.click_payload import Click
from .slack.webhook import is_response_url

Refusal = Literal[
    "unknown", "digest", "not allowed", "hours", "repeated", "late", "busy", "gathered", "reason", "elsewhere"
]

_ASKED_WITHIN: Final = LONGEST + timedelta(minutes=1)
"""When the question for all is posted at the latest after the first request: the batch closes, and the sweep comes."""

_MOST_TRIES: Final = 20
"""Each refused write means that somebody else's click counted: more than the most approvals a policy can ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoDecision:
    """A click that changed nothing.

    Attributes:
        why: for logs and metrics.
        text: for the clicker.
        people: Slack ids of those who may decide, where the clicker may not.
        record: the request as stored, where there is one.
    """

    why: Refusal
    text: str
    people: tuple[str, ...] = ()
    record: Record | None = None


def decide(context: Context, click: Click) -> Record | NoDecision:
    """Make the decision of a click, or count its approval.

    Returns:
        The request as it is now; ``pending`` where more people have to approve.

    Raises:
        botocore.exceptions.ClientError: when it could not be stored.
    """
    policies = written_policies()
    if not _depends_on_the_request(policies, click):
        soonest = min(policy.expires_after for policy in _every(policies))
        moved = context.table.move(_sole_decision(context, click, requested_after=context.now - soonest))
        if isinstance(moved, Moved):
            return moved.record
        record = moved.record
    else:
        record = context.table.get(click.request_id)
    for _ in range(_MOST_TRIES):
        move = _judged(context, click, policies, record)
        if isinstance(move, NoDecision):
            return move
        moved = context.table.move(move)
        if isinstance(moved, Moved):
            return moved.record
        record = moved.record
    text = "Others click at this very moment, so your click changed nothing. Please click again."
    return NoDecision(why="busy", text=text, record=record)


def _every(policies: Policies) -> list[Policy]:
    return [policies.general, *(policy for _, policy in policies.accounts)]


def _depends_on_the_request(policies: Policies, click: Click) -> bool:
    """Say whether the stored request has a say in whether this click alone decides.

    It does not where the clicker may decide in every account, no entry of ``[[rules]]`` can ask for more, nobody is
    kept from approving their own change (the write excludes requests that ask first), it is approved for good, and a
    denial has its reason.
    """
    return click.hours is not None or any(
        policy.rules
        or bool(missing_reason(policy, click))
        or (click.approving and not policy.allow_self_approval)
        or not may_decide(policy, user_id=click.user_id, approving=click.approving, requester=None).allowed
        for policy in _every(policies)
    )


def _judged(context: Context, click: Click, policies: Policies, record: Record | None) -> Move | NoDecision:
    """Judge a click by the stored request; the move holds only while that has not changed."""
    if record is None:
        return NoDecision(why="unknown", text="This request is not known here. Nothing was changed.")
    if record.request.digest != click.digest:
        text = "This button does not belong to the request as it is stored, so your click changed nothing."
        return NoDecision(why="digest", text=text, record=record)
    if record.status != "pending":
        return NoDecision(why="late", text=click_sentence(record.view), record=record)
    if record.approval_post not in ("", click.address):
        text = "Another message in the approval channel asks this now, so your click here changed nothing."
        return NoDecision(why="elsewhere", text=text, record=record)
    if record.asked_in:
        return NoDecision(why="gathered", text=gathered_text(record), record=record)
    policy = deciding_policy(policies.for_account(record.request.account), record.approvals, click.user_id)
    terms = terms_of(policy, record.request)
    judged = judge(terms, record.approvals, approver_of(context.now, click), approving=click.approving)
    if judged.outcome == "not allowed":
        return NoDecision(why=judged.outcome, text=judged.reason, people=judged.people, record=record)
    if record.requested_at + policy.expires_after <= context.now:
        return expiry(context, click)
    if judged.outcome in ("hours", "repeated"):
        return NoDecision(why=judged.outcome, text=judged.reason, record=record)
    missing = missing_reason(policy, click)
    if missing:
        return NoDecision(why="reason", text=missing, record=record)
    return _move(context, click, record, terms, judged)


def approver_of(now: datetime, click: Click) -> Approver:
    """Return who clicks, as the approval that the click may become."""
    return Approver(by=click.user_id, by_name=click.user_name, at=now, hours=click.hours)


def _sole_decision(context: Context, click: Click, *, requested_after: datetime) -> Move:
    """Return the move of a click that decides alone."""
    return Move(
        request_id=click.request_id,
        previous="pending",
        to="approved" if click.approving else "denied",
        digest=click.digest,
        at=context.now,
        by=click.user_id,
        requested_after=requested_after,
        tasks=("dispatch",) if click.approving else NOTIFY,
        decision=Decision(by=click.user_id, by_name=click.user_name, at=context.now, reason=click.reason),
        clicked=clicked_message(click),
        clicked_at=click.address,
        not_of="ask" if click.approving else None,
        judged_on=() if click.approving else None,
        approvals=(approver_of(context.now, click),) if click.approving else None,
    )


def _move(context: Context, click: Click, record: Record, terms: Terms, judged: Judgement) -> Move:
    """Return the move that a judged click makes; it holds while nobody else has approved."""
    if judged.outcome == "denied":
        return _sole_decision(context, click, requested_after=context.now - terms.policy.expires_after)
    is_last = judged.outcome == "approved"
    return Move(
        request_id=click.request_id,
        previous="pending",
        to="approved" if is_last else "pending",
        digest=click.digest,
        at=context.now,
        by=click.user_id,
        note=_note(terms, record.approvals, judged, click),
        requested_after=context.now - terms.policy.expires_after,
        # Monitoring hears of an approval that waits for others once the sweep comes by, and of a decision at once.
        tasks=("dispatch",) if is_last else ("announce",),
        decision=Decision(by=click.user_id, by_name=click.user_name, at=context.now) if is_last else None,
        clicked=clicked_message(click) if is_last else None,
        clicked_at=click.address,
        judged_on=record.approvals,
        approvals=judged.approvals,
        valid_until=context.now + timedelta(hours=judged.hours) if is_last and judged.hours is not None else None,
    )


def _note(terms: Terms, earlier: Sequence[Approver], judged: Judgement, click: Click) -> str:
    """Return what the history says of an approval: which one it was, for how long, and whose does not count now."""
    there = {one.by for one in judged.approvals}
    gone = [one.by for one in earlier if one.by not in there]
    parts = [
        f"approval {len(judged.approvals)} of {terms.needs.approvals}" if terms.needs.approvals > 1 else "",
        f"for {click.hours:g} h" if click.hours is not None else "",
        f"no longer counted: {', '.join(gone)}" if gone else "",
    ]
    return "; ".join(part for part in parts if part)


def gathered_text(record: Record) -> str:
    """Return the sentence for a click on a question that one for all calls replaces."""
    asked_by = (record.requested_at + _ASKED_WITHIN).astimezone(UTC)
    return (
        "Your click changed nothing: the same requester has made more calls, and one question for all of them replaces "
        f"this one. It is asked by {asked_by:%H:%M} UTC."
    )


def expiry(context: Context, click: Click) -> Move:
    """Return the move of a click that comes too late."""
    return Move(
        request_id=click.request_id,
        previous="pending",
        to="expired",
        digest=click.digest,
        at=context.now,
        by=click.user_id,
        note="clicked too late",
        tasks=NOTIFY,
        clicked=clicked_message(click),
    )


def clicked_message(click: Click) -> ClickedMessage:
    """Return the message that the result of a click replaces, or replies to."""
    response_url = click.response_url if is_response_url(click.response_url) else ""
    return ClickedMessage(response_url=response_url, ts=click.message_ts)
