"""What is still running: events, deliveries and functions in flight, so that callers can wait until nothing is."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class NotIdleError(TimeoutError):
    """Something is still running after the time allowed; the message says what."""


class Activity:
    """Counts work in flight by name."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._running: Counter[str] = Counter()

    @contextmanager
    def during(self, what: str) -> Iterator[None]:
        """Count a piece of work while the context is open."""
        self._begin(what)
        try:
            yield
        finally:
            self._end(what)

    def spawn(self, what: str, work: Callable[[], None], *, delay_seconds: float = 0.0) -> None:
        """Run ``work`` in a thread, counted from now on until it ends, the delay included."""
        self._begin(what)

        def run() -> None:
            try:
                if delay_seconds:
                    time.sleep(delay_seconds)
                work()
            finally:
                self._end(what)

        threading.Thread(target=run, name=what, daemon=True).start()

    def wait_until_idle(self, timeout_seconds: float) -> None:
        """Return once nothing is in flight; raises :class:`NotIdleError` after ``timeout_seconds``."""
        with self._condition:
            if not self._condition.wait_for(lambda: not self._running, timeout_seconds):
                running = ", ".join(f"{what} ({count})" for what, count in sorted(self._running.items()))
                raise NotIdleError(f"Still running after {timeout_seconds:g} s: {running}.")

    def _begin(self, what: str) -> None:
        with self._condition:
            self._running[what] += 1

    def _end(self, what: str) -> None:
        with self._condition:
            self._running[what] -= 1
            if not self._running[what]:
                del self._running[what]
            self._condition.notify_all()
