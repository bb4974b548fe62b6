"""Our own JSON of operations: nothing is lost, and what is missing or wrong is named by its path."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.operations import Added, Described, Edited, Operation, Removed
from shared.domain.rule import Rule, cidr, make_rule
from shared.wire.fields import Field, FieldError
from shared.wire.operations_json import operations_from_json, operations_to_json
from shared.wire.rule_json import rule_to_json
from tests.support import strategies

SSH = make_rule(direction="ingress", protocol="tcp", from_port=22, source=cidr("10.0.0.0/8"), description="office")
WEB = make_rule(direction="ingress", protocol="tcp", from_port=443, source=cidr("10.0.0.0/8"))


def through_json(document: Any) -> Field:
    """The document as the other side reads it."""
    return Field(json.loads(json.dumps(document)), "operations")


def everything(operation: Operation) -> list[object]:
    """All of an operation, what ``==`` of rules leaves out included."""
    rules = [operation.rule, operation.after if isinstance(operation, Edited) else None]
    return [operation, *((rule.tags, rule.rule_id, rule.source.peering) for rule in rules if rule is not None)]


@given(st.lists(strategies.operations, max_size=4).map(tuple))
def test_operations_come_back_whole(some: tuple[Operation, ...]) -> None:
    """In their order, with rule ids and tags."""
    again = operations_from_json(through_json(operations_to_json(some)))
    assert again == some
    assert [everything(one) for one in again] == [everything(one) for one in some]


@pytest.mark.parametrize(
    ("operation", "document"),
    [
        (Added(rule=WEB), {"kind": "add", "rule": rule_to_json(WEB)}),
        (
            Edited(rule_id="sgr-1", after=WEB, was_gone=True),
            {"kind": "edit", "ruleId": "sgr-1", "after": rule_to_json(WEB), "wasGone": True},
        ),
        (Removed(rule_id="sgr-1"), {"kind": "remove", "ruleId": "sgr-1"}),
        (Removed(rule=SSH), {"kind": "remove", "rule": rule_to_json(SSH)}),
        (
            Edited(rule_id="sgr-1", rule=SSH, after=WEB),
            {"kind": "edit", "ruleId": "sgr-1", "rule": rule_to_json(SSH), "after": rule_to_json(WEB)},
        ),
        (
            Described(rule_id="sgr-1", description="new"),
            {"kind": "describe", "ruleId": "sgr-1", "description": "new"},
        ),
        (Described(rule=SSH, description=""), {"kind": "describe", "rule": rule_to_json(SSH)}),
    ],
)
def test_an_operation_looks_like_this(operation: Operation, document: dict[str, Any]) -> None:
    """The form that docs/contracts.md describes, in both directions."""
    assert operations_to_json([operation]) == [document]
    assert operations_from_json(through_json([document])) == (operation,)


def test_missing_operations_are_none() -> None:
    """A request that stores none is read as one without."""
    assert operations_from_json(Field(None)) == ()


def without(rule: Rule, key: str) -> dict[str, Any]:
    """The rule's JSON without one key."""
    return {name: value for name, value in rule_to_json(rule).items() if name != key}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, r"operations\[0\]\.kind: is missing"),
        ({"kind": "open", "ruleId": "sgr-1"}, r"operations\[0\]\.kind: expected one of add, remove, edit, describe"),
        ({"kind": "add"}, r"operations\[0\]\.rule"),
        ({"kind": "remove"}, r"operations\[0\]: names no rule: neither ruleId nor rule"),
        ({"kind": "edit", "ruleId": "sgr-1"}, r"operations\[0\]\.after"),
        ({"kind": "edit", "ruleId": 1, "after": {}}, r"operations\[0\]\.ruleId: expected text"),
        ({"kind": "remove", "rule": without(SSH, "protocol")}, r"operations\[0\]\.rule\.protocol: is missing"),
        ({"kind": "describe", "ruleId": "sgr-1", "description": 1}, r"operations\[0\]\.description: expected text"),
        ("add", r"operations\[0\]: expected an object, found text"),
    ],
)
def test_a_wrong_operation_is_named_by_its_path(document: object, message: str) -> None:
    """What is missing or has the wrong form."""
    with pytest.raises(FieldError, match=message):
        operations_from_json(through_json([document]))


def test_operations_are_a_list() -> None:
    """An object in place of the list is refused."""
    with pytest.raises(FieldError, match="operations: expected a list, found an object"):
        operations_from_json(through_json({"kind": "add"}))
