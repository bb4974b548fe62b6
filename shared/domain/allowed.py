"""How a call that is allowed (exempt caller, observe mode, a kind that is not guarded) changes the baseline.

Only what the call itself did becomes part of the baseline, never whatever else happens to stand in the live group:
somebody else's unapproved change may be there too, its event still on the way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from shared.domain.baseline import Baseline, find_like, stamped, with_rules, without_rules
from shared.domain.call import Call
from shared.domain.change import by_identity
from shared.domain.finding import Finding
from shared.domain.rule import Rule


def absorb(baseline: Baseline, call: Call, finding: Finding, live: tuple[Rule, ...]) -> Baseline:
    """Return the baseline after an allowed call.

    Calls of one second, and one call delivered twice, carry the same time. Of those the ids of new rules say which came
    later, where there are any, and else the live group.

    Args:
        baseline: the group's baseline.
        call: the allowed call with its rules.
        finding: the call laid against this baseline (``shared.domain.finding.find``).
        live: the rules of the group now; rule ids and owners of referenced groups are taken from it.
    """
    moment = call.event_time
    came = [
        rule
        for rule in _came(baseline, call, finding, live)
        if _is_news(baseline, call, rule, agrees=find_like(live, rule) is not None or _is_new(baseline, call, rule))
    ]
    went = [
        rule
        for rule in _went(finding)
        if _is_news(
            baseline, call, rule, agrees=find_like(live, rule) is None and not _is_made_since(baseline, call, rule)
        )
    ]
    after = with_rules(without_rules(baseline, went), came)
    keys = [*_named(call)]
    keys += [key for rule in (*came, *went) for key in (rule.rule_id, rule.identity) if key]
    return stamped(after, keys, moment)


def _came(baseline: Baseline, call: Call, finding: Finding, live: tuple[Rule, ...]) -> Iterable[Rule]:
    made = (call.resulting if call.resulting is not None else call.requested) if call.kind == "add" else ()
    change, named = finding.change, frozenset(_named(call))
    # An edit is of the rule that it names, whatever id the approved one of that name has got since: it may have been
    # restored while its edit was on the way, or another rule may stand in its place.
    ids = {known.identity: edit.rule_id for edit in call.edits if (known := baseline.by_id(edit.rule_id)) is not None}
    edited = (
        replace(edit.after, rule_id=ids.get(edit.before.identity) or edit.after.rule_id) for edit in change.modified
    )
    # What the call made comes last: it has the id that the rule has now.
    for rule in by_identity((*change.added, *edited, *made)).values():
        now = find_like(live, rule)
        if now is None:
            yield rule
        else:
            is_it = now.rule_id in named
            yield replace(rule, rule_id=now.rule_id if is_it else rule.rule_id or now.rule_id, source=now.source)


def _went(finding: Finding) -> Iterable[Rule]:
    return (*finding.change.removed, *(edit.before for edit in finding.change.modified))


def _is_news(baseline: Baseline, call: Call, rule: Rule, *, agrees: bool) -> bool:
    last = baseline.last_change(rule)
    return last is None or last < call.event_time or (last == call.event_time and agrees)


def _named(call: Call) -> tuple[str | None, ...]:
    """Return the ids of the rules that a call made, removed or edited, as far as its event says them."""
    edited = (edit.rule_id for edit in call.edits)
    return (*call.rule_ids, *edited, *(rule.rule_id for rule in call.resulting or ()))


def _is_new(baseline: Baseline, call: Call, rule: Rule) -> bool:
    """True when the call made the rule, under an id that nobody has touched since: so it came after its predecessor."""
    return call.kind == "add" and rule.rule_id is not None and rule.rule_id not in dict(baseline.stamps)


def _is_made_since(baseline: Baseline, call: Call, rule: Rule) -> bool:
    """True when the approved rule is another one than the call removed: one made later, under an id of its own."""
    held, named = baseline.like(rule), [one for one in _named(call) if one]
    if held is None or held.rule_id is None or not named:
        return False
    return held.rule_id in dict(baseline.stamps) and held.rule_id not in named
