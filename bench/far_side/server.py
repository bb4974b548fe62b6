"""Takes calls, waits as long as AWS or Slack would take, answers, and remembers what happened.

With an address of moto every AWS call is handed on to it, and answered when moto is done, but no sooner than the
latency says; without, calls are answered from memory. The harness talks to ``/_bench/…``: no such call is counted.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from typing import Any, Final

from bench.far_side.calls import SLACK, Call, identify
from bench.far_side.groups import OWNER, Groups, error
from bench.far_side.http import HttpRequest, forward, read_request, response
from bench.far_side.tables import Requests, Tables

_CONTROL: Final = "/_bench/"
_XML, _JSON = "text/xml", "application/x-amz-json-1.0"
_SNS: Final = (
    b'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>bench</MessageId>'
    b"</PublishResult><ResponseMetadata><RequestId>bench</RequestId></ResponseMetadata></PublishResponse>"
)
_STS: Final = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    f"<Arn>arn:aws:sts::{OWNER}:assumed-role/security-group-approval-member/x</Arn><UserId>A:x</UserId>"
    f"<Account>{OWNER}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>bench</RequestId>"
    "</ResponseMetadata></GetCallerIdentityResponse>"
).encode()


class Bucket:
    """A token bucket, as EC2 counts requests.

    https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
    """

    def __init__(self, size: float, per_second: float) -> None:
        """Begin full."""
        self._size, self._per_second, self._tokens, self._at = size, per_second, size, time.monotonic()

    def take(self) -> bool:
        """Take a token; false when there is none."""
        now = time.monotonic()
        self._tokens = min(self._size, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class FarSide:
    """AWS and Slack."""

    def __init__(self, moto: tuple[str, int] | None) -> None:
        """Take moto's address; ``None``: answer from memory."""
        self._moto = moto
        self._latency_ms: dict[str, float] = {}
        self._buckets: dict[str, Bucket] = {}
        self._calls: list[Call] = []
        self._groups, self._tables = Groups(), Tables()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until its client closes it."""
        try:
            while (request := await read_request(reader)) is not None:
                if request.path.startswith(_CONTROL):
                    told = self._control(request.path.removeprefix(_CONTROL), json.loads(request.body or b"{}"))
                    writer.write(response(200, json.dumps(told).encode(), "application/json"))
                else:
                    writer.write(await self._answer(request))
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client is gone, or this process ends
        finally:
            writer.close()

    async def _answer(self, request: HttpRequest) -> bytes:
        call = identify(request)
        self._calls.append(call)
        bucket = self._buckets.get(call.operation)
        if bucket is not None and not bucket.take():
            call.status, body = error("RequestLimitExceeded", 503)
            answer = response(call.status, body, _XML)
        elif call.service == SLACK:
            call.status, answer = 200, response(200, b"ok", "text/plain")
        elif self._moto is not None:
            call.status, answer = await forward(request, *self._moto)
        else:
            call.status, answer = self._from_memory(call, request.body)
        due = request.arrived + self._latency_ms.get(call.service, 0.0) / 1000
        pause = due - time.monotonic()
        if pause > 0:
            await asyncio.sleep(pause)
        call.answered = time.monotonic()
        call.late_ms = 1000 * (call.answered - due)
        return answer

    def _from_memory(self, call: Call, body: bytes) -> tuple[int, bytes]:
        if call.service == "dynamodb":
            status, answer = self._tables.answer(call.operation, body)
            return status, response(status, answer, _JSON)
        match call.service:
            case "ec2":
                status, answer = self._groups.answer(call.operation, call.parameters)
            case "sns":
                status, answer = 200, _SNS
            case "sts":
                status, answer = 200, _STS
            case _:
                status, answer = error(f"NotImplemented {call.service}", 501)
        return status, response(status, answer, _XML)

    def _control(self, verb: str, given: dict[str, Any]) -> Any:
        match verb:
            case "latency":
                self._latency_ms = given
            case "limits":
                self._buckets = {operation: Bucket(*limit) for operation, limit in given.items()}
            case "take":
                calls, self._calls = self._calls, []
                return [call.as_json() for call in calls]
            case "groups":
                for group_id in given["ids"]:
                    self._groups.add_group(group_id, f"group {group_id}")
            case "rules":
                return self._groups.add_rules(given["group"], given["cidrs"], port=given["port"])
            case "requests":
                self._tables.requests = Requests(given["number"], given["template"], given["days"])
            case "forget":
                self._groups, self._tables = Groups(), Tables()
        return {}


async def run(far_side: FarSide, tls: ssl.SSLContext | None) -> None:
    """Serve on free ports until standard input ends; the first line on standard output says which.

    The process ends with its parent, however that ends.
    """
    plain = await asyncio.start_server(far_side.serve, "127.0.0.1", 0)
    ports = [plain.sockets[0].getsockname()[1]]
    if tls is not None:
        secure = await asyncio.start_server(far_side.serve, "127.0.0.1", 0, ssl=tls)
        ports.append(secure.sockets[0].getsockname()[1])
    print(json.dumps(ports), flush=True)
    loop = asyncio.get_running_loop()
    stdin = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    await stdin.read()
