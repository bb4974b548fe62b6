"""What a recorded call did to a group, measured against what is approved, and what has to be done about it now.

The event alone rarely says enough, and by the time it arrives others may have changed the same rules. So three things
are laid side by side: the call, the baseline (if the group's is known) and the live group. The finding holds the change
that approval would apply, and the difference between the live group and the approved state *of the rules this call
touched*. Running the same function again after the revert says what is still left to do; an empty ``undo`` is the
proof.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from shared.domain.baseline import Baseline, find_like
from shared.domain.call import Call, RuleEdit
from shared.domain.change import Change, Modification, make_change
from shared.domain.rule import Direction, Rule

_UNKNOWN_BEFORE: Final = "nobody knows what the rule was before: its group has no baseline yet"
_UNKNOWN_RULES: Final = "the event does not say which rules, and the group has no baseline yet"
_NOT_APPROVED: Final = "the rules had not been approved, so there is nothing to restore"
_NO_EFFECT: Final = "the call changed nothing that is guarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A call against baseline and live group.

    Attributes:
        change: the change relative to the approved rules: what approval would apply.
        undo: what leads from the live group back to the approved state, for the rules this call touched; empty when
            done.
        remaining: live rules that cannot be taken back because nobody knows what they were.
        reason: why something cannot be taken back, or why there is nothing to take back; else empty.
        is_unknown: part of the call cannot be taken back.
    """

    change: Change
    undo: Change
    remaining: tuple[Rule, ...] = ()
    reason: str = ""
    is_unknown: bool = False


def find(call: Call, baseline: Baseline | None, live: tuple[Rule, ...], directions: Iterable[Direction]) -> Finding:
    """Lay a call, the baseline and the live group side by side.

    Args:
        call: the recorded call with its rules.
        baseline: the group's approved rules, or ``None`` when the group has never been learned.
        live: all rules of the group now.
        directions: the guarded directions; edits of rules of another direction are left alone.
    """
    if call.kind == "add":
        return _find_added(call, baseline, live)
    if call.kind == "remove":
        return _find_removed(call, baseline, live)
    return _find_edited(call, baseline, live, tuple(directions))


# -- add ---------------------------------------------------------------------------------------------------------------


def _find_added(call: Call, baseline: Baseline | None, live: tuple[Rule, ...]) -> Finding:
    known = _known(baseline, call.direction)
    added = call.resulting
    if added is None:
        added = call.requested
        if call.omitted and known is not None:
            unexplained = [rule for rule in live if rule.direction == call.direction and known.like(rule) is None]
            added = (*added, *(rule for rule in unexplained if find_like(added, rule) is None))
        elif call.omitted:
            return _unknown((), _UNKNOWN_RULES, undo=_revoke_like(added, known, live), added=added)
    return Finding(
        change=make_change(added=(_owned(rule, call.account) for rule in added)),
        undo=_revoke_like(added, known, live),
    )


def _revoke_like(added: Iterable[Rule], known: Baseline | None, live: tuple[Rule, ...]) -> Change:
    """Return the removal of the live rules that the call added: by rule id, or by identity where not approved."""
    open_now = []
    for rule in added:
        if rule.rule_id is not None:
            match = _by_id(live, rule.rule_id)
        else:
            match = find_like(live, rule)
            if match is not None and known is not None and known.like(match) is not None:
                match = None
        if match is not None:
            open_now.append(match)
    return make_change(removed=open_now)


# -- remove ------------------------------------------------------------------------------------------------------------


def _find_removed(call: Call, baseline: Baseline | None, live: tuple[Rule, ...]) -> Finding:
    known = _known(baseline, call.direction)
    if known is None:
        gone = [_owned(rule, call.account) for rule in (call.resulting or call.requested)]
        missing = [rule for rule in gone if find_like(live, rule) is None]
        if call.omitted or (call.resulting is None and call.rule_ids):
            return _unknown((), _UNKNOWN_RULES, undo=make_change(added=missing), removed=gone)
        return Finding(change=make_change(removed=gone), undo=make_change(added=missing))
    gone = _approved_of(call, known)
    if call.omitted and call.resulting is None:
        direction = call.direction
        gone += [
            rule
            for rule in known.rules
            if rule.direction == direction and rule not in gone and find_like(live, rule) is None
        ]
    missing = [rule for rule in gone if find_like(live, rule) is None]
    return Finding(
        change=make_change(removed=gone),
        undo=make_change(added=missing),
        reason="" if gone else _NOT_APPROVED,
    )


def _approved_of(call: Call, known: Baseline) -> list[Rule]:
    """Return the approved rules that a revoke took away, each once; what it names by id, by values, or both."""
    named = call.resulting if call.resulting is not None else call.requested
    found = [known.by_id(rule.rule_id) or known.like(rule) for rule in named]
    if call.resulting is None:
        found += [known.by_id(rule_id) for rule_id in call.rule_ids]
    return list({rule.identity: rule for rule in found if rule is not None}.values())


# -- modify and describe -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    """One edited rule: what is approved, what is live, and what the caller wants."""

    approved: Rule | None
    live: Rule | None
    after: Rule | None
    is_known: bool


def _find_edited(
    call: Call, baseline: Baseline | None, live: tuple[Rule, ...], directions: tuple[Direction, ...]
) -> Finding:
    edits = [_edit_by_id(edit, baseline, live) for edit in call.edits]
    edits += [_edit_by_rule(rule, baseline, live) for rule in call.requested]
    modified, undo_modified, added, undo_removed, remaining = [], [], [], [], []
    unknown = call.omitted and not edits
    for edit in edits:
        reference = edit.approved or edit.live or edit.after
        if reference is None or reference.direction not in directions:
            continue
        if edit.approved is not None:
            if edit.after is not None and _differs(edit.approved, edit.after):
                modified.append(Modification(before=edit.approved, after=edit.after))
            if edit.live is not None and _differs(edit.live, edit.approved):
                undo_modified.append(Modification(before=edit.live, after=edit.approved))
        elif edit.is_known:
            # Not approved in any form: an edit of it is, measured against the approved state, an addition.
            if edit.after is not None:
                added.append(edit.after)
            if edit.live is not None:
                undo_removed.append(edit.live)
        else:
            unknown = True
            remaining += [edit.live] if edit.live is not None else []
    change = make_change(added=added, modified=modified)
    undo = make_change(removed=undo_removed, modified=undo_modified)
    if unknown:
        return Finding(change=change, undo=undo, remaining=tuple(remaining), reason=_UNKNOWN_BEFORE, is_unknown=True)
    return Finding(change=change, undo=undo, reason=_NO_EFFECT if change.is_empty else "")


def _edit_by_id(edit: RuleEdit, baseline: Baseline | None, live: tuple[Rule, ...]) -> _Edit:
    now = _by_id(live, edit.rule_id)
    approved = baseline.by_id(edit.rule_id) if baseline is not None else None
    if approved is None and baseline is not None and now is not None:
        approved = baseline.like(now)
    reference = approved or now
    if edit.after is None:
        after = replace(reference, description=edit.description) if reference is not None else None
    else:
        after = _completed(edit.after, reference)
    direction = reference.direction if reference is not None else "ingress"
    return _Edit(approved=approved, live=now, after=after, is_known=_known(baseline, direction) is not None)


def _edit_by_rule(wanted: Rule, baseline: Baseline | None, live: tuple[Rule, ...]) -> _Edit:
    now = find_like(live, wanted)
    approved = baseline.like(wanted) if baseline is not None else None
    reference = approved or now
    return _Edit(
        approved=approved,
        live=now,
        after=replace(reference, description=wanted.description) if reference is not None else wanted,
        is_known=_known(baseline, wanted.direction) is not None,
    )


def _completed(after: Rule, reference: Rule | None) -> Rule:
    """Return the new values with what a modify call does not carry: direction, tags, owner of a referenced group."""
    if reference is None:
        return after
    source = after.source
    if source.kind == "group" and source.value == reference.source.value:
        source = reference.source
    return replace(after, direction=reference.direction, tags=reference.tags, rule_id=reference.rule_id, source=source)


# -- common ------------------------------------------------------------------------------------------------------------


def _known(baseline: Baseline | None, direction: Direction | None) -> Baseline | None:
    return baseline if baseline is not None and direction is not None and baseline.knows(direction) else None


def _differs(one: Rule, other: Rule) -> bool:
    return one.identity != other.identity or one.description != other.description


def _by_id(rules: Iterable[Rule], rule_id: str) -> Rule | None:
    return next((rule for rule in rules if rule.rule_id == rule_id), None)


def _owned(rule: Rule, account: str) -> Rule:
    """Return the rule with its referenced group owned by ``account`` where the event does not name an owner."""
    if rule.source.kind == "group" and not rule.source.account:
        return replace(rule, source=replace(rule.source, account=account))
    return rule


def _unknown(
    remaining: tuple[Rule, ...],
    reason: str,
    *,
    undo: Change,
    added: Iterable[Rule] = (),
    removed: Iterable[Rule] = (),
) -> Finding:
    change = make_change(added=added, removed=removed)
    return Finding(change=change, undo=undo, remaining=remaining, reason=reason, is_unknown=True)
