"""The verb ``redrive``: sends dead letters to their functions again.

Every step of the product is idempotent, so an event may be delivered any number of times. One run takes what is in the
queues when it begins; an event that fails again returns to its queue and is not taken twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from deploy.console import done, note, step
from deploy.errors import DeployError
from deploy.finishing import invoke
from deploy.letter_origin import doubt
from deploy.names import FUNCTIONS, TOPICS, Place
from deploy.target import Target
from shared.slack.text import visible

_BATCH: Final = 10
_HIDDEN_SECONDS: Final = 120
_SHOWN_CHARACTERS: Final = 300


class UnknownDeadLetterError(ValueError):
    """A message that belongs to no function of this app; the text says why. It stays in its queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An event and the function it was meant for."""

    function: str
    event: dict[str, Any]


def redrive(target: Target, *, look: bool) -> int:
    """Redrive both dead-letter queues of an app; return how many messages belong to no function.

    Args:
        target: where.
        look: only list them.

    Raises:
        DeployError: when a queue does not exist.
    """
    unknown = 0
    for queue in target.place.queues:
        step(f"queue {queue}")
        unknown += _redrive(target, queue, look=look)
    return unknown


def read_dead_letter(message: Mapping[str, Any], place: Place, queue: str) -> DeadLetter:
    """Return the event of a dead letter, in any of its three forms.

    Lambda's on-failure destination wraps the event; EventBridge sends it unchanged, with the target in an attribute;
    SNS sends its notification, which Lambda would have received as a record.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html,
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html,
    https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html

    Args:
        message: as SQS returns it.
        place: the app's.
        queue: where it is. Lambda writes to the one queue, SNS and EventBridge to the other.

    Raises:
        UnknownDeadLetterError: for a message of another form, for a function of another app, or one that no source of
            this app can have sent.
    """
    try:
        body = json.loads(message["Body"])
    except ValueError as error:
        raise UnknownDeadLetterError("it is not JSON") from error
    if not isinstance(body, dict):
        raise UnknownDeadLetterError("it is not a JSON object")
    letter = _of_lambda(body, place) if queue == place.failures else _undelivered(message, body, place)
    reason = doubt(letter.function, letter.event, place)
    if reason:
        raise UnknownDeadLetterError(reason)
    return letter


def _of_lambda(body: dict[str, Any], place: Place) -> DeadLetter:
    context = body.get("requestContext")
    if not isinstance(context, dict) or "requestPayload" not in body:
        raise UnknownDeadLetterError("it is not from Lambda, which alone writes to this queue")
    return DeadLetter(function=_function(str(context.get("functionArn")), place), event=body["requestPayload"])


def _undelivered(message: Mapping[str, Any], body: dict[str, Any], place: Place) -> DeadLetter:
    if "TopicArn" in body and "Message" in body:
        topic = str(body["TopicArn"]).rsplit(":", 1)[-1]
        if topic not in TOPICS[place.app]:
            raise UnknownDeadLetterError(f"the topic {topic} feeds no function of this app")
        record = {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": "", "Sns": body}
        return DeadLetter(function=topic, event={"Records": [record]})
    arn = message.get("MessageAttributes", {}).get("TARGET_ARN", {}).get("StringValue", "")
    if arn:
        return DeadLetter(function=_function(arn, place), event=body)
    raise UnknownDeadLetterError("it is not from SNS or EventBridge, which alone write to this queue")


def summary(event: Mapping[str, Any]) -> str:
    """Return one line about an event: the call and its caller, the message, or the event itself."""
    match event:
        case {"detail": {"eventName": call, "requestID": request_id} as detail}:
            who = detail.get("userIdentity", {}).get("arn", "an unknown caller")
            return f"{call} by {who}, request {request_id}"
        case {"Records": [{"Sns": {"Message": message}}]}:
            return str(message)[:_SHOWN_CHARACTERS]
    return json.dumps(event)[:_SHOWN_CHARACTERS]


def _function(arn: str, place: Place) -> str:
    without_version = ":".join(arn.split(":")[:7])
    for function in FUNCTIONS[place.app]:
        if without_version == place.function_arn(function):
            return function
    raise UnknownDeadLetterError(f"{arn} is not a function of this app and stage")


def _redrive(target: Target, queue: str, *, look: bool) -> int:
    found = target.find("sqs", "get_queue_url", QueueName=queue)
    if found is None:
        raise DeployError(
            f"There is no queue {queue} in account {target.place.account}, {target.place.region}: is the "
            f"{target.place.app} app deployed here?"
        )
    sqs, url = target.client("sqs"), found["QueueUrl"]
    sent, unknown = 0, 0
    left: list[str] = []
    for message in _messages(sqs, url):
        receipt = message["ReceiptHandle"]
        try:
            letter = read_dead_letter(message, target.place, queue)
        except UnknownDeadLetterError as error:
            unknown += 1
            left.append(receipt)
            note(f"message {message['MessageId']} stays: {error}")
            continue
        if look:
            left.append(receipt)
            note(f"{letter.function}: {visible(summary(letter.event))}")
            continue
        invoke(target, letter.function, letter.event)
        sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt)
        sent += 1
    for receipt in left:  # visible again at once, not only in two minutes
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0)
    done(f"{sent} sent, {len(left)} left")
    return unknown


def _messages(sqs: Any, url: str) -> Iterator[Mapping[str, Any]]:
    """Yield each message that is in the queue now once; those not deleted become visible again later."""
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
