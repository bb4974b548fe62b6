"""SNS as the product uses it: who may publish where, and the event that a subscribed function gets.

moto takes the message and checks it (size, subject, topic); delivering across accounts is what it cannot do.
"""

from collections.abc import Mapping
from typing import Any

from sandbox.aws.calls import ApiCall
from sandbox.aws.events import message_event
from sandbox.aws.request import ApiRequest, Caller


class TopicPolicies:
    """For each topic the accounts that may publish on it; everybody else is refused, its own account included."""

    def __init__(self, publishers: Mapping[str, frozenset[str]]) -> None:
        """Take the accounts by topic ARN; a topic that is not named lets its own account publish."""
        self._publishers = dict(publishers)

    def guard(self, request: ApiRequest, caller: Caller) -> tuple[str, str] | None:
        """Refuse a Publish call that the topic's policy denies, or that is signed for another region."""
        topic = published_topic(request)
        if not topic:
            return None
        _, _, _, region, account, _ = topic.split(":", 5)
        if region != request.region:
            return "InvalidParameter", f"Invalid parameter: TopicArn Reason: {topic} is not in {request.region}"
        if caller.account not in self._publishers.get(topic, {account}):
            return (
                "AuthorizationError",
                f"User: {caller.arn} is not authorized to perform: SNS:Publish on resource: {topic}",
            )
        return None


def published_topic(request: ApiRequest) -> str:
    """Return the topic's ARN when a request publishes on a topic, else an empty string."""
    if request.service != "sns" or request.action != "Publish":
        return ""
    arn = request.parameters.get("TopicArn") or request.parameters.get("TargetArn", "")
    return arn if arn.count(":") == 5 else ""


def lambda_event(call: ApiCall, message_id: str) -> dict[str, Any]:
    """Make the event that a function subscribed to the topic of a Publish call gets."""
    parameters = call.request.parameters
    return message_event(
        published_topic(call.request),
        parameters.get("Message", ""),
        subject=parameters.get("Subject"),
        message_id=message_id,
        attributes=_attributes(parameters),
    )


def _attributes(parameters: Mapping[str, str]) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    position = 1
    while f"MessageAttributes.entry.{position}.Name" in parameters:
        entry = f"MessageAttributes.entry.{position}"
        attributes[parameters[f"{entry}.Name"]] = {
            "Type": parameters.get(f"{entry}.Value.DataType", "String"),
            "Value": parameters.get(f"{entry}.Value.StringValue", ""),
        }
        position += 1
    return attributes
