"""Keeps the revert of a removal from opening what nobody approved, where nobody knows which rules are approved.

A removal is reverted by opening what its event says was removed. Before the adoption, and in a group that could not be
stored, that may be what a call had added or edited of which CloudTrail left out everything. Either event may be heard
first, so both are noted: such a call when it is heard, and a rule before it is restored (``state.doubt``). Whoever
restores reads the other note afterwards, and whoever hears of such a call looks at the groups afterwards; whichever is
later closes the rule.
"""

from __future__ import annotations

from dataclasses import replace

from shared.domain.policy import Policy
from shared.telemetry import logger

from . import publishing
from .assessment.assess import assess
from .cloudtrail.call import Call
from .context import Context
from .publishing import STATE_ERRORS
from .rule_set import RuleSet
from .state.baseline import Baseline, was_missed, with_unread
from .state.table import Known


def note_unread_call(here: Context, call: Call, policy: Policy) -> Exception | None:
    """Note a call of which not even the group is known, and tell people, where nobody knows what is approved.

    Args:
        here: this invocation.
        call: one that is not allowed, and that may have added or edited rules.
        policy: of the account.

    Returns:
        What kept it from being noted.
    """
    known = here.table.read(call.request_id, "")
    if known.unread is not None:
        return known.unread
    if not _is_anything_unknown(known, call, policy):
        return None
    try:
        here.table.note_unread(call.event_time)
    except STATE_ERRORS as error:
        logger.exception("unread call not noted", extra={"request_id": call.request_id})
        return error
    publishing.notice(
        here,
        "CallWithoutDetails",
        f"CloudTrail left out all details of {call.name} by {call.caller.name}, at a time when it was not known of "
        "every group which rules are approved. Look through the groups: what it opened there counts as approved if the "
        "region has been adopted since. Rules that were removed there after it are not restored, because it may have "
        "opened them.",
        at=call.event_time,
        key=call.request_id,
    )
    return None


def _is_anything_unknown(known: Known, call: Call, policy: Policy) -> bool:
    adoption = known.adoption
    if adoption is None or adoption.not_stored:
        return True
    adopted = dict(adoption.adopted)
    return any(one not in adopted or call.event_time <= adopted[one] for one in policy.directions)


def note_restores(
    here: Context, call: Call, baseline: Baseline | None, live: RuleSet, policy: Policy
) -> tuple[Baseline | None, Exception | None]:
    """Note the rules that the revert of a removal is about to restore although nobody knows whether they are approved.

    Args:
        here: this invocation.
        call: what is reverted; only a removal restores what its event says.
        baseline: the group's, as far as known.
        live: its rules now.
        policy: of the account.

    Returns:
        The baseline with the note; ``None`` and the reason where it could not be written: then nothing is restored.
    """
    if baseline is None or call.kind != "remove":
        return baseline, None
    wanted = assess(call, baseline, live, policy.directions).undo.added
    unsure = [one for one in wanted if not baseline.knows(one.direction) or was_missed(baseline, one, call)]
    if not unsure:
        return baseline, None

    def noted(stored: Baseline | None) -> Baseline:
        before = baseline if stored is None else with_unread(stored, baseline.doubt.unread_since)
        return replace(before, doubt=before.doubt.with_restored(unsure, call.event_time))

    try:
        return here.table.update(call.group_id, noted, known=baseline if baseline.version else None), None
    except STATE_ERRORS as error:
        logger.exception("restoring not noted", extra={"request_id": call.request_id, "group": call.group_id})
        return None, error
