"""An account with groups, tables and topics for the measured functions to work on, in moto or in the far side's memory.

What is set up here is set up without latency and without being counted.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import boto3

from bench import events
from bench.container import Container, Function
from bench.events import ACCOUNT, SECRET
from bench.servers import LATENCY_MS, FarSide, Moto, cpus_for_measuring
from bench.shipped import REGION, Shipped
from central.chalicelib.requests.items import record_to_item
from central.chalicelib.requests.record import HistoryEntry, Record
from central.chalicelib.requests.table import INDEX
from central.chalicelib.requests.table import TABLE as REQUESTS
from member.chalicelib.state.table import TABLE as STATE
from shared.aws.attributes import to_attributes
from shared.domain.caller import Caller
from shared.domain.change import make_change
from shared.domain.request import Request
from shared.domain.rule import cidr, make_rule

TOPICS: Final = (
    "securityGroupChange", "errorHandlerSecurityGroupChange", "denySecurityGroupChange", "applySecurityGroupChange",
)  # fmt: skip
_SECRETS: Final = ("slackSigningSecret", "approvalHookUrl", "monitoringHookUrl")
_NUMBERS: Final = itertools.count(1)
_CREDENTIALS: Final = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything around the measured functions.

    Attributes:
        shipped: the functions.
        moto: the real thing's stand-in, without latency, for setting up.
        far: before moto, with latency.
        memory: answers from memory, with latency.
        authority: PEM of the authorities that clients trust over TLS.
    """

    shipped: Shipped
    moto: Moto
    far: FarSide
    memory: FarSide
    authority: Path

    # -- functions -----------------------------------------------------------------------------------------------------

    def environment(
        self, *, far: FarSide | None = None, by_reference: bool = False, tls: bool = False
    ) -> dict[str, str]:
        """Return the variables of a measured function.

        Args:
            far: where its calls go; before moto when left out.
            by_reference: secrets stand in SSM, as the product ships; otherwise their values are in the variables.
            tls: everything is called over TLS, with a bundle of authorities as large as the usual one.
        """
        where = self.far if far is None else far
        url = where.tls_url if tls else where.url
        secrets = {name: f"ssm:/security-group-approval/{name}" for name in _SECRETS} if by_reference else _values(url)
        bundle = {"AWS_CA_BUNDLE": str(self.authority), "REQUESTS_CA_BUNDLE": str(self.authority)} if tls else {}
        return {
            **_CREDENTIALS,
            **secrets,
            **bundle,
            "PATH": "/usr/bin:/bin",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": url,
            "BENCH_ACCOUNT": ACCOUNT,
            "centralAccountId": ACCOUNT,
            "centralRegion": REGION,
            "accountName": "payments",
            "ownRoleArn": f"arn:aws:iam::{ACCOUNT}:role/security-group-approval-member",  # as a deployment sets it
        }

    def start(self, function: Function, environment: Mapping[str, str] | None = None, **options: Any) -> Container:
        """Start a function on the CPU that is kept for measuring."""
        chosen = self.environment() if environment is None else environment
        return Container(function, chosen, cpus=cpus_for_measuring(), **options)

    # -- groups in moto ------------------------------------------------------------------------------------------------

    def client(self, service: str) -> Any:
        """Return a client of moto's own address."""
        return boto3.client(  # type: ignore[call-overload]  # any service
            service,
            region_name=REGION,
            endpoint_url=self.moto.url,
            aws_access_key_id=_CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )


class Groups:
    """Security groups in moto that somebody opens."""

    def __init__(self, world: World) -> None:
        """Make a VPC."""
        self._ec2 = world.client("ec2")
        self.vpc: str = self._ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self._ports = itertools.count(1024)

    def make(self, number: int = 1) -> list[str]:
        """Make groups."""
        names = [f"bench-{next(_NUMBERS)}" for _ in range(number)]
        return [
            self._ec2.create_security_group(GroupName=name, Description="bench", VpcId=self.vpc)["GroupId"]
            for name in names
        ]

    def open(self, group_id: str, *, references: list[str] | None = None, identity: Any = events.USER) -> Any:
        """Open a port to the world, or to other groups, and return the event."""
        port = next(self._ports)
        permission: dict[str, Any] = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
        if references:
            permission["UserIdGroupPairs"] = [{"GroupId": one, "UserId": ACCOUNT} for one in references]
        else:
            permission["IpRanges"] = [{"CidrIp": "0.0.0.0/0", "Description": "bench"}]
        answer = self._ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[permission])
        return events.opened(group_id, answer["SecurityGroupRules"], identity=identity)


def bare_revert(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the floor of a revert gets for an event: the group and the rules."""
    rules = event["detail"]["responseElements"]["securityGroupRuleSet"]["items"]
    group = event["detail"]["requestParameters"]["groupId"]
    return {"group": group, "rules": [rule["securityGroupRuleId"] for rule in rules]}


def pending(requests: Any) -> Request:
    """Store a pending request in moto, as the central app would, and return it."""
    record = example_record(f"00000000-1111-4000-8000-{next(_NUMBERS):012d}")
    requests.put_item(TableName=REQUESTS, Item=to_attributes(record_to_item(record)))
    return record.request


def example_record(request_id: str) -> Record:
    """Return a request as it is stored while everybody waits for a click."""
    now = datetime.now(UTC)
    rule = make_rule(direction="ingress", protocol="tcp", from_port=22, to_port=22, source=cidr("0.0.0.0/0"))
    caller = Caller(
        type="AssumedRole",
        account=ACCOUNT,
        arn=events.PERSON["arn"],
        principal_arn=f"arn:aws:iam::{ACCOUNT}:role/x",
        name="ada@example.com",
    )
    request = Request(
        request_id=request_id,
        account=ACCOUNT,
        account_name="payments",
        region=REGION,
        group_id="sg-0123456789abcdef0",
        group_name="web",
        requester=caller,
        event_name="AuthorizeSecurityGroupIngress",
        event_time=now,
        change=make_change(added=[rule]),
    )
    entry = HistoryEntry(at=now, status="pending", previous="", by=ACCOUNT)
    return Record(request=request, status="pending", requested_at=now, history=(entry,))


@contextmanager
def around(shipped: Shipped, authority: Path, certificate: Path) -> Iterator[World]:
    """Keep the servers up while the context is open, with tables and topics made."""
    with Moto() as moto, FarSide(moto, certificate) as far, FarSide() as memory:
        world = World(shipped=shipped, moto=moto, far=far, memory=memory, authority=authority)
        _set_up(world)
        for one in (far, memory):
            one.take()
            one.set_latency(LATENCY_MS)
        yield world


def _set_up(world: World) -> None:
    dynamodb, sns, ssm = (world.client(name) for name in ("dynamodb", "sns", "ssm"))
    dynamodb.create_table(
        TableName=STATE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    names = ("requestId", "status", "requestedAt")
    index = [{"AttributeName": "status", "KeyType": "HASH"}, {"AttributeName": "requestedAt", "KeyType": "RANGE"}]
    dynamodb.create_table(
        TableName=REQUESTS,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "requestId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        GlobalSecondaryIndexes=[
            {"IndexName": INDEX, "KeySchema": index, "Projection": {"ProjectionType": "ALL"}},
        ],
    )
    for topic in TOPICS:
        sns.create_topic(Name=topic)
    world.client("sts").get_caller_identity()  # moto loads a service with its first call
    for name, value in _values(world.far.url).items():
        ssm.put_parameter(Name=f"/security-group-approval/{name}", Value=value, Type="SecureString")


def _values(url: str) -> dict[str, str]:
    return {
        "slackSigningSecret": SECRET,
        "approvalHookUrl": f"{url}/slack/approval",
        "monitoringHookUrl": f"{url}/slack/monitoring",
    }
