"""An account for the measured functions to work in: tables, topics, secrets and groups in the fake endpoints.

What is set up here is set up without latency and without being counted.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import parse_qsl

from bench import events
from bench.container import Container, Function
from bench.fake_endpoints.client import FakeEndpoints
from bench.measuring import Measured, invoke
from bench.names import ACCOUNT, ALL_TOPICS, APPLY, CLICK, INTAKE, REGION, REVERT, SIGNING_SECRET
from bench.shipped import Shipped
from sandbox.aws import resources

STEPS: Final[Mapping[str, str]] = {
    "revertSecurityGroup": REVERT,
    "securityGroupChange: question": INTAKE,
    "buttonClick": CLICK,
    "applySecurityGroupChange": APPLY,
    "securityGroupChange: result": INTAKE,
}
"""The steps of the approve path and their functions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A request that waits for a click.

    Attributes:
        request_id: its id.
        click: the event of a click that approves it.
    """

    request_id: str
    click: events.Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A port that somebody opened.

    Attributes:
        event: as CloudTrail reports it; a field larger than it takes is omitted.
        bare: what the floor of a revert gets: the group and the ids of the rules.
    """

    event: events.Json
    bare: events.Json


class World:
    """Everything around the measured functions, as a context manager."""

    def __init__(self, shipped: Shipped) -> None:
        """Start the fake endpoints and set up an account."""
        self.shipped = shipped
        self._stack = ExitStack()
        self.endpoints: Final = self._stack.enter_context(FakeEndpoints())
        self._ports = itertools.count(1024)
        self._ec2 = self.endpoints.client("ec2")
        self._ec2.meta.events.register("before-send.ec2", self._note_request)
        self._ec2.meta.events.register("after-call.ec2.AuthorizeSecurityGroupIngress", self._note_event)
        self._sent, self._event = "", events.Json()
        resources.create_requests_table(self.endpoints.client("dynamodb"))
        resources.create_state_table(self.endpoints.client("dynamodb"))
        for topic in ALL_TOPICS:
            resources.create_topic(self.endpoints.client("sns"), topic)
        for name, value in {
            "slackSigningSecret": SIGNING_SECRET,
            "approvalHookUrl": f"{self.endpoints.url}/slack/approval",
            "monitoringHookUrl": f"{self.endpoints.url}/slack/monitoring",
        }.items():
            self.endpoints.client("ssm").put_parameter(Name=f"/bench/{name}", Value=value, Type="SecureString")
        self.endpoints.client("sts").get_caller_identity()  # moto loads a service with its first call

    def __enter__(self) -> Self:
        """Return the world; the fake endpoints end with the context."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the fake endpoints."""
        self._stack.close()

    def start(self, function: Function | str, **options: Any) -> Container:
        """Start a function, given by name or as it is, with the variables that a deployment sets."""
        chosen = self.shipped.functions[function] if isinstance(function, str) else function
        return Container(chosen, self._environment(), **options)

    def _environment(self) -> dict[str, str]:
        secrets = ("slackSigningSecret", "approvalHookUrl", "monitoringHookUrl")
        return {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoints.url,
            "BENCH_ACCOUNT": ACCOUNT,
            "PATH": "/usr/bin:/bin",
            "centralAccountId": ACCOUNT,
            "centralRegion": REGION,
            "accountName": "payments",
            "ownRoleArn": f"arn:aws:iam::{ACCOUNT}:role/security-group-approval-member",
            **{name: f"ssm:/bench/{name}" for name in secrets},
        }

    def forget(self) -> None:
        """Remove all groups, requests and what the member app knows."""
        self.endpoints.ask("forget")

    # -- groups and rules ----------------------------------------------------------------------------------------------

    def groups(self, number: int, *, cidrs: Sequence[str] = (), port: int = 443) -> list[str]:
        """Make groups that open a port to some CIDR blocks each; return their ids."""
        ids: list[str] = self.endpoints.ask("add_groups", number=number, cidrs=list(cidrs), port=port)
        return ids

    def open(self, group_id: str, *, references: Sequence[str] = (), cidrs: Sequence[str] = ()) -> Opened:
        """Open a new port to CIDR blocks, to other groups, or else to the internet."""
        port = next(self._ports)
        permission: dict[str, Any] = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
        if references:
            permission["UserIdGroupPairs"] = [{"GroupId": one, "UserId": ACCOUNT} for one in references]
        else:
            permission["IpRanges"] = [{"CidrIp": one, "Description": "bench"} for one in cidrs or ["0.0.0.0/0"]]
        answer = self._ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[permission])
        rules = [rule["SecurityGroupRuleId"] for rule in answer["SecurityGroupRules"]]
        return Opened(event=self._event, bare={"group": group_id, "rules": rules})

    def _note_request(self, request: Any, **_: Any) -> None:
        self._sent = request.body if isinstance(request.body, str) else request.body.decode()

    def _note_event(self, http_response: Any, **_: Any) -> None:
        self._event = events.recorded(
            "AuthorizeSecurityGroupIngress", dict(parse_qsl(self._sent)), http_response.content
        )


class Story:
    """The approve path, step by step, with warm functions."""

    def __init__(self, world: World) -> None:
        """Begin without containers; each starts with its first step."""
        self._world = world
        self._stack = ExitStack()
        self.containers: dict[str, Container] = {}

    def __enter__(self) -> Self:
        """Return the story; its containers end with the context."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the containers."""
        self._stack.close()

    def step(self, function: str, event: events.Json) -> Measured:
        """Invoke a function."""
        if function not in self.containers:
            self.containers[function] = self._stack.enter_context(self._world.start(function))
        return invoke(self.containers[function], event, self._world.endpoints)

    def approve(self, group_id: str) -> dict[str, Measured]:
        """Add one rule, which is reverted, asked about, approved and applied; return the steps by name."""
        reverted = self.step(REVERT, self._world.open(group_id).event)
        asked = self.step(INTAKE, published(reverted))
        clicked = self.step(CLICK, self.click_on(asked))
        applied = self.step(APPLY, published(clicked))
        announced = self.step(INTAKE, published(applied))
        results = (reverted, asked, clicked, applied, announced)
        return dict(zip(STEPS, results, strict=True))

    def click_on(self, asked: Measured) -> events.Json:
        """Return the event of a click on the question that an invocation posted."""
        question = next(post.body for post in asked.posts if '"primary"' in post.body)
        return events.clicked(question, f"{self._world.endpoints.url}/slack/response")

    def pending(self, group_id: str) -> Pending:
        """Open a port, and return the request that waits for a click; takes no latency."""
        with self._world.endpoints.without_latency():
            reverted = self.step(REVERT, self._world.open(group_id).event)
            asked = self.step(INTAKE, published(reverted))
        click = self.click_on(asked)
        payload = json.loads(dict(parse_qsl(click["body"]))["payload"])
        return Pending(request_id=json.loads(payload["actions"][0]["value"])["requestId"], click=click)


def published(measured: Measured) -> events.Json:
    """Return SNS's event for the one message that an invocation published."""
    (call,) = (call for call in measured.calls if call.operation == "Publish")
    return events.delivered(call.body)


def cidrs(number: int) -> list[str]:
    """Return so many CIDR blocks."""
    return [f"10.{index // 250}.{index % 250}.0/24" for index in range(number)]
