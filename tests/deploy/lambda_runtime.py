"""Lambda's part of one invocation, in a clean interpreter: run with ``python -I -S``, it sees the zip, boto3 and
nothing else.

Arguments: the unpacked zip, a folder with Lambda's own libraries, the handler, a file for the AWS calls made. The
event comes on standard input; the answer is the last line on standard output.
"""

import json
import os
import sys
import time
import uuid


class Context:
    """What Lambda passes as the second argument."""

    function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    invoked_function_arn = os.environ["FUNCTION_ARN"]
    memory_limit_in_mb = 1024
    aws_request_id = str(uuid.uuid4())
    log_group_name = f"/aws/lambda/{function_name}"
    log_stream_name = "stream"
    _until = time.monotonic() + 60

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left."""
        return int(1000 * (self._until - time.monotonic()))


def main() -> None:
    """Run the handler once."""
    task, libraries, handler, calls = sys.argv[1:5]
    sys.path[:0] = [task, libraries]
    from botocore.client import BaseClient

    call = BaseClient._make_api_call

    def recorded(self: BaseClient, operation: str, params: dict[str, object]) -> object:
        told = {"service": self.meta.service_model.service_name, "operation": operation, "params": params}
        with open(calls, "a", encoding="utf-8") as file:  # noqa: PTH123 - nothing is loaded that the zip might bring
            file.write(json.dumps(told, default=str) + "\n")
        return call(self, operation, params)

    BaseClient._make_api_call = recorded
    module, name = handler.rsplit(".", 1)
    function = getattr(__import__(module), name)
    answer = function(json.load(sys.stdin), Context())
    foreign = [path for path in sys.path if path not in (task, libraries) and not path.startswith(sys.base_prefix)]
    if foreign:
        raise RuntimeError(f"not clean: {foreign}")
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
