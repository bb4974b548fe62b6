"""Publishes the product's messages on SNS topics, in this account or another."""

from __future__ import annotations

from typing import Final

from shared.aws.clients import RetryProfile, client, partition
from shared.wire.messages import Message, write_message

_LONGEST_SUBJECT: Final = 100  # https://docs.aws.amazon.com/sns/latest/api/API_Publish.html


def topic_arn(name: str, *, account: str, region: str) -> str:
    """Return the ARN of a topic.

    Args:
        name: e.g. ``securityGroupChange``.
        account: 12-digit account that owns it.
        region: its region; the partition follows from it.
    """
    return f"arn:{partition(region)}:sns:{region}:{account}:{name}"


def publish(arn: str, message: Message, *, subject: str, retries: RetryProfile = "standard") -> None:
    """Publish a message.

    Args:
        arn: the topic.
        message: what to publish.
        subject: a fixed, short phrase. User text does not belong in it: SNS refuses a message with a long subject.
        retries: ``fail_fast`` gives up within about two seconds.

    Raises:
        botocore.exceptions.ClientError: when SNS refuses it; the caller's trigger is then delivered again.
    """
    client("sns", arn.split(":")[3], retries=retries).publish(
        TopicArn=arn, Message=write_message(message), Subject=subject[:_LONGEST_SUBJECT]
    )
