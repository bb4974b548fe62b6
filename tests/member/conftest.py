"""A member account in moto with everything the product needs, and no waiting between two looks at a group."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from chalice.test import Client
from moto import mock_aws
from moto.ec2.models import ec2_backends

from sandbox.aws.repairs import repaired
from tests.support import permissions
from tests.support.aws_clients import aws_client
from tests.support.faults import Faults
from tests.support.member_account import ACCOUNT, REGION, Member, Person
from tests.support.memory_account import MemoryMember, memory_member
from tests.support.trimmed import trimmed_models

__all__ = ["trimmed_models"]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of the member app, and credentials that reach nothing real."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "centralAccountId": ACCOUNT,
        "centralRegion": REGION,
        "accountName": "payments",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "policyFile", "modeOverride", "ownRoleArn"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def repaired_moto() -> None:
    """Ask for moto with the sandbox's repairs: all-or-nothing calls, every kind of source, EC2's canonical values."""


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses the app made between two looks; nobody waits for them."""
    from member.chalicelib import context

    made: list[float] = []
    monkeypatch.setattr(context, "pause", made.append)
    return made


@pytest.fixture(scope="module")
def account() -> Iterator[str]:
    """An account with topics, and the queue that hears what the central account would; kept for a module of tests."""
    with mock_aws():
        sns, sqs = aws_client("sns", REGION), aws_client("sqs", REGION)
        queue: str = sqs.create_queue(QueueName="central")["QueueUrl"]
        for name in ("securityGroupChange", "errorHandlerSecurityGroupChange"):
            topic = sns.create_topic(Name=name)["TopicArn"]
            endpoint = f"arn:aws:sqs:{REGION}:{ACCOUNT}:central"
            raw = {"RawMessageDelivery": "true"}
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=endpoint, Attributes=raw)
        yield queue


@contextmanager
def _own_groups() -> Iterator[None]:
    """Forget the groups that are made inside: making a new moto for each test takes longer than the tests."""
    groups = ec2_backends[ACCOUNT][REGION].groups
    before = {vpc_id: dict(some) for vpc_id, some in groups.items()}
    yield
    groups.clear()
    groups.update(before)


@pytest.fixture
def member(
    request: pytest.FixtureRequest,
    account: str,
    pauses: list[float],  # noqa: ARG001 - nobody waits
) -> Iterator[Member]:
    """A member account with one group in a VPC and an empty table."""
    import member.app
    from member.chalicelib import context

    permissions.watch("member")
    ec2, sqs, dynamodb = (aws_client(name, REGION) for name in ("ec2", "sqs", "dynamodb"))
    with ExitStack() as stack:
        if "repaired_moto" in request.fixturenames:
            stack.enter_context(repaired())
        stack.enter_context(_own_groups())
        dynamodb.create_table(
            TableName="securityGroupState",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        stack.callback(dynamodb.delete_table, TableName="securityGroupState")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
        context._own_session_arn.cache_clear()
        stack.callback(context._own_session_arn.cache_clear)
        client = stack.enter_context(Client(member.app.app))
        made = Member(
            lambda_=client.lambda_, ec2=ec2, sqs=sqs, dynamodb=dynamodb, queue=account, vpc_id=vpc, group_id=group
        )
        stack.callback(made.told)
        yield made


@pytest.fixture
def ada(member: Member) -> Person:
    """An IAM user of the member account."""
    return Person(member)


@pytest.fixture
def faults() -> Faults:
    """Counts AWS calls, and breaks the ones it is told to."""
    return Faults()


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryMember]:
    """A member account in memory, with a clock that only the test moves on."""
    import member.app
    from member.chalicelib import context

    with Client(member.app.app) as client:
        made, account = memory_member(client.lambda_, lambda name, value: monkeypatch.setattr(context, name, value))
        context._own_session_arn.cache_clear()
        with account.installed():
            yield made
        context._own_session_arn.cache_clear()
