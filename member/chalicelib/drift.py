"""What becomes of a difference between baseline and live group that no event has explained.

It is never blessed: it stays a difference until somebody approves it, an allowed call explains it, or it is taken back.
It has to stand for the policy's grace period first, so that a late event comes before, and is looked at again right
before anything is done about it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.change import Change, diff, make_change, undo
from shared.domain.policy import Policy
from shared.domain.request import Request, Status
from shared.domain.rule import Rule
from shared.telemetry import count

from . import context, publish
from .assessment.conflicts import what_is_left
from .decision import Decision, decide_drift, denied_at_once
from .ec2.execution import Failure, replacing, take_back
from .ec2.plan import make_plan
from .ec2.security_groups import Ec2Error, GroupFacts, SecurityGroups
from .state.baseline import (
    Baseline,
    Drift,
    learn,
    learn_direction,
    narrowed,
    with_current_ids,
    with_current_tags,
)
from .state.items import LedgerEntry
from .state.table import StateTable

_FAILURES_TOLD: Final = 5
_PAUSE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One group in one snapshot.

    Attributes:
        facts: the group.
        live: its rules.
        read_at: a moment after they were read.
        policy: of the group's account.
        now: the time of the snapshot, UTC.
        grace: how long a difference may stand.
        note: why the snapshot was taken, if not by schedule.
    """

    facts: GroupFacts
    live: tuple[Rule, ...]
    read_at: datetime
    policy: Policy
    now: datetime
    grace: timedelta
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Difference:
    """A difference and what policy wants done about it.

    Attributes:
        change: what leads from the baseline to the live group; of one that is taken back, the guarded kinds alone.
        decision: policy's word.
        reports: it is only shown.
        digest: identifies all this, so that a change of policy makes it another difference.
    """

    change: Change
    decision: Decision
    reports: bool
    digest: str


def look_for_drift(look: Look, known: Baseline, table: StateTable) -> None:
    """Compare a group with its baseline, and see to a difference that has stood for long enough."""
    current = _current(known, look)
    found = _difference(current, look)
    drift = known.drift
    if drift is not None and not drift.filed and (found is None or drift.digest != found.digest):
        _finish(known, drift, found, look, table)
    if found is None:
        _save(replace(current, drift=None), known, table)
        return
    # A time that lies ahead of the clock would never come; the period starts anew.
    if drift is None or drift.digest != found.digest or drift.since > look.now:
        drift = Drift(digest=found.digest, since=look.now)
    saved = _save(replace(current, drift=drift), known, table)
    if saved is not None and not drift.filed and look.now - drift.since >= look.grace:
        _see_to(saved, found, drift, look, table)


def _current(known: Baseline, look: Look) -> Baseline:
    """Return the baseline with the tags, ids, name and directions of today."""
    current = with_current_tags(narrowed(known, look.policy.directions), look.live)
    current = with_current_ids(current, look.live, look.read_at)
    for direction in look.policy.directions:
        current = learn_direction(current, direction, look.live, look.read_at)
    return replace(current, group_name=look.facts.name)


def _difference(baseline: Baseline, look: Look) -> _Difference | None:
    directions = look.policy.directions
    whole = diff(baseline.guarded(directions), (rule for rule in look.live if rule.direction in directions))
    if whole.is_empty:
        return None
    decision = decide_drift(look.policy, baseline.group_id)
    guarded = _guarded(whole, look.policy)
    reports = decision.verb == "report" or guarded.is_empty
    verb = "report" if reports else decision.verb
    return _Difference(
        change=whole if reports else guarded, decision=decision, reports=reports, digest=_digest(whole, verb)
    )


def _save(baseline: Baseline, known: Baseline, table: StateTable) -> Baseline | None:
    """Write a baseline if it changed; return ``None`` when an event was faster, whose word counts more than ours."""
    return baseline if baseline.is_same_as(known) else table.save(baseline)


def _see_to(baseline: Baseline, found: _Difference, drift: Drift, look: Look, table: StateTable) -> None:
    groups = SecurityGroups(table.region, look.facts.owner, retries="adaptive")
    look = replace(look, live=groups.rules(baseline.group_id), read_at=context.now())
    newest, again = table.baseline(baseline.group_id), _difference(baseline, look)
    if newest is None or newest.version != baseline.version or again is None or again.digest != found.digest:
        return  # somebody else is at it; the next snapshot looks again
    if found.decision.verb == "allow":
        _bless(baseline, look, table)
        return
    reason = " ".join(part for part in (f"{found.decision.reason}.", look.note) if part)
    request = _request(baseline, found.change, drift, look, "observed" if found.reports else "pending", reason)
    count("Drift", account=look.facts.owner, status=request.status)
    # The ledger first: should this function die between the revert and the telling, the next snapshot finishes it.
    entry = table.add_entry(publish.new_entry(request))
    if not found.reports:
        entry, live = _revert(entry, groups, table)
        baseline = with_current_ids(baseline, live, context.now())
    publish.tell(entry, table)
    # What was taken back is over: the same difference, should it be seen again, is a new one.
    is_over = entry.outcome in ("reverted", "denied")
    table.save(replace(baseline, drift=None if is_over else replace(drift, filed=True)))


def _bless(baseline: Baseline, look: Look, table: StateTable) -> None:
    """Take the group as it is: policy exempts it."""
    fresh = learn(
        region=baseline.region,
        group_id=baseline.group_id,
        group_name=baseline.group_name,
        rules=look.live,
        directions=look.policy.directions,
        at=look.read_at,
    )
    table.save(replace(fresh, version=baseline.version))


def _revert(entry: LedgerEntry, groups: SecurityGroups, table: StateTable) -> tuple[LedgerEntry, tuple[Rule, ...]]:
    """Take a difference back and return the rules then; what EC2 refuses for good makes the request ``unreverted``."""
    failures, live = _take_back(groups, entry.request.group_id, undo(entry.request.change))
    if not failures:
        # An earlier try may have failed for good.
        return (entry if entry.outcome != "unreverted" else table.move_entry(entry, "reverted") or entry), live
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
    return replace(entry, request=request, outcome="unreverted"), live


def _take_back(groups: SecurityGroups, group_id: str, way_back: Change) -> tuple[tuple[Failure, ...], tuple[Rule, ...]]:
    """Go the way back and read back; an edit without effect is made by replacing the rule.

    Returns:
        What EC2 refused, or took without doing it; and the rules afterwards.
    """
    failures = take_back(groups, group_id, make_plan(way_back))
    left, live = _look_again(groups, group_id, way_back)
    if not left.is_empty and not failures:
        rest = make_plan(make_change(added=left.added, removed=left.removed))
        failures = take_back(groups, group_id, (*rest, *replacing(left.modified)))
        left, live = _look_again(groups, group_id, way_back)
    silent = Ec2Error("NotInForce", "EC2 reported success, but the group did not change.", is_transient=False)
    wrong = (*left.removed, *left.added, *(edit.before for edit in left.modified))
    return failures or tuple(Failure(rule=rule, error=silent) for rule in wrong), live


def _look_again(groups: SecurityGroups, group_id: str, way_back: Change) -> tuple[Change, tuple[Rule, ...]]:
    """Return what is left of a way back, looking twice where something is: EC2's answers are eventually consistent."""
    live = groups.rules(group_id)
    left = what_is_left(way_back, live)
    if not left.is_empty:
        context.pause(_PAUSE_SECONDS)
        live = groups.rules(group_id)
        left = what_is_left(way_back, live)
    return left, live


def _finish(known: Baseline, drift: Drift, found: _Difference | None, look: Look, table: StateTable) -> None:
    """Take back the rest of a difference, and tell of it, where an earlier run did not live to do so."""
    entry = table.entry(_request_id(known, drift))
    if entry is None:
        return
    if found is not None and not found.reports:
        begun, now = entry.request.change, found.change
        rest = make_change(
            added=(rule for rule in now.added if rule in begun.added),
            removed=(rule for rule in now.removed if rule in begun.removed),
            modified=(edit for edit in now.modified if edit in begun.modified),
        )
        groups = SecurityGroups(table.region, look.facts.owner, retries="adaptive")
        failures = take_back(groups, look.facts.group_id, make_plan(undo(rest)))
        if failures:
            raise failures[0].error
    publish.tell(entry, table)


def _request(baseline: Baseline, change: Change, drift: Drift, look: Look, status: Status, reason: str) -> Request:
    denied = denied_at_once(look.policy, change.added) if status == "pending" else ""
    return Request(
        request_id=_request_id(baseline, drift),
        account=look.facts.owner,
        account_name=context.account_name(look.facts.owner),
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
    # In the precision the table keeps, so that a later run comes to the same id.
    since = drift.since.isoformat(timespec="milliseconds")
    seed = f"{baseline.region}/{baseline.group_id}/{drift.digest}/{since}"
    return f"drift-{hashlib.sha256(seed.encode()).hexdigest()[:32]}"


def _digest(difference: Change, verb: str) -> str:
    parts: Mapping[str, object] = {
        "verb": verb,
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
