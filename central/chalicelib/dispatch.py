"""Sends a decision to where it is carried out.

An approval goes to the topic ``applySecurityGroupChange`` of the request's own account and region, every other end to
``denySecurityGroupChange`` here. Both receivers trust their own store and accept the same message twice.
"""

from __future__ import annotations

from shared.aws.topics import publish, topic_arn
from shared.wire.messages import APPLY, DENY, ApplyMessage, DenyMessage

from .context import Context
from .requests.record import Record
from .steps import step


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
