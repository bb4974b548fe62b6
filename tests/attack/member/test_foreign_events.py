"""Events of other accounts and regions, replayed ones, and records that are no management events change nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.attack.member.attacks import PIPELINE_POLICY, added, identities, look_twice, names, requests, without
from tests.support import events
from tests.support.events import Json, assumed_role
from tests.support.member_account import ACCOUNT, Member, Person, rule

pytestmark = pytest.mark.usefixtures("repaired_moto")

FOREIGN = "210987654321"
KEPT = rule(8443, "10.8.0.0/16", "kept")
WIDE = rule(22, "::/0", "wide")


def pipeline(member: Member, *, account: str = ACCOUNT, group_id: str = "") -> Person:
    """The exempt pipeline, of this account or another one."""
    return Person(member, identity=assumed_role("pipeline", "run-8", account=account), group_id=group_id)


def elsewhere(event: Json, where: str) -> Json:
    """Return the event as one of another account or region, in the record, the envelope or both."""
    part, _, of = where.partition(" of ")
    value, key, inner = (
        (FOREIGN, "account", "recipientAccountId") if part == "account" else ("us-east-1", "region", "awsRegion")
    )
    if of in ("the envelope", "both"):
        event[key] = value
    if of in ("the record", "both"):
        event["detail"][inner] = value
    return event


PLACES = [f"{part} of {where}" for part in ("account", "region") for where in ("the envelope", "the record", "both")]


@pytest.mark.parametrize("where", PLACES)
def test_an_exempt_call_from_elsewhere_opens_nothing(member: Member, policy: Callable[[str], None], where: str) -> None:
    """Forwarded to this bus with our group's id: it is not approved, so nothing is opened by a comparison later."""
    policy(PIPELINE_POLICY)
    member.snapshot()
    made = pipeline(member, account=FOREIGN).opens(WIDE)
    (live,) = member.live()
    member.ec2.revoke_security_group_ingress(GroupId=member.group_id, SecurityGroupRuleIds=[live.rule_id])
    member.deliver(elsewhere(made, where))
    look_twice(member)
    assert identities(member) == set()
    assert member.approved() == []
    assert requests(member) == []


@pytest.mark.parametrize("where", PLACES)
def test_a_foreign_removal_by_group_name_restores_and_asks_nothing(member: Member, where: str) -> None:
    """Group by name, of another account that has one of the same name."""
    vpc = member.ec2.create_default_vpc()["Vpc"]["VpcId"] if not _has_default_vpc(member) else ""
    named = member.ec2.create_security_group(GroupName="shop", Description="x", **({"VpcId": vpc} if vpc else {}))
    member.snapshot()
    parameters = {"groupName": "shop", "ipPermissions": {"items": [events.permission_of(WIDE)]}}
    event = Person(member).event("RevokeSecurityGroupIngress", parameters, {"_return": True})
    member.deliver(elsewhere(event, where))
    look_twice(member)
    assert identities(member, named["GroupId"]) == set()
    assert requests(member) == []


def _has_default_vpc(member: Member) -> bool:
    wanted = [{"Name": "is-default", "Values": ["true"]}]
    return bool(member.ec2.describe_vpcs(Filters=wanted)["Vpcs"])


@pytest.mark.parametrize("category", ["NetworkActivity", "Data", "Insight"])
def test_a_record_that_is_no_management_event_reverts_nothing(
    member: Member, policy: Callable[[str], None], category: str
) -> None:
    """It names a call without its parameters; other changes on their way must survive it."""
    policy(PIPELINE_POLICY)
    member.snapshot()
    wanted = rule(8090, "10.7.0.0/16", "on its way")
    late = pipeline(member).opens(wanted)
    record = Person(member).event("AuthorizeSecurityGroupIngress", None, None, eventCategory=category)
    member.deliver(record)
    assert identities(member) == names(wanted)
    member.deliver(late)
    look_twice(member)
    assert identities(member) == names(wanted)
    assert requests(member) == []


def test_a_record_without_category_is_a_management_event(member: Member, ada: Person) -> None:
    """Older records have no such field."""
    member.snapshot()
    event = ada.opens(WIDE)
    del event["detail"]["eventCategory"]
    member.deliver(event)
    assert identities(member) == set()
    assert added(requests(member)) == names(WIDE)


def test_a_replayed_exempt_call_opens_nothing(member: Member, policy: Callable[[str], None]) -> None:
    """EventBridge marks what it replays from an archive."""
    policy(PIPELINE_POLICY)
    member.snapshot()
    one = pipeline(member)
    opened = one.opens(WIDE)
    member.deliver(opened, one.closes(WIDE))
    opened["replay-name"] = "last-month"
    member.deliver(opened)
    look_twice(member)
    assert identities(member) == set()


def test_a_replayed_call_of_somebody_who_must_ask_asks_nothing(member: Member, ada: Person) -> None:
    """It was asked about when it was made."""
    member.snapshot()
    event = ada.opens(WIDE)
    event["replay-name"] = "last-month"
    member.deliver(without(event))
    assert requests(member) == []
    look_twice(member)
    assert identities(member) == set()
    assert added(requests(member)) == names(WIDE)


def test_a_foreign_event_does_not_undo_what_stands(member: Member) -> None:
    """A call of another account without details compares nothing here."""
    member.holds(KEPT)
    member.snapshot()
    member.deliver(elsewhere(without(Person(member).event("ModifySecurityGroupRules", {}, {})), "account of both"))
    assert identities(member) == names(KEPT)
    assert requests(member) == []
