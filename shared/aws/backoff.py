"""Pauses between tries of a write that others got in the way of: exponential, with full jitter, until a time is over.

https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

FIRST_SECONDS = 0.02
LONGEST_SECONDS = 5.0


def full_jitter(seconds: float, random: Callable[[], float]) -> Iterator[float]:
    """Yield how long to wait before each further try.

    Args:
        seconds: how long all pauses together may be; then it ends.
        random: returns numbers from 0 to 1, e.g. ``random.random``.
    """
    most = FIRST_SECONDS
    while seconds > 0:
        pause = min(random() * most, seconds)
        yield pause
        seconds -= max(pause, FIRST_SECONDS / 4)
        most = min(2 * most, LONGEST_SECONDS)
