"""Allowed changes become part of the baseline; those that policy wants reported are filed as ``observed`` too."""

from __future__ import annotations

from shared.domain.policy import Policy

from . import context, publish
from .assessment.assess import find
from .cloudtrail.call import Call
from .decision import Decision
from .ec2.security_groups import SecurityGroups
from .state.allowed import absorb
from .state.baseline import Baseline, learn
from .state.table import StateTable


def allow(call: Call, decision: Decision, policy: Policy, groups: SecurityGroups, table: StateTable) -> None:
    """Take an allowed call into the baseline, and file it when the decision says so.

    Args:
        call: the recorded call with its rules.
        decision: ``allow`` or ``report``, with the reason to show.
        policy: the policy of the call's account.
        groups: the account's groups.
        table: the account's state.
    """
    reports = decision.verb == "report"
    # A redelivered event, perhaps of a change undone by approval since, has been absorbed already.
    entry = table.entry(call.request_id) if reports else None
    if entry is not None:
        publish.tell(entry, table)
        return
    known = table.baseline(call.group_id)
    live = groups.rules(call.group_id)
    finding = find(call, known, live, policy.directions)
    if finding.is_unguarded:
        return
    read_at = context.now()

    def absorbed(before: Baseline | None) -> Baseline:
        baseline = before or learn(
            region=call.region,
            group_id=call.group_id,
            group_name="",
            rules=live,
            directions=policy.directions,
            at=read_at,
        )
        return absorb(baseline, call, find(call, baseline, live, policy.directions), live)

    if live or groups.group(call.group_id) is not None:
        table.update(call.group_id, absorbed, known=known)
    if not reports:
        return
    request = publish.request_of(
        call,
        policy,
        group_name=publish.group_name(groups, call.group_id, known),
        change=finding.change,
        status="observed",
        reason="; ".join(part for part in (decision.reason, finding.reason) if part),
        remaining=finding.remaining,
    )
    publish.tell(table.add_entry(publish.new_entry(request)), table)
