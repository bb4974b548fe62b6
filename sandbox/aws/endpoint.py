"""The one address at which all accounts' AWS APIs answer: moto, with what happens around each call.

Every call goes through one after the other, so that what is atomic in AWS (a conditional write, a rule change) is
atomic here. Observers hear of each call before its answer leaves; they turn it into events, messages and lines of
the timeline.
"""

import io
import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from botocore.model import OperationNotFoundError
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.test import run_wsgi_app

from sandbox.aws.calls import ApiCall
from sandbox.aws.identities import Identities
from sandbox.aws.request import ApiRequest, Caller, read_request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Observer = Callable[[ApiCall], None]
#: Looks at a call before it is made; the result is ``(error code, message)`` when it must not be.
Guard = Callable[[ApiRequest, Caller], tuple[str, str] | None]

#: Characters that an XML answer cannot contain; a rule with them in its description could not be read again.
#: https://www.w3.org/TR/xml/#charsets
UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

UNSIGNED = "This is the sandbox's AWS endpoint. It takes signed AWS API requests, e.g. from the aws command line.\n"
MALFORMED = "This is not an AWS API request: its length, its encoding or its JSON is broken.\n"
UNKNOWN_KEY = (
    "The access key {key} belongs to no account of the sandbox. "
    "Use the credentials that the sandbox printed when it started."
)


class QuietMotoHandler(MotoRequestHandler):
    """moto's request handler without a line of log per request."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
        """Log nothing: the timeline shows the calls."""


class AwsEndpoint:
    """A WSGI application: every service of moto, for the accounts whose access keys sign the requests."""

    def __init__(self, identities: Identities) -> None:
        """Prepare the endpoint; moto's backends come to life with the first call of each service."""
        self.observers: list[Observer] = []
        self.guards: list[Guard] = []
        self._identities = identities
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._one_at_a_time = threading.Lock()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request, always in a form that AWS clients understand."""
        try:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            body = environ["wsgi.input"].read(length) if length > 0 else b""
            request = read_request(environ, body)
        except ValueError:
            return _respond(start_response, "400 Bad Request", MALFORMED.encode(), "text/plain; charset=utf-8")
        environ["wsgi.input"] = io.BytesIO(body)
        if request is None:
            return _respond(start_response, "200 OK", UNSIGNED.encode(), "text/plain; charset=utf-8")
        caller = self._identities.caller(request.access_key_id)
        if caller is None:
            message = UNKNOWN_KEY.format(key=request.access_key_id)
            return _respond(start_response, "403 Forbidden", *_error(request, "InvalidClientTokenId", message))
        try:
            status, headers, payload = self._answer(environ, request, caller)
        except Exception as error:  # noqa: BLE001 - for every failure of moto the caller gets an error of AWS's form
            what = f"{request.service}:{request.action}: {type(error).__name__}: {error}"
            logging.getLogger("sandbox.aws").warning("The AWS endpoint could not answer %s", what)
            payload, content_type = _error(request, "InternalFailure", f"The sandbox could not answer {what}")
            status, headers = "500 Internal Server Error", _headers(payload, content_type)
        start_response(status, headers)
        return [payload]

    def _answer(
        self, environ: "WSGIEnvironment", request: ApiRequest, caller: Caller
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        started = time.perf_counter()
        with self._one_at_a_time:
            status, headers, payload = self._through_moto(environ, request, caller)
            at = datetime.now(UTC)
        call = ApiCall(
            request=request,
            caller=caller,
            at=at,
            duration_ms=(time.perf_counter() - started) * 1000,
            status=int(status.split(" ", 1)[0]),
            body=payload,
        )
        for observer in self.observers:
            observer(call)
        return status, headers, payload

    def _through_moto(
        self, environ: "WSGIEnvironment", request: ApiRequest, caller: Caller
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        if any(UNPRINTABLE.search(value) for value in request.parameters.values()):
            payload, content_type = _error(request, "InvalidParameterValue", "A value has control characters.")
            return "400 Bad Request", _headers(payload, content_type), payload
        for guard in self.guards:
            refusal = guard(request, caller)
            if refusal is not None:
                payload, content_type = _error(request, *refusal)
                return "403 Forbidden", _headers(payload, content_type), payload
        try:
            chunks, status, headers = run_wsgi_app(self._moto, environ, buffered=True)
        except (NotImplementedError, OperationNotFoundError) as error:
            payload, content_type = _error(request, "InvalidAction", f"{error} (moto does not know it)")
            return "400 Bad Request", _headers(payload, content_type), payload
        return status, list(headers), b"".join(chunks)


def _headers(payload: bytes, content_type: str) -> list[tuple[str, str]]:
    return [("Content-Type", content_type), ("Content-Length", str(len(payload)))]


def _respond(start_response: "StartResponse", status: str, payload: bytes, content_type: str) -> list[bytes]:
    start_response(status, _headers(payload, content_type))
    return [payload]


def _error(request: ApiRequest, code: str, message: str) -> tuple[bytes, str]:
    """Write an error as the service's protocol has it: JSON, EC2's XML, or the query protocols' XML."""
    detail = f"<Code>{escape(code)}</Code><Message>{escape(UNPRINTABLE.sub('?', message))}</Message>"
    request_id = uuid.uuid4()
    if request.document or request.service == "dynamodb":
        return json.dumps({"__type": code, "message": message}).encode(), "application/x-amz-json-1.0"
    if request.service == "ec2":
        xml = f"<Response><Errors><Error>{detail}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    else:
        error = f"<Error><Type>Sender</Type>{detail}</Error>"
        xml = f"<ErrorResponse>{error}<RequestId>{request_id}</RequestId></ErrorResponse>"
    return xml.encode(), "text/xml"
