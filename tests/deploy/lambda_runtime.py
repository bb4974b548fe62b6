"""Lambda's part of a container's life, in a clean interpreter: run with ``python -I -S``, it sees the zip, boto3 and
nothing else.

Arguments: the unpacked zip, a folder with Lambda's own libraries, the handler, the number of a pipe for answers. One
event a line comes on standard input; for each one a line goes into the pipe: what the handler returned or raised, and
the AWS calls it made. As in Lambda, the container stays for the next event.
"""

import json
import os
import sys
import time
import uuid

calls: list[dict[str, object]] = []


class Context:
    """What Lambda passes as the second argument."""

    function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    invoked_function_arn = os.environ["FUNCTION_ARN"]
    memory_limit_in_mb = 1024
    log_group_name = f"/aws/lambda/{function_name}"
    log_stream_name = "stream"

    def __init__(self) -> None:
        self.aws_request_id = str(uuid.uuid4())
        self._until = time.monotonic() + 60

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left."""
        return int(1000 * (self._until - time.monotonic()))


def main() -> None:
    """Run the handler for every event."""
    task, libraries, handler, pipe = sys.argv[1:5]
    sys.path[:0] = [task, libraries]
    record_calls()
    module, name = handler.rsplit(".", 1)
    function = getattr(__import__(module), name)
    foreign = [path for path in sys.path if path not in (task, libraries) and not path.startswith(sys.base_prefix)]
    if foreign:
        raise RuntimeError(f"not clean: {foreign}")
    with os.fdopen(int(pipe), "w", encoding="utf-8") as answers:
        for line in sys.stdin:
            calls.clear()
            said = {"failed": False, "answer": "null"}
            try:
                said["answer"] = json.dumps(function(json.loads(line), Context()))
            except Exception as error:  # noqa: BLE001 - Lambda tells any error, and keeps the container
                said = {"failed": True, "answer": json.dumps({"errorMessage": str(error)})}
                sys.excepthook(type(error), error, error.__traceback__)
            answers.write(json.dumps({**said, "calls": calls}, default=str) + "\n")
            answers.flush()


def record_calls() -> None:
    """Note every AWS call from now on."""
    from botocore.client import BaseClient

    call = BaseClient._make_api_call

    def recorded(self: BaseClient, operation: str, params: dict[str, object]) -> object:
        calls.append({"service": self.meta.service_model.service_name, "operation": operation, "params": params})
        return call(self, operation, params)

    BaseClient._make_api_call = recorded


if __name__ == "__main__":
    main()
