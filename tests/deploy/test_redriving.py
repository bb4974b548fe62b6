"""The three forms of dead letters, and which messages stay in their queue."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.names import Place
from deploy.redriving import UnknownDeadLetterError, read_dead_letter, summary

PLACE = Place(app="member", stage="prod", partition="aws", account="222222222222", region="eu-west-1")


def message(body: Any, **attributes: str) -> dict[str, Any]:
    """Return a message as SQS returns it."""
    return {
        "MessageId": "1",
        "Body": body if isinstance(body, str) else json.dumps(body),
        "MessageAttributes": {name: {"StringValue": value} for name, value in attributes.items()},
    }


RECORD = {
    "source": "aws.ec2",
    "detail-type": "AWS API Call via CloudTrail",
    "account": PLACE.account,
    "region": PLACE.region,
    "detail": {"recipientAccountId": PLACE.account},
}
SCHEDULED = {"source": "aws.events", "account": PLACE.account, "region": PLACE.region}
TOPIC = PLACE.arn("sns", "applySecurityGroupChange")
NOTIFICATION = {"Type": "Notification", "TopicArn": TOPIC, "Message": "text"}
MESSAGE = {"Records": [{"EventSource": "aws:sns", "Sns": NOTIFICATION}]}


def failed(function: str, event: Any) -> dict[str, Any]:
    """Return what Lambda writes to the queue of failures."""
    arn = f"{PLACE.function_arn(function)}:$LATEST"
    return message({"requestContext": {"functionArn": arn}, "requestPayload": event})


@pytest.mark.parametrize(
    ("function", "event"),
    [("revertSecurityGroup", RECORD), ("snapshotSecurityGroups", SCHEDULED), ("applySecurityGroupChange", MESSAGE)],
)
def test_a_dead_letter_of_lambda_is_the_event_inside(function: str, event: dict[str, Any]) -> None:
    """The on-failure destination wraps it."""
    letter = read_dead_letter(failed(function, event), PLACE, PLACE.failures)
    assert (letter.function, letter.event) == (function, event)


def test_a_dead_letter_of_eventbridge_is_the_event_itself() -> None:
    """Its target is in an attribute."""
    sent = message(SCHEDULED, TARGET_ARN=PLACE.function_arn("snapshotSecurityGroups"))
    letter = read_dead_letter(sent, PLACE, PLACE.undelivered)
    assert (letter.function, letter.event) == ("snapshotSecurityGroups", SCHEDULED)


def test_a_dead_letter_of_sns_becomes_a_record() -> None:
    """Lambda gets notifications as records."""
    letter = read_dead_letter(message(NOTIFICATION), PLACE, PLACE.undelivered)
    assert letter.function == "applySecurityGroupChange"
    assert letter.event["Records"][0]["Sns"]["Message"] == "text"


@pytest.mark.parametrize("queue", PLACE.queues)
@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ("not JSON", {}),
        ("[]", {}),
        ({}, {}),
        (
            {
                "requestContext": {"functionArn": "arn:aws:lambda:eu-west-1:222222222222:function:other"},
                "requestPayload": {},
            },
            {},
        ),
        ({"requestContext": "", "requestPayload": {}}, {}),
        ({"TopicArn": "arn:aws:sns:eu-west-1:222222222222:other", "Message": ""}, {}),
        ({"detail": 1}, {"TARGET_ARN": "arn:aws:lambda:eu-west-1:222222222222:function:other"}),
    ],
)
def test_a_dead_letter_of_another_app_is_left(body: Any, attributes: dict[str, str], queue: str) -> None:
    """It is not sent to any function."""
    with pytest.raises(UnknownDeadLetterError):
        read_dead_letter(message(body, **attributes), PLACE, queue)


@pytest.mark.parametrize(
    ("function", "event", "reason"),
    [
        ("revertSecurityGroup", [], "not a JSON object"),
        ("revertSecurityGroup", {**RECORD, "source": "my.app"}, "not from aws.ec2"),
        ("revertSecurityGroup", {**RECORD, "account": "333333333333"}, "not from account 222222222222"),
        ("revertSecurityGroup", {**RECORD, "region": "us-east-1"}, "not from account 222222222222, eu-west-1"),
        ("revertSecurityGroup", {**RECORD, "detail-type": "x"}, "not a record of CloudTrail"),
        ("revertSecurityGroup", {**RECORD, "detail": "x"}, "not a record of CloudTrail"),
        ("revertSecurityGroup", {**RECORD, "detail": {"recipientAccountId": "3"}}, "its record is of account 3"),
        ("snapshotSecurityGroups", RECORD, "not from aws.events"),
        ("applySecurityGroupChange", RECORD, "not a message of SNS"),
        ("applySecurityGroupChange", {"Records": []}, "not a message of SNS"),
        ("applySecurityGroupChange", {"Records": [1]}, "not a message of SNS"),
        ("applySecurityGroupChange", {"Records": [{"EventSource": "x", "Sns": {}}]}, "not a message of SNS"),
        (
            "applySecurityGroupChange",
            {"Records": [{"EventSource": "aws:sns", "Sns": {**NOTIFICATION, "TopicArn": TOPIC.replace("2", "3")}}]},
            "not from the topic arn:aws:sns:eu-west-1:222222222222:applySecurityGroupChange",
        ),
    ],
)
def test_what_no_source_of_ours_can_have_sent_is_left(function: str, event: Any, reason: str) -> None:
    """A forged letter opens nothing by a redrive; it stays for a person to look at."""
    with pytest.raises(UnknownDeadLetterError, match=reason):
        read_dead_letter(failed(function, event), PLACE, PLACE.failures)


def test_a_letter_in_the_queue_of_another_sender_is_left() -> None:
    """Lambda writes to one queue alone, SNS and EventBridge to the other: so does whoever imitates them."""
    for sent, queue in (
        (failed("revertSecurityGroup", RECORD), PLACE.undelivered),
        (message(NOTIFICATION), PLACE.failures),
        (message(SCHEDULED, TARGET_ARN=PLACE.function_arn("snapshotSecurityGroups")), PLACE.failures),
    ):
        with pytest.raises(UnknownDeadLetterError):
            read_dead_letter(sent, PLACE, queue)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            {"detail": {"eventName": "RevokeSecurityGroupIngress", "requestID": "r-1", "userIdentity": {"arn": "a"}}},
            "RevokeSecurityGroupIngress by a, request r-1",
        ),
        ({"Records": [{"Sns": {"Message": "text"}}]}, "text"),
        ({"detail": {}, "source": "aws.events"}, '{"detail": {}, "source": "aws.events"}'),
    ],
)
def test_a_look_shows_what_a_dead_letter_is_about(event: dict[str, Any], said: str) -> None:
    """So that an operator knows what a redrive would do."""
    assert summary(event) == said
