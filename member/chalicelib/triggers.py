"""Between Chalice's events and the flows: each trigger's entry point, with the context of its invocation.

Each flow is imported when its trigger fires: the functions share a code base, not their imports.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared.telemetry import count, logger

from . import context
from .cloudtrail.event import ACTIONS, EventError

if TYPE_CHECKING:
    from chalice.app import CloudWatchEvent, SNSEvent

SECURITY_GROUP_CALLS = {
    "source": ["aws.ec2"],
    "detail-type": ["AWS API Call via CloudTrail"],
    "detail": {"eventSource": ["ec2.amazonaws.com"], "eventName": sorted(ACTIONS)},
}
"""What EventBridge hands to ``revertSecurityGroup``; no filter on the caller, whose type may be anything."""


def security_group_call(event: CloudWatchEvent) -> None:
    """Handle CloudTrail's record of a security-group call.

    Raises:
        EventError: when it is of no call this product knows; operators see the log, the metric and the dead letter.
    """
    from . import revert

    try:
        revert.on_change(context.begin(), event.to_dict())
    except EventError as error:
        logger.exception("unreadable event", extra={"path": error.path})
        count("UnreadableEvents")
        raise


def approval(event: SNSEvent) -> None:
    """Handle the messages of the apply topic; Lambda delivers one, but nothing says it always will.

    Raises:
        Exception: what the last message that failed raised; the others have been handled.
    """
    from . import approval as flow

    trouble: Exception | None = None
    for record in event.to_dict()["Records"]:
        try:
            flow.on_approval(context.begin(*_place_of(record["Sns"])), record["Sns"]["Message"])
        except Exception as error:  # noqa: BLE001 - one message must not keep the others waiting; raised below
            trouble = error
    if trouble is not None:
        raise trouble


def snapshot(event: CloudWatchEvent) -> None:
    """Look at all groups of the region; once an hour tell the central account how this one is, whatever came of it."""
    from . import heartbeat, snapshot

    here, now = context.begin(event.region, event.account), _not_before(event)
    try:
        snapshot.take_snapshot(here, now)
    except Exception as error:
        try:
            heartbeat.beat(here, now, failed=error)
        except Exception:  # noqa: BLE001 - what the snapshot failed with says more, and is raised
            logger.exception("heartbeat not sent")
        raise
    heartbeat.beat(here, now)


def _place_of(sns: Mapping[str, Any]) -> tuple[str, str]:
    """Return region and account of the topic; nothing for a message handed over by other means."""
    parts = str(sns.get("TopicArn", "")).split(":")
    return (parts[3], parts[4]) if len(parts) == 6 else ("", "")


def _not_before(event: CloudWatchEvent) -> datetime:
    """Return the time, never earlier than the schedule's own: clocks of two services need not agree."""
    text = str(event.to_dict().get("time", ""))
    try:
        scheduled = datetime.fromisoformat(text)
    except ValueError:
        return context.now()
    return max(context.now(), scheduled.replace(tzinfo=scheduled.tzinfo or UTC))
