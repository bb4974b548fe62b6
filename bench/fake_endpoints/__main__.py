"""Serves the fake endpoints: ``python -m bench.fake_endpoints``. The harness talks to ``/_bench/…``."""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import EnvironBuilder, run_wsgi_app

from bench.fake_endpoints import contents
from bench.fake_endpoints.bucket import Bucket
from bench.fake_endpoints.calls import SLACK, Call, identify
from bench.fake_endpoints.ended_requests import EndedRequests

_CONTROL: Final = "/_bench/"
_THROTTLED: Final = (
    b"<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error>"
    b"</Errors><RequestID>bench</RequestID></Response>"
)

Answer = tuple[int, str, bytes]
"""Status, content type and body."""


class Endpoints:
    """AWS and Slack; every call goes through moto one after the other."""

    def __init__(self) -> None:
        """Begin without latency, limits or calls."""
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._one_at_a_time = threading.Lock()
        self._latency_ms: dict[str, float] = {}
        self._buckets: dict[str, Bucket] = {}
        self._calls: list[Call] = []
        self._ended: EndedRequests | None = None

    def answer(self, path: str, headers: Any, body: bytes, arrived: float) -> Answer:
        """Answer a request, no sooner than the latency of its service says."""
        if path.startswith(_CONTROL):
            with self._one_at_a_time:
                told = self._control(path.removeprefix(_CONTROL), json.loads(body))
            return 200, "application/json", json.dumps(told).encode()
        call = identify(path, headers, body, arrived)
        if call is None:
            return self._through_moto(path, headers, body)
        self._calls.append(call)
        answer = self._answer(call, path, headers, body)
        due = arrived + self._latency_ms.get(call.service, 0.0) / 1000
        time.sleep(max(0.0, due - time.monotonic()))
        call.answered, call.status = time.monotonic(), answer[0]
        call.late_ms = 1000 * (call.answered - due)
        return answer

    def _answer(self, call: Call, path: str, headers: Any, body: bytes) -> Answer:
        bucket = self._buckets.get(call.operation)
        if bucket is not None and not bucket.take(time.monotonic()):
            return 503, "text/xml", _THROTTLED
        if call.service == SLACK:
            return 200, "text/plain", b"ok"
        if call.operation == "Query" and self._ended is not None:
            return 200, "application/x-amz-json-1.0", json.dumps(self._ended.query(json.loads(body))).encode()
        return self._through_moto(path, headers, body)

    def _through_moto(self, path: str, headers: Any, body: bytes) -> Answer:
        environ = EnvironBuilder(method="POST", path=path, headers=dict(headers), data=body).get_environ()
        with self._one_at_a_time:
            chunks, status, answered = run_wsgi_app(self._moto, environ, buffered=True)
        return int(status.split(" ")[0]), answered.get("Content-Type", ""), b"".join(chunks)

    def _control(self, verb: str, given: dict[str, Any]) -> Any:
        match verb:
            case "take":
                calls, self._calls = self._calls, []
                return [asdict(call) for call in calls]
            case "latency":
                self._latency_ms = given
            case "limits":
                self._buckets = {
                    operation: Bucket(size, rate, time.monotonic()) for operation, (size, rate) in given.items()
                }
            case "fill_requests":
                self._ended = EndedRequests(contents.first_request(), **given)
            case "forget":
                self._ended = None
                contents.forget()
            case "add_groups" | "add_rules" | "largest_items":
                return getattr(contents, verb)(**given)
        return None


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP; little else, because its time is part of every figure."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one packet
    disable_nagle_algorithm = True
    endpoints = Endpoints()

    def parse_request(self) -> bool:
        """Note the time before the headers are read."""
        self.arrived = time.monotonic()
        return super().parse_request()

    def do_POST(self) -> None:
        """Answer a request."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, content_type, answer = self.endpoints.answer(self.path, self.headers, body, self.arrived)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Write no line per request."""


class Server(ThreadingHTTPServer):
    """Takes a burst of connections."""

    daemon_threads = True
    request_queue_size = 1024


def main() -> None:
    """Print the port, then serve until standard input ends: with the parent, however that ends."""
    with contents.moto_as_aws(), Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_address[1], flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
