"""Switches for faults: Slack down, messages twice or late, functions killed, events lost.

Each switch is a plain attribute that the page and tests set; the code that obeys a switch records its effect on the
timeline.
"""

import threading
from dataclasses import dataclass, field
from typing import Literal

SlackFault = Literal["", "rate_limited", "server_error", "timeout"]


@dataclass(slots=True)
class Faults:
    """All switches; by default everything works."""

    slack: SlackFault = ""
    """How Slack answers webhooks and ``response_url``: 429 with Retry-After, 500, or not at all."""
    slack_one_message_per_second: bool = False
    """Hold each channel to Slack's limit of one message per second."""
    sns_copies: int = 1
    """How often SNS delivers each message; 2 is what at-least-once delivery means."""
    sns_delay_seconds: float = 0.0
    event_copies: int = 1
    """How often EventBridge delivers each event."""
    event_delay_seconds: float = 0.0
    events_to_lose: int = 0
    """How many of the next events CloudTrail loses; counts down."""
    kill_function: str = ""
    """Name of a function whose process dies in the middle of its next run; cleared after ``kill_runs`` runs."""
    kill_runs: int = 1
    """How many runs die; with 3 the first one and both retries do, and the event becomes a dead letter."""
    kill_after_calls: int = 1
    """The process dies when this many of its AWS calls have taken effect, before it gets the last answer."""
    _calls: int = field(default=0, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def loses_event(self) -> bool:
        """Say whether CloudTrail loses the event at hand, and count it."""
        with self._lock:
            if self.events_to_lose <= 0:
                return False
            self.events_to_lose -= 1
            return True

    def kills(self, function: str) -> bool:
        """Say whether a function dies now that one more of its AWS calls took effect, and count the call."""
        with self._lock:
            if not function or function != self.kill_function:
                return False
            self._calls += 1
            if self._calls < self.kill_after_calls:
                return False
            self._calls = 0
            self.kill_runs -= 1
            if self.kill_runs <= 0:
                self.kill_function, self.kill_runs, self.kill_after_calls = "", 1, 1
            return True

    def clear(self) -> None:
        """Make everything work again."""
        with self._lock:
            self.slack, self.slack_one_message_per_second = "", False
            self.sns_copies, self.sns_delay_seconds = 1, 0.0
            self.event_copies, self.event_delay_seconds, self.events_to_lose = 1, 0.0, 0
            self.kill_function, self.kill_runs, self.kill_after_calls, self._calls = "", 1, 1, 0
