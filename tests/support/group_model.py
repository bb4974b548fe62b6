"""A security group in memory that takes the steps of a plan as EC2 would, and refuses what EC2 would refuse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from member.chalicelib.ec2.plan import Authorize, Describe, Modify, Plan, Revoke, Step
from shared.domain.rule import Rule


class RefusedError(Exception):
    """EC2 would have answered this step with an error."""


class GroupModel:
    """One group's rules, by EC2's identity; rules made by an authorize get ids of their own."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = {rule.identity: rule for rule in rules}
        self._made = 0

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules now, sorted by identity."""
        return tuple(sorted(self._rules.values(), key=lambda rule: rule.identity))

    def run(self, plan: Plan) -> None:
        """Take all steps of a plan in their order."""
        for step in plan:
            self.take(step)

    def take(self, step: Step) -> None:
        """Take one step.

        Raises:
            RefusedError: when a rule is missing, would be there twice, or cannot be changed in that way.
        """
        match step:
            case Revoke(rules=rules):
                for rule in rules:
                    self._pop(rule.identity)
            case Modify(rule_id=rule_id, edit=edit):
                self._modify(rule_id, edit.after)
            case Describe(edits=edits):
                for one in edits:
                    self._put(replace(self._pop(one.before.identity), description=one.after.description))
            case Authorize(direction=direction, rules=rules):
                if {rule.direction for rule in rules} != {direction} or len({rule.tags for rule in rules}) != 1:
                    raise RefusedError("one call authorizes one direction and puts the same tags on all of its rules")
                for rule in rules:
                    self._made += 1
                    self._put(replace(rule, rule_id=f"sgr-made{self._made}"))

    def _modify(self, rule_id: str, after: Rule) -> None:
        held = next((rule for rule in self._rules.values() if rule.rule_id == rule_id), None)
        if held is None:
            raise RefusedError(f"no rule {rule_id}")
        if held.source.kind != after.source.kind or held.direction != after.direction:
            raise RefusedError("a rule's kind of source and its direction cannot be changed in place")
        self._pop(held.identity)
        self._put(replace(after, rule_id=rule_id, tags=held.tags))

    def _pop(self, identity: str) -> Rule:
        try:
            return self._rules.pop(identity)
        except KeyError:
            raise RefusedError(f"no rule {identity}") from None

    def _put(self, rule: Rule) -> None:
        if rule.identity in self._rules:
            raise RefusedError(f"rule {rule.identity} is there already")
        self._rules[rule.identity] = rule
