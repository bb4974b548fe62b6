"""Learns groups seen for the first time, and finds differences that no event explained.

A snapshot never blesses a difference: what the baseline does not know stays a difference until somebody approves it, an
allowed call explains it, or it is taken back. A difference has to stand for the policy's grace period first, so that a
late event comes before.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.aws.execution import take_back
from shared.aws.security_groups import GroupFacts, SecurityGroups
from shared.aws.state_table import StateTable
from shared.domain.baseline import Baseline, Drift, learn, learn_direction, narrowed, with_current_ids
from shared.domain.call import Call
from shared.domain.change import Change, diff, make_change, undo
from shared.domain.plan import make_plan
from shared.domain.policy import Policy, decide_drift, denied_at_once
from shared.domain.request import Request, Status
from shared.domain.rule import Rule
from shared.policy.loading import load_policies
from shared.telemetry import count, logger
from shared.wire.state_items import LedgerEntry

from . import filing, runtime

_FAILURES_TOLD: Final = 5


class SnapshotError(RuntimeError):
    """Some groups could not be looked at; the message names them. The others have been."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One group in one snapshot."""

    facts: GroupFacts
    live: tuple[Rule, ...]
    policy: Policy
    now: datetime
    grace: timedelta
    note: str


def take_snapshot(region: str, now: datetime, *, grace: timedelta | None = None, note: str = "") -> None:
    """Look at every group of a region.

    Args:
        region: e.g. ``eu-west-1``.
        now: the time, UTC.
        grace: how long a difference may stand, where policy's ``drift_grace_minutes`` should not count.
        note: why this snapshot was taken, added to the reason of what it finds.

    Raises:
        SnapshotError: when some of the groups could not be looked at.
    """
    policies, table = load_policies(), StateTable(region)
    reader = SecurityGroups(region, "")
    facts = {one.group_id: one for one in reader.all_groups()}
    live: dict[str, list[Rule]] = defaultdict(list)
    for group_id, rule in reader.all_rules():
        live[group_id].append(rule)
    baselines = table.baselines(facts)
    failed: dict[str, Exception] = {}
    for group_id, one in facts.items():
        policy = policies.for_account(one.owner)
        rules = tuple(_owned(rule, one.owner) for rule in live[group_id])
        wait = policy.drift_grace if grace is None else grace
        look = _Look(facts=one, live=rules, policy=policy, now=now, grace=wait, note=note)
        try:
            _look_at(look, baselines.get(group_id), table)
        except Exception as error:  # noqa: BLE001 - one group's trouble must not hide the others; raised below
            logger.exception("snapshot of a group failed", extra={"group": group_id})
            failed[group_id] = error
    logger.info("snapshot", extra={"groups": len(facts), "learned": len(facts) - len(baselines), "failed": len(failed)})
    if failed:
        names = ", ".join(f"{group_id} ({error})" for group_id, error in list(failed.items())[:_FAILURES_TOLD])
        raise SnapshotError(f"{len(failed)} of {len(facts)} groups could not be looked at: {names}")


def reconcile_after(call: Call) -> None:
    """Take back every difference at once, for a call whose event does not even say which group it touched.

    CloudTrail leaves out parameters and answers of about 100 KB and more; whoever makes a call that large must not gain
    by it.
    """
    count("EventsWithoutGroup", call=call.name)
    note = f"CloudTrail left out the details of {call.name} ({call.request_id}) by {call.caller.name}."
    take_snapshot(call.region, runtime.now(), grace=timedelta(0), note=note)


def _look_at(look: _Look, known: Baseline | None, table: StateTable) -> None:
    facts, directions = look.facts, look.policy.directions
    if known is None:
        fresh = learn(
            region=table.region,
            group_id=facts.group_id,
            group_name=facts.name,
            rules=look.live,
            directions=directions,
        )
        table.update(facts.group_id, lambda baseline: baseline or fresh)
        return
    current = _current(known, look)
    difference = diff(current.guarded(directions), (rule for rule in look.live if rule.direction in directions))
    digest = _digest(difference)
    drift = known.drift
    if drift is not None and not drift.filed and drift.digest != digest:
        _finish(known, drift, table)
    if difference.is_empty:
        _save(replace(current, drift=None), known, table)
        return
    if drift is None or drift.digest != digest:
        drift = Drift(digest=digest, since=look.now)
        saved = _save(replace(current, drift=drift), known, table)
        if saved is None or look.grace > timedelta(0):
            return
        current = saved
    if not drift.filed and look.now - drift.since >= look.grace:
        _handle(current, difference, drift, look, table)


def _current(known: Baseline, look: _Look) -> Baseline:
    """Return the baseline with the ids, name and directions of today."""
    current = with_current_ids(narrowed(known, look.policy.directions), look.live)
    for direction in look.policy.directions:
        current = learn_direction(current, direction, look.live)
    return replace(current, group_name=look.facts.name)


def _save(baseline: Baseline, known: Baseline, table: StateTable) -> Baseline | None:
    """Write a baseline if it changed; return ``None`` when an event was faster, whose word counts more than ours."""
    unchanged = baseline == known and [one.rule_id for one in baseline.rules] == [one.rule_id for one in known.rules]
    return baseline if unchanged else table.save(baseline)


def _handle(baseline: Baseline, difference: Change, drift: Drift, look: _Look, table: StateTable) -> None:
    decision = decide_drift(look.policy, baseline.group_id)
    if decision.verb == "allow":
        fresh = learn(
            region=baseline.region,
            group_id=baseline.group_id,
            group_name=baseline.group_name,
            rules=look.live,
            directions=look.policy.directions,
        )
        table.save(replace(fresh, version=baseline.version))
        return
    guarded = _guarded(difference, look.policy)
    reports = decision.verb == "report" or guarded.is_empty
    change = difference if reports else guarded
    reason = " ".join(part for part in (f"{decision.reason}.", look.note) if part)
    request = _request(baseline, change, drift, look, "observed" if reports else "pending", reason)
    count("Drift", account=look.facts.owner, status=request.status)
    # The ledger first: should this function die between the revert and the telling, the next snapshot finishes it.
    entry = table.add_entry(filing.new_entry(request))
    if not reports:
        entry = _revert(entry, look, table)
    filing.tell(entry)
    table.save(replace(baseline, drift=replace(drift, filed=True)))


def _revert(entry: LedgerEntry, look: _Look, table: StateTable) -> LedgerEntry:
    """Take a difference back; what EC2 refuses for good makes the request ``unreverted``."""
    groups = SecurityGroups(table.region, look.facts.owner)
    failures = take_back(groups, look.facts.group_id, make_plan(undo(entry.request.change)))
    if not failures:
        return entry
    transient = next((one.error for one in failures if one.error.is_transient), None)
    if transient is not None:
        raise transient
    table.move_entry(entry, "unreverted", note=failures[0].error.code)
    reason = "; ".join(f"{failure.rule.identity}: {failure.error}" for failure in failures[:_FAILURES_TOLD])
    request = replace(
        entry.request,
        status="unreverted",
        reason=f"{entry.request.reason} {reason}",
        remaining=tuple(failure.rule for failure in failures),
    )
    return replace(entry, request=request, outcome="unreverted")


def _finish(known: Baseline, drift: Drift, table: StateTable) -> None:
    """Tell of a difference that was taken back by a run that did not live to tell."""
    entry = table.entry(_request_id(known, drift))
    if entry is not None:
        filing.tell(entry)


def _request(baseline: Baseline, change: Change, drift: Drift, look: _Look, status: Status, reason: str) -> Request:
    denied = denied_at_once(look.policy, change.added) if status == "pending" else ""
    return Request(
        request_id=_request_id(baseline, drift),
        account=look.facts.owner,
        account_name=runtime.account_name(look.facts.owner),
        region=baseline.region,
        group_id=baseline.group_id,
        group_name=baseline.group_name,
        requester=None,
        event_name="",
        event_time=drift.since,
        change=change,
        origin="snapshot",
        status="denied" if denied else status,
        reason=denied or reason,
    )


def _request_id(baseline: Baseline, drift: Drift) -> str:
    seed = f"{baseline.region}/{baseline.group_id}/{drift.digest}/{drift.since.isoformat()}"
    return f"drift-{hashlib.sha256(seed.encode()).hexdigest()[:32]}"


def _digest(difference: Change) -> str:
    parts: Mapping[str, object] = {
        "added": [(rule.identity, rule.description) for rule in difference.added],
        "removed": [rule.identity for rule in difference.removed],
        "modified": [
            (edit.before.identity, edit.after.identity, edit.after.description) for edit in difference.modified
        ],
    }
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _guarded(difference: Change, policy: Policy) -> Change:
    return make_change(
        added=difference.added if "add" in policy.guard else (),
        removed=difference.removed if "remove" in policy.guard else (),
        modified=difference.modified if "modify" in policy.guard else (),
    )


def _owned(rule: Rule, owner: str) -> Rule:
    if rule.source.kind == "group" and not rule.source.account:
        return replace(rule, source=replace(rule.source, account=owner))
    return rule
