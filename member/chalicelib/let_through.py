"""Calls that need 0 approvals: they stay, become part of the baseline, and are published as ``applied`` by policy.

Where they hold for a time only (``max_hours``), that time begins here. What was decided is written to the ledger before
the baseline: a redelivered event finishes what it finds there, and begins nothing again.

What does not belong here: what the entries say (``risk``), how a time ends (``ending``).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from shared.domain.change import make_change
from shared.telemetry import count, logger

from . import context, publishing
from .acceptance import restore
from .assessment.assess import Assessment, assess
from .assessment.conflicts import what_is_left
from .assessment.operations import operations_made
from .assessment.put_back import keys_of_put_back
from .converge import State, converge
from .ec2.refusal import Ec2Error
from .group_state import baseline_of
from .risk import let_through, needs_nothing
from .state.baseline import Baseline, Difference, accept_call, with_tags_seen
from .state.items import LedgerEntry, TooLargeError, baseline_to_item
from .state.limits import begin, has_room, is_asked, limits_of
from .state.register import CREATED, EDITED, moment
from .state.timed import Timed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.domain.change import Change
    from shared.domain.policy import Policy
    from shared.domain.request import Request
    from shared.domain.rule import Rule

    from .cloudtrail.call import Call
    from .context import Context
    from .ec2.security_groups import SecurityGroups
    from .rule_set import RuleSet
    from .state.table import Known


def is_let_through(entry: LedgerEntry) -> bool:
    """True for a request that policy let through and whose time is not over."""
    return entry.request.status == "applied" and entry.outcome in ("applying", "applied")


def let_through_call(here: Context, call: Call, policy: Policy, groups: SecurityGroups) -> bool:
    """Let a call through if it needs 0 approvals, now that the approved rules are known too.

    Args:
        here: this invocation.
        call: the recorded call with its rules.
        policy: of the account.
        groups: the account's groups.

    Returns:
        False when it has to be reverted and asked; nothing was done then.

    Raises:
        Exception: when the state could not be read or written; the event is delivered again.
    """
    known = here.table.read(call.request_id, call.group_id)
    if known.unread is not None:
        raise known.unread
    if known.entry is None:
        return _decide(here, call, policy, groups, known)
    if known.entry.request.status != "applied":
        return False  # it was decided otherwise
    if not _is_whole(here, known.entry):
        return _decide(here, call, policy, groups, known)
    finish_let_through(here, call, groups, known.entry)
    return True


def _decide(here: Context, call: Call, policy: Policy, groups: SecurityGroups, known: Known) -> bool:
    try:
        live = groups.rules(call.group_id)
        state = baseline_of(here, known, groups, call.group_id, live, call.only_rule_id)
    except Ec2Error as error:
        if error.is_temporary:
            raise
        return False
    if not state.is_ours:
        return True
    if state.baseline is None:
        return False
    assessed = assess(call, state.baseline, live, policy.directions)
    if not _may_stay(policy, call, state.baseline, assessed):
        return False
    request, until = _request(call, policy, groups, state.baseline, assessed, live, known.entry)
    if request.status == "observed":
        _accept(here, call, state.baseline, live, [LedgerEntry(request=request, outcome="observed")])
        publishing.publish_request(here, request)
        return True
    if not _fits(call, state.baseline, live, LedgerEntry(request=request, outcome="applying", valid_until=until)):
        return False
    entries, problem = publishing.add_entries(here, request, "applying", until)
    if problem is not None:
        raise problem
    _finish(here, call, groups, state.baseline, live, entries)
    return True


def finish_let_through(here: Context, call: Call, groups: SecurityGroups, entry: LedgerEntry) -> None:
    """Finish what an earlier run decided, and publish it again; what has ended since does not begin again."""
    if entry.outcome != "applying":
        publishing.publish_again(here, entry)
        return
    known = here.table.read(call.request_id, call.group_id)
    if known.unread is not None:
        raise known.unread
    live = groups.rules(call.group_id)
    baseline = baseline_of(here, known, groups, call.group_id, live, call.only_rule_id).baseline
    if baseline is None:
        raise RuntimeError(f"The baseline of {call.group_id} cannot be read, so {call.request_id} is not finished.")
    _finish(here, call, groups, baseline, live, publishing.parts_of(here, entry))


def _is_whole(here: Context, entry: LedgerEntry) -> bool:
    """True unless an earlier run crashed before it had written all parts; the baseline was not touched then."""
    return entry.outcome != "applying" or len(publishing.parts_of(here, entry)) == max(entry.parts, 1)


def _may_stay(policy: Policy, call: Call, baseline: Baseline, assessed: Assessment) -> bool:
    change = assessed.change
    if assessed.is_unknown or assessed.is_unguarded or not needs_nothing(policy, call, change, baseline.rules):
        return False
    is_edit = call.kind not in ("add", "remove")
    if is_edit and (change.added or change.removed or assessed.reason):
        return False  # the old values are not known, or not approved
    return not is_asked(baseline, _opened(change, with_former=True), context.now())


def _opened(change: Change, *, with_former: bool = False) -> tuple[Rule, ...]:
    former = (edit.before for edit in change.modified if with_former)
    return (*change.added, *(edit.after for edit in change.modified), *former)


def _request(
    call: Call,
    policy: Policy,
    groups: SecurityGroups,
    baseline: Baseline,
    assessed: Assessment,
    live: RuleSet,
    entry: LedgerEntry | None,
) -> tuple[Request, datetime | None]:
    """Return the request that shows the call, and until when it holds; one that changed nothing is observed.

    It has its operations: they may cancel what others of its requester ask for.
    """
    change = assessed.change
    request = publishing.request_of(
        call,
        group_name=publishing.group_name(groups, call.group_id, baseline),
        change=change,
        status="observed" if change.is_empty else "applied",
        reason=assessed.reason,
        operations=operations_made(call, change, baseline, live, policy.directions),
        approved=baseline.rules,
    )
    if change.is_empty:
        return request, None
    found = let_through(policy, call, change, baseline.rules)
    until = None if found.lasts is None else (context.now() + found.lasts).replace(microsecond=0)
    until = until if entry is None else entry.valid_until
    reason = found.why if until is None else f"{found.why}. It is reverted at {until:%Y-%m-%d %H:%M} UTC."
    limits = limits_of(baseline, change)
    if until is not None:
        limits = tuple(sorted({rule.identity: until for rule in _opened(change)}.items()))
    return replace(request, reason=reason, limits=limits), until


def _fits(call: Call, baseline: Baseline, live: RuleSet, entry: LedgerEntry) -> bool:
    timed = _timed(entry)
    if timed is not None and not has_room(baseline, timed):
        return False
    try:
        baseline_to_item(_accepted(baseline, call, live, [entry]))
    except TooLargeError:
        return False
    return True


def _finish(
    here: Context,
    call: Call,
    groups: SecurityGroups,
    baseline: Baseline,
    live: RuleSet,
    entries: list[LedgerEntry],
) -> None:
    saved = _accept(here, call, baseline, live, entries)
    restore(here, call, saved, groups)
    _describe_again(groups, call, live, entries)
    for entry in entries:
        moved = here.table.move_entry(entry, "applied") if entry.outcome == "applying" else entry
        publishing.publish_entry(moved or entry)
        until = "" if entry.valid_until is None else entry.valid_until.isoformat()
        log = {"request_id": entry.request.request_id, "group": call.group_id, "until": until}
        logger.info("let through", extra={**log, "reason": entry.request.reason})
    count("LetThrough", account=call.account)


def _describe_again(groups: SecurityGroups, call: Call, live: RuleSet, entries: list[LedgerEntry]) -> None:
    """Describe approved rules as an addition did, where the revert of their removal has just described them as before.

    That is so where the same caller removed them to add them again, and the removal was heard first.
    """
    if call.kind != "add":
        return
    described = [
        edit
        for entry in entries
        for edit in entry.request.change.modified
        if (now := live.like(edit.after)) is not None and now.description == edit.before.description
    ]
    wanted = make_change(modified=described)
    if described:
        converge(groups, call.group_id, State(lambda now: what_is_left(wanted, now)), live=live)


def _accept(
    here: Context, call: Call, baseline: Baseline, live: RuleSet, entries: list[LedgerEntry]
) -> Baseline | None:
    return here.table.update(
        call.group_id,
        lambda stored: _accepted(stored or baseline, call, live, entries),
        known=baseline if baseline.version else None,
    )


def _accepted(baseline: Baseline, call: Call, live: RuleSet, entries: list[LedgerEntry]) -> Baseline:
    notes = {key: one.request for one in entries for key in keys_of_put_back(one.request, baseline.rules)}
    accepted = _noted(with_tags_seen(accept_call(baseline, call, live), live), notes)
    at = moment(call.event_time, CREATED if call.kind == "add" else EDITED)
    for entry in entries:
        timed = _timed(entry)
        if timed is not None:
            accepted = begin(accepted, entry.request.change, live, at, timed)
    return accepted


def _noted(baseline: Baseline, notes: Mapping[str, Request]) -> Baseline:
    """Return the baseline with notes of the rules that a call has put back: no older removal of them is applied."""
    others = tuple(one for one in baseline.differences if one.key not in notes)
    new = (Difference(key=key, since=one.event_time, request_id=one.request_id) for key, one in notes.items())
    return replace(baseline, differences=(*others, *new)) if notes else baseline


def _timed(entry: LedgerEntry) -> Timed | None:
    if entry.valid_until is None:
        return None
    request_id = entry.request.request_id
    opened = _opened(entry.request.change)
    return Timed(key=request_id, until=entry.valid_until, requests=(request_id,), let_through=opened)
