"""A stand-in for CloudFormation and DynamoDB where moto is too kind: creations fail, and protection holds.

moto's stacks always succeed and delete protected tables. Here a stack has two resources, the protected table ``State``
and the ``ApplyTopicPolicy``, whose creation fails as often as a test says; a rollback, or a deletion, fails on the
table as long as it is protected. Names, states and the order of events are those of CloudFormation:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, WaiterError

TABLE = "securityGroupState"
STACK_ID = "arn:aws:cloudformation:eu-west-1:222222222222:stack/security-group-approval-member/0a1b"
PROTECTED = "Resource handler returned message: table is protected against deletion"


def validation_error(text: str) -> ClientError:
    """Return CloudFormation's error for what does not exist or cannot be done."""
    return ClientError({"Error": {"Code": "ValidationError", "Message": text}}, "DescribeStacks")


@dataclass
class Tables:
    """DynamoDB's part: one table, protected or not; ``None`` when there is none."""

    protected: bool | None = None

    def describe_table(self, **_: Any) -> Any:
        """Describe the table."""
        if self.protected is None:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": TABLE}}, "DescribeTable")
        return {"Table": {"TableStatus": "ACTIVE", "DeletionProtectionEnabled": self.protected}}

    def update_table(self, **settings: Any) -> None:
        """Set the protection."""
        self.describe_table()
        self.protected = settings["DeletionProtectionEnabled"]

    def get_waiter(self, _: str) -> Any:
        """Return a waiter that has nothing to wait for."""
        return self

    def wait(self, **_: Any) -> None:
        """Find the table there."""
        self.describe_table()


@dataclass
class Stacks:
    """CloudFormation's part.

    Attributes:
        tables: where the stack's table is.
        failures: reasons why the next creations fail, one each.
    """

    tables: Tables
    failures: list[str] = field(default_factory=list)
    status: str = ""
    resources: dict[str, str] = field(default_factory=dict)
    events: list[dict[str, str]] = field(default_factory=list)

    def create_stack(self, **_: Any) -> None:
        """Create the stack, or fail and roll back."""
        self.events.clear()
        self.note("CREATE_IN_PROGRESS")
        if self.tables.protected is not None:
            self._resource("State", "CREATE_FAILED", f"{TABLE} already exists")
            self._roll_back()
        elif self.failures:
            self.tables.protected = True
            self._resource("State", "CREATE_COMPLETE")
            self._resource("ApplyTopicPolicy", "CREATE_FAILED", self.failures.pop(0))
            self._resource("Role", "CREATE_FAILED", "Resource creation cancelled")
            self._roll_back()
        else:
            self.tables.protected = True
            self._resource("State", "CREATE_COMPLETE")
            self.note("CREATE_COMPLETE")

    def _roll_back(self) -> None:
        self.note("ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [ApplyTopicPolicy].")
        self.note("ROLLBACK_COMPLETE" if self._delete_table() else "ROLLBACK_FAILED")

    def delete_stack(self, **_: Any) -> None:
        """Delete the stack, or fail on its table."""
        self.note("DELETE_IN_PROGRESS")
        self.note("DELETE_COMPLETE" if self._delete_table() else "DELETE_FAILED")

    def update_stack(self, **_: Any) -> None:
        """Find nothing to do."""
        raise validation_error("No updates are to be performed.")

    def _delete_table(self) -> bool:
        if self.resources.get("State") in ("CREATE_FAILED", "DELETE_COMPLETE", None):
            return True
        if self.tables.protected:
            self._resource("State", "DELETE_FAILED", PROTECTED)
            return False
        self.tables.protected = None
        self._resource("State", "DELETE_COMPLETE")
        return True

    def note(self, status: str, reason: str = "") -> None:
        """Bring the stack into a state."""
        self.status = status
        self._event("security-group-approval-member", STACK_ID, status, reason)

    def _resource(self, name: str, status: str, reason: str = "") -> None:
        self.resources[name] = status
        self._event(name, TABLE if name == "State" else name, status, reason)

    def _event(self, name: str, physical: str, status: str, reason: str) -> None:
        event = {"StackId": STACK_ID, "LogicalResourceId": name, "PhysicalResourceId": physical}
        event |= {"ResourceStatus": status} | ({"ResourceStatusReason": reason} if reason else {})
        self.events.insert(0, event)

    def describe_stacks(self, **_: Any) -> Any:
        """Describe the stack."""
        if self.status in ("", "DELETE_COMPLETE"):
            raise validation_error("Stack with id security-group-approval-member does not exist")
        return {"Stacks": [{"StackStatus": self.status, "Parameters": []}]}

    def describe_stack_resources(self, **_: Any) -> Any:
        """Describe its resources."""
        kind = {"State": "AWS::DynamoDB::Table"}
        return {
            "StackResources": [
                {
                    "ResourceType": kind.get(name, ""),
                    "PhysicalResourceId": TABLE if name == "State" else name,
                    "ResourceStatus": status,
                }
                for name, status in self.resources.items()
            ]
        }

    def get_paginator(self, _: str) -> Any:
        """Return the pages of events, two on each."""
        return self

    def paginate(self, **_: Any) -> Any:
        """Yield the pages."""
        for begin in range(0, len(self.events), 2):
            yield {"StackEvents": self.events[begin : begin + 2]}

    def get_waiter(self, name: str) -> Any:
        """Return a waiter; here everything has happened already."""
        return Waiter(self, name)


@dataclass
class Waiter:
    """Looks once whether the stack is in the wanted state."""

    stacks: Stacks
    name: str

    def wait(self, **_: Any) -> None:
        """Fail where the state is another one."""
        wanted = self.name.removeprefix("stack_").upper()
        if self.stacks.status != wanted:
            raise WaiterError(self.name, "Waiter encountered a terminal failure state", {})
