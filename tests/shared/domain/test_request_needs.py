"""What a stored request needs: the entries of ``[[rules]]``, and what its origin asks for at least."""

from __future__ import annotations

import pytest

from shared.domain.change import make_change
from shared.domain.policy import Policy
from shared.domain.reach import PrefixList, Reach
from shared.domain.request import Origin
from shared.domain.request_needs import needs_of
from shared.domain.rule import cidr, prefix_list
from tests.support.central_account import make_request
from tests.support.examples import ADA, tcp
from tests.support.risk import entry

PEOPLE = (("arn:aws:iam::*:user/ada", "U061F7AUR"),)


@pytest.mark.parametrize(
    ("origin", "allow_self_approval", "is_known", "approvals"),
    [
        ("call", True, False, 1),
        ("call", False, True, 1),
        ("call", False, False, 2),
        ("snapshot", False, False, 2),
        ("ask", True, True, 1),
        ("ask", True, False, 2),
        ("ended", True, False, 1),
    ],
)
def test_where_the_maker_may_not_approve_an_unknown_maker_takes_two_people(
    origin: Origin, allow_self_approval: bool, is_known: bool, approvals: int
) -> None:
    """One of the two may be the maker, the other is not."""
    policy = Policy(allow_self_approval=allow_self_approval, people=PEOPLE if is_known else ())
    assert needs_of(policy, make_request(origin=origin, requester=ADA)).approvals == approvals


def test_nobody_is_known_to_have_made_a_difference() -> None:
    """A request without a requester needs two people where self-approval is off."""
    policy = Policy(allow_self_approval=False, people=PEOPLE)
    assert needs_of(policy, make_request(origin="snapshot", requester=None)).approvals == 2


def test_a_request_that_people_decide_needs_at_least_one() -> None:
    """Also where an entry with 0 approvals contains it: it is asked for a reason."""
    policy = Policy(rules=(entry(approvals=0, sources=("private",)),))
    change = make_change(added=[tcp(443, source=cidr("10.0.0.0/16"))])
    assert needs_of(policy, make_request(change=change)).approvals == 1


def test_the_entries_of_the_policy_hold() -> None:
    """With the approved rules that the request carries, or with those that are given."""
    policy = Policy(rules=(entry(approvals=2, sources=("internet",)),))
    half = make_request(change=make_change(added=[tcp(22, source=cidr("0.0.0.0/9"))]))
    assert needs_of(policy, half).approvals == 1
    assert (
        needs_of(policy, half, [tcp(22, source=cidr("1.128.0.0/9")), tcp(22, source=cidr("2.0.0.0/9"))]).approvals == 2
    )


@pytest.mark.parametrize(("owner", "approvals"), [("AWS", 1), ("111111111111", 2), ("", 2)])
def test_a_prefix_list_matches_every_class_unless_aws_owns_it(owner: str, approvals: int) -> None:
    """What the request says of the list counts; where it is not known, it may hold anything."""
    policy = Policy(rules=(entry(approvals=2, sources=("internet",)),))
    lists = (PrefixList(list_id="pl-1", owner=owner),) if owner else ()
    change = make_change(added=[tcp(443, source=prefix_list("pl-1"))])
    assert needs_of(policy, make_request(change=change, reach=Reach(prefix_lists=lists))).approvals == approvals
