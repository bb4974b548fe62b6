"""Sends a decision to where it is carried out.

An approval goes to the topic ``applySecurityGroupChange`` of the request's own account and region, every other end to
``denySecurityGroupChange`` here. Both receivers trust their own store and accept the same message twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from shared.aws.topics import publish, topic_arn
from shared.wire.messages import APPLY, DENY, ApplyMessage, DenyMessage

from .context import Context
from .requests.record import Decision, Record, Task
from .slack.click_payload import Click
from .steps import step

_ANSWERED_WITHIN: Final = timedelta(seconds=3)
"""So long Slack waits for the answer to a click; a later click of the same person is another try."""

_LEFT_TO_SWEEP_AFTER: Final = timedelta(minutes=5)


def dispatch_decision(context: Context, record: Record, *, fail_fast: bool = False) -> None:
    """Publish the decision of a decided request.

    Args:
        context: this invocation.
        record: ``approved``, or ended.
        fail_fast: give up within about two seconds.

    Raises:
        botocore.exceptions.ClientError: when SNS refuses; the sweep tries again.
        botocore.exceptions.BotoCoreError: when SNS cannot be reached.
    """
    request = record.request
    with step("dispatch decision", record):
        decision = record.decision
        if record.status != "approved" or decision is None:
            arn = topic_arn(DENY, account=context.account, region=context.region)
            ending = DenyMessage(request_id=request.request_id, digest=request.digest)
            publish(
                arn, ending, subject="Security group change denied", retries="fail_fast" if fail_fast else "standard"
            )
            return
        approval = ApplyMessage(
            request_id=request.request_id,
            digest=request.digest,
            approver_id=decision.by,
            approver_name=decision.by_name,
            approved_at=decision.at,
            approvals=record.approvals,
            valid_until=record.valid_until,
        )
        arn = topic_arn(APPLY, account=request.account, region=request.region)
        publish(
            arn, approval, subject="Security group change approved", retries="fail_fast" if fail_fast else "standard"
        )


def is_left_undone(
    now: datetime, click: Click, decision: Decision | None, tasks: Iterable[tuple[Task, datetime]]
) -> bool:
    """Say whether a click that changed nothing repeats an own one that decided and may not have dispatched.

    The answer to the write of that one may have been lost, so that its clicker was asked to click again. The receivers
    accept the same decision twice, so dispatching it once more is harmless; the sweep would do it after five minutes.

    Args:
        now: the time of the click.
        click: the later click.
        decision: who decided the request, or the batch.
        tasks: its pending tasks.
    """
    if decision is None or decision.by != click.user_id:
        return False
    if not _ANSWERED_WITHIN <= now - decision.at < _LEFT_TO_SWEEP_AFTER:
        return False
    return any(task == ("dispatch" if click.approving else "notify") for task, _ in tasks)
