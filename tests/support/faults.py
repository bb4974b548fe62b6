"""Breaks single AWS calls of the code under test, the way AWS, the network and Lambda break them.

Every boto3 client of the process goes through one method of botocore; inside :meth:`Faults.watching` that method counts
the calls and, at the one that was chosen, fails in the chosen way. Retries of botocore itself happen below that method,
so what is seen here is what is left after them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, get_args
from unittest import mock

from botocore.client import BaseClient
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

Kind = Literal["throttled", "server_error", "unreachable", "reply_lost", "killed_before", "killed_after"]
"""How a call fails: ``reply_lost`` and ``killed_after`` take effect first."""

KINDS: tuple[Kind, ...] = get_args(Kind)

_THROTTLED = {
    "EC2": "RequestLimitExceeded",
    "DynamoDB": "ProvisionedThroughputExceededException",
    "SNS": "Throttled",
    "STS": "Throttling",
}


class KilledError(BaseException):
    """The process is gone: no handler may catch this."""


@dataclass(frozen=True, slots=True)
class AwsCall:
    """One call that was made."""

    operation: str
    parameters: dict[str, Any]


@dataclass
class Faults:
    """What to break, and what has been called.

    Attributes:
        kind: how the chosen call fails; ``None`` breaks nothing.
        at: number of the chosen call, from 1.
        times: how often it fails: that call and the next ones of the same operation.
        calls: every call made while watching, whether it failed or not.
    """

    kind: Kind | None = None
    at: int = 1
    times: int = 1
    calls: list[AwsCall] = field(default_factory=list)
    struck: int = 0
    _operation: str = ""

    @property
    def operations(self) -> list[str]:
        """The names of the calls made, in their order."""
        return [call.operation for call in self.calls]

    @contextmanager
    def watching(self) -> Iterator[Faults]:
        """Count and break the calls made inside."""
        original = BaseClient._make_api_call

        def call(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
            self.calls.append(AwsCall(operation, parameters))
            return self._break(client, operation, lambda: original(client, operation, parameters))

        with mock.patch.object(BaseClient, "_make_api_call", call):
            yield self

    def _break(self, client: BaseClient, operation: str, run: Callable[[], Any]) -> Any:
        is_first = self.kind is not None and self.struck == 0 and len(self.calls) == self.at
        is_again = 0 < self.struck < self.times and operation == self._operation
        if not is_first and not is_again:
            return run()
        self.struck += 1
        self._operation = operation
        if self.kind in ("reply_lost", "killed_after"):
            run()
        raise _failure(self.kind, client.meta.service_model.service_id, operation)


def _failure(kind: Kind | None, service: str, operation: str) -> BaseException:
    match kind:
        case "throttled":
            error = {"Code": _THROTTLED[service], "Message": "Request limit exceeded."}
            return ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 503}}, operation)
        case "server_error":
            error = {"Code": "InternalError", "Message": "An internal error has occurred."}
            return ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 500}}, operation)
        case "unreachable":
            return EndpointConnectionError(endpoint_url="https://aws.invalid")
        case "reply_lost":
            return ReadTimeoutError(endpoint_url="https://aws.invalid")
        case _:
            return KilledError(operation)


def deliver_as_lambda(invoke: Callable[[], object], *, deliveries: int = 3) -> bool:
    """Invoke a function as Lambda does for asynchronous events: again after a failure, three times in all.

    Returns:
        Whether a delivery succeeded; otherwise the event is in the dead-letter queue.
    """
    return any(_succeeds(invoke) for _ in range(deliveries))


def _succeeds(invoke: Callable[[], object]) -> bool:
    try:
        invoke()
    except (Exception, KilledError):  # noqa: BLE001 - Lambda does not look at what it was either
        return False
    return True
