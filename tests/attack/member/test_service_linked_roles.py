"""AWS's own roles may change rules, by policy, and never in silence; look-alikes may not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.attack.member.attacks import added, identities, look_twice, names, requests
from tests.support.events import Json, assumed_role, service_linked
from tests.support.member_account import ACCOUNT, Member, Person, rule

pytestmark = pytest.mark.usefixtures("repaired_moto")

WIDE = rule((1, 1024), "0.0.0.0/0", "listener")
LOOK_ALIKES: dict[str, Json] = {
    "another account's": service_linked(account="210987654321"),
    "path below another one": assumed_role(
        "AWSServiceRoleForX", "x", account=ACCOUNT, path="/me/aws-service-role/elasticloadbalancing.amazonaws.com/"
    ),
    "name alone": assumed_role("AWSServiceRoleForElasticLoadBalancing", "x", account=ACCOUNT),
    "invokedBy alone": {**assumed_role("x", "y", account=ACCOUNT), "invokedBy": "elasticloadbalancing.amazonaws.com"},
    "an AWS service without role": {"type": "AWSService", "invokedBy": "elasticloadbalancing.amazonaws.com"},
}


def test_a_service_linked_role_is_accepted_and_told(member: Member) -> None:
    """A classic load balancer opens a group at a user's wish: monitoring hears of it."""
    member.snapshot()
    member.deliver(Person(member, identity=service_linked(account=ACCOUNT)).opens(WIDE))
    look_twice(member)
    assert identities(member) == names(WIDE)
    (told,) = requests(member)
    assert told.status == "observed"
    assert added([told]) == names(WIDE)


def test_a_service_that_policy_does_not_name_has_to_ask(member: Member, policy: Callable[[str], None]) -> None:
    """The list names services; all others are reverted."""
    policy('[exempt]\nservice_linked_roles = ["autoscaling"]')
    member.snapshot()
    member.deliver(Person(member, identity=service_linked(account=ACCOUNT)).opens(WIDE))
    assert identities(member) == set()
    assert [one.status for one in requests(member)] == ["pending"]


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_what_only_looks_like_a_service_linked_role_has_to_ask(member: Member, name: str) -> None:
    """Session names, role names, paths and `invokedBy` are a caller's choice."""
    member.snapshot()
    member.deliver(Person(member, identity=LOOK_ALIKES[name]).opens(WIDE))
    assert identities(member) == set()
    assert added(requests(member)) == names(WIDE)
