"""The engine around the apps: wiring, delivery, retries, dead letters, faults; with two tiny apps."""

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.activity import NotIdleError
from sandbox.settings import APPROVAL_CHANNEL, APPROVER, SHOP
from sandbox.system import Sandbox
from sandbox.timeline import (
    ApiCalled,
    ClickAnswered,
    CloudTrailSent,
    DeadLettered,
    FaultStruck,
    InvocationEnded,
    InvocationStarted,
    ItemWritten,
    MessagePublished,
    SlackClicked,
    SlackPosted,
)

REGION = "eu-west-1"
CHANGE_TOPIC = "arn:aws:sns:us-east-1:111111111111:securityGroupChange"
ERROR_TOPIC = "arn:aws:sns:us-east-1:111111111111:errorHandlerSecurityGroupChange"
APPLY_TOPIC = f"arn:aws:sns:{REGION}:{SHOP.id}:applySecurityGroupChange"


@pytest.fixture(autouse=True)
def afterwards(tiny: Sandbox) -> Iterator[None]:
    """Each test begins with working switches and leaves nothing running."""
    tiny.faults.clear()
    yield
    tiny.faults.clear()
    tiny.wait_until_idle()


@pytest.fixture
def group(tiny: Sandbox, request: pytest.FixtureRequest) -> str:
    """A group of the test's own."""
    made: str = tiny.aws.ec2(SHOP).create_security_group(GroupName=request.node.name, Description="d")["GroupId"]
    return made


def open_ssh(sandbox: Sandbox, group: str) -> str:
    """Open port 22 as alice; returns the request id."""
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    answer = sandbox.aws.ec2(SHOP).authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    return str(answer["ResponseMetadata"]["RequestId"])


def publish(sandbox: Sandbox, topic: str, message: str, *, account: str, region: str | None = None) -> Any:
    """Publish on a topic as somebody in an account."""
    credentials = sandbox.aws.credentials(account, "ci")
    client = sandbox.aws.client("sns", credentials, region or topic.split(":")[3])
    return client.publish(TopicArn=topic, Message=message)


def since(sandbox: Sandbox) -> int:
    """Remember where the timeline is."""
    return sandbox.timeline.last_number


def test_a_change_runs_through_the_functions_that_declare_to_listen(tiny: Sandbox, group: str) -> None:
    """API call, event, function, its calls, message, function, item, Slack: in this order, on the timeline."""
    began = since(tiny)
    request = open_ssh(tiny, group)
    tiny.wait_until_idle()
    assert tiny.aws.rules(SHOP, group) == []
    item = tiny.aws.request(request)
    assert item is not None
    assert item["status"] == "pending"
    steps = [type(entry.step) for entry in tiny.timeline.entries(after=began)]
    order = [ApiCalled, CloudTrailSent, InvocationStarted, MessagePublished, ItemWritten, SlackPosted]
    assert [steps.index(kind) for kind in order] == sorted(steps.index(kind) for kind in order)
    calls = [call for call in tiny.timeline.of_type(ApiCalled, after=began) if call.function]
    assert {call.function for call in calls} == {"revertSecurityGroup", "securityGroupChange"}
    assert "RevokeSecurityGroupIngress" in {call.action for call in calls}


def test_a_click_reaches_the_route_and_what_it_publishes_goes_on(tiny: Sandbox, group: str) -> None:
    """A click is answered by the app's own route; the topic in the member account runs the next function."""
    began = since(tiny)
    request = open_ssh(tiny, group)
    tiny.wait_until_idle()
    question = tiny.slack.messages(APPROVAL_CHANNEL)[-1]
    result = tiny.click(APPROVER, question, "Approve Add")
    tiny.wait_until_idle()
    assert (result.status, result.in_time) == (200, True)
    item = tiny.aws.request(request)
    assert item is not None
    assert item["status"] == "approved"
    assert tiny.slack.message(APPROVAL_CHANNEL, question.ts).text == "Processing"
    ran = {event.function for event in tiny.timeline.of_type(InvocationStarted, after=began)}
    assert "applySecurityGroupChange" in ran
    steps = [entry.step for entry in tiny.timeline.entries(after=began)]
    (click,) = [event for event in steps if isinstance(event, SlackClicked)]
    (answer,) = [event for event in steps if isinstance(event, ClickAnswered)]
    assert (click.user, answer.status) == (APPROVER.name, 200)
    between = steps[steps.index(click) : steps.index(answer)]
    assert any(isinstance(event, ItemWritten) for event in between), "what the click causes comes after it"


def test_a_function_that_fails_is_tried_three_times_then_waits_for_redrive(tiny: Sandbox) -> None:
    """Two retries, one dead letter; redriving it begins anew."""
    tiny.redrive()
    tiny.wait_until_idle()
    before = len(tiny.dead_letters)
    began = since(tiny)
    publish(tiny, ERROR_TOPIC, "hopeless", account=SHOP.id)
    tiny.wait_until_idle()
    attempts = [event.attempt for event in tiny.timeline.of_type(InvocationStarted, after=began)]
    assert attempts == [1, 2, 3]
    (lettered,) = tiny.timeline.of_type(DeadLettered, after=began)
    assert lettered.error == "RuntimeError: cannot handle hopeless"
    assert len(tiny.dead_letters) == before + 1
    assert "cannot handle hopeless" in tiny.dead_letters[-1].trace
    assert tiny.redrive() == before + 1
    assert tiny.dead_letters == ()
    tiny.wait_until_idle()
    assert len(tiny.dead_letters) == before + 1


def test_a_function_killed_midway_is_tried_again_in_a_new_process(tiny: Sandbox, group: str) -> None:
    """Its first AWS calls took effect, its process died, and the retry finished the work."""
    began = since(tiny)
    tiny.faults.kill_function, tiny.faults.kill_after_calls = "revertSecurityGroup", 2
    request = open_ssh(tiny, group)
    tiny.wait_until_idle()
    (fault,) = tiny.timeline.of_type(FaultStruck, after=began)
    assert fault.detail == "revertSecurityGroup after RevokeSecurityGroupIngress"
    ended = [e for e in tiny.timeline.of_type(InvocationEnded, after=began) if e.function == "revertSecurityGroup"]
    assert "signal: killed" in ended[0].error
    assert ended[1].error == ""
    assert tiny.aws.rules(SHOP, group) == []
    assert tiny.aws.request(request) is not None


def test_a_route_killed_midway_answers_again(tiny: Sandbox, group: str) -> None:
    """The click fails, the process behind the route is replaced, the next click works."""
    open_ssh(tiny, group)
    tiny.wait_until_idle()
    question = tiny.slack.messages(APPROVAL_CHANNEL)[-1]
    tiny.faults.kill_function = "buttonClick"
    assert tiny.click(APPROVER, question, "Approve Add").status == 0
    assert tiny.click(APPROVER, question, "Approve Add").status == 200


def test_sns_delivers_twice_when_told_to(tiny: Sandbox) -> None:
    """Both deliveries carry the same message id."""
    began = since(tiny)
    tiny.faults.sns_copies = 2
    publish(tiny, CHANGE_TOPIC, json.dumps({"id": "twice", "at": "now"}), account=SHOP.id)
    tiny.wait_until_idle()
    (published,) = tiny.timeline.of_type(MessagePublished, after=began)
    assert published.deliveries == 2
    started = tiny.timeline.of_type(InvocationStarted, after=began)
    assert [event.function for event in started] == ["securityGroupChange"] * 2


def test_cloudtrail_loses_as_many_events_as_told(tiny: Sandbox, group: str) -> None:
    """The change stays, since nobody heard of it; the next one is noticed again."""
    began = since(tiny)
    tiny.faults.events_to_lose = 1
    open_ssh(tiny, group)
    tiny.wait_until_idle()
    assert len(tiny.aws.rules(SHOP, group)) == 1
    assert tiny.timeline.of_type(CloudTrailSent, after=began)[0].fate == "lost"
    assert tiny.faults.events_to_lose == 0


def test_an_event_can_be_delivered_again(tiny: Sandbox, group: str) -> None:
    """At least once means that the same event may come twice."""
    open_ssh(tiny, group)
    tiny.wait_until_idle()
    event = next(event for event in tiny.events if event["detail"]["requestParameters"].get("groupId") == group)
    began = since(tiny)
    tiny.deliver_again(event)
    tiny.wait_until_idle()
    assert tiny.timeline.of_type(InvocationStarted, after=began)[0].function == "revertSecurityGroup"


def test_topics_refuse_publishers_that_their_policy_does_not_name(tiny: Sandbox) -> None:
    """The apply topic takes messages of the central account alone, its own account is refused."""
    with pytest.raises(ClientError) as caught:
        publish(tiny, APPLY_TOPIC, "x", account=SHOP.id)
    assert caught.value.response["Error"]["Code"] == "AuthorizationError"
    with pytest.raises(ClientError) as caught:
        publish(tiny, CHANGE_TOPIC, "x", account="111111111111")
    assert caught.value.response["Error"]["Code"] == "AuthorizationError"


def test_publishing_from_a_client_of_another_region_is_refused(tiny: Sandbox) -> None:
    """As in AWS, the client's region has to be the topic's."""
    with pytest.raises(ClientError) as caught:
        publish(tiny, CHANGE_TOPIC, "x", account=SHOP.id, region="eu-west-1")
    assert caught.value.response["Error"]["Code"] == "InvalidParameter"


def test_unknown_access_keys_are_told_what_to_do(tiny: Sandbox) -> None:
    """A key from elsewhere belongs to no account here, for each protocol."""
    for service, call in (
        ("ec2", "describe_security_groups"),
        ("sts", "get_caller_identity"),
        ("dynamodb", "list_tables"),
    ):
        client = boto3.client(
            service,  # type: ignore[call-overload]  # one of three
            region_name=REGION,
            endpoint_url=tiny.aws_url,
            aws_access_key_id="AKIA0000000000000000",
            aws_secret_access_key="x",
            config=Config(retries={"total_max_attempts": 1}),
        )
        with pytest.raises(ClientError) as caught:
            getattr(client, call)()
        assert caught.value.response["Error"]["Code"] == "InvalidClientTokenId"
        assert "credentials that the sandbox printed" in caught.value.response["Error"]["Message"]


def test_unsigned_requests_get_a_sentence(tiny: Sandbox) -> None:
    """Somebody who opens the address in a browser learns what it is."""
    answer = requests.get(tiny.aws_url, timeout=5)
    assert (answer.status_code, "signed AWS API requests" in answer.text) == (200, True)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://attacker.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "attacker.example"},
        {"Host": "127.0.0.1.attacker.example:5000"},
    ],
)
def test_web_pages_cannot_use_the_doors_for_programs(tiny: Sandbox, headers: dict[str, str]) -> None:
    """A hostile page in the developer's browser reaches neither AWS's endpoint nor Slack's webhooks."""
    hook = f"{tiny.slack_url}{tiny._slack_server.webhook_path(APPROVAL_CHANNEL)}"
    before = len(tiny.slack.messages(APPROVAL_CHANNEL))
    for url in (tiny.aws_url, hook):
        plain = {"Content-Type": "text/plain", **headers}
        assert requests.post(url, data='{"text": "harmless"}', headers=plain, timeout=5).status_code == 403
    assert len(tiny.slack.messages(APPROVAL_CHANNEL)) == before


def test_what_no_answer_can_carry_is_refused(tiny: Sandbox, group: str) -> None:
    """A control character in a description would make the group unreadable for ever; the refusal is an event too."""
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    permission = {**rule, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "a\x0bb"}]}
    with pytest.raises(ClientError) as refused:
        tiny.aws.ec2(SHOP).authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValue"
    detail = tiny.events[-1]["detail"]
    assert detail["errorCode"] == "Client.InvalidParameterValue"
    assert detail["requestID"] == refused.value.response["ResponseMetadata"]["RequestId"]
    assert tiny.aws.rules(SHOP, group) == []


@pytest.mark.parametrize(
    ("service", "target", "body", "status", "words"),
    [
        ("ec2", "", b"Action=Nonsense", 400, "InvalidAction"),
        ("ec2", "", b"Action=\xff", 400, "broken"),
        ("ec2", "", b"Action=AuthorizeSecurityGroupIngress&A=z&A.1=y", 500, "InternalFailure"),
        ("dynamodb", "DynamoDB_20120810.PutItem", b"[" * 100_000, 400, "broken"),
        ("dynamodb", "DynamoDB_20120810.PutItem", b'{"TableName": "x", "Item": 5}', 500, "InternalFailure"),
    ],
)
def test_nonsense_is_answered_as_aws_would(
    tiny: Sandbox, service: str, target: str, body: bytes, status: int, words: str
) -> None:
    """No stack trace, no web page: an error that a client can read."""
    key = tiny.aws.credentials(SHOP.id).access_key_id
    scope = f"{key}/20260101/{REGION}/{service}/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=x",
        "Content-Type": "application/x-amz-json-1.0" if target else "application/x-www-form-urlencoded",
        **({"X-Amz-Target": target} if target else {}),
    }
    answer = requests.post(tiny.aws_url, data=body, headers=headers, timeout=5)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text


def test_functions_run_under_the_role_that_chalice_gives_them(tiny: Sandbox, group: str) -> None:
    """STS and CloudTrail name the same role session."""
    open_ssh(tiny, group)
    tiny.wait_until_idle()
    own = [event for event in tiny.events if event["detail"]["eventName"] == "RevokeSecurityGroupIngress"][-1]
    identity = own["detail"]["userIdentity"]
    session = f"arn:aws:sts::{SHOP.id}:assumed-role/member-dev/member-dev-revertSecurityGroup"
    assert (identity["type"], identity["arn"]) == ("AssumedRole", session)
    credentials = tiny.identities.session(SHOP.id, "member-dev", "member-dev-revertSecurityGroup")
    assert tiny.aws.client("sts", credentials, REGION).get_caller_identity()["Arn"] == session


def test_schedules_run_when_told_and_once_after_the_start(tiny: Sandbox) -> None:
    """The snapshot ran at the start; a schedule can be run by name."""
    assert tiny.timeline.of_type(InvocationStarted)[0].function == "snapshotSecurityGroups"
    tiny.run_schedule("sweepRequests")
    ends = time.monotonic() + 10
    while not any(line.endswith("swept 111111111111 us-east-1") for line in tuple(tiny.log_lines)):
        assert time.monotonic() < ends, "what a function prints arrives"
        time.sleep(0.01)


def test_waiting_for_quiet_names_what_is_under_way(tiny: Sandbox) -> None:
    """The error says which function is still to run."""
    tiny.faults.sns_delay_seconds = 0.5
    publish(tiny, CHANGE_TOPIC, json.dumps({"id": "late", "at": "now"}), account=SHOP.id)
    with pytest.raises(NotIdleError, match="securityGroupChange"):
        tiny.wait_until_idle(0.05)


def test_a_function_that_takes_too_long_is_ended(tiny: Sandbox) -> None:
    """Lambda's time-out is an error like any other."""
    host = tiny._hosts["central", "111111111111", "us-east-1"]
    environment = host._new("events", "securityGroupChange")
    environment.wait_until_ready()
    tiny.faults.slack = "timeout"
    sns: dict[str, Any] = {"Message": '{"id": "slow", "at": "x"}', "Subject": None, "MessageAttributes": {}}
    message = {"Records": [{"Sns": sns}]}
    function = host.deployment.function("securityGroupChange")
    began = time.monotonic()
    result = environment.invoke(function, message, "request", 0.7)
    assert "timed out after 0.70 seconds" in result.error
    assert time.monotonic() - began < 30
    assert not environment.is_alive
