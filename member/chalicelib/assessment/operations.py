"""What a recorded call itself did to the guarded rules of a group, for its composition with other calls.

A request's change is measured against the approved rules. So it cannot say that a call edited a rule whose addition had
been reverted, or put back one that another call had removed: its operations do. Pure.

What does not belong here: what the call means for the group now (``assessment.assess``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from shared.domain.change import Change
from shared.domain.composition import compose, steps_of
from shared.domain.operations import Added, Described, Edited, Operation, Removed, operations_of
from shared.domain.replay import Call as ComposedCall
from shared.domain.request import operation_text
from shared.domain.rule import Direction

from ..cloudtrail.call import Call, RuleEdit
from ..rule_set import RuleSet
from ..state.baseline import Baseline, completed, is_by_name, with_owner, without_unapproved

_READ_IN_ANSWER: Final = frozenset({"add", "remove"})


def operations_made(
    call: Call, change: Change, baseline: Baseline | None, live: RuleSet, directions: Iterable[Direction]
) -> tuple[Operation, ...]:
    """Return what a call did, rule by rule, each completed by what the group and its approved rules say.

    None are returned where they say no more than the change does (:func:`shared.domain.operations.operations_of`), nor
    where the event does not say all that the call did: then the change alone tells.

    Args:
        call: the recorded call with its rules.
        change: what its request asks for.
        baseline: the group's approved rules, ``None`` when nobody knows them.
        live: the rules of the group when the call was measured.
        directions: the guarded directions; what was done to rules of another direction is in force, and left out.
    """
    if call.omitted and (call.kind not in _READ_IN_ANSWER or call.resulting is None):
        return ()
    known = Baseline(region=call.region, group_id=call.group_id) if baseline is None else baseline
    known = without_unapproved(known, call, live)
    guarded = frozenset(directions)
    made = tuple(one for one in _operations(call, known, live) if _is_guarded(one, guarded))
    if sorted(map(operation_text, made)) == sorted(map(operation_text, operations_of(change))):
        return ()
    if not change.is_empty and not _covers(made, change, call):
        return ()
    return tuple(map(_named_shortly, made))


def _operations(call: Call, known: Baseline, live: RuleSet) -> Iterator[Operation]:
    rules = call.resulting if call.resulting is not None else call.requested
    if call.kind == "add":
        for rule in rules:
            if not is_by_name(rule):
                yield Added(rule=with_owner(rule, call.account, live, known.rules))
    elif call.kind == "remove":
        for rule in rules:
            gone = with_owner(rule, call.account, live, known.rules)
            yield Removed(rule_id=gone.rule_id, rule=known.by_id(gone.rule_id) or known.like(gone) or gone)
        for rule_id in call.rule_ids if call.resulting is None else ():
            yield Removed(rule_id=rule_id, rule=known.by_id(rule_id) or live.with_id(rule_id))
    else:
        yield from (_edited(edit, known, live) for edit in call.edits)
        for wanted in call.requested:
            rule = with_owner(wanted, call.account, live, known.rules)
            if known.like(rule) is not None:
                yield Described(rule=rule, description=wanted.description)
            else:  # who describes a rule that nobody approved wants it there
                yield Edited(rule=rule, after=rule)


def _edited(edit: RuleEdit, known: Baseline, live: RuleSet) -> Edited | Described:
    now = live.with_id(edit.rule_id)
    approved = known.by_id(edit.rule_id) or (known.like(now) if now is not None else None)
    if edit.after is None:
        if approved is None and now is not None:  # who describes a rule that nobody approved wants it there
            return Edited(rule_id=edit.rule_id, after=replace(now, description=edit.description))
        return Described(rule_id=edit.rule_id, rule=approved, description=edit.description)
    reference = approved or now
    if reference is None:
        return Edited(rule_id=edit.rule_id, after=edit.after, was_gone=True)
    return Edited(rule_id=edit.rule_id, rule=approved, after=completed(edit.after, reference, now))


def _is_guarded(operation: Operation, guarded: frozenset[Direction]) -> bool:
    """Say whether an operation is on a guarded rule, or on one of which nobody knows it."""
    if isinstance(operation, Edited):
        return operation.was_gone or operation.after.direction in guarded
    return operation.rule is None or operation.rule.direction in guarded


def _covers(operations: Iterable[Operation], change: Change, call: Call) -> bool:
    """Say whether operations lead, alone, to all that a change says."""
    before = (*change.removed, *(edit.before for edit in change.modified))
    alone = ComposedCall(request_id=call.request_id, event_time=call.event_time, operations=tuple(operations))
    return set(steps_of(change)) <= set(steps_of(compose([alone], before).change))


def _named_shortly(operation: Operation) -> Operation:
    """Return an operation without what does not help to find the rule that it removed or changed."""
    if isinstance(operation, Added) or operation.rule is None:
        return operation
    short = replace(operation, rule=replace(operation.rule, description="", tags=(), rule_id=None))
    return replace(short, after=replace(short.after, tags=())) if isinstance(short, Edited) else short
