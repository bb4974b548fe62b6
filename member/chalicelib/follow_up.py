"""From a closed port to a filed request.

The order is the product: close first, by rule id where the event has one, before anything that could fail
(``closing``); then find out what exactly happened, keep the baseline, write the request to the ledger, and tell the
central account. Each step may be repeated: an event that is delivered again finds the revert done and files the same
request.

What does not belong here: how a call is taken back and read back (``taking_back``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from shared.domain.policy import Policy
from shared.domain.request import Status
from shared.domain.rule import Rule, group
from shared.telemetry import count, logger, seconds
from shared.wire.fields import FieldError

from . import context, publish
from .accept import allow
from .cloudtrail.call import Call
from .cloudtrail.event import EventError, read_rules
from .converge import Reverted, take_back_call
from .decision import Decision
from .ec2.revoke_by_id import close_singly
from .ec2.security_groups import GROUP_GONE, Ec2Error, SecurityGroups
from .snapshot import reconcile_after
from .state.baseline import (
    EVENT_TIME_STEP,
    Baseline,
    learn,
    learn_direction,
    with_current_ids,
    without_in_flight,
)
from .state.items import LedgerEntry
from .state.table import StateTable

_MAY_BE_OPEN: Final = frozenset({"observed", "unreverted"})
_REASONS_TOLD: Final = 5
_GONE: Final = "The group has been deleted since, so nothing of this is in force."
_NOT_CHANGED: Final = "EC2 reported success, but the group did not change."


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of closing the rules by id.

    Attributes:
        rule_ids: the ids that the event has; none where it does not have them all.
        refusal: why EC2 refused; usually because the rules are gone.
        closed_at: when they were closed; ``None`` where they were not.
    """

    rule_ids: tuple[str, ...] = ()
    refusal: Ec2Error | None = None
    closed_at: datetime | None = None


def go_on(
    event: Mapping[str, Any], head: Call, decision: Decision, policy: Policy, groups: SecurityGroups, attempt: Attempt
) -> None:
    """Do what is left to do about a call, now that what could be closed by id is closed.

    Args:
        event: the EventBridge event.
        head: who did what to which group.
        decision: every verb but ``ignore``.
        policy: the policy of the call's account.
        groups: the account's groups.
        attempt: what has been closed.

    Raises:
        EventError: when the event cannot be read; names the field. What it did is taken back nevertheless, as far as
            its rule ids or a comparison with the baseline say what that is.
        Ec2Error: when EC2 could not be asked; the event is delivered again.
    """
    table = StateTable(head.region)
    if not head.group_id:
        _without_group(head, is_allowed=decision.verb != "revert")
    elif head.kind == "create_group":
        _learn_new_group(table, head, policy)
    elif head.kind == "delete_group":
        table.forget(head.group_id)
    elif decision.verb == "revert":
        _revert(event, head, policy, groups, table, attempt)
    else:
        allow(read_rules(event, head), decision, policy, groups, table)


def _without_group(head: Call, *, is_allowed: bool) -> None:
    """Meet a call of which nobody can say which group it touched.

    A group named by its name is gone by now, and its rules with it. Else CloudTrail left the details out: what such a
    call did is found by looking at all groups, unless whoever made it may do as they please.
    """
    if head.group_name or head.kind in ("create_group", "delete_group"):
        logger.info("group is gone", extra={"request_id": head.request_id, "name_of_group": head.group_name})
        return
    count("EventsWithoutGroup", call=head.name)
    if is_allowed:
        logger.warning("allowed call without group", extra={"request_id": head.request_id, "call": head.name})
        return
    reconcile_after(head)


def _learn_new_group(table: StateTable, head: Call, policy: Policy) -> None:
    """Start the baseline of a new group: no inbound rules. Its default outbound rule is learned by the snapshot."""
    directions = tuple(one for one in policy.directions if one == "ingress")
    fresh = learn(
        region=head.region,
        group_id=head.group_id,
        group_name=head.group_name,
        rules=(),
        directions=directions,
        at=head.event_time,
    )
    table.update(head.group_id, lambda known: known or fresh)


def _revert(
    event: Mapping[str, Any],
    head: Call,
    policy: Policy,
    groups: SecurityGroups,
    table: StateTable,
    attempt: Attempt,
) -> None:
    entry = _after_refusal(head, attempt.rule_ids, groups, table) if attempt.refusal is not None else None
    if attempt.closed_at is not None:
        _measure_exposure(head, attempt.closed_at)
    call = _with_ids_of_named_groups(_read_or_compare(event, head, policy, groups, table), groups)
    entry = entry or table.entry(call.request_id)
    if entry is not None:
        _deliver_again(call, entry, policy, groups, table)
        return
    reverted = take_back_call(call, policy, groups, table)
    if reverted.finding.is_unguarded:
        logger.info("not guarded", extra={"request_id": call.request_id, "group": call.group_id})
        return
    _file(call, policy, groups, table, reverted, is_measured=attempt.closed_at is not None)


def _read_or_compare(
    event: Mapping[str, Any], head: Call, policy: Policy, groups: SecurityGroups, table: StateTable
) -> Call:
    """Return the call with its rules.

    Raises:
        EventError: when they cannot be read. What baseline and group themselves show of the call is taken back first:
            nobody gains by a form that nobody foresaw.
    """
    try:
        return read_rules(event, head)
    except EventError:
        take_back_call(replace(head, omitted=True), policy, groups, table)
        raise


def _after_refusal(head: Call, ids: tuple[str, ...], groups: SecurityGroups, table: StateTable) -> LedgerEntry | None:
    """Close rules one by one after EC2 refused to close them together; return the ledger's entry if that settles it.

    A refusal usually means that the event is delivered again and the rules are gone. The ledger says so in one call,
    where asking EC2 about each rule would take as many as there are rules. Without an answer of the ledger they are
    asked about all the same: no rule stays open because something else is out of order.
    """
    direction = head.direction or "ingress"
    try:
        entry = table.entry(head.request_id)
    except (ClientError, BotoCoreError, FieldError):
        close_singly(groups, head.group_id, direction, ids)
        raise
    if entry is not None and entry.outcome not in _MAY_BE_OPEN:
        return entry
    if len(ids) > 1:
        close_singly(groups, head.group_id, direction, ids)
    return None


def _deliver_again(call: Call, entry: LedgerEntry, policy: Policy, groups: SecurityGroups, table: StateTable) -> None:
    """Tell again what an earlier delivery filed.

    Where that one found the change allowed (policy was another one) or could not take it back, closing by id may just
    have closed approved rules: they are opened again.
    """
    logger.info("delivered again", extra={"request_id": entry.request.request_id, "outcome": entry.outcome})
    if call.kind == "add" and entry.outcome in _MAY_BE_OPEN:
        reverted = take_back_call(call, policy, groups, table)
        if reverted.is_readable and reverted.live:
            _keep_baseline(call, policy, table, reverted, entry.request.group_name)
    publish.tell(entry, table)


def _with_ids_of_named_groups(call: Call, groups: SecurityGroups) -> Call:
    """Look up groups that the event refers to by name alone, which only an event without EC2's answer does."""
    if call.resulting is not None:
        return call
    return replace(call, requested=tuple(_with_group_id_in(rule, call, groups) for rule in call.requested))


def _with_group_id_in(rule: Rule, call: Call, groups: SecurityGroups) -> Rule:
    source = rule.source
    if source.kind != "group" or not source.value.startswith("name:") or source.account not in ("", call.account):
        return rule
    found = groups.group_named(source.value.removeprefix("name:"))
    return rule if found is None else replace(rule, source=group(found.group_id, account=found.owner))


def _file(
    call: Call, policy: Policy, groups: SecurityGroups, table: StateTable, reverted: Reverted, *, is_measured: bool
) -> None:
    gone = _is_gone(call, groups, reverted)
    status, reason = _status(reverted, gone=gone)
    if status == "pending" and not is_measured:
        _measure_exposure(call, context.now())
    request = publish.request_of(
        call,
        policy,
        group_name=publish.group_name(groups, call.group_id, reverted.baseline),
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
    if reverted.is_readable and not gone:
        _keep_baseline(call, policy, table, reverted, request.group_name)
    publish.tell(table.add_entry(publish.new_entry(request)), table)


def _is_gone(call: Call, groups: SecurityGroups, reverted: Reverted) -> bool:
    """True when the group has been deleted; the same error code may speak of a group that a rule refers to."""
    looks_gone = any(failure.error.code in GROUP_GONE for failure in reverted.failures)
    if not looks_gone and (reverted.live or not reverted.is_readable):
        return False
    try:
        return groups.group(call.group_id) is None
    except Ec2Error as error:
        if error.is_transient:
            raise
        return False


def _status(reverted: Reverted, *, gone: bool) -> tuple[Status, str]:
    if gone:
        return "observed", _GONE
    if reverted.finding.is_unknown or not reverted.left.is_empty or reverted.failures:
        reasons = [reverted.finding.reason] if reverted.finding.reason else []
        reasons += dict.fromkeys(f"{failure.rule.identity}: {failure.error}" for failure in reverted.failures)
        return "unreverted", "; ".join(reasons[:_REASONS_TOLD]) or _NOT_CHANGED
    return "observed" if reverted.finding.change.is_empty else "pending", reverted.finding.reason


def _remaining(reverted: Reverted) -> tuple[Rule, ...]:
    left = reverted.left
    return (*reverted.finding.remaining, *left.removed, *left.added, *(edit.before for edit in left.modified))


def _keep_baseline(call: Call, policy: Policy, table: StateTable, reverted: Reverted, group_name: str) -> None:
    """Note the ids that restored rules have now, and drop what the call had slipped into the baseline.

    A group seen for the first time is learned here, so that the next event about it is measured against something. What
    is still open of this call is not blessed.
    """
    blessed = tuple(rule for rule in reverted.live if rule not in reverted.left.removed)
    # A removal may have been undone of a rule whose own addition is still to be heard of, be it of the same second.
    learned_at = reverted.read_at + (EVENT_TIME_STEP if call.kind == "remove" else timedelta(0))

    def kept(known: Baseline | None) -> Baseline:
        baseline = known or learn(
            region=call.region,
            group_id=call.group_id,
            group_name=group_name,
            rules=blessed,
            directions=policy.directions,
            at=learned_at,
        )
        for direction in policy.directions:
            baseline = learn_direction(baseline, direction, blessed, learned_at)
        return with_current_ids(without_in_flight(baseline, call), reverted.live, reverted.read_at)

    table.update(call.group_id, kept, known=reverted.baseline)


def _measure_exposure(call: Call, closed_at: datetime) -> None:
    seconds("ExposureSeconds", max(0.0, (closed_at - call.event_time).total_seconds()), call=call.name)
