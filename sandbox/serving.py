"""Runs a WSGI application in a thread of this process, on a given or a free port of the loopback interface."""

import errno
import logging
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HOST = "127.0.0.1"


class QuietHandler(WSGIRequestHandler):
    """Serves without a line of log per request."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
        """Keep it among ourselves: what happens stands on the timeline."""
        logging.getLogger("sandbox.serving").debug(message, *args, extra={"kind": type})


class ServerThread:
    """A WSGI server with a thread per request, as a context manager."""

    def __init__(
        self,
        application: "WSGIApplication",
        *,
        port: int,
        what: str,
        option: str,
        handler: type[WSGIRequestHandler] = QuietHandler,
    ) -> None:
        """Prepare a server.

        Args:
            application: the WSGI application.
            port: the port to listen on; 0 takes a free one.
            what: what is served, for messages, e.g. ``the AWS endpoint``.
            option: the command-line option that chooses the port, e.g. ``--aws-port``.
            handler: werkzeug's request handler.
        """
        self._application = application
        self._port = port
        self._what = what
        self._option = option
        self._handler = handler
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        try:
            self._server = make_server(
                HOST, self._port, self._application, threaded=True, request_handler=self._handler
            )
        except SystemExit as error:  # werkzeug ends the process when the port is taken
            raise self._port_error() from error
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                raise self._port_error() from error
            raise
        self._thread = threading.Thread(target=self._server.serve_forever, name=self._what, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        if self._thread is not None:
            self._thread.join(timeout=5)

    @property
    def url(self) -> str:
        """Base address, e.g. ``http://127.0.0.1:5000``; known once the server runs."""
        if self._server is None:
            raise SandboxError(f"{self._what} does not run yet.")
        return f"http://{HOST}:{self._server.server_port}"

    def _port_error(self) -> SandboxError:
        return SandboxError(
            f"Port {self._port} for {self._what} is taken or not allowed. "
            f"Choose another one with {self._option}, or 0 for any free port."
        )
