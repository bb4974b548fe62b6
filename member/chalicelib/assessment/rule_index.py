"""Finds a rule among many: by EC2's identity, by a referenced group whose owner nobody named, by rule id.

A call may make a thousand rules in a group of a thousand; looking through all of them for each would take seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from shared.domain.rule import Rule

_KEPT: Final = 8


class RuleIndex:
    """Rules that do not change, and the ways to find one."""

    __slots__ = ("_by_group", "_by_id", "_by_identity", "rules")

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        """Take the rules; of several with the same identity or id, the first counts."""
        self.rules = rules
        self._by_identity: dict[str, Rule] = {}
        self._by_group: dict[tuple[object, ...], Rule] = {}
        self._by_id: dict[str, Rule] = {}
        for rule in rules:
            self._by_identity.setdefault(rule.identity, rule)
            if rule.source.kind == "group":
                self._by_group[_without_owner(rule)] = rule
            if rule.rule_id:
                self._by_id.setdefault(rule.rule_id, rule)

    def with_identity(self, identity: str | None) -> Rule | None:
        """Return the rule that has this identity."""
        return self._by_identity.get(identity) if identity is not None else None

    def with_id(self, rule_id: str | None) -> Rule | None:
        """Return the rule that has this id."""
        return self._by_id.get(rule_id) if rule_id else None

    def like(self, wanted: Rule) -> Rule | None:
        """Return the rule with the identity of ``wanted``; see :func:`member.chalicelib.state.baseline.find_like`."""
        found = self._by_identity.get(wanted.identity)
        if found is None and wanted.source.kind == "group":
            return self._by_group.get(_without_owner(wanted))
        return found


_recent: list[RuleIndex] = []


def index_of(rules: Iterable[Rule]) -> RuleIndex:
    """Return the index of these rules; that of the very same tuple is made once."""
    if not isinstance(rules, tuple):
        return RuleIndex(tuple(rules))
    for index in _recent:
        if index.rules is rules:
            return index
    index = RuleIndex(rules)
    _recent[:] = [index, *_recent[: _KEPT - 1]]
    return index


def _without_owner(rule: Rule) -> tuple[object, ...]:
    return rule.direction, rule.protocol, rule.from_port, rule.to_port, rule.source.value
