"""One request to the fake endpoints: which service and operation, when it arrived, when it was answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

SLACK: Final = "slack"
SETUP_KEY: Final = "setup"
"""Access key of whoever sets up an account or changes rules: answered without latency, and not recorded."""
_CREDENTIAL: Final = re.compile(r"Credential=([^/]+)/[0-9]{8}/[^/]+/([^/]+)/aws4_request")


@dataclass(slots=True, kw_only=True)
class Call:
    """One request and how it was answered; times are ``time.monotonic()``, which all processes of a machine share.

    Attributes:
        service: as in the signature's scope, e.g. ``dynamodb``; ``slack`` for a post.
        operation: e.g. ``GetItem``; for Slack the path.
        body: of posts and of what SNS publishes; empty otherwise.
        arrived: when its first line was read.
        answered: when its answer left.
        late_ms: how much later than the latency says.
        status: of the answer.
    """

    service: str
    operation: str
    body: str
    arrived: float
    answered: float = 0.0
    late_ms: float = 0.0
    status: int = 0

    @property
    def message(self) -> str:
        """What a Publish call publishes."""
        return dict(parse_qsl(self.body))["Message"]


def identify(path: str, headers: Mapping[str, str], body: bytes, arrived: float) -> Call | None:
    """Say what a request is; ``None`` when it is signed with the set-up key."""
    credential = _CREDENTIAL.search(headers.get("Authorization", ""))
    if credential is None:
        return Call(service=SLACK, operation=path, body=body.decode(), arrived=arrived)
    key, service = credential.groups()
    if key == SETUP_KEY:
        return None
    target = headers.get("X-Amz-Target", "")
    operation = target.rpartition(".")[2] or dict(parse_qsl(body.decode()))["Action"]
    return Call(service=service, operation=operation, body=body.decode() if service == "sns" else "", arrived=arrived)
