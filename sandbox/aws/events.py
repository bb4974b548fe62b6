"""The event that EventBridge's scheduler sends to a scheduled function."""

import uuid
from datetime import UTC, datetime
from typing import Any


def scheduled_event(*, account: str, region: str, rule: str) -> dict[str, Any]:
    """Make the event of one run of a schedule.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
    """
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [f"arn:aws:events:{region}:{account}:rule/{rule}"],
        "detail": {},
    }
