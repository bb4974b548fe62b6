"""Applies what an approver saw: exactly that, once, and never a part of it.

Nothing is applied that this account's own ledger does not say it reverted, with the digest the approver clicked. The
intent is written before the first call that opens anything; so a message that arrives again after our own success is
recognised, and a rule that was already there is reported as the error it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from shared.domain.change import Change
from shared.domain.request import Approver, Request
from shared.policy.loading import load_policies
from shared.telemetry import count, logger
from shared.wire.messages import (
    ERROR_HANDLER,
    SECURITY_GROUP_CHANGE,
    AppliedMessage,
    ApplyBatchMessage,
    ApplyMessage,
    ErrorMessage,
)

from . import context
from .assessment.approvals import refusal_of_approvals
from .assessment.conflicts import conflict, rollback, what_is_left
from .assessment.put_back import PUT_BACK, has_overtaken, notes_about
from .context import Context
from .converge import State, converge
from .ec2.refusal import NOT_IN_FORCE, Ec2Error, Refusal
from .ec2.security_groups import SecurityGroups
from .reaching import changed_lists, lists_of
from .rule_set import RuleSet
from .state.baseline import Baseline, with_tags_seen
from .state.items import LedgerEntry
from .state.limits import accept_approved, has_room
from .state.table import RaceLostError
from .state.timed import Timed

_APPLICABLE: Final = frozenset({"reverted", "applying", "error"})
DONE: Final = frozenset({"applied", "ended"})
"""Nothing is applied again; what held for a time does not begin again."""


def apply_request(here: Context, message: ApplyMessage) -> None:
    """Apply one approved request, and report it.

    Raises:
        Ec2Error: when EC2 could not be asked; the message is delivered again.
    """
    entry = here.table.entry(message.request_id)
    refusal = _refusal(entry, message)
    if entry is None or refusal is not None:
        report_error(
            here, message.request_id, message.digest, refusal or Refusal(code="UnknownRequest", reason="unknown")
        )
        return
    log = {"request_id": message.request_id, "group": entry.request.group_id, "approver": message.approver_id}
    logger.info("approved change received", extra={**log, "outcome": entry.outcome, "attempts": entry.attempts})
    if entry.outcome in DONE:
        report_applied(entry)
        return
    timed = timed_by(entry.request.change, message.valid_until, message.request_id, (message.request_id,))
    refusal = _refusal_of_approval(here, entry, message)
    if refusal is None:
        failure = _apply(here, entry, here.groups(), timed)
    else:
        failure = _leave(here, entry, here.groups(), refusal)
    if failure is None:
        report_applied(entry)
    else:
        report_error(here, message.request_id, message.digest, failure)


def _refusal(entry: LedgerEntry | None, message: ApplyMessage) -> Refusal | None:
    """Return why the message opens nothing, whoever sent it."""
    if entry is None:
        reason = "This account has no such request in its ledger; it applies only what it reverted itself."
        return Refusal(code="UnknownRequest", reason=reason)
    if entry.request.digest != message.digest:
        reason = "The approved digest is not the one of the change this account reverted."
        return Refusal(code="DigestMismatch", reason=reason)
    if entry.outcome not in _APPLICABLE | DONE:
        reason = f"The request is '{entry.outcome}' here; there is nothing to apply."
        return Refusal(code="NotApplicable", reason=reason)
    return None


def _refusal_of_approval(here: Context, entry: LedgerEntry, message: ApplyMessage) -> Refusal | None:
    """Return why the approvals do not open what they are about, by now."""
    by_policy = refusal_by_policy(here, entry, message.approvals or (_last_approver(message),), message)
    return by_policy or (_overtaken(here, entry.request) if entry.outcome == "reverted" else None)


def _overtaken(here: Context, request: Request) -> Refusal | None:
    """Return which later call of the requester has put back a rule that a request removes, or ``None``."""
    baseline = here.table.baseline(request.group_id) if request.change.removed else None
    for note in notes_about(request, baseline.differences if baseline is not None else ()):
        later = here.table.entry(note.request_id)
        if later is not None and has_overtaken(later.request, request):
            reason = (
                f"Its requester has put back {note.key.removeprefix(PUT_BACK)} since (request {note.request_id}), so "
                "removing it is no longer what they want."
            )
            return Refusal(code="Superseded", reason=reason)
    return None


def refusal_by_policy(
    here: Context, entry: LedgerEntry, approvals: Sequence[Approver], message: ApplyMessage | ApplyBatchMessage
) -> Refusal | None:
    """Return why this account's own policy does not take these approvals for a request, or ``None``."""
    policy = load_policies().for_account(here.account)
    baseline = here.table.baseline(entry.request.group_id) if policy.rules else None
    return refusal_of_approvals(
        policy,
        entry.request,
        approvals,
        approved_at=message.approved_at,
        valid_until=message.valid_until,
        approved=entry.request.approved if baseline is None else baseline.rules,
        now=context.now(),
    )


def _last_approver(message: ApplyMessage) -> Approver:
    """Return the one approver that a message of an older central account names."""
    return Approver(by=message.approver_id, by_name=message.approver_name, at=message.approved_at)


def timed_by(change: Change, valid_until: datetime | None, key: str, requests: tuple[str, ...]) -> Timed | None:
    """Return until when a change is to hold; ``None``: for good, as everything that only removes.

    Args:
        change: what is applied.
        valid_until: as it was approved.
        key: the request or the batch.
        requests: the requests that end with it.
    """
    if valid_until is None or not (change.added or change.modified):
        return None
    return Timed(key=key, until=valid_until, requests=requests)


def no_room_for(here: Context, group_id: str, timed: Timed | None) -> Refusal | None:
    """Return why a group cannot hold one more change for a time, or ``None``."""
    baseline = here.table.baseline(group_id) if timed is not None else None
    if timed is None or baseline is None or has_room(baseline, timed):
        return None
    reason = "Too many changes of this group are approved for a time already."
    return Refusal(code="NotApplicable", reason=reason)


def _leave(here: Context, entry: LedgerEntry, groups: SecurityGroups, refusal: Refusal) -> Refusal | None:
    """Leave a refused change as it is; of one that an earlier run had begun, no part stays.

    Returns:
        The refusal; ``None`` where the earlier run had applied all of it, and only had not said so.

    Raises:
        Ec2Error: when it cannot be undone now; the message is delivered again.
    """
    if entry.outcome != "applying":
        return refusal
    group_id, change = entry.request.group_id, entry.request.change
    baseline = here.table.baseline(group_id)
    is_accepted = baseline is not None and what_is_left(change, RuleSet(baseline.rules)).is_empty
    if is_accepted or is_timed(baseline, entry.request.request_id):
        here.table.move_entry(entry, "applied")
        return None
    return _failed(here, entry, undo_begun(groups, group_id, change, refusal))


def is_timed(baseline: Baseline | None, key: str) -> bool:
    """Say whether the time of a request or batch has begun: the baseline took it, and its end is told by a snapshot."""
    return baseline is not None and any(one.key == key for one in baseline.timed)


def undo_begun(groups: SecurityGroups, group_id: str, change: Change, refusal: Refusal) -> Refusal:
    """Undo what an earlier run had begun of a change that is refused now; return why it is not applied.

    Raises:
        Ec2Error: of what may pass; the message is delivered again.
    """
    try:
        roll_back(groups, group_id, change)
    except Ec2Error as error:
        if error.is_temporary:
            raise
        return error.refusal
    return refusal


def _apply(here: Context, entry: LedgerEntry, groups: SecurityGroups, timed: Timed | None) -> Refusal | None:
    """Apply what is left of the change; return what kept it from being applied, or ``None``."""
    try:
        return _try_to_apply(here, entry, groups, timed)
    except Ec2Error as error:
        if error.is_temporary:
            raise
        # EC2 refused to show the group, or to undo what was done of a change that failed.
        return _failed(here, here.table.entry(entry.request.request_id) or entry, error.refusal)


def _try_to_apply(here: Context, entry: LedgerEntry, groups: SecurityGroups, timed: Timed | None) -> Refusal | None:
    change, group_id = entry.request.change, entry.request.group_id
    before = groups.rules(group_id)
    if not len(before) and groups.group(group_id) is None:
        reason = f"The security group {group_id} no longer exists."
        return _failed(here, entry, Refusal(code="InvalidGroup.NotFound", reason=reason))
    is_begun = entry.outcome == "applying"
    found = conflict(what_is_left(change, before) if is_begun else change, before)
    if found is not None:
        if is_begun:
            roll_back(groups, group_id, change)
        return _failed(here, entry, found)
    full = no_room_for(here, group_id, timed) or (None if is_begun else changed_lists(here, lists_of(entry.request)))
    if full is not None:
        return _failed(here, entry, full)
    until = None if timed is None else timed.until
    begun = here.table.move_entry(entry, "applying", valid_until=until)
    if begun is None:
        raise RaceLostError(f"Request {entry.request.request_id} is being applied by another invocation.")
    done = converge(groups, group_id, State(lambda live: what_is_left(change, live)), live=before, per_rule=False)
    if not done.left.is_empty:
        failure = next(iter(done.refusals), NOT_IN_FORCE)
        roll_back(groups, group_id, change)
        if failure.is_temporary:
            raise Ec2Error(failure)
        return _failed(here, begun, failure)
    accept_applied(here, change, done.live, group_id, timed)
    if not what_is_left(change, groups.rules(group_id)).is_empty:
        # An event handler that did not see it in the baseline yet has just reverted it; the next delivery applies it.
        raise RaceLostError(f"Request {entry.request.request_id} was applied and reverted at the same time.")
    here.table.move_entry(begun, "applied")
    count("Applied", account=entry.request.account)
    return None


def accept_applied(here: Context, change: Change, live: RuleSet, group_id: str, timed: Timed | None = None) -> None:
    """Make what was applied part of the group's baseline, for good or for a time."""
    moment = context.now()
    # Before a region is adopted there may be no baseline, but a time has to be remembered.
    blank = None if timed is None else Baseline(region=here.region, group_id=group_id)

    def accepted(known: Baseline | None) -> Baseline | None:
        known = known or blank
        return known and with_tags_seen(accept_approved(known, change, live, moment, timed), live)

    here.table.update(group_id, accepted)


def roll_back(groups: SecurityGroups, group_id: str, change: Change) -> None:
    """Undo whatever is in force of a change that failed: no part of it stays.

    Raises:
        Ec2Error: when EC2 refuses that too; of a refusal that may pass, the next delivery tries again.
    """
    done = converge(groups, group_id, State(lambda live: rollback(change, live)))
    if done.refusals:
        worst = min(done.refusals, key=lambda one: not one.is_temporary)
        reason = f"{worst.reason} (undoing what had been applied of a change that failed)"
        raise Ec2Error(Refusal(code=worst.code, reason=reason, is_temporary=worst.is_temporary))


def _failed(here: Context, entry: LedgerEntry, found: Refusal) -> Refusal:
    if entry.outcome != "error":
        here.table.move_entry(entry, "error", note=found.code)
    return found


def report_applied(entry: LedgerEntry) -> None:
    """Tell the central account that a request is in force."""
    request = entry.request
    message = AppliedMessage(
        request_id=request.request_id,
        digest=request.digest,
        account=request.account,
        region=request.region,
        applied_at=context.now(),
    )
    context.publish(SECURITY_GROUP_CHANGE, message, "Security group change: applied")
    logger.info("applied", extra={"request_id": request.request_id, "group": request.group_id})


def report_error(here: Context, request_id: str, digest: str, found: Refusal) -> None:
    """Tell the central account why a request could not be applied."""
    error = ErrorMessage(
        request_id=request_id,
        digest=digest,
        account=here.account or "unknown",
        region=here.region,
        code=found.code,
        reason=found.reason or found.code,
        failed_at=context.now(),
    )
    context.publish(ERROR_HANDLER, error, "Security group change: error")
    count("ApplyErrors", code=found.code)
    logger.warning("not applied", extra={"request_id": request_id, "code": found.code, "reason": found.reason})
