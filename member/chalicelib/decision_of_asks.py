"""Whether a call that failed asks for the change it would have made, and why not; pure.

A dry run, or a call that IAM or a service control policy refused, may be a question: nothing is changed until somebody
approves. Who is exempt does not ask, since what they change needs no approval. The mode does not matter: nothing is
reverted here, and whoever is refused by AWS needs the answer in observe mode, too.

What does not belong here: what the call would have changed (``assessment.asks``).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from shared.domain.caller import linked_service

if TYPE_CHECKING:
    from shared.domain.policy import Policy

    from .cloudtrail.call import Call

DRY_RUN: Final = "Client.DryRunOperation"
REFUSED: Final = "Client.UnauthorizedOperation"
"""CloudTrail's ``errorCode`` of a call that IAM or a service control policy refused.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html"""

_KINDS: Final = frozenset({"add", "remove", "modify", "describe"})


def reason_not_to_ask(policy: Policy, call: Call, *, is_own: bool, now: datetime) -> str:
    """Return why a failed call asks nothing, ``""`` when it asks.

    Args:
        policy: the policy of the call's account.
        call: the call, with the group it names; of its rules nothing is needed.
        is_own: the caller is a session of the product's own role.
        now: the time, UTC.
    """
    if call.kind not in _KINDS:
        return f"{call.name} changes no rule"
    is_dry_run = call.error_code == DRY_RUN
    switch = _reason_of_policy(policy, call, is_dry_run=is_dry_run)
    if switch:
        return switch
    if is_own:
        return "the product made this call itself"
    if call.caller.account not in ("", call.account):
        return f"its caller belongs to another account ({call.caller.account})"
    exempt = _reason_of_exemption(policy, call, is_dry_run=is_dry_run)
    if exempt:
        return exempt
    if call.event_time + policy.expires_after <= now:
        return f"it was made more than {policy.expire_after_hours:g} hours ago (policy key expire_after_hours)"
    return ""


def _reason_of_policy(policy: Policy, call: Call, *, is_dry_run: bool) -> str:
    if is_dry_run:
        return "" if policy.ask_by_dry_run else "a dry run asks nothing (policy key ask_by_dry_run)"
    if call.error_code != REFUSED:
        return f"the call failed ({call.error_code}), so nothing changed"
    if not _matches(policy.ask_by_refusal, call.caller.principal_arn):
        return "a refused call of this principal asks nothing (policy key ask_by_refusal)"
    # Whoever may ask only because of this key must not be able to approve only because nobody is listed.
    return (
        "" if policy.approvers else "ask_by_refusal needs approvers, and the policy lists none (policy key approvers)"
    )


def _reason_of_exemption(policy: Policy, call: Call, *, is_dry_run: bool) -> str:
    if _matches(policy.exempt_principals, call.caller.principal_arn):
        return f"{call.caller.principal_arn} is exempt (policy key exempt.principals)"
    if _matches(policy.exempt_service_linked_roles, linked_service(call.caller)):
        return "AWS services may change rules without asking (policy key exempt.service_linked_roles)"
    # What AWS refuses there can be had in no other way, so that does ask.
    if is_dry_run and _matches(policy.exempt_groups, call.group_id):
        return f"group {call.group_id} is exempt (policy key exempt.groups)"
    return ""


def _matches(patterns: Iterable[str], text: str) -> bool:
    return bool(text) and any(fnmatchcase(text, pattern) for pattern in patterns)
