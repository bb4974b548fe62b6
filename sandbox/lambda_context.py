"""What Lambda passes to a handler beside the event.

https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

import time
from collections.abc import Callable


class LambdaContext:
    """The context of one invocation. Imported in each function's process, so it needs nothing that takes long."""

    function_version = "$LATEST"
    memory_limit_in_mb = 1024
    client_context = None
    identity = None
    log_stream_name = "sandbox"

    def __init__(
        self, *, request_id: str, arn: str, timeout_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin an invocation.

        Args:
            request_id: the invocation's id; Lambda's own retries keep it.
            arn: the function's ARN, e.g. ``arn:aws:lambda:eu-west-1:111111111111:function:central-dev-sweepRequests``.
            timeout_seconds: after this the function is ended.
            clock: seconds, as ``time.monotonic`` gives them.
        """
        self.aws_request_id = request_id
        self.invoked_function_arn = arn
        self.function_name = arn.rpartition(":")[2]
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self._clock = clock
        self._ends = clock() + timeout_seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left before the function is ended."""
        return max(0, int((self._ends - self._clock()) * 1000))
