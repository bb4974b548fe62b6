"""The verb ``redrive``: hands events from the dead-letter queues to their functions again.

Every step of the product is idempotent, so an event may be handed over as often as one likes. One run takes what
lies in the queues when it begins; an event that fails again comes back to its queue, and is not taken twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from deploy.console import done, note, step
from deploy.errors import DeployError
from deploy.names import FUNCTIONS, TOPICS, Place
from deploy.target import Target
from shared.slack.text import visible

_BATCH: Final = 10
_HIDDEN_SECONDS: Final = 120
_SHOWN: Final = 300
"""Characters of a message that a look shows."""


class UnknownLetterError(ValueError):
    """A message that no function can be found for; the message says why. It stays in its queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """An event and the function it was meant for."""

    function: str
    event: dict[str, Any]


def redrive(target: Target, *, only_look: bool = False) -> int:
    """Redrive both queues of an app; return how many messages could not be.

    Args:
        target: where.
        only_look: say what is there and leave it.
    """
    left = 0
    for queue in (target.place.failures, target.place.undelivered):
        step(f"queue {queue}")
        left += _redrive(target, queue, only_look=only_look)
    return left


def read_letter(message: Mapping[str, Any], place: Place) -> Letter:
    """Return the event of a dead letter, whichever of the three ways it came.

    Lambda's on-failure destination wraps the event; EventBridge sends it as it is, with the target in an attribute;
    SNS sends its notification, which Lambda would have got as a record.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html,
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html,
    https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html

    Raises:
        UnknownLetterError: for a message of another form, or for a function that is not ours.
    """
    try:
        body = json.loads(message["Body"])
    except ValueError as error:
        raise UnknownLetterError("it is no JSON") from error
    if not isinstance(body, dict):
        raise UnknownLetterError("it is no JSON object")
    if "requestPayload" in body:
        return Letter(
            function=_function(str(body["requestContext"]["functionArn"]), place), event=body["requestPayload"]
        )
    if "TopicArn" in body and "Message" in body:
        topic = str(body["TopicArn"]).rsplit(":", 1)[-1]
        if topic not in TOPICS[place.app]:
            raise UnknownLetterError(f"the topic {topic} feeds no function of this app")
        record = {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": "", "Sns": body}
        return Letter(function=topic, event={"Records": [record]})
    arn = message.get("MessageAttributes", {}).get("TARGET_ARN", {}).get("StringValue", "")
    if arn:
        return Letter(function=_function(arn, place), event=body)
    raise UnknownLetterError("neither Lambda nor SNS nor EventBridge writes messages like this")


def summary(event: Mapping[str, Any]) -> str:
    """Return in a line what an event is about: who did what, which message, or the event itself."""
    match event:
        case {"detail": {"eventName": call, "requestID": request_id} as detail}:
            who = detail.get("userIdentity", {}).get("arn", "nobody known")
            return f"{call} by {who}, request {request_id}"
        case {"Records": [{"Sns": {"Message": message}}]}:
            return str(message)[:_SHOWN]
    return json.dumps(event)[:_SHOWN]


def _function(arn: str, place: Place) -> str:
    name = ":".join(arn.split(":")[:7])
    for function in FUNCTIONS[place.app]:
        if name == place.function_arn(function):
            return function
    raise UnknownLetterError(f"{arn} is no function of this app and stage")


def _redrive(target: Target, queue: str, *, only_look: bool) -> int:
    sqs = target.client("sqs")
    try:
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist as error:
        raise DeployError(
            f"There is no queue {queue} in account {target.place.account}, {target.place.region}: is the "
            f"{target.place.app} app deployed here?"
        ) from error
    handed, unknown = 0, 0
    kept: list[str] = []
    for message in _messages(sqs, url):
        receipt = message["ReceiptHandle"]
        try:
            letter = read_letter(message, target.place)
        except UnknownLetterError as error:
            unknown += 1
            kept.append(receipt)
            note(f"message {message['MessageId']} stays: {error}")
            continue
        if only_look:
            kept.append(receipt)
            note(f"{letter.function}: {visible(summary(letter.event))}")
            continue
        target.client("lambda").invoke(
            FunctionName=target.place.function(letter.function),
            InvocationType="Event",
            Payload=json.dumps(letter.event).encode(),
        )
        sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt)
        handed += 1
    for receipt in kept:  # seen by the next one who looks, not in two minutes
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0)
    done(f"{handed} handed over, {len(kept)} left")
    return unknown


def _messages(sqs: Any, url: str) -> Iterator[Mapping[str, Any]]:
    """Yield each message that is in the queue now once; those not deleted come back after a while."""
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    waiting = int(answer["Attributes"]["ApproximateNumberOfMessages"])
    seen: set[str] = set()
    while True:
        messages = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=_BATCH,
            VisibilityTimeout=_HIDDEN_SECONDS,
            MessageAttributeNames=["All"],
            WaitTimeSeconds=1 if len(seen) < waiting else 0,
        ).get("Messages", [])
        fresh = [one for one in messages if one["MessageId"] not in seen]
        if not fresh:
            return
        for message in fresh:
            seen.add(message["MessageId"])
            yield message
        if len(seen) >= waiting and len(messages) < _BATCH:
            return
