"""Our own JSON form of operations: in requests, beside their change.

docs/contracts.md describes the form for people.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from shared.domain.operations import Added, Described, Edited, Operation, Removed
from shared.domain.rule import Rule
from shared.wire.fields import Field
from shared.wire.rule_json import Json, rule_from_json, rule_to_json

_KINDS: Final[dict[type[Operation], str]] = {Added: "add", Removed: "remove", Edited: "edit", Described: "describe"}


def operations_to_json(operations: Iterable[Operation]) -> list[Json]:
    """Return e.g. ``[{"kind": "add", "rule": rule}, {"kind": "edit", "ruleId": "sgr-1", "rule": …, "after": …}]``.

    A removal has no further key; a description has ``description``, and an absent one is empty.
    """
    return [_to_json(operation) for operation in operations]


def operations_from_json(field: Field) -> tuple[Operation, ...]:
    """Read operations.

    Raises:
        FieldError: names the field that is missing or wrong.
    """
    return tuple(_from_json(one) for one in field.elements())


def _to_json(operation: Operation) -> Json:
    document: Json = {"kind": _KINDS[type(operation)]}
    if not isinstance(operation, Added) and operation.rule_id is not None:
        document["ruleId"] = operation.rule_id
    if operation.rule is not None:
        document["rule"] = rule_to_json(operation.rule)
    if isinstance(operation, Edited):
        document["after"] = rule_to_json(operation.after)
        if operation.was_gone:
            document["wasGone"] = True
    if isinstance(operation, Described) and operation.description:
        document["description"] = operation.description
    return document


def _from_json(field: Field) -> Operation:
    kind = field["kind"].text()
    if kind == "add":
        return Added(rule=rule_from_json(field["rule"]))
    rule_id, rule = _named_rule(field)
    match kind:
        case "remove":
            return Removed(rule_id=rule_id, rule=rule)
        case "edit":
            after = rule_from_json(field["after"])
            return Edited(rule_id=rule_id, rule=rule, after=after, was_gone=field["wasGone"].flag())
        case "describe":
            return Described(rule_id=rule_id, rule=rule, description=field["description"].optional_text())
    raise field["kind"].error(f"expected one of {', '.join(_KINDS.values())}, found {kind[:40]!r}")


def _named_rule(field: Field) -> tuple[str | None, Rule | None]:
    rule_id = field["ruleId"].optional_text() or None
    rule = None if field["rule"].is_missing else rule_from_json(field["rule"])
    if rule_id is None and rule is None:
        raise field.error("names no rule: neither ruleId nor rule")
    return rule_id, rule
