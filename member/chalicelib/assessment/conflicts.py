"""An approved change against the live group: does it still fit, is it already in force, what is left to do.

Approval applies exactly what was shown. A group that has changed since in a way the approver did not see is an
obstacle, told with EC2's own code where EC2 has one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from shared.domain.change import Change, Modification, make_change
from shared.domain.rule import Rule

from ..state.baseline import Baseline, find_like, with_done
from ..state.history import Deed, Entry, Made, Moved, Removed

DUPLICATE: Final = "InvalidPermission.Duplicate"
NOT_FOUND: Final = "InvalidPermission.NotFound"


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why an approved change cannot be applied.

    Attributes:
        code: an EC2 error code.
        reason: a sentence for people.
    """

    code: str
    reason: str


def is_in_force(change: Change, live: tuple[Rule, ...]) -> bool:
    """True when the group is as the change wants it; see :func:`what_is_left`."""
    return what_is_left(change, live).is_empty


def what_is_left(change: Change, live: tuple[Rule, ...]) -> Change:
    """Return the part of the change that is not in force yet, with the rule ids the rules have in the live group.

    An added rule is in force also where the group did not keep its description.
    """
    return make_change(
        added=(rule for rule in change.added if _as_added(rule, live) is None),
        removed=(now for rule in change.removed if (now := find_like(live, rule)) is not None),
        modified=(_current(edit, live) for edit in change.modified if not _is_done(edit, change, live)),
    )


def obstacle(change: Change, live: tuple[Rule, ...]) -> Obstacle | None:
    """Return what stands in the way of the change, or ``None``.

    Args:
        change: what was approved, or what is left of it.
        live: the rules of the group now.
    """
    for rule in change.added:
        if find_like(live, rule) is not None:
            return Obstacle(code=DUPLICATE, reason=f"The rule {rule.identity} already exists in the group.")
    for rule in change.removed:
        if find_like(live, rule) is None:
            return Obstacle(code=NOT_FOUND, reason=f"The rule {rule.identity} is not in the group any more.")
    moving = {edit.before.identity for edit in change.modified}
    for edit in change.modified:
        now = find_like(live, edit.before)
        if now is None or now.description != edit.before.description:
            reason = f"The rule {edit.before.identity} is no longer as it was shown; make the change again."
            return Obstacle(code=NOT_FOUND, reason=reason)
        in_place_of = find_like(live, edit.after) if edit.after.identity != edit.before.identity else None
        if in_place_of is not None and in_place_of.identity not in moving:
            return Obstacle(code=DUPLICATE, reason=f"The rule {edit.after.identity} already exists in the group.")
    return None


def way_back(change: Change, live: tuple[Rule, ...]) -> Change:
    """Return what takes back the part of a change that did get applied.

    Applying began with none of it in force (:func:`obstacle`), so whatever is in force now has been applied since.

    Args:
        change: what was approved, all of it.
        live: the rules now.
    """
    come = [now for rule in change.added if (now := _as_added(rule, live)) is not None]
    gone = [rule for rule in change.removed if find_like(live, rule) is None]
    edited = []
    for edit in change.modified:
        before, after = find_like(live, edit.before), find_like(live, edit.after)
        # What stands in its old place may be another rule of the change, edited into it since.
        has_moved = after is not None and after.rule_id is not None and after.rule_id == edit.before.rule_id
        if before is not None and before.description == edit.before.description and not has_moved:
            continue
        if after is not None and after.description == edit.after.description:
            edited.append(Modification(before=after, after=edit.before))
        elif before is None:
            gone.append(edit.before)
    return make_change(added=gone, removed=come, modified=edited)


def with_approved(baseline: Baseline, change: Change, live: tuple[Rule, ...], moment: datetime) -> Baseline:
    """Return the baseline after the change was applied.

    Args:
        baseline: the group's baseline.
        change: what was applied.
        live: the rules now; rule ids are taken from it.
        moment: now; allowed calls from before have had their effect and no longer change these rules.
    """
    deeds: tuple[Deed, ...] = (
        *(Removed(rule=rule) for rule in change.removed),
        *(Moved(before=edit.before, rule=_as_kept(edit.after, live)) for edit in change.modified),
        *(Made(rule=_as_kept(rule, live)) for rule in change.added),
    )
    return with_done(baseline, Entry(moment=moment, deeds=deeds))


def _as_kept(rule: Rule, live: tuple[Rule, ...]) -> Rule:
    """Return the rule with its id; a description that the group did not keep is none."""
    now = find_like(live, rule)
    kept = rule.description if now is None or now.description else ""
    return replace(rule, rule_id=now.rule_id if now is not None else None, description=kept)


def _current(edit: Modification, live: tuple[Rule, ...]) -> Modification:
    now = find_like(live, edit.before)
    return edit if now is None else Modification(before=now, after=edit.after)


def _as_added(rule: Rule, live: tuple[Rule, ...]) -> Rule | None:
    now = find_like(live, rule)
    return now if now is not None and now.description in (rule.description, "") else None


def _is_live(rule: Rule, live: tuple[Rule, ...]) -> bool:
    now = find_like(live, rule)
    return now is not None and now.description == rule.description


def _is_done(edit: Modification, change: Change, live: tuple[Rule, ...]) -> bool:
    left = find_like(live, edit.before)
    # Another rule of the same change may have been edited into the place that this one has left.
    has_left = left is None or any(one.after == left for one in change.modified)
    return (has_left or edit.before.identity == edit.after.identity) and _is_live(edit.after, live)
