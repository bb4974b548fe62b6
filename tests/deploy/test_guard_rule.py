"""Which calls raise ``GuardTouchedAlarm``: what stops, changes or empties the product, but not every deployment."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.intrinsics import Resolver
from deploy.names import Place
from deploy.templates import foundation
from tests.deploy.event_patterns import matches

PLACE = Place(app="member", stage="prod", partition="aws", account="222222222222", region="eu-west-1")
REVERT = PLACE.function("revertSecurityGroup")
RULE = PLACE.rule("revertSecurityGroup")
DEPLOYER = "security-group-approval-deployer"
LOG_POLICY = {"policyName": "security-group-approval-tampering"}


def is_seen(source: str, call: str, parameters: dict[str, Any], role: str = "administrator") -> bool:
    """Say whether the rule matches CloudTrail's event of a call; ``role`` empty: by an IAM user."""
    template = foundation("member")
    resolver = Resolver(template, PLACE, {"CentralAccountId": "111111111111", "CentralRegion": "us-east-1"})
    pattern = resolver.resolved(template["Resources"]["GuardTouchedRule"]["Properties"]["EventPattern"])
    identity: dict[str, Any] = {"type": "IAMUser", "arn": "arn:aws:iam::222222222222:user/ada"}
    if role:
        issuer = {"type": "Role", "arn": f"arn:aws:iam::222222222222:role/{role}"}
        identity = {"type": "AssumedRole", "sessionContext": {"sessionIssuer": issuer}}
    detail = {"eventName": call, "requestParameters": parameters, "userIdentity": identity}
    return matches(pattern, {"source": source, "detail-type": "AWS API Call via CloudTrail", "detail": detail})


STOPS = [
    ("aws.events", "DisableRule", {"name": RULE}),
    ("aws.events", "DeleteRule", {"name": RULE}),
    ("aws.events", "RemoveTargets", {"rule": RULE}),
    ("aws.events", "PutRule", {"name": RULE, "state": "DISABLED"}),
    ("aws.lambda", "DeleteFunction20150331", {"functionName": REVERT}),
    ("aws.lambda", "PutFunctionConcurrency20171031", {"functionName": PLACE.function_arn("revertSecurityGroup")}),
    ("aws.lambda", "RemovePermission20150331v2", {"functionName": REVERT}),
]
CHANGES = [
    ("aws.events", "PutRule", {"name": RULE, "eventPattern": '{"source": ["aws.s3"]}', "state": "ENABLED"}),
    ("aws.events", "PutRule", {"name": RULE, "eventPattern": '{"source": ["aws.s3"]}'}),
    ("aws.events", "PutTargets", {"rule": RULE, "targets": []}),
    ("aws.lambda", "UpdateFunctionCode20150331v2", {"functionName": REVERT}),
    (
        "aws.lambda",
        "UpdateFunctionConfiguration20150331v2",
        {"functionName": PLACE.function_arn("revertSecurityGroup")},
    ),
    ("aws.logs", "DeleteResourcePolicy", LOG_POLICY),
    ("aws.logs", "PutResourcePolicy", LOG_POLICY),
]


@pytest.mark.parametrize("role", ["administrator", "", DEPLOYER])
@pytest.mark.parametrize(("source", "call", "parameters"), STOPS)
def test_whoever_stops_the_product_is_seen(source: str, call: str, parameters: dict[str, Any], role: str) -> None:
    """Also a deployer: an undeployment is worth an alarm."""
    assert is_seen(source, call, parameters, role)


@pytest.mark.parametrize("role", ["administrator", ""])
@pytest.mark.parametrize(("source", "call", "parameters"), CHANGES)
def test_whoever_changes_the_product_is_seen(source: str, call: str, parameters: dict[str, Any], role: str) -> None:
    """Other code, another setting, another pattern or target stop the reverts as well as a disabled rule."""
    assert is_seen(source, call, parameters, role)


@pytest.mark.parametrize("role", [DEPLOYER, "stacksets-exec-0a1b2c"])
@pytest.mark.parametrize(("source", "call", "parameters"), CHANGES)
def test_a_deployment_by_its_own_role_raises_no_alarm(
    source: str, call: str, parameters: dict[str, Any], role: str
) -> None:
    """The role that the service control policy exempts, and that of StackSets."""
    assert not is_seen(source, call, parameters, role)


@pytest.mark.parametrize(
    ("source", "call", "parameters"),
    [
        ("aws.events", "PutTargets", {"rule": "nightly"}),
        ("aws.lambda", "UpdateFunctionCode20150331v2", {"functionName": "membership"}),
        ("aws.lambda", "GetFunction20150331v2", {"functionName": REVERT}),
        ("aws.logs", "PutResourcePolicy", {"policyName": "elasticsearch"}),
    ],
)
def test_others_and_reads_are_not_seen(source: str, call: str, parameters: dict[str, Any]) -> None:
    """What an account does otherwise is none of the product's business."""
    assert not is_seen(source, call, parameters)
