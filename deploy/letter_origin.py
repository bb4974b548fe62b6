"""Says whether a dead letter can come from where it says: its queue, its form, its topic or its event's account.

The queues' policies keep others out. This is the second line: a redrive hands a letter to a function that trusts its
source, so what no source of ours can have sent stays in its queue, where a person can look at it.

It cannot tell who wrote a message that has the right form. That is what the policies are for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.names import REVERT, TOPICS, Place


def doubt(function: str, event: Any, place: Place) -> str:
    """Return why an event cannot be one for a function of this place; ``""`` when it can.

    Args:
        function: the function it says it is for.
        event: what that function would be invoked with.
        place: the app's account and region.
    """
    if not isinstance(event, Mapping):
        return "its event is not a JSON object"
    if function in TOPICS[place.app]:
        return _of_topic(event, place.arn("sns", function))
    return _of_rule(function, event, place)


def _of_topic(event: Mapping[str, Any], topic: str) -> str:
    records = event.get("Records")
    if event.keys() != {"Records"} or not isinstance(records, list) or not records:
        return "its event is not a message of SNS"
    for one in records:
        message = one.get("Sns") if isinstance(one, Mapping) else None
        if not isinstance(message, Mapping) or one.get("EventSource") != "aws:sns":
            return "its event is not a message of SNS"
        if message.get("TopicArn") != topic:
            return f"its message is not from the topic {topic}"
    return ""


def _of_rule(function: str, event: Mapping[str, Any], place: Place) -> str:
    source = "aws.ec2" if function == REVERT else "aws.events"
    if event.get("source") != source:
        return f"its event is not from {source}"
    if (event.get("account"), event.get("region")) != (place.account, place.region):
        return f"its event is not from account {place.account}, {place.region}"
    if function != REVERT:
        return ""
    detail = event.get("detail")
    if event.get("detail-type") != "AWS API Call via CloudTrail" or not isinstance(detail, Mapping):
        return "its event is not a record of CloudTrail"
    recipient = detail.get("recipientAccountId", place.account)
    return "" if recipient == place.account else f"its record is of account {recipient}"
