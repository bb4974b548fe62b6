"""An approved change against the live group: does it still fit, is it already in force, what is left to do. Pure.

Approval applies exactly what was shown. A group that has changed since in a way the approver did not see is a conflict,
named by EC2's own code where EC2 has one.
"""

from __future__ import annotations

from typing import Final

from shared.domain.change import Change, Modification, make_change
from shared.domain.rule import Rule

from ..ec2.refusal import Refusal
from ..rule_set import RuleSet

DUPLICATE: Final = "InvalidPermission.Duplicate"
NOT_FOUND: Final = "InvalidPermission.NotFound"


def what_is_left(change: Change, live: RuleSet) -> Change:
    """Return the part of the change that is not in force yet, with the rule ids the rules have in the live group.

    An added rule is in force also where the group did not keep its description.
    """
    return make_change(
        added=(rule for rule in change.added if _as_added(rule, live) is None),
        removed=(now for rule in change.removed if (now := live.like(rule)) is not None),
        modified=(_current(edit, live) for edit in change.modified if not _is_done(edit, change, live)),
    )


def conflict(change: Change, live: RuleSet) -> Refusal | None:
    """Return what keeps the change from being applied, or ``None``.

    Args:
        change: what was approved, or what is left of it.
        live: the rules of the group now.
    """
    for rule in change.added:
        if live.like(rule) is not None:
            return Refusal(code=DUPLICATE, reason=f"The rule {rule.identity} already exists in the group.", rule=rule)
    for rule in change.removed:
        if live.like(rule) is None:
            return Refusal(code=NOT_FOUND, reason=f"The rule {rule.identity} is not in the group any more.", rule=rule)
    moving = {edit.before.identity for edit in change.modified}
    for edit in change.modified:
        now = live.like(edit.before)
        if now is None or now.description != edit.before.description:
            reason = f"The rule {edit.before.identity} is no longer as it was shown; make the change again."
            return Refusal(code=NOT_FOUND, reason=reason, rule=edit.before)
        in_place_of = live.like(edit.after) if edit.after.identity != edit.before.identity else None
        if in_place_of is not None and in_place_of.identity not in moving:
            reason = f"The rule {edit.after.identity} already exists in the group."
            return Refusal(code=DUPLICATE, reason=reason, rule=edit.after)
    return None


def rollback(change: Change, live: RuleSet) -> Change:
    """Return what undoes the part of a change that did get applied.

    Applying began with none of it in force (:func:`conflict`), so whatever is in force now has been applied since.

    Args:
        change: what was approved, all of it.
        live: the rules now.
    """
    come = [now for rule in change.added if (now := _as_added(rule, live)) is not None]
    gone = [rule for rule in change.removed if live.like(rule) is None]
    edited = []
    for edit in change.modified:
        before, after = live.like(edit.before), live.like(edit.after)
        # What stands in its old place may be another rule of the change, edited into it since.
        has_moved = after is not None and after.rule_id is not None and after.rule_id == edit.before.rule_id
        if before is not None and before.description == edit.before.description and not has_moved:
            continue
        if after is not None and after.description == edit.after.description:
            edited.append(Modification(before=after, after=edit.before))
        elif before is None:
            gone.append(edit.before)
    return make_change(added=gone, removed=come, modified=edited)


def _current(edit: Modification, live: RuleSet) -> Modification:
    now = live.like(edit.before)
    return edit if now is None else Modification(before=now, after=edit.after)


def _as_added(rule: Rule, live: RuleSet) -> Rule | None:
    now = live.like(rule)
    return now if now is not None and now.description in (rule.description, "") else None


def _is_live(rule: Rule, live: RuleSet) -> bool:
    now = live.like(rule)
    return now is not None and now.description == rule.description


def _is_done(edit: Modification, change: Change, live: RuleSet) -> bool:
    left = live.like(edit.before)
    # Another rule of the same change may have been edited into the place that this one has left.
    has_left = left is None or any(one.after == left for one in change.modified)
    return (has_left or edit.before.identity == edit.after.identity) and _is_live(edit.after, live)
