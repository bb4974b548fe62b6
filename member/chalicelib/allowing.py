"""Allowed changes become part of the baseline; those that policy wants reported are filed as ``observed`` too."""

from __future__ import annotations

from shared.aws.security_groups import SecurityGroups
from shared.aws.state_table import StateTable
from shared.domain.allowed import absorb
from shared.domain.baseline import Baseline, learn
from shared.domain.call import Call
from shared.domain.finding import find
from shared.domain.policy import Decision, Policy

from . import filing


def allow(call: Call, decision: Decision, policy: Policy, groups: SecurityGroups, table: StateTable) -> None:
    """Take an allowed call into the baseline, and file it when the decision says so.

    Args:
        call: the recorded call with its rules.
        decision: ``allow`` or ``report``, with the reason to show.
        policy: the policy of the call's account.
        groups: the account's groups.
        table: the account's state.
    """
    live = groups.rules(call.group_id)
    finding = find(call, table.baseline(call.group_id), live, policy.directions)
    # A redelivered event, perhaps of a request approved since, has been absorbed already.
    is_new = decision.verb == "allow" or table.entry(call.request_id) is None

    def absorbed(known: Baseline | None) -> Baseline:
        if known is None:
            return learn(
                region=call.region, group_id=call.group_id, group_name="", rules=live, directions=policy.directions
            )
        return absorb(known, call, find(call, known, live, policy.directions), live)

    if is_new:
        table.update(call.group_id, absorbed)
    if decision.verb != "report":
        return
    facts = filing.group_facts(groups, call.group_id)
    request = filing.request_of(
        call,
        policy,
        group_name=facts.name if facts is not None else "",
        change=finding.change,
        status="observed",
        reason=decision.reason,
        remaining=finding.remaining,
    )
    filing.tell(table.add_entry(filing.new_entry(request)))
