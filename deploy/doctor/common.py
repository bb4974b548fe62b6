"""Checks of both apps: stack, table, functions, rules, subscriptions, queues, clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from botocore.exceptions import ClientError

from deploy import accounts
from deploy.finishing import find_subscription
from deploy.foundation import find_stack, find_table
from deploy.names import FUNCTIONS, ROUTE, RULES, TABLES, TOPICS
from deploy.settings import MODE_OVERRIDE, configuration, environment
from deploy.target import Target, is_missing

_CLOCK_SECONDS: Final = 60
"""Slack's signatures and AWS's requests are refused at 300 seconds; this reports a wrong clock before that."""


def clock(target: Target, now: datetime) -> Iterator[str]:
    """This machine's clock agrees with AWS's."""
    answer = target.client("sts").get_caller_identity()
    header = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if header is None:
        return
    ahead = (now - parsedate_to_datetime(header)).total_seconds()
    if abs(ahead) > _CLOCK_SECONDS:
        side = "fast" if ahead > 0 else "slow"
        yield (
            f"This machine's clock is {abs(ahead):.0f} seconds {side}; beyond 300 AWS refuses its requests: "
            "set it by NTP."
        )


def stack(target: Target) -> Iterator[str]:
    """The foundation exists and its last update succeeded."""
    name, found = target.place.stack, find_stack(target)
    if found is None:
        other = accounts.sibling(target)
        if find_stack(other) is None:
            yield f"The stack {name} is missing: nothing is deployed here, or in another region; {_again(target)}."
        else:
            yield f"The stack {name} is missing; the {other.place.app} app is deployed here: is this the right profile?"
    elif not found["StackStatus"].endswith("_COMPLETE") or "ROLLBACK" in found["StackStatus"]:
        yield f"The stack {name} is in state {found['StackStatus']}; {_again(target)}."


def table(target: Target) -> Iterator[str]:
    """The table exists and is protected."""
    name, found = TABLES[target.place.app], find_table(target)
    if found is None:
        # CloudFormation does not make a lost table again, and an empty one would approve what is open.
        remedy = _again(target) if find_stack(target) is None else "restore it from its backup (docs/runbook.md)"
        yield f"The table {name} is missing; {remedy}."
        return
    if found["TableStatus"] not in ("ACTIVE", "UPDATING"):
        yield f"The table {name} is in state {found['TableStatus']}."
    if not found.get("DeletionProtectionEnabled"):
        yield f"The table {name} is not protected against deletion; {_again(target)}."
    indexes = [one["IndexName"] for one in found.get("GlobalSecondaryIndexes", [])]
    if target.place.app == "central" and "byStatus" not in indexes:
        yield (
            f"The table {name} has no index byStatus, so nothing is reminded, expired or posted again; "
            f"{_again(target)}."
        )


def functions(target: Target) -> Iterator[str]:
    """Every function exists, can run, and has the same position of the emergency switch."""
    modes = {}
    for name in FUNCTIONS[target.place.app]:
        found, full = configuration(target, name), target.place.function(name)
        if found is None:
            yield f"The function {full} is missing; {_again(target)}."
            continue
        modes[name] = environment(found).get(MODE_OVERRIDE, "")
        if found.get("State") not in (None, "Active", "Inactive", "Pending"):
            yield f"The function {full} is in state {found['State']}: {found.get('StateReason', 'no reason given')}."
        limit = target.client("lambda").get_function_concurrency(FunctionName=full).get("ReservedConcurrentExecutions")
        if limit == 0:
            yield f"The function {full} has a reserved concurrency of 0: somebody switched it off; remove the limit."
    if len(set(modes.values())) > 1:
        yield (
            f"The functions have different positions of the emergency switch ({modes}): set it again with "
            "`python -m deploy switch`."
        )


def failures_queue(target: Target) -> Iterator[str]:
    """What a function failed on three times goes to a dead-letter queue."""
    wanted = target.place.arn("sqs", target.place.failures)
    for name in FUNCTIONS[target.place.app]:
        if name == ROUTE or configuration(target, name) is None:
            continue
        full = target.place.function(name)
        found = target.find("lambda", "get_function_event_invoke_config", FunctionName=full) or {}
        if found.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination") != wanted:
            yield f"{full} has no queue for events it fails on three times; {_again(target)}."


def rules(target: Target) -> Iterator[str]:
    """The event rules exist, are enabled and feed their functions."""
    for name in RULES[target.place.app]:
        rule = target.place.rule(name)
        found = target.find("events", "describe_rule", Name=rule)
        if found is None:
            yield f"The event rule {rule} is missing, so {name} is never called; {_again(target)}."
            continue
        if found["State"] == "DISABLED":
            yield f"The event rule {rule} is disabled, so {name} is never called: aws events enable-rule --name {rule}"
        targets = target.client("events").list_targets_by_rule(Rule=rule)["Targets"]
        fed = [one for one in targets if one["Arn"] == target.place.function_arn(name)]
        if not fed:
            yield f"The event rule {rule} does not feed {target.place.function(name)}; {_again(target)}."
        elif not all(one.get("DeadLetterConfig") for one in fed):
            yield f"The event rule {rule} has no queue for events it cannot deliver; {_again(target)}."


def subscriptions(target: Target) -> Iterator[str]:
    """The topics exist and feed their functions."""
    client = target.client("sns")
    for topic in TOPICS[target.place.app]:
        try:
            arn = find_subscription(target, topic)
        except ClientError as error:
            if not is_missing(error):
                raise
            yield f"The topic {topic} is missing; {_again(target)}."
            continue
        if not arn:
            yield f"The topic {topic} does not feed its function {target.place.function(topic)}; {_again(target)}."
            continue
        attributes = client.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        if not json.loads(attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn"):
            yield f"The subscription of {topic} has no queue for messages it cannot deliver; {_again(target)}."


def dead_letters(target: Target) -> Iterator[str]:
    """The dead-letter queues exist and are empty."""
    for queue in target.place.queues:
        found = target.find("sqs", "get_queue_url", QueueName=queue)
        if found is None:
            yield f"The queue {queue} is missing; {_again(target)}."
            continue
        number = "ApproximateNumberOfMessages"
        answer = target.client("sqs").get_queue_attributes(QueueUrl=found["QueueUrl"], AttributeNames=[number])
        waiting = int(answer["Attributes"][number])
        if waiting:
            events = "1 event is" if waiting == 1 else f"{waiting} events are"
            yield (
                f"{events} in the queue {queue}: remove the cause (see the function's log), then run "
                f"`python -m deploy redrive {target.place.app}`."
            )


def log_groups(target: Target) -> Iterator[str]:
    """The log groups exist (the functions may not make them) and have a retention."""
    for name in FUNCTIONS[target.place.app]:
        group = target.place.log_group(name)
        groups = target.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        found = next((one for one in groups if one["logGroupName"] == group), None)
        if found is None:
            yield f"The log group {group} is missing, so {name} runs without a log; {_again(target)}."
        elif not found.get("retentionInDays"):
            yield f"The log group {group} is kept for ever; {_again(target)}."


def _again(target: Target) -> str:
    return f"run `make deploy-{target.place.app}` again"
