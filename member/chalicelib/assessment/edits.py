"""What edits of rules did, and what brings the edited rules back: in place, so that they keep their ids.

An event of ``ModifySecurityGroupRules`` says only the new values; the old ones are in the baseline, if anywhere.
Several people may have edited, removed and added the same rules meanwhile, so the result is checked as a whole:
afterwards every approved rule that the edits touched has to be there, and no unapproved one. Pure.

What does not belong here: additions and removals (``assessment.assess``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from shared.domain.change import Change, Modification, by_identity, make_change
from shared.domain.rule import Direction, Rule

from ..cloudtrail.call import Call
from ..rule_set import RuleSet
from ..state.baseline import Baseline, completed, shortfall

_UNKNOWN_BEFORE: Final = (
    "Nobody knows what the edited rule was before, so it is removed, and asked about as an addition."
)
_UNKNOWN_TEXT: Final = "Nobody knows the description from before, so the new one was left."


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """All edits of one call against baseline and live group.

    Attributes:
        change: the change relative to the approved rules.
        undo: what leads from the live group back to the approved state of the touched rules.
        notes: what a reader has to know about single edits, in sentences.
        is_unguarded: all edited rules are of directions that are not guarded.
    """

    change: Change
    undo: Change
    notes: tuple[str, ...] = ()
    is_unguarded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    """One edited rule: what is approved, what is live, and what the caller wants.

    Attributes:
        is_text: only the description was changed.
        is_known: it is known which rules of its direction are approved.
    """

    approved: Rule | None
    live: Rule | None
    after: Rule
    is_text: bool
    is_known: bool

    @property
    def direction(self) -> Direction:
        """The direction of the edited rule."""
        return (self.approved or self.live or self.after).direction


def assess_edits(call: Call, baseline: Baseline | None, live: RuleSet, directions: tuple[Direction, ...]) -> Edits:
    """Measure the edits of a call; arguments as for ``assess``."""
    found, notes = _read(call, baseline, live)
    guarded = [edit for edit in found if edit.direction in directions]
    modified, added, unapproved, approved = [], [], [], []
    for edit in guarded:
        if edit.approved is not None:
            approved.append(edit)
            if edit.after.identity != edit.approved.identity or edit.after.description != edit.approved.description:
                modified.append(Modification(before=edit.approved, after=edit.after))
        elif edit.is_text and not edit.is_known:
            notes.append(_UNKNOWN_TEXT)  # a description lets nobody in
        else:
            # Not approved in any form: an edit of it is, measured against the approved state, an addition.
            notes += [] if edit.is_known else [_UNKNOWN_BEFORE]
            added.append(edit.after)
            unapproved += [edit.live] if edit.live is not None else []
    return Edits(
        change=make_change(added=by_identity(added).values(), modified=modified),
        undo=_undo(approved, unapproved, baseline, live),
        notes=tuple(dict.fromkeys(notes)),
        is_unguarded=bool(found) and not guarded and not notes,
    )


# -- reading the edits -------------------------------------------------------------------------------------------------


def _read(call: Call, baseline: Baseline | None, live: RuleSet) -> tuple[list[_Edit], list[str]]:
    found: list[_Edit] = []
    notes: list[str] = []
    for edit in call.edits:
        now = live.with_id(edit.rule_id) or _restored(baseline, edit.after, live)
        approved = _approved(baseline, edit.rule_id, now)
        reference = approved or now
        if reference is None:
            # Not even its direction is known, so nobody can be asked about it.
            values = f" to {edit.after.identity.partition('/')[2]}" if edit.after is not None else ""
            notes.append(
                f"The edited rule {edit.rule_id}{values} no longer exists, so nothing of that edit is in force."
            )
            continue
        is_text = edit.after is None
        after = (
            replace(reference, description=edit.description)
            if edit.after is None
            else completed(edit.after, reference, now)
        )
        found.append(_edit(baseline, approved, now, after, is_text=is_text))
    for wanted in call.requested:
        now = live.like(wanted)
        approved = _approved(baseline, now.rule_id if now is not None else None, now or wanted)
        after = replace(now or approved or wanted, description=wanted.description)
        found.append(_edit(baseline, approved, now, after, is_text=True))
    return found, notes


def _restored(baseline: Baseline | None, after: Rule | None, live: RuleSet) -> Rule | None:
    """Return what a removal, heard first and reverted, has opened again where nobody knows what is approved."""
    if after is None or (baseline is not None and baseline.knows(after.direction)):
        return None
    return live.like(after)


def _approved(baseline: Baseline | None, rule_id: str | None, now: Rule | None) -> Rule | None:
    if baseline is None:
        return None
    return baseline.by_id(rule_id) or (baseline.like(now) if now is not None else None)


def _edit(baseline: Baseline | None, approved: Rule | None, now: Rule | None, after: Rule, *, is_text: bool) -> _Edit:
    direction = (approved or now or after).direction
    is_known = baseline is not None and baseline.knows(direction)
    return _Edit(approved=approved, live=now, after=after, is_text=is_text, is_known=is_known)


# -- undoing them ------------------------------------------------------------------------------------------------------


def _undo(edits: Iterable[_Edit], unapproved: Iterable[Rule], baseline: Baseline | None, live: RuleSet) -> Change:
    """Return what puts the touched rules right, whatever else happened to them."""
    removed = by_identity(unapproved)
    if baseline is None:
        return make_change(removed=removed.values())
    touched = {edit.approved.identity: edit.approved for edit in edits if edit.approved is not None}
    back: dict[str, Modification] = {}
    for edit in edits:
        if edit.live is not None and edit.approved is not None and edit.live.identity != edit.approved.identity:
            back[edit.live.identity] = Modification(before=edit.live, after=edit.approved)
    untouched = RuleSet(rule for rule in live if rule.identity not in back and rule.identity not in removed)
    for identity, edit_back in list(back.items()):
        # What was edited may by now be the only holder of another approved rule.
        held = baseline.like(edit_back.before)
        if held is not None:
            touched[held.identity] = held
        holder = untouched.like(edit_back.after)
        if holder is None:
            continue
        own = baseline.by_id(holder.rule_id)
        if own is not None and live.like(own) is None:  # it was edited into this place too, and its own one is empty
            touched[own.identity] = own
            back[holder.identity] = Modification(before=holder, after=own)
        else:  # the approved rule is in force under another id
            del back[identity]
            if held is None:
                removed[identity] = edit_back.before
    moved = [rule for rule in live if rule.identity not in back and rule.identity not in removed]
    rest = shortfall(touched.values(), RuleSet([*moved, *(one.after for one in back.values())]))
    return make_change(added=rest.added, removed=removed.values(), modified=[*back.values(), *rest.modified])
