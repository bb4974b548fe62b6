"""The events that EventBridge's scheduler and SNS send to functions."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def scheduled_event(*, account: str, region: str, rule: str, at: datetime | None = None) -> dict[str, Any]:
    """Make the event of one run of a schedule, now unless ``at`` is given.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
    """
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [f"arn:aws:events:{region}:{account}:rule/{rule}"],
        "detail": {},
    }


def message_event(
    topic: str,
    message: str,
    *,
    subject: str | None = None,
    message_id: str = "",
    attributes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Make the event that a function subscribed to a topic (by ARN) gets.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
    """
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": f"{topic}:{uuid.uuid5(uuid.NAMESPACE_URL, topic)}",
                "Sns": {
                    "Type": "Notification",
                    "MessageId": message_id or str(uuid.uuid4()),
                    "TopicArn": topic,
                    "Subject": subject,
                    "Message": message,
                    "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
                    "SignatureVersion": "1",
                    "Signature": "EXAMPLE",
                    "SigningCertUrl": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService.pem",
                    "UnsubscribeUrl": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
                    "MessageAttributes": dict(attributes or {}),
                },
            }
        ]
    }
