"""How a call that is allowed (exempt caller, observe mode, a kind that is not guarded) changes the baseline.

Only what the call itself did becomes part of the baseline, never whatever else happens to stand in the live group:
somebody else's unapproved change may be there too, its event still on the way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from shared.domain.baseline import Baseline, find_like, is_newer, stamped, with_rules, without_rules
from shared.domain.call import Call
from shared.domain.finding import Finding
from shared.domain.rule import Rule


def absorb(baseline: Baseline, call: Call, finding: Finding, live: tuple[Rule, ...]) -> Baseline:
    """Return the baseline after an allowed call.

    Args:
        baseline: the group's baseline.
        call: the allowed call with its rules.
        finding: the call laid against this baseline (``shared.domain.finding.find``).
        live: the rules of the group now; only rule ids are taken from it.
    """
    moment = call.event_time
    came = [rule for rule in _came(finding, live) if is_newer(baseline, rule.rule_id, moment)]
    went = [rule for rule in _went(finding) if is_newer(baseline, rule.rule_id, moment)]
    after = with_rules(without_rules(baseline, went), came)
    named = [*call.rule_ids, *(edit.rule_id for edit in call.edits), *(rule.rule_id for rule in call.resulting or ())]
    return stamped(after, [*named, *(rule.rule_id for rule in (*came, *went))], moment)


def _came(finding: Finding, live: tuple[Rule, ...]) -> Iterable[Rule]:
    for rule in (*finding.change.added, *(edit.after for edit in finding.change.modified)):
        now = find_like(live, rule)
        yield rule if rule.rule_id is not None or now is None else replace(rule, rule_id=now.rule_id)


def _went(finding: Finding) -> Iterable[Rule]:
    return (*finding.change.removed, *(edit.before for edit in finding.change.modified))
