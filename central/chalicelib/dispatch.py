"""Sends a decision to where it is carried out.

An approval goes to the topic ``applySecurityGroupChange`` of the request's own account and region, every other end to
``denySecurityGroupChange`` here. Both receivers trust their own store and take the same message twice.
"""

from __future__ import annotations

from shared.aws.clients import RetryProfile
from shared.aws.topics import publish, topic_arn
from shared.domain.record import Record
from shared.wire.messages import APPLY, DENY, ApplyMessage, DenyMessage

from .context import Run, step


def dispatch(run: Run, record: Record, *, retries: RetryProfile = "standard") -> None:
    """Publish the decision of a decided request.

    Args:
        run: this invocation.
        record: ``approved``, or ended.
        retries: ``fail_fast`` gives up within about two seconds.

    Raises:
        botocore.exceptions.ClientError: when SNS refuses; the sweep tries again.
        botocore.exceptions.BotoCoreError: when SNS cannot be reached.
    """
    request = record.request
    with step("dispatch decision", record):
        if record.status != "approved":
            arn = topic_arn(DENY, account=run.account, region=run.region)
            ending = DenyMessage(request_id=request.request_id, digest=request.digest)
            publish(arn, ending, subject="Security group change denied", retries=retries)
            return
        approval = ApplyMessage(
            request_id=request.request_id,
            digest=request.digest,
            approver_id=record.decided_by,
            approver_name=record.decided_by_name,
            approved_at=record.decided_at or run.now,
        )
        arn = topic_arn(APPLY, account=request.account, region=request.region)
        publish(arn, approval, subject="Security group change approved", retries=retries)
