"""An AWS API call that was answered: the request, who made it, and what came back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.aws.request import ApiRequest, Caller

_CODE = re.compile(rb"<Code>(.*?)</Code>|\"__type\":\s*\"(?:[^\"]*#)?([^\"]*)\"", re.DOTALL)
_MESSAGE = re.compile(rb"<Message>(.*?)</Message>|\"[mM]essage\":\s*\"([^\"]*)\"", re.DOTALL)
_REQUEST_ID = re.compile(rb"<[rR]equestI[dD]>(.*?)</")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """One call and its answer."""

    request: ApiRequest
    caller: Caller
    at: datetime
    """When it took effect."""
    duration_ms: float
    status: int
    body: bytes

    @property
    def error_code(self) -> str:
        """AWS's error code, e.g. ``InvalidPermission.Duplicate``; empty when the call succeeded."""
        return _first_group(_CODE, self.body) or "InternalError" if self.status >= 400 else ""

    @property
    def error_message(self) -> str:
        """AWS's sentence about the error; empty when the call succeeded."""
        return _first_group(_MESSAGE, self.body) if self.status >= 400 else ""

    @property
    def request_id(self) -> str:
        """The id in the answer; empty where the answer has none in its body."""
        return _first_group(_REQUEST_ID, self.body)


def summary(request: ApiRequest) -> str:
    """Say in a few words what a call is about: a security group, a topic, a table and key."""
    parameters, document = request.parameters, request.document
    if document.get("TableName"):
        return " ".join([str(document["TableName"]), *key_values(document)])
    for name in ("GroupId", "GroupName", "TopicArn", "RoleArn"):
        if parameters.get(name):
            return parameters[name]
    return ""


def key_values(document: Mapping[str, Any]) -> list[str]:
    """Return the key of the item that a DynamoDB request is about, as text."""
    key = document.get("Key") or {
        name: value for name, value in document.get("Item", {}).items() if name in ("requestId", "id")
    }
    return [str(next(iter(value.values()), "")) for value in key.values()]


def _first_group(pattern: re.Pattern[bytes], body: bytes) -> str:
    match = pattern.search(body)
    if match is None:
        return ""
    return next((group.decode() for group in match.groups() if group is not None), "")
