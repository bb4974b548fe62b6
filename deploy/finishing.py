"""Adds what Chalice leaves out, and what each ``chalice deploy`` removes again.

Chalice 1.34 sets no retries, no on-failure destination, no dead-letter queue of a subscription and no limit of the API;
its ``put_targets`` replaces a rule's target and removes its dead-letter queue.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from deploy.errors import DeployError
from deploy.names import FUNCTIONS, PROJECT, ROUTE, RULES, SNAPSHOT, TOPICS
from deploy.target import Target, code_of

RETRIES: Final = 2
"""After the first try, about one and two minutes later; Lambda's maximum."""
EVENT_AGE_SECONDS: Final = 6 * 3600
"""How long an event waits while Lambda is throttled; Lambda's maximum."""
DELIVERY_SECONDS: Final = 24 * 3600
"""How long EventBridge tries to deliver an event to a function; its maximum."""
DELIVERY_TRIES: Final = 185
"""EventBridge's maximum."""
REQUESTS_PER_SECOND: Final = 10
BURST: Final = 20
"""Limits of the API: far more than people click, and too few to cost money."""
_PROPAGATION_SECONDS: Final = (2, 4, 8, 16)
"""Pauses while Lambda does not know of a new policy yet.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""
LOG_DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653)
"""Days that CloudWatch Logs accepts as a retention."""


def make_log_groups(target: Target, days: int) -> None:
    """Make the functions' log groups before a function can write; their role may not make them."""
    logs = target.client("logs")
    for name in FUNCTIONS[target.place.app]:
        group = target.place.log_group(name)
        try:
            logs.create_log_group(logGroupName=group, tags={"project": PROJECT, "stage": target.place.stage})
        except ClientError as error:
            if code_of(error) != "ResourceAlreadyExistsException":
                raise
        logs.put_retention_policy(logGroupName=group, retentionInDays=days)


def wire_failures(target: Target) -> None:
    """Set retries and the dead-letter queue of every function that is invoked asynchronously."""
    for name in FUNCTIONS[target.place.app]:
        if name == ROUTE:
            continue
        insist(
            target.client("lambda").put_function_event_invoke_config,
            FunctionName=target.place.function(name),
            MaximumRetryAttempts=RETRIES,
            MaximumEventAgeInSeconds=EVENT_AGE_SECONDS,
            DestinationConfig={"OnFailure": {"Destination": target.place.arn("sqs", target.place.failures)}},
        )


def insist(call: Callable[..., object], **arguments: Any) -> None:
    """Repeat a call while Lambda does not know the function's new role yet, or is still updating the function."""
    for wait in (*_PROPAGATION_SECONDS, None):
        try:
            call(**arguments)
        except ClientError as error:
            is_early = code_of(error) == "ResourceConflictException" or "permissions to call SendMessage" in str(error)
            if wait is None or not is_early:
                raise
            time.sleep(wait)
        else:
            return


def wire_rules(target: Target) -> None:
    """Give the target of every rule its dead-letter queue."""
    events = target.client("events")
    queue = target.place.arn("sqs", target.place.undelivered)
    for name in RULES[target.place.app]:
        rule = target.place.rule(name)
        targets = events.list_targets_by_rule(Rule=rule)["Targets"]
        if not targets:
            raise DeployError(f"The rule {rule} has no target; run the verb again.")
        for one in targets:
            one["DeadLetterConfig"] = {"Arn": queue}
            one["RetryPolicy"] = {"MaximumEventAgeInSeconds": DELIVERY_SECONDS, "MaximumRetryAttempts": DELIVERY_TRIES}
        answer = events.put_targets(Rule=rule, Targets=targets)
        if answer.get("FailedEntryCount"):
            raise DeployError(f"The rule {rule} did not accept its dead-letter queue: {answer['FailedEntries']}")


def wire_subscriptions(target: Target) -> None:
    """Give the subscription of every topic its dead-letter queue."""
    sns = target.client("sns")
    redrive = json.dumps({"deadLetterTargetArn": target.place.arn("sqs", target.place.undelivered)})
    for topic in TOPICS[target.place.app]:
        arn = find_subscription(target, topic)
        if not arn:
            raise DeployError(f"The topic {topic} has no subscription of its function; run the verb again.")
        sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="RedrivePolicy", AttributeValue=redrive)


def limit_api(target: Target, api_id: str, stage: str) -> None:
    """Limit the requests per second of every method of the API."""
    changes = {
        "/*/*/throttling/rateLimit": str(REQUESTS_PER_SECOND),
        "/*/*/throttling/burstLimit": str(BURST),
    }
    target.client("apigateway").update_stage(
        restApiId=api_id,
        stageName=stage,
        patchOperations=[{"op": "replace", "path": path, "value": value} for path, value in changes.items()],
    )


def start_snapshot(target: Target) -> None:
    """Run the snapshot once now, so that the baselines exist before the schedule starts."""
    event = {
        "version": "0",
        "source": "aws.events",
        "detail-type": "Scheduled Event",
        "detail": {},
        "id": str(uuid.uuid4()),
        "account": target.place.account,
        "region": target.place.region,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "resources": [target.place.arn("events", f"rule/{target.place.rule(SNAPSHOT)}")],
    }
    invoke(target, SNAPSHOT, event)


def invoke(target: Target, function: str, event: dict[str, Any]) -> None:
    """Invoke a function asynchronously, with its retries and its dead-letter queue.

    Raises:
        DeployError: when Lambda refuses the event.
    """
    try:
        target.client("lambda").invoke(
            FunctionName=target.place.function(function), InvocationType="Event", Payload=json.dumps(event).encode()
        )
    except ClientError as error:
        raise DeployError(f"{target.place.function(function)} cannot be invoked: {error}") from error


def find_subscription(target: Target, topic: str) -> str:
    """Return the ARN of the subscription by which a topic feeds its function; ``""`` when there is none."""
    wanted = target.place.function_arn(topic)
    pages = target.client("sns").get_paginator("list_subscriptions_by_topic")
    for page in pages.paginate(TopicArn=target.place.arn("sns", topic)):
        for one in page["Subscriptions"]:
            if one["Endpoint"] == wanted:
                return str(one["SubscriptionArn"])
    return ""
