"""Whole CloudTrail events as AWS writes them: each form of each call is read into the same few values."""

from __future__ import annotations

from datetime import UTC, datetime

import botocore.session
import pytest

from member.chalicelib.cloudtrail.call import Call, RuleEdit
from member.chalicelib.cloudtrail.event import ACTIONS, created_rule_ids, read_head, read_rules, reason_to_ignore
from shared.domain.rule import Rule, cidr, group, group_by_name, make_rule, prefix_list
from tests.support import events

ELSEWHERE = "333333333333"
NOW = datetime(2026, 10, 1, tzinfo=UTC)
PEERED = group("sg-0cccccccccccccccc", account=ELSEWHERE, peering="pcx-0123456789abcdef0")


def read(name: str) -> Call:
    """Read a whole event of ``tests/data/cloudtrail``."""
    return read_call(events.example(name))


def read_call(event: events.Json) -> Call:
    """Read an event as the member app does: the head first, then the rules."""
    return read_rules(event, read_head(event, NOW))


def identities(rules: tuple[Rule, ...] | None) -> list[str]:
    """The rules as texts that are easy to compare by eye."""
    assert rules is not None
    return [rule.identity for rule in rules]


def test_the_head_says_who_did_what_where_and_when() -> None:
    """All that the decision needs comes from the head."""
    call = read_head(events.example("authorize_flat"), NOW)
    assert (call.name, call.kind, call.direction) == ("AuthorizeSecurityGroupIngress", "add", "ingress")
    assert call.event_time == datetime(2026, 3, 2, 9, 15, 27, tzinfo=UTC)
    assert (call.account, call.region, call.group_id) == ("222222222222", "eu-west-1", events.GROUP)
    assert call.caller.principal_arn == "arn:aws:iam::222222222222:user/ada"
    assert call.request_id == events.example("authorize_flat")["detail"]["requestID"]
    assert (call.error_code, call.group_name, call.omitted) == ("", "", False)
    assert (call.requested, call.resulting, call.rule_ids, call.edits) == ((), None, (), ())


def test_the_regions_of_every_partition_are_read() -> None:
    """As botocore lists them: China's and the government's too."""
    session = botocore.session.get_session()
    regions = [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("ec2", partition_name=partition)
    ]
    assert {"eu-west-1", "cn-north-1", "us-gov-west-1"} <= set(regions)
    example = events.example("authorize_flat")
    for region in regions:
        event = {**example, "detail": {**example["detail"], "awsRegion": region}}
        assert read_head(event, NOW).region == region


EVERY_SOURCE = [
    "ingress/tcp/22-22/ipv4/203.0.113.7/32",
    "ingress/tcp/22-22/ipv4/0.0.0.0/0",
    "ingress/tcp/22-22/ipv6/2001:db8::/32",
    "ingress/tcp/22-22/prefix_list/pl-0fedcba9876543210",
    "ingress/tcp/22-22/group/222222222222:sg-0bbbbbbbbbbbbbbb1",
    f"ingress/tcp/22-22/group/{ELSEWHERE}:sg-0cccccccccccccccc",
    "ingress/-1/all/ipv4/100.68.0.0/18",
]


def test_several_kinds_of_source_in_one_permission_are_all_read() -> None:
    """Seed: only the last kind was reverted and shown; a hidden 0.0.0.0/0 stayed open."""
    call = read("authorize_several_kinds")
    assert identities(call.requested) == EVERY_SOURCE
    assert sorted(identities(call.resulting)) == sorted(EVERY_SOURCE)


def test_several_cidrs_in_one_permission_are_all_read() -> None:
    """Seed: only the last CIDR was shown, and all were applied."""
    event = events.authorize([events.permission(ipv4=["10.0.0.0/8", "0.0.0.0/0", "192.0.2.0/24"])])
    assert [rule.source.value for rule in read_call(event).requested] == ["10.0.0.0/8", "0.0.0.0/0", "192.0.2.0/24"]


def test_the_owner_of_a_peered_group_is_kept() -> None:
    """Seed: peering owner ids were dropped, and the restored rule meant another group or none."""
    call = read("authorize_several_kinds")
    assert call.resulting is not None
    for rules in (call.requested, call.resulting):
        (peered,) = [rule.source for rule in rules if rule.source.value == PEERED.value]
        assert (peered.account, peered.peering) == (PEERED.account, PEERED.peering)


def test_a_group_without_an_owner_belongs_to_the_account_of_the_event() -> None:
    """Clients often leave ``userId`` out for groups of their own account."""
    event = events.authorize([events.permission(groups=[{"groupId": "sg-1"}])])
    assert read_call(event).requested[0].source == group("sg-1", account="222222222222")


def test_a_group_can_be_referenced_by_its_name() -> None:
    """In a default VPC that is allowed, in any permission."""
    event = events.authorize([events.permission(groups=[{"groupName": "web", "userId": ELSEWHERE}])])
    assert read_call(event).requested[0].source == group_by_name("web", account=ELSEWHERE)


def test_the_answer_gives_ids_descriptions_and_canonical_cidrs() -> None:
    """The request holds what the client sent; both end in the same canonical rules."""
    call = read("authorize_several_kinds")
    assert call.resulting is not None
    by_identity = {rule.identity: rule for rule in call.resulting}
    assert {rule.identity: rule.description for rule in call.requested} == {
        identity: rule.description for identity, rule in by_identity.items()
    }
    assert all(rule.rule_id and rule.rule_id.startswith("sgr-") for rule in call.resulting)
    assert created_rule_ids(events.example("authorize_several_kinds")) == tuple(rule.rule_id for rule in call.resulting)


def test_one_element_may_stand_in_the_place_of_a_list() -> None:
    """``items`` may be a single object, at every depth."""
    event = events.authorize([])
    permission = {"ipProtocol": "tcp", "ipRanges": {"items": {"cidrIp": "0.0.0.0/0"}}}
    event["detail"]["requestParameters"]["ipPermissions"] = {"items": permission}
    assert identities(read_call(event).requested) == ["ingress/tcp/0-65535/ipv4/0.0.0.0/0"]


def test_the_flat_form_is_read() -> None:
    """``--protocol --port --cidr`` of the command line writes its values beside empty permissions."""
    call = read("authorize_flat")
    assert identities(call.requested) == ["ingress/tcp/22-22/ipv4/0.0.0.0/0"]
    assert identities(call.resulting) == identities(call.requested)


def test_the_flat_form_by_group_name_without_protocol_is_three_rules() -> None:
    """EC2 grants full ICMP, TCP and UDP access, which is not the same as protocol -1."""
    call = read("authorize_by_group_name_old_answer")
    source = f"{ELSEWHERE}:name:legacy-elb"
    assert identities(call.requested) == [
        f"ingress/icmp/-1--1/group/{source}",
        f"ingress/tcp/0-65535/group/{source}",
        f"ingress/udp/0-65535/group/{source}",
    ]
    assert (call.group_id, call.group_name, call.resulting) == ("", "legacy-web", None)
    assert call.caller.type == "Root"


def test_the_flat_form_by_group_name_with_protocol_is_one_rule() -> None:
    """Without an owner the named group belongs to the account of the event."""
    event = events.authorize([])
    event["detail"]["requestParameters"] |= {
        "sourceSecurityGroupName": "elb",
        "ipProtocol": "tcp",
        "fromPort": 80,
        "toPort": 80,
    }
    assert identities(read_call(event).requested) == ["ingress/tcp/80-80/group/222222222222:name:elb"]


def test_a_group_known_by_name_is_found_in_the_answer() -> None:
    """The answer names the group id even when the request did not."""
    rule = make_rule(direction="ingress", protocol="tcp", source=cidr("10.0.0.0/8"), rule_id="sgr-1")
    event = events.authorized([rule])
    event["detail"]["requestParameters"]["groupName"] = "web"
    del event["detail"]["requestParameters"]["groupId"]
    head = read_head(event, NOW)
    assert (head.group_id, head.group_name) == (events.GROUP, "web")


def test_an_answer_may_leave_out_group_and_direction() -> None:
    """Then the rules are of the direction of the action, and the group is the first that any of them names."""
    rules = [make_rule(direction="egress", protocol="tcp", source=cidr(f"10.{n}.0.0/16"), rule_id="s") for n in (1, 2)]
    event = events.authorized(rules, direction="Egress")
    del event["detail"]["requestParameters"]["groupId"]
    first, second = event["detail"]["responseElements"]["securityGroupRuleSet"]["items"]
    for item in (first, second):
        del item["isEgress"]
    del first["groupId"]
    call = read_call(event)
    assert call.group_id == events.GROUP
    assert identities(call.resulting) == [rule.identity for rule in rules]
    del second["groupId"]
    assert read_head(event, NOW).group_id == ""


def test_ports_may_be_text_and_tags_belong_to_every_rule() -> None:
    """CloudFormation on a user's behalf: the user's identity, string ports, host bits, tags from request and answer."""
    call = read("authorize_by_cloudformation")
    assert call.resulting is not None
    for (rule,) in (call.requested, call.resulting):
        assert rule.identity == "ingress/tcp/8080-8443/ipv4/10.20.0.0/16"
        assert rule.tags == (("aws:cloudformation:stack-name", "shop"), ("team", "payments"))
    assert call.caller.principal_arn == "arn:aws:iam::222222222222:user/people/ada"
    assert call.caller.invoked_by == "cloudformation.amazonaws.com"


@pytest.mark.parametrize("direction", ["Ingress", "Egress"])
def test_egress_twins_are_read_like_ingress(direction: str) -> None:
    """Direction comes from the action's name; the rest is the same."""
    event = events.authorize([events.permission("-1", None, None, ipv4=["0.0.0.0/0"])], direction=direction)
    call = read_call(event)
    assert call.direction == direction.lower()
    assert identities(call.requested) == [f"{direction.lower()}/-1/all/ipv4/0.0.0.0/0"]


def test_an_egress_answer_is_egress() -> None:
    """``isEgress`` of the answer is believed."""
    assert identities(read("authorize_egress").resulting) == ["egress/tcp/443-443/prefix_list/pl-6da54004"]
    assert identities(read("revoke_egress").resulting) == ["egress/-1/all/ipv4/0.0.0.0/0"]


@pytest.mark.parametrize(("name", "code"), [("authorize_refused", "Unauthorized"), ("authorize_dry_run", "DryRun")])
def test_a_failed_call_has_an_error_code_and_no_rules(name: str, code: str) -> None:
    """Nothing happened, so nothing is read that could be wrong."""
    call = read(name)
    assert code in call.error_code
    assert (call.requested, call.resulting, call.group_id, call.group_name) == ((), None, "", "")


def test_a_request_that_was_left_out_is_known_from_its_answer() -> None:
    """CloudTrail leaves out what is larger than about 100 KB; the answer has group and rules."""
    call = read("authorize_omitted_request")
    assert call.omitted
    assert call.group_id == events.GROUP
    assert call.requested == ()
    assert len(identities(call.resulting)) == 3
    assert len(created_rule_ids(events.example("authorize_omitted_request"))) == 3


def test_an_answer_that_was_left_out_is_no_answer() -> None:
    """The rules are known from the request, their ids are not."""
    call = read("authorize_omitted_answer")
    assert call.omitted
    assert call.resulting is None
    assert identities(call.requested) == ["ingress/udp/53-53/ipv4/10.0.0.0/8", "ingress/udp/53-53/ipv6/fd00::/8"]
    assert created_rule_ids(events.example("authorize_omitted_answer")) == ()


OMITTED = {"omitted": True, "originalSize": 204800, "reason": "too large"}


@pytest.mark.parametrize(
    "hide",
    [
        lambda detail: detail["requestParameters"].update(ipPermissions=OMITTED),
        lambda detail: detail["requestParameters"]["ipPermissions"].update(items=OMITTED),
        lambda detail: detail["requestParameters"]["ipPermissions"]["items"].insert(0, OMITTED),
        lambda detail: detail["requestParameters"]["ipPermissions"]["items"][0].update(ipRanges=OMITTED),
        lambda detail: detail["requestParameters"]["ipPermissions"]["items"][0]["ipRanges"]["items"].append(OMITTED),
    ],
    ids=["permissions", "list of permissions", "one permission", "ranges", "one range"],
)
def test_a_part_of_the_request_that_was_left_out_is_noticed(hide: object) -> None:
    """However deep it stood: the call is marked, so that nobody takes the rest for the whole."""
    event = events.example("authorize_several_kinds")
    hide(event["detail"])  # type: ignore[operator]  # a lambda from the table above
    call = read_call(event)
    assert call.omitted
    assert sorted(identities(call.resulting)) == sorted(EVERY_SOURCE)


@pytest.mark.parametrize(
    "hide",
    [
        lambda response: response.update(securityGroupRuleSet=OMITTED),
        lambda response: response["securityGroupRuleSet"].update(items=OMITTED),
        lambda response: response["securityGroupRuleSet"]["items"].append(OMITTED),
    ],
    ids=["rule set", "list of rules", "one rule"],
)
def test_a_part_of_the_answer_that_was_left_out_makes_it_no_answer(hide: object) -> None:
    """Half a list of rule ids would leave the other half open."""
    event = events.example("authorize_several_kinds")
    hide(event["detail"]["responseElements"])  # type: ignore[operator]  # a lambda from the table above
    call = read_call(event)
    assert call.omitted
    assert call.resulting is None
    assert created_rule_ids(event) == ()
    assert identities(call.requested) == EVERY_SOURCE


def test_a_description_that_says_omitted_hides_nothing() -> None:
    """Only CloudTrail's own mark counts."""
    event = events.authorize([events.permission(ipv4=[{"cidrIp": "10.0.0.0/8", "description": "omitted"}])])
    assert not read_call(event).omitted


def test_rules_are_revoked_by_id_from_the_console() -> None:
    """Ids from the request, rules from the answer; a peered group's owner is in neither and left open."""
    call = read("revoke_by_rule_ids")
    assert call.kind == "remove"
    assert call.rule_ids == ("sgr-0aaaaaaaaaaaaaaa1", "sgr-0aaaaaaaaaaaaaaa2")
    assert call.requested == ()
    assert identities(call.resulting) == [
        "ingress/tcp/443-443/ipv4/0.0.0.0/0",
        "ingress/tcp/5432-5432/group/:sg-0cccccccccccccccc",
    ]
    assert call.resulting is not None
    assert [rule.rule_id for rule in call.resulting] == list(call.rule_ids)


@pytest.mark.parametrize("ids", [["sgr-1"], {"items": ["sgr-1"]}, {"securityGroupRuleId": "sgr-1"}])
def test_rule_ids_are_read_in_every_form(ids: object) -> None:
    """As plain texts, in a list without wrapper, or as a single object."""
    parameters = {"groupId": events.GROUP, "ipPermissions": {}, "securityGroupRuleIds": ids}
    event = events.event("RevokeSecurityGroupIngress", parameters, {"_return": True})
    assert read_call(event).rule_ids == ("sgr-1",)


def test_a_revoke_that_hit_only_some_says_which() -> None:
    """The answer of 2026: what was revoked, its group's owner taken from the request; what was unknown is not in it."""
    call = read("revoke_partly_unknown")
    assert len(call.requested) == 3
    assert identities(call.resulting) == [
        "ingress/icmp/8--1/ipv4/10.0.0.0/8",
        f"ingress/tcp/22-22/group/{ELSEWHERE}:sg-0cccccccccccccccc",
    ]


def test_a_revoke_that_hit_nothing_is_an_empty_answer() -> None:
    """A default VPC answers success without revoking; that is not the same as no answer."""
    event = events.revoked([])
    assert read_call(event).resulting == ()


def test_an_old_revoke_is_known_from_its_request() -> None:
    """Before 2026 the answer said only that it worked; odd protocols have no ports."""
    call = read("revoke_old_answer")
    assert identities(call.requested) == ["ingress/50/all/ipv4/192.0.2.0/24"]
    assert call.resulting is None


def test_one_edited_rule_is_an_object() -> None:
    """What the console sends: the new values under the rule's id; the old ones are nowhere in the event."""
    call = read("modify_one_rule")
    assert (call.kind, call.direction, call.group_id) == ("modify", None, events.GROUP)
    (edit,) = call.edits
    assert edit.after is not None
    assert edit.rule_id == edit.after.rule_id == "sgr-0aaaaaaaaaaaaaaa1"
    assert edit.after.identity == "ingress/tcp/443-443/ipv4/0.0.0.0/0"
    assert edit.after.description == edit.description == "the shop, for all"
    assert (call.requested, call.resulting) == ((), None)


def test_several_edited_rules_are_a_list() -> None:
    """Every kind of source, empty descriptions, numeric protocols and string ports."""
    call = read("modify_several_rules")
    assert [(edit.rule_id, edit.after.identity, edit.description) for edit in call.edits if edit.after] == [
        ("sgr-0aaaaaaaaaaaaaaa1", "ingress/tcp/1024-65535/ipv4/198.51.100.0/24", ""),
        ("sgr-0aaaaaaaaaaaaaaa2", "ingress/-1/all/group/222222222222:sg-0cccccccccccccccc", ""),
        ("sgr-0aaaaaaaaaaaaaaa6", "ingress/icmpv6/-1--1/ipv6/::/0", "ping"),
        ("sgr-0aaaaaaaaaaaaaaa7", "ingress/udp/500-500/prefix_list/pl-0fedcba9876543210", ""),
    ]


def test_one_described_permission_is_an_object() -> None:
    """PascalCase below a wrapper, one range as an object."""
    call = read("describe_one_permission")
    assert (call.kind, call.direction, call.group_id) == ("describe", "ingress", events.GROUP)
    assert identities(call.requested) == ["ingress/tcp/22-22/ipv4/203.0.113.7/32"]
    assert call.requested[0].description == "office, 2nd floor"
    assert (call.resulting, call.edits) == (None, ())


def test_several_described_permissions_are_a_list() -> None:
    """Lists and objects mixed; a description left out is an empty one."""
    call = read("describe_several_permissions")
    assert [(rule.identity, rule.description) for rule in call.requested] == [
        ("ingress/tcp/22-22/ipv4/203.0.113.7/32", "office"),
        ("ingress/tcp/22-22/ipv4/203.0.113.8/32", ""),
        ("ingress/tcp/22-22/ipv6/2001:db8::/32", "office v6"),
        ("ingress/-1/all/prefix_list/pl-6da54004", ""),
        (f"ingress/-1/all/group/{ELSEWHERE}:sg-0cccccccccccccccc", "tools"),
    ]


def test_rules_are_described_by_id() -> None:
    """Only ids and new words; the rest of the rule is left alone."""
    call = read("describe_by_rule_ids")
    assert call.direction == "egress"
    assert call.edits == (
        RuleEdit(rule_id="sgr-0aaaaaaaaaaaaaaa1", after=None, description="new words"),
        RuleEdit(rule_id="sgr-0aaaaaaaaaaaaaaa2", after=None, description=""),
    )


def test_a_new_group_has_its_id_in_the_answer() -> None:
    """The request has only the name."""
    call = read("create_group")
    assert (call.kind, call.group_id, call.group_name) == ("create_group", "sg-0ddddddddddddddd2", "shop-web")


def test_a_deleted_group_is_named() -> None:
    """Its baseline can be forgotten."""
    call = read("delete_group")
    assert (call.kind, call.group_id) == ("delete_group", events.GROUP)


def test_every_action_is_shown_by_an_example() -> None:
    """No action is listened to that these tests have not seen in full (the egress twin of one differs by its name)."""
    shown = {events.example(path.stem)["detail"]["eventName"] for path in events.DATA.glob("*.json")}
    assert shown == set(ACTIONS)


def test_a_missing_request_id_falls_back_to_the_event_id() -> None:
    """Both are unique to the call."""
    event = events.example("authorize_flat")
    del event["detail"]["requestID"]
    assert read_head(event, NOW).request_id == event["detail"]["eventID"]


def test_a_missing_recipient_is_the_account_of_the_envelope() -> None:
    """Old events lack ``recipientAccountId``; the caller may be of another account than the group."""
    event = events.example("authorize_flat")
    del event["detail"]["recipientAccountId"]
    assert read_head({**event, "account": ELSEWHERE}, NOW).account == ELSEWHERE


def test_a_missing_answer_is_no_answer() -> None:
    """``responseElements: null`` of a call that worked."""
    event = events.example("authorize_flat")
    event["detail"]["responseElements"] = None
    call = read_call(event)
    assert call.resulting is None
    assert identities(call.requested) == ["ingress/tcp/22-22/ipv4/0.0.0.0/0"]
    assert created_rule_ids(event) == ()


def test_a_prefix_list_and_a_range_without_wrappers_are_read() -> None:
    """Lists may come bare, and keys may be missing altogether."""
    event = events.authorize([])
    event["detail"]["requestParameters"]["ipPermissions"] = [
        {"ipProtocol": 17, "fromPort": 53, "toPort": 53, "prefixListIds": {"prefixListId": "pl-1"}},
        {"ipProtocol": "icmp", "ipRanges": [{"cidrIp": "10.0.0.5/24"}]},
    ]
    assert read_call(event).requested == (
        make_rule(direction="ingress", protocol="udp", from_port=53, to_port=53, source=prefix_list("pl-1")),
        make_rule(direction="ingress", protocol="icmp", source=cidr("10.0.0.0/24")),
    )


@pytest.mark.parametrize(
    ("envelope", "detail", "reason"),
    [
        ({}, {}, ""),
        ({}, {"eventCategory": "Management"}, ""),
        ({}, {"eventCategory": "NetworkActivity"}, "it is not a management event, but 'NetworkActivity'"),
        ({"replay-name": "again"}, {}, "it was replayed from an archive"),
        ({}, {"recipientAccountId": ELSEWHERE}, "its detail.recipientAccountId is not this one"),
        ({"account": ELSEWHERE}, {}, "its account is not this one"),
        ({}, {"awsRegion": "us-east-2"}, "its detail.awsRegion is not this one"),
        ({"region": "us-east-2"}, {}, "its region is not this one"),
        ({"account": None, "region": None}, {"recipientAccountId": None, "awsRegion": None}, ""),
    ],
)
def test_only_management_events_of_this_account_and_region_count(
    envelope: events.Json, detail: events.Json, reason: str
) -> None:
    """What an event does not say is not held against it."""
    event = events.example("authorize_flat")
    changed = {**event, **envelope, "detail": {**event["detail"], **detail}}
    assert reason_to_ignore(changed, account=events.ACCOUNT, region=events.REGION) == reason


def test_an_unknown_own_account_ignores_nothing() -> None:
    """The event's account is taken for the own one then."""
    assert reason_to_ignore(events.example("authorize_flat"), account="", region="") == ""


def test_a_revoke_of_absent_rules_is_an_empty_answer() -> None:
    """In a default VPC EC2 takes it for a success, and lists them as unknown."""
    event = events.revoked([make_rule(direction="ingress", protocol="tcp", source=cidr("10.0.0.0/8"))])
    unknown = {"items": [{"ipProtocol": "tcp", "ipRanges": {"items": [{"cidrIp": "10.0.0.0/8"}]}}]}
    event["detail"]["responseElements"] = {"_return": True, "unknownIpPermissionSet": unknown}
    assert read_call(event).resulting == ()
