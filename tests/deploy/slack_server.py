"""Slack's side of webhooks, on this machine: keeps what is posted, and complains about empty messages as Slack does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Slack:
    """What arrived, by path, and which webhooks are dead."""

    url: str = ""
    posted: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)

    def messages(self, path: str) -> list[dict[str, Any]]:
        """Return what was posted on a path."""
        return [message for where, message in self.posted if where == path]

    def button(self, action: str) -> str:
        """Return the value of the newest button of a kind."""
        for path, message in reversed(self.posted):
            for block in message.get("blocks", []) if path == "/approve" else []:
                for element in block.get("elements", []) if block["type"] == "actions" else []:
                    if element["action_id"] == action:
                        return str(element["value"])
        raise AssertionError(f"no button {action}")


@contextmanager
def running_slack() -> Iterator[Slack]:
    """Run the stand-in while the context is open."""
    slack = Slack()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, said = (404, b"no_service") if self.path in slack.dead else (200, b"ok")
            if status == 200 and not body:
                status, said = 400, b"no_text"
            elif status == 200:
                slack.posted.append((self.path, body))
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
            """Keep still."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    slack.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield slack
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
