"""A measured function in a process of its own, as Lambda keeps it in a container: started cold, then invoked warm."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from bench import shares

_HOST: Final = Path(__file__).with_name("host.py")
_NUMBERS: Final = itertools.count(1)


class ContainerError(RuntimeError):
    """A function could not be loaded, or failed where it must not; the message has its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function as its package and template describe it.

    Attributes:
        name: as the product calls it, e.g. ``revertSecurityGroup``.
        physical_name: as Lambda calls it.
        folder: the unpacked zip.
        runtime: the libraries that Lambda's runtime brings.
        handler: e.g. ``app.revertSecurityGroup``.
        memory_mb: as configured.
        timeout_seconds: as configured.
        environment: its variables, as configured.
    """

    name: str
    physical_name: str
    folder: Path
    runtime: Path
    handler: str
    memory_mb: int
    timeout_seconds: int
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How an invocation went; times are ``time.monotonic()``, which all processes of a machine share.

    Attributes:
        begun: when the handler was called.
        ended: when it returned.
        cpu_ms: processor time of the process meanwhile.
        peak_kb: the most memory the process ever had.
        log_bytes: what it wrote to its log.
        status: of an HTTP answer.
        error: what it raised.
    """

    begun: float
    ended: float
    cpu_ms: float
    peak_kb: int
    log_bytes: int
    status: int | None = None
    error: str = ""

    @property
    def ms(self) -> float:
        """The handler's duration."""
        return 1000 * (self.ended - self.begun)


class Container:
    """A process with one function.

    Args:
        function: what to load.
        environment: variables beside the function's own.
        event: the first invocation, sent before the process starts, so that a cold start waits for nobody.
        share: the part of a CPU it gets.
        prefix: a command that runs the process, e.g. one that counts instructions.
        cpus: the CPUs it may run on.
    """

    def __init__(
        self,
        function: Function,
        environment: Mapping[str, str],
        *,
        event: Any = None,
        share: float = 1.0,
        prefix: Sequence[str] = (),
        cpus: frozenset[int] = frozenset(),
    ) -> None:
        self._function = function
        self._stack = ExitStack()
        self._log = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        self._logged = 0
        group = self._stack.enter_context(shares.limited(share))
        command_read, command_write = os.pipe()
        answer_read, answer_write = os.pipe()
        self._commands = os.fdopen(command_write, "w", encoding="utf-8")
        self._answers = os.fdopen(answer_read, encoding="utf-8")
        if event is not None:
            self._send({"event": event})
        python = [sys.executable, "-I", "-S", "-B", str(_HOST), str(command_read), str(answer_write)]
        what = [str(function.folder), str(function.runtime), function.handler]
        command = [*shares.command_prefix(group), *prefix, *python, *what]
        allowed = os.sched_getaffinity(0)
        if cpus:
            os.sched_setaffinity(0, cpus)  # of this thread; the process inherits it
        try:
            self.started = time.monotonic()
            self._process = subprocess.Popen(
                command,
                env=dict(environment) | _lambda_variables(function) | dict(function.environment),
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                pass_fds=(command_read, answer_write),
            )
        finally:
            os.sched_setaffinity(0, allowed)
        os.close(command_read)
        os.close(answer_write)
        self._stack.enter_context(shares.duty_cycle(self._process.pid, share))
        try:
            ready = self._receive()
            self.first = _answer(self._receive(), self) if event is not None else None
        except BaseException:
            self.close()
            raise
        self.ready: float = ready["ready"]
        self.init_cpu_ms: float = ready["cpu_ms"]

    def invoke(self, event: Any) -> Answer:
        """Invoke the function.

        Raises:
            ContainerError: when it raised; no measured flow has a failing step.
        """
        self._send({"event": event})
        answer = _answer(self._receive(), self)
        if answer.error:
            raise ContainerError(f"{self._function.name}: {answer.error}\n{self.log()}")
        return answer

    def send_at_once(self, events: Sequence[Any]) -> None:
        """Begin as many invocations as there are events, at once; :meth:`answers_at_once` waits for them."""
        self._send({"events": list(events)})

    def answers_at_once(self) -> tuple[list[Answer], float]:
        """Return the answers in the order of the events, and the processor time of all in ms.

        The answers' own processor times count that of the others too.
        """
        told = self._receive()
        ordered = sorted(told["answers"], key=lambda one: int(one.pop("index")))
        return [_answer(one, self) for one in ordered], told["cpu_ms"]

    def log(self) -> str:
        """Return the end of what the function logged."""
        return self.whole_log()[-4000:]

    def whole_log(self) -> str:
        """Return everything the function logged."""
        # Not by seeking: the process writes at the position that is shared with it.
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode(errors="replace")

    def close(self) -> None:
        """End the process."""
        self._commands.close()
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()
        self._stack.close()

    def __enter__(self) -> Self:
        """Return the container; it is closed in the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.close()

    def logged(self, total: int) -> int:
        """Return how much of the log is new, and remember."""
        new, self._logged = total - self._logged, total
        return new

    def _send(self, command: dict[str, Any]) -> None:
        request_id = f"00000000-0000-4000-8000-{next(_NUMBERS):012d}"
        whole = {**command, "request_id": request_id, "timeout_seconds": self._function.timeout_seconds}
        self._commands.write(json.dumps(whole) + "\n")
        self._commands.flush()

    def _receive(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise ContainerError(f"{self._function.name} ended by itself:\n{self.log()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _answer(told: dict[str, Any], container: Container) -> Answer:
    return Answer(**{**told, "log_bytes": container.logged(told["log_bytes"])})


def _lambda_variables(function: Function) -> dict[str, str]:
    """Return what Lambda sets.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    return {
        "AWS_LAMBDA_FUNCTION_NAME": function.physical_name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "LAMBDA_TASK_ROOT": str(function.folder),
        "_HANDLER": function.handler,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
    }
