"""Lambda's asynchronous invocation: retries with a delay, then a dead-letter list that can be redriven.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.activity import Activity
from sandbox.environments import Result
from sandbox.errors import SandboxError
from sandbox.timeline import DeadLettered, InvocationEnded, InvocationStarted, Timeline
from sandbox.wiring import Function

#: Runs a function once: function, event, request id.
Run = Callable[[Function, Mapping[str, Any], str], Result]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An event whose function failed every time."""

    function: Function
    event: Mapping[str, Any]
    trigger: str
    error: str
    trace: str
    about: str = ""
    """Request id of the change that it belongs to, where that is known."""


class Invoker:
    """Invokes functions and records that on the timeline."""

    def __init__(self, run: Run, timeline: Timeline, activity: Activity, retry_delays_seconds: Sequence[float]) -> None:
        """Prepare.

        Args:
            run: runs a function once.
            timeline: records each invocation.
            activity: counts what is under way.
            retry_delays_seconds: the wait before each further try; Lambda has two, of one and two minutes.
        """
        self._run = run
        self._timeline = timeline
        self._activity = activity
        self._retry_delays_seconds = tuple(retry_delays_seconds)
        self._dead_letters: list[DeadLetter] = []
        self._about: dict[str, str] = {}
        self._lock = threading.Lock()

    def invoke_later(
        self,
        function: Function,
        event: Mapping[str, Any],
        *,
        trigger: str,
        about: str = "",
        delay_seconds: float = 0.0,
    ) -> None:
        """Hand an event to a function and return at once; ``about`` is the request id of the change behind it."""
        self._activity.spawn(
            f"{function.name} ({trigger})",
            lambda: self._until_done(function, event, trigger, about),
            delay_seconds=delay_seconds,
        )

    def invoke_now(self, function: Function, event: Mapping[str, Any], *, trigger: str) -> Result:
        """Run a function once and wait for it; no retries, no dead letter."""
        with self._activity.during(f"{function.name} ({trigger})"):
            return self._once(function, event, trigger, str(uuid.uuid4()), attempt=1)

    def about(self, invocation_id: str) -> str:
        """Return the request id of the change that a running invocation is about, empty where none is known."""
        with self._lock:
            return self._about.get(invocation_id, "")

    @property
    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """What is out of retries, oldest first."""
        with self._lock:
            return tuple(self._dead_letters)

    def forget_dead_letters(self) -> None:
        """Discard the dead letters."""
        with self._lock:
            self._dead_letters.clear()

    def redrive(self) -> int:
        """Hand every dead letter to its function again; returns how many there were."""
        with self._lock:
            letters, self._dead_letters = self._dead_letters, []
        for letter in letters:
            self.invoke_later(letter.function, letter.event, trigger=letter.trigger, about=letter.about)
        return len(letters)

    def _until_done(self, function: Function, event: Mapping[str, Any], trigger: str, about: str) -> None:
        invocation_id = str(uuid.uuid4())
        with self._lock:
            self._about[invocation_id] = about
        try:
            self._try(function, event, trigger, invocation_id)
        finally:
            with self._lock:
                del self._about[invocation_id]

    def _try(self, function: Function, event: Mapping[str, Any], trigger: str, invocation_id: str) -> None:
        result = self._once(function, event, trigger, invocation_id, attempt=1)
        for number, delay_seconds in enumerate(self._retry_delays_seconds, start=2):
            if not result.error:
                return
            time.sleep(delay_seconds)
            result = self._once(function, event, trigger, invocation_id, attempt=number)
        if result.error:
            about = self.about(invocation_id)
            letter = DeadLetter(
                function=function,
                event=event,
                trigger=trigger,
                error=result.error,
                trace=result.trace,
                about=about,
            )
            with self._lock:
                self._dead_letters.append(letter)
            self._timeline.add(
                DeadLettered(
                    function=function.name,
                    account=function.account,
                    region=function.region,
                    error=result.error,
                    about=about,
                )
            )

    def _once(
        self, function: Function, event: Mapping[str, Any], trigger: str, invocation_id: str, *, attempt: int
    ) -> Result:
        place = {
            "function": function.name,
            "account": function.account,
            "region": function.region,
            "about": self.about(invocation_id),
        }
        self._timeline.add(InvocationStarted(invocation_id=invocation_id, trigger=trigger, attempt=attempt, **place))
        started = time.perf_counter()
        try:
            result = self._run(function, event, invocation_id)
        except SandboxError as error:
            result = Result(error=str(error))
        self._timeline.add(
            InvocationEnded(
                invocation_id=invocation_id,
                attempt=attempt,
                duration_ms=(time.perf_counter() - started) * 1000,
                error=result.error,
                **place,
            )
        )
        return result
