"""Runs a WSGI application in a thread of this process, on a given or a free port of the loopback interface."""

import errno
import socket
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HOST = "127.0.0.1"
#: Names under which programs on this machine reach the loopback interface.
NAMES = frozenset({HOST, "localhost"})
#: Connections that may wait; sixty rule changes at once are not unusual here.
BACKLOG = 128
#: How often a server looks whether it should stop.
POLL_SECONDS = 0.01


class QuietHandler(WSGIRequestHandler):
    """Serves without a line of log per request."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
        """Log nothing: the timeline shows what happens, and addresses of webhooks are secret."""


class NoBrowsers:
    """A WSGI middleware for addresses that only programs use: it refuses with 403 what a web page in a browser sends.

    A page of another site could otherwise post to a port of this machine (recognized by ``Origin`` or
    ``Sec-Fetch-Site``), or give its own host name this address (DNS rebinding, recognized by ``Host``).
    """

    def __init__(self, application: "WSGIApplication") -> None:
        """Guard an application."""
        self._application = application

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        name = str(environ.get("HTTP_HOST", "")).rpartition(":")[0] or str(environ.get("HTTP_HOST", ""))
        typed_by_a_person = environ.get("HTTP_SEC_FETCH_SITE", "none") == "none"
        if name in NAMES and typed_by_a_person and "HTTP_ORIGIN" not in environ:
            return self._application(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"This address is for programs that call 127.0.0.1 or localhost, not for web pages.\n"]


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
        self.url = ""
        """Base address, e.g. ``http://127.0.0.1:5000``; known once the server runs."""
        self._application = application
        self._port = port
        self._what = what
        self._option = option
        self._handler = handler
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        # Bound here: werkzeug would print and end the process when the port is taken.
        with bound_socket(self._port, what=self._what, option=self._option) as bound:
            self.url = f"http://{HOST}:{bound.getsockname()[1]}"
            self._server = make_server(
                HOST,
                self._port,
                NoBrowsers(self._application),
                threaded=True,
                request_handler=self._handler,
                fd=bound.fileno(),
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), name=self._what, daemon=True
        )
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


def bound_socket(port: int, *, what: str, option: str) -> socket.socket:
    """Return a listening socket of the loopback interface.

    Args:
        port: the port; 0 takes a free one.
        what: what is served there, for messages.
        option: the command-line option that chooses the port.

    Raises:
        SandboxError: when the port cannot be used, naming the option.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, port))
        bound.listen(BACKLOG)
    except OverflowError as error:
        bound.close()
        raise SandboxError(f"{port} for {what} is not a port. Choose one up to 65535 with {option}, or 0.") from error
    except OSError as error:
        bound.close()
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise SandboxError(
            f"Port {port} for {what} {reason}. Choose another one with {option}, or 0 for any free port."
        ) from error
    return bound
