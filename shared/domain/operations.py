"""What one call did to the rules of a group, as a request stores it beside its change.

A request's change is measured against the approved rules, so it cannot say what a call did to a rule that another
call had just made or edited. Operations can: they are what the call itself did, one value per rule, with EC2's rule
ids where they are known. ``shared.domain.composition`` puts the operations of several calls together.

Whoever stores operations completes their rules first: direction, and the owner of a referenced group as the approved
rules have it. Where the change says all that a call did, none are stored (:func:`operations_of` stands in).

What does not belong here: the JSON form (``shared.wire.operations_json``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.change import Change
from shared.domain.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A call made this rule; ``rule.rule_id`` is the id that EC2 gave it, where known."""

    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """A call removed a rule, named by its id, by its values, or by both; never by neither.

    Attributes:
        rule_id: ``sgr-…`` as the call or EC2's answer has it.
        rule: its values.
    """

    rule_id: str | None = None
    rule: Rule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A call gave a rule new values (``ModifySecurityGroupRules``).

    Attributes:
        after: all of the new values, the description too. Direction and tags stay those of the edited rule.
        rule_id: as for :class:`Removed`.
        rule: the values before, where known.
        was_gone: the rule was not approved and gone again when the call was read, so the direction in ``after`` is a
            guess: the edit means something only after the call that made the rule.
    """

    after: Rule
    rule_id: str | None = None
    rule: Rule | None = None
    was_gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A call gave a rule a new description and left its other values as they were.

    Attributes:
        description: the new one.
        rule_id: as for :class:`Removed`.
        rule: its values, where known.
    """

    description: str
    rule_id: str | None = None
    rule: Rule | None = None


Operation = Added | Removed | Edited | Described


def operations_of(change: Change) -> tuple[Operation, ...]:
    """Return the operations of a call that is known only by its change, as after an event without parameters."""
    return (
        *(Removed(rule_id=rule.rule_id, rule=rule) for rule in change.removed),
        *(Edited(rule_id=edit.before.rule_id, rule=edit.before, after=edit.after) for edit in change.modified),
        *(Added(rule=rule) for rule in change.added),
    )


def rule_id_of(operation: Operation) -> str | None:
    """Return the id of the rule that an operation made, removed or changed."""
    named = operation.rule.rule_id if operation.rule is not None else None
    return named if isinstance(operation, Added) else operation.rule_id or named


def keys_of(operation: Operation) -> list[str]:
    """Return everything an operation names a rule by: the rule id, and the identities of its values."""
    rules = (operation.rule, operation.after if isinstance(operation, Edited) else None)
    keys = [rule.identity for rule in rules if rule is not None]
    rule_id = rule_id_of(operation)
    return keys if rule_id is None else [rule_id, *keys]


def touched(approved: Iterable[Rule], operations: Iterable[Operation]) -> tuple[Rule, ...]:
    """Return the approved rules that operations name by id or by identity.

    A composition depends on no other approved rule, so these are enough to store with a request.
    """
    keys = {key for operation in operations for key in keys_of(operation)}
    return tuple(rule for rule in approved if rule.rule_id in keys or rule.identity in keys)
