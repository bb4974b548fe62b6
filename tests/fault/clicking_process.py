"""A process of its own that runs the central app and hands it clicks: ``python -m tests.fault.clicking_process``.

Reads ``{"environment": {…}, "events": […]}`` from standard input, says ``ready``, waits for one more line, makes the
clicks, and prints their HTTP statuses as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from typing import Any
from unittest import mock

from botocore.config import Config


class Context:
    """Lambda's context, as far as the route uses it."""

    def __init__(self, arn: str) -> None:
        self.aws_request_id = str(uuid.uuid4())
        self.invoked_function_arn = arn
        self.function_name = arn.rpartition(":")[2]
        self.memory_limit_in_mb = 1024

    def get_remaining_time_in_millis(self) -> int:
        """Return plenty: nothing here is about time."""
        return 60_000


def main() -> None:
    """Make the clicks."""
    given: dict[str, Any] = json.loads(sys.stdin.readline())
    os.environ.update(given["environment"])
    answers, sys.stdout = sys.stdout, sys.stderr  # the app logs to standard output
    import central.app
    from central.chalicelib import click
    from shared.aws import clients

    patient = Config(connect_timeout=60, read_timeout=60, retries={"mode": "standard", "max_attempts": 2})
    # All share one machine and one server; Slack's three seconds are not what is tried here.
    with mock.patch.object(click, "_POST_SECONDS", 60.0), mock.patch.dict(clients._CONFIGS, {"fail_fast": patient}):
        answers.write("ready\n")
        answers.flush()
        sys.stdin.readline()
        statuses = [central.app.app(event, Context(given["arn"]))["statusCode"] for event in given["events"]]
    answers.write(json.dumps(statuses) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
