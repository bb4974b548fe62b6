"""A process that runs one app the way Lambda does: its own environment, its own credentials, the app as in its zip.

Started by ``functions.py`` as ``python -m sandbox.function_host FD APP_FOLDER MODE``. It speaks JSON lines over the
socket ``FD``: first what the app declares, then one answer per invocation. In mode ``http`` it runs the app's
routes on Chalice's own local server instead. It ends when its parent closes the socket, or is gone.
"""

import importlib
import json
import os
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from sandbox.declarations import declared_by
from sandbox.lambda_context import LambdaContext

if TYPE_CHECKING:
    from chalice.app import Chalice


def main(arguments: list[str]) -> int:
    """Run the app until the parent is done with it; the result is the exit status."""
    channel = socket.socket(fileno=int(arguments[0]))
    replies = channel.makefile("w", encoding="utf-8")
    try:
        app = load_app(Path(arguments[1]))
    except Exception as error:  # noqa: BLE001 - the parent shows every error of an app's import
        _say(replies, {"failed": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()})
        return 1
    ready: dict[str, Any] = {"declarations": declared_by(app)}
    if arguments[2] == "http":
        ready["url"] = _serve_routes(app)
    _say(replies, ready)
    for line in channel.makefile("r", encoding="utf-8"):
        _say(replies, invoke(app, json.loads(line)))
    return 0


def load_app(folder: Path) -> "Chalice":
    """Import ``app.py`` as Lambda does: the folder's own modules and the contents of ``vendor/`` on the path."""
    repository = str(Path(__file__).parent.parent)
    sys.path[:] = [place for place in sys.path if place not in ("", repository)]
    sys.path[:0] = [str(folder), str(folder / "vendor")]
    os.chdir(folder)
    app: Chalice = importlib.import_module("app").app
    return app


def invoke(app: "Chalice", invocation: dict[str, Any]) -> dict[str, Any]:
    """Run a handler with an event.

    Args:
        app: the app.
        invocation: ``{"name", "event", "request_id", "arn", "timeout_seconds"}``.

    Returns:
        ``{"error": ""}``, or the exception as Lambda shows it: ``{"error": "ValueError: …", "trace": …}``.
    """
    context = LambdaContext(
        request_id=invocation["request_id"],
        arn=invocation["arn"],
        timeout_seconds=invocation["timeout_seconds"],
    )
    try:
        app.handler_map[invocation["name"]](invocation["event"], context)
    except Exception as error:  # noqa: BLE001 - Lambda catches every error too, and tries again
        return {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
    return {"error": ""}


def _serve_routes(app: "Chalice") -> str:
    # Imported here: the processes that serve no route start faster without it.
    from chalice.config import Config
    from chalice.local import create_local_server

    config = Config.create(app_name=app.app_name, chalice_app=app, lambda_timeout=15)
    local = create_local_server(app, config, "127.0.0.1", 0)
    threading.Thread(target=local.server.serve_forever, name="routes", daemon=True).start()
    return f"http://127.0.0.1:{local.server.server_port}"


def _say(replies: TextIO, message: dict[str, Any]) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
