"""DynamoDB's attribute values from and to plain Python values; numbers come back as ``int``, binary as ``bytes``.

boto3 has this too, but importing boto3 would be a third of what a new container does before it answers a click.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def to_attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the item as the low-level client takes it."""
    return {key: to_attribute(value) for key, value in item.items()}


def to_attribute(value: Any) -> dict[str, Any]:
    """Return one value as the low-level client takes it.

    Raises:
        TypeError: for a value that none of our items has.
    """
    match value:
        case str():
            return {"S": value}
        case bool():  # before the numbers: True is one of them
            return {"BOOL": value}
        case int() | Decimal():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case None:
            return {"NULL": True}
        case Mapping():
            return {"M": to_attributes(value)}
        case list() | tuple():
            return {"L": [to_attribute(one) for one in value]}
        case _:
            raise TypeError(f"{type(value).__name__} is no value of a DynamoDB item")


def from_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item of the low-level client in plain Python values."""
    return {key: _plain(value) for key, value in attributes.items()}


def _plain(attribute: Mapping[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    match kind:
        case "N":
            return _number(value)
        case "NULL":
            return None
        case "M":
            return from_attributes(value)
        case "L":
            return [_plain(one) for one in value]
        case "NS":
            return {_number(one) for one in value}
        case "SS" | "BS":
            return set(value)
        case _:  # S, B and BOOL
            return value


def _number(text: str) -> int | float:
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else float(number)
