"""As much of HTTP/1.1 as AWS's and Slack's clients speak; nothing here knows what is said.

Not a web framework, because its time would be part of every figure.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 501: "Not Implemented", 503: "Service Unavailable"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request.

    Attributes:
        method: e.g. ``POST``.
        path: with its query.
        headers: by name in lower case.
        body: as it was sent.
        arrived: ``time.monotonic()`` when its head was there.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    arrived: float


async def read_request(reader: asyncio.StreamReader) -> HttpRequest | None:
    """Return the next request of a connection; ``None`` when the client is done."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        arrived = time.monotonic()
        first, headers = _parse(head)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    method, path, _ = first.split(" ", 2)
    return HttpRequest(method=method, path=path, headers=headers, body=body, arrived=arrived)


def response(status: int, body: bytes, content_type: str) -> bytes:
    """Return a whole response that leaves the connection open."""
    head = (
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Answer')}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def forward(request: HttpRequest, host: str, port: int) -> tuple[int, bytes]:
    """Hand a request on, over a connection of its own; return the answer's status and the whole response."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        head = [f"{request.method} {request.path} HTTP/1.1"]
        head += [f"{name}: {value}" for name, value in request.headers.items() if name != "connection"]
        writer.write("\r\n".join([*head, "connection: close", "", ""]).encode("latin-1") + request.body)
        first, headers = _parse(await reader.readuntil(b"\r\n\r\n"))
        body = await reader.readexactly(int(headers["content-length"]))
    finally:
        writer.close()
    status = int(first.split(" ", 2)[1])
    return status, response(status, body, headers.get("content-type", "text/plain"))


def _parse(head: bytes) -> tuple[str, dict[str, str]]:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (line.split(":", 1) for line in lines)
    return first, {name.strip().lower(): value.strip() for name, value in pairs}
