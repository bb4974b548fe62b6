"""Whether a click counts: who may decide, whether the approvals suffice, and for how many hours.

Everything is judged by today's policy, earlier approvals included: an approver may have been removed from a list since.
A batch is judged in the same way, by what all of it needs together.

What does not belong here: what a request needs (``shared.domain.request_needs``), and storing a decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from shared.domain.needs import Needs, can_anybody_satisfy, is_approver
from shared.domain.policy import Policy, may_decide, person_behind
from shared.domain.request_needs import needs_of

if TYPE_CHECKING:
    from shared.domain.caller import Caller
    from shared.domain.request import Approver, Request

_DIGITS: Final = 6
"""Hours are written with so many digits after the point (``shared.wire.request_json``)."""

Outcome = Literal["approved", "counted", "repeated", "denied", "not allowed", "hours"]
"""What a click comes to: it was the last approval needed; it counts, and others are missing; the same person's approval
counts already; it denies; this person may not decide; it cannot be approved for so many hours, or not for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On which terms a request, or a batch, may be decided.

    Attributes:
        policy: of its account, as it is today.
        needs: what it needs by that policy.
        requester: who made the change; ``None`` when nobody knows.
        is_ask: it asks first (origin ``ask``), so its requester never approves it.
        takes_hours: it adds or edits rules, which can be approved for a time.
    """

    policy: Policy = field(default_factory=Policy)
    needs: Needs = field(default_factory=Needs)
    requester: Caller | None = None
    is_ask: bool = False
    takes_hours: bool = False

    @property
    def hours(self) -> tuple[float, ...]:
        """For how many hours it may be approved, ascending."""
        if not self.takes_hours:
            return ()
        longest = self.needs.max_hours
        if longest is None:
            return tuple(sorted(set(self.policy.offer_hours)))
        return tuple(sorted({*(hours for hours in self.policy.offer_hours if hours <= longest), longest}))

    @property
    def is_for_good(self) -> bool:
        """True where it may be approved for good."""
        return self.needs.max_hours is None or not self.takes_hours

    @property
    def people(self) -> tuple[str, ...]:
        """Who may approve: Slack ids that are in every list of approvers; empty where there is no list."""
        lists = [set(one) for one in (self.policy.approvers, *self.needs.approvers) if one]
        return tuple(sorted(set.intersection(*lists) - set(self.excluded))) if lists else ()

    @property
    def excluded(self) -> tuple[str, ...]:
        """Slack user ids that may not approve: the requester's, where nobody may approve their own change."""
        if (self.policy.allow_self_approval and not self.is_ask) or self.requester is None:
            return ()
        person = person_behind(self.policy, self.requester)
        return () if person is None else (person,)

    @property
    def is_possible(self) -> bool:
        """False where there are not as many people as have to approve."""
        return can_anybody_satisfy(self.needs, self.policy.approvers, self.excluded)


def terms_of(policy: Policy, request: Request) -> Terms:
    """Return the terms on which one request may be decided.

    Args:
        policy: of the request's account, as it is today.
        request: as stored.
    """
    return Terms(
        policy=policy,
        needs=needs_of(policy, request),
        requester=request.requester,
        is_ask=request.origin == "ask",
        takes_hours=bool(request.change.added or request.change.modified),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a click comes to.

    Attributes:
        outcome: see :data:`Outcome`.
        reason: a sentence for the clicker, where the click changes nothing.
        people: who may decide instead, as Slack ids; empty where the answer has nothing to do with that.
        approvals: everybody whose approval counts, this click's included; oldest first, nobody twice.
        missing: how many more people have to approve.
        hours: for how many hours it is approved; ``None``: for good.
    """

    outcome: Outcome
    reason: str = ""
    people: tuple[str, ...] = ()
    approvals: tuple[Approver, ...] = ()
    missing: int = 0
    hours: float | None = None


def judge(terms: Terms, earlier: Sequence[Approver], click: Approver, *, approving: bool) -> Judgement:
    """Say what a click comes to.

    Args:
        terms: on which the request, or the batch, may be decided today.
        earlier: who has approved before, as stored; those who may not any more do not count.
        click: who clicks, when, and for how many hours.
        approving: ``False`` for a denial.
    """
    refusal = _refusal(terms, click.by, approving=approving)
    if refusal is not None:
        return refusal
    if not approving:
        return Judgement(outcome="denied")
    wrong = _wrong_hours(terms, click.hours)
    if wrong:
        return Judgement(outcome="hours", reason=wrong)
    counted = counting(terms, earlier)
    approvals = (*(one for one in counted if one.by != click.by), click)
    missing = max(terms.needs.approvals - len(approvals), 0)
    if missing and len(approvals) == len(counted):
        reason = (
            f"You have approved this already, which counts once. {len(counted)} of {terms.needs.approvals} approvals; "
            "somebody else has to approve it, too."
        )
        return Judgement(outcome="repeated", reason=reason, approvals=counted, missing=missing)
    # Of two choices of one person, too, the shorter one holds.
    hours = [one.hours for one in (*counted, click) if one.hours is not None and terms.takes_hours]
    return Judgement(
        outcome="counted" if missing else "approved",
        approvals=approvals,
        missing=missing,
        hours=min(hours, default=None),
    )


def counting(terms: Terms, approvals: Iterable[Approver]) -> tuple[Approver, ...]:
    """Return the approvals that count today: of people who may approve, each person once."""
    kept: dict[str, Approver] = {}
    for one in approvals:
        if one.by not in kept and _refusal(terms, one.by, approving=True) is None:
            kept[one.by] = one
    return tuple(kept.values())


def _refusal(terms: Terms, user_id: str, *, approving: bool) -> Judgement | None:
    policy, needs = terms.policy, terms.needs
    verdict = may_decide(policy, user_id=user_id, approving=approving, requester=terms.requester, is_ask=terms.is_ask)
    if not verdict.allowed:
        people = () if policy.problem else terms.people
        return Judgement(outcome="not allowed", reason=verdict.reason, people=people)
    if not _is_listed(needs, user_id, approving=approving):
        reason = "You are not one of those who may decide this change."
        if not terms.is_possible:
            reason += " At the moment the policy allows too few people to approve it."
        return Judgement(outcome="not allowed", reason=reason, people=terms.people)
    if approving and needs.deny:
        return Judgement(outcome="not allowed", reason=f"The policy now denies such a change: {needs.deny}")
    return None


def _is_listed(needs: Needs, user_id: str, *, approving: bool) -> bool:
    """Say whether the entries let somebody decide: approve if in every list, deny if in one of them.

    A user group counts nobody: who is in it can only be asked with a bot token.
    """
    ids = (user_id,)
    if approving or not needs.approvers:
        return is_approver(needs, ids)
    return any(is_approver(Needs(approvers=(one,)), ids) for one in needs.approvers)


def _wrong_hours(terms: Terms, hours: float | None) -> str:
    """Return why it cannot be approved for so many hours; empty when it can."""
    if hours is None:
        if terms.is_for_good:
            return ""
        return f"It cannot be approved for good, only for at most {terms.needs.max_hours:g} h."
    if not terms.takes_hours:
        return "It can only be approved for good: it opens nothing, so there is nothing to end."
    if round(hours, _DIGITS) in (round(one, _DIGITS) for one in terms.hours):
        return ""
    offered = [f"{one:g} h" for one in terms.hours] + (["for good"] if terms.is_for_good else [])
    return f"It cannot be approved for {hours:g} h. The policy offers: {', '.join(offered)}."
