"""Runs plans against EC2.

Two ways to meet a failure. Taking back (:func:`take_back`) goes on with every other rule, one by one where a call of
several failed: no rule stays open because another one could not be closed. Applying (:func:`carry_out`) stops at the
first failure, so that the caller can take back what was done: nothing is applied by halves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.domain.change import Modification
from shared.domain.rule import Rule

from .plan import Authorize, Describe, Modify, Plan, Revoke, Step
from .security_groups import RULE_GONE, RULE_THERE, Ec2Error, SecurityGroups


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A step of one rule that EC2 refused."""

    rule: Rule
    error: Ec2Error


def carry_out(groups: SecurityGroups, group_id: str, plan: Plan) -> None:
    """Run every step in order.

    Raises:
        Ec2Error: from the first step that fails; earlier steps are done.
    """
    for step in plan:
        run(groups, group_id, step)


def take_back(groups: SecurityGroups, group_id: str, plan: Plan) -> tuple[Failure, ...]:
    """Run every step, per rule where a whole call fails, and report what EC2 refused.

    A rule to revoke that is gone and a rule to authorize that is there are no failures.
    """
    return tuple(failure for step in plan for failure in _take_back_step(groups, group_id, step))


def run(groups: SecurityGroups, group_id: str, step: Step) -> None:
    """Run one step as one EC2 call.

    Raises:
        Ec2Error: when EC2 refuses it.
    """
    match step:
        case Revoke():
            groups.revoke(group_id, step)
        case Modify():
            groups.modify(group_id, step)
        case Describe():
            groups.describe(group_id, step)
        case Authorize():
            groups.authorize(group_id, step)


def _take_back_step(groups: SecurityGroups, group_id: str, step: Step) -> Iterator[Failure]:
    try:
        run(groups, group_id, step)
    except Ec2Error as error:
        singles = tuple(_singly(step))
        # A throttled call says nothing about its rules, and sixty calls in its place would make matters worse.
        if len(singles) > 1 and not error.is_transient:
            for single in singles:
                yield from _take_back_step(groups, group_id, single)
        elif not _is_already_so(step, error):
            yield from (Failure(rule=rule, error=error) for rule in _rules(step))


def _singly(step: Step) -> Iterator[Step]:
    match step:
        case Revoke():
            yield from (Revoke(direction=step.direction, rules=(rule,)) for rule in step.rules)
        case Authorize():
            yield from (Authorize(direction=step.direction, rules=(rule,)) for rule in step.rules)
        case Describe():
            yield from (Describe(direction=step.direction, edits=(edit,)) for edit in step.edits)
        case Modify():
            yield step


def _rules(step: Step) -> Iterable[Rule]:
    match step:
        case Revoke() | Authorize():
            return step.rules
        case Describe():
            return [edit.before for edit in step.edits]
        case Modify():
            return [step.edit.before]


def _is_already_so(step: Step, error: Ec2Error) -> bool:
    if isinstance(step, Revoke):
        return error.code in RULE_GONE
    return isinstance(step, Authorize) and error.code in RULE_THERE


def replacing(edits: Iterable[Modification]) -> Plan:
    """Return the steps that put rules right by taking them away and adding them anew, for edits that had no effect."""
    pairs = tuple(edits)
    return (
        *(Revoke(direction=edit.before.direction, rules=(edit.before,)) for edit in pairs),
        *(Authorize(direction=edit.after.direction, rules=(edit.after,)) for edit in pairs),
    )
