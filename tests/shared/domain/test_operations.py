"""Operations: what they name a rule by, and which approved rules they touch."""

from __future__ import annotations

import pytest

from shared.domain.change import Modification, make_change
from shared.domain.operations import (
    Added,
    Described,
    Edited,
    Operation,
    Removed,
    keys_of,
    operations_of,
    rule_id_of,
    touched,
)
from shared.domain.rule import Rule, cidr, make_rule


def rule(port: int, rule_id: str | None = None) -> Rule:
    """A rule for one TCP port."""
    return make_rule(direction="ingress", protocol="tcp", from_port=port, source=cidr("10.0.0.0/8"), rule_id=rule_id)


@pytest.mark.parametrize(
    ("operation", "rule_id"),
    [
        (Added(rule=rule(1, "sgr-1")), "sgr-1"),
        (Added(rule=rule(1)), None),
        (Removed(rule_id="sgr-1"), "sgr-1"),
        (Removed(rule=rule(1, "sgr-1")), "sgr-1"),
        (Removed(rule_id="sgr-1", rule=rule(1, "sgr-2")), "sgr-1"),
        (Edited(rule=rule(1), after=rule(2, "sgr-2")), None),
        (Described(rule=rule(1, "sgr-1"), description=""), "sgr-1"),
    ],
)
def test_the_rule_id_is_the_named_rules(operation: Operation, rule_id: str | None) -> None:
    """As the operation says it, else as the values before have it; of an addition, that of the new rule."""
    assert rule_id_of(operation) == rule_id


def test_keys_are_the_id_and_the_identities() -> None:
    """Of an edit, both the old and the new identity."""
    edit = Edited(rule_id="sgr-1", rule=rule(1), after=rule(2))
    assert keys_of(edit) == ["sgr-1", rule(1).identity, rule(2).identity]
    assert keys_of(Removed(rule=rule(1))) == [rule(1).identity]


def test_touched_rules_are_named_by_id_or_identity() -> None:
    """The place that an edit moves a rule to is touched too; all others are left out."""
    approved = [rule(1, "sgr-1"), rule(2, "sgr-2"), rule(3, "sgr-3"), rule(4)]
    operations: list[Operation] = [Removed(rule_id="sgr-1"), Edited(rule_id="sgr-9", after=rule(2))]
    assert touched(approved, operations) == (rule(1), rule(2))


def test_a_change_can_be_read_as_operations() -> None:
    """What goes comes first, so that it fits the rules it was measured against."""
    change = make_change(
        added=[rule(1)], removed=[rule(2, "sgr-2")], modified=[Modification(before=rule(3, "sgr-3"), after=rule(4))]
    )
    assert operations_of(change) == (
        Removed(rule_id="sgr-2", rule=rule(2)),
        Edited(rule_id="sgr-3", rule=rule(3), after=rule(4)),
        Added(rule=rule(1)),
    )
