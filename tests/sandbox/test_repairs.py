"""Each repair of moto, against the AWS behaviour that it restores; boto3 in front, as the product has it."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from sandbox.aws.repairs import repaired

REGION = "eu-west-1"


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    """moto with the repairs, and credentials to sign with; each test has a VPC of its own in it."""
    with pytest.MonkeyPatch.context() as patch, repaired(), mock_aws():
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        yield


@pytest.fixture(scope="module")
def ec2(aws: None) -> Any:  # noqa: ARG001 - has to be there before the client is made
    """boto3's client of the account that moto knows by default."""
    return boto3.client("ec2", region_name=REGION)


@pytest.fixture
def vpc(ec2: Any) -> str:
    """A VPC that is not the default one."""
    created: str = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    return created


@pytest.fixture
def group(ec2: Any, vpc: str) -> str:
    """An empty group in it."""
    created: str = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    return created


def permission(protocol: str = "tcp", ports: tuple[int, int] | None = (22, 22), **sources: Any) -> dict[str, Any]:
    """One IpPermission, port 22 unless told."""
    named = {"FromPort": ports[0], "ToPort": ports[1]} if ports else {}
    return {"IpProtocol": protocol, **named, **sources}


def v4(cidr: str, description: str | None = None) -> dict[str, Any]:
    """One entry of IpRanges."""
    return {"CidrIp": cidr, **({"Description": description} if description else {})}


def rules(ec2: Any, group: str) -> list[dict[str, Any]]:
    """The group's inbound rules as DescribeSecurityGroupRules shows them."""
    filters = [{"Name": "group-id", "Values": [group]}]
    found = ec2.describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
    return [rule for rule in found if not rule["IsEgress"]]


def error_code(call: Any, **arguments: Any) -> str:
    """The error code that a call is refused with."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


def test_host_bits_and_long_ipv6_text_are_stored_canonically(ec2: Any, group: str) -> None:
    """EC2 keeps 10.0.0.0/24 for 10.0.0.5/24, and the shortest text of an IPv6 network."""
    wanted = permission(IpRanges=[v4("10.0.0.5/24")], Ipv6Ranges=[{"CidrIpv6": "2001:0DB8:0:0::1/64"}])
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[wanted])
    stored = rules(ec2, group)
    assert stored[0]["CidrIpv4"] == "10.0.0.0/24"
    assert stored[1]["CidrIpv6"] == "2001:db8::/64"
    again = permission(IpRanges=[v4("10.0.0.0/24")])
    call = ec2.authorize_security_group_ingress
    assert error_code(call, GroupId=group, IpPermissions=[again]) == "InvalidPermission.Duplicate"


def test_a_malformed_cidr_is_refused(ec2: Any, group: str) -> None:
    """EC2 takes no CIDR of the wrong family and no IPv4 address without a prefix length."""
    call = ec2.authorize_security_group_ingress
    for cidr in ("10.0.0.1", "::/0", "300.0.0.0/8"):
        wanted = permission(IpRanges=[v4(cidr)])
        assert error_code(call, GroupId=group, IpPermissions=[wanted]) == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (permission("banana", IpRanges=[v4("10.0.0.0/8")]), "Unknown protocol"),
        (permission("256", IpRanges=[v4("10.0.0.0/8")]), "Unknown protocol"),
        (permission(ports=(0, 70000), IpRanges=[v4("10.0.0.0/8")]), "TCP/UDP port (70000) out of range"),
        (permission(ports=(90, 80), IpRanges=[v4("10.0.0.0/8")]), "Invalid TCP/UDP port range (90:80)"),
        (permission("icmp", (256, -1), IpRanges=[v4("10.0.0.0/8")]), "out of range"),
        (permission(IpRanges=[v4("10.0.0.0/8", "d" * 256)]), "Invalid rule description"),
    ],
)
def test_values_that_no_rule_can_have_are_refused(ec2: Any, group: str, wanted: dict[str, Any], words: str) -> None:
    """Unknown protocols, ports out of range or in the wrong order, and long descriptions never get into a group."""
    with pytest.raises(ClientError) as refused:
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[wanted])
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValue"
    assert words in refused.value.response["Error"]["Message"]
    assert rules(ec2, group) == []


def test_names_that_no_group_can_have_are_refused(ec2: Any) -> None:
    """255 characters are the most, and nothing but an id begins with sg-."""
    assert ec2.create_security_group(GroupName="n" * 255, Description="d")["GroupId"]
    for name in ("n" * 256, "sg-mine"):
        assert error_code(ec2.create_security_group, GroupName=name, Description="d") == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("protocol", "ports", "shown"),
    [
        ("tcp", None, ("tcp", 0, 65535)),
        ("icmpv6", None, ("icmpv6", -1, -1)),
        ("58", (128, 0), ("icmpv6", 128, 0)),
        ("6", (22, 22), ("tcp", 22, 22)),
        ("50", (1, 2), ("50", -1, -1)),
        ("-1", None, ("-1", -1, -1)),
    ],
)
def test_protocols_and_absent_ports_are_stored_as_ec2_does(
    ec2: Any, group: str, protocol: str, ports: tuple[int, int] | None, shown: tuple[str, int, int]
) -> None:
    """Known protocols go by name; absent ports, and any ports of other protocols, mean all."""
    wanted = permission(protocol, ports, Ipv6Ranges=[{"CidrIpv6": "::/0"}])
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[wanted])
    (rule,) = rules(ec2, group)
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == shown


def test_authorize_returns_every_rule_with_its_owner(ec2: Any, group: str) -> None:
    """All rules of all permissions come back, each with the group's account, its tags and description."""
    answer = ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            permission(IpRanges=[v4("10.0.0.0/8", "office")]),
            permission("udp", IpRanges=[v4("10.0.0.0/8")]),
        ],
        TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": [{"Key": "team", "Value": "red"}]}],
    )
    assert [rule["IpProtocol"] for rule in answer["SecurityGroupRules"]] == ["tcp", "udp"]
    for rule in answer["SecurityGroupRules"]:
        assert rule["GroupOwnerId"] == "123456789012"
        assert rule["Tags"] == [{"Key": "team", "Value": "red"}]
    assert answer["SecurityGroupRules"][0]["Description"] == "office"


def test_authorize_adds_all_or_nothing(ec2: Any, group: str) -> None:
    """A duplicate in the second permission leaves the first one out too."""
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission(IpRanges=[v4("10.0.0.0/8")])])
    both = [permission(ports=(80, 80), IpRanges=[v4("10.0.0.0/8")]), permission(IpRanges=[v4("10.0.0.0/8")])]
    call = ec2.authorize_security_group_ingress
    assert error_code(call, GroupId=group, IpPermissions=both) == "InvalidPermission.Duplicate"
    assert len(rules(ec2, group)) == 1


def test_the_sixty_first_rule_of_a_family_is_refused(ec2: Any, group: str) -> None:
    """Sixty rules per direction and address family fit, counted apart."""
    full = permission(IpRanges=[v4(f"10.0.{n}.0/24") for n in range(60)])
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[full])
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission(Ipv6Ranges=[{"CidrIpv6": "::/0"}])])
    more = permission(IpRanges=[v4("192.168.0.0/16")])
    call = ec2.authorize_security_group_ingress
    assert error_code(call, GroupId=group, IpPermissions=[more]) == "RulesPerSecurityGroupLimitExceeded"


def test_revoke_says_what_it_revoked(ec2: Any, group: str) -> None:
    """The answer lists each revoked rule; the description in the request does not matter."""
    ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[permission(IpRanges=[v4("10.0.0.0/8", "office")])]
    )
    answer = ec2.revoke_security_group_ingress(
        GroupId=group, IpPermissions=[permission(IpRanges=[v4("10.0.0.0/8", "other words")])]
    )
    (revoked,) = answer["RevokedSecurityGroupRules"]
    assert (revoked["CidrIpv4"], revoked["Description"], revoked["GroupId"]) == (
        "10.0.0.0/8",
        "office",
        group,
    )
    assert (revoked["IsEgress"], revoked["SecurityGroupRuleId"][:4]) == (False, "sgr-")
    assert not answer.get("UnknownIpPermissions")


def test_revoke_outside_a_default_vpc_takes_all_or_nothing(ec2: Any, group: str) -> None:
    """One unknown rule fails the call, and the known one stays."""
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission(IpRanges=[v4("10.0.0.0/8")])])
    both = [permission(IpRanges=[v4("10.0.0.0/8")]), permission(ports=(80, 80), IpRanges=[v4("10.0.0.0/8")])]
    call = ec2.revoke_security_group_ingress
    assert error_code(call, GroupId=group, IpPermissions=both) == "InvalidPermission.NotFound"
    assert len(rules(ec2, group)) == 1


def test_revoke_in_a_default_vpc_lists_unknown_rules_and_succeeds(ec2: Any) -> None:
    """In a default VPC an absent rule is no error; the answer names it."""
    group = ec2.create_security_group(GroupName="default-vpc", Description="d")["GroupId"]
    answer = ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[permission(IpRanges=[v4("10.0.0.0/8")])])
    assert answer["Return"] is True
    (unknown,) = answer["UnknownIpPermissions"]
    assert unknown["IpRanges"] == [{"CidrIp": "10.0.0.0/8"}]


def test_revoking_an_unknown_rule_id_names_the_rule_id(ec2: Any, group: str) -> None:
    """EC2 tells a missing rule id from a missing permission."""
    code = error_code(ec2.revoke_security_group_ingress, GroupId=group, SecurityGroupRuleIds=["sgr-0123456789abcdef0"])
    assert code == "InvalidSecurityGroupRuleId.NotFound"


def every_kind_of_source(ec2: Any, vpc: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """For each kind: the source as authorize takes it, and another one as modify takes it."""
    lists = [
        ec2.create_managed_prefix_list(PrefixListName=name, MaxEntries=1, AddressFamily="IPv4", Entries=[])[
            "PrefixList"
        ]["PrefixListId"]
        for name in ("one", "two")
    ]
    groups = [ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in ("a", "b")]
    return [
        ({"IpRanges": [v4("10.0.0.0/8", "before")]}, {"CidrIpv4": "10.1.0.0/16"}),
        (
            {"Ipv6Ranges": [{"CidrIpv6": "2001:db8::/64", "Description": "before"}]},
            {"CidrIpv6": "2001:db8:1::/64"},
        ),
        (
            {"PrefixListIds": [{"PrefixListId": lists[0], "Description": "before"}]},
            {"PrefixListId": lists[1]},
        ),
        (
            {"UserIdGroupPairs": [{"GroupId": groups[0], "Description": "before"}]},
            {"ReferencedGroupId": groups[1]},
        ),
    ]


@pytest.mark.parametrize("kind", range(4))
def test_modify_replaces_every_kind_of_source_and_keeps_the_rule_id(ec2: Any, vpc: str, group: str, kind: int) -> None:
    """Protocol, ports, source and description change; id and tags stay."""
    before, after = every_kind_of_source(ec2, vpc)[kind]
    made = ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[permission(**before)],
        TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": [{"Key": "k", "Value": "v"}]}],
    )["SecurityGroupRules"][0]
    assert made["Description"] == "before"
    wanted = {"IpProtocol": "udp", "FromPort": 53, "ToPort": 54, **after, "Description": "after"}
    change = {"SecurityGroupRuleId": made["SecurityGroupRuleId"], "SecurityGroupRule": wanted}
    ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=[change])
    (rule,) = rules(ec2, group)
    assert rule["SecurityGroupRuleId"] == made["SecurityGroupRuleId"]
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"], rule["Description"]) == (
        "udp",
        53,
        54,
        "after",
    )
    assert rule["Tags"] == [{"Key": "k", "Value": "v"}]
    (kept,) = after.items()
    shown = {**rule, "ReferencedGroupId": rule.get("ReferencedGroupInfo", {}).get("GroupId")}
    assert shown[kept[0]] == kept[1]


def test_modify_that_changes_the_kind_or_makes_a_duplicate_changes_nothing(ec2: Any, group: str) -> None:
    """Both rules of the call stay as they were when one of them cannot change."""
    made = ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[permission(IpRanges=[v4("10.0.0.0/8"), v4("10.1.0.0/16")])]
    )["SecurityGroupRules"]
    before = rules(ec2, group)
    base = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    first = {"SecurityGroupRuleId": made[0]["SecurityGroupRuleId"]}
    second = {"SecurityGroupRuleId": made[1]["SecurityGroupRuleId"]}
    fine = {**first, "SecurityGroupRule": {**base, "CidrIpv4": "10.2.0.0/16"}}
    kind = {**second, "SecurityGroupRule": {**base, "CidrIpv6": "::/0"}}
    same = {**second, "SecurityGroupRule": {**base, "CidrIpv4": "10.2.0.0/16"}}
    call = ec2.modify_security_group_rules
    assert error_code(call, GroupId=group, SecurityGroupRules=[fine, kind]) == "InvalidParameterValue"
    assert error_code(call, GroupId=group, SecurityGroupRules=[fine, same]) == "InvalidPermission.Duplicate"
    assert rules(ec2, group) == before


def test_descriptions_change_by_rule_id_and_by_permission(ec2: Any, vpc: str, group: str) -> None:
    """Every kind of source takes a new description both ways; an omitted one is removed."""
    for before, _ in every_kind_of_source(ec2, vpc):
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission(**before)])
    by_id = [{"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "Description": "by id"} for rule in rules(ec2, group)]
    ec2.update_security_group_rule_descriptions_ingress(GroupId=group, SecurityGroupRuleDescriptions=by_id)
    assert [rule["Description"] for rule in rules(ec2, group)] == ["by id"] * 4
    permissions = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    for wanted in permissions:
        for sources in ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"):
            assert [source.pop("Description") for source in wanted[sources]] == ["by id"]
    ec2.update_security_group_rule_descriptions_ingress(GroupId=group, IpPermissions=permissions)
    assert [rule.get("Description") for rule in rules(ec2, group)] == [None] * 4


def test_the_description_of_a_group_reference_is_not_part_of_its_identity(ec2: Any, group: str) -> None:
    """The same reference with other words is the same rule."""
    for words, expected in (("one", None), ("two", "InvalidPermission.Duplicate")):
        wanted = [permission(UserIdGroupPairs=[{"GroupId": group, "Description": words}])]
        if expected is None:
            ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=wanted)
        else:
            assert error_code(ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=wanted) == expected


def test_a_group_of_a_peered_account_can_be_referenced(ec2: Any, vpc: str, group: str) -> None:
    """With an active peering, a group of another account is a source; without one it is not found."""
    role = boto3.client("sts", region_name=REGION).assume_role(
        RoleArn="arn:aws:iam::222222222222:role/peer", RoleSessionName="peer"
    )["Credentials"]
    peer = boto3.client(
        "ec2",
        region_name=REGION,
        aws_access_key_id=role["AccessKeyId"],
        aws_secret_access_key=role["SecretAccessKey"],
        aws_session_token=role["SessionToken"],
    )
    peer_vpc = peer.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    other = peer.create_security_group(GroupName="peer", Description="p", VpcId=peer_vpc)["GroupId"]
    wanted = [permission(UserIdGroupPairs=[{"GroupId": other, "UserId": "222222222222"}])]
    call = ec2.authorize_security_group_ingress
    assert error_code(call, GroupId=group, IpPermissions=wanted) == "InvalidGroup.NotFound"
    connection = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=peer_vpc, PeerOwnerId="222222222222")
    connection_id = connection["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    peer.accept_vpc_peering_connection(VpcPeeringConnectionId=connection_id)
    answer = call(GroupId=group, IpPermissions=wanted)
    info = answer["SecurityGroupRules"][0]["ReferencedGroupInfo"]
    assert (info["UserId"], info["GroupId"]) == ("222222222222", other)
    assert (info["VpcPeeringConnectionId"], info["PeeringStatus"]) == (connection_id, "active")
    pair = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"][0]["UserIdGroupPairs"]
    assert (pair[0]["UserId"], pair[0]["GroupId"]) == ("222222222222", other)


def test_each_answer_has_its_own_request_id(ec2: Any) -> None:
    """Two calls never share a request id."""
    ids = {ec2.describe_security_groups()["ResponseMetadata"]["RequestId"] for _ in range(2)}
    assert len(ids) == 2
