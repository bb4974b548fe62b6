"""From an event to a closed port and a filed request.

The order is the product: close first, by rule id where the event has one, before anything that could fail; then find
out what exactly happened, write it to the ledger, keep the baseline, and tell the central account. Each step may be
repeated: an event that is delivered again finds the revert done and files the same request.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.aws.execution import Failure, close, replacing, take_back
from shared.aws.security_groups import GROUP_GONE, Ec2Error, SecurityGroups
from shared.aws.state_table import StateTable
from shared.domain.baseline import Baseline, learn, with_current_ids, without_ids
from shared.domain.call import Call
from shared.domain.change import Change, make_change
from shared.domain.finding import Finding, find
from shared.domain.plan import Plan, make_plan
from shared.domain.policy import Policy, decide
from shared.domain.request import Status
from shared.domain.rule import Rule
from shared.policy.loading import load_policies
from shared.telemetry import count, logger, seconds
from shared.wire.cloudtrail import created_rule_ids, read_head, read_rules

from . import filing, runtime
from .allowing import allow
from .snapshots import reconcile_after

_TRIES: Final = 3
_REASONS_TOLD: Final = 5
_PAUSE_SECONDS: Final = 0.5
"""Between two looks at a group whose change EC2 reported as done: its answers are eventually consistent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverted:
    """How taking a call back ended.

    Attributes:
        finding: what the call did, as first seen.
        left: what is still to be undone; empty when everything was taken back.
        failures: what EC2 refused in the last try.
        live: the rules of the group at the end.
    """

    finding: Finding
    left: Change
    failures: tuple[Failure, ...]
    live: tuple[Rule, ...]


def on_change(event: Mapping[str, Any]) -> None:
    """Handle one security-group call that EventBridge delivered.

    Args:
        event: the EventBridge event with CloudTrail's record in ``detail``.

    Raises:
        EventError: when the event cannot be read; names the field. Rules it named by id are closed nevertheless.
        Ec2Error: when EC2 could not be asked; the event is delivered again.
    """
    head = read_head(event)
    policy = load_policies().for_account(head.account)
    groups = SecurityGroups(head.region, head.account)
    is_own = runtime.is_own(head.caller, head.region)
    if not head.group_id and not head.error_code and not is_own:
        head = _with_group_id(head, groups)
    decision = decide(policy, head, is_own=is_own)
    log = {"request_id": head.request_id, "call": head.name, "group": head.group_id, "caller": head.caller.name}
    logger.info("decided", extra={**log, "verb": decision.verb, "reason": decision.reason})
    if decision.verb == "ignore":
        return
    table = StateTable(head.region)
    if head.kind == "create_group":
        _learn_new_group(table, head, policy)
    elif head.kind == "delete_group":
        table.forget(head.group_id)
    elif not head.group_id:
        reconcile_after(head)
    elif decision.verb == "revert":
        _revert(event, head, policy, groups, table)
    else:
        allow(read_rules(event, head), decision, policy, groups, table)


def _with_group_id(head: Call, groups: SecurityGroups) -> Call:
    if not head.group_name:
        return head
    found = groups.group_named(head.group_name)
    return head if found is None else replace(head, group_id=found.group_id)


def _learn_new_group(table: StateTable, head: Call, policy: Policy) -> None:
    """Start the baseline of a new group: no inbound rules. Its default outbound rule is learned by the snapshot."""
    directions = tuple(one for one in policy.directions if one == "ingress")
    fresh = learn(region=head.region, group_id=head.group_id, group_name="", rules=(), directions=directions)
    table.update(head.group_id, lambda known: known or fresh)


def _revert(event: Mapping[str, Any], head: Call, policy: Policy, groups: SecurityGroups, table: StateTable) -> None:
    ids = created_rule_ids(event) if head.kind == "add" else ()
    if ids and head.direction is not None:
        close(groups, head.group_id, head.direction, ids)
        _measure_exposure(head)
    call = read_rules(event, head)
    entry = table.entry(call.request_id)
    if entry is not None:
        filing.file_again(entry, table, groups)
        return
    try:
        reverted = _take_back(call, table.baseline(call.group_id), policy, groups)
    except Ec2Error as error:
        if error.is_transient:
            raise
        reverted = _not_readable(call, error)
    if not ids:
        _measure_exposure(head)
    _file(call, policy, groups, table, reverted)


def _take_back(call: Call, baseline: Baseline | None, policy: Policy, groups: SecurityGroups) -> Reverted:
    """Bring the rules this call touched back to the approved state, and read back until they are."""
    first: Finding | None = None
    failures: tuple[Failure, ...] = ()
    for attempt in range(_TRIES):
        live = groups.rules(call.group_id)
        finding = find(call, baseline, live, policy.directions)
        first = first or finding
        if finding.undo.is_empty:
            # A refusal of the first try no longer matters when the rules are right; a rule that was replaced may be
            # gone.
            failures = failures if attempt > 1 else ()
            break
        if attempt > 1 and failures:
            break
        if attempt:
            time.sleep(_PAUSE_SECONDS)
        failures = take_back(groups, call.group_id, _plan(finding.undo, in_place=attempt == 0))
        transient = next((one.error for one in failures if one.error.is_transient), None)
        if transient is not None:
            raise transient
    else:
        live = groups.rules(call.group_id)
        finding = find(call, baseline, live, policy.directions)
    return Reverted(finding=first or finding, left=finding.undo, failures=failures, live=live)


def _plan(undo: Change, *, in_place: bool) -> Plan:
    """Return the steps of a revert; edits that had no effect in place are replaced by removing and adding the rule."""
    if in_place:
        return make_plan(undo)
    rest = make_change(added=undo.added, removed=undo.removed)
    return (*make_plan(rest), *replacing(undo.modified))


def _not_readable(call: Call, error: Ec2Error) -> Reverted:
    """What can be said when EC2 refuses to show the group: what the event says, and that nobody checked."""
    rules = call.resulting if call.resulting is not None else call.requested
    change = make_change(added=rules) if call.kind == "add" else make_change(removed=rules)
    if call.kind not in ("add", "remove"):
        change = make_change()
    finding = Finding(change=change, undo=make_change(), reason=str(error), is_unknown=True)
    failures = tuple(Failure(rule=rule, error=error) for rule in rules)
    return Reverted(finding=finding, left=change, failures=failures, live=())


def _file(call: Call, policy: Policy, groups: SecurityGroups, table: StateTable, reverted: Reverted) -> None:
    gone = any(failure.error.code in GROUP_GONE for failure in reverted.failures)
    facts = filing.group_facts(groups, call.group_id)
    gone = gone or (facts is None and not reverted.live)
    status, reason = _status(reverted, gone=gone)
    request = filing.request_of(
        call,
        policy,
        group_name=facts.name if facts is not None else "",
        change=reverted.finding.change,
        status=status,
        reason=reason,
        remaining=() if gone else _remaining(reverted),
    )
    logger.info(
        "taken back",
        extra={
            "request_id": call.request_id,
            "group": call.group_id,
            "status": request.status,
            "reason": request.reason,
        },
    )
    if request.status == "unreverted":
        count("Unreverted", account=call.account)
    entry = table.add_entry(filing.new_entry(request))
    _keep_baseline(call, table, reverted)
    filing.tell(entry)


def _status(reverted: Reverted, *, gone: bool) -> tuple[Status, str]:
    if gone:
        return "observed", "The group has been deleted since, so nothing of this is in force."
    if reverted.finding.is_unknown or not reverted.left.is_empty or reverted.failures:
        reasons = [reverted.finding.reason] if reverted.finding.reason else []
        reasons += dict.fromkeys(f"{failure.rule.identity}: {failure.error}" for failure in reverted.failures)
        return "unreverted", "; ".join(reasons[:_REASONS_TOLD]) or "EC2 reported success, but the group did not change."
    if reverted.finding.change.is_empty:
        return "observed", reverted.finding.reason
    return "pending", ""


def _remaining(reverted: Reverted) -> tuple[Rule, ...]:
    left = reverted.left
    return (*reverted.finding.remaining, *left.removed, *left.added, *(edit.before for edit in left.modified))


def _keep_baseline(call: Call, table: StateTable, reverted: Reverted) -> None:
    """Note the ids that restored rules have now, and drop what an unapproved call had slipped into the baseline."""
    created = [rule.rule_id for rule in call.resulting or () if rule.rule_id] if call.kind == "add" else []

    def kept(baseline: Baseline | None) -> Baseline | None:
        return None if baseline is None else with_current_ids(without_ids(baseline, created), reverted.live)

    table.update(call.group_id, kept)


def _measure_exposure(call: Call) -> None:
    seconds("ExposureSeconds", max(0.0, (runtime.now() - call.event_time).total_seconds()), call=call.name)
