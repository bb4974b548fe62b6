"""The process a measured function lives in; it does what Lambda's runtime does, and imports as little.

Started by ``container.py`` as ``python -I -S -B host.py IN OUT FOLDER RUNTIME HANDLER``: nothing but Python's own
library, the unpacked zip and, behind it, the libraries that Lambda's runtime brings are on the path, and nothing is
compiled and kept, since ``/var/task`` is read-only. Commands come as JSON lines on descriptor IN, answers go to
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

    def __init__(self, request_id: str, timeout_seconds: float) -> None:
        """Begin an invocation."""
        self.aws_request_id = request_id
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.memory_limit_in_mb = int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"])
        region, account = os.environ["AWS_REGION"], os.environ["BENCH_ACCOUNT"]
        self.invoked_function_arn = f"arn:aws:lambda:{region}:{account}:function:{self.function_name}"
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self.log_stream_name = "bench"
        self._ends = time.monotonic() + timeout_seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left before Lambda would end the function."""
        return max(0, int((self._ends - time.monotonic()) * 1000))


def main(commands_at: str, answers_at: str, folder: str, runtime: str, handler: str) -> None:
    """Load the function, then answer commands until there are no more."""
    commands, answers = os.fdopen(int(commands_at), encoding="utf-8"), os.fdopen(int(answers_at), "w", encoding="utf-8")
    sys.path.insert(0, folder)
    sys.path.append(runtime)
    os.chdir(folder)
    module, _, name = handler.rpartition(".")
    target = getattr(importlib.import_module(module), name)
    _say(answers, {"ready": time.monotonic(), "cpu_ms": 1000 * time.process_time(), **_size()})
    for line in commands:
        command = json.loads(line)
        if "events" in command:
            _say(answers, _invoke_at_once(target, command))
        else:
            _say(answers, _invoke(target, command["event"], command))


def _invoke(target: Any, event: Any, command: dict[str, Any]) -> dict[str, Any]:
    context = Context(command["request_id"], command["timeout_seconds"])
    error, result = "", None
    cpu, begun = time.process_time(), time.monotonic()
    try:
        result = target(event, context)
    except Exception as problem:  # noqa: BLE001 - Lambda catches everything; the harness decides what it means
        error = f"{type(problem).__name__}: {problem}"
    ended = time.monotonic()
    cpu = time.process_time() - cpu
    sys.stdout.flush()
    status = result.get("statusCode") if isinstance(result, dict) else None
    log_bytes = os.fstat(1).st_size
    return {
        "begun": begun, "ended": ended, "cpu_ms": 1000 * cpu, "error": error, "status": status,
        "log_bytes": log_bytes, **_size(),
    }  # fmt: skip


def _invoke_at_once(target: Any, command: dict[str, Any]) -> dict[str, Any]:
    """Invoke with several events in as many threads, as far as one process can stand for several containers."""
    import threading

    answers: list[dict[str, Any]] = []
    events = command["events"]

    def run(index: int) -> None:
        own = {**command, "request_id": f"{command['request_id']}-{index}"}
        answers.append({"index": index, **_invoke(target, events[index], own)})

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(events))]
    cpu = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"answers": answers, "cpu_ms": 1000 * (time.process_time() - cpu)}


def _size() -> dict[str, int]:
    """Return the most memory this process ever had; rusage would count what its parent had when it was forked."""
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - pathlib would be one more import
        peak = next((line for line in status if line.startswith("VmHWM")), "VmHWM: 0 kB")
    return {"peak_kb": int(peak.split()[1])}


def _say(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
