"""Every supported change, with every kind of source: reverted exactly, applied exactly.

On moto with the sandbox's repairs: moto itself edits IPv4 rules only, and keeps no description of a group's source.
"""

from __future__ import annotations

from collections.abc import Callable

import boto3
import pytest

from shared.domain.rule import Rule, Source, group, prefix_list
from tests.support import events
from tests.support.member_account import ACCOUNT, REGION, Member, Person, exact, rule, with_description

pytestmark = pytest.mark.usefixtures("repaired_moto")

OTHER_ACCOUNT = "210987654321"
OPEN = rule(22, "0.0.0.0/0", "open to all")


def own_group(member: Member) -> Source:
    """Another group of the account."""
    return group(member.new_group("clients"), account=ACCOUNT)


def peered_group(member: Member) -> Source:
    """A group in the VPC of another account, peered with ours."""
    role = boto3.client("sts", REGION).assume_role(
        RoleArn=f"arn:aws:iam::{OTHER_ACCOUNT}:role/any", RoleSessionName="them"
    )["Credentials"]
    ec2 = boto3.client(
        "ec2",
        REGION,
        aws_access_key_id=role["AccessKeyId"],
        aws_secret_access_key=role["SecretAccessKey"],
        aws_session_token=role["SessionToken"],
    )
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    made = ec2.create_security_group(GroupName="theirs", Description="x", VpcId=vpc)["GroupId"]
    peering = member.ec2.create_vpc_peering_connection(VpcId=member.vpc_id, PeerVpcId=vpc, PeerOwnerId=OTHER_ACCOUNT)
    peering_id = peering["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering_id)
    return group(made, account=OTHER_ACCOUNT, peering=peering_id)


def a_prefix_list(member: Member) -> Source:
    """A managed prefix list."""
    made = member.ec2.create_managed_prefix_list(PrefixListName="x", MaxEntries=5, AddressFamily="IPv4")
    return prefix_list(made["PrefixList"]["PrefixListId"])


SOURCES: dict[str, Callable[[Member], Source]] = {
    "IPv4": lambda _: rule(1, "198.51.100.0/24").source,
    "IPv6": lambda _: rule(1, "2001:db8::/32").source,
    "prefix list": a_prefix_list,
    "group": own_group,
    "group of a peered account": peered_group,
}

PROTOCOLS: dict[str, tuple[str, int | tuple[int, int] | None]] = {
    "one tcp port": ("tcp", 22),
    "udp range": ("udp", (1000, 2000)),
    "all of tcp": ("tcp", None),
    "tcp as number": ("6", 25),
    "all traffic": ("-1", None),
    "ESP by number": ("50", None),
    "echo request": ("icmp", (8, -1)),
    "ICMP type and code": ("icmp", (3, 4)),
    "all ICMP": ("icmp", (-1, -1)),
    "ICMPv6": ("icmpv6", (128, 0)),
    "all ICMPv6 by number": ("58", None),
}


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, member: Member) -> Source:
    """Each kind of source."""
    return SOURCES[request.param](member)


def approve_and_compare(member: Member, wanted: list[Rule]) -> None:
    """Approve what was asked; the group then has to be as the person wanted it, and no drift may be seen."""
    request = member.told_request()
    assert request.status == "pending", request.reason
    member.approve(request)
    member.told_applied()
    assert member.state() == exact(wanted)
    assert member.approved() == exact(wanted)
    member.snapshot()
    assert member.told() == []


def test_an_addition_from_each_kind_of_source(member: Member, ada: Person, source: Source) -> None:
    """Whatever the source, an added rule is closed, and applied as it was shown."""
    member.snapshot()
    new = rule(22, source, "ssh")
    member.deliver(ada.opens(new))
    assert member.state() == []
    approve_and_compare(member, [new])


def test_an_addition_from_each_kind_of_source_without_ec2s_answer(member: Member, ada: Person, source: Source) -> None:
    """The old answer names no rules: what was sent is found in the group and closed."""
    member.snapshot()
    new = rule(22, source, "ssh")
    member.deliver(ada.opens(new, with_answer=False))
    assert member.state() == []
    approve_and_compare(member, [new])


@pytest.mark.parametrize("with_answer", [True, False])
@pytest.mark.parametrize("by_id", [True, False])
def test_a_removal_of_each_kind_of_source(
    member: Member, ada: Person, source: Source, by_id: bool, with_answer: bool
) -> None:
    """Whatever the source and the form of the event, a removed rule is back with description and tags."""
    old = rule(22, source, "ssh", tags=[("team", "shop")])
    member.holds(old, tags=old.tags)
    member.snapshot()
    member.deliver(ada.closes(old, by_id=by_id, with_answer=with_answer))
    assert member.state() == exact([old])
    approve_and_compare(member, [])


def test_an_edit_of_each_kind_of_source(member: Member, ada: Person, source: Source) -> None:
    """Ports and description change in place and back, and the rule keeps id and tags."""
    old, new = rule(22, source, "ssh", tags=[("team", "shop")]), rule((80, 90), source, "web", tags=[("team", "shop")])
    member.holds(old, tags=old.tags)
    member.snapshot()
    rule_id = member.id_of(old)
    member.deliver(ada.edits((old, new)))
    assert member.state() == exact([old])
    assert member.id_of(old) == rule_id
    approve_and_compare(member, [new])
    assert member.id_of(new) == rule_id


@pytest.mark.parametrize("by_id", [True, False])
def test_a_new_description_of_each_kind_of_source(member: Member, ada: Person, source: Source, by_id: bool) -> None:
    """A description changed by permission or by rule id is put back, and the rule keeps its id."""
    old = rule(22, source, "ssh")
    new = with_description(old, "ssh for everybody")
    member.holds(old)
    member.snapshot()
    rule_id = member.id_of(old)
    member.deliver(ada.describes_by_id(new) if by_id else ada.describes(new))
    assert member.state() == exact([old])
    approve_and_compare(member, [new])
    assert member.id_of(new) == rule_id


@pytest.mark.parametrize("family", ["198.51.100.0/24", "2001:db8::/32"])
@pytest.mark.parametrize("name", PROTOCOLS)
def test_each_protocol_is_reverted_and_applied(member: Member, ada: Person, name: str, family: str) -> None:
    """TCP, UDP, ICMP of both families, all traffic and protocols by number are added, removed and restored."""
    protocol, ports = PROTOCOLS[name]
    some = rule(ports, family, "x", protocol=protocol)
    member.snapshot()
    member.deliver(ada.opens(some))
    assert member.state() == []
    approve_and_compare(member, [some])
    member.deliver(ada.closes(some, by_id=False))
    assert member.state() == exact([some])
    approve_and_compare(member, [])


@pytest.mark.parametrize("protocol", ["-1", "47"])
def test_an_edit_to_and_from_a_protocol_without_ports(member: Member, ada: Person, protocol: str) -> None:
    """A rule edited from ports to none, and one edited the other way, come back as they were."""
    some, other = rule(22, "10.0.0.0/8", "a"), rule(None, "10.1.0.0/16", "b", protocol=protocol)
    member.holds(some, other)
    member.snapshot()
    wanted = [rule(None, "10.0.0.0/8", "a", protocol=protocol), rule(22, "10.1.0.0/16", "b")]
    member.deliver(ada.edits((some, wanted[0]), (other, wanted[1])))
    assert member.state() == exact([some, other])
    approve_and_compare(member, wanted)


def test_several_kinds_and_sources_in_one_permission(member: Member, ada: Person) -> None:
    """No source hides behind another: each of a permission's sources is closed, shown and applied."""
    member.snapshot()
    sources = [source(member) for source in SOURCES.values()] + [OPEN.source, rule(1, "::/0").source]
    rules = [rule(22, one, f"source {number}") for number, one in enumerate(sources)]
    event = ada.opens(*rules)
    by_port = events.permission("tcp", 22, 22)
    for one in rules:
        for key, value in events.permission_of(one).items():
            if isinstance(value, dict) and value:
                by_port[key] = {"items": [*by_port[key].get("items", []), *value["items"]]}
    event["detail"]["requestParameters"]["ipPermissions"] = {"items": [by_port]}
    member.deliver(event)
    assert member.state() == []
    request = member.told_request()
    assert exact(request.change.added) == exact(rules)
    member.approve(request)
    member.told_applied()
    assert member.state() == exact(rules)


def test_an_answer_that_is_not_whole_hides_nothing(member: Member, ada: Person) -> None:
    """A rule that was asked for and is there, but is missing in EC2's answer, is closed and shown with the others."""
    member.snapshot()
    rules = [OPEN, rule(443, "0.0.0.0/0", "web")]
    event = ada.opens(*rules)
    event["detail"]["responseElements"]["securityGroupRuleSet"]["items"].pop()
    member.deliver(event)
    assert member.state() == []
    assert exact(member.told_request().change.added) == exact(rules)


@pytest.mark.parametrize("with_answer", [True, False])
def test_sixty_rules_in_one_call(member: Member, ada: Person, with_answer: bool) -> None:
    """The most a group holds, opened in one call, is closed in one and filed as one request."""
    member.snapshot()
    rules = [rule(number, f"10.0.{number}.0/24", f"rule {number}") for number in range(60)]
    member.deliver(ada.opens(*rules, with_answer=with_answer))
    assert member.state() == []
    assert len(member.told_request().change.added) == 60
    member.deliver(ada.opens(*rules, with_answer=with_answer))
    approve_and_compare(member, rules)


def test_tags_of_a_call_are_restored_and_applied(member: Member, ada: Person) -> None:
    """Tags are part of what is asked, applied and restored; each rule keeps its own."""
    blue = rule(1, "10.0.0.0/8", "a", tags=[("colour", "blue")])
    red = rule(2, "10.0.0.0/8", "b", tags=[("colour", "red"), ("team", "shop")])
    plain = rule(3, "10.0.0.0/8", "c")
    for one in (blue, red, plain):
        member.holds(one, tags=one.tags)
    member.snapshot()
    member.deliver(ada.closes(blue, red, plain))
    assert member.state() == exact([blue, red, plain])
    approve_and_compare(member, [])
    new = rule(4, "10.0.0.0/8", "d", tags=[("colour", "green")])
    member.deliver(ada.opens(new, tags=new.tags))
    assert member.state() == []
    approve_and_compare(member, [new])


def test_tags_changed_since_the_baseline_was_learned_are_restored_as_the_snapshot_saw_them(
    member: Member, ada: Person
) -> None:
    """Tags change without asking; the next snapshot takes them over, although nothing else of the rule differs."""
    old = rule(22, "10.0.0.0/8", "ssh")
    member.holds(old)
    member.snapshot()
    member.ec2.create_tags(Resources=[member.id_of(old)], Tags=[{"Key": "team", "Value": "shop"}])
    member.snapshot()
    member.deliver(ada.closes(old))
    assert member.state() == [(old.identity, "ssh", (("team", "shop"),))]


def test_egress_is_ignored_unless_policy_says_otherwise(
    member: Member, ada: Person, policy: Callable[[str], None]
) -> None:
    """Outbound rules change freely, without a word; with `directions` they are guarded like inbound ones."""
    out = rule(25, "0.0.0.0/0", "mail", direction="egress")
    member.snapshot()
    member.deliver(ada.opens(out), ada.describes(with_description(out, "mails")), ada.closes(out))
    member.deliver(ada.opens(out), ada.edits((out, rule(26, "0.0.0.0/0", "mail", direction="egress"))))
    assert member.told() == []
    assert out.identity not in [one.identity for one in member.live(direction="egress")]

    policy('directions = ["ingress", "egress"]')
    member.snapshot()
    before = exact(member.live(direction="egress"))
    dns = rule(53, "0.0.0.0/0", "dns", direction="egress")
    changes: list[Callable[[], events.Json]] = [
        lambda: ada.opens(dns),
        lambda: ada.closes(member.live(direction="egress")[0]),
        lambda: ada.edits((rule(26, "0.0.0.0/0", direction="egress"), dns)),
    ]
    for change in changes:
        member.deliver(change())
        assert exact(member.live(direction="egress")) == before
        assert member.told_request().status == "pending"


def test_an_event_of_a_group_known_by_name_alone(member: Member) -> None:
    """In the default VPC a caller may name the group; it is found, and its rule closed."""
    named = member.ec2.create_security_group(GroupName="by-name", Description="x")["GroupId"]
    member.snapshot()
    person = Person(member, group_id=named)
    event = person.opens(OPEN, with_answer=False)
    parameters = event["detail"]["requestParameters"]
    del parameters["groupId"]
    parameters["groupName"] = "by-name"
    member.deliver(event)
    assert member.state(named) == []
    request = member.told_request()
    assert (request.group_id, request.group_name, request.status) == (named, "by-name", "pending")


def test_the_flat_form_of_a_call(member: Member, ada: Person) -> None:
    """Protocol, ports and CIDR beside an empty list of permissions, as old tools send them, ports as text."""
    member.snapshot()
    event = ada.opens(OPEN, with_answer=False)
    parameters = event["detail"]["requestParameters"]
    parameters |= {"ipPermissions": {}, "ipProtocol": "tcp", "fromPort": "22", "toPort": "22", "cidrIp": "0.0.0.0/0"}
    member.deliver(event)
    assert member.state() == []
    assert [one.identity for one in member.told_request().change.added] == [OPEN.identity]


def test_a_referenced_group_known_by_name_alone_is_found_and_closed(member: Member) -> None:
    """The flat form refers to a group by its name, and stands for all of tcp, udp and icmp: nothing stays open."""
    theirs = member.ec2.create_security_group(GroupName="clients", Description="x")["GroupId"]
    mine = member.ec2.create_security_group(GroupName="servers", Description="x")["GroupId"]
    member.snapshot()
    source = group(theirs, account=ACCOUNT)
    rules = [rule(None, source, protocol=protocol) for protocol in ("icmp", "tcp", "udp")]
    event = Person(member, group_id=mine).opens(*rules, with_answer=False)
    event["detail"]["requestParameters"] = {
        "groupId": mine,
        "ipPermissions": {},
        "sourceSecurityGroupName": "clients",
        "sourceSecurityGroupOwnerId": ACCOUNT,
    }
    member.deliver(event)
    assert member.state(mine) == []
    request = member.told_request()
    assert exact(request.change.added) == exact(rules)
    member.approve(request)
    member.told_applied()
    assert member.state(mine) == exact(rules)


def test_a_named_group_that_cannot_be_found_hides_nothing(member: Member, ada: Person) -> None:
    """Where the name leads nowhere, the unexplained rules of that shape are closed; others are left to their events."""
    member.snapshot()
    rules = [rule(22, own_group(member)), rule(80, "10.0.0.0/8")]
    event = ada.opens(rules[0], with_answer=False)
    other = ada.opens(rules[1])
    pair = event["detail"]["requestParameters"]["ipPermissions"]["items"][0]["groups"]["items"][0]
    del pair["groupId"]
    pair["groupName"] = "gone"
    member.deliver(event)
    assert member.state() == exact([rules[1]])
    assert exact(member.told_request().change.added) == exact([rules[0]])
    member.deliver(other)
    assert member.state() == []


def test_a_peered_group_sent_without_its_owner_is_closed(member: Member, ada: Person) -> None:
    """Requests often leave out the owner of a referenced group; that must not make the rule look like another one."""
    member.snapshot()
    source = peered_group(member)
    event = ada.opens(rule(22, source), with_answer=False)
    del event["detail"]["requestParameters"]["ipPermissions"]["items"][0]["groups"]["items"][0]["userId"]
    member.deliver(event)
    assert member.state() == []
    request = member.told_request()
    assert [one.source for one in request.change.added] == [source]


@pytest.mark.parametrize("code", ["Client.UnauthorizedOperation", "Client.DryRunOperation"])
def test_calls_that_failed_and_dry_runs_are_ignored(member: Member, ada: Person, code: str) -> None:
    """What changed nothing is neither reverted nor told."""
    member.holds(OPEN)
    member.snapshot()
    parameters = {"groupId": member.group_id, "ipPermissions": {"items": [events.permission_of(OPEN)]}}
    for name in ("AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"):
        member.deliver(ada.event(name, parameters, None, errorCode=code, errorMessage="no"))
    assert member.told() == []
    assert member.state() == exact([OPEN])


def test_a_new_group_starts_with_an_empty_baseline(member: Member, ada: Person) -> None:
    """The group's first rule is already guarded, and an edit of it is known for what it is."""
    made = member.new_group("new")
    parameters = {"groupName": "new", "groupDescription": "x", "vpcId": member.vpc_id}
    member.deliver(ada.event("CreateSecurityGroup", parameters, {"groupId": made}))
    assert member.approved(made) == []
    person = Person(member, group_id=made)
    first = person.opens(OPEN)
    edit = person.edits((OPEN, rule(23, "0.0.0.0/0")))
    member.deliver(edit, first)
    assert member.state(made) == []
    assert [one.request.group_name for one in member.told()] == ["new", "new"]


def test_a_deleted_group_is_forgotten(member: Member, ada: Person) -> None:
    """Its baseline goes with the group; an event that comes afterwards is shown, with nothing in force."""
    made = member.new_group()
    member.snapshot()
    person = Person(member, group_id=made)
    event = person.opens(OPEN)
    member.ec2.delete_security_group(GroupId=made)
    member.deliver(ada.event("DeleteSecurityGroup", {"groupId": made}, {"requestId": "r", "_return": True}))
    assert member.baseline(made) is None
    member.deliver(event)
    request = member.told_request()
    assert request.status == "observed"
    assert "deleted since" in request.reason
    assert member.baseline(made) is None


def test_the_late_deletion_of_a_group_does_not_forget_another_of_the_same_name(member: Member, ada: Person) -> None:
    """A deletion by name says nothing about the group that has the name now."""
    made = member.ec2.create_security_group(GroupName="again", Description="x")["GroupId"]
    member.snapshot()
    member.deliver(ada.event("DeleteSecurityGroup", {"groupName": "again"}, {"_return": True}))
    assert member.baseline(made) is not None


def test_a_group_named_by_a_name_that_is_gone_leaves_all_others_alone(member: Member, ada: Person) -> None:
    """A call on a group deleted since is no reason to look at every group of the region at once."""
    member.snapshot()
    member.holds(OPEN)
    event = ada.event(
        "AuthorizeSecurityGroupIngress",
        {"groupName": "gone", "ipPermissions": {"items": [events.permission_of(OPEN)]}},
        {"_return": True},
    )
    member.deliver(event)
    assert member.told() == []
    assert member.state() == exact([OPEN])
