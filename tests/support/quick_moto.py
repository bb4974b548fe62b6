"""moto does some work for each call that changes nothing in its answers; leaving it out halves the tests' time.

What moto answers stays the same. Pure functions are remembered. An item of DynamoDB has its form on the wire already,
so that it need not be looked through member by member; its size is counted once, not for each attribute; and a
transaction keeps copies of the items that it touches, not of the whole table for each of its operations.
"""

from __future__ import annotations

import base64
import copy
import os
import threading
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from moto.core import responses, serialize
from moto.dynamodb import models
from moto.dynamodb.exceptions import ItemSizeTooLarge
from moto.dynamodb.models import DynamoDBBackend, Table
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict


def remember() -> None:
    """Remember methods of classes, service models and the names of attributes for the rest of this process.

    EC2 begins without its thousand machine images: nothing here starts an instance, and making them takes 0.1 s.
    """
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    if hasattr(responses.method_names_from_class, "cache_info"):
        return
    responses.method_names_from_class = lru_cache(None)(responses.method_names_from_class)
    responses.get_service_model = lru_cache(None)(responses.get_service_model)  # type: ignore[attr-defined]
    compute = serialize.XFormedAttributePicker.get_possible_keys

    def possible_keys(picker: Any, context: serialize.AttributePickerContext) -> Any:
        known = context.shape.__dict__.setdefault("_possible_keys", {})
        place = (type(picker), context.key, type(context.obj))
        if place not in known:
            known[place] = tuple(dict.fromkeys(compute(picker, context)))
        return known[place]

    serialize.XFormedAttributePicker.get_possible_keys = possible_keys  # type: ignore[method-assign]
    serialize.BaseJSONSerializer._serialize_type_structure = _serialize_structure  # type: ignore[method-assign]
    Item.__init__ = _make_item  # type: ignore[method-assign]
    DynamoDBBackend.transact_write_items = _transact  # type: ignore[method-assign]
    models.copy = SimpleNamespace(deepcopy=_deepcopy)  # type: ignore[attr-defined]


MOST_BYTES = 405_000
"""Of an item, as in moto's ``LimitedSizeDict``."""

_structure = serialize.BaseJSONSerializer._serialize_type_structure
_write_transaction = DynamoDBBackend.transact_write_items
_running = threading.local()
"""``touched``: the keys that the transaction of this thread names, table by table."""


def _serialize_structure(serializer: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
    if shape.name == "AttributeValue" and key and isinstance(value, dict):
        serializer._default_serialize(serialized, _on_the_wire(value), shape, key)
    else:
        _structure(serializer, serialized, value, shape, key)


def _on_the_wire(attribute: dict[str, Any]) -> dict[str, Any]:
    [(kind, value)] = attribute.items()
    match kind:
        case "M":
            return {"M": {name: _on_the_wire(member) for name, member in value.items()}}
        case "L":
            return {"L": [_on_the_wire(member) for member in value]}
        case "B":
            return {"B": base64.b64encode(value).decode()}
        case "BS":
            return {"BS": [base64.b64encode(member).decode() for member in value]}
        case _:
            return {kind: value}


def _make_item(item: Any, hash_key: Any, range_key: Any, attrs: dict[str, Any]) -> None:
    item.hash_key, item.range_key, item.attrs = hash_key, range_key, LimitedSizeDict()
    for name, value in attrs.items():
        dict.__setitem__(item.attrs, name, DynamoType(value))
    if item.size() > MOST_BYTES:
        raise ItemSizeTooLarge


def _transact(backend: Any, transact_items: list[dict[str, Any]]) -> None:
    touched: dict[str, list[Any]] = {}
    for operation in transact_items:
        for named in operation.values():
            table = backend.tables.get(named.get("TableName"))
            if table is not None:
                key = named.get("Key") or named["Item"]
                touched.setdefault(table.name, []).append(DynamoType(key[table.hash_key_attr]))
    _running.touched = touched
    try:
        _write_transaction(backend, transact_items)
    finally:
        del _running.touched


def _deepcopy(value: Any) -> Any:
    touched = getattr(_running, "touched", None)
    if touched is None or not isinstance(value, Table):
        return copy.deepcopy(value)
    snapshot = copy.copy(value)
    snapshot.items = value.items.copy()
    for key in touched[value.name]:
        if key in value.items:
            snapshot.items[key] = copy.deepcopy(value.items[key])
    return snapshot
