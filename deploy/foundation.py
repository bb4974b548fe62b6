"""Creates, updates and deletes the stack that an app depends on.

Every verb may be run again: it continues from whatever state an interrupted run left the stack in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError, WaiterError

from deploy import stack_failures
from deploy.errors import DeployError
from deploy.names import PROJECT, TABLES
from deploy.target import Target
from deploy.templates import as_body, foundation

_WAIT: Final = {"Delay": 5, "MaxAttempts": 240}
_UNFINISHED: Final = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED")
"""States of a stack whose creation failed; a deletion that fails afterwards makes it ``DELETE_FAILED``."""


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
    stack = _stable_stack(target)
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
        raise DeployError(f"CloudFormation refuses the stack {target.place.stack}: {error}") from error
    return True


def delete(target: Target) -> bool:
    """Delete the stack; return whether there was one. A table of requests stays."""
    if find_stack(target) is None:
        return False
    target.client("cloudformation").delete_stack(StackName=target.place.stack)
    _wait(target, "stack_delete_complete")
    return True


def find_stack(target: Target) -> dict[str, Any] | None:
    """Return CloudFormation's description of the stack, ``None`` when there is none."""
    found = target.find("cloudformation", "describe_stacks", StackName=target.place.stack) or {"Stacks": []}
    return next((one for one in found["Stacks"] if one["StackStatus"] != "DELETE_COMPLETE"), None)


def find_table(target: Target) -> dict[str, Any] | None:
    """Return DynamoDB's description of the app's table, ``None`` when there is none."""
    found = target.find("dynamodb", "describe_table", TableName=TABLES[target.place.app])
    return None if found is None else dict(found["Table"])


def parameter(stack: Mapping[str, Any] | None, name: str) -> str:
    """Return the value of a stack's parameter, ``""`` when it has none."""
    values = {one["ParameterKey"]: one.get("ParameterValue", "") for one in (stack or {}).get("Parameters", [])}
    return str(values.get(name, ""))


def _stable_stack(target: Target) -> dict[str, Any] | None:
    """Wait for what an earlier run began, and delete a stack that was never completed."""
    stack = find_stack(target)
    if stack is None:
        return None
    status = stack["StackStatus"]
    if status.endswith("_IN_PROGRESS"):
        waiter = {"CREATE": "stack_create_complete", "DELETE": "stack_delete_complete"}.get(status.split("_")[0])
        _wait(target, waiter or "stack_update_complete")
        return _stable_stack(target)
    if status == "DELETE_FAILED" and _holds_baselines(target):
        raise DeployError(
            f"Somebody tried to delete the stack {target.place.stack}, and that failed: "
            f"{_reasons(target) or 'CloudFormation gives no reason'}. The table {TABLES[target.place.app]} still holds "
            f"what was approved. Remove the app as a whole with `make undeploy-{target.place.app}`, then run this "
            "again."
        )
    if status in (*_UNFINISHED, "DELETE_FAILED"):
        _unprotect_unused_table(target)
        delete(target)
        return None
    if status == "UPDATE_ROLLBACK_FAILED":
        raise DeployError(
            f"The stack {target.place.stack} is stuck in UPDATE_ROLLBACK_FAILED: continue its rollback in the console "
            "of CloudFormation, then run this again."
        )
    return stack


def _create_table(target: Target, stack: Mapping[str, Any] | None) -> str:
    """Return whether the stack makes the table of requests: not when an earlier installation left one."""
    if stack is not None and parameter(stack, "CreateTable") == "yes":
        return "yes"
    return "no" if find_table(target) is not None else "yes"


def _holds_baselines(target: Target) -> bool:
    """True when a stack's table is still protected, and there is no proof that it was never used."""
    table = find_table(target) if target.place.app == "member" else None
    is_protected = table is not None and bool(table.get("DeletionProtectionEnabled"))
    return is_protected and not stack_failures.was_never_created(_events(target))


def _unprotect_unused_table(target: Target) -> None:
    """Take the protection off the table of a stack that was never completed, so that the stack can be deleted.

    Only when the stack made it: a table of the same name that was there before keeps its protection. The central table
    outlives its stack anyway (DeletionPolicy), and the next stack uses it.
    """
    table, resources = TABLES[target.place.app], "describe_stack_resources"
    found = target.find("cloudformation", resources, StackName=target.place.stack) or {"StackResources": []}
    made = [
        one
        for one in found["StackResources"]
        if one["ResourceType"] == "AWS::DynamoDB::Table"
        and one.get("PhysicalResourceId") == table
        and one["ResourceStatus"] in ("CREATE_COMPLETE", "DELETE_FAILED")
    ]
    if made and target.place.app == "member" and find_table(target) is not None:
        client = target.client("dynamodb")
        client.update_table(TableName=table, DeletionProtectionEnabled=False)
        client.get_waiter("table_exists").wait(TableName=table)


def _wait(target: Target, waiter: str) -> None:
    client = target.client("cloudformation")
    try:
        client.get_waiter(waiter).wait(StackName=target.place.stack, WaiterConfig=_WAIT)
    except WaiterError as error:
        raise DeployError(
            f"The stack {target.place.stack} failed: {_reasons(target) or error}. Remove the cause, then run this "
            "again."
        ) from error


def _reasons(target: Target) -> str:
    return "; ".join(stack_failures.reasons(_events(target)))


def _events(target: Target) -> Iterator[dict[str, Any]]:
    """Yield the events of the stack, newest first; none when CloudFormation does not give them."""
    pages = target.client("cloudformation").get_paginator("describe_stack_events")
    try:
        for page in pages.paginate(StackName=target.place.stack):
            yield from page["StackEvents"]
    except ClientError:
        return
