"""Whether approvals are enough for a change, by this account's own policy: how many people, and for how long. Pure.

Central judges the same at every click. Whatever its message says, nothing is opened that this account's policy and
approved rules do not allow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.domain.needs import Needs
from shared.domain.policy import Policy, person_behind
from shared.domain.request import Approver, Request
from shared.domain.request_needs import needs_of
from shared.domain.rule import Rule

from ..ec2.refusal import Refusal

EXPIRED: Final = "ApprovalExpired"
NOT_ENOUGH: Final = "ApprovalNotEnough"

_CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""By how much the clocks of two accounts may differ."""

_STEP: Final = timedelta(seconds=1)


def refusal_of_approvals(
    policy: Policy,
    request: Request,
    approvals: Sequence[Approver],
    *,
    approved_at: datetime,
    valid_until: datetime | None,
    approved: Iterable[Rule],
    now: datetime,
) -> Refusal | None:
    """Return why approvals are not enough for a request, or ``None``.

    Args:
        policy: of this account.
        request: as its own ledger has it.
        approvals: everybody who approved; the same person counts once.
        approved_at: when the last of them did.
        valid_until: until when the change is to hold; ``None``: for good.
        approved: the rules of the group that are approved now.
        now: the time, UTC.
    """
    if approved_at + policy.expires_after < now:
        reason = (
            f"It was approved more than {policy.expire_after_hours:g} hours ago (policy key expire_after_hours); make "
            "the change again."
        )
        return Refusal(code=EXPIRED, reason=reason)
    if valid_until is not None and valid_until <= now:
        reason = f"It was approved until {valid_until:%Y-%m-%d %H:%M} UTC, which is over; make the change again."
        return Refusal(code=EXPIRED, reason=reason)
    needed = needs_of(policy, request, approved)
    if needed.deny:
        return Refusal(code=NOT_ENOUGH, reason=f"This account's policy denies it (policy key rules): {needed.deny}")
    people = _people(policy, request, approvals)
    if len(people) < needed.approvals:
        reason = (
            f"Different people who approved it: {len(people)}. This account's policy asks for {needed.approvals}"
            f"{_by(needed)}."
        )
        return Refusal(code=NOT_ENOUGH, reason=reason)
    return _refusal_of_time(request, needed, approvals, min(approved_at, now + _CLOCKS_DIFFER), valid_until)


def _people(policy: Policy, request: Request, approvals: Iterable[Approver]) -> set[str]:
    people = {one.by for one in approvals}
    if (request.origin == "ask" or not policy.allow_self_approval) and request.requester is not None:
        people.discard(person_behind(policy, request.requester) or "")
    return people


def _refusal_of_time(
    request: Request, needed: Needs, approvals: Iterable[Approver], approved_at: datetime, valid_until: datetime | None
) -> Refusal | None:
    """Return why a change may not hold for so long; a removal opens nothing and has no time."""
    hours = [one.hours for one in approvals if one.hours is not None]
    hours += [] if needed.max_hours is None else [needed.max_hours]
    if not hours or not (request.change.added or request.change.modified):
        return None
    longest = min(hours)
    if valid_until is None:
        reason = f"It may be approved for {longest:g} hours at most{_by(needed)}, and was approved for good."
        return Refusal(code=NOT_ENOUGH, reason=reason)
    if valid_until > approved_at + timedelta(hours=longest) + _STEP:
        reason = f"It may be approved for {longest:g} hours at most{_by(needed)}, and was approved for longer."
        return Refusal(code=NOT_ENOUGH, reason=reason)
    return None


def _by(needed: Needs) -> str:
    places = dict.fromkeys(match.place for match in needed.matches)
    return f" ({', '.join(places)})" if places else ""
