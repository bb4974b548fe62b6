"""What is reverted, what is allowed, and who may decide: the policy as values, and its judgements with reasons.

A judgement is a value, not an exception, and its reason is a sentence an operator can read.

What does not belong here: the file it comes from and its validation (``shared.wire.policy_document``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from shared.domain.caller import Caller, is_person

if TYPE_CHECKING:  # only for type checking: added rules are revoked before the modules about rules are loaded
    from shared.domain.change import GuardedKind
    from shared.domain.risk_rule import RiskRule
    from shared.domain.rule import Direction

Mode = Literal["enforce", "observe"]
DriftAction = Literal["revert", "report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The policy that holds for one member account; each attribute but ``problem`` is a key of ``policy.toml``.

    Attributes:
        mode: ``enforce``, or ``observe``: report what would have been reverted and touch nothing.
        directions: directions that are guarded.
        guard: kinds of change that are reverted; others are allowed and reported.
        require_description: deny an added rule without a description at once.
        expire_after_hours: a pending request older than this can no longer be approved.
        remind_after_hours: a pending request older than this is asked a second time.
        drift: what happens to a difference that no event explains: ``revert`` it, or ``report`` it.
        drift_grace_minutes: how long a difference may stand before it counts as drift, so that a late event comes
            first.
        gather_seconds: calls of one requester that follow each other within this time are asked as one batch; 0: each
            call is asked alone.
        offer_hours: for how many hours an addition may be approved, beside for good.
        ask_by_dry_run: whether a dry run asks for the change.
        ask_by_refusal: globs over principals, as in ``exempt_principals``, whose refused calls ask for the change.
        require_denial_reason: whether a denial needs a reason; only a modal can ask for one.
        keep_days: for how long ended requests are kept; 0: for ever.
        approvers: Slack user ids or user group ids that may decide; empty: everybody who can click in the approval
            channel.
        allow_self_approval: whether requesters may approve their own requests.
        people: pairs of (glob over the ARN of a user or session, Slack user id).
        exempt_principals: globs over the ARN of an IAM user, or of the role behind a session.
        exempt_groups: globs over security group ids.
        exempt_service_linked_roles: globs over the names of AWS services, e.g. ``elasticloadbalancing``, whose
            service-linked roles may change rules; what they change is reported.
        problem: why the policy file cannot be used; empty when it can. While there is a problem nobody may decide
            (:func:`may_decide`) and snapshots change nothing.
        rules: what a change needs, by what it would open; the same for every account.
    """

    mode: Mode = "enforce"
    directions: tuple[Direction, ...] = ("ingress",)
    guard: tuple[GuardedKind, ...] = ("add", "modify", "remove")
    require_description: bool = False
    expire_after_hours: float = 72
    remind_after_hours: float = 4
    drift: DriftAction = "revert"
    drift_grace_minutes: float = 15
    gather_seconds: float = 60
    offer_hours: tuple[float, ...] = ()
    ask_by_dry_run: bool = False
    ask_by_refusal: tuple[str, ...] = ()
    require_denial_reason: bool = False
    keep_days: float = 400
    approvers: tuple[str, ...] = ()
    allow_self_approval: bool = True
    people: tuple[tuple[str, str], ...] = ()
    exempt_principals: tuple[str, ...] = ()
    exempt_groups: tuple[str, ...] = ()
    exempt_service_linked_roles: tuple[str, ...] = ("*",)
    problem: str = ""
    rules: tuple[RiskRule, ...] = ()

    @property
    def expires_after(self) -> timedelta:
        """``expire_after_hours`` as a duration."""
        return timedelta(hours=self.expire_after_hours)

    @property
    def reminds_after(self) -> timedelta:
        """``remind_after_hours`` as a duration."""
        return timedelta(hours=self.remind_after_hours)

    @property
    def gathers_for(self) -> timedelta:
        """``gather_seconds`` as a duration."""
        return timedelta(seconds=self.gather_seconds)

    @property
    def drift_grace(self) -> timedelta:
        """``drift_grace_minutes`` as a duration."""
        return timedelta(minutes=self.drift_grace_minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The general policy and those of single member accounts."""

    general: Policy = field(default_factory=Policy)
    accounts: tuple[tuple[str, Policy], ...] = ()

    @property
    def problem(self) -> str:
        """Why the policy file cannot be used; empty when it can."""
        return self.general.problem

    def for_account(self, account: str) -> Policy:
        """Return the policy that holds for a 12-digit account id."""
        return dict(self.accounts).get(account, self.general)


def strictest(problem: str) -> Policies:
    """Return what holds while the policy file cannot be used: every change is reverted and asked, nobody is exempt.

    Args:
        problem: why the file cannot be used, as a sentence that names the file.
    """
    policy = Policy(
        mode="enforce",
        directions=("ingress",),
        guard=("add", "modify", "remove"),
        drift="revert",
        exempt_principals=(),
        exempt_groups=(),
        problem=problem,
    )
    return Policies(general=policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether somebody may decide a request, and if not, what to tell them."""

    allowed: bool
    reason: str = ""


def may_decide(
    policy: Policy, *, user_id: str, approving: bool, requester: Caller | None, is_ask: bool = False
) -> Verdict:
    """Say whether a Slack user may approve or deny a request, as far as its requester and its account decide that.

    Where nobody may approve their own change and it is not known who made it, everybody may: two people have to
    (``shared.domain.request_needs``), one of whom is not its maker.

    Args:
        policy: the policy of the request's account.
        user_id: Slack's id of who clicked, e.g. ``U061F7AUR``.
        approving: ``True`` for an approval; requesters may always deny their own requests.
        requester: who made the change; ``None`` when nobody knows (found by the snapshot).
        is_ask: the request asks first, so its requester never approves it, whatever the policy says.
    """
    if policy.problem:
        reason = (
            "Nobody can approve or deny at the moment, because the policy that says who may cannot be used: "
            f"{policy.problem} Your click changed nothing. Please click again when the file has been corrected."
        )
        return Verdict(allowed=False, reason=reason)
    if policy.approvers and user_id not in policy.approvers:
        return Verdict(allowed=False, reason="You are not one of the approvers of this account.")
    if not approving or requester is None or (policy.allow_self_approval and not is_ask):
        return Verdict(allowed=True)
    if person_behind(policy, requester) == user_id:
        done = "asked for this change" if is_ask else "made this change"
        return Verdict(allowed=False, reason=f"You {done} yourself; somebody else has to approve it.")
    return Verdict(allowed=True)


def person_behind(policy: Policy, caller: Caller) -> str | None:
    """Return the Slack user id of the person behind an AWS identity, or ``None`` when that is not known.

    Only IAM users and sessions of IAM Identity Center are looked up: other session names are the caller's choice.
    """
    if not is_person(caller):
        return None
    return next((user_id for pattern, user_id in policy.people if fnmatchcase(caller.arn, pattern)), None)
