"""Builds one conditional ``UpdateItem``: what to set, append and remove, and what has to hold.

Every name goes through a placeholder, since half of the natural ones are DynamoDB's reserved words.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.aws.attributes import from_attributes, to_attributes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The condition did not hold.

    Attributes:
        item: the item as stored; empty when there is none.
    """

    item: dict[str, Any]


def refused(error: ClientError) -> Refused:
    """Return which item a conditional write met; raise every other error again."""
    response: Mapping[str, Any] = error.response
    if response["Error"]["Code"] != "ConditionalCheckFailedException":
        raise error
    return Refused(item=from_attributes(response.get("Item", {})))


@dataclass(slots=True)
class Update:
    """An update under construction."""

    _names: dict[str, str] = field(default_factory=dict)
    _values: dict[str, Any] = field(default_factory=dict)
    _sets: list[str] = field(default_factory=list)
    _removes: list[str] = field(default_factory=list)
    _conditions: list[str] = field(default_factory=list)

    def name(self, path: str) -> str:
        """Return a path such as ``tasks.ask`` in placeholders."""
        parts = path.split(".")
        self._names.update({f"#{part}": part for part in parts})
        return ".".join(f"#{part}" for part in parts)

    def value(self, value: object) -> str:
        """Return the placeholder of a value."""
        placeholder = f":v{len(self._values)}"
        self._values[placeholder] = value
        return placeholder

    def set(self, path: str, value: object) -> None:
        """Give an attribute a value; the map around it has to exist."""
        self._sets.append(f"{self.name(path)} = {self.value(value)}")

    def set_unless_there(self, other: str, path: str, value: object) -> None:
        """Give an attribute a value; where another attribute exists, give it that one's value instead."""
        self._sets.append(f"{self.name(path)} = if_not_exists({self.name(other)}, {self.value(value)})")

    def append(self, path: str, values: list[object]) -> None:
        """Append to a list that exists."""
        name = self.name(path)
        self._sets.append(f"{name} = list_append({name}, {self.value(values)})")

    def increase(self, path: str, by: int) -> None:
        """Add to a number that exists."""
        name = self.name(path)
        self._sets.append(f"{name} = {name} + {self.value(by)}")

    def remove(self, path: str) -> None:
        """Remove an attribute, whether it exists or not."""
        self._removes.append(self.name(path))

    def require(self, condition: str) -> None:
        """Add a condition; all of them have to hold."""
        self._conditions.append(condition)

    def require_equal(self, path: str, value: object) -> None:
        """Require that an attribute has this value."""
        self.require(f"{self.name(path)} = {self.value(value)}")

    def require_absent(self, path: str) -> None:
        """Require that there is no such attribute."""
        self.require(f"attribute_not_exists({self.name(path)})")

    def arguments(self, table: str, key: Mapping[str, Any]) -> dict[str, Any]:
        """Return the update of an item that exists, as ``UpdateItem`` and a transaction's ``Update`` take it."""
        parts = [("SET", self._sets), ("REMOVE", self._removes)]
        values = {"ExpressionAttributeValues": to_attributes(self._values)} if self._values else {}
        return {
            "TableName": table,
            "Key": key,
            "UpdateExpression": " ".join(f"{verb} {', '.join(some)}" for verb, some in parts if some),
            "ConditionExpression": " AND ".join(["attribute_exists(requestId)", *self._conditions]),
            "ExpressionAttributeNames": self._names,
            **values,
        }

    def run(self, client: DynamoDBClient, table: str, key: Mapping[str, Any]) -> dict[str, Any] | Refused:
        """Write, and return the new item, or the one that did not meet a condition.

        Raises:
            botocore.exceptions.ClientError: for every other refusal.
        """
        try:
            answer = client.update_item(
                **self.arguments(table, key),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            return refused(error)
        return from_attributes(answer["Attributes"])
