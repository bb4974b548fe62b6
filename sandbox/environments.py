"""One process of an app, seen from outside: starts it, gives it one invocation at a time, kills it.

Lambda calls this an execution environment. Which invocation goes to which environment is in ``functions.py``; what
runs inside is ``function_host.py``.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sandbox.aws.identities import Credentials
from sandbox.declarations import Declarations, read_declarations
from sandbox.errors import SandboxError
from sandbox.wiring import Function

Mode = Literal["events", "http"]

REPOSITORY = Path(__file__).parent.parent
#: What a process needs of this environment; nothing else reaches the app, above all no AWS profile.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV", "COVERAGE_PROCESS_START")
START_SECONDS = 60.0
LINES_KEPT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an invocation ended; ``error`` is empty when the function returned."""

    error: str
    trace: str = ""


class Environment:
    """A process that runs an app in one account and region."""

    def __init__(
        self,
        folder: Path,
        mode: Mode,
        credentials: Credentials,
        settings: Mapping[str, str],
        log: Callable[[str], None],
    ) -> None:
        """Start the process; :meth:`wait_until_ready` returns once the app is imported.

        Args:
            folder: the app's folder with ``app.py``.
            mode: ``events`` to invoke handlers, ``http`` to serve the routes.
            credentials: what the app's AWS calls are signed with.
            settings: the app's environment variables.
            log: gets each line that the process prints.
        """
        self.credentials = credentials
        self.function = ""
        """Name of the function that runs at the moment."""
        self.invocation_id = ""
        """Id of the invocation that runs at the moment."""
        self.url = ""
        """Where the routes answer, in mode ``http``."""
        self._folder = folder
        self._log = log
        self._killed = False
        self._recent: deque[str] = deque(maxlen=LINES_KEPT)
        ours, theirs = socket.socketpair()
        self._channel = ours
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sandbox.function_host", str(theirs.fileno()), str(folder), mode],
                pass_fds=[theirs.fileno()],
                cwd=REPOSITORY,
                env=_process_environment(credentials, settings),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # Ctrl-C is for the sandbox, which then ends its processes
            )
        self._answers = self._channel.makefile("r", encoding="utf-8")
        self._reader = threading.Thread(target=self._read_output, name="output", daemon=True)
        self._reader.start()

    def wait_until_ready(self) -> Declarations:
        """Wait for the app's import and return what it declares.

        Raises:
            SandboxError: when the app cannot be imported, naming the error.
        """
        self._channel.settimeout(START_SECONDS)
        answer = self._answer()
        if answer is None or "failed" in answer:
            reason = answer["failed"] if answer else "the process ended: " + " ".join(self._last_lines())
            if answer:
                self._log(answer["trace"])
            self.kill()
            raise SandboxError(f"The app in {self._folder} could not start: {reason}")
        self.url = answer.get("url", "")
        return read_declarations(answer["declarations"])

    def invoke(self, function: Function, event: Mapping[str, Any], request_id: str, timeout_seconds: float) -> Result:
        """Run a function and wait for its end; a process that dies or takes too long is an error too."""
        message = {
            "name": function.name,
            "event": event,
            "request_id": request_id,
            "arn": function.arn,
            "timeout_seconds": timeout_seconds,
        }
        self.function, self.invocation_id = function.name, request_id
        try:
            self._channel.settimeout(timeout_seconds)
            self._channel.sendall((json.dumps(message) + "\n").encode())
            answer = self._answer()
        except TimeoutError:
            self.kill()
            return Result(error=f"Sandbox.Timedout: Task timed out after {timeout_seconds:.2f} seconds")
        except OSError:
            answer = None
        finally:
            self.function, self.invocation_id = "", ""
        if answer is None:
            self.kill()
            return Result(error="Runtime.ExitError: Runtime exited with error: signal: killed")
        return Result(error=answer["error"], trace=answer.get("trace", ""))

    @property
    def is_alive(self) -> bool:
        """Whether the process still runs."""
        return not self._killed and self._process.poll() is None

    def kill(self) -> None:
        """End the process at once."""
        self._killed = True  # others must not take it for alive while it is being waited for
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the process and free its resources."""
        self.kill()
        self._reader.join(timeout=5)
        self._answers.close()
        self._channel.close()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _answer(self) -> dict[str, Any] | None:
        line = self._answers.readline()
        answer: dict[str, Any] | None = json.loads(line) if line else None
        return answer

    def _read_output(self) -> None:
        for line in self._process.stdout or ():
            self._recent.append(line.rstrip("\n"))
            self._log(line.rstrip("\n"))

    def _last_lines(self) -> list[str]:
        self._reader.join(timeout=1)
        return [line.strip() for line in list(self._recent)[-3:]]


def _process_environment(credentials: Credentials, settings: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {
        **inherited,
        "PYTHONDONTWRITEBYTECODE": "1",  # byte code in the app's folder would end up in its zip
        "PYTHONUNBUFFERED": "1",
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        **settings,
    }
