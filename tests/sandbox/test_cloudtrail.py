"""Real API calls through the endpoint become events in CloudTrail's shapes, every form of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from member.chalicelib.cloudtrail.event import read_head, read_rules
from sandbox.aws.cloudtrail_forms import LARGEST_FIELD_BYTES, request_parameters
from sandbox.aws.identities import Identities
from sandbox.settings import SHOP
from sandbox.system import Sandbox

REGION = "eu-west-1"
SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}


@dataclass(slots=True)
class Recorder:
    """Makes calls as somebody and gives the event of the last one."""

    sandbox: Sandbox
    group: str = ""

    def ec2(self, who: str = "user") -> Any:
        """A client of one of the account's identities."""
        return self.sandbox.aws.ec2(SHOP, who=who)

    @property
    def event(self) -> dict[str, Any]:
        """The newest event that the product's own role did not cause."""
        others = [event for event in self.sandbox.events if "member-dev" not in str(event["detail"]["userIdentity"])]
        return others[-1]

    @property
    def detail(self) -> dict[str, Any]:
        """CloudTrail's record of the last call."""
        detail: dict[str, Any] = self.event["detail"]
        return detail


@pytest.fixture
def record(tiny: Sandbox, request: pytest.FixtureRequest) -> Iterator[Recorder]:
    """A recorder with a group of its own."""
    name = request.node.name[:200]
    group = tiny.aws.ec2(SHOP).create_security_group(GroupName=name, Description="d")["GroupId"]
    yield Recorder(tiny, group)
    tiny.wait_until_idle()


def test_the_envelope_is_eventbridges(record: Recorder) -> None:
    """Account, region, source, detail type and time are those that AWS sends."""
    record.ec2().delete_security_group(GroupId=record.group)
    event = record.event
    assert event["detail-type"] == "AWS API Call via CloudTrail"
    assert (event["source"], event["version"], event["resources"]) == ("aws.ec2", "0", [])
    assert (event["account"], event["region"]) == (SHOP.id, REGION)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["time"])
    assert event["time"] == event["detail"]["eventTime"]


def test_the_record_names_call_time_place_and_ids(record: Recorder) -> None:
    """What every record has is there, and the request id is the one that the caller got."""
    answer = record.ec2().create_security_group(GroupName="made", Description="words")
    detail = record.detail
    assert detail["requestID"] == answer["ResponseMetadata"]["RequestId"]
    assert (detail["eventSource"], detail["eventName"]) == ("ec2.amazonaws.com", "CreateSecurityGroup")
    assert (detail["awsRegion"], detail["recipientAccountId"]) == (REGION, SHOP.id)
    assert (detail["eventType"], detail["managementEvent"], detail["readOnly"]) == ("AwsApiCall", True, False)
    assert (detail["sourceIPAddress"], detail["eventVersion"]) == ("127.0.0.1", "1.11")
    assert "Botocore" in detail["userAgent"] or "Boto3" in detail["userAgent"]
    assert detail["requestParameters"] == {"groupName": "made", "groupDescription": "words"}
    assert detail["responseElements"]["groupId"] == answer["GroupId"]
    assert detail["responseElements"]["_return"] is True


def test_several_kinds_of_source_in_one_permission(record: Recorder) -> None:
    """Each kind is a set of items, absent kinds are empty, and the answer has one rule per source."""
    permission = {
        **SSH,
        "IpRanges": [{"CidrIp": "10.0.0.5/24", "Description": "office"}, {"CidrIp": "0.0.0.0/0"}],
        "UserIdGroupPairs": [{"GroupId": record.group, "Description": "itself"}],
    }
    record.ec2().authorize_security_group_ingress(GroupId=record.group, IpPermissions=[permission])
    asked = record.detail["requestParameters"]["ipPermissions"]["items"][0]
    assert (asked["ipProtocol"], asked["fromPort"], asked["toPort"]) == ("tcp", 22, 22)
    assert asked["ipRanges"] == {"items": [{"cidrIp": "10.0.0.5/24", "description": "office"}, {"cidrIp": "0.0.0.0/0"}]}
    assert asked["groups"] == {"items": [{"groupId": record.group, "description": "itself"}]}
    assert (asked["ipv6Ranges"], asked["prefixListIds"]) == ({}, {})
    rules = record.detail["responseElements"]["securityGroupRuleSet"]["items"]
    assert [rule.get("cidrIpv4") for rule in rules] == ["10.0.0.0/24", "0.0.0.0/0", None]
    assert rules[2]["referencedGroupInfo"]["groupId"] == record.group
    assert rules[2]["referencedGroupInfo"]["userId"] == SHOP.id
    assert rules[0]["description"] == "office"
    for rule in rules:
        assert (rule["groupOwnerId"], rule["groupId"], rule["isEgress"]) == (SHOP.id, record.group, False)
        assert rule["securityGroupRuleId"].startswith("sgr-")


def test_ipv6_prefix_lists_tags_and_all_protocols(record: Recorder) -> None:
    """Ports are absent for -1; tags stand in the request's specification and in each rule."""
    lists = record.ec2().create_managed_prefix_list(PrefixListName="p", MaxEntries=1, AddressFamily="IPv4", Entries=[])[
        "PrefixList"
    ]["PrefixListId"]
    record.ec2().authorize_security_group_ingress(
        GroupId=record.group,
        IpPermissions=[
            {
                "IpProtocol": "-1",
                "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}],
                "PrefixListIds": [{"PrefixListId": lists}],
            }
        ],
        TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": [{"Key": "team", "Value": "red"}]}],
    )
    parameters = record.detail["requestParameters"]
    asked = parameters["ipPermissions"]["items"][0]
    assert "fromPort" not in asked
    assert asked["ipv6Ranges"] == {"items": [{"cidrIpv6": "2001:db8::/32"}]}
    assert asked["prefixListIds"] == {"items": [{"prefixListId": lists}]}
    assert parameters["tagSpecificationSet"] == {
        "items": [{"resourceType": "security-group-rule", "tags": [{"key": "team", "value": "red"}]}]
    }
    rules = record.detail["responseElements"]["securityGroupRuleSet"]["items"]
    assert rules[0]["cidrIpv6"] == "2001:db8::/32"
    assert rules[1]["prefixListId"] == lists
    assert rules[0]["tagSet"] == {"items": [{"key": "team", "value": "red"}]}


def test_the_flat_form_and_a_group_by_name_alone(record: Recorder) -> None:
    """The values stand beside an empty ipPermissions; there is no group id in the request."""
    record.ec2().create_security_group(GroupName="by-name", Description="d")
    record.ec2().authorize_security_group_ingress(
        GroupName="by-name", IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
    )
    assert record.detail["requestParameters"] == {
        "groupName": "by-name",
        "ipPermissions": {},
        "ipProtocol": "tcp",
        "fromPort": 22,
        "toPort": 22,
        "cidrIp": "0.0.0.0/0",
    }


def test_revoke_by_rule_ids(record: Recorder) -> None:
    """What the console sends: rule ids, no permissions; the answer says what was revoked."""
    made = record.ec2("ci").authorize_security_group_egress(
        GroupId=record.group, IpPermissions=[{**SSH, "UserIdGroupPairs": [{"GroupId": record.group}]}]
    )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    record.ec2().revoke_security_group_egress(GroupId=record.group, SecurityGroupRuleIds=[made])
    assert record.detail["requestParameters"] == {
        "groupId": record.group,
        "ipPermissions": {},
        "securityGroupRuleIds": {"items": [{"securityGroupRuleId": made}]},
    }
    (gone,) = record.detail["responseElements"]["revokedSecurityGroupRuleSet"]["items"]
    assert (gone["securityGroupRuleId"], gone["isEgress"]) == (made, True)
    assert gone["referencedGroupId"] == record.group
    assert "groupOwnerId" not in gone


def test_revoke_by_permission_names_what_it_did_not_know(record: Recorder) -> None:
    """In a default VPC an unknown rule is listed, and nothing fails."""
    record.ec2().revoke_security_group_ingress(
        GroupId=record.group, IpPermissions=[{**SSH, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
    )
    answer = record.detail["responseElements"]
    assert "revokedSecurityGroupRuleSet" not in answer
    (unknown,) = answer["unknownIpPermissionSet"]["items"]
    assert unknown["ipRanges"] == {"items": [{"cidrIp": "10.0.0.0/8"}]}
    assert unknown["groups"] == {}


def test_modify_is_written_as_it_travels(record: Recorder) -> None:
    """One rule is an object, several are a list; each has its position as tag, and only the new values."""
    rules = record.ec2("ci").authorize_security_group_egress(
        GroupId=record.group, IpPermissions=[{**SSH, "IpRanges": [{"CidrIp": "10.0.0.0/8"}, {"CidrIp": "10.1.0.0/16"}]}]
    )["SecurityGroupRules"]
    ids = [rule["SecurityGroupRuleId"] for rule in rules]
    new = {"IpProtocol": "tcp", "FromPort": 23, "ToPort": 23, "CidrIpv4": "10.0.0.0/8", "Description": "new"}
    record.ec2().modify_security_group_rules(
        GroupId=record.group, SecurityGroupRules=[{"SecurityGroupRuleId": ids[0], "SecurityGroupRule": new}]
    )
    assert record.detail["requestParameters"] == {
        "ModifySecurityGroupRulesRequest": {
            "GroupId": record.group,
            "SecurityGroupRule": {"SecurityGroupRuleId": ids[0], "SecurityGroupRule": new, "tag": 1},
        }
    }
    answer = record.detail["responseElements"]["ModifySecurityGroupRulesResponse"]
    assert answer["return"] is True
    assert answer["requestId"] == record.detail["requestID"]
    both = [
        {"SecurityGroupRuleId": ids[0], "SecurityGroupRule": new},
        {"SecurityGroupRuleId": ids[1], "SecurityGroupRule": {**new, "CidrIpv4": "10.1.0.0/16"}},
    ]
    record.ec2().modify_security_group_rules(GroupId=record.group, SecurityGroupRules=both)
    asked = record.detail["requestParameters"]["ModifySecurityGroupRulesRequest"]["SecurityGroupRule"]
    assert [item["tag"] for item in asked] == [1, 2]


def test_description_updates_are_written_as_they_travel(record: Recorder) -> None:
    """By permission and by rule id, in PascalCase below the action's name."""
    permission = {**SSH, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "words"}]}
    made = record.ec2("ci").authorize_security_group_egress(GroupId=record.group, IpPermissions=[permission])
    record.ec2().update_security_group_rule_descriptions_egress(GroupId=record.group, IpPermissions=[permission])
    assert record.detail["requestParameters"]["UpdateSecurityGroupRuleDescriptionsEgressRequest"] == {
        "GroupId": record.group,
        "IpPermissions": {
            **SSH,
            "IpRanges": {"CidrIp": "10.0.0.0/8", "Description": "words", "tag": 1},
            "tag": 1,
        },
    }
    rule_id = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    described = [{"SecurityGroupRuleId": rule_id, "Description": "more"}]
    record.ec2().update_security_group_rule_descriptions_egress(
        GroupId=record.group, SecurityGroupRuleDescriptions=described
    )
    asked = record.detail["requestParameters"]["UpdateSecurityGroupRuleDescriptionsEgressRequest"]
    assert asked["SecurityGroupRuleDescription"] == {**described[0], "tag": 1}


def test_failed_calls_and_dry_runs_are_events_with_an_error(record: Recorder) -> None:
    """The code has Client in front, and there are no response elements."""
    rule = {"IpPermissions": [{**SSH, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]}
    with pytest.raises(ClientError):
        record.ec2().authorize_security_group_egress(GroupId="sg-0123456789abcdef0", **rule)
    assert record.detail["errorCode"] == "Client.InvalidGroup.NotFound"
    assert "sg-0123456789abcdef0" in record.detail["errorMessage"]
    assert record.detail["responseElements"] is None
    with pytest.raises(ClientError):
        record.ec2().authorize_security_group_egress(GroupId=record.group, DryRun=True, **rule)
    assert record.detail["errorCode"] == "Client.DryRunOperation"
    assert record.detail["requestParameters"]["dryRun"] is True


def test_a_large_field_is_omitted() -> None:
    """A field over 100 KB says that it is left out, why and how large it was."""
    many = {f"IpPermissions.1.IpRanges.{n}.CidrIp": f"10.0.{n % 256}.0/24" for n in range(1, 4000)}
    written = request_parameters("AuthorizeSecurityGroupIngress", many)
    assert written["omitted"] is True
    assert written["originalSize"] > LARGEST_FIELD_BYTES


def test_who_called_is_told_as_cloudtrail_does(record: Recorder) -> None:
    """Users, people of Identity Center, roles and root each have their own form."""
    seen = {}
    for who in ("user", "sso", "ci", "root"):
        record.ec2(who).create_security_group(GroupName=f"made-by-{who}", Description="d")
        seen[who] = record.detail["userIdentity"]
    assert seen["user"]["type"] == "IAMUser"
    assert seen["user"]["arn"] == f"arn:aws:iam::{SHOP.id}:user/alice"
    assert seen["user"]["userName"] == "alice"
    assert re.fullmatch(r"AIDA[A-Z0-9]{17}", seen["user"]["principalId"])
    assert "sessionContext" not in seen["user"]
    sso = seen["sso"]
    assert sso["type"] == "AssumedRole"
    role = "AWSReservedSSO_PowerUserAccess_0123456789abcdef"
    assert sso["arn"] == f"arn:aws:sts::{SHOP.id}:assumed-role/{role}/ada@example.com"
    issuer = sso["sessionContext"]["sessionIssuer"]
    assert sso["principalId"] == f"{issuer['principalId']}:ada@example.com"
    assert issuer["arn"] == f"arn:aws:iam::{SHOP.id}:role/aws-reserved/sso.amazonaws.com/{role}"
    assert (issuer["type"], issuer["userName"]) == ("Role", role)
    assert seen["ci"]["sessionContext"]["sessionIssuer"]["arn"] == f"arn:aws:iam::{SHOP.id}:role/ci-deploy"
    assert seen["root"] == {
        "type": "Root",
        "principalId": SHOP.id,
        "arn": f"arn:aws:iam::{SHOP.id}:root",
        "accountId": SHOP.id,
        "accessKeyId": seen["root"]["accessKeyId"],
    }


def test_identities_made_through_the_door_are_known_too(record: Recorder) -> None:
    """A session that somebody gets from STS, and a user made with IAM's API, call as themselves."""
    credentials = record.sandbox.aws.credentials(SHOP.id)
    sts = record.sandbox.aws.client("sts", credentials, REGION)
    session = sts.assume_role(RoleArn=f"arn:aws:iam::{SHOP.id}:role/somebody", RoleSessionName="me")["Credentials"]
    caller = record.sandbox.identities.caller(session["AccessKeyId"])
    assert caller is not None
    assert caller.arn == f"arn:aws:sts::{SHOP.id}:assumed-role/somebody/me"
    iam = record.sandbox.aws.client("iam", credentials, REGION)
    iam.create_user(UserName="bob")
    key = iam.create_access_key(UserName="bob")["AccessKey"]["AccessKeyId"]
    made = record.sandbox.identities.caller(key)
    assert made is not None
    assert (made.kind, made.account, made.name) == ("IAMUser", SHOP.id, "bob")
    assert Identities().caller("AKIA0000000000000000") is None


def test_the_product_can_read_every_event(record: Recorder) -> None:
    """The product's reader takes each event of this module, the rules of the answers included."""
    assert record.sandbox.events
    for event in record.sandbox.events:
        call = read_rules(event, read_head(event))
        assert call.request_id == event["detail"]["requestID"]
