"""The central app's composition root: what one invocation works with, and its log records.

The only place of this app that reads the clock. Times are passed on from here, so that an invocation has one *now*.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from shared.aws.clients import client
from shared.aws.requests_table import RequestsTable
from shared.domain.record import Record
from shared.settings import optional, setting
from shared.telemetry import logger

from .channels import Channels

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

_RESERVE_SECONDS: Final = 3.0
"""Kept back from Slack at the end of an invocation, to write down in the table what was done."""

_LOCAL_SECONDS: Final = 60.0
"""An invocation's time where no Lambda counts it: Chalice's local stand-ins count down from 3 s and end nothing."""

_MESSAGE_SECONDS: Final = 20.0
"""How long one message may take: a busy channel leaves time for the other one."""


class Context(Protocol):
    """What is used of Lambda's context.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    aws_request_id: str
    invoked_function_arn: str

    def get_remaining_time_in_millis(self) -> float:
        """Return how long the invocation may still run."""


@dataclass(slots=True, kw_only=True)
class NoContext:
    """What stands in for Lambda's context where a handler is called by hand without one."""

    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    invoked_function_arn: str = ""

    def get_remaining_time_in_millis(self) -> float:
        """Return the time of an invocation that nobody ends."""
        return _LOCAL_SECONDS * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one invocation works with.

    Attributes:
        now: the time at its beginning, UTC.
        until: ``time.monotonic()`` at which it should have ended.
        region: the central account's region.
        context: Lambda's context.
        table: the requests.
        channels: the two Slack channels.
    """

    now: datetime
    until: float
    region: str
    context: Context
    table: RequestsTable
    channels: Channels

    @property
    def account(self) -> str:
        """The central account's id: from the function's ARN in Lambda, from STS everywhere else."""
        parts = self.context.invoked_function_arn.split(":")
        return parts[4] if len(parts) > 4 else _account_of(client("sts", self.region))

    @property
    def is_over(self) -> bool:
        """True when the invocation should come to its end."""
        return time.monotonic() >= self.until


def begin(
    context: Context, *, hurried: bool = False, message_seconds: float = _MESSAGE_SECONDS, at: datetime | None = None
) -> Run:
    """Return what an invocation works with.

    Args:
        context: Lambda's context.
        hurried: for the click, which Slack gives three seconds.
        message_seconds: how long one Slack message may take, tries and all.
        at: an earlier time counts as this one: a schedule's own idea of the time.

    Raises:
        SettingError: when no region is set (Lambda always sets one).
    """
    now = datetime.now(UTC)  # noqa: TID251 - the composition root reads the clock
    left = context.get_remaining_time_in_millis() / 1000 if context.invoked_function_arn else _LOCAL_SECONDS
    until = time.monotonic() + left - _RESERVE_SECONDS
    region = optional("AWS_REGION") or setting("AWS_DEFAULT_REGION")
    return Run(
        now=now if at is None else max(now, at),
        until=until,
        region=region,
        context=context,
        table=RequestsTable(client("dynamodb", region, hurried=hurried), invocation=context.aws_request_id),
        channels=Channels(until=until, message_seconds=message_seconds),
    )


@contextmanager
def step(name: str, record: Record | None = None, **details: str) -> Iterator[None]:
    """Log one record of a step when it is over: what, for which request, how it ended and how long it took.

    Args:
        name: e.g. ``post question``.
        record: the request it is about.
        details: what else is worth knowing; never an address, a token or a body.
    """
    begun = time.monotonic()
    outcome, problem = "done", ""
    try:
        yield
    except Exception as error:
        outcome, problem = "failed", f"{type(error).__name__}: {error}"
        raise
    finally:
        fields: dict[str, Any] = {**facts(record), **details, "outcome": outcome}
        fields["ms"] = round(1000 * (time.monotonic() - begun))
        if problem:
            logger.warning(name, extra={**fields, "problem": problem})
        else:
            logger.info(name, extra=fields)


def facts(record: Record | None) -> dict[str, Any]:
    """Return what every log record about a request says."""
    if record is None:
        return {}
    request = record.request
    return {
        "request_id": request.request_id,
        "account": request.account,
        "region": request.region,
        "group": request.group_id,
        "status": record.status,
    }


@lru_cache(maxsize=1)
def _account_of(sts: STSClient) -> str:
    return sts.get_caller_identity()["Account"]
