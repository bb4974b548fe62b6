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

from bench.cpus import for_functions

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
        cpu_ms: processor time of the process meanwhile; of several at once, its equal part.
        peak_kb: the most memory the process ever had.
        log_bytes: what it wrote to its log; of several at once, meaningless.
        status: of an HTTP answer.
        error: what it raised.
    """

    begun: float
    ended: float
    cpu_ms: float
    peak_kb: int
    log_bytes: int
    status: int | None
    error: str

    @property
    def ms(self) -> float:
        """The handler's duration."""
        return 1000 * (self.ended - self.begun)


class Container:
    """A process with one function, as a context manager.

    Args:
        function: what to load.
        environment: variables besides the function's own.
        event: the first invocation, sent before the process starts, so that a cold start waits for nobody.
        pinned: runs on the CPU that is kept for measuring; otherwise on any.
    """

    def __init__(
        self, function: Function, environment: Mapping[str, str], *, event: Any = None, pinned: bool = True
    ) -> None:
        self._function = function
        self._stack = ExitStack()
        self._log = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        command_read, command_write = os.pipe()
        answer_read, answer_write = os.pipe()
        self._commands = self._stack.enter_context(os.fdopen(command_write, "w", encoding="utf-8"))
        self._answers = self._stack.enter_context(os.fdopen(answer_read, encoding="utf-8"))
        if event is not None:
            self.send([event])
        python = [sys.executable, "-I", "-S", "-B", str(_HOST), str(command_read), str(answer_write)]
        with ExitStack() as cpus:
            if pinned:
                cpus.enter_context(for_functions())
            self.started = time.monotonic()
            self._process = subprocess.Popen(
                [*python, str(function.folder), str(function.runtime), function.handler],
                env={**environment, **_lambda_variables(function), **function.environment},
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                pass_fds=(command_read, answer_write),
            )
        os.close(command_read)
        os.close(answer_write)
        try:
            ready = self._read()
            self.first = self.receive()[0] if event is not None else None
        except BaseException:
            self.__exit__()
            raise
        self.ready: float = ready["ready"]
        self.init_cpu_ms: float = ready["cpu_ms"]

    def invoke(self, event: Any) -> Answer:
        """Invoke the function.

        Raises:
            ContainerError: when it raised, or answered anything but 200; no measured flow has a failing step.
        """
        self.send([event])
        return self.checked(self.receive()[0])

    def checked(self, answer: Answer) -> Answer:
        """Return a good answer; raise :class:`ContainerError` for any other."""
        if answer.error or answer.status not in (None, 200):
            raise ContainerError(f"{self._function.name}: {answer.status} {answer.error}\n{self.log()[-4000:]}")
        return answer

    def send(self, events: Sequence[Any]) -> None:
        """Begin as many invocations as there are events, at once; :meth:`receive` waits for them."""
        request_id = f"00000000-0000-4000-8000-{next(_NUMBERS):012d}"
        self._commands.write(json.dumps({"events": events, "request_id": request_id}) + "\n")
        self._commands.flush()

    def receive(self) -> list[Answer]:
        """Return the answers in the order of the events."""
        return [Answer(**one) for one in self._read()]

    def log(self) -> str:
        """Return what the function logged."""
        # Not by seeking: the process writes at the position that is shared with it.
        return os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size, 0).decode(errors="replace")

    def __enter__(self) -> Self:
        """Return the container; its process ends with the context."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._commands.close()
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stack.close()

    def _read(self) -> Any:
        line = self._answers.readline()
        if not line:
            raise ContainerError(f"{self._function.name} ended by itself:\n{self.log()[-4000:]}")
        return json.loads(line)


def _lambda_variables(function: Function) -> dict[str, str]:
    """Return what Lambda sets.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    return {
        "AWS_LAMBDA_FUNCTION_NAME": function.physical_name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "BENCH_TIMEOUT_SECONDS": str(function.timeout_seconds),
        "LAMBDA_TASK_ROOT": str(function.folder),
        "_HANDLER": function.handler,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
    }
