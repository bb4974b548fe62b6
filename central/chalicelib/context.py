"""The central app's composition root: what one invocation works with.

The only place of this app that asks for the date. It is passed on from here, so that an invocation has one *now*. How
long something takes is measured where it is done (``time.monotonic``).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from shared.aws.clients import client
from shared.settings import optional, setting

from .outbox import Channels, Outbox
from .requests.table import RequestsTable

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

_RESERVE_SECONDS: Final = 3.0
"""Reserved at the end of an invocation for writing to the table what was done."""

_FUNCTION_ARN: Final = re.compile(r"arn:[a-z-]+:lambda:[a-z0-9-]+:(?P<account>[0-9]{12}):")

_LOCAL_SECONDS: Final = 60.0
"""An invocation's time outside of Lambda: Chalice's local context counts down from 3 s and ends nothing."""

_MESSAGE_SECONDS: Final = 20.0
"""How long one message may take: a busy channel leaves time for the other one."""

_CLICK_CONFLICT_SECONDS: Final = 1.0
"""For how long a click tries again a write that met a transaction: Slack waits three seconds for its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What one invocation works with.

    Attributes:
        now: the time at its beginning, UTC.
        clock: returns the present time, UTC: ``now`` and what has passed since; a sweep takes minutes.
        until: ``time.monotonic()`` at which it should have ended.
        region: the central account's region.
        function_arn: what Lambda calls this function; empty where no Lambda runs it.
        table: the requests.
        outbox: the pending tasks of requests.
    """

    now: datetime
    clock: Callable[[], datetime]
    until: float
    region: str
    function_arn: str
    table: RequestsTable
    outbox: Outbox

    @property
    def account(self) -> str:
        """The central account's id: from the function's ARN in Lambda, from STS everywhere else."""
        found = _FUNCTION_ARN.match(self.function_arn)
        return found["account"] if found else _account_of(client("sts", self.region))

    @property
    def is_over(self) -> bool:
        """True when the invocation should end."""
        return time.monotonic() >= self.until


def begin(
    lambda_context: Any,
    *,
    fail_fast: bool = False,
    message_seconds: float = _MESSAGE_SECONDS,
    at: datetime | None = None,
) -> Context:
    """Return what an invocation works with.

    Args:
        lambda_context: Lambda's context; outside of Lambda any part of it may be missing.
            https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
        fail_fast: for the click, which Slack gives three seconds.
        message_seconds: how long one Slack message may take, tries and all.
        at: an earlier time counts as this one: when the schedule fired.

    Raises:
        SettingError: when no region is set (Lambda always sets one).
    """
    now = datetime.now(UTC)  # noqa: TID251 - the composition root reads the clock
    now = now if at is None else max(now, at)
    function_arn = str(getattr(lambda_context, "invoked_function_arn", None) or "")
    invocation = str(getattr(lambda_context, "aws_request_id", None) or uuid4())
    remaining = getattr(lambda_context, "get_remaining_time_in_millis", None)
    left = remaining() / 1000 if function_arn and remaining is not None else _LOCAL_SECONDS
    begun = time.monotonic()
    until = begun + left - _RESERVE_SECONDS
    region = optional("AWS_REGION") or setting("AWS_DEFAULT_REGION")
    dynamodb = client("dynamodb", region, retries="fail_fast" if fail_fast else "standard")
    conflicts = {"conflict_seconds": _CLICK_CONFLICT_SECONDS} if fail_fast else {}
    table = RequestsTable(dynamodb, invocation=invocation, **conflicts)
    channels = Channels(until=until, message_seconds=message_seconds)

    def clock() -> datetime:
        return now + timedelta(seconds=time.monotonic() - begun)

    return Context(
        now=now,
        clock=clock,
        until=until,
        region=region,
        function_arn=function_arn,
        table=table,
        outbox=Outbox(table, channels, clock=clock),
    )


@lru_cache(maxsize=1)
def _account_of(sts: STSClient) -> str:
    return sts.get_caller_identity()["Account"]
