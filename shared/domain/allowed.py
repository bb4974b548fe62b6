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

    Calls of one second, and one call delivered twice, carry the same time; of those the live group says which was last.

    Args:
        baseline: the group's baseline.
        call: the allowed call with its rules.
        finding: the call laid against this baseline (``shared.domain.finding.find``).
        live: the rules of the group now; rule ids and owners of referenced groups are taken from it.
    """
    moment = call.event_time
    came = [
        rule
        for rule in _came(call, finding, live)
        if _is_news(baseline, call, rule, agrees=find_like(live, rule) is not None)
    ]
    went = [rule for rule in _went(finding) if _is_news(baseline, call, rule, agrees=find_like(live, rule) is None)]
    after = with_rules(without_rules(baseline, went), came)
    keys = [*call.rule_ids, *(edit.rule_id for edit in call.edits), *(rule.rule_id for rule in call.resulting or ())]
    keys += [key for rule in (*came, *went) for key in (rule.rule_id, rule.identity) if key]
    return stamped(after, keys, moment)


def _came(call: Call, finding: Finding, live: tuple[Rule, ...]) -> Iterable[Rule]:
    made = (call.resulting if call.resulting is not None else call.requested) if call.kind == "add" else ()
    change = finding.change
    for rule in by_identity((*made, *change.added, *(edit.after for edit in change.modified))).values():
        now = find_like(live, rule)
        if now is None:
            yield rule
        else:
            yield replace(rule, rule_id=rule.rule_id or now.rule_id, source=now.source)


def _went(finding: Finding) -> Iterable[Rule]:
    return (*finding.change.removed, *(edit.before for edit in finding.change.modified))


def _is_news(baseline: Baseline, call: Call, rule: Rule, *, agrees: bool) -> bool:
    last = baseline.last_change(rule)
    return last is None or last < call.event_time or (last == call.event_time and agrees)
