"""How a call that is allowed (exempt caller, observe mode, a kind that is not guarded) changes the baseline.

Only what the call itself did becomes part of the baseline, never whatever else happens to stand in the live group:
somebody else's unapproved change may be there too, its event still on the way. The exception are calls so large that
CloudTrail left their rules out: of these the group is all there is to tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from shared.domain.change import by_identity
from shared.domain.rule import Rule

from ..assessment.assess import Finding, as_found, is_by_name
from ..assessment.edits import completed
from ..assessment.rule_index import index_of
from ..cloudtrail.call import Call, RuleEdit
from .baseline import Baseline, find_like, with_done
from .history import Deed, Described, Edited, Entry, Made, Moved, Removed, id_of, rules_of


def absorb(baseline: Baseline, call: Call, finding: Finding, live: tuple[Rule, ...]) -> Baseline:
    """Return the baseline after an allowed call, whenever that was made and however often it is heard.

    Args:
        baseline: the group's baseline.
        call: the allowed call with its rules.
        finding: the call laid against this baseline (``member.chalicelib.assessment.assess.find``).
        live: the rules of the group now; rule ids and owners of referenced groups are taken from it.
    """
    deeds = tuple(deed for deed in _deeds(baseline, call, finding, live) if not _is_settled(baseline, call, deed))
    return with_done(baseline, Entry(moment=call.event_time, deeds=deeds, call=call.request_id), live)


def _is_settled(baseline: Baseline, call: Call, deed: Deed) -> bool:
    """True when the history begins after the call, and its rule has been touched since as far as anybody remembers.

    What such a call made must not come back after a later one removed it; in doubt it does not count, and what it left
    in the group is a difference that somebody is asked about.
    """
    until = baseline.history.settled_until
    if until is None or call.event_time > until:
        return False
    named = (baseline.by_id(id_of(deed), call.event_time), *rules_of(deed))
    touched = [moment for rule in named if rule is not None and (moment := baseline.last_change(rule)) is not None]
    return max(touched, default=baseline.forgotten_until) >= call.event_time


def _deeds(baseline: Baseline, call: Call, finding: Finding, live: tuple[Rule, ...]) -> Iterator[Deed]:
    if call.kind == "add":
        yield from _additions(baseline, call, finding, live)
    elif call.kind == "remove":
        yield from _removals(baseline, call, finding, live)
    else:
        yield from _changes(baseline, call, finding, live)


def _owned(rule: Rule, baseline: Baseline, call: Call, live: tuple[Rule, ...]) -> Rule:
    """Return the rule with the owner of its referenced group: as the group says it, or else the baseline."""
    known = baseline.like(rule) if find_like(live, rule) is None else None
    return as_found(rule, call.account, live) if known is None else replace(rule, source=known.source)


def _additions(baseline: Baseline, call: Call, finding: Finding, live: tuple[Rule, ...]) -> Iterator[Deed]:
    made = call.resulting if call.resulting is not None else call.requested
    said = [_owned(rule, baseline, call, live) for rule in made if not is_by_name(rule)]
    for rule in by_identity((*finding.change.added, *said)).values():
        now = find_like(live, rule)
        rule_id = rule.rule_id or (now.rule_id if now is not None else None)
        yield Made(rule=replace(rule, rule_id=rule_id))


def _removals(baseline: Baseline, call: Call, finding: Finding, live: tuple[Rule, ...]) -> Iterator[Deed]:
    gone = call.resulting if call.resulting is not None else call.requested
    said = [_owned(rule, baseline, call, live) for rule in gone]
    for rule in said:
        yield Removed(rule_id=rule.rule_id, rule=rule)
    for rule_id in call.rule_ids if call.resulting is None else ():
        yield Removed(rule_id=rule_id)
    if call.omitted:
        index = index_of(said)
        yield from (Removed(rule=rule) for rule in finding.change.removed if index.like(rule) is None)


def _changes(baseline: Baseline, call: Call, finding: Finding, live: tuple[Rule, ...]) -> Iterator[Deed]:
    for edit in call.edits:
        yield _edited(baseline, call, edit, live)
    for wanted in call.requested:
        rule = _owned(wanted, baseline, call, live)
        yield Described(rule=rule, description=wanted.description)
    if call.omitted:
        yield from (Moved(before=edit.before, rule=edit.after) for edit in finding.change.modified)


def _edited(baseline: Baseline, call: Call, edit: RuleEdit, live: tuple[Rule, ...]) -> Deed:
    if edit.after is None:
        return Described(rule_id=edit.rule_id, description=edit.description)
    now = index_of(live).with_id(edit.rule_id)
    reference = now or baseline.by_id(edit.rule_id, call.event_time)
    after = edit.after if reference is None else completed(edit.after, reference, now)
    return Edited(rule=replace(after, rule_id=edit.rule_id), is_of_known=reference is None)
