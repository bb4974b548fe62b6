"""The process a measured function lives in; it does what Lambda's runtime does, and imports as little.

Started by ``container.py`` as ``python -I -S -B host.py IN OUT FOLDER RUNTIME HANDLER``: nothing but Python's own
library, the unpacked zip and, behind it, the libraries that Lambda's runtime brings are on the path, and no bytecode
is written, since ``/var/task`` is read-only. Commands arrive as JSON lines on descriptor IN, answers leave on
descriptor OUT; standard output is the function's log.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from typing import Any, TextIO


class Context:
    """What Lambda passes as context.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    function_version = "$LATEST"
    client_context = None
    identity = None

    def __init__(self, request_id: str) -> None:
        """Begin an invocation."""
        self.aws_request_id = request_id
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.memory_limit_in_mb = int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"])
        region, account = os.environ["AWS_REGION"], os.environ["BENCH_ACCOUNT"]
        self.invoked_function_arn = f"arn:aws:lambda:{region}:{account}:function:{self.function_name}"
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self.log_stream_name = "bench"
        self._ends = time.monotonic() + int(os.environ["BENCH_TIMEOUT_SECONDS"])

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left before Lambda would end the function."""
        return max(0, int((self._ends - time.monotonic()) * 1000))


def main(commands_at: str, answers_at: str, folder: str, runtime: str, handler: str) -> None:
    """Load the function, then invoke it with the events of each command."""
    commands, answers = os.fdopen(int(commands_at), encoding="utf-8"), os.fdopen(int(answers_at), "w", encoding="utf-8")
    sys.path.insert(0, folder)
    sys.path.append(runtime)
    os.chdir(folder)
    module, _, name = handler.rpartition(".")
    target = getattr(importlib.import_module(module), name)
    _send(answers, {"ready": time.monotonic(), "cpu_ms": 1000 * time.process_time()})
    for line in commands:
        command = json.loads(line)
        events, request_id = command["events"], command["request_id"]
        one = len(events) == 1
        _send(answers, [_invoke(target, events[0], request_id)] if one else _at_once(target, events, request_id))


def _invoke(target: Any, event: Any, request_id: str) -> dict[str, Any]:
    context = Context(request_id)
    error, result, logged = "", None, os.fstat(1).st_size
    cpu, begun = time.process_time(), time.monotonic()
    try:
        result = target(event, context)
    except Exception as problem:  # noqa: BLE001 - Lambda catches everything; the harness decides what it means
        error = f"{type(problem).__name__}: {problem}"
    ended, cpu = time.monotonic(), time.process_time() - cpu
    sys.stdout.flush()
    status = result.get("statusCode") if isinstance(result, dict) else None
    return {
        "begun": begun, "ended": ended, "cpu_ms": 1000 * cpu, "peak_kb": _peak_kb(),
        "log_bytes": os.fstat(1).st_size - logged, "status": status, "error": error,
    }  # fmt: skip


def _at_once(target: Any, events: list[Any], request_id: str) -> list[dict[str, Any]]:
    """Invoke with several events in as many threads, as if one process were several containers."""
    import threading

    answers: list[Any] = [None] * len(events)

    def run(index: int) -> None:
        answers[index] = _invoke(target, events[index], f"{request_id}-{index}")

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(events))]
    cpu = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    share = 1000 * (time.process_time() - cpu) / len(events)
    return [{**answer, "cpu_ms": share} for answer in answers]


def _peak_kb() -> int:
    """Return the most memory this process ever had; rusage would count what its parent had when it was forked."""
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - pathlib would be one more import
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def _send(answers: TextIO, message: Any) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
