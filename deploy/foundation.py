"""Creates, updates and deletes the stack that an app stands on.

Every verb may be run again: whatever state an interrupted run left the stack in, the next one goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import ClientError, WaiterError

from deploy.errors import DeployError
from deploy.names import PROJECT, TABLES
from deploy.target import Target, code_of
from deploy.templates import as_body, foundation

_WAIT: Final = {"Delay": 5, "MaxAttempts": 240}
_REASONS_TOLD: Final = 3


def update(target: Target, parameters: Mapping[str, str]) -> bool:
    """Bring the stack to the template of this checkout.

    Args:
        target: where.
        parameters: values of the template's parameters; ones left out keep their value, or the template's default.

    Returns:
        Whether anything changed.

    Raises:
        DeployError: when CloudFormation refuses or fails, with its reasons.
    """
    stack = _settled(target)
    template = foundation(target.place.app)
    values = {"Stage": target.place.stage, **parameters}
    if target.place.app == "central":
        values["CreateTable"] = _create_table(target, stack)
    known = {one["ParameterKey"] for one in (stack or {}).get("Parameters", [])}
    arguments = {
        "StackName": target.place.stack,
        "TemplateBody": as_body(template),
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": values[name]}
            if name in values
            else {"ParameterKey": name, "UsePreviousValue": True}
            for name in template["Parameters"]
            if name in values or name in known
        ],
        "Tags": [{"Key": "project", "Value": PROJECT}, {"Key": "stage", "Value": target.place.stage}],
    }
    client = target.client("cloudformation")
    try:
        if stack is None:
            client.create_stack(**arguments)
            _wait(target, "stack_create_complete")
        else:
            client.update_stack(**arguments)
            _wait(target, "stack_update_complete")
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return False
        raise DeployError(f"CloudFormation does not take the stack {target.place.stack}: {error}") from error
    return True


def delete(target: Target) -> bool:
    """Delete the stack; return whether there was one. A table of requests stays."""
    if find_stack(target) is None:
        return False
    target.client("cloudformation").delete_stack(StackName=target.place.stack)
    _wait(target, "stack_delete_complete")
    return True


def find_stack(target: Target) -> dict[str, Any] | None:
    """Return what CloudFormation says of the stack, ``None`` when there is none."""
    try:
        stacks = target.client("cloudformation").describe_stacks(StackName=target.place.stack)["Stacks"]
    except ClientError as error:
        if code_of(error) == "ValidationError":  # what it answers for a stack that does not exist
            return None
        raise
    found: dict[str, Any] | None = stacks[0] if stacks and stacks[0]["StackStatus"] != "DELETE_COMPLETE" else None
    return found


def find_table(target: Target) -> dict[str, Any] | None:
    """Return what DynamoDB says of the app's table, ``None`` when there is none."""
    try:
        table: dict[str, Any] = target.client("dynamodb").describe_table(TableName=TABLES[target.place.app])["Table"]
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return None
        raise
    return table


def parameter(stack: Mapping[str, Any] | None, name: str) -> str:
    """Return the value of a stack's parameter, ``""`` when it has none."""
    values = {one["ParameterKey"]: one.get("ParameterValue", "") for one in (stack or {}).get("Parameters", [])}
    return str(values.get(name, ""))


def _settled(target: Target) -> dict[str, Any] | None:
    """Wait for what an earlier run began, and clear away a stack that never came to be."""
    stack = find_stack(target)
    if stack is None:
        return None
    status = stack["StackStatus"]
    if status.endswith("_IN_PROGRESS"):
        waiter = {"CREATE": "stack_create_complete", "DELETE": "stack_delete_complete"}.get(status.split("_")[0])
        _wait(target, waiter or "stack_update_complete")
        return _settled(target)
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"):
        delete(target)
        return None
    if status == "UPDATE_ROLLBACK_FAILED":
        raise DeployError(
            f"The stack {target.place.stack} is stuck in UPDATE_ROLLBACK_FAILED: continue its "
            "rollback in the console of "
            "CloudFormation, then run this again."
        )
    return stack


def _create_table(target: Target, stack: Mapping[str, Any] | None) -> str:
    """Return whether the stack has the table of requests: not when an earlier installation left one behind."""
    if stack is not None and parameter(stack, "CreateTable") == "yes":
        return "yes"
    return "no" if find_table(target) is not None else "yes"


def _wait(target: Target, waiter: str) -> None:
    client = target.client("cloudformation")
    try:
        client.get_waiter(waiter).wait(StackName=target.place.stack, WaiterConfig=_WAIT)
    except WaiterError as error:
        reasons = "; ".join(_reasons(target)) or str(error)
        raise DeployError(f"The stack {target.place.stack} failed: {reasons}") from error


def _reasons(target: Target) -> list[str]:
    try:
        events = target.client("cloudformation").describe_stack_events(StackName=target.place.stack)["StackEvents"]
    except ClientError:
        return []
    failed = [one for one in events if one["ResourceStatus"].endswith("_FAILED")]
    oldest = failed[-_REASONS_TOLD:]
    return [f"{one['LogicalResourceId']}: {one.get('ResourceStatusReason', 'no reason given')}" for one in oldest]
