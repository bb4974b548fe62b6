"""A group without room: what the limit refused to restore is restored once room is made."""

from __future__ import annotations

import pytest

from tests.attack.member.attacks import identities, look_twice, names, requests, without
from tests.support.member_account import Member, Person, rule

pytestmark = pytest.mark.usefixtures("repaired_moto")

LIMIT = 60  # https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups
KEPT = [rule(20000 + number, "10.2.0.0/16", "kept") for number in range(LIMIT)]


def filled(member: Member) -> None:
    """Fill the group with approved rules, and adopt it."""
    member.holds(*KEPT)
    member.snapshot()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_rules_in_the_place_of_removed_ones_go_and_the_removed_ones_return(
    member: Member, ada: Person, order: tuple[int, int]
) -> None:
    """Three approved rules are removed and three others fill the room; whichever event comes first."""
    filled(member)
    junk = [rule(30000 + number, "0.0.0.0/0") for number in range(3)]
    happened = [ada.closes(*KEPT[:3]), ada.opens(*junk)]
    for index in order:
        member.deliver(happened[index])
    assert identities(member) == names(*KEPT)
    assert len(requests(member)) >= 2


@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_event_of_a_full_group_is_made_up_by_the_snapshot(member: Member, ada: Person, lost: int) -> None:
    """The snapshot removes before it adds."""
    filled(member)
    junk = [rule(31000 + number, "::/0") for number in range(2)]
    happened = [ada.closes(*KEPT[:2]), ada.opens(*junk)]
    member.deliver(happened[1 - lost])
    look_twice(member)
    assert identities(member) == names(*KEPT)


def test_a_full_group_without_details_is_brought_back_whole(member: Member, ada: Person) -> None:
    """Removals come first, so that there is room."""
    filled(member)
    ada.closes(*KEPT[:5])
    member.deliver(without(ada.opens(*(rule(32000 + number, "0.0.0.0/0") for number in range(5)))))
    assert identities(member) == names(*KEPT)
