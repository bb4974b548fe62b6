"""The thin adapters: attribute values, clients, topics, and what EC2's errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ParamValidationError
from moto import mock_aws

from member.chalicelib.ec2.plan import Authorize, Revoke
from member.chalicelib.ec2.refusal import Ec2Error
from member.chalicelib.ec2.security_groups import SecurityGroups, translated
from shared.aws import clients
from shared.aws.attributes import from_attributes, to_attribute, to_attributes
from shared.aws.topics import publish, topic_arn
from shared.domain.rule import cidr, make_rule
from shared.wire.messages import DenyMessage, read_message
from tests.support.faults import Faults

REGION = "eu-west-1"
PROFILES: tuple[clients.RetryProfile, ...] = ("standard", "fail_fast", "adaptive")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """moto, and no client from before."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        clients.forget()
        yield
    clients.forget()


# -- attributes --------------------------------------------------------------------------------------------------------


def test_plain_values_survive_dynamodb() -> None:
    """Numbers come back as whole numbers where they are, binary as bytes, at every depth."""
    item = {"text": "x", "number": 7, "bytes": b"\x00", "map": {"list": [1, {"flag": True}], "none": None}}
    assert from_attributes(to_attributes(item)) == item
    read = from_attributes({"a": {"N": "1.5"}, "b": {"L": [{"B": b"x"}]}})
    assert read == {"a": 1.5, "b": [b"x"]}
    assert isinstance(from_attributes({"a": {"N": "7"}})["a"], int)


def test_one_value_is_written_as_the_client_takes_it() -> None:
    """For conditions and updates."""
    assert to_attribute(Decimal(7)) == {"N": "7"}
    assert to_attribute(b"x") == {"B": b"x"}
    assert to_attribute(True) == {"BOOL": True}
    with pytest.raises(TypeError, match="object is no value of a DynamoDB item"):
        to_attribute([object()])


def test_items_of_other_writers_can_be_read() -> None:
    """Sets, which our own items do not have, and numbers however they are spelled."""
    sets = {"a": {"SS": ["x", "y"]}, "b": {"NS": ["1", "2.5"]}}
    read = from_attributes({**sets, "c": {"N": "1E+2"}, "d": {"NULL": True}})
    assert read == {"a": {"x", "y"}, "b": {1, 2.5}, "c": 100, "d": None}


# -- clients -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("aws")
def test_a_client_is_made_once_per_service_region_and_retry_profile() -> None:
    """Making one costs more than any call."""
    assert clients.client("ec2", REGION) is clients.client("ec2", REGION)
    assert clients.client("ec2", REGION) is not clients.client("ec2", "us-east-1")
    fail_fast = clients.client("sns", REGION, retries="fail_fast")
    assert fail_fast is not clients.client("sns", REGION)
    assert fail_fast.meta.config.read_timeout < clients.client("sns", REGION).meta.config.read_timeout


@pytest.mark.usefixtures("aws")
def test_only_the_adaptive_profile_limits_its_rate() -> None:
    """A revert that held itself to a rate would leave a port open meanwhile."""
    modes = {one: clients.client("ec2", REGION, retries=one).meta.config.retries["mode"] for one in PROFILES}
    assert modes == {"standard": "standard", "fail_fast": "standard", "adaptive": "adaptive"}


@pytest.mark.usefixtures("aws")
def test_a_client_belongs_to_account_and_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """One process may serve several, as the sandbox does."""
    first = clients.client("sns", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    second = clients.client("sns", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5999")
    third = clients.client("sns", REGION)
    assert len({id(one) for one in (first, second, third)}) == 3
    assert third.meta.endpoint_url == "http://127.0.0.1:5999"


# -- topics ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("region", "name"),
    [
        ("eu-west-1", "aws"),
        ("eu-west-99", "aws"),  # younger than botocore's list, but of its pattern
        ("xx-east-1", "aws"),  # of no pattern
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("eusc-de-east-1", "aws-eusc"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eu-isoe-west-1", "aws-iso-e"),
        ("us-isof-south-1", "aws-iso-f"),
    ],
)
def test_a_topics_arn_is_in_its_regions_partition(region: str, name: str) -> None:
    """The same code runs in every partition."""
    assert clients.partition(region) == name
    assert topic_arn("t", account="111111111111", region=region) == f"arn:{name}:sns:{region}:111111111111:t"


@pytest.mark.usefixtures("aws")
def test_a_message_is_published_in_the_topics_region_under_a_short_subject() -> None:
    """SNS takes a hundred characters; the subject is never the reason that a message is lost."""
    sns, sqs = boto3.client("sns", "us-east-1"), boto3.client("sqs", "us-east-1")
    arn = sns.create_topic(Name="t")["TopicArn"]
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:q")
    message = DenyMessage(request_id="r", digest="d")
    faults = Faults()
    with faults.watching():
        publish(arn, message, subject="s" * 300)
    (call,) = faults.calls
    assert len(call.parameters["Subject"]) == 100
    assert read_message(call.parameters["Message"]) == message
    assert len(sqs.receive_message(QueueUrl=queue)["Messages"]) == 1


# -- EC2's errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status", "transient"),
    [
        ("RequestLimitExceeded", 503, True),
        ("Throttling", 400, True),
        ("InternalError", 500, True),
        ("SomethingNew", 503, True),
        ("UnauthorizedOperation", 403, False),
        ("InvalidPermission.Duplicate", 400, False),
        ("RulesPerSecurityGroupLimitExceeded", 400, False),
    ],
)
def test_errors_that_may_pass_are_told_from_those_that_will_not(code: str, status: int, transient: bool) -> None:
    """By EC2's code, or by the status of a code nobody has heard of."""
    response: Any = {"Error": {"Code": code, "Message": "because"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = translated(ClientError(response, "X"))
    assert (error.refusal.code, error.refusal.reason, error.is_temporary) == (code, "because", transient)
    assert str(error) == f"{code}: because"


def test_no_answer_may_pass_and_a_wrong_call_of_ours_will_not() -> None:
    """Connection errors are worth another try, a parameter botocore refuses is not."""
    assert translated(ConnectTimeoutError(endpoint_url="x")).is_temporary
    assert not translated(ParamValidationError(report="x")).is_temporary
    assert not translated(ClientError({"Error": {}}, "X")).is_temporary  # type: ignore[typeddict-item]  # half an answer


def some_rule(direction: Any = "ingress") -> Any:
    """A rule."""
    return make_rule(direction=direction, protocol="tcp", from_port=1, to_port=1, source=cidr("10.0.0.0/8"))


@pytest.mark.usefixtures("aws")
def test_a_group_that_is_gone_has_neither_facts_nor_rules() -> None:
    """And a name nobody has leads nowhere."""
    groups = SecurityGroups(REGION, "123456789012")
    assert groups.group("sg-0123456789abcdef0") is None
    assert groups.group_named("nobody") is None
    assert len(groups.rules("sg-0123456789abcdef0")) == 0


@pytest.mark.usefixtures("aws")
def test_rules_of_both_directions_are_read_added_and_revoked() -> None:
    """By permission where no id is known."""
    groups = SecurityGroups(REGION, "123456789012")
    made = boto3.client("ec2", REGION).create_security_group(GroupName="g", Description="x")["GroupId"]
    facts = groups.group_named("g")
    assert facts is not None
    assert (facts.group_id, facts.name, facts.owner) == (made, "g", "123456789012")
    assert facts in list(groups.all_groups())
    for direction in ("ingress", "egress"):
        one = some_rule(direction)
        groups.authorize(made, Authorize(direction=direction, rules=(one,)))
        assert one in groups.rules(made)
        assert (made, one) in list(groups.all_rules())
        groups.revoke(made, Revoke(direction=direction, rules=(one,)))
        assert one not in groups.rules(made)


@pytest.mark.usefixtures("aws")
def test_every_call_translates_its_errors() -> None:
    """Callers see EC2's code, whichever call it was, paginated ones included."""
    groups = SecurityGroups(REGION, "123456789012")
    calls: list[Any] = [
        lambda: groups.rules("sg-1"),
        lambda: list(groups.all_groups()),
        lambda: list(groups.all_rules()),
        lambda: groups.group("sg-1"),
        lambda: groups.revoke_ids("sg-1", "ingress", ("sgr-1",)),
        lambda: groups.authorize("sg-1", Authorize(direction="egress", rules=(some_rule("egress"),))),
    ]
    for call in calls:
        with Faults(kind="throttled", at=1).watching(), pytest.raises(Ec2Error) as caught:
            call()
        assert (caught.value.refusal.code, caught.value.is_temporary) == ("RequestLimitExceeded", True)
