"""Structured logs and metrics of both apps, by aws-lambda-powertools.

One record per step, with the request id where there is one. Never a token, signature, webhook address, ``response_url``
or whole body. Metrics go to CloudWatch by log line (embedded metric format), so they cost no call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider
from chalice.app import Chalice, ConvertToMiddleware

NAMESPACE: Final = "SecurityGroupApproval"

logger: Final = Logger(service="security-group-approval")

_LOGGED_OF_CONTEXT: Final = ("function_name", "memory_limit_in_mb", "invoked_function_arn", "aws_request_id")


def instrument(app: Chalice) -> None:
    """Give every trigger of an app the Lambda context in its log records."""
    app.register_middleware(ConvertToMiddleware(_with_lambda_context), "all")


def _with_lambda_context(handler: Callable[..., Any]) -> Callable[..., Any]:
    informed = logger.inject_lambda_context(handler, clear_state=True)

    def run(event: Any, context: Any) -> Any:
        # Whoever calls a handler by hand often has no context to give; logging must not be what stops a revert.
        is_whole = all(hasattr(context, name) for name in _LOGGED_OF_CONTEXT)
        return (informed if is_whole else handler)(event, context)

    return run


def count(name: str, **dimensions: str) -> None:
    """Emit one count, e.g. ``count("Decisions", outcome="approved")``."""
    _emit(name, MetricUnit.Count, 1, dimensions)


def seconds(name: str, value: float, **dimensions: str) -> None:
    """Emit one duration in seconds, e.g. ``seconds("ExposureSeconds", 7.9)``."""
    _emit(name, MetricUnit.Seconds, value, dimensions)


def _emit(name: str, unit: MetricUnit, value: float, dimensions: dict[str, str]) -> None:
    provider = AmazonCloudWatchEMFProvider(
        namespace=NAMESPACE, service=logger.service, metric_set={}, dimension_set={}, default_dimensions={}
    )
    provider.add_metric(name=name, unit=unit, value=value)
    for key, text in dimensions.items():
        provider.add_dimension(name=key, value=text)
    provider.flush_metrics()
