"""Tells when a member sent its last heartbeat, and how long the event of its last probe took."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from deploy.names import TABLES
from deploy.target import Target
from shared.aws.attributes import from_attributes


def told(target: Target, now: datetime) -> str:
    """Return a sentence about heartbeat and probe; what is wrong with them, central announces.

    Args:
        target: a member account and region.
        now: the time, UTC.

    Raises:
        botocore.exceptions.ClientError: when the table may not be read.
    """
    key: dict[str, Any] = {"id": {"S": f"probe#{target.place.region}"}}
    answer = target.client("dynamodb").get_item(TableName=TABLES["member"], Key=key, ConsistentRead=True)
    item = from_attributes(answer.get("Item", {}))
    beat_at = _time(item.get("beatAt"))
    if beat_at is None:
        return "No heartbeat was sent yet; the first snapshot sends it."
    age = int((now - beat_at).total_seconds() // 60)
    sent = f"The last heartbeat was sent {age} minutes ago, by version {item.get('version', 'unknown')}"
    return f"{sent}; {_probe(item)}."


def _probe(item: dict[str, Any]) -> str:
    arrived, delay = _time(item.get("arrivedAt")), item.get("delayMilliseconds")
    probed = _time(item.get("probedAt"))
    if arrived is None or not isinstance(delay, int):
        return "the event of no probe has arrived yet"
    took = f"took {delay / 1000:.0f} seconds"
    # CloudTrail's times have whole seconds, and the two clocks need not agree.
    is_of_last = probed is None or arrived > probed - timedelta(minutes=2)
    return (
        f"the event of the last probe {took}" if is_of_last else f"an earlier probe's event {took}, the last is missing"
    )


def _time(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None
