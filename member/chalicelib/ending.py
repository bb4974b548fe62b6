"""Ends what was approved for a time: the first snapshot after it reverts the change, and the central account is told.

Each step is repeated by each snapshot until all are done. Where policy had let the change through without asking, a
question for the same change follows; it needs people like any other.

What does not belong here: which rules end, and how (``state.limits``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from shared.domain.change import Change, make_change
from shared.telemetry import count, logger
from shared.wire.fields import FieldError
from shared.wire.messages import SECURITY_GROUP_CHANGE, EndedMessage

from . import context, publishing
from .assessment.conflicts import what_is_left
from .context import Context
from .converge import Converged, State, converge, deleted_references, wrong_rules
from .ec2.security_groups import SecurityGroups
from .reaching import reach_of
from .rule_set import RuleSet
from .state.baseline import Baseline
from .state.items import LedgerEntry
from .state.limits import Ending, ended, ending, going, told, without_old
from .state.timed import Timed

_GONE: Final = "The group has been deleted, and its rules with it."
_ASKED: Final = "It was let through for a time without an approval; that time is over and it has been reverted."


class EndError(RuntimeError):
    """A change whose time is over could not be reverted; the next snapshot tries again."""


def end_due(
    here: Context, baselines: Mapping[str, Baseline | FieldError], now: datetime
) -> dict[str, Exception | None]:
    """End what was approved until now.

    Args:
        here: this invocation.
        baselines: of the groups of a region, by group id.
        now: the time of the snapshot, UTC.

    Returns:
        The groups of which something was to be ended, and what kept it from being done, if anything.
    """
    touched: dict[str, Exception | None] = {}
    for group_id, known in baselines.items():
        if isinstance(known, FieldError):
            continue
        due = [one.key for one in known.timed if one.is_due(now)]
        if not due and without_old(known, now) is known:
            continue
        touched[group_id] = None
        try:
            for key in due:
                _end(here, group_id, key, now)
            here.table.update(group_id, lambda stored: stored and without_old(stored, now))
        except Exception as error:  # noqa: BLE001 - one group's trouble must not hide the others; the caller raises it
            touched[group_id] = error
    return touched


def forget_group(here: Context, group_id: str) -> None:
    """Forget a group that has been deleted; what was approved for a time in it has ended."""
    if here.table.forget_unless_timed(group_id):
        return
    baseline = here.table.baseline(group_id)
    now = context.now()
    for timed in () if baseline is None else baseline.timed:
        if not timed.is_told:
            _tell(here, replace(timed, ended_at=timed.ended_at or now, note=timed.note or _GONE))
    here.table.forget(group_id)


def _end(here: Context, group_id: str, key: str, now: datetime) -> None:
    groups = here.groups(retries="adaptive")
    baseline = here.table.baseline(group_id)
    timed = _timed(baseline, key)
    if baseline is None or timed is None or timed.is_told:
        return
    if timed.ended_at is None:
        baseline = _revert(here, groups, baseline, timed, now)
        timed = _timed(baseline, key)
        if timed is None or timed.ended_at is None:
            raise EndError(f"what was approved for a time by {key} is being changed at this moment")
    _tell(here, timed)
    here.table.update(group_id, lambda stored: stored and told(stored, key))


def _revert(here: Context, groups: SecurityGroups, baseline: Baseline, timed: Timed, now: datetime) -> Baseline | None:
    group_id, live = baseline.group_id, groups.rules(baseline.group_id)
    todo = ending(baseline, timed.key, live)
    if timed.let_through and todo.places:
        _write_question(here, baseline, timed, todo)
    done = _converge(groups, group_id, todo, live)
    lost = deleted_references(done.refusals)
    if lost:
        todo = going(todo, lost)
        done = _converge(groups, group_id, todo, done.live)
    left = {rule.identity for rule in wrong_rules(done.left)}
    at = max(now, context.now())
    saved = here.table.update(group_id, lambda known: known and ended(known, timed.key, todo, left, done.live, at))
    log = {"key": timed.key, "group": group_id, "until": _text(timed.until)}
    logger.info("ended", extra={**log, "rules": sorted(todo.becomes), "left": sorted(left)})
    if left:
        refused = "; ".join(dict.fromkeys(str(one) for one in done.refusals))
        raise EndError(f"what was approved until {_text(timed.until)} for {timed.key} is still in force: {refused}")
    # The handler of an event may have restored it before the baseline said that it is not approved any more.
    _converge(groups, group_id, todo, groups.rules(group_id))
    return saved


def _converge(groups: SecurityGroups, group_id: str, todo: Ending, live: RuleSet) -> Converged:
    return converge(groups, group_id, State(lambda now: what_is_left(todo.undo, now)), live=live)


def _timed(baseline: Baseline | None, key: str) -> Timed | None:
    return next((one for one in baseline.timed if one.key == key), None) if baseline is not None else None


# -- who is told -------------------------------------------------------------------------------------------------------


def _write_question(here: Context, baseline: Baseline, timed: Timed, todo: Ending) -> None:
    """Write the question that follows to the ledger, before what it asks for is reverted; it is published after that.

    It asks for what ends now of the change, not for what has been removed, or approved for good, since.
    """
    others = [rule for rule in baseline.rules if rule.identity not in todo.places]
    for request_id in timed.requests:
        entry = here.table.entry(request_id)
        change = None if entry is None else _ending_part(entry.request.change, todo)
        if entry is None or change is None or change.is_empty:
            continue
        question = replace(
            entry.request,
            request_id=_question_id(request_id),
            event_time=timed.until,
            change=change,
            origin="ended",
            status="pending",
            reason=_ASKED,
            limits=(),
            reach=reach_of(here, baseline.group_id, change, others),
        )
        _, problem = publishing.add_entries(here, question)
        if problem is not None:
            raise problem


def _ending_part(change: Change, todo: Ending) -> Change:
    return make_change(
        added=(rule for rule in change.added if rule.identity in todo.places),
        modified=(edit for edit in change.modified if edit.after.identity in todo.places),
    )


def _question_id(request_id: str) -> str:
    return f"{request_id}-ended"


def _tell(here: Context, timed: Timed) -> None:
    """Tell the central account of an end, and ask the question that follows, if one was written."""
    for request_id in timed.requests:
        entry = here.table.entry(request_id)
        if entry is None:
            logger.error("ended request unknown", extra={"request_id": request_id})
            continue
        if entry.outcome == "applying":
            _publish_begun(entry)
        if entry.outcome != "ended":
            here.table.move_entry(entry, "ended", note=entry.note)
        _publish_ended(entry, timed)
        question = here.table.entry(_question_id(request_id)) if timed.let_through else None
        if question is not None:
            publishing.publish_again(here, question)


def _publish_begun(entry: LedgerEntry) -> None:
    """Publish what policy had let through, where the run that did so crashed before, and its event never came again."""
    if entry.request.status == "applied":
        publishing.publish_entry(replace(entry, outcome="applied"))


def _publish_ended(entry: LedgerEntry, timed: Timed) -> None:
    request = entry.request
    message = EndedMessage(
        request_id=request.request_id,
        digest=request.digest,
        account=request.account,
        region=request.region,
        ended_at=timed.ended_at or timed.until,
        reason=timed.note,
    )
    context.publish(SECURITY_GROUP_CHANGE, message, "Security group change: ended")
    count("Ended", account=request.account)


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
