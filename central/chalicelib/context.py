"""The central app's composition root: what one invocation works with, and its log records.

The only place of this app that reads the clock. Times are passed on from here, so that an invocation has one *now*.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from shared.aws.clients import client
from shared.settings import optional, setting
from shared.telemetry import logger

from .outbox.channels import Channels
from .requests.table import RequestsTable

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

    from shared.domain.record import Record

_RESERVE_SECONDS: Final = 3.0
"""Kept back from Slack at the end of an invocation, to write down in the table what was done."""

_FUNCTION_ARN: Final = re.compile(r"arn:[a-z-]+:lambda:[a-z0-9-]+:(?P<account>[0-9]{12}):")

_LOCAL_SECONDS: Final = 60.0
"""An invocation's time where no Lambda counts it: Chalice's local stand-ins count down from 3 s and end nothing."""

_MESSAGE_SECONDS: Final = 20.0
"""How long one message may take: a busy channel leaves time for the other one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one invocation works with.

    Attributes:
        now: the time at its beginning, UTC.
        begun: ``time.monotonic()`` then.
        until: ``time.monotonic()`` at which it should have ended.
        region: the central account's region.
        function_arn: what Lambda calls this function; empty where no Lambda runs it.
        table: the requests.
        channels: the two Slack channels.
    """

    now: datetime
    begun: float
    until: float
    region: str
    function_arn: str
    table: RequestsTable
    channels: Channels

    @property
    def account(self) -> str:
        """The central account's id: from the function's ARN in Lambda, from STS everywhere else."""
        found = _FUNCTION_ARN.match(self.function_arn)
        return found["account"] if found else _account_of(client("sts", self.region))

    @property
    def present(self) -> datetime:
        """The time by now, UTC: ``now`` and what has passed since. A sweep of minutes must not claim for the past."""
        return self.now + timedelta(seconds=time.monotonic() - self.begun)

    @property
    def is_over(self) -> bool:
        """True when the invocation should come to its end."""
        return time.monotonic() >= self.until


def begin(
    context: Any, *, fail_fast: bool = False, message_seconds: float = _MESSAGE_SECONDS, at: datetime | None = None
) -> Run:
    """Return what an invocation works with.

    Args:
        context: Lambda's context; outside of Lambda any part of it may be missing.
            https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
        fail_fast: for the click, which Slack gives three seconds.
        message_seconds: how long one Slack message may take, tries and all.
        at: an earlier time counts as this one: a schedule's own idea of the time.

    Raises:
        SettingError: when no region is set (Lambda always sets one).
    """
    now = datetime.now(UTC)  # noqa: TID251 - the composition root reads the clock
    function_arn = str(getattr(context, "invoked_function_arn", None) or "")
    invocation = str(getattr(context, "aws_request_id", None) or uuid4())
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    left = remaining() / 1000 if function_arn and remaining is not None else _LOCAL_SECONDS
    begun = time.monotonic()
    until = begun + left - _RESERVE_SECONDS
    region = optional("AWS_REGION") or setting("AWS_DEFAULT_REGION")
    table = client("dynamodb", region, retries="fail_fast" if fail_fast else "standard")
    return Run(
        now=now if at is None else max(now, at),
        begun=begun,
        until=until,
        region=region,
        function_arn=function_arn,
        table=RequestsTable(table, invocation=invocation),
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
