"""The central account in moto and its app, driven as Lambda and Slack drive it."""

from __future__ import annotations

import copy
import json
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.awsrequest import AWSResponse
from chalice.test import Client
from moto.core.botocore_stubber import MockRawResponse
from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models import DynamoDBBackend

from central.chalicelib.requests.items import record_from_item
from central.chalicelib.requests.moves import Move
from central.chalicelib.requests.record import Decision, HistoryEntry, Record, Task
from central.chalicelib.requests.table import TABLE
from central.chalicelib.slack.signature import sign
from sandbox.aws import resources
from sandbox.aws.events import message_event, scheduled_event
from shared.aws.attributes import from_attributes, to_attributes
from shared.domain.caller import Caller
from shared.domain.change import make_change
from shared.domain.request import Request, Status
from shared.domain.rule import cidr, make_rule
from shared.wire.messages import Message, RequestMessage, read_message, write_message
from shared.wire.rule_json import time_to_text
from tests.support import permissions
from tests.support.aws_clients import aws_client
from tests.support.slack_stand_in import APPROVAL, MONITORING, RESPONSE, Post, SlackStandIn

REGION = "eu-west-1"
ACCOUNT = "123456789012"  # moto's default account; members and central share it here
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
APPROVER = "U061F7AUR"
NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)

ADA = Caller(
    type="AssumedRole",
    account=ACCOUNT,
    arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Admin_1a2b/ada@example.com",
    principal_arn=f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_1a2b",
    name="ada@example.com (AWSReservedSSO_Admin_1a2b)",
)


def make_request(request_id: str = "59dbff89-35bd-4eac-99ed-be587ed825a1", **values: Any) -> Request:
    """Return a request that opens 22/tcp to the world; each value can be set."""
    opened = make_rule(direction="ingress", protocol="tcp", from_port=22, to_port=22, source=cidr("0.0.0.0/0"))
    defaults: dict[str, Any] = {
        "account": ACCOUNT,
        "account_name": "payments",
        "region": REGION,
        "group_id": "sg-0123456789abcdef0",
        "group_name": "web",
        "requester": ADA,
        "event_name": "AuthorizeSecurityGroupIngress",
        "event_time": datetime.now(UTC) - timedelta(seconds=8),
        "change": make_change(added=[opened]),
    }
    return Request(request_id=request_id, **(defaults | values))


def make_record(request: Request, **values: Any) -> Record:
    """Return a request as stored, pending; each value can be set."""
    return Record(request=request, **({"status": "pending", "requested_at": request.event_time} | values))


def new_record(request_id: str = "r-1", *, tasks: tuple[Task, ...] = ("ask",), **values: Any) -> Record:
    """Return a new record."""
    request = make_request(request_id, event_time=values.get("requested_at", NOON))
    status: Status = values.get("status", "pending")
    defaults: dict[str, Any] = {
        "status": status,
        "requested_at": NOON,
        "tasks": tuple((task, NOON) for task in tasks),
        "history": (HistoryEntry(at=NOON, status=status, previous="", by=request.account),),
    }
    return Record(request=replace(request, status=status), **(defaults | values))


def approval(stored: Record, **values: Any) -> Move:
    """Return the move that approves a record."""
    defaults: dict[str, Any] = {
        "request_id": stored.request.request_id,
        "previous": "pending",
        "to": "approved",
        "digest": stored.request.digest,
        "at": LATER,
        "by": "U1",
        "tasks": ("dispatch",),
        "decision": Decision(by="U1", at=LATER),
    }
    return Move(**(defaults | values))


def aged(request: Request, **age: float) -> Request:
    """Return the request as if made that long ago, e.g. ``hours=73``."""
    return replace(request, event_time=datetime.now(UTC) - timedelta(**age))


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What the route answered."""

    status: int
    body: str


class Central:
    """The central app and what is around it."""

    def __init__(self, slack: SlackStandIn) -> None:
        import central.app

        permissions.watch("central")
        self.slack = slack
        self.client = Client(central.app.app)
        self.dynamodb = aws_client("dynamodb", REGION)
        self.sns = aws_client("sns", REGION)
        self.sqs = aws_client("sqs", REGION)
        self.queues: dict[str, str] = {}

    # -- what Lambda delivers ------------------------------------------------------------------------------------------

    def deliver(self, message: Message, to: str = "securityGroupChange") -> None:
        """Deliver a message of a topic."""
        self.deliver_text(write_message(message), to)

    def deliver_text(self, text: str, to: str = "securityGroupChange") -> None:
        """Deliver a message as it stands."""
        self.client.lambda_.invoke(to, message_event(f"arn:aws:sns:{REGION}:{ACCOUNT}:{to}", text, subject="s"))

    def file(self, request: Request | None = None) -> Request:
        """Publish a member's request; an aged one is stored as if published when the change was made."""
        request = request or make_request()
        self.deliver(RequestMessage(request=request))
        if request.event_time < datetime.now(UTC) - timedelta(minutes=1):
            self.dynamodb.update_item(
                TableName=TABLE,
                Key={"requestId": {"S": request.request_id}},
                UpdateExpression="SET requestedAt = :then",
                ExpressionAttributeValues={":then": {"S": time_to_text(request.event_time)}},
            )
        return request

    def sweep(self, **later: float) -> None:
        """Run the sweep now, or as if it were that much later, e.g. ``minutes=6``."""
        moment = datetime.now(UTC) + timedelta(**later)
        event = scheduled_event(account=ACCOUNT, region=REGION, rule="sweepRequests", at=moment)
        self.client.lambda_.invoke("sweepRequests", event)

    # -- what Slack sends ----------------------------------------------------------------------------------------------

    def click(self, request: Request, action: str = "approve", by: str = APPROVER, **values: Any) -> HttpAnswer:
        """Click a button of a request; ``values`` replace parts of the payload."""
        return self.post(click_body(self.slack, request, action, by, **values))

    def post(self, body: bytes, **headers: str) -> HttpAnswer:
        """Send a body, signed as Slack signs it; headers given here replace Slack's."""
        return send(self.client, body, headers)

    # -- what came of it -----------------------------------------------------------------------------------------------

    def item(self, request_id: str = "59dbff89-35bd-4eac-99ed-be587ed825a1") -> dict[str, Any]:
        """Return a stored item in plain values, ``{}`` when there is none."""
        found = self.dynamodb.get_item(TableName=TABLE, Key=to_attributes({"requestId": request_id}))
        return from_attributes(found.get("Item", {}))

    def edit(self, request_id: str = "59dbff89-35bd-4eac-99ed-be587ed825a1", **values: Any) -> None:
        """Give attributes of a stored item other values, as time or an operator would."""
        self.dynamodb.put_item(TableName=TABLE, Item=to_attributes(self.item(request_id) | values))

    def status(self, request_id: str = "59dbff89-35bd-4eac-99ed-be587ed825a1") -> str:
        """Return the status of a stored request, and check that the item can be read."""
        return record_from_item(self.item(request_id)).status

    def sent(self, topic: str) -> list[Message]:
        """Return what was published on a topic since the last call."""
        messages = []
        while found := self.sqs.receive_message(QueueUrl=self.queues[topic], MaxNumberOfMessages=10).get("Messages"):
            for one in found:
                self.sqs.delete_message(QueueUrl=self.queues[topic], ReceiptHandle=one["ReceiptHandle"])
                messages.append(read_message(json.loads(one["Body"])["Message"]))
        return messages

    @property
    def approval(self) -> list[Post]:
        """What the approval channel's webhook accepted."""
        return self.slack.to(APPROVAL)

    @property
    def monitoring(self) -> list[Post]:
        """What the monitoring channel's webhook accepted."""
        return self.slack.to(MONITORING)

    @property
    def responses(self) -> list[Post]:
        """What was posted to the click's ``response_url``."""
        return self.slack.to(RESPONSE)

    def make_topic(self, name: str) -> None:
        """Make a topic and a queue that is subscribed to it."""
        arn = self.sns.create_topic(Name=name)["TopicArn"]
        self.queues[name] = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        self.sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")

    def break_topic(self, name: str) -> None:
        """Remove a topic, so that publishing fails."""
        self.sns.delete_topic(TopicArn=f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}")


def click_body(slack: SlackStandIn, request: Request, action: str, by: str, **values: Any) -> bytes:
    """Return the form body of a click; ``values`` replace parts of the payload."""
    value = {"requestId": request.request_id, "digest": request.digest}
    payload = {
        "type": "block_actions",
        "user": {"id": by, "username": "grace", "name": "grace", "team_id": "T0001"},
        "team": {"id": "T0001", "domain": "example"},
        "token": "verification-token-secret",
        "container": {"type": "message", "message_ts": "1727740800.000100", "channel_id": "C0001"},
        "channel": {"id": "C0001", "name": "privategroup"},
        "message": {"text": "what the client shows"},
        "response_url": slack.url(RESPONSE),
        "trigger_id": "1.2.3",
        "actions": [{"action_id": action, "type": "button", "value": json.dumps(value), "action_ts": "1727740900.1"}],
    }
    return urlencode({"payload": json.dumps(payload | values)}).encode()


def send(client: Client, body: bytes, headers: dict[str, str]) -> HttpAnswer:
    """Send a body to the route, signed as Slack signs it."""
    signed = signed_headers(body, headers.get("X-Slack-Request-Timestamp", ""))
    answer = client.http.post("/slack/actions", headers=signed | headers, body=body)
    return HttpAnswer(answer.status_code, answer.body.decode())


def signed_headers(body: bytes, timestamp: str = "") -> dict[str, str]:
    """Return the headers with which Slack sends a body, now if no other time is given."""
    timestamp = timestamp or str(int(datetime.now(UTC).timestamp()))
    return {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": sign(SECRET, timestamp, body),
    }


def make_table(dynamodb: Any, projection: str = "ALL") -> None:
    """Make the table of requests."""
    resources.create_requests_table(dynamodb, projection=projection)


def make_writes_atomic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give moto what DynamoDB promises: between a write's condition and its effect there is no other write.

    Nor does anybody read what a transaction has written that is not complete, or is cancelled, or half of a write.
    """
    lock = threading.RLock()
    for name in ("put_item", "update_item", "transact_write_items", "query"):
        original = getattr(DynamoDBBackend, name)

        def locked(*args: Any, _original: Any = original, **kwargs: Any) -> Any:
            with lock:
                return _original(*args, **kwargs)

        monkeypatch.setattr(DynamoDBBackend, name, locked)
    original_get = DynamoDBBackend.get_item

    def copied(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return copy.deepcopy(original_get(*args, **kwargs))

    monkeypatch.setattr(DynamoDBBackend, "get_item", copied)


def meet_transactions(dynamodb: Any, operation: str, times: int) -> None:
    """Let the next so many calls of an operation meet somebody else's transaction."""
    left = [times]

    def refuse(**_: Any) -> Any:
        if not left[0]:
            return None
        left[0] -= 1
        body = '{"__type": "com.amazonaws.dynamodb.v20120810#TransactionConflictException", "message": "conflict"}'
        return AWSResponse("https://dynamodb", 400, {}, MockRawResponse(body))

    dynamodb.meta.events.register_first(f"before-send.dynamodb.{operation}", refuse)


def fail_once(monkeypatch: pytest.MonkeyPatch, name: str, *, after: bool, number: int = 1) -> None:
    """Let the next such write be answered by DynamoDB with an error of its own, before it has an effect or after.

    With ``number`` another one: 2 is the one after the next.
    """
    original = getattr(DynamoDBBackend, name)
    left = [number]

    def failing(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] != 0:
            return original(*args, **kwargs)
        if after:
            original(*args, **kwargs)
        raise _InternalError

    monkeypatch.setattr(DynamoDBBackend, name, failing)


class _InternalError(JsonRESTError):
    code = 500

    def __init__(self) -> None:
        super().__init__("InternalServerError", "injected by a test")
