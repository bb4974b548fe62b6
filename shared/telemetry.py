"""Structured logs and metrics of both apps, by aws-lambda-powertools.

One record per step, with the request id where there is one. Never a token, signature, webhook address, ``response_url``
or whole body. Metrics go to CloudWatch by log line (embedded metric format), so they cost no call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, Literal

from aws_lambda_powertools.logging import Logger
from chalice.app import Chalice, ConvertToMiddleware

NAMESPACE: Final = "SecurityGroupApproval"

_CONTEXT: Final = ("function_name", "memory_limit_in_mb", "invoked_function_arn", "aws_request_id")
"""What the library reads of Lambda's context."""

_TALKATIVE: Final = ("boto3", "botocore", "urllib3")
"""Libraries whose debug records hold whole bodies and addresses: nobody gets those by turning up Lambda's log level."""

logger: Final = Logger(service="security-group-approval")


def instrument(app: Chalice) -> None:
    """Give every trigger of an app the Lambda context in its log records; a context may be missing."""
    app.register_middleware(ConvertToMiddleware(_with_context), "all")
    for library in _TALKATIVE:
        logging.getLogger(library).setLevel(logging.INFO)


def _with_context(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    # `log_event` is said, so that no environment variable of the library can have whole bodies and signatures logged.
    injected = logger.inject_lambda_context(handler, log_event=False, clear_state=True)

    def handle(event: Any, context: Any) -> Any:
        is_complete = all(hasattr(context, name) for name in _CONTEXT)
        return (injected if is_complete else handler)(event, context)

    return handle


def count(name: str, **dimensions: str) -> None:
    """Emit one count, e.g. ``count("Decisions", outcome="approved")``."""
    _emit(name, "Count", 1, dimensions)


def seconds(name: str, value: float, **dimensions: str) -> None:
    """Emit one duration in seconds, e.g. ``seconds("ExposureSeconds", 7.9)``."""
    _emit(name, "Seconds", value, dimensions)


def _emit(name: str, unit: Literal["Count", "Seconds"], value: float, dimensions: dict[str, str]) -> None:
    # Imported here: nothing is counted before a port is closed.
    from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

    provider = AmazonCloudWatchEMFProvider(
        namespace=NAMESPACE, service=logger.service, metric_set={}, dimension_set={}, default_dimensions={}
    )
    provider.add_metric(name=name, unit=unit, value=value)
    for key, text in dimensions.items():
        provider.add_dimension(name=key, value=text)
    provider.flush_metrics()
