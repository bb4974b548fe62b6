"""What happened, in order: typed events with times, and listeners that hear of each as it happens.

The demo prints from it, tests ask it, the page draws it. It holds values only; who causes what is elsewhere.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCalled:
    """An AWS API call reached the endpoint and was answered."""

    service: str
    action: str
    account: str
    region: str
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
    about: str = ""
    """Request id of the change that it belongs to, where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudTrailSent:
    """CloudTrail sent an event to EventBridge; ``fate`` says what became of it there."""

    event_id: str
    request_id: str
    action: str
    account: str
    region: str
    caller: str
    group: str
    """Id or name of the security group, as far as the event says."""
    error: str = ""
    fate: Literal["delivered", "matched nothing", "lost"] = "delivered"
    about: str = ""
    """Request id of the change that it belongs to, where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationStarted:
    """Lambda began to run a function."""

    invocation_id: str
    function: str
    account: str
    region: str
    trigger: str
    """What caused it: ``event``, ``topic``, ``schedule`` or ``click``."""
    attempt: int = 1
    about: str = ""
    """Request id of the change that it belongs to, where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationEnded:
    """A function returned, or failed with ``error``."""

    invocation_id: str
    function: str
    account: str
    region: str
    attempt: int = 1
    duration_ms: float
    error: str = ""
    about: str = ""
    """Request id of the change that it belongs to, where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettered:
    """A message is out of retries and waits to be redriven."""

    function: str
    account: str
    region: str
    error: str
    about: str = ""
    """Request id of the change that it belongs to, where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePublished:
    """SNS took a message; ``deliveries`` is how many functions get it, counting repeated deliveries."""

    topic: str
    """ARN."""
    caller: str
    message_id: str
    subject: str
    size_bytes: int
    deliveries: int
    about: str = ""
    """Request id of the change that it belongs to, where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemWritten:
    """An item of one of the product's tables changed."""

    table: str
    account: str
    region: str
    key: str
    status: str
    """Attribute ``status`` of the item; empty where it has none, ``deleted`` when the item is gone."""
    about: str = ""
    """Request id of the change that it belongs to, where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackPosted:
    """A message appeared, was replaced, or was whispered to one user."""

    channel: str
    ts: str
    text: str
    how: Literal["posted", "replaced", "whispered"]
    user: str = ""
    """Name of the one whom it was whispered to."""
    answers: str = ""
    """For a note, ``ts`` of the message whose click it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackRefused:
    """Slack answered with an error."""

    channel: str
    status: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackClicked:
    """Somebody clicked a button, and Slack sent the click to the app."""

    user: str
    button: str
    channel: str
    ts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickAnswered:
    """The app answered a click; ``status`` is 0 when it did not."""

    channel: str
    ts: str
    """The message that was clicked."""
    status: int
    duration_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultStruck:
    """A fault that somebody switched on took effect."""

    fault: str
    detail: str
    about: str = ""
    """Request id of the change that it belongs to, where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryTold:
    """A remark of whoever drives the sandbox, such as the headings of the demo."""

    text: str


Event = (
    ApiCalled
    | CloudTrailSent
    | InvocationStarted
    | InvocationEnded
    | DeadLettered
    | MessagePublished
    | ItemWritten
    | SlackPosted
    | SlackRefused
    | SlackClicked
    | ClickAnswered
    | FaultStruck
    | StoryTold
)
EventT = TypeVar("EventT", bound=Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event with its place: running number from 1, and milliseconds since the timeline began."""

    number: int
    ms: float
    at: float
    """Seconds since the epoch."""
    event: Event


Listener = Callable[[Entry], None]


@dataclass(slots=True)
class Timeline:
    """The list of entries; safe to use from any thread."""

    began: float = field(default_factory=time.time)
    _entries: list[Entry] = field(default_factory=list)
    _listeners: list[Listener] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def add(self, event: Event, *, at: float | None = None) -> Entry:
        """Append an event, now or as of an earlier moment, and tell the listeners in order."""
        with self._lock:
            moment = time.time() if at is None else at
            ms = (moment - self.began) * 1000
            entry = Entry(number=len(self._entries) + 1, ms=ms, at=moment, event=event)
            self._entries.append(entry)
            for listener in list(self._listeners):
                listener(entry)
        return entry

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` for every entry from now on; the result ends that.

        Listeners run in the thread that added the event and must not block.
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

    def of_type(self, kind: type[EventT], *, after: int = 0) -> tuple[EventT, ...]:
        """Return the events of one type, e.g. ``timeline.of_type(SlackPosted)``."""
        return tuple(entry.event for entry in self.entries(after=after) if isinstance(entry.event, kind))

    @property
    def last_number(self) -> int:
        """Number of the newest entry; 0 when there is none."""
        with self._lock:
            return len(self._entries)
