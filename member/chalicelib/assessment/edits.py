"""What edits of rules did, and what brings the edited rules back: in place, so that they keep their ids.

An event of ``ModifySecurityGroupRules`` says only the new values; the old ones are in the baseline, if anywhere.
Several people may have edited, removed and added the same rules meanwhile, so the way back is checked as a whole:
afterwards every approved rule that the edits touched has to be there, and no unapproved one.

What does not belong here: additions and removals (``member.chalicelib.assessment.assess``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from shared.domain.change import Change, Modification, by_identity, diff, make_change
from shared.domain.rule import Direction, Rule

from ..cloudtrail.call import Call
from ..state.baseline import Baseline, find_like, shortfall
from .rule_index import index_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """All edits of one call against baseline and live group.

    Attributes:
        change: the change relative to the approved rules.
        undo: what leads from the live group back to the approved state of the touched rules.
        remaining: live rules of which nobody knows what they were.
        gone: of each edited rule that is neither live nor approved, what can be said about it.
        is_unknown: nobody knows what a rule was before.
        is_unguarded: all edited rules are of directions that are not guarded.
    """

    change: Change
    undo: Change
    remaining: tuple[Rule, ...] = ()
    gone: tuple[str, ...] = ()
    is_unknown: bool = False
    is_unguarded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    """One edited rule: what is approved, what is live, and what the caller wants."""

    approved: Rule | None
    live: Rule | None
    after: Rule
    is_known: bool


def find_edits(
    call: Call, baseline: Baseline | None, live: tuple[Rule, ...], directions: tuple[Direction, ...]
) -> Edits:
    """Lay the edits of a call, the baseline and the live group side by side; arguments as for ``find``."""
    found, gone = _read(call, baseline, live)
    found += _unsaid(call, baseline, live, found)
    guarded = [edit for edit in found if _direction(edit) in directions]
    modified, added, unapproved, approved, remaining = [], [], [], [], []
    unknown = call.omitted and baseline is None
    for edit in guarded:
        if not edit.is_known:
            unknown = True
            remaining += [edit.live] if edit.live is not None else []
        elif edit.approved is not None:
            approved.append(edit)
            if edit.after.identity != edit.approved.identity or edit.after.description != edit.approved.description:
                modified.append(Modification(before=edit.approved, after=edit.after))
        else:
            # Not approved in any form: an edit of it is, measured against the approved state, an addition.
            added.append(edit.after)
            unapproved += [edit.live] if edit.live is not None else []
    return Edits(
        change=make_change(added=by_identity(added).values(), modified=modified),
        undo=_way_back(approved, unapproved, baseline, live),
        remaining=tuple(remaining),
        gone=tuple(gone),
        is_unknown=unknown,
        is_unguarded=bool(found) and not guarded and not gone,
    )


def _direction(edit: _Edit) -> Direction:
    return (edit.approved or edit.live or edit.after).direction


# -- reading the edits -------------------------------------------------------------------------------------------------


def _read(call: Call, baseline: Baseline | None, live: tuple[Rule, ...]) -> tuple[list[_Edit], list[str]]:
    found: list[_Edit] = []
    gone: list[str] = []
    for edit in call.edits:
        now = index_of(live).with_id(edit.rule_id)
        approved = _approved(baseline, edit.rule_id, now, call)
        reference = approved or now
        if reference is None:
            # Not even its direction is known, so nobody can be asked about it.
            values = f" to {edit.after.identity.partition('/')[2]}" if edit.after is not None else ""
            gone.append(f"{edit.rule_id}{values} no longer exists")
            continue
        if edit.after is None:
            after = replace(reference, description=edit.description)
        else:
            after = completed(edit.after, reference, now)
        found.append(_known_edit(call, baseline, approved, now, after))
    for wanted in call.requested:
        now = find_like(live, wanted)
        approved = _approved(baseline, now.rule_id if now is not None else None, now, call) or (
            baseline.like(wanted) if baseline is not None else None
        )
        after = replace(now or approved or wanted, description=wanted.description)
        found.append(_known_edit(call, baseline, approved, now, after))
    return found, gone


def _unsaid(call: Call, baseline: Baseline | None, live: tuple[Rule, ...], found: list[_Edit]) -> list[_Edit]:
    """Return the edits of approved rules that the group shows and an event of which a part was left out does not."""
    if baseline is None or not call.omitted:
        return []
    said = {edit.approved.identity for edit in found if edit.approved is not None}
    return [
        _Edit(approved=edit.before, live=edit.after, after=edit.after, is_known=True)
        for edit in diff(baseline.rules, live).modified
        if edit.before.identity not in said
    ]


def _approved(baseline: Baseline | None, rule_id: str | None, now: Rule | None, call: Call) -> Rule | None:
    if baseline is None:
        return None
    return baseline.by_id(rule_id, call.event_time) or (baseline.like(now) if now is not None else None)


def _known_edit(call: Call, baseline: Baseline | None, approved: Rule | None, now: Rule | None, after: Rule) -> _Edit:
    direction = (approved or now or after).direction
    is_known = baseline is not None and baseline.knows(direction)
    if (
        baseline is not None
        and approved is not None
        and approved == after
        and baseline.is_older_than_learned(direction, call.event_time)
        and baseline.last_change(approved) is None
    ):
        # The edit was live already when the baseline was learned; what the rule was before, nobody wrote down.
        is_known = False
    return _Edit(approved=approved, live=now, after=after, is_known=is_known)


def completed(after: Rule, reference: Rule, now: Rule | None) -> Rule:
    """Return the new values with what a modify call does not carry: direction, tags, owner of a referenced group."""
    same_group = (
        one.source
        for one in (now, reference)
        if one is not None and one.source.kind == "group" and one.source.value == after.source.value
    )
    source = next(same_group, after.source)
    return replace(after, direction=reference.direction, tags=reference.tags, rule_id=reference.rule_id, source=source)


# -- the way back ------------------------------------------------------------------------------------------------------


def _way_back(
    edits: Iterable[_Edit], unapproved: Iterable[Rule], baseline: Baseline | None, live: tuple[Rule, ...]
) -> Change:
    """Return what puts the touched rules right, whatever else happened to them."""
    if baseline is None:
        return make_change()
    removed = by_identity(unapproved)
    touched = {edit.approved.identity: edit.approved for edit in edits if edit.approved is not None}
    back: dict[str, Modification] = {}
    for edit in edits:
        if edit.live is not None and edit.approved is not None and edit.live.identity != edit.approved.identity:
            back[edit.live.identity] = Modification(before=edit.live, after=edit.approved)
    untouched = index_of(rule for rule in live if rule.identity not in back and rule.identity not in removed)
    for identity, edit_back in list(back.items()):
        # What was edited may by now be the only holder of another approved rule.
        held = baseline.like(edit_back.before)
        if held is not None:
            touched[held.identity] = held
        if untouched.like(edit_back.after) is not None:  # the approved rule is in force under another id
            del back[identity]
            if held is None:
                removed[identity] = edit_back.before
    moved = [rule for rule in live if rule.identity not in back and rule.identity not in removed]
    rest = shortfall(touched.values(), [*moved, *(one.after for one in back.values())])
    return make_change(added=rest.added, removed=removed.values(), modified=[*back.values(), *rest.modified])
