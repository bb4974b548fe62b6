"""What a recorded call did to a group, measured against what is approved, and what has to be done about it now.

The event alone rarely says enough, and by the time it arrives others may have changed the same rules. So three things
are compared: the call, the baseline (if the group's is known) and the live group. The assessment holds the change that
approval would apply, and the difference between the live group and the approved state *of the rules this call touched*.
Assessing again after the revert says what is still left to do; an empty ``undo`` is the proof.

Where the event does not say which rules it touched (left out because of its size, or unreadable), all guarded rules of
the group count as touched. Pure.

What does not belong here: the edits of ``ModifySecurityGroupRules`` and of descriptions (``assessment.edits``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from shared.domain.change import Change, Modification, by_identity, diff, make_change, undo
from shared.domain.rule import Direction, Rule

from ..cloudtrail.call import Call
from ..rule_set import RuleSet
from ..state.baseline import (
    Baseline,
    is_by_name,
    joined,
    may_hide_rules,
    shortfall,
    was_missed,
    with_owner,
    without_unapproved,
)
from .edits import Edits, assess_edits

_UNKNOWN_RULES: Final = "the event does not say which rules, and nobody knows which rules of this group are approved"
_IN_DOUBT: Final = (
    "the removed rules are not restored: they may have been added or edited by a call that nobody can read, and nobody "
    "knows which rules of this group are approved"
)
_NOT_APPROVED: Final = "the rules had not been approved, so there is nothing to restore"
_APPROVED: Final = "the rules are approved already"
_NO_EFFECT: Final = "the call changed nothing that is guarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """A call measured against baseline and live group.

    Attributes:
        change: the change relative to the approved rules: what approval would apply.
        undo: what leads from the live group back to the approved state, for the rules this call touched; empty when
            done.
        remaining: live rules that cannot be reverted because nobody knows what they were, or removed ones that cannot
            be restored because nobody knows whether they may.
        reason: why something cannot be reverted, or why there is nothing to revert; else empty.
        is_unknown: part of the call cannot be reverted.
        is_unguarded: the call touched only rules of directions that are not guarded.
    """

    change: Change
    undo: Change
    remaining: tuple[Rule, ...] = ()
    reason: str = ""
    is_unknown: bool = False
    is_unguarded: bool = False


def assess(call: Call, baseline: Baseline | None, live: RuleSet, directions: Iterable[Direction]) -> Assessment:
    """Measure a call that is not allowed against the baseline and the live group.

    Args:
        call: the recorded call with its rules.
        baseline: the group's approved rules, or ``None`` when nobody knows them: then the call is undone by what its
            event says.
        live: all rules of the group now.
        directions: the guarded directions; rules of another direction are left alone.
    """
    guarded = tuple(directions)
    known = None if baseline is None else without_unapproved(baseline, call, live)
    if call.kind == "add":
        found = _assess_added(call, known, live)
    elif call.kind == "remove":
        found = _assess_removed(call, known, live)
    else:
        found = _of_edits(
            assess_edits(call, known, live, guarded),
            is_whole=not call.omitted or (known is not None and bool(known.adopted)),
        )
    if baseline is not None and known is not None and may_hide_rules(call):
        found = _with_restored(found, baseline.doubt.restored_since(call.event_time), known, live)
    if call.omitted and call.resulting is None and known is not None and known.adopted:
        return _with_whole_group(found, known, live, guarded)
    return found


def _with_restored(found: Assessment, restored: tuple[Rule, ...], known: Baseline, live: RuleSet) -> Assessment:
    """Return the assessment with what was restored before anybody knew that this call may have added it."""
    opened = [now for rule in restored if known.like(rule) is None and (now := live.like(rule)) is not None]
    change = _merged(found.change, make_change(added=opened))
    return replace(found, change=change, undo=_merged(found.undo, make_change(removed=opened)))


def _with_whole_group(
    found: Assessment, known: Baseline, live: RuleSet, directions: tuple[Direction, ...]
) -> Assessment:
    """Return the assessment with everything else that differs in the group: the event may be about any of it."""
    wanted = [direction for direction in directions if known.knows(direction)]
    difference = diff(known.rules.of(wanted), live.of(wanted))
    change = _merged(found.change, difference)
    whole = undo(difference)
    reason = "" if not change.is_empty or found.is_unknown else found.reason or _NO_EFFECT
    return replace(found, change=change, undo=_merged(found.undo, whole), reason=reason, is_unguarded=False)


def _merged(first: Change, second: Change) -> Change:
    """Return both changes as one; each rule is added, removed or edited once."""
    touched = {rule.identity for rule in first.rules}
    return joined(
        [
            first,
            make_change(
                added=(rule for rule in second.added if rule.identity not in touched),
                removed=(rule for rule in second.removed if rule.identity not in touched),
                modified=(
                    edit
                    for edit in second.modified
                    if edit.before.identity not in touched and edit.after.identity not in touched
                ),
            ),
        ]
    )


# -- add ---------------------------------------------------------------------------------------------------------------


def _assess_added(call: Call, baseline: Baseline | None, live: RuleSet) -> Assessment:
    known = _known(baseline, call.direction)
    made = [with_owner(rule, call.account, live) for rule in (*_made(call), *_unanswered(call, live))]
    named = [rule for rule in made if is_by_name(rule)]
    added = [rule for rule in made if not is_by_name(rule)]
    if known is None:
        is_unknown = call.resulting is None and (call.omitted or bool(named))
        return Assessment(
            change=make_change(added=made),
            undo=_converged((), added, live),
            reason=_UNKNOWN_RULES if is_unknown else "",
            is_unknown=is_unknown,
        )
    added += _unexplained(call, known, named, added, live)
    # An id of this call may lead to an approved rule: edited into its place, it has been revoked together with it.
    approved = [*known.by_ids(rule.rule_id for rule in added), *filter(None, map(known.like, added))]
    fresh = [rule for rule in added if known.like(rule) is None]
    described = [
        Modification(before=before, after=replace(before, description=rule.description))
        for rule in added
        if (before := known.like(rule)) is not None and before.description != rule.description
    ]
    change = make_change(added=by_identity(fresh).values(), modified=described)
    # Of a rule whose id is known, the same values under another id are somebody else's.
    by_values = known.is_adopted_after(call.direction or "ingress", call.event_time)
    opened = [rule for rule in fresh if by_values or rule.rule_id is None or live.with_id(rule.rule_id)]
    return Assessment(
        change=change, undo=_converged(approved, opened, live), reason=_APPROVED if change.is_empty else ""
    )


def _made(call: Call) -> tuple[Rule, ...]:
    return call.resulting if call.resulting is not None else call.requested


def _unanswered(call: Call, live: RuleSet) -> list[Rule]:
    """Return the live rules that the call asked for and that are missing in an answer that is not whole."""
    answered = RuleSet(_made(call))
    asked = [now for rule in call.requested if answered.like(rule) is None and (now := live.like(rule))]
    return list(by_identity(asked).values())


def _unexplained(call: Call, known: Baseline, named: list[Rule], added: list[Rule], live: RuleSet) -> list[Rule]:
    """Return the live rules that may be those which the event names by a group's name alone."""
    shapes = {_shape(rule) for rule in named}
    said = RuleSet(added)
    return [
        rule
        for rule in (live if shapes and call.resulting is None else ())
        if rule.direction == call.direction
        and rule.source.kind == "group"
        and _shape(rule) in shapes
        and known.like(rule) is None
        and said.like(rule) is None
    ]


def _shape(rule: Rule) -> tuple[object, ...]:
    return rule.protocol, rule.from_port, rule.to_port


# -- remove ------------------------------------------------------------------------------------------------------------


def _assess_removed(call: Call, baseline: Baseline | None, live: RuleSet) -> Assessment:
    known = _known(baseline, call.direction)
    gone = [with_owner(rule, call.account, live) for rule in _made(call)]
    if known is None:
        gone = [rule for rule in gone if baseline is None or not baseline.has_heard_of_removed(rule, call.event_time)]
        if call.resulting is None and (call.omitted or call.rule_ids or not gone):
            return _not_restored(gone, live, _UNKNOWN_RULES)
        if gone and (baseline is None or baseline.doubt.covers(call.event_time)):
            return _not_restored(gone, live, _IN_DOUBT)
        # Events without EC2's answer are old ones; what such a call names is taken for what it removed.
        return Assessment(
            change=make_change(removed=gone), undo=_converged(gone, (), live), reason="" if gone else _NOT_APPROVED
        )
    by_ids = [known.by_id(rule.rule_id) or known.like(rule) for rule in gone]
    if call.resulting is None:
        by_ids += known.by_ids(call.rule_ids)
    approved = list(by_identity(rule for rule in by_ids if rule is not None).values())
    doubtful = [rule for rule in gone if was_missed(known, rule, call)]
    if doubtful:
        found = _not_restored(doubtful, live, _IN_DOUBT)
        gone = list(by_identity([*approved, *doubtful]).values())
        return replace(found, change=make_change(removed=gone), undo=_converged(approved, (), live))
    return Assessment(
        change=make_change(removed=approved),
        undo=_converged(approved, (), live),
        reason="" if approved else _NOT_APPROVED,
    )


def _not_restored(gone: list[Rule], live: RuleSet, reason: str) -> Assessment:
    missing = tuple(rule for rule in gone if live.like(rule) is None)
    return Assessment(
        change=make_change(removed=by_identity(gone).values()),
        undo=make_change(),
        remaining=missing,
        reason=reason,
        is_unknown=True,
    )


# -- edits -------------------------------------------------------------------------------------------------------------


def _of_edits(edits: Edits, *, is_whole: bool) -> Assessment:
    if not is_whole:
        return Assessment(change=edits.change, undo=edits.undo, reason=_UNKNOWN_RULES, is_unknown=True)
    reason = " ".join(edits.notes)
    if not reason and edits.change.is_empty:
        reason = _NO_EFFECT
    return Assessment(change=edits.change, undo=edits.undo, reason=reason, is_unguarded=edits.is_unguarded)


# -- common ------------------------------------------------------------------------------------------------------------


def _known(baseline: Baseline | None, direction: Direction | None) -> Baseline | None:
    return baseline if baseline is not None and direction is not None and baseline.knows(direction) else None


def _converged(approved: Iterable[Rule], unapproved: Iterable[Rule], live: RuleSet) -> Change:
    """Return what brings these rules, and no others, to the approved state.

    Args:
        approved: rules that have to be there, with their descriptions.
        unapproved: rules that must not, by id where that one is live, else by identity.
        live: the rules of the group now.
    """
    opened = [now for rule in unapproved if (now := live.with_id(rule.rule_id) or live.like(rule)) is not None]
    rest = shortfall(approved, live)
    return make_change(added=rest.added, removed=by_identity(opened).values(), modified=rest.modified)
