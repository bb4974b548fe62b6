"""Carries out what an approver saw: exactly that, once, and never by halves.

Nothing is applied that this account's own ledger does not say it took back, with the digest the approver clicked. The
intent is written before the first call that opens anything; so a message that arrives again after our own success is
known for what it is, and a rule that was already there is told as the error it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.domain.change import Change
from shared.domain.rule import Rule
from shared.telemetry import count, logger
from shared.wire.messages import (
    ERROR_HANDLER,
    SECURITY_GROUP_CHANGE,
    AppliedMessage,
    ApplyMessage,
    ErrorMessage,
    MessageError,
    read_message,
)

from . import context
from .assessment.conflicts import Obstacle, is_in_force, obstacle, way_back, what_is_left, with_approved
from .ec2.execution import carry_out, replacing, take_back
from .ec2.plan import make_plan
from .ec2.security_groups import Ec2Error, SecurityGroups
from .state.items import LedgerEntry
from .state.table import RaceLostError, StateTable

_LOOKS: Final = 4
_PAUSE_SECONDS: Final = 0.5
"""Between two looks at a group: what EC2 answers is eventually consistent."""
_APPLICABLE: Final = frozenset({"reverted", "applying", "error"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where this function runs, as its topic says: account and region."""

    account: str
    region: str


def on_approval(text: str, place: Place) -> None:
    """Handle one message of the topic ``applySecurityGroupChange``.

    Args:
        text: the message's body.
        place: account and region of the topic.

    Raises:
        MessageError: when it is no approval.
        Ec2Error: when EC2 could not be asked; the message is delivered again.
    """
    message = read_message(text)
    if not isinstance(message, ApplyMessage):
        raise MessageError("message.type", "only 'apply' is understood on this topic")
    table = StateTable(place.region)
    entry = table.entry(message.request_id)
    refusal = _refusal(entry, message)
    if entry is None or refusal is not None:
        _tell_error(message, place, refusal or Obstacle(code="UnknownRequest", reason="unknown"))
        return
    log = {"request_id": message.request_id, "group": entry.request.group_id, "approver": message.approver_id}
    logger.info("approved change received", extra={**log, "outcome": entry.outcome, "attempts": entry.attempts})
    if entry.outcome == "applied":
        _tell_applied(entry)
        return
    failure = _apply(entry, table, SecurityGroups(entry.request.region, entry.request.account))
    if failure is None:
        _tell_applied(entry)
    else:
        _tell_error(message, Place(account=entry.request.account, region=entry.request.region), failure)


def _refusal(entry: LedgerEntry | None, message: ApplyMessage) -> Obstacle | None:
    if entry is None:
        reason = "This account has no such request in its ledger; it applies only what it took back itself."
        return Obstacle(code="UnknownRequest", reason=reason)
    if entry.request.digest != message.digest:
        reason = "The approved digest is not the one of the change this account took back."
        return Obstacle(code="DigestMismatch", reason=reason)
    if entry.outcome not in _APPLICABLE and entry.outcome != "applied":
        reason = f"The request is '{entry.outcome}' here; there is nothing to apply."
        return Obstacle(code="NotApplicable", reason=reason)
    return None


def _apply(entry: LedgerEntry, table: StateTable, groups: SecurityGroups) -> Obstacle | None:
    """Apply what is left of the change; return what stood in the way, or ``None``."""
    try:
        return _try_to_apply(entry, table, groups)
    except Ec2Error as error:
        if error.is_transient:
            raise
        # EC2 refused to show the group, or to take back what was done of a change that failed.
        return _failed(table.entry(entry.request.request_id) or entry, table, _obstacle_of(error))


def _try_to_apply(entry: LedgerEntry, table: StateTable, groups: SecurityGroups) -> Obstacle | None:
    change, group_id = entry.request.change, entry.request.group_id
    before = groups.rules(group_id)
    if not before and groups.group(group_id) is None:
        gone = Obstacle(code="InvalidGroup.NotFound", reason=f"The security group {group_id} no longer exists.")
        return _failed(entry, table, gone)
    is_begun = entry.outcome == "applying"
    left = what_is_left(change, before) if is_begun else change
    in_the_way = obstacle(left, before)
    if in_the_way is not None:
        if is_begun:
            _undo_all(groups, group_id, change, before)
        return _failed(entry, table, in_the_way)
    begun = table.move_entry(entry, "applying")
    if begun is None:
        raise RaceLostError(f"Request {entry.request.request_id} is being applied by another invocation.")
    failure = Obstacle(code="NotInForce", reason="EC2 reported success, but the group did not change.")
    try:
        carry_out(groups, group_id, make_plan(what_is_left(left, before)))
        live = _settled(groups, group_id, change)
    except Ec2Error as error:
        failure = _obstacle_of(error)
        live = groups.rules(group_id)
        if error.is_transient and not is_in_force(change, live):
            _undo_all(groups, group_id, change, live)
            raise
    if not is_in_force(change, live):
        _undo_all(groups, group_id, change, live)
        return _failed(begun, table, failure)
    _bless(change, live, group_id, table)
    if not is_in_force(change, groups.rules(group_id)):
        # Somebody who did not see it in the baseline yet has just taken it back; the next delivery applies it again.
        raise RaceLostError(f"Request {entry.request.request_id} was applied and taken back at the same time.")
    table.move_entry(begun, "applied")
    count("Applied", account=entry.request.account)
    return None


def _bless(change: Change, live: tuple[Rule, ...], group_id: str, table: StateTable) -> None:
    moment = context.now()
    table.update(group_id, lambda known: known and with_approved(known, change, live, moment))


def _undo_all(groups: SecurityGroups, group_id: str, change: Change, live: tuple[Rule, ...]) -> None:
    """Take back whatever is in force of a change that failed: nothing is applied by halves.

    Raises:
        Ec2Error: when EC2 refuses that too; of a refusal that may pass, the next delivery tries again.
    """
    failures = take_back(groups, group_id, make_plan(way_back(change, live)))
    if failures:
        worst = min(failures, key=lambda failure: not failure.error.is_transient).error
        reason = f"{worst.reason} (taking back what had been applied of a change that failed)"
        raise Ec2Error(worst.code, reason, is_transient=worst.is_transient)


def _obstacle_of(error: Ec2Error) -> Obstacle:
    return Obstacle(code=error.code, reason=error.reason)


def _settled(groups: SecurityGroups, group_id: str, change: Change) -> tuple[Rule, ...]:
    """Read back until the change is in force; an edit that EC2 took without effect is made by replacing the rule."""
    live = groups.rules(group_id)
    for look in range(1, _LOOKS):
        left = what_is_left(change, live)
        if left.is_empty:
            break
        context.pause(_PAUSE_SECONDS)
        live = groups.rules(group_id)
        if look > 1 and left.modified and what_is_left(change, live) == left:
            carry_out(groups, group_id, replacing(left.modified))
            live = groups.rules(group_id)
    return live


def _failed(entry: LedgerEntry, table: StateTable, found: Obstacle) -> Obstacle:
    if entry.outcome != "error":
        table.move_entry(entry, "error", note=found.code)
    return found


def _tell_applied(entry: LedgerEntry) -> None:
    request = entry.request
    message = AppliedMessage(
        request_id=request.request_id,
        digest=request.digest,
        account=request.account,
        region=request.region,
        applied_at=context.now(),
    )
    context.tell_central(SECURITY_GROUP_CHANGE, message, "Security group change: applied")
    logger.info("applied", extra={"request_id": request.request_id, "group": request.group_id})


def _tell_error(message: ApplyMessage, place: Place, found: Obstacle) -> None:
    error = ErrorMessage(
        request_id=message.request_id,
        digest=message.digest,
        account=place.account,
        region=place.region,
        code=found.code,
        reason=found.reason or found.code,
        failed_at=context.now(),
    )
    context.tell_central(ERROR_HANDLER, error, "Security group change: error")
    count("ApplyErrors", code=found.code)
    logger.warning("not applied", extra={"request_id": message.request_id, "code": found.code, "reason": found.reason})
