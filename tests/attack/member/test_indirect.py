"""Calls that change what approved rules mean: announced with what they change, never reverted."""

from __future__ import annotations

import pytest

from shared.domain.rule import prefix_list
from tests.attack.member.attacks import identities, look_twice, names, requests
from tests.support.events import Json
from tests.support.member_account import Member, Person, rule

pytestmark = pytest.mark.usefixtures("repaired_moto")

LIST_ID = "pl-0a1b2c3d4e5f60718"
OFFICES = rule(8443, prefix_list(LIST_ID), "offices")


def wrapped(name: str, **parameters: object) -> Json:
    """Return request parameters as CloudTrail records these calls."""
    return {f"{name}Request": {"PrefixListId": LIST_ID, **parameters}}


CALLS: dict[str, tuple[str, Json, str]] = {
    "entries added and removed": (
        "ModifyManagedPrefixList",
        wrapped("ModifyManagedPrefixList", AddEntry={"Cidr": "0.0.0.0/1"}, RemoveEntry=[{"Cidr": "10.9.0.0/16"}]),
        "added 0.0.0.0/1, removed 10.9.0.0/16",
    ),
    "an earlier version": (
        "RestoreManagedPrefixListVersion",
        wrapped("RestoreManagedPrefixListVersion", PreviousVersion=3),
        "its version 3",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_changed_prefix_list_is_announced_with_the_rules_it_widens(member: Member, ada: Person, name: str) -> None:
    """Both what was changed and which approved rules mean something else now are said; the rule stays."""
    member.holds(OFFICES)
    member.snapshot()
    member.told()
    call, parameters, said = CALLS[name]
    member.deliver(ada.event(call, parameters, None))
    (told,) = requests(member)
    assert (told.status, told.event_name) == ("observed", call)
    assert said in told.reason
    assert f"{member.group_id} {OFFICES.identity}" in told.reason
    look_twice(member)
    assert identities(member) == names(OFFICES)
    assert requests(member) == []


def test_a_group_associated_with_another_vpc_is_announced(member: Member, ada: Person) -> None:
    """The rules of the group apply in one more VPC."""
    member.snapshot()
    member.told()
    parameters = {"AssociateSecurityGroupVpcRequest": {"GroupId": member.group_id, "VpcId": "vpc-0123456789abcdef0"}}
    member.deliver(ada.event("AssociateSecurityGroupVpc", parameters, None))
    (told,) = requests(member)
    assert (told.status, told.group_id) == ("observed", member.group_id)
    assert "apply in vpc-0123456789abcdef0 too" in told.reason
