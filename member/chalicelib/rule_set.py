"""A set of rules and the ways to find one: by EC2's identity, by rule id, by a referenced group whose owner is unknown.

A call may make a thousand rules in a group of a thousand; looking through all of them for each would take seconds.
Pure; what does not belong here: what a difference between two sets means (``shared.domain.change``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shared.domain.rule import Direction, Rule


class RuleSet:
    """Rules that do not change, in their order; of several with the same identity or id, the first is found."""

    __slots__ = ("_by_group", "_by_id", "_by_identity", "_rules")

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = tuple(rules)
        self._by_identity: dict[str, Rule] = {}
        self._by_group: dict[tuple[object, ...], Rule] = {}
        self._by_id: dict[str, Rule] = {}
        for rule in self._rules:
            self._by_identity.setdefault(rule.identity, rule)
            if rule.source.kind == "group":
                self._by_group.setdefault(_without_owner(rule), rule)
            if rule.rule_id:
                self._by_id.setdefault(rule.rule_id, rule)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RuleSet) and self._rules == other._rules

    def __hash__(self) -> int:
        return hash(self._rules)

    def __repr__(self) -> str:
        return f"RuleSet({list(self._by_identity)})"

    def with_identity(self, identity: str) -> Rule | None:
        """Return the rule that has this identity."""
        return self._by_identity.get(identity)

    def with_id(self, rule_id: str | None) -> Rule | None:
        """Return the rule that has this id; of no id, none."""
        return self._by_id.get(rule_id) if rule_id else None

    def like(self, wanted: Rule) -> Rule | None:
        """Return the rule with the identity of ``wanted``.

        The owner of a referenced group may be missing in ``wanted``, or be wrong: an event often leaves it out, and the
        group of a peered VPC belongs to another account. Ids of groups are unique among all accounts.
        """
        found = self._by_identity.get(wanted.identity)
        if found is None and wanted.source.kind == "group":
            return self._by_group.get(_without_owner(wanted))
        return found

    def of(self, directions: Iterable[Direction]) -> RuleSet:
        """Return the rules of these directions."""
        wanted = frozenset(directions)
        return RuleSet(rule for rule in self._rules if rule.direction in wanted)


def _without_owner(rule: Rule) -> tuple[object, ...]:
    return rule.direction, rule.protocol, rule.from_port, rule.to_port, rule.source.value
