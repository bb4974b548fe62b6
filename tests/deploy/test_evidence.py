"""Who may write down who touched the product, in an account that has used up its policies, too."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from deploy import evidence, foundation
from deploy.doctor import member
from deploy.errors import DeployError
from deploy.intrinsics import Resolver
from deploy.names import Place
from deploy.repairing import repair
from deploy.target import Target
from deploy.templates import foundation as template_of

PLACE = Place(app="member", stage="prod", partition="aws", account="123456789012", region="eu-west-1")


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """A member account in which nothing is deployed."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield Target(place=PLACE, profile="", session=boto3.Session(region_name=PLACE.region))


def fill(target: Target, number: int) -> None:
    """Make policies of others."""
    for one in range(number):
        target.client("logs").put_resource_policy(policyName=f"other-{one}", policyDocument="{}")


def test_a_region_without_room_is_named_before_anything_is_made(target: Target) -> None:
    """With the policies that are there, and both ways out."""
    fill(target, 10)
    with pytest.raises(DeployError, match=r"other-0, .*--evidence-policy no"):
        evidence.check_room(target, {})
    evidence.check_room(target, {"EvidencePolicy": "no"})


def test_a_region_with_room_passes(target: Target) -> None:
    """With nine others, and with the product's own among ten."""
    fill(target, 9)
    evidence.check_room(target, {})
    target.client("logs").put_resource_policy(policyName=evidence.POLICY, policyDocument="{}")
    evidence.check_room(target, {})


def test_a_deleted_policy_is_noticed_and_put_back(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the deployment has none."""
    stack = {"Parameters": [{"ParameterKey": "EvidencePolicy", "ParameterValue": "yes"}]}
    monkeypatch.setattr(foundation, "find_stack", lambda _: stack)
    monkeypatch.setattr(member, "find_stack", lambda _: stack)
    (said,) = member.evidence(target)
    assert said.startswith("The policy security-group-approval-tampering of CloudWatch Logs is missing")
    assert "the policy security-group-approval-tampering of CloudWatch Logs" in list(repair(target))
    assert list(member.evidence(target)) == []
    stack["Parameters"][0]["ParameterValue"] = "no"
    target.client("logs").delete_resource_policy(policyName=evidence.POLICY)
    assert list(member.evidence(target)) == []
    assert list(repair(target)) == []


def test_a_stream_may_be_made_without_a_source() -> None:
    """EventBridge names its source only when it writes; a condition on both would leave the log empty."""
    template = template_of("member")
    text = template["Resources"]["TamperingPolicy"]["Properties"]["PolicyDocument"]
    parameters = {"CentralAccountId": "111111111111", "CentralRegion": "us-east-1"}
    statements = json.loads(Resolver(template, PLACE, parameters).resolved(text))["Statement"]
    found = {one["Action"]: one.get("Condition") for one in statements}
    assert found == {
        "logs:CreateLogStream": None,
        "logs:PutLogEvents": {"StringEquals": {"aws:SourceAccount": PLACE.account}},
    }
