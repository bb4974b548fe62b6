"""DynamoDB's attribute values from and to plain Python values; numbers come back as ``int``, binary as ``bytes``."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer

_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


def to_attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the item as the low-level client takes it."""
    return {key: _serializer.serialize(value) for key, value in item.items()}


def to_attribute(value: Any) -> Any:
    """Return one value as the low-level client takes it."""
    return _serializer.serialize(value)


def from_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item of the low-level client in plain Python values."""
    return {key: _plain(_deserializer.deserialize(value)) for key, value in attributes.items()}


def _plain(value: Any) -> Any:
    match value:
        case Binary():
            return value.value  # type: ignore[attr-defined]  # the stubs do not know boto3's wrapper has a value
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case list():
            return [_plain(one) for one in value]
        case _:
            return value
