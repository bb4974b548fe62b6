"""EC2's API forms: what EC2 shows is read, and what is sent means exactly the rules it was made from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from member.chalicelib.cloudtrail.rules import requested_rules
from member.chalicelib.ec2.forms import permissions, rule_from_api, rule_request, tag_specification
from shared.domain.change import by_identity
from shared.domain.rule import Rule, cidr, group, group_by_name, make_rule, prefix_list
from shared.wire.fields import Field, FieldError
from tests.support import strategies

OWNER = "222222222222"
PEERED = group("sg-2", account="333333333333", peering="pcx-1")


def api_form(rule: Rule) -> dict[str, Any]:
    """A rule as ``DescribeSecurityGroupRules`` shows it."""
    document: dict[str, Any] = {
        "SecurityGroupRuleId": rule.rule_id,
        "GroupId": "sg-1",
        "GroupOwnerId": OWNER,
        "IsEgress": rule.direction == "egress",
        "IpProtocol": rule.protocol,
        "FromPort": -1 if rule.from_port is None else rule.from_port,
        "ToPort": -1 if rule.to_port is None else rule.to_port,
        "Description": rule.description,
        "Tags": [{"Key": key, "Value": value} for key, value in rule.tags],
    }
    if rule.source.kind == "group":
        info = {"GroupId": rule.source.value, "UserId": rule.source.account}
        document["ReferencedGroupInfo"] = info | {"VpcPeeringConnectionId": rule.source.peering}
    else:
        key = {"ipv4": "CidrIpv4", "ipv6": "CidrIpv6", "prefix_list": "PrefixListId"}[rule.source.kind]
        document[key] = rule.source.value
    return document


@given(strategies.rules(with_id=True))
def test_what_ec2_shows_is_read_whole(rule: Rule) -> None:
    """Rule id, tags and peering too."""
    read = rule_from_api(api_form(rule), OWNER)
    assert read == rule
    assert (read.rule_id, read.tags, read.source.peering) == (rule.rule_id, rule.tags, rule.source.peering)


@pytest.mark.parametrize(
    "rule",
    [
        make_rule(direction="ingress", protocol="tcp", source=cidr("10.0.0.0/8"), description="x", rule_id="sgr-1"),
        make_rule(direction="egress", protocol="-1", source=cidr("::/0"), tags=[("a", "b")], rule_id="sgr-1"),
        make_rule(direction="ingress", protocol="icmp", source=prefix_list("pl-1"), rule_id="sgr-1"),
        make_rule(direction="ingress", protocol="50", source=PEERED, rule_id="sgr-1"),
    ],
    ids=lambda rule: rule.source.kind,
)
def test_each_kind_of_source_is_read_as_ec2_shows_it(rule: Rule) -> None:
    """With everything that ``==`` of rules leaves out."""
    read = rule_from_api(api_form(rule), OWNER)
    assert read == rule
    assert (read.rule_id, read.tags, read.source.peering) == ("sgr-1", rule.tags, rule.source.peering)


def test_a_referenced_group_without_owner_belongs_to_the_account() -> None:
    """EC2 leaves the owner out for groups of the own VPC."""
    document = api_form(make_rule(direction="ingress", protocol="tcp", source=group("sg-2")))
    assert rule_from_api(document, OWNER).source == group("sg-2", account=OWNER)


@pytest.mark.parametrize(
    ("damage", "path"),
    [
        ({"IpProtocol": "sctp"}, "SecurityGroupRule"),
        ({"FromPort": "x"}, "SecurityGroupRule.FromPort"),
        ({"CidrIpv4": "x"}, "SecurityGroupRule"),
        ({"CidrIpv4": None}, "SecurityGroupRule.ReferencedGroupInfo.GroupId"),
    ],
)
def test_what_ec2_could_not_show_is_refused(damage: dict[str, Any], path: str) -> None:
    """The error names the field."""
    document = api_form(make_rule(direction="ingress", protocol="tcp", source=cidr("10.0.0.0/8")))
    with pytest.raises(FieldError) as caught:
        rule_from_api({**document, **damage}, OWNER)
    assert caught.value.path == path


@given(strategies.rule_sets(direction="ingress"))
def test_permissions_mean_exactly_the_rules(rules: tuple[Rule, ...]) -> None:
    """Read as CloudTrail would report them, they are the same rules, descriptions and peering included."""
    sent = permissions(rules, with_descriptions=True)
    read = tuple(requested_rules(Field({"IpPermissions": sent}), "ingress", OWNER))
    assert by_identity(read) == by_identity(rules)
    assert {rule.identity: rule.source.peering for rule in read} == {
        rule.identity: rule.source.peering for rule in rules
    }


@given(strategies.rule_sets())
def test_each_port_range_is_one_permission(rules: tuple[Rule, ...]) -> None:
    """Rules that differ in their source alone share a permission, and no description is sent where none may be."""
    sent = permissions(rules, with_descriptions=False)
    assert len(sent) == len({(rule.protocol, rule.from_port, rule.to_port) for rule in rules})
    assert "Description" not in str([list(source) for one in sent for key, source in one.items() if key[-1] == "s"])


def test_all_sources_of_a_port_range_stand_in_its_one_permission() -> None:
    """Each where EC2 looks for its kind, with its description only where a call takes one."""
    sources = (cidr("10.0.0.0/8"), cidr("::/0"), prefix_list("pl-1"), PEERED)
    rules = [make_rule(direction="ingress", protocol="tcp", from_port=22, to_port=22, source=one) for one in sources]
    rules[0] = replace(rules[0], description="office")
    pair = {"GroupId": "sg-2", "UserId": "333333333333", "VpcPeeringConnectionId": "pcx-1"}
    expected = {
        "IpProtocol": "tcp",
        "FromPort": 22,
        "ToPort": 22,
        "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
        "PrefixListIds": [{"PrefixListId": "pl-1"}],
        "UserIdGroupPairs": [pair],
    }
    told = [{"CidrIp": "10.0.0.0/8", "Description": "office"}]
    assert permissions(rules, with_descriptions=True) == [{**expected, "IpRanges": told}]
    assert permissions(rules, with_descriptions=False) == [{**expected, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]


@pytest.mark.parametrize(
    ("protocol", "ports"),
    [("50", {"FromPort": -1, "ToPort": -1}), ("-1", {}), ("icmp", {"FromPort": -1, "ToPort": -1})],
)
def test_a_protocol_by_number_is_sent_with_no_ports_said_to_be_none(protocol: str, ports: dict[str, int]) -> None:
    """EC2 ignores them; what stands in for EC2 on one machine needs them."""
    (sent,) = permissions(
        [make_rule(direction="ingress", protocol=protocol, source=cidr("10.0.0.0/8"))], with_descriptions=False
    )
    assert sent == {"IpProtocol": protocol, "IpRanges": [{"CidrIp": "10.0.0.0/8"}], **ports}


def test_a_group_known_by_name_is_sent_by_name() -> None:
    """EC2 takes names in a default VPC."""
    by_name = make_rule(direction="ingress", protocol="tcp", source=group_by_name("web"))
    (sent,) = permissions([by_name], with_descriptions=True)
    assert sent["UserIdGroupPairs"] == [{"GroupName": "web"}]


@pytest.mark.parametrize(
    ("rule", "request_form"),
    [
        (
            make_rule(direction="ingress", protocol="tcp", from_port=1, to_port=2, source=cidr("10.0.0.0/8")),
            {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "Description": "", "CidrIpv4": "10.0.0.0/8"},
        ),
        (
            make_rule(direction="ingress", protocol="-1", source=cidr("::/0"), description="all"),
            {"IpProtocol": "-1", "FromPort": -1, "ToPort": -1, "Description": "all", "CidrIpv6": "::/0"},
        ),
        (
            make_rule(direction="egress", protocol="50", source=prefix_list("pl-1")),
            {"IpProtocol": "50", "FromPort": -1, "ToPort": -1, "Description": "", "PrefixListId": "pl-1"},
        ),
        (
            make_rule(direction="ingress", protocol="icmp", source=group("sg-2", account=OWNER)),
            {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "Description": "", "ReferencedGroupId": "sg-2"},
        ),
    ],
)
def test_an_edit_in_place_says_the_whole_rule(rule: Rule, request_form: dict[str, Any]) -> None:
    """EC2 takes all values of the rule, an empty description among them."""
    assert rule_request(rule) == request_form


def test_tags_are_sent_once_for_all_rules_of_a_call() -> None:
    """Without tags there is no specification at all."""
    tagged = make_rule(direction="ingress", protocol="tcp", source=cidr("10.0.0.0/8"), tags=[("b", "2"), ("a", "1")])
    plain = make_rule(direction="ingress", protocol="tcp", source=cidr("10.0.0.0/8"))
    assert tag_specification((plain,)) == []
    assert tag_specification((tagged, tagged)) == [
        {
            "ResourceType": "security-group-rule",
            "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
        }
    ]
