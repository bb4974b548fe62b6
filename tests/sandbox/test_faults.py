"""Both real apps come through what goes wrong: nothing is lost, nothing happens twice."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from sandbox.aging import let_time_pass
from sandbox.settings import APPROVAL_CHANNEL, APPROVER, SHOP, SandboxSettings
from sandbox.slack.workspace import Message
from sandbox.system import Sandbox
from sandbox.timeline import ItemWritten

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def system() -> Iterator[Sandbox]:
    """Both apps of the repository, one member account in one region."""
    settings = SandboxSettings(
        members=(SHOP,),
        regions=("eu-west-1",),
        aws_port=0,
        schedules_run_by_themselves=False,
        retry_delays_seconds=(0.1, 0.1),
        function_timeout_seconds=6.0,
        policy={"drift_grace_minutes": 0.01},
    )
    with Sandbox(settings) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def working(system: Sandbox) -> Iterator[None]:
    """Each test begins and ends with everything working."""
    system.faults.clear()
    yield
    system.faults.clear()
    system.wait_until_idle()


@pytest.fixture
def group(system: Sandbox, request: pytest.FixtureRequest) -> str:
    """A group of the test's own, made by the exempt role, learned as empty."""
    ec2 = system.aws.ec2(SHOP, who="ci")
    made: str = ec2.create_security_group(GroupName=request.node.name, Description="d")["GroupId"]
    system.wait_until_idle()
    return made


def open_port(system: Sandbox, group: str) -> str:
    """Open SSH as alice and wait for quiet; returns the request id."""
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "198.51.100.0/24"}]}
    answer = system.aws.ec2(SHOP).authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    system.wait_until_idle()
    return str(answer["ResponseMetadata"]["RequestId"])


def item(system: Sandbox, request: str) -> dict[str, Any]:
    """The stored request."""
    found = system.aws.request(request)
    assert found is not None
    return found


def messages_about(system: Sandbox, request: str) -> list[Message]:
    """The approval channel's messages that name the request."""
    return [message for message in system.slack.messages(APPROVAL_CHANNEL) if request in str(message.all_blocks())]


def test_the_adoption_of_a_region_is_no_change_and_no_request(system: Sandbox) -> None:
    """Central stores and announces it, under ids of its own, which neither timeline nor story take for a request."""
    kept = [step for step in system.timeline.of_type(ItemWritten) if "#" in step.key and "Requests" in step.table]
    assert {step.key.partition("#")[0] for step in kept} == {"adoption", "member"}
    assert {step.about for step in kept} == {""}
    assert not [item for item in system.aws.requests() if "#" in item["requestId"]]


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_a_revert_killed_midway_is_finished_by_the_retry(system: Sandbox, group: str, calls: int) -> None:
    """After whichever of its first AWS calls it dies, the rule is gone and the request asked for once."""
    system.faults.kill_function, system.faults.kill_after_calls = "revertSecurityGroup", calls
    request = open_port(system, group)
    assert system.faults.kill_function == "", "the fault struck"
    assert system.aws.rules(SHOP, group) == []
    assert item(system, request)["status"] == "pending"
    assert len(messages_about(system, request)) == 1


@pytest.mark.parametrize("calls", [1, 2, 3, 4])
def test_an_application_killed_midway_is_finished_by_the_retry(system: Sandbox, group: str, calls: int) -> None:
    """After whichever of its AWS calls it dies, the rule is there once and the request applied."""
    request = open_port(system, group)
    (question,) = messages_about(system, request)
    system.faults.kill_function, system.faults.kill_after_calls = "applySecurityGroupChange", calls
    system.click(APPROVER, question, "Approve Add")
    system.wait_until_idle()
    assert system.faults.kill_function == "", "the fault struck"
    assert [rule["CidrIpv4"] for rule in system.aws.rules(SHOP, group)] == ["198.51.100.0/24"]
    assert item(system, request)["status"] == "applied"


def test_everything_delivered_twice_happens_once(system: Sandbox, group: str) -> None:
    """Two events and two messages of each kind: one question, one application, no error."""
    system.faults.sns_copies = system.faults.event_copies = 2
    request = open_port(system, group)
    (question,) = messages_about(system, request)
    system.click(APPROVER, question, "Approve Add")
    system.wait_until_idle()
    assert item(system, request)["status"] == "applied"
    assert len(system.aws.rules(SHOP, group)) == 1
    assert [message.button_texts() for message in messages_about(system, request)] == [[]]


def test_an_old_event_delivered_again_never_undoes_what_was_approved(system: Sandbox, group: str) -> None:
    """The event of the call that was approved since then changes nothing."""
    request = open_port(system, group)
    (question,) = messages_about(system, request)
    system.click(APPROVER, question, "Approve Add")
    system.wait_until_idle()
    event = next(event for event in system.events if event["detail"]["requestID"] == request)
    system.deliver_again(event)
    system.wait_until_idle()
    assert len(system.aws.rules(SHOP, group)) == 1
    assert item(system, request)["status"] == "applied"


def test_a_change_whose_event_was_lost_is_found_by_the_snapshots(system: Sandbox, group: str) -> None:
    """The first snapshot sees it, a later one reverts it and asks."""
    system.run_schedule("snapshotSecurityGroups")
    system.faults.events_to_lose = 1
    open_port(system, group)
    assert len(system.aws.rules(SHOP, group)) == 1
    ends = time.monotonic() + 60
    while system.aws.rules(SHOP, group):
        assert time.monotonic() < ends, "drift is reverted"
        system.run_schedule("snapshotSecurityGroups")
        system.wait_until_idle()
        time.sleep(0.2)
    assert messages_about(system, group)[-1].button_texts() == ["Approve Add", "Deny"]


def test_a_question_that_slack_refused_is_asked_by_the_sweep(system: Sandbox, group: str) -> None:
    """While Slack fails the request waits, stored; the sweep asks once Slack is back, and no letter is dead."""
    system.faults.slack = "server_error"
    request = open_port(system, group)
    assert item(system, request)["status"] == "pending"
    assert messages_about(system, request) == []
    assert system.dead_letters == ()
    system.faults.clear()
    let_time_pass(system, timedelta(minutes=6))
    system.run_schedule("sweepRequests")
    system.wait_until_idle()
    assert len(messages_about(system, request)) == 1
