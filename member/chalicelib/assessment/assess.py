"""What a recorded call did to a group, measured against what is approved, and what has to be done about it now.

The event alone rarely says enough, and by the time it arrives others may have changed the same rules. So three things
are laid side by side: the call, the baseline (if the group's is known) and the live group. The finding holds the change
that approval would apply, and the difference between the live group and the approved state *of the rules this call
touched*. Running the same function again after the revert says what is still left to do; an empty ``undo`` is the
proof.

What does not belong here: the edits of ``ModifySecurityGroupRules`` and of descriptions (``assessment.edits``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from shared.domain.change import Change, Modification, by_identity, make_change
from shared.domain.rule import Direction, Rule

from ..cloudtrail.call import Call
from ..state.baseline import Baseline, find_like, shortfall, without_in_flight
from .edits import Edits, find_edits
from .rule_index import index_of

_UNKNOWN_BEFORE: Final = "nobody knows what the rule was before: it was edited before its group's baseline was learned"
_UNKNOWN_RULES: Final = "the event does not say which rules, and the group has no baseline yet"
_LEARNED_LATER: Final = (
    "the group's baseline was learned after the rules were removed, so nobody knows whether they were approved"
)
_NOT_APPROVED: Final = "the rules had not been approved, so there is nothing to restore"
_APPROVED: Final = "the rules are approved already"
_NO_EFFECT: Final = "the call changed nothing that is guarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A call against baseline and live group.

    Attributes:
        change: the change relative to the approved rules: what approval would apply.
        undo: what leads from the live group back to the approved state, for the rules this call touched; empty when
            done.
        remaining: live rules that cannot be taken back because nobody knows what they were, or removed ones that cannot
            be restored because nobody knows whether they may.
        reason: why something cannot be taken back, or why there is nothing to take back; else empty.
        is_unknown: part of the call cannot be taken back.
        is_unguarded: the call touched only rules of directions that are not guarded.
    """

    change: Change
    undo: Change
    remaining: tuple[Rule, ...] = ()
    reason: str = ""
    is_unknown: bool = False
    is_unguarded: bool = False


def find(call: Call, baseline: Baseline | None, live: tuple[Rule, ...], directions: Iterable[Direction]) -> Finding:
    """Lay a call, the baseline and the live group side by side.

    Args:
        call: the recorded call with its rules.
        baseline: the group's approved rules, or ``None`` when the group has never been learned.
        live: all rules of the group now.
        directions: the guarded directions; edits of rules of another direction are left alone.
    """
    settled = None if baseline is None else without_in_flight(baseline, call)
    if call.kind == "add":
        return _find_added(call, settled, live)
    if call.kind == "remove":
        return _find_removed(call, settled, live)
    return _find_edited(find_edits(call, settled, live, tuple(directions)))


# -- add ---------------------------------------------------------------------------------------------------------------


def _find_added(call: Call, baseline: Baseline | None, live: tuple[Rule, ...]) -> Finding:
    known = _known(baseline, call.direction)
    added = [as_found(rule, call.account, live) for rule in (*_made(call), *_unanswered(call, live))]
    if call.resulting is None and (call.omitted or any(is_by_name(rule) for rule in added)):
        if known is None:
            return _unknown(_UNKNOWN_RULES, undo=_converged((), added, live), added=added)
        added = [rule for rule in added if not is_by_name(rule)] + _unexplained(call, known, added, live)
    if known is None:
        return Finding(change=make_change(added=added), undo=_converged((), added, live))
    # A rule that an id of this call leads to, whatever it has become since, has been closed with it.
    approved = [known.by_id(rule.rule_id, call.event_time) for rule in added] + [known.like(rule) for rule in added]
    fresh = [rule for rule in added if known.like(rule) is None]
    described = [
        Modification(before=before, after=replace(before, description=rule.description))
        for rule in added
        if (before := known.like(rule)) is not None and before.description != rule.description
    ]
    change = make_change(added=fresh, modified=described)
    # Of an addition older than the baseline, the same rule under another id may be one that was restored unknowingly.
    by_values = known.is_older_than_learned(call.direction or "ingress", call.event_time)
    opened = [rule for rule in fresh if by_values or rule.rule_id is None or index_of(live).with_id(rule.rule_id)]
    undo = _converged([rule for rule in approved if rule is not None], opened, live)
    return Finding(change=change, undo=undo, reason=_APPROVED if change.is_empty else "")


def _made(call: Call) -> tuple[Rule, ...]:
    return call.resulting if call.resulting is not None else call.requested


def _unanswered(call: Call, live: tuple[Rule, ...]) -> list[Rule]:
    """Return the live rules that the call asked for and that are missing in an answer that is not whole."""
    answered = call.resulting if call.resulting is not None else call.requested
    asked = [now for rule in call.requested if find_like(answered, rule) is None and (now := find_like(live, rule))]
    return list(by_identity(asked).values())


def _unexplained(call: Call, known: Baseline, added: list[Rule], live: tuple[Rule, ...]) -> list[Rule]:
    """Return the live rules that nobody approved and that may be what the event does not spell out."""
    named = [_shape(rule) for rule in added if is_by_name(rule)]
    index = index_of(added)
    return [
        rule
        for rule in live
        if rule.direction == call.direction
        and known.like(rule) is None
        and index.like(rule) is None
        and (call.omitted or (rule.source.kind == "group" and _shape(rule) in named))
    ]


def _shape(rule: Rule) -> tuple[object, ...]:
    return rule.protocol, rule.from_port, rule.to_port


def is_by_name(rule: Rule) -> bool:
    """True for a rule whose referenced group is known by its name alone."""
    return rule.source.kind == "group" and not rule.source.value.startswith("sg-")


# -- remove ------------------------------------------------------------------------------------------------------------


def _find_removed(call: Call, baseline: Baseline | None, live: tuple[Rule, ...]) -> Finding:
    known = _known(baseline, call.direction)
    gone = [as_found(rule, call.account, live) for rule in _made(call)]
    if known is None:
        if call.resulting is None and (call.omitted or call.rule_ids or not gone):
            missing = tuple(rule for rule in gone if find_like(live, rule) is None)
            return _unknown(_UNKNOWN_RULES, undo=make_change(), removed=gone, remaining=missing)
        # Events without EC2's answer are old ones; what such a call names is taken for what it took away.
        return Finding(change=make_change(removed=gone), undo=_converged(gone, (), live))
    approved = _approved_of(call, known)
    if call.omitted and call.resulting is None:
        approved += [
            rule
            for rule in known.rules
            if rule.direction == call.direction and rule not in approved and find_like(live, rule) is None
        ]
    change, undo = make_change(removed=approved), _converged(approved, (), live)
    direction = call.direction or "ingress"
    if call.resulting is not None and known.is_older_than_learned(direction, call.event_time, surely=True):
        unseen = [rule for rule in gone if find_like(live, rule) is None and known.like(rule) is None]
        lost = tuple(rule for rule in unseen if known.by_id(rule.rule_id, call.event_time) is None)
        if lost:
            removed = make_change(removed=[*approved, *lost])
            return Finding(change=removed, undo=undo, remaining=lost, reason=_LEARNED_LATER, is_unknown=True)
    return Finding(change=change, undo=undo, reason="" if approved else _NOT_APPROVED)


def _approved_of(call: Call, known: Baseline) -> list[Rule]:
    """Return the approved rules that a revoke took away, each once; what it names by id, by values, or both."""
    found = [known.by_id(rule.rule_id, call.event_time) or known.like(rule) for rule in _made(call)]
    if call.resulting is None:
        found += [known.by_id(rule_id, call.event_time) for rule_id in call.rule_ids]
    return list({rule.identity: rule for rule in found if rule is not None}.values())


# -- edits -------------------------------------------------------------------------------------------------------------


def _find_edited(edits: Edits) -> Finding:
    if edits.is_unknown:
        return Finding(
            change=edits.change, undo=edits.undo, remaining=edits.remaining, reason=_UNKNOWN_BEFORE, is_unknown=True
        )
    reason = " ".join(f"The edited rule {gone}, so nothing of that edit is in force." for gone in edits.gone)
    if not reason and edits.change.is_empty:
        reason = _NO_EFFECT
    return Finding(change=edits.change, undo=edits.undo, reason=reason, is_unguarded=edits.is_unguarded)


# -- common ------------------------------------------------------------------------------------------------------------


def _known(baseline: Baseline | None, direction: Direction | None) -> Baseline | None:
    return baseline if baseline is not None and direction is not None and baseline.knows(direction) else None


def _converged(approved: Iterable[Rule], unapproved: Iterable[Rule], live: tuple[Rule, ...]) -> Change:
    """Return what brings these rules, and no others, to the approved state.

    Args:
        approved: rules that have to be there, with their descriptions.
        unapproved: rules that must not, by id where that one is live, else by identity.
        live: the rules of the group now.
    """
    index = index_of(live)
    opened = [now for rule in unapproved if (now := index.with_id(rule.rule_id) or index.like(rule)) is not None]
    rest = shortfall(approved, live)
    return make_change(added=rest.added, removed=by_identity(opened).values(), modified=rest.modified)


def as_found(rule: Rule, account: str, live: tuple[Rule, ...]) -> Rule:
    """Return the rule with the owner of its referenced group: as EC2 says it, else ``account`` where nobody does."""
    if rule.source.kind != "group":
        return rule
    now = find_like(live, rule)
    if now is not None:
        return replace(rule, source=now.source)
    return rule if rule.source.account else replace(rule, source=replace(rule.source, account=account))


def _unknown(
    reason: str,
    *,
    undo: Change,
    added: Iterable[Rule] = (),
    removed: Iterable[Rule] = (),
    remaining: tuple[Rule, ...] = (),
) -> Finding:
    change = make_change(added=added, removed=removed)
    return Finding(change=change, undo=undo, remaining=remaining, reason=reason, is_unknown=True)
