"""Runs scheduled functions by the clock, as EventBridge does from a ``rate(…)`` expression.

``cron(…)`` expressions are not run by themselves: they name hours of the day, and a sandbox lives for minutes.
"""

import re
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from sandbox.wiring import Function

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}


def interval_seconds(expression: str) -> int | None:
    """Return the seconds between two runs, ``None`` for an expression that is not a rate."""
    match = _RATE.fullmatch(expression)
    return int(match[1]) * _SECONDS[match[2]] if match else None


class Schedules:
    """Calls ``run`` for each function at its rate while the context is open; the first time after one interval."""

    def __init__(self, functions: Iterable[tuple[Function, str]], run: Callable[[Function], None]) -> None:
        self._functions = tuple(functions)
        self._run = run
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        for function, expression in self._functions:
            seconds = interval_seconds(expression)
            if seconds is not None:
                threading.Thread(target=self._repeat, args=(function, seconds), name=function.name, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()

    def _repeat(self, function: Function, seconds: int) -> None:
        while not self._stopping.wait(seconds):
            self._run(function)
