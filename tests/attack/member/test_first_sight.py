"""After adoption nothing is accepted because it was seen: a new group starts with what AWS gives it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from shared.domain.rule import group
from tests.attack.member.attacks import PIPELINE_POLICY, added, default_group, identities, look_twice, requests, without
from tests.support.events import Json, assumed_role
from tests.support.member_account import ACCOUNT, Member, Person, at, rule

pytestmark = pytest.mark.usefixtures("repaired_moto")

WIDE = rule((0, 65535), "::/0", "everything")
SMALL = rule(8443, "10.3.0.0/16", "small")
PARTS = [("requestParameters",), ("responseElements",), ("requestParameters", "responseElements")]


def created(member: Member, group_id: str) -> Json:
    """The event of a group's creation, which may come at any time."""
    parameters = {"groupName": "n", "vpcId": member.vpc_id, "groupDescription": "x"}
    return Person(member).event("CreateSecurityGroup", parameters, {"groupId": group_id, "_return": True})


@pytest.mark.parametrize("parts", PARTS)
def test_a_default_group_never_heard_of_keeps_only_its_own_rule(member: Member, parts: tuple[str, ...]) -> None:
    """CreateVpc makes it; a call whose details are left out opens it; what AWS gave it stays."""
    member.snapshot()
    group_id = default_group(member)
    given = identities(member, group_id)
    assert given == {f"ingress/-1/all/group/{ACCOUNT}:{group_id}"}
    member.deliver(without(Person(member, group_id=group_id).opens(WIDE), *parts))
    look_twice(member)
    assert identities(member, group_id) == given
    assert WIDE.identity in added(requests(member))


def test_a_default_group_in_which_nothing_happens_is_left_alone(member: Member) -> None:
    """Its rule for its own members is AWS's, and no difference."""
    member.snapshot()
    group_id = default_group(member)
    given = identities(member, group_id)
    look_twice(member)
    assert identities(member, group_id) == given
    assert requests(member) == []


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("snapshot_before", [0, 1, 2, 3])
def test_no_order_of_creation_opening_and_snapshot_accepts_anything(
    member: Member, order: tuple[int, ...], snapshot_before: int
) -> None:
    """The creation is overtaken, lost, or a snapshot comes in between: the new rules go and are asked about."""
    member.snapshot()
    group_id = member.new_group()
    eve = Person(member, group_id=group_id)
    happened = [created(member, group_id), without(eve.opens(WIDE)), eve.opens(SMALL)]
    for number, index in enumerate(order):
        if number == snapshot_before:
            member.snapshot()
        member.deliver(happened[index])
    look_twice(member)
    assert identities(member, group_id) == set()
    assert {WIDE.identity, SMALL.identity} <= added(requests(member))


@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_event_of_a_new_group_accepts_nothing(member: Member, lost: int) -> None:
    """Whether the creation or the opening is lost, the snapshot finds the difference and reverts it."""
    member.snapshot()
    group_id = member.new_group()
    happened = [created(member, group_id), Person(member, group_id=group_id).opens(WIDE)]
    member.deliver(happened[1 - lost])
    look_twice(member)
    assert identities(member, group_id) == set()
    assert WIDE.identity in added(requests(member))


def test_a_small_call_heard_first_accepts_nothing_else(member: Member) -> None:
    """The comparison that a readable call brings about does not learn what an unreadable one opened."""
    member.snapshot()
    group_id = default_group(member)
    eve = Person(member, group_id=group_id)
    unread, small = without(eve.opens(WIDE)), eve.opens(SMALL)
    member.deliver(small)
    member.deliver(unread)
    assert identities(member, group_id) == {f"ingress/-1/all/group/{ACCOUNT}:{group_id}"}
    assert added(requests(member)) == {WIDE.identity, SMALL.identity}


def test_an_exempt_call_on_a_new_group_accepts_only_itself(member: Member, policy: Callable[[str], None]) -> None:
    """What the pipeline opens is approved; what somebody else opened in the same group is not."""
    policy(PIPELINE_POLICY)
    member.snapshot()
    group_id = default_group(member)
    pipeline = Person(member, identity=assumed_role("pipeline", "run-4", account=ACCOUNT), group_id=group_id)
    unread = without(Person(member, group_id=group_id).opens(WIDE))
    member.deliver(pipeline.opens(SMALL))
    member.deliver(unread)
    look_twice(member)
    given = f"ingress/-1/all/group/{ACCOUNT}:{group_id}"
    assert identities(member, group_id) == {given, SMALL.identity}


def test_an_exempt_removal_of_the_rule_aws_gave_stays(member: Member, policy: Callable[[str], None]) -> None:
    """By id, with an answer that CloudTrail left out: the first thing ever heard of the group."""
    policy(PIPELINE_POLICY)
    member.snapshot()
    group_id = default_group(member)
    (given,) = member.live(group_id)
    pipeline = Person(member, identity=assumed_role("pipeline", "run-4", account=ACCOUNT), group_id=group_id)
    member.deliver(without(pipeline.closes(given), "responseElements"))
    look_twice(member)
    assert identities(member, group_id) == set()


def test_an_edit_of_the_rule_aws_gave_is_reverted(member: Member) -> None:
    """It is the only one of AWS's rules that is missing, so the edited id was its own."""
    member.snapshot()
    group_id = default_group(member)
    (facts,) = member.ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    peer = {"GroupName": "peer", "Description": "x", "VpcId": facts["VpcId"]}
    other = member.ec2.create_security_group(**peer)["GroupId"]
    (given,) = member.live(group_id)
    eve = Person(member, group_id=group_id)
    member.deliver(eve.edits((given, rule(None, group(other, account=ACCOUNT), protocol="-1"))))
    assert identities(member, group_id) == {given.identity}
    look_twice(member)
    assert identities(member, group_id) == {given.identity}
    assert len(requests(member)) == 1


def test_an_edit_in_a_group_never_seen_is_revoked_and_asked_as_an_addition(member: Member) -> None:
    """Nobody approved the rule before the edit either."""
    member.snapshot()
    group_id = member.new_group()
    eve = Person(member, group_id=group_id)
    opened, edited = eve.opens(SMALL), eve.edits((SMALL, rule(23, "198.51.100.0/24", "telnet")))
    member.deliver(edited)
    assert identities(member, group_id) == set()
    member.deliver(opened)
    look_twice(member)
    assert identities(member, group_id) == set()
    assert rule(23, "198.51.100.0/24").identity in added(requests(member))


def test_outbound_rules_of_a_new_group_start_with_what_aws_gives(member: Member, policy: Callable[[str], None]) -> None:
    """Where outbound rules are guarded, allow-all stays, and what was added beside it goes."""
    policy('directions = ["ingress", "egress"]')
    member.snapshot()
    group_id = member.new_group()
    given = identities(member, group_id, "egress")
    assert given == {"egress/-1/all/ipv4/0.0.0.0/0"}
    out = rule(25, "203.0.113.0/24", "mail", direction="egress")
    member.deliver(without(Person(member, group_id=group_id).opens(out)))
    look_twice(member)
    assert identities(member, group_id, "egress") == given
    assert out.identity in added(requests(member))


def test_what_was_opened_before_adoption_goes_when_its_event_arrives(member: Member) -> None:
    """Adoption accepts the rule, the late event of somebody who has to ask takes it out again."""
    late = Person(member).opens(WIDE, eventTime=at(datetime.now(UTC) - timedelta(seconds=30)))
    member.snapshot()
    assert identities(member) == {WIDE.identity}
    member.deliver(late)
    look_twice(member)
    assert identities(member) == set()
    assert added(requests(member)) == {WIDE.identity}
