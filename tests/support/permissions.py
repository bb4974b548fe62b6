"""Holds every AWS call that a trigger makes in a test to the policy of its function in ``.chalice/*/policies``.

moto allows everything; so a call that nobody granted would first fail in somebody's account. Once an app is watched,
a test in which one of its triggers makes such a call fails, whatever else the test is about.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from fnmatch import fnmatchcase
from functools import cache, wraps
from pathlib import Path
from typing import Any, Final

import pytest
from botocore.client import BaseClient

_POLICIES: Final = Path(__file__).parents[2] / ".chalice"
_TRIGGERS: Final = {
    "member": {
        "security_group_call": "revertSecurityGroup",
        "approval": "applySecurityGroupChange",
        "snapshot": "snapshotSecurityGroups",
    },
    "central": {
        "button_click": "buttonClick",
        "security_group_change": "securityGroupChange",
        "deny_security_group_change": "denySecurityGroupChange",
        "error_handler_security_group_change": "errorHandlerSecurityGroupChange",
        "sweep_requests": "sweepRequests",
    },
}

seen: set[tuple[str, str]] = set()
"""(function, action) of every call so far in this process."""

_running: ContextVar[tuple[str, str] | None] = ContextVar("running", default=None)
_watched: set[str] = set()


def watch(app: str) -> None:
    """Watch an app from now on, as long as this process lives."""
    if app in _watched:
        return
    if not _watched:
        _watch_calls()
    _watched.add(app)
    triggers = importlib.import_module(f"{app}.chalicelib.triggers")
    for name, function in _TRIGGERS[app].items():
        setattr(triggers, name, _known_as((app, function), getattr(triggers, name)))


def _known_as(function: tuple[str, str], trigger: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(trigger)
    def run(*arguments: Any, **named: Any) -> Any:
        token = _running.set(function)
        try:
            return trigger(*arguments, **named)
        finally:
            _running.reset(token)

    return run


def _watch_calls() -> None:
    original = BaseClient._make_api_call

    def call(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        function = _running.get()
        if function is not None:
            _check(function, client.meta.service_model.service_name, operation, parameters)
        return original(client, operation, parameters)

    BaseClient._make_api_call = call  # type: ignore[method-assign]  # for good: see the module's first lines


def _check(function: tuple[str, str], service: str, operation: str, parameters: dict[str, Any]) -> None:
    for action, resource in needs(service, operation, parameters, "arn:aws:{}:eu-west-1:123456789012:{}".format):
        seen.add((function[1], action))
        if not is_allowed(policy_of(*function), action, resource):
            # Not an Exception: the product, and the tests' Lambda, would take that for a failure of AWS.
            pytest.fail(f"{function[1]} makes a call that its policy lacks: {action} on {resource}", pytrace=False)


@cache
def policy_of(app: str, name: str) -> dict[str, Any]:
    """Return the policy that ships for a function."""
    document: dict[str, Any] = json.loads((_POLICIES / app / "policies" / f"{name}.json").read_text(encoding="utf-8"))
    return document


def is_allowed(policy: dict[str, Any], action: str, resource: str) -> bool:
    """Say whether a policy has an action on a resource."""
    for statement in policy["Statement"]:
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        if action in statement["Action"] and any(fnmatchcase(resource, pattern) for pattern in resources):
            return True
    return False


def needs(
    service: str, operation: str, parameters: dict[str, Any], arn: Callable[[str, str], str]
) -> Iterator[tuple[str, str]]:
    """Yield the permissions that a call needs: (action, resource).

    Args:
        service: e.g. ``dynamodb``.
        operation: e.g. ``GetItem``.
        parameters: of the call.
        arn: makes an ARN of service and resource.
    """
    action = f"{service}:{operation}"
    match service, operation:
        case "sts", "GetCallerIdentity":
            return  # allowed to everybody
        case "dynamodb", _:
            yield from (
                (f"dynamodb:{name}", arn("dynamodb", table)) for name, table in _of_tables(operation, parameters)
            )
        case "sns", _:
            yield action, parameters["TopicArn"]
        case "events", _:
            yield action, arn("events", f"rule/{parameters['Name']}")
        case "sqs", _:
            yield action, arn("sqs", parameters["QueueUrl"].rsplit("/", 1)[-1])
        case "ssm", _:
            yield action, arn("ssm", f"parameter{parameters['Name']}")
        case "secretsmanager", _:
            yield action, arn("secretsmanager", f"secret:{parameters['SecretId']}-AbCdEf")
        case "ec2", _ if "GroupId" in parameters:
            yield action, arn("ec2", f"security-group/{parameters['GroupId']}")
            if "TagSpecifications" in parameters:  # what is made with tags needs the permission to tag
                yield "ec2:CreateTags", arn("ec2", "security-group-rule/*")
        case _:
            yield action, "*"


def _of_tables(operation: str, parameters: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the actions of a call of DynamoDB, and what each is on.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
    """
    if operation == "TransactWriteItems":
        for item in parameters["TransactItems"]:
            for kind, one in item.items():
                yield "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item", f"table/{one['TableName']}"
    elif operation == "BatchGetItem":
        yield from ((operation, f"table/{table}") for table in parameters["RequestItems"])
    else:
        index = f"/index/{parameters['IndexName']}" if "IndexName" in parameters else ""
        yield operation, f"table/{parameters['TableName']}{index}"
