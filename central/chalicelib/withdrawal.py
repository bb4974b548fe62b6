"""A requester withdraws a request that nobody has decided yet: it ends, and nobody has to look at it any more.

The policy's ``[people]`` says who a requester is in Slack; where it does not, nobody can withdraw. A request that is
asked with others is not withdrawn alone: its batch ends whole.

What does not belong here: withdrawing a batch (``batches.withdrawing``), and posting what became of it (``outbox``).
"""

from __future__ import annotations

from shared.policy.loading import written_policies
from shared.slack.status_view import click_sentence

from .batches.table import Batches
from .batches.withdrawing import refusal_of_withdrawal, withdraw_batch
from .context import Context
from .decision import NoDecision, expiry, gathered_text
from .outbox import NOTIFY
from .requests.moves import Move, Moved
from .requests.record import WITHDRAWN, Record
from .slack.answering import Answering
from .slack.click_payload import Click


def withdraw(context: Context, answering: Answering) -> Record | NoDecision | None:
    """Withdraw a request, or the batch in which it is asked.

    Returns:
        The request as it is now; ``None`` where its batch was answered for it.

    Raises:
        botocore.exceptions.ClientError: when it could not be stored.
    """
    click = answering.click
    record = context.table.get(click.request_id)
    if record is None:
        return NoDecision(why="unknown", text="This request is not known here. Nothing was changed.")
    if record.request.digest != click.digest:
        text = "This button does not belong to the request as it is stored, so your click changed nothing."
        return NoDecision(why="digest", text=text, record=record)
    policy = written_policies().for_account(record.request.account)
    refusal = refusal_of_withdrawal(policy, record.request.requester, click)
    if refusal:
        return NoDecision(why="not allowed", text=refusal, record=record)
    if record.status != "pending":
        return NoDecision(why="late", text=click_sentence(record.view), record=record)
    if record.asked_in:
        if Batches(context.table).get(record.asked_in) is None:  # it has not closed yet
            return NoDecision(why="gathered", text=gathered_text(record), record=record)
        withdraw_batch(context, answering, record.asked_in)
        return None
    is_late = record.requested_at + policy.expires_after <= context.now
    moved = context.table.move(expiry(context, click) if is_late else _withdrawal(context, click))
    if isinstance(moved, Moved):
        return moved.record
    text = click_sentence(moved.record.view) if moved.record else "This request is not known here any more."
    return NoDecision(why="late", text=text, record=moved.record)


def _withdrawal(context: Context, click: Click) -> Move:
    """Return the move; it holds while nobody has decided, and no batch asks for the request."""
    return Move(
        request_id=click.request_id,
        previous="pending",
        to="expired",
        digest=click.digest,
        at=context.now,
        by=click.user_id,
        note=WITHDRAWN,
        tasks=NOTIFY,
    )
