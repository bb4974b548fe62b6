"""Withdraws a batch whole: its requester no longer asks for anything that waits in it.

What does not belong here: withdrawing one request (``central.chalicelib.withdrawal``).
"""

from __future__ import annotations

from typing import Final

from shared.domain.caller import Caller
from shared.domain.policy import Policy, person_behind
from shared.policy.loading import written_policies
from shared.slack.batch_messages import batch_message
from shared.slack.batch_status import batch_status
from shared.slack.messages import as_replacement
from shared.telemetry import count, logger

from ..context import Context
from ..requests.record import WITHDRAWN
from ..slack.answering import Answering
from ..slack.click_payload import Click
from ..steps import step
from .asking import end_undecided
from .reporting import try_to_dispatch
from .table import Batches
from .views import view_of_batch

_UNKNOWN: Final = "This batch is not known here. Nothing was changed."
_CHANGED: Final = "This question has changed since, so your click changed nothing."


def refusal_of_withdrawal(policy: Policy, requester: Caller | None, click: Click) -> str:
    """Return why somebody may not withdraw; empty for the requester.

    Args:
        policy: of the account.
        requester: who made the change; ``None`` when nobody knows.
        click: who clicks.
    """
    if policy.problem:
        return (
            "Nothing can be withdrawn at the moment, because the policy that says who is who cannot be used: "
            f"{policy.problem} Your click changed nothing. Please click again when the file has been corrected."
        )
    person = None if requester is None else person_behind(policy, requester)
    if person is None:
        return "Your click changed nothing: the policy does not say who the requester is in Slack (people)."
    return "" if person == click.user_id else "Your click changed nothing: only the requester can withdraw this."


def withdraw_batch(context: Context, answering: Answering, batch_id: str) -> None:
    """Withdraw a batch that has been asked, and answer the click.

    Args:
        context: this invocation.
        answering: the click: on a button of the batch, or of one of its requests.
        batch_id: which batch.

    Raises:
        botocore.exceptions.ClientError: when it could not be stored.
    """
    click, batches = answering.click, Batches(context.table)
    batch = batches.get(batch_id)
    if batch is None:
        _refuse(answering, "unknown", _UNKNOWN)
        return
    records = batches.records(batch)
    requester = next((one.request.requester for one in records if one.request.requester is not None), None)
    refusal = refusal_of_withdrawal(written_policies().for_account(batch.account), requester, click)
    if refusal:
        _refuse(answering, "not allowed", refusal)
        return
    if click.is_of_batch and click.digest != batch.digest and not batch.outcome:
        _refuse(answering, "digest", _CHANGED)
        return
    with step("withdraw batch", batch=batch_id, user=click.user_id):
        is_withdrawn = not batch.outcome and end_undecided(
            context, batch, records, "withdrawn", by=click.user_id, note=WITHDRAWN
        )
    batch = batches.get(batch_id) or batch
    records = batches.records(batch)
    view = view_of_batch(batch, records, None)
    if not is_withdrawn:
        _refuse(answering, "late", f"Your click changed nothing. {batch_status(view).plain_line}")
        return
    count("Decisions", outcome="withdrawn")
    logger.info("batch withdrawn", extra={"batch": batch_id, "user": click.user_id})
    answering.post(as_replacement(batch_message(view)[-1]))
    try_to_dispatch(context, batch, records)


def _refuse(answering: Answering, why: str, text: str) -> None:
    click = answering.click
    count("ClicksRefused", reason=why)
    logger.warning("click changed nothing", extra={"batch": click.request_id, "user": click.user_id, "reason": why})
    answering.tell(text)
