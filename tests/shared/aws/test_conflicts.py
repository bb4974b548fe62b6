"""Writes that meet each other are made again: after random pauses whose bound doubles, within the time there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from shared.aws.conflicts import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    cancellation_reasons,
    is_transaction_conflict,
    retry_on_conflict,
)


def error(code: str, *reasons: str) -> ClientError:
    """Return DynamoDB's error."""
    response: Any = {"Error": {"Code": code, "Message": "injected"}}
    if reasons:
        response["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    return ClientError(response, "UpdateItem")


CONFLICT = error("TransactionConflictException")


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.bounds: list[float] = []

    def longest(self, low: float, high: float) -> float:
        """Draw the longest pause, and note between what."""
        assert low == 0
        self.bounds.append(high)
        return high

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def failing(times: int, problem: ClientError = CONFLICT) -> Callable[[], str]:
    """Return a write that fails so many times."""
    left = [problem] * times

    def write() -> str:
        if left:
            raise left.pop()
        return "written"

    return write


def retried(write: Callable[[], str], clock: Clock, *, until: float = 60, **more: Any) -> str:
    """Run a write by this clock."""
    return retry_on_conflict(
        write, until=until, clock=lambda: clock.now, uniform=clock.longest, sleep=clock.sleep, **more
    )


def test_the_bound_of_each_pause_doubles() -> None:
    """20 ms, 40 ms, 80 ms, …, never more than a second."""
    clock = Clock()
    assert retried(failing(9), clock) == "written"
    assert clock.bounds == [min(FIRST_PAUSE_SECONDS * 2**number, LONGEST_PAUSE_SECONDS) for number in range(9)]


def test_a_write_without_conflict_never_waits() -> None:
    """The usual case costs nothing."""
    clock = Clock()
    assert retried(failing(0), clock) == "written"
    assert (clock.bounds, clock.now) == ([], 0.0)


def test_no_pause_ends_after_the_deadline() -> None:
    """The conflict itself is raised then."""
    clock = Clock()
    with pytest.raises(ClientError, match="TransactionConflictException"):
        retried(failing(1000), clock, until=0.5)
    assert 0.2 < clock.now < 0.5


def test_every_other_error_is_raised_at_once() -> None:
    """Only a conflict may pass by itself."""
    clock = Clock()
    with pytest.raises(ClientError, match="AccessDenied"):
        retried(failing(1, error("AccessDeniedException")), clock)
    assert clock.now == 0


def test_what_counts_as_a_conflict_can_be_said() -> None:
    """An optimistic write reads and writes anew when its version is not the stored one."""

    def is_stale(problem: ClientError) -> bool:
        return problem.response["Error"]["Code"] == "ConditionalCheckFailedException"

    clock = Clock()
    stale = error("ConditionalCheckFailedException")
    assert retried(failing(2, stale), clock, is_conflict=is_stale) == "written"


@pytest.mark.parametrize(
    ("problem", "is_conflict"),
    [
        (CONFLICT, True),
        (error("TransactionCanceledException", "None", "TransactionConflict"), True),
        (error("TransactionCanceledException", "ConditionalCheckFailed", "TransactionConflict"), False),
        (error("TransactionCanceledException", "ConditionalCheckFailed"), False),
        (error("ConditionalCheckFailedException"), False),
        (error("ProvisionedThroughputExceededException"), False),
    ],
)
def test_only_other_transactions_are_conflicts(problem: ClientError, *, is_conflict: bool) -> None:
    """Where a condition failed too, the same write cannot succeed."""
    assert is_transaction_conflict(problem) == is_conflict


def test_other_errors_have_no_cancellation_reasons() -> None:
    """Only a cancelled transaction says why."""
    assert cancellation_reasons(CONFLICT) == frozenset()
    assert cancellation_reasons(error("TransactionCanceledException", "None", "X")) == {"None", "X"}
