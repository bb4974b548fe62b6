"""What is taken back, what is let pass, and who may decide: the policy as values, and its judgements with reasons.

A judgement is a value, not an exception, and its reason is a sentence an operator can read.

What does not belong here: the file it comes from and its validation (``shared.wire.policy_document``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from shared.domain.caller import is_service_linked_role

if TYPE_CHECKING:  # names of types alone: a port is closed before rules are looked at
    from shared.domain.call import Call, CallKind
    from shared.domain.caller import Caller
    from shared.domain.change import ChangeKind
    from shared.domain.rule import Direction, Rule

Mode = Literal["enforce", "observe"]
GuardedKind = Literal["add", "modify", "remove"]
DriftAction = Literal["revert", "report"]
Verb = Literal["ignore", "allow", "report", "revert"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The policy that holds for one member account; each attribute is a key of ``policy.toml``.

    Attributes:
        mode: ``enforce``, or ``observe``: report what would have been reverted and touch nothing.
        directions: directions that are guarded.
        guard: kinds of change that are reverted; others are allowed and reported.
        require_description: deny an added rule without a description at once.
        expire_after_hours: a pending request older than this can no longer be approved.
        remind_after_hours: a pending request older than this is asked once more.
        drift: what happens to a difference that no event explains: ``revert`` it, or ``report`` it.
        drift_grace_minutes: how long a difference may stand before it counts as drift, so that a late event comes
            first.
        approvers: Slack user ids that may decide; empty: everybody who can click in the approval channel.
        allow_self_approval: whether the requester may approve the own request.
        people: pairs of (glob over the ARN of a user or session, Slack user id).
        exempt_principals: globs over the ARN of an IAM user, or of the role behind a session.
        exempt_groups: globs over security group ids.
    """

    mode: Mode = "enforce"
    directions: tuple[Direction, ...] = ("ingress",)
    guard: tuple[GuardedKind, ...] = ("add", "modify", "remove")
    require_description: bool = False
    expire_after_hours: float = 72
    remind_after_hours: float = 4
    drift: DriftAction = "revert"
    drift_grace_minutes: float = 15
    approvers: tuple[str, ...] = ()
    allow_self_approval: bool = True
    people: tuple[tuple[str, str], ...] = ()
    exempt_principals: tuple[str, ...] = ()
    exempt_groups: tuple[str, ...] = ()

    @property
    def expires_after(self) -> timedelta:
        """``expire_after_hours`` as a duration."""
        return timedelta(hours=self.expire_after_hours)

    @property
    def reminds_after(self) -> timedelta:
        """``remind_after_hours`` as a duration."""
        return timedelta(hours=self.remind_after_hours)

    @property
    def drift_grace(self) -> timedelta:
        """``drift_grace_minutes`` as a duration."""
        return timedelta(minutes=self.drift_grace_minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The general policy and those of single member accounts."""

    general: Policy = field(default_factory=Policy)
    accounts: tuple[tuple[str, Policy], ...] = ()

    def for_account(self, account: str) -> Policy:
        """Return the policy that holds for a 12-digit account id."""
        return dict(self.accounts).get(account, self.general)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What happens to a change, and why.

    Attributes:
        verb: ``ignore`` (nothing to guard), ``allow`` (it becomes part of the baseline), ``report`` (allowed and shown
            as ``observed``) or ``revert``.
        reason: a sentence for operators and for the request.
    """

    verb: Verb
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether somebody may decide a request, and if not, what to tell them."""

    allowed: bool
    reason: str = ""


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
    if is_service_linked_role(call.caller) and call.caller.account == call.account:
        return Decision(verb="allow", reason="AWS service-linked roles are always exempt")
    principal = call.caller.principal_arn
    pattern = _matching(policy.exempt_principals, principal)
    if pattern:
        return Decision(verb="allow", reason=f"{principal} is exempt (policy key exempt.principals: {pattern})")
    pattern = _matching(policy.exempt_groups, call.group_id)
    if pattern:
        return Decision(verb="allow", reason=f"group {call.group_id} is exempt (policy key exempt.groups: {pattern})")
    guard = _GUARD_OF[call.kind]
    if guard not in policy.guard:
        return Decision(verb="report", reason=f"changes of kind '{guard}' are allowed and reported (policy key guard)")
    if policy.mode == "observe":
        return Decision(verb="report", reason="observe mode: this would have been reverted (policy key mode)")
    return Decision(verb="revert", reason="not approved yet")


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


def may_decide(policy: Policy, *, user_id: str, approving: bool, requester: Caller | None) -> Verdict:
    """Say whether a Slack user may approve or deny a request.

    Args:
        policy: the policy of the request's account.
        user_id: Slack's id of who clicked, e.g. ``U061F7AUR``.
        approving: ``True`` for an approval; denying one's own request is always fine.
        requester: who made the change; ``None`` when nobody knows (found by the snapshot).
    """
    if policy.approvers and user_id not in policy.approvers:
        return Verdict(allowed=False, reason="You are not one of the approvers of this account.")
    if policy.allow_self_approval or not approving:
        return Verdict(allowed=True)
    if requester is None:
        return Verdict(allowed=False, reason="Nobody knows who made this change, so it might be your own.")
    person = person_behind(policy, requester)
    if person is None:
        reason = (
            "Nobody can tell whether you would approve your own change: its requester is not listed under [people] in "
            "the policy. An administrator can add the requester there."
        )
        return Verdict(allowed=False, reason=reason)
    if person == user_id:
        return Verdict(allowed=False, reason="You made this change yourself; somebody else has to approve it.")
    return Verdict(allowed=True)


def person_behind(policy: Policy, caller: Caller) -> str | None:
    """Return the Slack user id of the person behind an AWS identity, or ``None`` when the policy does not say."""
    for pattern, user_id in policy.people:
        if caller.arn and fnmatchcase(caller.arn, pattern):
            return user_id
    return None


def _matching(patterns: Iterable[str], text: str) -> str:
    return next((pattern for pattern in patterns if text and fnmatchcase(text, pattern)), "")
