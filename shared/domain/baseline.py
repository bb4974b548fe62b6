"""The baseline: the rules of one security group that are approved, and how allowed calls change it.

Rules are keyed by EC2's identity; the current rule id stands beside it, because a restored rule has a new one. Events
arrive unordered, so an allowed call that is older than what the baseline already knows of a rule id is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from shared.domain.change import by_identity
from shared.domain.rule import Direction, Rule

_STAMPS_KEPT: Final = 200
"""Rule ids whose last allowed change is remembered per group: events are late by minutes, not hundreds of changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A difference between baseline and live group that no event has explained so far.

    Attributes:
        digest: identifies the difference.
        since: when a snapshot first saw it, UTC.
        filed: a request has been filed for it.
    """

    digest: str
    since: datetime
    filed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The approved rules of one group.

    Attributes:
        region: e.g. ``eu-west-1``.
        group_id: ``sg-…``.
        group_name: the group's name; names cannot be changed in EC2.
        rules: approved rules, sorted by identity, with their current rule ids.
        directions: directions that have been learned; rules of others are not known.
        stamps: when an allowed call last touched a rule id.
        drift: a difference the last snapshot saw.
        version: counts writes; the store refuses a write that is based on an older one.
    """

    region: str
    group_id: str
    group_name: str = ""
    rules: tuple[Rule, ...] = ()
    directions: tuple[Direction, ...] = ()
    stamps: tuple[tuple[str, datetime], ...] = ()
    drift: Drift | None = None
    version: int = 0

    def knows(self, direction: Direction) -> bool:
        """True when the rules of this direction have been learned."""
        return direction in self.directions

    def by_id(self, rule_id: str | None) -> Rule | None:
        """Return the approved rule that currently has this id."""
        return next((rule for rule in self.rules if rule_id and rule.rule_id == rule_id), None)

    def like(self, rule: Rule) -> Rule | None:
        """Return the approved rule with the identity of ``rule``, which may lack the owner of its referenced group."""
        return find_like(self.rules, rule)

    def guarded(self, directions: Iterable[Direction]) -> tuple[Rule, ...]:
        """Return the approved rules of these directions."""
        wanted = frozenset(directions)
        return tuple(rule for rule in self.rules if rule.direction in wanted)


def find_like(rules: Iterable[Rule], wanted: Rule) -> Rule | None:
    """Return the rule with the identity of ``wanted``, which may lack the owner of its referenced group."""
    for rule in rules:
        if rule.identity == wanted.identity:
            return rule
        if wanted.source.kind == "group" and not wanted.source.account:
            filled = replace(wanted, source=replace(wanted.source, account=rule.source.account))
            if rule.identity == filled.identity:
                return rule
    return None


def learn(
    *, region: str, group_id: str, group_name: str, rules: Iterable[Rule], directions: Iterable[Direction]
) -> Baseline:
    """Return the baseline of a group seen for the first time: its live rules of the given directions."""
    known = tuple(sorted(set(directions)))
    kept = [rule for rule in rules if rule.direction in known]
    return Baseline(region=region, group_id=group_id, group_name=group_name, rules=_sorted(kept), directions=known)


def learn_direction(baseline: Baseline, direction: Direction, rules: Iterable[Rule]) -> Baseline:
    """Return the baseline with one more direction learned; a direction already known is left as it is."""
    if baseline.knows(direction):
        return baseline
    fresh = [rule for rule in rules if rule.direction == direction]
    return replace(
        baseline,
        rules=_sorted([*baseline.guarded(baseline.directions), *fresh]),
        directions=tuple(sorted({*baseline.directions, direction})),
    )


def narrowed(baseline: Baseline, directions: Iterable[Direction]) -> Baseline:
    """Return the baseline without directions that are no longer guarded: what happens there now, nobody follows."""
    kept = tuple(direction for direction in baseline.directions if direction in frozenset(directions))
    return replace(baseline, directions=kept, rules=baseline.guarded(kept)) if kept != baseline.directions else baseline


def with_rules(baseline: Baseline, rules: Iterable[Rule]) -> Baseline:
    """Return the baseline with these rules added, or put in the place of those with the same identity or rule id."""
    come = by_identity(rules)
    ids = {rule.rule_id for rule in come.values() if rule.rule_id}
    kept = [rule for rule in baseline.rules if rule.identity not in come and rule.rule_id not in ids]
    return replace(baseline, rules=_sorted([*kept, *come.values()]))


def without_rules(baseline: Baseline, rules: Iterable[Rule]) -> Baseline:
    """Return the baseline without the rules of these identities."""
    gone = {rule.identity for rule in rules}
    return replace(baseline, rules=tuple(rule for rule in baseline.rules if rule.identity not in gone))


def without_ids(baseline: Baseline, rule_ids: Iterable[str]) -> Baseline:
    """Return the baseline without the rules that currently have these ids."""
    gone = set(rule_ids)
    return replace(baseline, rules=tuple(rule for rule in baseline.rules if rule.rule_id not in gone))


def is_newer(baseline: Baseline, rule_id: str | None, moment: datetime) -> bool:
    """True unless the baseline already knows a later allowed change of this rule id."""
    last = dict(baseline.stamps).get(rule_id or "")
    return last is None or last <= moment


def stamped(baseline: Baseline, rule_ids: Iterable[str | None], moment: datetime) -> Baseline:
    """Return the baseline with the time of an allowed change noted for these rule ids."""
    stamps = dict(baseline.stamps)
    stamps.update({rule_id: max(moment, stamps.get(rule_id, moment)) for rule_id in rule_ids if rule_id})
    newest = sorted(stamps.items(), key=lambda item: item[1])[-_STAMPS_KEPT:]
    return replace(baseline, stamps=tuple(newest))


def with_current_ids(baseline: Baseline, live: Iterable[Rule]) -> Baseline:
    """Return the baseline with the rule ids that its rules have in the live group now."""
    ids: Mapping[str, Rule] = by_identity(live)
    rules = (
        replace(rule, rule_id=ids[rule.identity].rule_id, tags=ids[rule.identity].tags)
        if rule.identity in ids
        else rule
        for rule in baseline.rules
    )
    return replace(baseline, rules=_sorted(rules))


def _sorted(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(sorted(rules, key=lambda rule: rule.identity))
