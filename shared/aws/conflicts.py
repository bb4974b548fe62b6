"""Runs a DynamoDB write again when it met somebody else's write.

Full jitter: each pause is random between nothing and a bound that doubles, so that writers who met once do not meet
again. https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from botocore.exceptions import ClientError

FIRST_PAUSE_SECONDS: Final = 0.02
LONGEST_PAUSE_SECONDS: Final = 1.0

_T = TypeVar("_T")


def is_transaction_conflict(error: ClientError) -> bool:
    """True when a transaction was in progress on the same item; nothing was written, and the same write may succeed.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling
    """
    code = error.response["Error"]["Code"]
    if code == "TransactionCanceledException":
        reasons = cancellation_reasons(error)
        return "TransactionConflict" in reasons and "ConditionalCheckFailed" not in reasons
    return code == "TransactionConflictException"


def cancellation_reasons(error: ClientError) -> frozenset[str]:
    """Return the codes of why a transaction was cancelled; empty for any other error."""
    response: Mapping[str, Any] = error.response
    return frozenset(reason.get("Code", "") for reason in response.get("CancellationReasons", ()))


def retry_on_conflict(
    write: Callable[[], _T],
    *,
    until: float,
    conflict: type[Exception] = ClientError,
    is_conflict: Callable[[Any], bool] = is_transaction_conflict,
    longest_pause: float = LONGEST_PAUSE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    uniform: Callable[[float, float], float] = random.uniform,
    sleep: Callable[[float], None] = time.sleep,
) -> _T:
    """Run a write until it meets no conflict.

    Args:
        write: writes once; called again after a conflict, so it reads anew whatever it depends on.
        until: what ``clock`` says when there is no more time: no pause ends after it.
        conflict: the class of the errors that may mean that the same write succeeds in a moment.
        is_conflict: which of them do.
        longest_pause: seconds that no pause exceeds.
        clock: monotonic seconds.
        uniform: draws a number between two.
        sleep: waits for so many seconds.

    Raises:
        Exception: the conflict, when the time is up; every other error at once.
    """
    longest = FIRST_PAUSE_SECONDS
    while True:
        try:
            return write()
        except conflict as error:
            pause = uniform(0, longest)
            if not is_conflict(error) or clock() + pause >= until:
                raise
        sleep(pause)
        longest = min(2 * longest, longest_pause)
