"""A call that changed nothing asks for its change: a dry run, or one that IAM or a service control policy refused.

Nothing is touched in EC2. The request is written to the ledger like that of a reverted change, so that approval applies
it in the same way. What asks nothing is logged with the reason.

What does not belong here: which calls ask (``decision_of_asks``), what they would change (``assessment.asks``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared.domain.change import Change
from shared.domain.policy import Policy
from shared.domain.request import Request
from shared.domain.request_needs import needs_of
from shared.telemetry import logger

from . import context, publishing
from .assessment.asks import Reference, assess_ask
from .cloudtrail.asks import asked_call, asked_head
from .cloudtrail.call import Call
from .context import Context
from .decision import denied_at_once
from .decision_of_asks import reason_not_to_ask
from .ec2.refusal import Ec2Error
from .ec2.security_groups import SecurityGroups
from .group_state import baseline_of
from .named_groups import with_ids_of_named_groups
from .reaching import reach_of
from .state.baseline import Baseline
from .state.limits import limits_of


def on_failed_call(
    here: Context, event: Mapping[str, Any], head: Call, policy: Policy, groups: SecurityGroups, *, is_own: bool
) -> None:
    """Ask for what a failed call would have changed, if it is one that asks.

    Args:
        here: this invocation.
        event: the EventBridge event.
        head: who made the call; a failed one.
        policy: the policy of the call's account.
        groups: the account's groups.
        is_own: the caller is a session of the product's own role.

    Raises:
        Ec2Error: when EC2 could not be asked; the event is delivered again.
        Exception: what kept this account's state from being read or written; the event is delivered again.
    """
    head = asked_head(event, head)
    reason = reason_not_to_ask(policy, head, is_own=is_own, now=context.now())
    if not reason:
        try:
            reason = _ask(here, asked_call(event, head), policy, groups)
        except Ec2Error as error:
            if error.is_temporary:
                raise
            reason = f"EC2 did not show its group: {error}"
    if reason:
        details = {"request_id": head.request_id, "call": head.name, "caller": head.caller.name, "reason": reason}
        logger.info("nothing asked", extra=details)


def _ask(here: Context, call: Call, policy: Policy, groups: SecurityGroups) -> str:
    """Publish the request of a call that asks; return why nothing is asked instead, ``""`` when it is."""
    named = groups.group_named(call.group_name) if call.group_name and not call.group_id else None
    facts = groups.group(call.group_id) if call.group_id else named
    if facts is None:
        return f"there is no security group {call.group_id or call.group_name or 'in its parameters'}"
    if here.account and facts.owner != here.account:
        return f"the group belongs to another account ({facts.owner})"
    call = replace(call, group_id=facts.group_id)
    known = here.table.read(call.request_id, call.group_id)
    if known.unread is not None:
        raise known.unread
    if known.entry is not None:
        publishing.publish_again(here, known.entry)
        return ""
    if known.damaged:
        return f"what this account stores about the group cannot be read: {'; '.join(known.damaged)}"
    live = groups.rules(call.group_id)
    baseline = baseline_of(here, known, groups, call.group_id, live).baseline
    asked = assess_ask(with_ids_of_named_groups(call, groups), Reference(baseline, live))
    reason = asked.reason or _missing_references(asked.change, call, groups)
    if reason:
        return reason
    if baseline is not None and baseline.adopted:
        _keep(here, baseline)
    request = _request(call, policy, facts.name, asked.change, baseline)
    approved = () if baseline is None else baseline.rules
    reached = reach_of(here, call.group_id, asked.change, approved)
    entries, problem = publishing.add_entries(here, replace(request, reach=reached))
    if problem is not None:
        raise problem  # nothing was changed, so nobody has to hear of it before it can be applied
    for entry in entries:
        publishing.publish_entry(entry)
    logger.info("asked", extra={"request_id": call.request_id, "group": call.group_id, "status": request.status})
    return ""


def _request(call: Call, policy: Policy, group_name: str, change: Change, baseline: Baseline | None) -> Request:
    """Return the request; it has no operations, since its change says all that the call would have done."""
    approved = () if baseline is None else baseline.rules
    request = publishing.request_of(
        call, group_name=group_name, change=change, status="pending", reason="", approved=approved
    )
    limits = () if baseline is None else limits_of(baseline, change)
    request = replace(request, origin="ask", limits=limits)
    denied = denied_at_once(policy, change.added) or needs_of(policy, request).deny
    return replace(request, status="denied", reason=denied) if denied else request


def _missing_references(change: Change, call: Call, groups: SecurityGroups) -> str:
    """Return which groups that the new rules refer to do not exist; only this account's own can be looked up."""
    new = [*change.added, *(edit.after for edit in change.modified)]
    sources = [rule.source for rule in new if rule.source.kind == "group" and not rule.source.peering]
    wanted = dict.fromkeys(one.value for one in sources if one.account in ("", call.account))
    missing = [group_id for group_id in wanted if groups.group(group_id) is None]
    return f"there is no security group {', '.join(missing[:3])}" if missing else ""


def _keep(here: Context, baseline: Baseline) -> None:
    """Store the baseline of a group that has none yet: whoever applies the change adds to what is stored."""

    def kept(stored: Baseline | None) -> Baseline:
        return stored if stored is not None and stored.adopted else replace(baseline, version=_version(stored))

    here.table.update(baseline.group_id, kept)


def _version(stored: Baseline | None) -> int:
    return 0 if stored is None else stored.version
