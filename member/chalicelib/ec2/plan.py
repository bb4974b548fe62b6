"""How to bring a group from one state to another in EC2, as plain values that a small executor runs.

A plan closes before it opens: revokes come first, then edits in place, then authorizes. The same steps serve the revert
and the approved change; how failures are met is the executor's business (``member.chalicelib.ec2.execution``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

from shared.domain.change import Change, Modification
from shared.domain.rule import Direction, Rule

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke:
    """Take rules of one direction away in one call: by rule id where every rule has one, otherwise by permission."""

    direction: Direction
    rules: tuple[Rule, ...]

    @property
    def rule_ids(self) -> tuple[str, ...] | None:
        """The rule ids, or ``None`` when one of them is unknown."""
        ids = tuple(rule.rule_id for rule in self.rules if rule.rule_id is not None)
        return ids if len(ids) == len(self.rules) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Modify:
    """Edit one rule in place; the rule id stays."""

    rule_id: str
    edit: Modification


@dataclass(frozen=True, slots=True, kw_only=True)
class Describe:
    """Set the descriptions of rules of one direction in one call; nothing else of them changes."""

    direction: Direction
    edits: tuple[Modification, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorize:
    """Add rules of one direction that carry the same tags in one call (EC2 puts a call's tags on all of its rules)."""

    direction: Direction
    rules: tuple[Rule, ...]


Step = Revoke | Modify | Describe | Authorize
Plan = tuple[Step, ...]


def make_plan(change: Change) -> Plan:
    """Return the steps that carry a change out.

    A new description alone is set by permission. Any other modification needs the rule id and the same kind of source
    on both sides (EC2 cannot change that in place); otherwise it becomes a revoke and an authorize. So does an edit
    that waits for another which waits for it (two rules that swap their ports): EC2 never lets two rules be equal.
    """
    described = [edit for edit in change.modified if edit.before.identity == edit.after.identity]
    edited = [edit for edit in change.modified if edit.before.identity != edit.after.identity]
    in_place, circular = _in_order([edit for edit in edited if _fits_in_place(edit)])
    replaced = [*circular, *(edit for edit in edited if not _fits_in_place(edit))]
    away = [*change.removed, *(edit.before for edit in replaced)]
    back = [*change.added, *(edit.after for edit in replaced)]
    return (
        *(Revoke(direction=key, rules=tuple(rules)) for key, rules in _grouped(away, lambda rule: rule.direction)),
        *(Modify(rule_id=edit.before.rule_id or "", edit=edit) for edit in in_place),
        *(
            Describe(direction=key, edits=tuple(edits))
            for key, edits in _grouped(described, lambda edit: edit.after.direction)
        ),
        *(
            Authorize(direction=key[0], rules=tuple(rules))
            for key, rules in _grouped(back, lambda rule: (rule.direction, rule.tags))
        ),
    )


def replacing_plan(edits: Iterable[Modification]) -> Plan:
    """Return the steps that put rules right by removing and adding them, for edits that have no effect in place."""
    pairs = tuple(edits)
    return (
        *(Revoke(direction=edit.before.direction, rules=(edit.before,)) for edit in pairs),
        *(Authorize(direction=edit.after.direction, rules=(edit.after,)) for edit in pairs),
    )


def _fits_in_place(edit: Modification) -> bool:
    same_kind = edit.before.source.kind == edit.after.source.kind
    return edit.before.rule_id is not None and same_kind and edit.before.direction == edit.after.direction


def _in_order(edits: list[Modification]) -> tuple[list[Modification], list[Modification]]:
    """Return the edits so that none takes the identity another one still has, and those for which no order works."""
    ordered: list[Modification] = []
    waiting = edits
    while waiting:
        taken = {edit.before.identity for edit in waiting}
        free = [edit for edit in waiting if edit.after.identity not in taken]
        if not free:
            break
        ordered += free
        waiting = [edit for edit in waiting if edit.after.identity in taken]
    return ordered, waiting


def _grouped(items: Iterable[_T], key: Callable[[_T], Any]) -> Iterator[tuple[Any, Iterator[_T]]]:
    return groupby(sorted(items, key=key), key=key)
