"""What happened, in order: typed steps with times, and listeners that are called for each one.

Values only. Who causes a step is elsewhere; what a step means for a reader is in ``narration.py``.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that happened."""

    about: str = ""
    """Request id of the change that it belongs to; empty where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStep(Step):
    """A step in one account and region."""

    account: str
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCalled(AccountStep):
    """An AWS API call reached the endpoint and was answered."""

    service: str
    action: str
    caller: str
    """ARN of the identity."""
    function: str = ""
    """The product's function that made the call; empty for everybody else."""
    summary: str = ""
    """What it was about, e.g. a group id or a table and key."""
    duration_ms: float
    request_id: str = ""
    error: str = ""
    """AWS error code; empty when the call succeeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudTrailSent(AccountStep):
    """CloudTrail sent an event to EventBridge."""

    request_id: str
    action: str
    fate: Literal["delivered", "matched nothing", "lost"] = "delivered"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationStarted(AccountStep):
    """Lambda began to run a function."""

    invocation_id: str
    function: str
    trigger: str
    """What caused it: ``event``, ``topic`` or ``schedule``."""
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationEnded(AccountStep):
    """A function returned, or failed with ``error``."""

    invocation_id: str
    function: str
    attempt: int = 1
    duration_ms: float
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettered(AccountStep):
    """A message is out of retries and waits to be redriven."""

    function: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePublished(Step):
    """SNS took a message; ``deliveries`` is how many functions get it, counting repeated deliveries."""

    topic: str
    """ARN."""
    size_bytes: int
    deliveries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemWritten(AccountStep):
    """An item of one of the product's tables changed."""

    table: str
    key: str
    status: str
    """Attribute ``status`` of the item; empty where it has none, ``deleted`` when the item is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackPosted(Step):
    """A message appeared, was replaced, or was shown to one user only (ephemeral)."""

    channel: str
    ts: str
    text: str
    how: Literal["posted", "replaced", "ephemeral"]
    user: str = ""
    """Name of the user who sees an ephemeral message."""
    answers: str = ""
    """For an ephemeral message, ``ts`` of the message whose click it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackRefused(Step):
    """Slack answered with an error."""

    channel: str
    status: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackClicked(Step):
    """Somebody clicked a button, and Slack sent the click to the app."""

    user: str
    button: str
    channel: str
    ts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickAnswered(Step):
    """The app answered a click; ``status`` is 0 when it did not."""

    channel: str
    ts: str
    """The message that was clicked."""
    status: int
    duration_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultStruck(Step):
    """A fault that somebody switched on took effect."""

    fault: str
    detail: str


StepT = TypeVar("StepT", bound=Step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A step with its place: running number from 1, and milliseconds since the timeline began."""

    number: int
    ms: float
    at: float
    """Seconds since the epoch."""
    step: Step


Listener = Callable[[Entry], None]


@dataclass(slots=True)
class Timeline:
    """The list of entries; safe to use from any thread."""

    began: float = field(default_factory=time.time)
    _entries: list[Entry] = field(default_factory=list)
    _listeners: list[Listener] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def add(self, step: Step, *, at: float | None = None) -> Entry:
        """Append a step, now or as of an earlier moment, and call the listeners in order."""
        with self._lock:
            moment = time.time() if at is None else at
            ms = (moment - self.began) * 1000
            entry = Entry(number=len(self._entries) + 1, ms=ms, at=moment, step=step)
            self._entries.append(entry)
            for listener in list(self._listeners):
                listener(entry)
        return entry

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` for every entry from now on; the result ends that.

        Listeners run in the thread that added the step and must not block.
        """
        with self._lock:
            self._listeners.append(listener)

        def stop() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return stop

    def entries(self, *, after: int = 0) -> tuple[Entry, ...]:
        """Return the entries whose number is greater than ``after``."""
        with self._lock:
            return tuple(self._entries[after:])

    def of_type(self, kind: type[StepT], *, after: int = 0) -> tuple[StepT, ...]:
        """Return the steps of one type, e.g. ``timeline.of_type(SlackPosted)``."""
        return tuple(entry.step for entry in self.entries(after=after) if isinstance(entry.step, kind))

    @property
    def last_number(self) -> int:
        """Number of the newest entry; 0 when there is none."""
        with self._lock:
            return len(self._entries)
