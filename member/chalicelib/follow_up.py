"""Finishes handling a call after its new rules were revoked by id: revert the rest, note it, publish the request.

Each step may be repeated: an event that is delivered again finds the revert done and publishes the same request. No
failure to read or write this account's state prevents the revert or the request: it is reported, and raised at the end,
so that the event is delivered again.

What does not belong here: how a group is brought to a state (``converge``), what a call did (``assessment``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from shared.domain.change import Change, by_identity, make_change
from shared.domain.policy import Policy
from shared.domain.reach import Reach
from shared.domain.request import Request, Status
from shared.domain.rule import Rule
from shared.telemetry import count, logger, seconds

from . import context, doubts, drift, ending, indirect, publishing
from .acceptance import accept
from .assessment.assess import Assessment, assess
from .assessment.operations import operations_made
from .assessment.put_back import keys_of_put_back
from .cloudtrail.call import Call
from .cloudtrail.event import read_rules
from .context import Context
from .converge import Converged, converge, deleted_references, wrong_rules
from .decision import Decision
from .ec2.refusal import GROUP_GONE, Ec2Error, Refusal
from .ec2.revoke_by_id import Attempt, revoke_one_by_one
from .ec2.security_groups import SecurityGroups
from .group_state import baseline_of
from .let_through import finish_let_through, is_let_through, let_through_call
from .named_groups import with_ids_of_named_groups
from .publishing import STATE_ERRORS
from .reaching import reach_of
from .region import groups_that_differ
from .risk import denial, facts_of_call
from .rule_set import RuleSet
from .state.baseline import (
    REVERTED_BY_COMPARISON,
    Baseline,
    Difference,
    accept_change,
    differences,
    may_hide_rules,
    with_ids_seen,
    with_unread,
    without_unapproved,
)
from .state.items import LedgerEntry
from .state.limits import limits_of
from .state.table import Known

_MAY_BE_OPEN: Final = frozenset({"observed", "unreverted"})
_REASONS_SHOWN: Final = 5
_GONE: Final = "The group has been deleted since, so nothing of this is in force."
_NOT_CHANGED: Final = "EC2 reported success, but the group did not change."
_NO_SUCH_GROUP: Final = (
    "refers to a security group that no longer exists; it cannot be restored and is not approved any more"
)


def follow_up(
    here: Context,
    event: Mapping[str, Any],
    head: Call,
    decision: Decision,
    policy: Policy,
    groups: SecurityGroups,
    attempt: Attempt,
) -> None:
    """Finish handling a call after its new rules were revoked by id.

    Args:
        here: this invocation.
        event: the EventBridge event.
        head: who did what to which group.
        decision: every verb but ``ignore``.
        policy: the policy of the call's account.
        groups: the account's groups.
        attempt: what has been revoked.

    Raises:
        Ec2Error: when EC2 could not be asked; the event is delivered again.
        Exception: what kept this account's state from being read or written, after everything else was done.
    """
    if head.kind == "create_group":
        return  # a new group has the rules that AWS gives it, whether or not anybody hears of its creation
    if head.kind == "delete_group":
        if head.group_id:
            ending.forget_group(here, head.group_id)
        return
    if head.kind == "indirect":
        if decision.verb == "report":
            indirect.announce(here, event, head, policy)
        return
    if not head.group_id:
        _without_group(here, head, decision, policy, groups)
        return
    call = with_ids_of_named_groups(_read(event, head), groups)
    if decision.verb == "let_through":
        is_done = let_through_call(here, call, policy, groups)
    else:
        is_done = decision.verb != "revert" and accept(here, call, decision, policy, groups)
    if not is_done:
        revert_call(here, call, policy, groups, attempt)


def _read(event: Mapping[str, Any], head: Call) -> Call:
    """Return the call with its rules; what cannot be read is logged and counted, and keeps nothing in force."""
    call = read_rules(event, head)
    if call.unreadable:
        count("UnreadableEvents")
        logger.error("unreadable event", extra={"request_id": call.request_id, "problem": call.unreadable})
    return call


def _without_group(here: Context, head: Call, decision: Decision, policy: Policy, groups: SecurityGroups) -> None:
    """Handle a call whose event does not say which group it touched.

    A group named by its name is gone by now, and its rules with it. Otherwise CloudTrail left the details out: what
    such a call did is found by comparing every group with its baseline, unless the caller is allowed to change rules.
    """
    if head.group_name:
        logger.info("group is gone", extra={"request_id": head.request_id, "name_of_group": head.group_name})
        return
    count("EventsWithoutGroup", call=head.name)
    if decision.verb in ("allow", "report"):
        logger.warning("allowed call without group", extra={"request_id": head.request_id, "call": head.name})
        return
    call = replace(head, omitted=True)
    may_open = may_hide_rules(call)
    problem = doubts.note_unread_call(here, call, policy) if may_open else None
    differing = groups_that_differ(here, policy, since=head.event_time, may_open=may_open)
    for group_id in differing:
        request_id = head.request_id if len(differing) == 1 else f"{head.request_id}-{group_id}"
        one = replace(call, request_id=request_id, group_id=group_id)
        revert_call(here, one, policy, groups, Attempt(), is_compared=True)
    if problem is not None:
        raise problem


# -- reverting ---------------------------------------------------------------------------------------------------------


@dataclass
class _Goal:
    """The approved state of the rules that a call touched.

    The approved state may change meanwhile: an approval may be carried out at this very moment. So whoever writes to
    EC2 reads the baseline afterwards, and whoever writes the baseline (``apply``) reads EC2 afterwards; whichever is
    later sees the other's work and puts things right.
    """

    here: Context
    call: Call
    policy: Policy
    baseline: Baseline | None
    assessed: Assessment | None = None
    restored: dict[str, Rule] = field(default_factory=dict)
    written_at: datetime | None = None

    def left(self, live: RuleSet) -> Change:
        """Return what is left to undo of the call, and of restoring what has been approved to go meanwhile."""
        found = assess(self.call, self.baseline, live, self.policy.directions)
        self.assessed = found if self.assessed is None else self.assessed
        return self._with_withdrawn(found.undo, live)

    def is_certain(self, live: RuleSet) -> bool:
        """False when the group does not show what the event tells of, and nobody has dealt with it."""
        found = assess(self.call, self.baseline, live, self.policy.directions)
        is_revoked_by_id = self.call.kind == "add" and self.call.resulting is not None
        return is_revoked_by_id or found.is_unknown or found.change.is_empty

    def note_written(self, change: Change) -> None:
        """Note when; after rules were added, read the baseline again."""
        self.written_at = context.now()
        opened = by_identity((*change.added, *(edit.after for edit in change.modified)))
        if not opened:
            return
        self.restored |= opened
        known = self.here.table.read(self.call.request_id, self.call.group_id)
        before = again = self.baseline
        if known.baseline is not None and before is not None and known.baseline.version != before.version:
            again = known.baseline
        if again is not None:
            again = with_unread(again, known.unread_since)
        if again != before:
            self.baseline, self.assessed = again, None

    def _with_withdrawn(self, undo: Change, live: RuleSet) -> Change:
        """Add the rules this revert restored whose removal has been approved meanwhile."""
        baseline = self.baseline
        if baseline is None or not self.restored:
            return undo
        known = without_unapproved(baseline, self.call, live)
        withdrawn = [
            now for rule in self.restored.values() if self._is_withdrawn(rule, known) and (now := live.like(rule))
        ]
        removed = by_identity((*undo.removed, *withdrawn)).values()
        return make_change(added=undo.added, removed=removed, modified=undo.modified)

    def _is_withdrawn(self, rule: Rule, known: Baseline) -> bool:
        if not known.knows(rule.direction):
            return known.doubt.covers(self.call.event_time)
        return known.like(rule) is None


def revert_call(
    here: Context, call: Call, policy: Policy, groups: SecurityGroups, attempt: Attempt, *, is_compared: bool = False
) -> None:
    """Revert a call and publish its request.

    Args:
        here: this invocation.
        call: with its rules.
        policy: of the account.
        groups: the account's groups.
        attempt: what has been revoked by id.
        is_compared: the group was found by comparing all groups, so it may be another call's change that is reverted.
    """
    known = here.table.read(call.request_id, call.group_id)
    if attempt.refusal is not None and len(attempt.rule_ids) > 1 and not _is_done(known.entry):
        revoke_one_by_one(groups, call.group_id, call.direction or "ingress", attempt.rule_ids)
    if attempt.revoked_at is not None:
        _measure_exposure(call, attempt.revoked_at)
    if known.entry is not None and is_let_through(known.entry):
        # The policy has changed since: what was decided once is finished, and what has just been revoked is restored.
        finish_let_through(here, call, groups, known.entry)
        known = here.table.read(call.request_id, call.group_id)
    if known.entry is not None and not (call.kind == "add" and _may_be_open(known.entry)):
        logger.info("delivered again", extra={"request_id": call.request_id, "outcome": known.entry.outcome})
        publishing.publish_again(here, known.entry)
        return
    try:
        live = groups.rules(call.group_id)
        state = baseline_of(here, known, groups, call.group_id, live, call.only_rule_id)
    except Ec2Error as error:
        if error.is_temporary:
            raise
        _publish_unreadable(here, call, known, error.refusal)
        return
    if not state.is_ours:
        logger.info("not our group", extra={"request_id": call.request_id, "group": call.group_id})
        return
    baseline, problem = doubts.note_restores(here, call, state.baseline, live, policy)
    known = replace(known, unread=known.unread or problem)
    goal = _Goal(here=here, call=call, policy=policy, baseline=baseline)
    done = converge(groups, call.group_id, goal, live=live)
    found = goal.assessed or assess(call, goal.baseline, done.first, policy.directions)
    if is_compared:
        note = f"CloudTrail left out the details of {call.name} by {call.caller.name}; this is what differed then."
        found = replace(found, reason=" ".join(part for part in (note, found.reason) if part))
    if found.is_unguarded:
        logger.info("not guarded", extra={"request_id": call.request_id, "group": call.group_id})
        return
    _finish(
        here,
        call,
        policy,
        groups,
        known,
        goal,
        found,
        done,
        attempt,
        is_compared=is_compared,
    )


def _is_done(entry: LedgerEntry | None) -> bool:
    """True when an earlier delivery has reverted this call: the refusal means that its rules are gone."""
    return entry is not None and not _may_be_open(entry)


def _may_be_open(entry: LedgerEntry) -> bool:
    """True when rules that the call made may be in force by the ids that it gave them."""
    return entry.outcome in _MAY_BE_OPEN or is_let_through(entry)


def _finish(
    here: Context,
    call: Call,
    policy: Policy,
    groups: SecurityGroups,
    known: Known,
    goal: _Goal,
    found: Assessment,
    done: Converged,
    attempt: Attempt,
    *,
    is_compared: bool,
) -> None:
    """Note what was reverted in the baseline, and publish the request."""
    gone = _is_gone(call, groups, done)
    lost = [] if gone or goal.baseline is None else deleted_references(done.refusals)
    if lost:
        found, done = _without_lost(goal, done, lost)
    approved = goal.baseline or Baseline(region=call.region, group_id=call.group_id)
    denied = denial(policy, facts_of_call(call, found.change), approved.rules)
    status, reason = _status(found, done, lost, denied, gone=gone)
    if status in ("pending", "denied") and attempt.revoked_at is None:
        _measure_exposure(call, context.now())
    request = publishing.request_of(
        _as_shown(call, known),
        group_name=publishing.group_name(groups, call.group_id, goal.baseline),
        change=found.change,
        status=status,
        reason=reason,
        remaining=() if gone else (*found.remaining, *wrong_rules(done.left)),
        operations=operations_made(call, found.change, goal.baseline, done.first, policy.directions),
        approved=goal.baseline.rules if goal.baseline is not None else (),
    )
    request = replace(request, limits=limits_of(approved, found.change))
    request = replace(request, reach=_reach(goal, request, known, attempt))
    if status == "observed" and call.unreadable and attempt.rule_ids:
        # Nobody knows what the rules were, so nobody can be asked about them; but people have to hear of it.
        text = f"The event cannot be read ({call.unreadable}), so its new rules were revoked by their ids: "
        request = replace(request, origin="notice", reason=text + ", ".join(attempt.rule_ids[:_REASONS_SHOWN]))
    logger.info(
        "reverted",
        extra={"request_id": call.request_id, "group": call.group_id, "status": status, "reason": request.reason},
    )
    if status == "unreverted":
        count("Unreverted", account=call.account)
    problem = known.unread
    if known.damaged:
        _report_damage(here, call, known)
    kept = None
    if not gone and goal.baseline is not None:
        kept, failure = _keep(here, call, goal.baseline, done, request, lost, is_compared=is_compared)
        problem = failure or problem
    if known.entry is not None:
        publishing.publish_again(here, known.entry)
    else:
        publishing.publish_request(here, request)
    problem = _keep_ids(here, call, kept, done) or problem
    if (done.has_removed or attempt.rule_ids) and goal.baseline is not None:
        drift.restore_waiting(here, groups, goal.baseline)
    if problem is not None:
        raise problem


def _reach(goal: _Goal, request: Request, known: Known, attempt: Attempt) -> Reach | None:
    """Look up what a question's change reaches; not known where an earlier delivery may have published it already."""
    reverted_at = attempt.revoked_at or goal.written_at
    if request.status != "pending" or reverted_at is None or known.entry is not None:
        return None
    approved = () if goal.baseline is None else goal.baseline.rules
    in_force = reverted_at - goal.call.event_time
    return reach_of(goal.here, request.group_id, request.change, approved, in_force=in_force)


def _as_shown(call: Call, known: Known) -> Call:
    """Return a removal that could not be measured with another id: delivered again, it is asked about with its own."""
    is_measured = known.unread is None or call.kind != "remove"
    return call if is_measured else replace(call, request_id=f"{call.request_id}-unread")


def _without_lost(goal: _Goal, done: Converged, lost: list[Rule]) -> tuple[Assessment, Converged]:
    """Measure a call against what is approved without rules that can never be restored.

    They are not approved any more; measured against the rest, an edit of one is an addition.
    """
    assert goal.baseline is not None  # noqa: S101 - only approved rules are restored
    goal.baseline = accept_change(goal.baseline, make_change(removed=lost), done.live, context.now())
    found = assess(goal.call, goal.baseline, done.first, goal.policy.directions)
    others = tuple(one for one in done.refusals if one.rule not in lost)
    return found, replace(done, left=_without_rules(done.left, lost), refusals=others)


def _without_rules(change: Change, rules: list[Rule]) -> Change:
    gone = {rule.identity for rule in rules}
    return make_change(
        added=(rule for rule in change.added if rule.identity not in gone),
        removed=change.removed,
        modified=(edit for edit in change.modified if edit.after.identity not in gone),
    )


def _is_gone(call: Call, groups: SecurityGroups, done: Converged) -> bool:
    """True when the group has been deleted; the same error code may speak of a group that a rule refers to."""
    looks_gone = any(one.code in GROUP_GONE for one in done.refusals)
    if not looks_gone and len(done.live):
        return False
    try:
        return groups.group(call.group_id) is None
    except Ec2Error as error:
        if error.is_temporary:
            raise
        return False


def _status(found: Assessment, done: Converged, lost: list[Rule], denied: str, *, gone: bool) -> tuple[Status, str]:
    if gone:
        return "observed", _GONE
    notes = [found.reason] if found.reason else []
    notes += [f"The rule {rule.identity} {_NO_SUCH_GROUP}." for rule in lost]
    if found.is_unknown or not done.left.is_empty or done.refusals:
        notes += dict.fromkeys(f"{one.rule.identity if one.rule else ''}: {one}" for one in done.refusals)
        return "unreverted", "; ".join(notes[:_REASONS_SHOWN]) or _NOT_CHANGED
    if denied:
        return "denied", denied
    return "observed" if found.change.is_empty else "pending", "; ".join(notes[:_REASONS_SHOWN])


def _publish_unreadable(here: Context, call: Call, known: Known, refusal: Refusal) -> None:
    """Publish what the event says when EC2 refuses to show the group: nobody can check it."""
    rules = call.resulting if call.resulting is not None else call.requested
    change = make_change(added=rules) if call.kind == "add" else make_change()
    change = make_change(removed=rules) if call.kind == "remove" else change
    count("Unreverted", account=call.account)
    request = publishing.request_of(
        call,
        group_name=known.baseline.group_name if known.baseline is not None else "",
        change=change,
        status="unreverted",
        reason=str(refusal),
        remaining=wrong_rules(make_change(removed=change.added, added=change.removed)),
        approved=known.baseline.rules if known.baseline is not None else (),
    )
    publishing.publish_request(here, request)
    if known.unread is not None:
        raise known.unread


def _report_damage(here: Context, call: Call, known: Known) -> None:
    publishing.notice(
        here,
        "StateDamaged",
        "What this account stores about its approved rules cannot be read, so the change was reverted by what its "
        f"event says: {'; '.join(known.damaged)}. See the runbook, 'The state is damaged'.",
        at=call.event_time,
        key=call.request_id,
        group_id=call.group_id,
    )


def _keep(
    here: Context,
    call: Call,
    baseline: Baseline,
    done: Converged,
    request: Request,
    lost: list[Rule],
    *,
    is_compared: bool,
) -> tuple[Baseline | None, Exception | None]:
    """Write what the call changed in the baseline; return it as it is stored, and what kept it from being written.

    The ids that its rules have by now come after the ledger (:func:`_keep_ids`): where that fails, the event is
    delivered again and has to find the ids it speaks of, or it would become another request.
    """
    waiting = {}
    if request.status == "unreverted":
        waiting = dict.fromkeys(differences(_as_seen(done.left)), request.request_id)
    if is_compared:
        removed = (one.rule_id for one in request.change.added)
        waiting |= {f"{REVERTED_BY_COMPARISON}{rule_id}": request.request_id for rule_id in removed if rule_id}
    waiting |= dict.fromkeys(keys_of_put_back(request, baseline.rules), request.request_id)

    def kept(stored: Baseline | None) -> Baseline:
        before = baseline if stored is None else with_unread(stored, baseline.doubt.unread_since)
        known = without_unapproved(before, call, done.live)
        if lost:
            known = accept_change(known, make_change(removed=lost), done.live, done.read_at)
        new = tuple(Difference(key=key, since=done.read_at, request_id=one) for key, one in waiting.items())
        others = tuple(one for one in known.differences if one.key not in waiting)
        return replace(known, differences=(*others, *new))

    return _update(here, call, kept, known=baseline if baseline.version else None)


def _keep_ids(here: Context, call: Call, stored: Baseline | None, done: Converged) -> Exception | None:
    """Write the ids that approved rules have since this revert; return what kept them from being written."""
    if stored is None or with_ids_seen(stored, done.live) == stored:
        return None

    def seen(now: Baseline | None) -> Baseline | None:
        return None if now is None else with_ids_seen(now, done.live)

    return _update(here, call, seen, known=stored)[1]


def _update(
    here: Context, call: Call, change: Callable[[Baseline | None], Baseline | None], *, known: Baseline | None
) -> tuple[Baseline | None, Exception | None]:
    try:
        return here.table.update(call.group_id, change, known=known), None
    except STATE_ERRORS as error:
        count("StateNotWritten")
        logger.exception("baseline not written", extra={"request_id": call.request_id, "group": call.group_id})
        return None, error


def _as_seen(left: Change) -> Change:
    """Return what is left to undo as the difference that a snapshot sees of it."""
    return make_change(
        added=left.removed,
        removed=left.added,
        modified=(replace(edit, before=edit.after, after=edit.before) for edit in left.modified),
    )


def _measure_exposure(call: Call, revoked_at: datetime) -> None:
    seconds("ExposureSeconds", max(0.0, (revoked_at - call.event_time).total_seconds()), call=call.name)
