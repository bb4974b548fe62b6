"""Applies the net change of a batch: in each group all of it, once, or nothing; one group does not stop the others.

The message carries ids and digests. The net change is composed from this account's own ledger, and has to have the
digest that the approvers clicked. It is applied where this account's baseline, too, comes to the same.

As for a single request, the intent is written before the first call that opens anything, and who finds it continues.
Requests that ask nothing by now (superseded, or observed in the first place) are composed, but not reported.

What does not belong here: how calls are composed (``shared.domain.composition``), and single requests (``apply``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared.domain.change import Change
from shared.domain.composition import Composition
from shared.domain.net_change import approved_of, composition_of, compositions, digest_of
from shared.domain.rule import Rule
from shared.telemetry import count, logger
from shared.wire.messages import ApplyBatchMessage

from .apply import (
    DONE,
    accept_applied,
    is_timed,
    no_room_for,
    refusal_by_policy,
    report_applied,
    report_error,
    roll_back,
    timed_by,
    undo_begun,
)
from .assessment.batches import is_accepted, is_as_shown, on_touched_rules, with_approved_tags
from .assessment.conflicts import conflict, what_is_left
from .context import Context
from .converge import State, converge
from .ec2.refusal import NOT_IN_FORCE, Ec2Error, Refusal
from .ec2.security_groups import SecurityGroups
from .reaching import changed_lists, lists_of
from .rule_set import RuleSet
from .state.baseline import Baseline
from .state.items import LedgerEntry
from .state.table import RaceLostError
from .state.timed import Timed

_APPLICABLE: Final = frozenset({"reverted", "applying", "error"})

_UNKNOWN: Final = Refusal(
    code="UnknownRequest",
    reason="This account has no request like one of this batch in its ledger; it applies only what it reverted itself.",
)
_OTHER_REQUEST: Final = Refusal(
    code="DigestMismatch",
    reason="The approved digest of a request of this batch is not the one of the reverted change.",
)
_OTHER_NET_CHANGE: Final = Refusal(
    code="DigestMismatch", reason="The approved digest is not the one of the net change of these requests."
)
_OTHER_BASELINE: Final = Refusal(
    code="BaselineChanged",
    reason="Approved rules that this batch touches have changed since it was shown; make the changes again.",
)
_CHANGED_MEANWHILE: Final = Refusal(
    code="BaselineChanged",
    reason="Approved rules that this batch touches were changed by others while it was applied; they are as approved.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """What a batch does to one group.

    Attributes:
        batch_id: ``batch#…``.
        group_id: ``sg-…``.
        composed: the net change, as it was shown.
        entries: the ledger's entries of all its requests.
    """

    batch_id: str
    group_id: str
    composed: Composition
    entries: tuple[LedgerEntry, ...]

    @property
    def asked(self) -> tuple[LedgerEntry, ...]:
        """The entries that have a part in the net change: their outcome is reported."""
        return tuple(
            one
            for one in self.entries
            if one.request.status == "pending" and not self.composed.contributions[one.request.request_id].is_empty
        )

    @property
    def shown(self) -> tuple[Rule, ...]:
        """The approved rules that were shown."""
        return approved_of(one.request for one in self.entries)


def apply_batch(here: Context, message: ApplyBatchMessage) -> None:
    """Apply an approved batch and report each request.

    Raises:
        Ec2Error: when EC2 could not be asked about a group; the message is delivered again, and continues there.
        Exception: what else kept a group from being applied; the others have been handled.
    """
    stored = here.table.entries(one for one, _ in message.requests)
    entries = {one: stored.get(one) for one, _ in message.requests}
    found = [one for one in entries.values() if one is not None]
    logger.info("approved batch received", extra={"batch": message.batch_id, "requests": len(message.requests)})
    refusal = _refusal(message, entries)
    if refusal is not None:
        for request_id, digest in message.requests:
            entry = entries[request_id]
            if entry is None or entry.request.status == "pending":
                report_error(here, request_id, digest, refusal)
        return
    groups = here.groups()
    trouble: Exception | None = None
    for group_id, composed in compositions(one.request for one in found).items():
        some = tuple(one for one in found if one.request.group_id == group_id)
        group = _Group(batch_id=message.batch_id, group_id=group_id, composed=composed, entries=some)
        try:
            _apply_group(here, group, message, groups)
        except Exception as error:  # noqa: BLE001 - one group's trouble must not keep the others waiting; raised below
            logger.warning("batch not applied in a group", extra={"batch": message.batch_id, "group": group_id})
            trouble = error
    if trouble is not None:
        raise trouble


def _refusal(message: ApplyBatchMessage, entries: Mapping[str, LedgerEntry | None]) -> Refusal | None:
    """Return why the message opens nothing: nobody can tell which of its groups was altered."""
    found = {one.request.request_id: one.request for one in entries.values() if one is not None}
    if len(found) < len(entries):
        return _UNKNOWN
    if any(found[request_id].digest != digest for request_id, digest in message.requests):
        return _OTHER_REQUEST
    composed = {one for group in compositions(found.values()).values() for one in group.request_ids}
    if composed != found.keys() or digest_of(found.values()) != message.digest:
        return _OTHER_NET_CHANGE
    return None


def _apply_group(here: Context, group: _Group, message: ApplyBatchMessage, groups: SecurityGroups) -> None:
    asked = group.asked
    if not any(one.outcome in DONE and one.note == group.batch_id for one in asked):
        ids = tuple(one.request.request_id for one in asked)
        timed = timed_by(group.composed.change, message.valid_until, group.batch_id, ids)
        refused = _refusal_of_group(here, group, message)
        refusal = _leave(here, group, groups, refused) if refused is not None else _apply(here, group, groups, timed)
        if refusal is not None:
            _fail(here, group, refusal)
            return
    # All of it is in force, whatever happened to it since; an earlier run may have crashed while it said so.
    for entry in asked:
        now = here.table.entry(entry.request.request_id) or entry
        if now.outcome in DONE:
            continue
        if here.table.move_entry(now, "applied", note=group.batch_id) is None:
            raise RaceLostError(f"Request {entry.request.request_id} is being applied by another invocation.")
        count("Applied", account=entry.request.account)
    for entry in group.entries:
        if entry.request.request_id in group.composed.superseded and entry.outcome in _APPLICABLE:
            here.table.move_entry(entry, "superseded", note=group.batch_id)
    for entry in asked:
        report_applied(entry)


def _refusal_of_group(here: Context, group: _Group, message: ApplyBatchMessage) -> Refusal | None:
    """Return why an approval opens nothing in a group: what was done to its requests, and this account's policy."""
    for entry in group.asked:
        if entry.outcome not in _APPLICABLE:
            reason = f"Request {entry.request.request_id} is '{entry.outcome}' here; there is nothing to apply."
            return Refusal(code="NotApplicable", reason=reason)
    for entry in group.asked:
        net = replace(entry, request=replace(entry.request, change=group.composed.change))
        for one in (entry, net):
            refusal = refusal_by_policy(here, one, message.approvals, message)
            if refusal is not None:
                return refusal
    return None


def _leave(here: Context, group: _Group, groups: SecurityGroups, refusal: Refusal) -> Refusal | None:
    """Leave a refused group as it is; of what an earlier run had begun, no part stays.

    Returns:
        The refusal; ``None`` where the earlier run had applied all of it, and only had not said so.
    """
    if not any(one.outcome == "applying" and one.note == group.batch_id for one in group.asked):
        return refusal
    baseline = here.table.baseline(group.group_id)
    if is_timed(baseline, group.batch_id) or is_accepted(group.composed, group.shown, _held(group, baseline)):
        return None
    change = with_approved_tags(group.composed.change, () if baseline is None else baseline.rules)
    return undo_begun(groups, group.group_id, change, refusal)


def _fail(here: Context, group: _Group, refusal: Refusal) -> None:
    """Report an error of each request of a group.

    Raises:
        RaceLostError: when another invocation has applied it meanwhile: the next delivery reports that.
    """
    known = [(entry, here.table.entry(entry.request.request_id) or entry) for entry in group.asked]
    if any(now.outcome in DONE and entry.outcome not in DONE for entry, now in known):
        raise RaceLostError(f"Batch {group.batch_id} was applied by another invocation.")
    for entry, now in known:
        if now.outcome in ("reverted", "applying"):
            here.table.move_entry(now, "error", note=refusal.code)
        report_error(here, entry.request.request_id, entry.request.digest, refusal)


# -- in EC2 ------------------------------------------------------------------------------------------------------------


def _apply(here: Context, group: _Group, groups: SecurityGroups, timed: Timed | None) -> Refusal | None:
    """Apply what is left of the net change of a group; return what kept it from being applied, or ``None``."""
    if group.composed.change.is_empty:
        return None
    try:
        return _try_to_apply(here, group, groups, timed)
    except Ec2Error as error:
        if error.is_temporary:
            raise
        return error.refusal  # EC2 refused to show the group, or to undo what was done of a change that failed


def _try_to_apply(here: Context, group: _Group, groups: SecurityGroups, timed: Timed | None) -> Refusal | None:
    live = groups.rules(group.group_id)
    if not len(live) and groups.group(group.group_id) is None:
        reason = f"The security group {group.group_id} no longer exists."
        return Refusal(code="InvalidGroup.NotFound", reason=reason)
    is_begun = any(one.outcome == "applying" for one in group.asked)
    baseline = here.table.baseline(group.group_id)
    held = _held(group, baseline)
    now = composition_of([one.request for one in group.entries], held)
    if not is_as_shown(group.group_id, group.composed, now):
        if not is_begun:
            return _OTHER_BASELINE
        if not is_accepted(group.composed, group.shown, held):
            _restore(groups, group, held)
            return _CHANGED_MEANWHILE
    change = with_approved_tags(group.composed.change, () if baseline is None else baseline.rules)
    found = conflict(what_is_left(change, live) if is_begun else change, live)
    if found is not None:
        if is_begun:
            roll_back(groups, group.group_id, change)
        return found
    lists = [one for entry in group.asked for one in lists_of(entry.request)]
    full = no_room_for(here, group.group_id, timed) or (None if is_begun else changed_lists(here, lists))
    if full is not None:
        return full
    until = None if timed is None else timed.until
    for entry in group.asked:
        if here.table.move_entry(entry, "applying", note=group.batch_id, valid_until=until) is None:
            raise RaceLostError(f"Request {entry.request.request_id} is being applied by another invocation.")
    return _carry_out(here, group, change, groups, live, timed)


def _carry_out(
    here: Context, group: _Group, change: Change, groups: SecurityGroups, before: RuleSet, timed: Timed | None
) -> Refusal | None:
    wanted = State(lambda live: what_is_left(change, live))
    done = converge(groups, group.group_id, wanted, live=before, per_rule=False)
    if not done.left.is_empty:
        failure = next(iter(done.refusals), NOT_IN_FORCE)
        roll_back(groups, group.group_id, change)
        if failure.is_temporary:
            raise Ec2Error(failure)
        return failure
    accept_applied(here, change, done.live, group.group_id, timed)
    if not what_is_left(change, groups.rules(group.group_id)).is_empty:
        # An event handler that did not see it in the baseline yet has just reverted it; the next delivery applies it.
        raise RaceLostError(f"Batch {group.batch_id} was applied and reverted at the same time.")
    return None


def _held(group: _Group, baseline: Baseline | None) -> list[Rule]:
    """Return the rules that are approved now; where nobody knows them, those that were shown."""
    unknown = [rule for rule in group.shown if baseline is None or not baseline.knows(rule.direction)]
    return unknown if baseline is None else [*baseline.rules, *unknown]


def _restore(groups: SecurityGroups, group: _Group, held: Sequence[Rule]) -> None:
    """Bring the rules that a batch touches to what is approved now, whatever an earlier run had made of them."""
    converge(groups, group.group_id, State(lambda live: on_touched_rules(group.composed, held, live)))
