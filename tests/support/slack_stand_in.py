"""A small HTTP server in Slack's place: keeps what is posted and answers what a test tells it to."""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

APPROVAL = "/services/T0001/B0001/approval-hook-secret"
MONITORING = "/services/T0001/B0002/monitoring-hook-secret"
RESPONSE = "/actions/T0001/1234/response-url-secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One message as it arrived."""

    path: str
    payload: dict[str, Any]

    @property
    def text(self) -> str:
        """The whole message as text, to search in."""
        return json.dumps(self.payload, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the server answers."""

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    before: Callable[[], None] | None = None


OK = Reply(status=200, body="ok")


class SlackStandIn:
    """The server; use it as a context manager."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.replies: dict[str, deque[Reply]] = defaultdict(deque)
        self.always: dict[str, Reply] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url(self, path: str) -> str:
        """Return the address of a path on this server."""
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def to(self, path: str) -> list[Post]:
        """Return the messages that were accepted at a path, oldest first."""
        with self._lock:
            return [post for post in self.posts if post.path == path]

    def forget(self) -> None:
        """Forget the messages so far."""
        with self._lock:
            self.posts.clear()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet: two of them would wait for each other

            def do_POST(self) -> None:
                payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                reply = stand_in._take(self.path, payload)
                body = reply.body.encode()
                self.send_response(reply.status)
                for name, value in {**reply.headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                pass

        return Handler

    def _take(self, path: str, payload: dict[str, Any]) -> Reply:
        with self._lock:
            queue = self.replies[path]
            reply = queue.popleft() if queue else self.always.get(path, OK)
        if reply.before is not None:
            reply.before()
        with self._lock:
            if reply.status == OK.status:
                self.posts.append(Post(path=path, payload=payload))
        return reply
