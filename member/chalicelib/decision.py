"""What happens to a recorded call or a difference: ignored, allowed, reported or reverted, and why; pure.

What does not belong here: the policy's values (``shared.domain.policy``), and who may decide a request.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from shared.domain.caller import linked_service

if TYPE_CHECKING:  # only for type checking: added rules are revoked before the modules about rules are loaded
    from shared.domain.change import ChangeKind, GuardedKind
    from shared.domain.policy import Policy
    from shared.domain.rule import Rule

    from .cloudtrail.call import Call, CallKind

Verb = Literal["ignore", "allow", "report", "let_through", "revert"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What happens to a change, and why.

    Attributes:
        verb: ``ignore`` (nothing to guard), ``allow`` (it becomes part of the baseline), ``report`` (allowed and shown
            as ``observed``), ``let_through`` (it needs 0 approvals, as far as its event says) or ``revert``.
        reason: a sentence for operators and for the request.
        is_for_approved: only rules that are approved may be changed so; an edit of any other rule is an addition.
    """

    verb: Verb
    reason: str
    is_for_approved: bool = False


_GUARD_OF: dict[CallKind | ChangeKind, GuardedKind] = {
    "add": "add",
    "remove": "remove",
    "modify": "modify",
    "describe": "modify",
}


def decide(policy: Policy, call: Call, *, is_own: bool) -> Decision:
    """Say what happens to a recorded call.

    Args:
        policy: the policy of the call's account.
        call: the call; of its rules nothing is needed.
        is_own: the caller is a session of the product's own role.
    """
    if call.error_code:
        return Decision(verb="ignore", reason=f"the call failed ({call.error_code}), so nothing changed")
    if is_own:
        return Decision(verb="ignore", reason="the product made this call itself")
    if call.kind in ("create_group", "delete_group"):
        return Decision(verb="allow", reason="creating or deleting a group opens nothing by itself")
    if call.direction is not None and call.direction not in policy.directions:
        return Decision(verb="ignore", reason=f"{call.direction} rules are not guarded (policy key directions)")
    return _decide_guarded(policy, call)


def _decide_guarded(policy: Policy, call: Call) -> Decision:
    service = linked_service(call.caller) if call.caller.account == call.account else ""
    pattern = _matching(policy.exempt_service_linked_roles, service)
    if pattern:
        key = f"policy key exempt.service_linked_roles: {pattern}"
        return Decision(verb="report", reason=f"the AWS service {service} may change rules without asking ({key})")
    principal = call.caller.principal_arn
    pattern = _matching(policy.exempt_principals, principal)
    if pattern:
        return Decision(verb="allow", reason=f"{principal} is exempt (policy key exempt.principals: {pattern})")
    pattern = _matching(policy.exempt_groups, call.group_id)
    if pattern:
        return Decision(verb="allow", reason=f"group {call.group_id} is exempt (policy key exempt.groups: {pattern})")
    if call.kind == "indirect":
        return Decision(verb="report", reason="it changes what rules mean, and is not reverted")
    guard = _GUARD_OF[call.kind]
    if guard not in policy.guard:
        reason = f"changes of kind '{guard}' are allowed and reported (policy key guard)"
        is_for_approved = policy.mode == "enforce" and guard == "modify" and "add" in policy.guard
        return Decision(verb="report", reason=reason, is_for_approved=is_for_approved)
    if policy.mode == "observe":
        return Decision(verb="report", reason="observe mode: this would have been reverted (policy key mode)")
    return Decision(verb="revert", reason="not approved yet")


def may_be_let_through(policy: Policy, call: Call) -> bool:
    """Say whether an entry with 0 approvals could let a call through; without looking at rules.

    Where none could, nothing about rules is loaded before the new ones are revoked.
    """
    guard = _GUARD_OF[call.kind]
    return any(
        entry.is_lenient
        and (not entry.kinds or guard in entry.kinds)
        and (not entry.accounts or call.account in entry.accounts)
        and (not entry.regions or bool(_matching(entry.regions, call.region)))
        and (not entry.principals or bool(_matching(entry.principals, call.caller.principal_arn)))
        for entry in policy.rules
    )


def decide_drift(policy: Policy, group_id: str) -> Decision:
    """Say what happens to a difference between baseline and live group that no event explains."""
    pattern = _matching(policy.exempt_groups, group_id)
    if pattern:
        return Decision(verb="allow", reason=f"group {group_id} is exempt (policy key exempt.groups: {pattern})")
    if policy.mode == "observe":
        return Decision(verb="report", reason="observe mode: this would have been reverted (policy key mode)")
    if policy.drift == "report":
        return Decision(verb="report", reason="differences found by the snapshot are reported (policy key drift)")
    return Decision(verb="revert", reason="found by the snapshot: no recorded call explains this difference")


def denied_at_once(policy: Policy, added: Iterable[Rule]) -> str:
    """Return why policy itself denies these added rules, or ``""`` when people are asked."""
    if not policy.require_description:
        return ""
    bare = [rule.identity for rule in added if not rule.description.strip()]
    if not bare:
        return ""
    return f"denied by policy: added rules need a description (policy key require_description): {', '.join(bare[:5])}"


def _matching(patterns: Iterable[str], text: str) -> str:
    return next((pattern for pattern in patterns if text and fnmatchcase(text, pattern)), "")
