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

from sandbox.lambda_context import LambdaContext


def main() -> None:
    """Make the clicks."""
    given: dict[str, Any] = json.loads(sys.stdin.readline())
    os.environ.update(given["environment"])
    answers, sys.stdout = sys.stdout, sys.stderr  # the app logs to standard output
    import central.app
    from central.chalicelib.slack import answering
    from shared.aws import clients

    patient = Config(connect_timeout=60, read_timeout=60, retries={"mode": "standard", "max_attempts": 2})
    # All share one machine and one server; Slack's three seconds are not what is tried here.
    with mock.patch.object(answering, "_POST_SECONDS", 60.0), mock.patch.dict(clients._CONFIGS, {"fail_fast": patient}):
        answers.write("ready\n")
        answers.flush()
        sys.stdin.readline()
        # An invocation has plenty of time: nothing here is about time.
        contexts = (
            LambdaContext(request_id=str(uuid.uuid4()), arn=given["arn"], timeout_seconds=60) for _ in given["events"]
        )
        clicks = zip(given["events"], contexts, strict=True)
        statuses = [central.app.app(event, context)["statusCode"] for event, context in clicks]
    answers.write(json.dumps(statuses) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
