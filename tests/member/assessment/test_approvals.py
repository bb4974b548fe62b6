"""Whether approvals are enough by this account's own policy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from member.chalicelib.assessment.approvals import EXPIRED, NOT_ENOUGH, refusal_of_approvals
from shared.domain.change import Modification, make_change
from shared.domain.policy import Policy
from shared.domain.request import Approver, Request
from tests.support.examples import ADA, NOON
from tests.support.member_account import rule
from tests.support.risk import entry

HOUR = timedelta(hours=1)
OPEN = rule(22, "10.0.0.0/8", "open")
REQUEST = Request(
    request_id="r",
    account="222222222222",
    account_name="",
    region="eu-west-1",
    group_id="sg-1",
    group_name="",
    requester=ADA,
    event_name="AuthorizeSecurityGroupIngress",
    event_time=NOON,
    change=make_change(added=[OPEN]),
)
ADA_IS = ((ADA.arn, "UADA"),)


def judged(
    policy: Policy,
    people: Iterable[str] = ("U1",),
    *,
    request: Request = REQUEST,
    valid_until: datetime | None = None,
    approved_at: datetime = NOON,
    hours: float | None = None,
) -> str:
    """Return the code of the refusal, and nothing where approvals are enough."""
    found = refusal_of_approvals(
        policy,
        request,
        [Approver(by=one, at=approved_at, hours=hours) for one in people],
        approved_at=approved_at,
        valid_until=valid_until,
        approved=(),
        now=NOON,
    )
    return "" if found is None else found.code


def with_entry(**values: Any) -> Policy:
    """A policy of one entry."""
    return Policy(rules=(entry(place="rules[0]", **values),))


def test_one_approval_is_enough_by_default() -> None:
    """And none is not."""
    assert judged(Policy()) == ""
    assert judged(Policy(), []) == NOT_ENOUGH


def test_an_old_decision_and_a_time_that_is_over_expire() -> None:
    """By the member's own clock."""
    assert judged(Policy(expire_after_hours=1), approved_at=NOON - HOUR) == ""
    assert judged(Policy(expire_after_hours=1), approved_at=NOON - 2 * HOUR) == EXPIRED
    assert judged(Policy(), valid_until=NOON) == EXPIRED
    assert judged(Policy(), valid_until=NOON + HOUR) == ""


def test_different_people_count() -> None:
    """Nobody twice."""
    two = with_entry(approvals=2)
    assert [judged(two, people) for people in (["U1"], ["U1", "U1"], ["U1", "U2"])] == [NOT_ENOUGH, NOT_ENOUGH, ""]


def test_an_entry_with_0_approvals_asks_for_one() -> None:
    """What people decide needs at least one."""
    assert judged(with_entry(approvals=0), []) == NOT_ENOUGH


def test_what_is_denied_now_is_not_applied() -> None:
    """The policy has changed since."""
    assert judged(with_entry(deny="No.")) == NOT_ENOUGH


def test_the_requester_does_not_count_where_that_is_not_allowed() -> None:
    """For asks never; of somebody unknown two have to approve."""
    ask = replace(REQUEST, origin="ask")
    strict = Policy(people=ADA_IS, allow_self_approval=False)
    assert judged(Policy(people=ADA_IS), ["UADA"]) == ""
    assert judged(strict, ["UADA"]) == judged(Policy(people=ADA_IS), ["UADA"], request=ask) == NOT_ENOUGH
    assert judged(strict, ["UADA", "U1"]) == judged(Policy(people=ADA_IS), ["U1"], request=ask) == ""
    assert judged(Policy(allow_self_approval=False), ["U1"]) == judged(Policy(), request=ask) == NOT_ENOUGH
    assert judged(Policy(allow_self_approval=False), ["U1", "U2"]) == ""
    drift = replace(REQUEST, requester=None, origin="snapshot")
    assert judged(Policy(allow_self_approval=False), ["U1"], request=drift) == NOT_ENOUGH


@pytest.mark.parametrize("kind", ["added", "modified"])
def test_hours_hold_for_what_a_change_opens(kind: str) -> None:
    """For good, or for longer, is too long; the clock of central may be a little ahead."""
    change = make_change(added=[OPEN])
    if kind == "modified":
        change = make_change(modified=[Modification(before=OPEN, after=rule(23, "10.0.0.0/8"))])
    request, policy = replace(REQUEST, change=change), with_entry(max_hours=8)
    assert judged(policy, request=request) == NOT_ENOUGH
    assert judged(policy, request=request, valid_until=NOON + 8 * HOUR) == ""
    assert judged(policy, request=request, valid_until=NOON + 8.1 * HOUR) == NOT_ENOUGH
    ahead = NOON + timedelta(minutes=3)
    assert judged(policy, request=request, approved_at=ahead, valid_until=ahead + 8 * HOUR) == ""
    far = NOON + 9 * HOUR
    assert judged(policy, request=request, approved_at=far, valid_until=far + 8 * HOUR) == NOT_ENOUGH


def test_the_hours_that_were_approved_hold_too() -> None:
    """A message that says longer than its approvers is not taken."""
    assert judged(Policy(), hours=8) == NOT_ENOUGH
    assert judged(Policy(), hours=8, valid_until=NOON + 9 * HOUR) == NOT_ENOUGH
    assert judged(Policy(), hours=8, valid_until=NOON + 8 * HOUR) == ""


def test_a_removal_has_no_hours() -> None:
    """It opens nothing."""
    removal = replace(REQUEST, change=make_change(removed=[OPEN]))
    assert judged(with_entry(max_hours=8), request=removal) == ""
