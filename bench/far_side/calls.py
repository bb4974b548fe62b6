"""What one request was: which service and operation, when it came, when it was answered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from bench.far_side.http import HttpRequest

SLACK = "slack"
_SCOPE = re.compile(r"Credential=[^/]+/[0-9]{8}/[^/]+/([^/]+)/aws4_request")


@dataclass(slots=True, kw_only=True)
class Call:
    """One request to AWS or Slack.

    Attributes:
        service: as in the signature's scope, e.g. ``dynamodb``; ``slack`` for a post.
        operation: e.g. ``GetItem``; for Slack the path.
        parameters: of EC2, SNS and STS, by name; of a JSON protocol, empty.
        arrived: ``time.monotonic()`` when it came.
        answered: and when its answer left.
        late_ms: how much later than it should have been answered.
        status: of the answer.
        sent_bytes: length of its body.
    """

    service: str
    operation: str
    parameters: dict[str, str]
    arrived: float
    answered: float = 0.0
    late_ms: float = 0.0
    status: int = 0
    sent_bytes: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return it for the harness; of the parameters, what a message or a post needs to be delivered."""
        told = {name: value for name, value in self.parameters.items() if name in ("TopicArn", "Message")}
        return {name: getattr(self, name) for name in self.__slots__ if name != "parameters"} | {"parameters": told}


def identify(request: HttpRequest) -> Call:
    """Say what a request is."""
    call = Call(service=SLACK, operation=request.path, parameters={}, arrived=request.arrived)
    call.sent_bytes = len(request.body)
    scope = _SCOPE.search(request.headers.get("authorization", ""))
    if scope is None:
        return call
    call.service = scope[1]
    target = request.headers.get("x-amz-target", "")
    if target:
        call.operation = target.rpartition(".")[2]
    else:
        call.parameters = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        call.operation = call.parameters.get("Action", "")
    return call
