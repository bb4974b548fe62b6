"""What becomes of a difference between baseline and live group that no event has explained.

It is never added to the baseline automatically: it stays a difference until somebody approves it, an allowed call
explains it, or it is reverted. Each rule that differs has its own time since when it was seen; it has to differ for the
policy's grace period first, so that a late event comes before. What could not be reverted is tried again by each
snapshot until it is.

What does not belong here: reading the groups of a region (``snapshot``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.change import Change, diff, make_change, undo
from shared.domain.policy import Policy
from shared.domain.request import Request
from shared.domain.risk_rule import RequestFacts
from shared.telemetry import count, logger

from . import context, publishing
from .assessment.approved import approved_with
from .assessment.conflicts import what_is_left
from .assessment.put_back import PUT_BACK
from .context import Context
from .converge import Converged, State, converge, deleted_references, wrong_rules
from .decision import Decision, decide_drift
from .ec2.refusal import Ec2Error
from .ec2.security_groups import GroupFacts, SecurityGroups
from .publishing import STATE_ERRORS
from .reaching import reach_of
from .risk import denial
from .rule_set import RuleSet
from .state.baseline import (
    REVERTED_BY_COMPARISON,
    Baseline,
    Difference,
    accept_change,
    differences,
    joined,
    narrowed,
    shortfall,
    with_ids_seen,
    with_tags_seen,
)
from .state.items import LedgerEntry
from .state.limits import limits_of

_REFUSALS_SHOWN: Final = 5
_NOTED_FOR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One group in one snapshot.

    Attributes:
        facts: the group.
        live: its rules in the guarded directions.
        read_at: a moment after they were read.
        policy: of the group's account.
        now: the time of the snapshot, UTC.
        is_partial: a rule of it cannot be read: nobody knows whether that is an approved one which seems to be missing.
    """

    facts: GroupFacts
    live: RuleSet
    read_at: datetime
    policy: Policy
    now: datetime
    is_partial: bool = False


def look_for_drift(here: Context, look: Look, known: Baseline) -> None:
    """Compare a group with its baseline, and deal with differences that have stood for long enough.

    Args:
        here: this invocation.
        look: the group.
        known: its baseline, as it was read before the rules were.
    """
    current = _current(known, look)
    parts = _certain(_parts(current, look.live), known, look)
    _publish_unfinished(here, known, parts, look.now)
    current = replace(current, differences=_noted(known, parts, look))
    # The same as before is not written again; where an event was faster, its word counts more than ours.
    saved = known if current == known else here.table.save(current)
    if saved is None:
        return
    due = [one for one in current.differences if one.key in parts and look.now - one.since >= look.policy.drift_grace]
    if due:
        _deal_with(here, replace(current, version=saved.version), due, look)


def _current(known: Baseline, look: Look) -> Baseline:
    """Return the baseline with the tags, ids, name and directions of today."""
    current = with_ids_seen(narrowed(known, look.policy.directions), look.live)
    return replace(with_tags_seen(current, look.live), group_name=look.facts.name)


def _certain(parts: dict[str, Change], known: Baseline, look: Look) -> dict[str, Change]:
    """Return the differences without approved rules that seem to be missing since a rule cannot be read."""
    noted = {one.key for one in known.differences}
    return {key: part for key, part in parts.items() if not (look.is_partial and part.removed and key not in noted)}


def _parts(baseline: Baseline, live: RuleSet) -> dict[str, Change]:
    wanted = [direction for direction, _ in baseline.adopted]
    return differences(diff(baseline.rules.of(wanted), live.of(wanted)))


def _noted(known: Baseline, parts: dict[str, Change], look: Look) -> tuple[Difference, ...]:
    """Return each difference with the time since when it has been seen.

    A time that lies ahead of the clock would never come; such a period starts anew.
    """
    before, now = {one.key: one for one in known.differences}, look.now
    fresh = (before.get(key, Difference(key=key, since=now)) for key in sorted(parts))
    noted = [one if one.since <= now else replace(one, since=now) for one in fresh]
    kept_for = {REVERTED_BY_COMPARISON: _NOTED_FOR, PUT_BACK: look.policy.expires_after}
    memory = [
        one
        for one in known.differences
        if any(one.key.startswith(kind) and now - one.since < time for kind, time in kept_for.items())
    ]
    return (*noted, *memory)


def _publish_unfinished(here: Context, known: Baseline, parts: dict[str, Change], now: datetime) -> None:
    """Publish what became of differences that are gone, if an earlier run crashed before it could."""
    gone = {one.request_id for one in known.differences if one.request_id and one.key not in parts}
    still_there = {one.request_id for one in known.differences if one.key in parts}
    noted = {one.request_id for one in known.differences if one.key.startswith((REVERTED_BY_COMPARISON, PUT_BACK))}
    for request_id in sorted(gone - still_there - noted):
        entry = here.table.entry(request_id)
        if entry is not None and entry.outcome == "unreverted":
            _report_overcome(here, known, entry.request.request_id, now)
        elif entry is not None:
            publishing.publish_again(here, entry)


# -- differences that are due ------------------------------------------------------------------------------------------


def _deal_with(here: Context, baseline: Baseline, due: list[Difference], look: Look) -> None:
    groups = here.groups(retries="adaptive")
    live = groups.rules(baseline.group_id)
    newest = here.table.baseline(baseline.group_id)
    if newest is None or newest.version != baseline.version:
        return  # an event is being handled; the next snapshot looks again
    parts = _parts(baseline, live)
    due = [one for one in due if one.key in parts]
    decision = decide_drift(look.policy, baseline.group_id)
    if decision.verb == "allow":
        _accept(here, baseline, [parts[one.key] for one in due], live)
        return
    guarded = {one.key for one in due if not _guarded(parts[one.key], look.policy).is_empty}
    reverted = [one for one in due if one.key in guarded and decision.verb == "revert"]
    reported = [one for one in due if one not in reverted and not one.request_id]
    if reported:
        baseline = _report(here, baseline, reported, parts, live, decision, look, guarded)
    if reverted:
        _revert(here, groups, baseline, reverted, parts, live, look, decision)


def _accept(here: Context, baseline: Baseline, parts: Iterable[Change], live: RuleSet) -> Baseline:
    accepted = accept_change(baseline, joined(parts), live, context.now())
    return here.table.save(replace(accepted, differences=())) or accepted


def _report(
    here: Context,
    baseline: Baseline,
    due: list[Difference],
    parts: dict[str, Change],
    live: RuleSet,
    decision: Decision,
    look: Look,
    guarded: set[str],
) -> Baseline:
    """Publish differences that are only shown; those that policy allows become part of the baseline."""
    change = joined(parts[one.key] for one in due)
    request = _request(baseline, change, due, look, decision.reason)
    publishing.publish_request(here, replace(request, status="observed"))
    count("Drift", account=look.facts.owner, status="observed")
    accepts = look.policy.mode == "observe"
    allowed = [one for one in due if accepts or one.key not in guarded]
    marked = {one.key: replace(one, request_id=request.request_id) for one in due if one not in allowed}
    accepted = accept_change(baseline, joined(parts[one.key] for one in allowed), live, context.now())
    rest = tuple(marked.get(one.key, one) for one in baseline.differences if one not in allowed)
    changed = replace(accepted, differences=rest)
    return here.table.save(changed) or changed


def _revert(
    here: Context,
    groups: SecurityGroups,
    baseline: Baseline,
    due: list[Difference],
    parts: dict[str, Change],
    live: RuleSet,
    look: Look,
    decision: Decision,
) -> None:
    """Revert differences; those that have no request yet get one together."""
    fresh = [one for one in due if not one.request_id]
    change = joined(parts[one.key] for one in fresh)
    request = _request(baseline, change, fresh, look, f"{decision.reason}.")
    if fresh and request.status == "pending":
        # Before the revert, since the ledger entry is: these rules have been in force for the grace period already.
        request = replace(request, reach=reach_of(here, baseline.group_id, change, baseline.rules))
    entries, problem = publishing.add_entries(here, request) if fresh else ([], None)
    baseline = _marked(here, baseline, fresh, request.request_id)
    wanted = undo(joined(parts[one.key] for one in due))
    done = converge(groups, baseline.group_id, State(lambda live: what_is_left(wanted, live)), live=live)
    count("Drift", account=look.facts.owner, status=request.status)
    for entry in entries:
        publishing.publish_entry(_as_ended(here, entry, done))
    _note_reverted(here, baseline, due, request.request_id, done, look)
    if problem is not None:
        raise problem


def _marked(here: Context, baseline: Baseline, fresh: list[Difference], request_id: str) -> Baseline:
    """Note which request stands for the differences, so that a later run can publish it if this one crashes."""
    marked = replace(
        baseline,
        differences=tuple(replace(one, request_id=request_id) if one in fresh else one for one in baseline.differences),
    )
    try:
        return here.table.save(marked) or baseline if fresh else baseline
    except STATE_ERRORS:
        logger.exception("differences not noted", extra={"group": baseline.group_id})
        return baseline


def _as_ended(here: Context, entry: LedgerEntry, done: Converged) -> LedgerEntry:
    """Return a ledger entry as its revert ended; what is still wrong makes it ``unreverted``."""
    wrong = [rule for rule in wrong_rules(done.left) if _concerns(entry, rule.identity)]
    if not wrong:
        return entry if entry.outcome != "unreverted" else here.table.move_entry(entry, "reverted") or entry
    refusals = [
        one for one in done.refusals if one.rule is not None and one.rule.identity in {r.identity for r in wrong}
    ]
    try:
        here.table.move_entry(entry, "unreverted", note=refusals[0].code if refusals else "")
    except STATE_ERRORS:
        logger.exception("ledger entry not moved", extra={"request_id": entry.request.request_id})
    reason = "; ".join(f"{one.rule.identity}: {one}" for one in refusals[:_REFUSALS_SHOWN] if one.rule is not None)
    request = replace(
        entry.request, status="unreverted", reason=f"{entry.request.reason} {reason}".strip(), remaining=tuple(wrong)
    )
    return replace(entry, request=request, outcome="unreverted")


def _concerns(entry: LedgerEntry, identity: str) -> bool:
    return any(rule.identity == identity for rule in entry.request.change.rules)


def _note_reverted(
    here: Context, baseline: Baseline, due: list[Difference], request_id: str, done: Converged, look: Look
) -> None:
    """Write what is still wrong into the baseline, and say so where an earlier refusal has been overcome."""
    lost = deleted_references(done.refusals)
    left = _parts(baseline, done.live)
    changed = with_ids_seen(baseline, done.live)
    if lost:
        changed = accept_change(changed, make_change(removed=lost), done.live, done.read_at)
        _report_lost(here, baseline, [rule.identity for rule in lost], look)
    tried = {one.key for one in due}
    kept = [
        replace(one, request_id=one.request_id or request_id) if one.key in tried else one
        for one in baseline.differences
        if one.key not in tried or one.key in left
    ]
    overcome = {one.request_id for one in due if one.request_id and one.key not in left}
    here.table.save(replace(changed, differences=tuple(kept)))
    for earlier in sorted(overcome):
        _report_overcome(here, baseline, earlier, look.now)


def _report_overcome(here: Context, baseline: Baseline, request_id: str, now: datetime) -> None:
    entry = here.table.entry(request_id)
    if entry is not None and entry.outcome == "unreverted":
        here.table.move_entry(entry, "reverted")
    publishing.notice(
        here,
        "RevertedLater",
        f"What could not be reverted for request {request_id} has been reverted now.",
        at=now,
        key=request_id,
        group_id=baseline.group_id,
        group_name=baseline.group_name,
    )


def _report_lost(here: Context, baseline: Baseline, rules: list[str], look: Look) -> None:
    publishing.notice(
        here,
        "RuleNotRestorable",
        f"These approved rules refer to a security group that no longer exists: {', '.join(rules)}. They cannot be "
        "restored, and are not approved any more.",
        at=look.now,
        key=", ".join(rules),
        group_id=baseline.group_id,
        group_name=baseline.group_name,
    )


def _request(baseline: Baseline, change: Change, due: list[Difference], look: Look, reason: str) -> Request:
    facts = RequestFacts(account=look.facts.owner, region=baseline.region, group_id=baseline.group_id, change=change)
    denied = denial(look.policy, facts, baseline.rules)
    return Request(
        request_id=_request_id(baseline, due),
        account=look.facts.owner,
        account_name=context.account_name(look.facts.owner),
        region=baseline.region,
        group_id=baseline.group_id,
        group_name=baseline.group_name,
        requester=None,
        event_name="",
        event_time=min((one.since for one in due), default=look.now),
        change=change,
        origin="snapshot",
        status="denied" if denied else "pending",
        reason=denied or reason,
        approved=approved_with(change, (), baseline.rules),
        limits=limits_of(baseline, change),
    )


def _request_id(baseline: Baseline, due: list[Difference]) -> str:
    # Times in the precision the table keeps, so that a later run comes to the same id.
    times = sorted(f"{one.key} {one.since.isoformat(timespec='milliseconds')}" for one in due)
    seed = f"{baseline.region}/{baseline.group_id}/{times}"
    return f"drift-{hashlib.sha256(seed.encode()).hexdigest()[:32]}"


def _guarded(difference: Change, policy: Policy) -> Change:
    return make_change(
        added=difference.added if "add" in policy.guard else (),
        removed=difference.removed if "remove" in policy.guard else (),
        modified=difference.modified if "modify" in policy.guard else (),
    )


# -- for calls ---------------------------------------------------------------------------------------------------------


def restore_waiting(here: Context, groups: SecurityGroups, baseline: Baseline) -> None:
    """Try again to restore approved rules for which a group had no room, now that something was removed from it."""
    if not any(one.request_id for one in baseline.differences):
        return
    stored = here.table.baseline(baseline.group_id)
    waiting = [] if stored is None else [one for one in stored.differences if one.request_id and one.key[:2] == "- "]
    if stored is None or not waiting:
        return
    keys = {one.key.removeprefix("- ") for one in waiting}
    wanted = [rule for rule in stored.rules if rule.identity in keys]
    try:
        done = converge(groups, stored.group_id, State(lambda live: shortfall(wanted, live)))
    except Ec2Error as error:
        logger.warning("still no room", extra={"group": stored.group_id, "problem": str(error)})
        return
    here.table.update(stored.group_id, lambda known: known and with_ids_seen(known, done.live))
