"""What a click comes to: who may, how many are missing, and for how many hours; all of it by today's policy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.approval import Judgement, Terms, counting, judge, terms_of
from shared.domain.change import Change, make_change
from shared.domain.needs import Needs
from shared.domain.policy import Policy, strictest
from shared.domain.request import Approver
from tests.support.central_account import make_request
from tests.support.examples import ADA, tcp
from tests.support.risk import entry

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
PEOPLE = (("arn:aws:iam::*:user/ada", "U0ADA"),)
TWO = Terms(needs=Needs(approvals=2))


def by(user_id: str, hours: float | None = None, minutes: int = 0) -> Approver:
    """Return somebody's approval."""
    return Approver(by=user_id, at=NOON + timedelta(minutes=minutes), hours=hours)


def approve(terms: Terms, *approvals: Approver) -> Judgement:
    """Return what the last of these clicks comes to."""
    return judge(terms, approvals[:-1], approvals[-1], approving=True)


# -- how many ----------------------------------------------------------------------------------------------------------


def test_one_approval_is_enough_by_default() -> None:
    """For good, by anybody."""
    assert approve(Terms(), by("U1")) == Judgement(outcome="approved", approvals=(by("U1"),))


def test_two_different_people_approve_where_two_are_needed() -> None:
    """The first is counted, the second decides; both are named, oldest first."""
    first = approve(TWO, by("U1"))
    assert (first.outcome, first.missing, first.approvals) == ("counted", 1, (by("U1"),))
    assert approve(TWO, by("U1"), by("U2")) == Judgement(outcome="approved", approvals=(by("U1"), by("U2")))


def test_the_same_person_twice_counts_once() -> None:
    """The earlier approval stands; somebody else is still missing."""
    again = approve(TWO, by("U1"), by("U1", minutes=5))
    assert (again.outcome, again.missing, again.approvals) == ("repeated", 1, (by("U1"),))


def test_one_denial_is_enough() -> None:
    """Whoever has approved before."""
    assert judge(TWO, [by("U1")], by("U2"), approving=False).outcome == "denied"
    assert judge(TWO, [by("U1")], by("U1"), approving=False).outcome == "denied"


def test_an_approval_that_is_needed_no_more_is_made_by_the_next_click() -> None:
    """The policy asked for two and now for one: who approved before can click again."""
    assert approve(Terms(), by("U1"), by("U1", minutes=5)).outcome == "approved"
    assert [one.by for one in approve(Terms(), by("U1"), by("U2")).approvals] == ["U1", "U2"]


# -- who ---------------------------------------------------------------------------------------------------------------


def test_an_earlier_approval_of_somebody_who_may_not_any_more_does_not_count() -> None:
    """Removed from the account's approvers, or from those of an entry."""
    for terms in (
        replace(TWO, policy=Policy(approvers=("U2", "U3"))),
        replace(TWO, needs=Needs(approvals=2, approvers=(("U2", "U3"),))),
    ):
        assert counting(terms, [by("U1"), by("U2")]) == (by("U2"),)
        judged = approve(terms, by("U1"), by("U2"))
        assert (judged.outcome, judged.missing, judged.approvals) == ("counted", 1, (by("U2"),))


def test_stored_twice_counts_once() -> None:
    """Whatever is stored: a person is a person."""
    assert counting(TWO, [by("U1"), by("U1", 8)]) == (by("U1"),)


def test_an_approver_is_in_every_list() -> None:
    """Of the account and of each entry that matches; who is in one of them only is told who may."""
    terms = Terms(policy=Policy(approvers=("U1", "U2", "U3")), needs=Needs(approvers=(("U1", "U2"), ("U2", "U3"))))
    assert approve(terms, by("U2")).outcome == "approved"
    for user_id in ("U1", "U3", "U4"):
        refused = approve(terms, by(user_id))
        assert (refused.outcome, refused.people) == ("not allowed", ("U2",))
        assert "You are not one of" in refused.reason


def test_who_is_in_one_list_of_an_entry_may_deny() -> None:
    """Everybody whose approval an entry asks for may say no; nobody else."""
    terms = Terms(needs=Needs(approvers=(("U1", "U2"), ("U2", "U3"))))
    for user_id, outcome in (("U1", "denied"), ("U2", "denied"), ("U3", "denied"), ("U4", "not allowed")):
        assert judge(terms, [], by(user_id), approving=False).outcome == outcome
    assert judge(Terms(policy=Policy(approvers=("U1",))), [], by("U2"), approving=False).outcome == "not allowed"


def test_a_user_group_counts_nobody() -> None:
    """Who is in it is not known without a bot token; the clicker reads that too few people may approve."""
    assert approve(Terms(needs=Needs(approvers=(("S1", "U1"),))), by("U1")).outcome == "approved"
    refused = approve(Terms(needs=Needs(approvers=(("S1",),))), by("U1"))
    assert (refused.outcome, refused.people) == ("not allowed", ("S1",))
    alone = approve(Terms(needs=Needs(approvals=2, approvers=(("U1",),))), by("U2"))
    assert "too few people" in alone.reason


def test_the_requester_is_not_named_among_those_who_may() -> None:
    """Where nobody may approve their own change."""
    policy = Policy(allow_self_approval=False, people=PEOPLE, approvers=("U0ADA", "U1"))
    terms = terms_of(policy, make_request(requester=ADA))
    refused = approve(terms, by("U0ADA"))
    assert (refused.outcome, refused.people) == ("not allowed", ("U1",))
    assert "yourself" in refused.reason


@pytest.mark.parametrize(
    ("origin", "allow_self_approval", "outcome"),
    [("call", True, "approved"), ("call", False, "not allowed"), ("ask", True, "not allowed")],
)
def test_an_ask_is_never_approved_by_its_requester(origin: str, allow_self_approval: bool, outcome: str) -> None:
    """Whatever the policy says of other changes; they may still deny it, and anybody else may approve it."""
    policy = Policy(allow_self_approval=allow_self_approval, people=PEOPLE)
    terms = terms_of(policy, make_request(origin=origin, requester=ADA))
    assert approve(terms, by("U0ADA")).outcome == outcome
    assert approve(terms, by("U1")).outcome == "approved"
    assert judge(terms, [], by("U0ADA"), approving=False).outcome == "denied"


@pytest.mark.parametrize("requester", [ADA, None])
def test_a_change_by_somebody_unknown_takes_two_people(requester: object) -> None:
    """One of them may have made it; drift too."""
    terms = terms_of(Policy(allow_self_approval=False), make_request(requester=requester))
    assert approve(terms, by("U1")).missing == 1
    assert approve(terms, by("U1"), by("U2")).outcome == "approved"


def test_nobody_decides_without_a_policy_and_no_approval_counts() -> None:
    """Neither a click nor what was approved before."""
    terms = Terms(policy=strictest("It is missing.").general, needs=Needs(approvers=(("U1",),)))
    refused = approve(terms, by("U1"))
    assert (refused.outcome, refused.people) == ("not allowed", ())
    assert "It is missing." in refused.reason
    assert counting(terms, [by("U1")]) == ()


def test_what_the_policy_denies_by_now_is_not_approved() -> None:
    """It was asked by an older policy; it can still be denied."""
    policy = Policy(rules=(entry(deny="Never to the internet."),))
    terms = terms_of(policy, make_request())
    assert approve(terms, by("U1")).reason == "The policy now denies such a change: Never to the internet."
    assert judge(terms, [], by("U1"), approving=False).outcome == "denied"


# -- for how long ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offers", "max_hours", "hours", "is_for_good"),
    [
        ((), None, (), True),
        ((72, 8), None, (8, 72), True),
        ((8, 72), 24, (8, 24), False),
        ((), 0.5, (0.5,), False),
        ((8, 72), 8, (8,), False),
    ],
)
def test_hours_are_offered_within_the_limit(
    offers: tuple[float, ...], max_hours: float | None, hours: tuple[float, ...], is_for_good: bool
) -> None:
    """Where for good is not allowed the limit itself is always offered."""
    terms = Terms(policy=Policy(offer_hours=offers), needs=Needs(max_hours=max_hours), takes_hours=True)
    assert (terms.hours, terms.is_for_good) == (hours, is_for_good)
    offered = [None, *range(1, 100), 0.5]
    accepted = [one for one in offered if approve(terms, by("U1", one)).outcome == "approved"]
    assert accepted == [*([None] if is_for_good else []), *sorted(hours)]


@pytest.mark.parametrize(
    ("change", "takes_hours"),
    [
        (make_change(added=[tcp(22)]), True),
        (make_change(removed=[tcp(22)]), False),
        (make_change(added=[tcp(22)], removed=[tcp(23)]), True),
    ],
)
def test_a_removal_has_no_hours(change: Change, takes_hours: bool) -> None:
    """It opens nothing: a limit does not hold, and hours are refused."""
    policy = Policy(offer_hours=(8,), rules=(entry(max_hours=4),))
    terms = terms_of(policy, make_request(change=change))
    assert (approve(terms, by("U1")).outcome == "approved") is not takes_hours
    assert (approve(terms, by("U1", 4)).outcome == "approved") is takes_hours


def test_the_clicker_reads_what_is_offered() -> None:
    """For each of the three ways to be wrong."""
    offering = Terms(policy=Policy(offer_hours=(8,)), takes_hours=True)
    assert approve(offering, by("U1", 9)).reason == ("It cannot be approved for 9 h. The policy offers: 8 h, for good.")
    limited = replace(offering, needs=Needs(max_hours=8))
    assert approve(limited, by("U1")).reason == "It cannot be approved for good, only for at most 8 h."
    assert approve(limited, by("U1", 9)).reason == "It cannot be approved for 9 h. The policy offers: 8 h."
    assert "only be approved for good" in approve(Terms(), by("U1", 9)).reason


def test_hours_with_many_digits_are_recognised() -> None:
    """The button carries six of them."""
    terms = Terms(policy=Policy(offer_hours=(1 / 3,)), takes_hours=True)
    assert approve(terms, by("U1", 0.333333)).outcome == "approved"


def test_of_several_approvals_the_shortest_counts() -> None:
    """Also of one person's two choices; those that do not count any more do not shorten anything."""
    terms = Terms(policy=Policy(offer_hours=(8, 72)), needs=Needs(approvals=2), takes_hours=True)
    assert approve(terms, by("U1", 72), by("U2", 8)).hours == 8
    assert approve(terms, by("U1", 8), by("U2", 72)).hours == 8
    assert approve(terms, by("U1", 8), by("U2")).hours == 8
    assert approve(terms, by("U1"), by("U2")).hours is None
    assert approve(replace(terms, needs=Needs()), by("U1", 8), by("U1")).hours == 8
    gone = replace(terms, needs=Needs(approvers=(("U2",),)))
    assert approve(gone, by("U1", 8), by("U2")).hours is None
    assert approve(Terms(needs=Needs(approvals=2)), by("U1", 8), by("U2")).hours is None
