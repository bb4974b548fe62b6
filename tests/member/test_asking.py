"""A dry run or refused call asks for its change: nothing is touched until it is approved, then it is made as shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError

from member.chalicelib.state.table import StateTable
from shared.domain.reach import Interfaces
from shared.domain.rule import Rule, Source, cidr, group
from tests.support import events
from tests.support.member_account import ACCOUNT, REGION, Json, Member, Person, at, exact, rule

pytestmark = pytest.mark.usefixtures("repaired_moto")

Use = Callable[[str], None]

OPEN = rule(22, "0.0.0.0/0", "for a while")
WEB = rule(443, "10.0.0.0/8", "web")
DRY_RUN = "Client.DryRunOperation"
REFUSED = "Client.UnauthorizedOperation"
ASK_BY_DRY_RUN = "ask_by_dry_run = true"
ASK_BY_REFUSAL = 'ask_by_refusal = ["arn:aws:iam::*:user/ada"]\napprovers = ["U061F7AUR"]'
BOTH = f"{ASK_BY_DRY_RUN}\n{ASK_BY_REFUSAL}"
TWO_PEOPLE = ("U061F7AUR", "U02ABC4DE")
"""Who ada is in Slack, the policy does not say: what an unknown requester asks for takes two people."""

CASES = Path(__file__).parents[1] / "data" / "cloudtrail"


@pytest.fixture(autouse=True)
def asks(policy: Use, member: Member) -> None:
    """Both ways of asking are on, and the region is adopted."""
    policy(BOTH)
    member.adopt()
    member.told()


def failed(person: Person, name: str, parameters: Any, error: str = REFUSED, **fields: Any) -> Json:
    """Return the event of a call that failed."""
    fields = {
        "eventTime": at(datetime.now(UTC)),
        "errorCode": error,
        "errorMessage": "You are not authorized",
        **fields,
    }
    return person.event(name, parameters, None, **fields)


def opening(person: Person, *rules: Rule, error: str = REFUSED, **fields: Any) -> Json:
    """Return the event of an Authorize call that failed."""
    permissions = {"items": [events.permission_of(one) for one in rules]}
    parameters = {"groupId": person.group, "ipPermissions": permissions}
    return failed(person, f"AuthorizeSecurityGroup{rules[0].direction.title()}", parameters, error, **fields)


def closing(person: Person, *rule_ids: str, direction: str = "Ingress", **fields: Any) -> Json:
    """Return the event of a Revoke call by rule ids that failed."""
    items = [{"securityGroupRuleId": one} for one in rule_ids]
    parameters = {"groupId": person.group, "ipPermissions": {}, "securityGroupRuleIds": {"items": items}}
    return failed(person, f"RevokeSecurityGroup{direction}", parameters, **fields)


def editing(person: Person, rule_id: str, **values: Any) -> Json:
    """Return the event of a ModifySecurityGroupRules call that failed."""
    return edits(person, (rule_id, values))


def edits(person: Person, *some: tuple[str, Json]) -> Json:
    """Return the event of a ModifySecurityGroupRules call of several rules that failed."""
    parameters = events.modified([events.edit(one, **values) for one, values in some], group_id=person.group)
    return failed(person, "ModifySecurityGroupRules", parameters["detail"]["requestParameters"])


def asks_nothing(member: Member, *some: Json) -> None:
    """Check that events publish nothing, leave no entry in the ledger, and touch nothing."""
    before = (member.state(), member.approved())
    member.deliver(*some)
    assert member.told() == []
    assert [member.ledger(one["detail"]["requestID"]) for one in some] == [None] * len(some)
    assert (member.state(), member.approved()) == before


# -- what is asked, and what becomes of it -----------------------------------------------------------------------------


@pytest.mark.parametrize("error", [DRY_RUN, REFUSED])
def test_an_added_rule_is_asked_and_opened_once_it_is_approved(member: Member, ada: Person, error: str) -> None:
    """Nothing is touched before; afterwards it is approved like any other, and stays."""
    member.deliver(opening(ada, OPEN, error=error))
    request = member.told_request()
    assert (request.origin, request.status, request.change.added) == ("ask", "pending", (OPEN,))
    assert request.requester is not None
    assert (request.requester.name, request.group_name, request.reason) == ("ada", "web", "")
    assert request.operations == ()  # the change says the same
    assert (member.state(), member.approved()) == ([], [])
    assert member.outcome(request.request_id) == "reverted"

    member.approve(request, by=TWO_PEOPLE)
    assert member.told_applied().request_id == request.request_id
    assert member.state() == member.approved() == exact([OPEN])
    member.snapshot(after=timedelta(hours=1))
    assert member.told() == []
    assert member.state() == exact([OPEN])


def test_a_group_that_came_after_the_adoption_can_be_asked_for(member: Member) -> None:
    """It has no stored baseline yet; without one, the approved rule would be drift an hour later."""
    person = Person(member, group_id=member.new_group())
    member.deliver(opening(person, OPEN))
    request = member.told_request()
    member.approve(request, by=TWO_PEOPLE)
    member.snapshot(after=timedelta(hours=1))
    assert [type(one).__name__ for one in member.told()] == ["AppliedMessage"]
    assert exact(member.live(person.group)) == member.approved(person.group) == exact([OPEN])


def test_a_removal_by_rule_id_is_asked_with_the_approved_values(member: Member, ada: Person) -> None:
    """The event has the id alone."""
    member.holds(WEB)
    member.adopt()
    member.deliver(closing(ada, member.id_of(WEB)))
    request = member.told_request()
    assert (request.change.removed, request.change.kind) == ((WEB,), "remove")
    assert request.approved == (WEB,)
    member.approve(request, by=TWO_PEOPLE)
    assert member.state() == member.approved() == []


def test_a_removal_by_values_is_asked(member: Member, ada: Person) -> None:
    """What the group does not have is left out; a Revoke carries no description."""
    member.holds(WEB)
    member.adopt()
    named = [rule(443, "10.1.2.3/8"), OPEN]
    parameters = {"groupId": ada.group, "ipPermissions": {"items": [events.permission_of(one) for one in named]}}
    member.deliver(failed(ada, "RevokeSecurityGroupIngress", parameters))
    assert member.told_request().change.removed == (WEB,)


def test_an_edit_is_asked_with_what_the_rule_is_and_what_it_would_be(member: Member, ada: Person) -> None:
    """Approved, it is made in place: the rule keeps its id."""
    member.holds(WEB)
    member.adopt()
    rule_id, after = member.id_of(WEB), rule(8443, "10.0.0.0/8", "web")
    member.deliver(
        editing(ada, rule_id, IpProtocol="tcp", FromPort=8443, ToPort=8443, CidrIpv4="10.9.9.9/8", Description="web")
    )
    request = member.told_request()
    (edit,) = request.change.modified
    assert (edit.before, edit.after, request.change.kind) == (WEB, after, "modify")
    member.approve(request, by=TWO_PEOPLE)
    assert member.state() == member.approved() == exact([after])
    assert member.id_of(after) == rule_id


@pytest.mark.parametrize("by_id", [True, False])
def test_a_new_description_is_asked(member: Member, ada: Person, *, by_id: bool) -> None:
    """It is an edit like any other, named by rule id or by values."""
    member.holds(WEB)
    member.adopt()
    name = "UpdateSecurityGroupRuleDescriptionsIngress"
    described = {"SecurityGroupRuleDescription": {"SecurityGroupRuleId": member.id_of(WEB), "Description": "new"}}
    if not by_id:
        ranges = [{"CidrIp": "10.0.0.0/8", "Description": "new"}]
        described = {"IpPermissions": {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": ranges}}
    member.deliver(failed(ada, name, {f"{name}Request": {"GroupId": ada.group, **described}}))
    (edit,) = member.told_request().change.modified
    assert (edit.before.description, edit.after.description, edit.after.identity) == ("web", "new", WEB.identity)


def test_an_approved_rule_added_with_another_description_is_an_edit(member: Member, ada: Person) -> None:
    """As after a call that was made."""
    member.holds(WEB)
    member.adopt()
    member.deliver(opening(ada, rule(443, "10.0.0.0/8", "other"), OPEN))
    change = member.told_request().change
    assert (change.added, [edit.after.description for edit in change.modified]) == ((OPEN,), ["other"])


def test_values_are_canonical_in_every_form(member: Member, ada: Person) -> None:
    """The flat form of one rule, host bits, a protocol by its number, a port as text."""
    flat = {
        "groupId": ada.group,
        "ipPermissions": {},
        "ipProtocol": "6",
        "fromPort": "22",
        "toPort": 22,
        "cidrIp": "100.68.0.18/18",
    }
    member.deliver(failed(ada, "AuthorizeSecurityGroupIngress", flat))
    assert member.told_request().change.added == (rule(22, "100.68.0.0/18"),)


def test_names_of_groups_are_resolved_when_it_is_filed(member: Member, ada: Person) -> None:
    """The group of the call and the group it refers to; ids are what is applied."""
    target = member.ec2.create_security_group(GroupName="target", Description="x")["GroupId"]
    friend = member.ec2.create_security_group(GroupName="friend", Description="x")["GroupId"]
    pairs = {"items": [{"groupName": "friend"}]}
    permission = {"ipProtocol": "tcp", "fromPort": 5432, "toPort": 5432, "groups": pairs}
    parameters = {"groupName": "target", "ipPermissions": {"items": [permission]}}
    member.deliver(failed(ada, "AuthorizeSecurityGroupIngress", parameters))
    request = member.told_request()
    assert (request.group_id, request.change.added) == (target, (rule(5432, group(friend, account=ACCOUNT)),))
    member.approve(request, by=TWO_PEOPLE)
    assert exact(member.live(target)) == exact(request.change.added)


def test_rules_of_a_direction_that_is_not_guarded_are_taken_from_the_live_group(member: Member, ada: Person) -> None:
    """AWS refused it, so it can be had in no other way; nobody else knows its values."""
    egress = rule(443, "10.0.0.0/8", "out", direction="egress")
    member.holds(egress)
    (live,) = [one for one in member.live(direction="egress") if one.identity == egress.identity]
    member.deliver(closing(ada, str(live.rule_id), direction="Egress"))
    request = member.told_request()
    assert request.change.removed == (egress,)
    member.approve(request, by=TWO_PEOPLE)
    member.told_applied()
    assert egress.identity not in {one.identity for one in member.live(direction="egress")}


def test_before_the_adoption_the_live_rules_count(member: Member, ada: Person) -> None:
    """They are what will be adopted."""
    for item in member.dynamodb.scan(TableName="securityGroupState")["Items"]:
        member.dynamodb.delete_item(TableName="securityGroupState", Key={"id": item["id"]})
    member.holds(WEB)
    member.deliver(closing(ada, member.id_of(WEB)))
    assert member.told_request().change.removed == (WEB,)


def test_an_event_that_comes_again_publishes_the_same_request(member: Member, ada: Person) -> None:
    """At-least-once delivery."""
    event = opening(ada, OPEN)
    member.deliver(event)
    first = member.told_request()
    member.deliver(event)
    assert member.told_request() == first


@pytest.mark.parametrize("mode", ['mode = "observe"', 'guard = ["remove"]', 'directions = ["egress"]'])
def test_an_ask_is_one_in_observe_mode_and_of_what_is_not_guarded(
    member: Member, ada: Person, policy: Use, mode: str
) -> None:
    """Nothing is reverted there, but whoever is refused by AWS needs the answer."""
    policy(f"{mode}\n{BOTH}")
    member.deliver(opening(ada, OPEN))
    request = member.told_request()
    assert (request.origin, request.status) == ("ask", "pending")
    member.approve(request, by=TWO_PEOPLE)
    member.told_applied()
    assert member.state() == exact([OPEN])


# -- denied at once ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ("require_description = true", "need a description"),
        ('[[rules]]\nmatch = { ports = ["22"] }\ndeny = "Use Session Manager."', "Use Session Manager."),
    ],
)
def test_policy_denies_an_ask_at_once(member: Member, ada: Person, policy: Use, keys: str, sentence: str) -> None:
    """Nobody is asked, and an approval of it opens nothing."""
    policy(f"{BOTH}\n{keys}")
    member.deliver(opening(ada, rule(22, "0.0.0.0/0")))
    request = member.told_request()
    assert (request.origin, request.status) == ("ask", "denied")
    assert sentence in request.reason
    member.approve(request, by=TWO_PEOPLE)
    assert member.told_error().code == "NotApplicable"
    assert member.state() == []


# -- who and what asks nothing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ("", DRY_RUN),
        ("", REFUSED),
        (ASK_BY_DRY_RUN, REFUSED),
        (ASK_BY_REFUSAL, DRY_RUN),
        ('ask_by_refusal = ["arn:aws:iam::*:user/ada"]', REFUSED),
        ('ask_by_refusal = ["arn:aws:iam::*:user/bob"]\napprovers = ["U061F7AUR"]', REFUSED),
        (BOTH, "Client.InvalidPermission.Duplicate"),
        (BOTH, "Client.RequestLimitExceeded"),
        (f'{BOTH}\n[exempt]\nprincipals = ["arn:aws:iam::*:user/ada"]', DRY_RUN),
        (f'{BOTH}\n[exempt]\nprincipals = ["arn:aws:iam::*:user/ada"]', REFUSED),
        (f'{BOTH}\n[exempt]\ngroups = ["sg-*"]', DRY_RUN),
        (f"{BOTH}\nmode = nonsense", REFUSED),
    ],
)
def test_what_the_policy_does_not_let_ask_asks_nothing(
    member: Member, ada: Person, policy: Use, keys: str, error: str
) -> None:
    """Each key by itself; `ask_by_refusal` without approvers; a policy that cannot be read."""
    policy(keys)
    asks_nothing(member, opening(ada, OPEN, error=error))


def test_a_refusal_in_an_exempt_group_asks(member: Member, ada: Person, policy: Use) -> None:
    """A service control policy knows no groups, and what it refuses can be had in no other way."""
    policy(f'{BOTH}\n[exempt]\ngroups = ["sg-*"]')
    member.deliver(opening(ada, OPEN))
    assert member.told_request().origin == "ask"


def test_the_product_itself_never_asks(member: Member, policy: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hourly dry run, by which it knows that trail and rule work; nor a role by which it could be refused."""
    policy('ask_by_dry_run = true\nask_by_refusal = ["*"]\napprovers = ["U061F7AUR"]')
    monkeypatch.setenv("ownRoleArn", f"arn:aws:iam::{ACCOUNT}:role/member")
    own = Person(member, identity=events.assumed_role("member", "member-prod-snapshot", account=ACCOUNT))
    probe = rule(65535, "192.0.2.1/32")
    asks_nothing(member, opening(own, probe, error=DRY_RUN), opening(own, probe))


def test_names_that_callers_choose_let_nobody_ask(member: Member, policy: Use) -> None:
    """A session named like a user, a role of that name in another path: the principal's whole ARN counts."""
    policy(BOTH)
    for identity in (
        events.assumed_role("developer", "ada", account=ACCOUNT),
        events.assumed_role("ada", "user/ada", account=ACCOUNT),
        {"type": "IAMUser", "userName": "ada", "accountId": ACCOUNT},
        {**events.iam_user("ada", account=ACCOUNT), "accountId": "999999999999"},
        events.iam_user("ada", account=ACCOUNT, path="/ada/") | {"userName": "ada"},
    ):
        asks_nothing(member, opening(Person(member, identity=identity), OPEN))


def test_old_replayed_and_foreign_events_ask_nothing(member: Member, ada: Person) -> None:
    """Nobody waits for that answer any more, or it is not ours to give."""
    old = at(datetime.now(UTC) - timedelta(hours=72, minutes=1))
    replayed = {**opening(ada, OPEN), "replay-name": "again"}
    foreign = opening(ada, OPEN, recipientAccountId="999999999999")
    elsewhere = opening(ada, OPEN, awsRegion="us-west-2")
    network = opening(ada, OPEN, eventCategory="NetworkActivity")
    asks_nothing(member, opening(ada, OPEN, eventTime=old), replayed, foreign, elsewhere, network)


def test_what_names_nothing_that_is_there_asks_nothing(
    member: Member, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """Unknown groups, rules and names: EC2 would have refused the call, whoever had made it."""
    member.holds(WEB)
    member.adopt()
    nobody = Person(member, group_id="sg-0123456789abcdef0")
    by_name = {"groupName": "nobody", "ipPermissions": {"items": [events.permission_of(OPEN)]}}
    pairs = {"items": [{"groupName": "nobody", "userId": ACCOUNT}]}
    refers = {"ipProtocol": "tcp", "fromPort": 1, "toPort": 1, "groups": pairs}
    to_name = {"groupId": ada.group, "ipPermissions": {"items": [refers]}}
    name = "UpdateSecurityGroupRuleDescriptionsIngress"
    unknown = {"SecurityGroupRuleId": "sgr-0123456789abcdef0", "Description": "new"}
    missing: list[Source] = [group("sg-0123456789abcdef0", account=ACCOUNT)]
    asks_nothing(
        member,
        opening(nobody, OPEN),
        failed(ada, "AuthorizeSecurityGroupIngress", by_name),
        failed(ada, "AuthorizeSecurityGroupIngress", to_name),
        opening(ada, *(rule(1, one) for one in missing)),
        closing(ada, "sgr-0123456789abcdef0"),
        closing(ada, member.id_of(WEB), "sgr-0123456789abcdef0"),
        closing(ada, member.id_of(WEB), direction="Egress"),
        editing(ada, "sgr-0123456789abcdef0", IpProtocol="tcp", FromPort=1, ToPort=1, CidrIpv4="10.0.0.0/8"),
        failed(ada, name, {f"{name}Request": {"GroupId": ada.group, "SecurityGroupRuleDescription": unknown}}),
    )
    assert caplog.messages.count("nothing asked") == 9


def test_a_rule_that_nobody_approved_is_no_rule_to_ask_about(member: Member, ada: Person) -> None:
    """Live for the seconds until it is reverted, it can be neither removed nor edited by asking."""
    member.holds(OPEN)
    asks_nothing(member, closing(ada, member.id_of(OPEN)))


def test_what_would_change_nothing_asks_nothing(member: Member, ada: Person) -> None:
    """The rule is there as wanted; it is not there any more; it is edited into what it is."""
    member.holds(WEB)
    member.adopt()
    gone = {"groupId": ada.group, "ipPermissions": {"items": [events.permission_of(OPEN)]}}
    same = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "10.0.0.0/8", "Description": "web"}
    asks_nothing(
        member,
        opening(ada, WEB),
        failed(ada, "RevokeSecurityGroupIngress", gone),
        editing(ada, member.id_of(WEB), **same),
        edits(ada, (member.id_of(WEB), {**same, "FromPort": 1}), (member.id_of(WEB), same)),
    )


@pytest.mark.parametrize(
    "parameters",
    [
        "",
        None,
        {},
        {"omitted": True, "originalSize": 200000, "reason": "requestParameters too large"},
        {"groupId": "GROUP"},
        {"groupId": "GROUP", "ipPermissions": {"omitted": True}},
        {"groupId": "GROUP", "ipPermissions": {"items": [{"ipProtocol": "tcp", "ipRanges": {"items": [{}]}}]}},
        {"groupId": ["GROUP"], "ipPermissions": {}},
    ],
)
def test_parameters_that_cannot_be_read_ask_nothing(member: Member, ada: Person, parameters: Any) -> None:
    """Nobody can be asked about what nobody can show."""
    text = json.dumps(parameters).replace("GROUP", ada.group)
    asks_nothing(member, failed(ada, "AuthorizeSecurityGroupIngress", json.loads(text)))


def test_a_failed_call_with_an_answer_is_not_believed(member: Member, ada: Person) -> None:
    """Only the parameters say what was wanted."""
    event = opening(ada, OPEN)
    other = events.answered_rule(rule(1, "10.0.0.0/8"), owner=ACCOUNT, group_id=ada.group)
    event["detail"]["responseElements"] = {"securityGroupRuleSet": {"items": [other]}}
    member.deliver(event)
    assert member.told_request().change.added == (OPEN,)


@pytest.mark.parametrize("name", ["CreateSecurityGroup", "DeleteSecurityGroup", "ModifyManagedPrefixList"])
def test_other_calls_ask_nothing(member: Member, ada: Person, name: str) -> None:
    """A refused DeleteSecurityGroup is a refused DeleteSecurityGroup."""
    asks_nothing(member, failed(ada, name, {"groupId": ada.group}))


@pytest.mark.parametrize("name", ["authorize_dry_run", "authorize_refused"])
def test_events_as_aws_writes_them_ask(member: Member, policy: Use, name: str) -> None:
    """Captured forms, of this account and of now."""
    policy('ask_by_dry_run = true\nask_by_refusal = ["arn:aws:iam::*:role/developer"]\napprovers = ["U061F7AUR"]')
    text = json.dumps(events.example(name)).replace(events.GROUP, member.group_id).replace(events.ACCOUNT, ACCOUNT)
    event = json.loads(text)
    event["detail"]["eventTime"] = at(datetime.now(UTC))
    member.deliver(event)
    request = member.told_request()
    assert (request.request_id, request.region) == (event["detail"]["requestID"], REGION)
    assert request.change.added == (rule(22, cidr("0.0.0.0/0"), "just for a minute"),)


def test_nothing_is_asked_while_the_state_cannot_be_read(member: Member, ada: Person) -> None:
    """What is approved is not known, so neither is what would change; the snapshot reports the damage."""
    member.holds(WEB)
    member.adopt()
    key = {"id": {"S": f"group#{REGION}#{ada.group}"}}
    member.dynamodb.update_item(
        TableName="securityGroupState",
        Key=key,
        UpdateExpression="SET body = :b",
        ExpressionAttributeValues={":b": {"B": b"?"}},
    )
    member.deliver(opening(ada, OPEN))
    assert member.told() == []
    assert exact(member.live()) == exact([WEB])


def test_an_ask_says_what_it_would_reach(member: Member, ada: Person) -> None:
    """It was never in force; without the ledger nothing is asked, so that it is asked once."""
    event = opening(ada, OPEN)
    broken = ClientError({"Error": {"Code": "InternalServerError"}}, "PutItem")
    with mock.patch.object(StateTable, "add_entry", side_effect=broken), pytest.raises(ClientError):
        member.deliver(event)
    assert member.told() == []
    member.deliver(event)
    request = member.told_request()
    assert request.reach is not None
    assert (request.reach.interfaces, request.reach.in_force_seconds) == (Interfaces(), None)
    member.deliver(event)
    assert member.told_request() == request
