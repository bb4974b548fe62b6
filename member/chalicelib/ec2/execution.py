"""Runs the steps of a plan against EC2, and says what EC2 refused.

What does not belong here: reading back, and trying again (``converge``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from shared.domain.rule import Rule

from .plan import Authorize, Describe, Modify, Plan, Revoke, Step
from .refusal import RULE_GONE, RULE_THERE, Ec2Error, Refusal
from .security_groups import SecurityGroups

_GONE: Final = Refusal(code="RuleIsGone", reason="The rule to revoke is gone already.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What EC2 said to the steps of a plan.

    Attributes:
        refusals: what it refused.
        gone: ids of rules that were to be revoked and are gone already.
    """

    refusals: tuple[Refusal, ...] = ()
    gone: frozenset[str] = frozenset()


def run(groups: SecurityGroups, group_id: str, plan: Plan, *, per_rule: bool) -> Outcome:
    """Run the steps in order.

    Args:
        groups: the account's groups.
        group_id: which group.
        plan: the steps.
        per_rule: a step that EC2 refuses is tried again rule by rule, and the other steps are run too: no rule stays
            open because another one failed. A rule to revoke that is gone and a rule to authorize that is there are
            fine then. Otherwise the first refusal ends it: nothing more is opened.
    """
    refusals: list[Refusal] = []
    for step in plan:
        refusals += _run_step(groups, group_id, step, per_rule=per_rule)
        if refusals and not per_rule:
            return Outcome(refusals=tuple(refusals))
    gone = {one.rule.rule_id for one in refusals if one.rule is not None and _is_gone(one)}
    return Outcome(
        refusals=tuple(one for one in refusals if not _is_gone(one)),
        gone=frozenset(rule_id for rule_id in gone if rule_id),
    )


def _run_step(groups: SecurityGroups, group_id: str, step: Step, *, per_rule: bool) -> Iterator[Refusal]:
    try:
        _call(groups, group_id, step)
    except Ec2Error as error:
        singles = tuple(_singly(step))
        # A throttled call says nothing about its rules, and sixty calls in its place would make matters worse.
        if per_rule and len(singles) > 1 and not error.is_temporary:
            for single in singles:
                yield from _run_step(groups, group_id, single, per_rule=True)
        elif per_rule and isinstance(step, Revoke) and error.refusal.code in RULE_GONE:
            yield from (_GONE.about(rule) for rule in step.rules)
        elif not (per_rule and isinstance(step, Authorize) and error.refusal.code in RULE_THERE):
            yield from (error.refusal.about(rule) for rule in _rules(step))


def _is_gone(refusal: Refusal) -> bool:
    return refusal.code == _GONE.code


def _call(groups: SecurityGroups, group_id: str, step: Step) -> None:
    match step:
        case Revoke():
            groups.revoke(group_id, step)
        case Modify():
            groups.modify(group_id, step)
        case Describe():
            groups.describe(group_id, step)
        case Authorize():
            groups.authorize(group_id, step)


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
