"""Publishes our messages on SNS topics, in this account or another."""

from __future__ import annotations

from typing import Final

from shared.aws.clients import client
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


def partition(region: str) -> str:
    """Return the AWS partition of a region: ``aws``, ``aws-cn`` or ``aws-us-gov``."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def publish(arn: str, message: Message, *, subject: str, hurried: bool = False) -> None:
    """Publish a message.

    Args:
        arn: the topic.
        message: what to say.
        subject: a fixed, short phrase; user text has no place in it (a group name of 255 characters would lose the
            message).
        hurried: give up within about two seconds.

    Raises:
        botocore.exceptions.ClientError: when SNS refuses it; the caller's trigger is then delivered again.
    """
    region = arn.split(":")[3]
    client("sns", region, pace="hurried" if hurried else "usual").publish(
        TopicArn=arn, Message=write_message(message), Subject=subject[:_LONGEST_SUBJECT]
    )
