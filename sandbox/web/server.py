"""Runs the page's application in a thread of this process."""

import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn

from sandbox.errors import SandboxError
from sandbox.serving import HOST
from sandbox.web.app import make_app
from sandbox.web.stage import Stage

START_SECONDS = 10.0
#: How long requests that are under way may take to end.
STOP_SECONDS = 2


class PageServer:
    """The page of a stage, as a context manager."""

    def __init__(self, stage: Stage, bound: socket.socket) -> None:
        """Prepare to serve on a listening socket of the loopback interface, which the server closes in the end."""
        self._stage = stage
        self._socket = bound
        self._stopping = threading.Event()
        self._feed = stage.feed
        self._port = int(bound.getsockname()[1])
        self.url = f"http://{HOST}:{self._port}/"
        """Address of the page."""

    def __enter__(self) -> Self:
        config = uvicorn.Config(
            make_app(self._stage, port=self._port, stopping=self._stopping),
            log_level="warning",
            lifespan="off",
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="the page", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._stopping.set()
        self._feed.wake()  # browsers keep their event streams open; this ends them
        self._thread.join(timeout=START_SECONDS)
        if self._thread.is_alive():
            raise SandboxError("The page's server does not stop.")
