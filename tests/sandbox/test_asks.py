"""Asking first with both real apps: a refused call and a dry run become questions; approving one makes the change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.settings import APPROVAL_CHANNEL, APPROVER, SHOP, SandboxSettings
from sandbox.system import Sandbox

pytestmark = pytest.mark.slow

REGION = "eu-west-1"
PERMISSION: dict[str, Any] = {
    "IpProtocol": "tcp",
    "FromPort": 22,
    "ToPort": 22,
    "IpRanges": [{"CidrIp": "198.51.100.0/24", "Description": "office"}],
}


@pytest.fixture(scope="module")
def system() -> Iterator[Sandbox]:
    """Both apps of the repository, one member account in one region."""
    settings = SandboxSettings(
        members=(SHOP,),
        regions=(REGION,),
        aws_port=0,
        schedules_run_by_themselves=False,
        retry_delays_seconds=(0.1, 0.1),
        policy={"drift_grace_minutes": 0.01},
    )
    with Sandbox(settings) as sandbox:
        yield sandbox


@pytest.fixture
def group(system: Sandbox, request: pytest.FixtureRequest) -> str:
    """A group of the test's own."""
    made: str = system.aws.ec2(SHOP, who="ci").create_security_group(GroupName=request.node.name, Description="d")[
        "GroupId"
    ]
    system.wait_until_idle()
    return made


def asked_for(system: Sandbox, group: str) -> list[dict[str, Any]]:
    """Return the stored requests about a group."""
    system.wait_until_idle()
    return [one for one in system.aws.requests() if one.get("groupId") == group]


def approve(system: Sandbox, request_id: str) -> None:
    """Let Grace approve in Slack."""
    message = next(
        one for one in reversed(system.slack.messages(APPROVAL_CHANNEL)) if request_id in str(one.all_blocks())
    )
    assert system.click(APPROVER, message, "Approve Add").status == 200
    system.wait_until_idle()


def test_a_call_that_aws_refuses_asks_and_is_made_once_it_is_approved(system: Sandbox, group: str) -> None:
    """As with a service control policy: the call fails, nothing is open meanwhile."""
    with pytest.raises(ClientError) as refused:
        system.aws.ec2(SHOP, who="asker").authorize_security_group_ingress(GroupId=group, IpPermissions=[PERMISSION])
    assert refused.value.response["Error"]["Code"] == "UnauthorizedOperation"
    assert "explicit deny in a service control policy" in refused.value.response["Error"]["Message"]
    (request,) = asked_for(system, group)
    assert (request["origin"], request["status"], request["requester"]) == ("ask", "pending", "linus")
    assert system.aws.rules(SHOP, group) == []
    approve(system, request["requestId"])
    (rule,) = system.aws.rules(SHOP, group)
    assert (rule["CidrIpv4"], rule["Description"]) == ("198.51.100.0/24", "office")
    assert asked_for(system, group)[0]["status"] == "applied"


def test_a_dry_run_asks(system: Sandbox, group: str) -> None:
    """By anybody; it is recorded as CloudTrail does."""
    with pytest.raises(ClientError, match="DryRunOperation"):
        system.aws.ec2(SHOP).authorize_security_group_ingress(GroupId=group, IpPermissions=[PERMISSION], DryRun=True)
    (request,) = asked_for(system, group)
    assert (request["origin"], request["status"]) == ("ask", "pending")
    event = next(one for one in system.events if one["detail"]["requestID"] == request["requestId"])
    assert event["detail"]["errorCode"] == "Client.DryRunOperation"
    assert system.aws.rules(SHOP, group) == []


def test_who_may_only_ask_may_look_and_everybody_else_may_act(system: Sandbox, group: str) -> None:
    """Only calls that change rules are refused, and only theirs."""
    asker = system.aws.ec2(SHOP, who="asker")
    assert asker.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    for call in (asker.revoke_security_group_ingress, asker.authorize_security_group_ingress):
        with pytest.raises(ClientError, match="UnauthorizedOperation"):
            call(GroupId=group, IpPermissions=[PERMISSION])
    system.aws.ec2(SHOP, who="ci").authorize_security_group_ingress(GroupId=group, IpPermissions=[PERMISSION])
    system.wait_until_idle()
    assert len(system.aws.rules(SHOP, group)) == 1
