"""Allowed changes become part of the baseline; those that policy wants reported are published as ``observed`` too."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from shared.domain.change import make_change
from shared.domain.policy import Policy
from shared.telemetry import logger

from . import publishing
from .assessment.assess import assess
from .cloudtrail.call import Call
from .context import Context
from .converge import State, converge
from .decision import Decision
from .ec2.refusal import Ec2Error
from .ec2.security_groups import SecurityGroups
from .group_state import baseline_of
from .rule_set import RuleSet
from .state.baseline import (
    REVERTED_BY_COMPARISON,
    Baseline,
    accept_call,
    has_accepted,
    shortfall,
    with_ids_seen,
    with_owner,
    with_tags_seen,
)

_RULES_SHOWN: Final = 10


def accept(here: Context, call: Call, decision: Decision, policy: Policy, groups: SecurityGroups) -> bool:
    """Accept an allowed call into the baseline, and publish it when the decision says so.

    Args:
        here: this invocation.
        call: the recorded call with its rules.
        decision: ``allow`` or ``report``, with the reason to show.
        policy: the policy of the call's account.
        groups: the account's groups.

    Returns:
        False when the decision is for approved rules, and the call edited one that is not: nothing was done then.

    Raises:
        botocore.exceptions.ClientError: when the state could not be read or written; the event is delivered again.
    """
    reports = decision.verb == "report"
    known = here.table.read(call.request_id, call.group_id)
    if known.unread is not None:
        raise known.unread
    if reports and known.entry is not None:
        # A redelivered event, perhaps of a change undone by approval since, has been accepted already.
        publishing.publish_again(here, known.entry)
        return True
    is_new = known.baseline is None or not known.baseline.adopted  # it starts with what is there of AWS's own rules
    live = groups.rules(call.group_id) if reports or is_new or _needs_live(call) else RuleSet()
    state = baseline_of(here, known, groups, call.group_id, live, call.only_rule_id)
    if not state.is_ours:
        return True
    if not reports and call.kind in ("add", "remove"):
        _keep(here, call, state.baseline, live, groups)
        return True
    assessed = assess(call, state.baseline, live, policy.directions)
    if assessed.is_unguarded:
        return True
    if decision.is_for_approved and state.baseline is not None and assessed.change.added:
        return False
    _keep(here, call, state.baseline, live, groups)
    if not reports:
        return True
    request = publishing.request_of(
        call,
        group_name=publishing.group_name(groups, call.group_id, known.baseline),
        change=assessed.change if not call.omitted else make_change(),
        status="observed",
        reason="; ".join(part for part in (decision.reason, assessed.reason) if part),
    )
    publishing.publish_request(here, request)
    return True


def _keep(here: Context, call: Call, fresh: Baseline | None, live: RuleSet, groups: SecurityGroups) -> None:
    """Write the baseline with an allowed call; ``fresh``: as it was read, ``None`` where nobody can know it."""
    if fresh is None:
        return
    saved = here.table.update(
        call.group_id,
        lambda stored: with_tags_seen(accept_call(stored or fresh, call, live), live),
        known=fresh if fresh.version else None,
    )
    restore(here, call, saved, groups)
    _tell_what_is_missing(here, call, saved, live)


def _needs_live(call: Call) -> bool:
    """True where the event alone does not say which rules it is about: ids, directions or owners are missing."""
    if call.kind not in ("add", "remove") or call.resulting is None or call.omitted:
        return True
    return any(rule.source.kind == "group" for rule in call.resulting)


def restore(here: Context, call: Call, baseline: Baseline | None, groups: SecurityGroups) -> None:
    """Restore the rules of an allowed call that were reverted before its event arrived.

    That happens only to a call in whose way another one came of which CloudTrail had left out even the group.
    """
    made = {rule.rule_id for rule in call.resulting or () if call.kind == "add"}
    noted = [] if baseline is None else [one for one in baseline.differences if one.key in _keys(made)]
    if not noted or baseline is None:
        return
    wanted = baseline.by_ids(one.key.removeprefix(REVERTED_BY_COMPARISON) for one in noted)
    try:
        done = converge(groups, call.group_id, State(lambda live: shortfall(wanted, live)))
    except Ec2Error as error:
        logger.warning("allowed rules not restored", extra={"request_id": call.request_id, "problem": str(error)})
        raise
    keys = {one.key for one in noted}
    # The next allowed call names the rule by its new id.
    here.table.update(call.group_id, lambda stored: stored and _without(with_ids_seen(stored, done.live), keys))


def _tell_what_is_missing(here: Context, call: Call, baseline: Baseline | None, live: RuleSet) -> None:
    """Tell of rules that an allowed call made and nobody can find, because CloudTrail left out their ids."""
    if baseline is None or call.kind != "add" or call.resulting is not None or not call.requested:
        return
    made = [with_owner(rule, call.account, live, baseline.rules) for rule in call.requested]
    missing = [
        rule.identity for rule in made if baseline.knows(rule.direction) and not has_accepted(baseline, rule, call)
    ]
    if missing:
        publishing.notice(
            here,
            "AllowedRulesNotFound",
            f"CloudTrail left out EC2's answer to {call.name} by {call.caller.name}, who may change rules without "
            "asking. These rules of it are not in the group as they were made, so they are not approved: "
            f"{', '.join(missing[:_RULES_SHOWN])}{' …' if len(missing) > _RULES_SHOWN else ''}.",
            at=call.event_time,
            key=call.request_id,
            group_id=call.group_id,
            group_name=baseline.group_name,
        )


def _keys(rule_ids: set[str | None]) -> set[str]:
    return {f"{REVERTED_BY_COMPARISON}{rule_id}" for rule_id in rule_ids if rule_id}


def _without(baseline: Baseline, keys: set[str]) -> Baseline:
    return replace(baseline, differences=tuple(one for one in baseline.differences if one.key not in keys))
