"""The one loop that brings a group to a wanted state and reads back until it is there.

Reverts, drift, approved changes and their rollback use it; they differ in what they want. What EC2 answers is
eventually consistent, so the group is read again, with growing pauses; an edit without effect in place is made by
replacing the rule; and what was refused for lack of room is tried again after something was removed.

What does not belong here: what is wanted (the flows), what a single call is (``ec2.execution``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from shared.domain.change import Change, make_change
from shared.domain.rule import Rule

from . import context
from .ec2.execution import run
from .ec2.plan import Plan, make_plan, replacing_plan
from .ec2.refusal import GROUP_GONE, NOT_IN_FORCE, Ec2Error, Refusal
from .ec2.security_groups import SecurityGroups
from .rule_set import RuleSet

PAUSES_SECONDS: Final = (0.5, 1.0, 2.0, 4.0)
"""Between looks at a group; EC2's reads may lag some seconds behind a confirmed write.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/query-api-troubleshooting.html#eventual-consistency"""


class Goal(Protocol):
    """A state of a group."""

    def left(self, live: RuleSet) -> Change:
        """Return what leads from the live rules to the wanted state; empty when they are it."""

    def is_certain(self, live: RuleSet) -> bool:
        """True when a first look that shows nothing left to do can be believed."""

    def note_written(self, change: Change) -> None:
        """Hear what has just been written to EC2, or tried."""


@dataclass(frozen=True, slots=True)
class State:
    """A goal that is a function of the live rules alone."""

    left: Callable[[RuleSet], Change]

    def is_certain(self, live: RuleSet) -> bool:  # noqa: ARG002 - as Goal has it
        """Believe the first look."""
        return True

    def note_written(self, change: Change) -> None:
        """Nothing depends on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converged:
    """How it ended.

    Attributes:
        left: what is still to be done; empty when the group is as wanted.
        refusals: what EC2 refused in the last try, or took without doing it; none when nothing is left.
        first: the rules at the beginning.
        live: the rules at the end.
        read_at: a moment after they were read.
        has_removed: rules were removed, so there is room for others.
    """

    left: Change
    refusals: tuple[Refusal, ...]
    first: RuleSet
    live: RuleSet
    read_at: datetime
    has_removed: bool = False


def converge(
    groups: SecurityGroups, group_id: str, goal: Goal, *, live: RuleSet | None = None, per_rule: bool = True
) -> Converged:
    """Bring a group to a wanted state.

    Args:
        groups: the account's groups.
        group_id: which one.
        goal: what is wanted.
        live: its rules, where they have just been read.
        per_rule: go on with every other rule where one is refused; otherwise stop at the first refusal.

    Raises:
        Ec2Error: when EC2 could not be asked (throttled, unreachable), or refused to show the group.
    """
    refusals: tuple[Refusal, ...] = ()
    gone: set[str] = set()
    has_removed, writes = False, 0
    first = live = groups.rules(group_id) if live is None else live
    left = goal.left(live)
    is_converged = left.is_empty and goal.is_certain(live)
    for number, seconds in enumerate(PAUSES_SECONDS):
        if is_converged:
            break
        if number or left.is_empty:
            context.pause(seconds)
        if not left.is_empty:
            outcome = run(groups, group_id, _plan(left, in_place=writes == 0), per_rule=per_rule)
            refusals, writes = outcome.refusals, writes + 1
            gone |= outcome.gone
            has_removed = has_removed or bool(left.removed)
            goal.note_written(left)
            temporary = next((one for one in refusals if one.is_temporary), None)
            if temporary is not None and per_rule:
                raise Ec2Error(temporary)
        live = _without(groups.rules(group_id), gone)
        left = goal.left(live)
        is_converged = left.is_empty or bool(refusals and (writes > 1 or not per_rule))
    return Converged(
        left=left,
        refusals=() if left.is_empty else refusals or tuple(NOT_IN_FORCE.about(rule) for rule in wrong_rules(left)),
        first=first,
        live=live,
        read_at=context.now(),
        has_removed=has_removed,
    )


def wrong_rules(left: Change) -> tuple[Rule, ...]:
    """Return the rules that are not as wanted: still there, still missing, or still as they were edited."""
    return (*left.removed, *left.added, *(edit.before for edit in left.modified))


def deleted_references(refusals: tuple[Refusal, ...]) -> list[Rule]:
    """Return the rules that can never be restored, because the group they refer to has been deleted."""
    return [
        one.rule
        for one in refusals
        if one.rule is not None and one.rule.source.kind == "group" and one.code in GROUP_GONE
    ]


def _plan(left: Change, *, in_place: bool) -> Plan:
    """Return the steps; edits that had no effect in place are made by removing and adding the rule."""
    if in_place:
        return make_plan(left)
    rest = make_change(added=left.added, removed=left.removed)
    return (*make_plan(rest), *replacing_plan(left.modified))


def _without(live: RuleSet, gone: set[str]) -> RuleSet:
    """Return the rules without those that EC2 has answered to be gone: reads may still show them."""
    return RuleSet(rule for rule in live if rule.rule_id not in gone) if gone else live
