"""Intercepts every exchange of both apps: between botocore and moto, and between requests and Slack.

Here faults strike, time passes, and what an exchange causes (an event of CloudTrail, a message of SNS) is handed on.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol
from unittest import mock
from urllib.parse import urlsplit

import requests
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse
from requests.adapters import HTTPAdapter

from sandbox.aws.request import ApiRequest, read_request
from tests.fault.faults import KilledError, Kind

_THROTTLED = {
    "ec2": "RequestLimitExceeded",
    "dynamodb": "ProvisionedThroughputExceededException",
    "sns": "Throttled",
    "sts": "Throttling",
}


class Listener(Protocol):
    """Gets each exchange: the world."""

    def strikes(self, service: str, action: str, subject: str, call: str) -> Kind | None:
        """Say what goes wrong with an exchange; time passes here too."""

    def answered(self, request: ApiRequest, status: int, body: bytes) -> None:
        """Hear of an exchange that AWS carried out."""


@contextmanager
def tapped(listener: Listener) -> Iterator[None]:
    """Let a listener intercept every exchange with AWS and Slack."""
    to_aws, to_slack = BotocoreStubber.__call__, HTTPAdapter.send

    def aws(self: BotocoreStubber, event_name: str, request: AWSPreparedRequest, **kwargs: Any) -> Any:
        return _aws(listener, request, lambda: to_aws(self, event_name, request, **kwargs))

    def slack(self: HTTPAdapter, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        return _slack(listener, request, lambda: to_slack(self, request, **kwargs))

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(BotocoreStubber, "__call__", aws))
        stack.enter_context(mock.patch.object(HTTPAdapter, "send", slack))
        yield


# -- AWS ---------------------------------------------------------------------------------------------------------------


def _aws(listener: Listener, request: AWSPreparedRequest, run: Callable[[], AWSResponse | None]) -> AWSResponse:
    read = _read(request)
    call = _text(request.headers.get("amz-sdk-invocation-id")) or str(uuid.uuid4())
    kind = listener.strikes(read.service, read.action, _subject(read), call)
    match kind:
        case "throttled" | "server error":
            return _refusal(request, read, kind)
        case "no answer":
            raise ConnectTimeoutError(endpoint_url=request.url)
        case "killed before":
            raise KilledError(read.action)
    response = run()
    assert response is not None, "a call that moto does not take"
    listener.answered(read, response.status_code, response.content)
    if kind == "reply lost":
        raise ReadTimeoutError(endpoint_url=request.url)
    if kind == "killed after":
        raise KilledError(read.action)
    return response


def _read(request: AWSPreparedRequest) -> ApiRequest:
    body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
    environ = {
        "HTTP_AUTHORIZATION": _text(request.headers.get("Authorization")),
        "HTTP_X_AMZ_TARGET": _text(request.headers.get("X-Amz-Target")),
        "HTTP_USER_AGENT": _text(request.headers.get("User-Agent")),
        "HTTP_HOST": urlsplit(request.url).netloc,
        "CONTENT_TYPE": _text(request.headers.get("Content-Type")),
        "REMOTE_ADDR": "198.51.100.7",
    }
    read = read_request(environ, body)
    assert read is not None, "an unsigned request"
    return read


def _text(value: str | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""


def _subject(request: ApiRequest) -> str:
    parameters, document = request.parameters, request.document
    named = parameters.get("GroupId") or parameters.get("TopicArn", "").rpartition(":")[2]
    return named or str(document.get("TableName", ""))


def _refusal(request: AWSPreparedRequest, read: ApiRequest, kind: Kind) -> AWSResponse:
    code = _THROTTLED[read.service] if kind == "throttled" else "InternalError"
    status = 503 if kind == "throttled" and read.service == "ec2" else 400 if kind == "throttled" else 500
    headers = HTTPHeaders()
    headers["x-amzn-RequestId"] = str(uuid.uuid4())
    error = f"<Error><Code>{code}</Code><Message>Injected.</Message></Error>"
    if read.service == "dynamodb":
        code = code if kind == "throttled" else "InternalServerError"
        body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "Injected."})
    elif read.service == "ec2":
        body = f"<Response><Errors>{error}</Errors><RequestID>injected</RequestID></Response>"
    else:
        body = f"<ErrorResponse>{error}<RequestId>injected</RequestId></ErrorResponse>"
    return AWSResponse(request.url, status, headers, MockRawResponse(body))


# -- Slack -------------------------------------------------------------------------------------------------------------


def _slack(
    listener: Listener, request: requests.PreparedRequest, run: Callable[[], requests.Response]
) -> requests.Response:
    path = urlsplit(str(request.url)).path
    action = "response_url" if path.startswith("/actions/") else path.rpartition("/")[2].partition("-")[0]
    body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
    kind = listener.strikes("slack", action, "", str(uuid.uuid5(uuid.NAMESPACE_URL, body.hex())))
    match kind:
        case "throttled":
            return _answer(request, 429, {"Retry-After": "1"})
        case "server error":
            return _answer(request, 500, {})
        case "no answer":
            raise requests.ConnectTimeout(request=request)
        case "killed before":
            raise KilledError(action)
    response = run()
    if kind in ("reply lost", "killed after"):
        response.close()  # nobody reads it: an open connection would be reported whenever it is collected
    if kind == "reply lost":
        raise requests.ReadTimeout(request=request)
    if kind == "killed after":
        raise KilledError(action)
    return response


def _answer(request: requests.PreparedRequest, status: int, headers: dict[str, str]) -> requests.Response:
    response = requests.Response()
    response.status_code, response.request, response.url = status, request, str(request.url)
    response.headers.update(headers)
    response._content = b""
    return response
