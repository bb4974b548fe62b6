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


def test_a_dead_letter_of_lambda_is_the_event_inside() -> None:
    """The on-failure destination wraps it."""
    arn = PLACE.function_arn("revertSecurityGroup")
    letter = read_dead_letter(
        message({"requestContext": {"functionArn": f"{arn}:$LATEST"}, "requestPayload": {"detail": 1}}), PLACE
    )
    assert (letter.function, letter.event) == ("revertSecurityGroup", {"detail": 1})


def test_a_dead_letter_of_eventbridge_is_the_event_itself() -> None:
    """Its target is in an attribute."""
    letter = read_dead_letter(message({"detail": 1}, TARGET_ARN=PLACE.function_arn("snapshotSecurityGroups")), PLACE)
    assert (letter.function, letter.event) == ("snapshotSecurityGroups", {"detail": 1})


def test_a_dead_letter_of_sns_becomes_a_record() -> None:
    """Lambda gets notifications as records."""
    body = {"Type": "Notification", "TopicArn": PLACE.arn("sns", "applySecurityGroupChange"), "Message": "text"}
    letter = read_dead_letter(message(body), PLACE)
    assert letter.function == "applySecurityGroupChange"
    assert letter.event["Records"][0]["Sns"]["Message"] == "text"


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
        ({"TopicArn": "arn:aws:sns:eu-west-1:222222222222:other", "Message": ""}, {}),
        ({"detail": 1}, {"TARGET_ARN": "arn:aws:lambda:eu-west-1:222222222222:function:other"}),
    ],
)
def test_a_dead_letter_of_another_app_is_left(body: Any, attributes: dict[str, str]) -> None:
    """It is not sent to any function."""
    with pytest.raises(UnknownDeadLetterError):
        read_dead_letter(message(body, **attributes), PLACE)


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
