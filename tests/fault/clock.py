"""Time that passes only on request: waiting costs nothing, and every run is the same.

Stands in for ``time`` and for the clocks of both apps' composition roots; moto keeps its own time, which nobody reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from unittest import mock

import botocore.endpoint
from botocore.retries import bucket

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Clock:
    """The world's time; has what the product uses of the module ``time``."""

    def __init__(self) -> None:
        self.passed = 0.0
        """Seconds since :data:`START`."""

    @property
    def now(self) -> datetime:
        """The time, UTC."""
        return START + timedelta(seconds=self.passed)

    def advance_to(self, moment: datetime) -> None:
        """Let time pass until then; never backwards."""
        self.passed = max(self.passed, (moment - START).total_seconds())

    def sleep(self, seconds: float) -> None:
        """Let time pass, as ``time.sleep`` does."""
        self.passed += max(seconds, 0.0)

    def monotonic(self) -> float:
        """Return seconds, as ``time.monotonic`` does."""
        return self.passed

    @contextmanager
    def ticking(self) -> Iterator[None]:
        """Let the product and botocore's retries go by this clock."""
        import central.chalicelib.context
        import central.chalicelib.outbox.channels
        import central.chalicelib.slack.http
        import member.chalicelib.context

        readers: tuple[Any, ...] = (
            botocore.endpoint,
            central.chalicelib.outbox.channels,
            central.chalicelib.context,
            member.chalicelib.context,
            central.chalicelib.slack.http,
        )
        with ExitStack() as stack:
            for module in readers:
                stack.enter_context(mock.patch.object(module, "time", self))
            # botocore's adaptive retries wait for their turn after a throttled call.
            stack.enter_context(mock.patch.object(bucket.Clock, "current_time", property(lambda _: self.monotonic)))
            stack.enter_context(mock.patch.object(bucket.TokenBucket, "acquire", _acquire_by(self)))
            for module in (central.chalicelib.context, member.chalicelib.context):
                stack.enter_context(mock.patch.object(module, "datetime", _datetime_of(self)))
            yield


def _acquire_by(clock: Clock) -> Callable[..., bool]:
    def acquire(tokens: Any, amount: int = 1, block: bool = True) -> bool:  # noqa: ARG001 - as botocore calls it
        tokens._refill()
        clock.sleep(tokens._sleep_amount(amount))
        tokens._refill()
        tokens._current_capacity -= amount
        return True

    return acquire


def _datetime_of(clock: Clock) -> type[datetime]:
    class WorldDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # a plain datetime will do
            return clock.now.astimezone(tz)

    return WorldDatetime
