"""The member account's loop: a change is reverted, filed, and applied when approved. On moto as it is."""

from __future__ import annotations

import boto3
import pytest

from shared.wire.messages import AppliedMessage
from tests.support.member_account import Member, Person, exact, rule

SSH = rule(22, "0.0.0.0/0", "x")
WEB = rule(443, "10.0.0.0/8", "web")


def test_an_added_rule_is_reverted_and_applied_once_approved(member: Member, ada: Person) -> None:
    """An addition is gone after the event and back, as it was, after the approval; the event again changes nothing."""
    member.snapshot()
    event = ada.opens(SSH)
    member.deliver(event)
    assert member.state() == []
    request = member.told_request()
    assert (request.status, request.change.added) == ("pending", (SSH,))
    assert (request.group_name, request.account_name) == ("web", "payments")
    member.approve(request)
    assert member.state() == exact([SSH])
    assert member.told_applied().request_id == request.request_id
    member.deliver(event)
    assert member.state() == exact([SSH])
    assert member.told() == []


def test_a_removed_rule_is_restored_and_removed_once_approved(member: Member, ada: Person) -> None:
    """A removal is undone after the event, also when it comes again, and done after the approval."""
    member.holds(WEB)
    member.snapshot()
    event = ada.closes(WEB)
    member.deliver(event)
    assert member.state() == exact([WEB])
    request = member.told_request()
    assert request.change.removed == (WEB,)
    member.deliver(event)
    assert member.state() == exact([WEB])
    assert member.told_request() == request
    member.approve(request)
    assert member.state() == []
    assert isinstance(member.told()[0], AppliedMessage)


def test_an_edited_rule_is_edited_back_in_place(member: Member, ada: Person) -> None:
    """An edit is undone and redone in the same rule, id included, and is no drift afterwards."""
    member.holds(WEB)
    member.snapshot()
    rule_id = member.id_of(WEB)
    member.deliver(ada.edits((WEB, SSH)))
    assert member.state() == exact([WEB])
    assert member.id_of(WEB) == rule_id
    request = member.told_request()
    (edit,) = request.change.modified
    assert (edit.before, edit.after) == (WEB, SSH)
    member.approve(request)
    assert member.state() == exact([SSH])
    assert member.id_of(SSH) == rule_id
    member.told_applied()
    member.snapshot()
    assert member.told() == []


def test_an_edit_with_unknown_past_is_removed_and_asked_as_an_addition(member: Member, ada: Person) -> None:
    """In a region that was never adopted nobody knows what the rule was: nothing unapproved stays open."""
    member.holds(WEB)
    member.deliver(ada.edits((WEB, SSH)))
    request = member.told_request()
    assert (request.status, request.change.added) == ("pending", (SSH,))
    assert "Nobody knows what the edited rule was before" in request.reason
    assert member.state() == []


def test_the_second_of_two_like_approvals_is_a_duplicate(member: Member, ada: Person) -> None:
    """Two requests for one rule: the first is applied, the second ends as EC2 would have ended it."""
    member.snapshot()
    member.deliver(ada.opens(SSH))
    first = member.told_request()
    member.deliver(ada.opens(SSH))
    second = member.told_request()
    member.approve(first)
    member.told_applied()
    member.approve(second)
    assert member.told_error().code == "InvalidPermission.Duplicate"
    assert member.state() == exact([SSH])


def test_a_change_is_met_in_the_region_of_its_event(member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """No region is written down anywhere: group, ledger and request are those of the region the event names."""
    region = "us-west-2"
    ec2, dynamodb = boto3.client("ec2", region), boto3.client("dynamodb", region)
    dynamodb.create_table(
        TableName="securityGroupState",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group_id = ec2.create_security_group(GroupName="far", Description="x", VpcId=vpc)["GroupId"]
    monkeypatch.setattr(member, "ec2", ec2)
    monkeypatch.setattr(member, "dynamodb", dynamodb)
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    event = Person(member, group_id=group_id).opens(rule(22), awsRegion=region)
    member.deliver(event)
    assert member.state(group_id) == []
    request = member.told_request()
    assert (request.region, member.outcome(request.request_id)) == (region, "reverted")
