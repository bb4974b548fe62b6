"""What is read off one invocation, and how many of them become one figure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.container import Answer, Container
from bench.servers import Call, FarSide

SLACK = "slack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One invocation and the calls it made."""

    answer: Answer
    calls: Sequence[Call]

    @property
    def ms(self) -> float:
        """The handler's duration, had AWS and Slack answered exactly on time: what a stand-in was late is taken off."""
        return self.answer.ms - sum(call.late_ms for call in self.calls)

    @property
    def own_ms(self) -> float:
        """What the function itself took: its duration without the time its calls were away."""
        return self.answer.ms - sum(1000 * (call.answered - call.arrived) for call in self.calls)

    @property
    def slack_ms(self) -> float:
        """How long Slack took, on time."""
        return sum(1000 * (call.answered - call.arrived) - call.late_ms for call in self.calls if call.service == SLACK)

    @property
    def billed_ms(self) -> int:
        """What Lambda bills: whole milliseconds."""
        return math.ceil(self.ms)

    def arrival(self, operation: str, since: float) -> float:
        """Return the time in ms from a moment until the first request of an operation arrived."""
        return 1000 * (self._first(operation).arrived - since)

    def calls_before(self, operation: str) -> int:
        """Return how many calls came before the first of an operation."""
        return [call.operation for call in self.calls].index(operation)

    @property
    def operations(self) -> list[str]:
        """The calls to AWS in their order."""
        return [call.operation for call in self.calls if call.service != SLACK]

    @property
    def posts(self) -> int:
        """The posts to Slack."""
        return sum(call.service == SLACK for call in self.calls)

    def _first(self, operation: str) -> Call:
        return next(call for call in self.calls if call.operation == operation)


def invoke(container: Container, event: Any, far: FarSide) -> Measured:
    """Invoke a warm function and collect its calls."""
    far.take()
    answer = container.invoke(event)
    return Measured(answer=answer, calls=far.take())


def summary(values: Iterable[float]) -> dict[str, float]:
    """Return how many there are, their median, and where nine of ten and all of them lie."""
    ordered = sorted(values)
    return {
        "n": len(ordered),
        "median": round(statistics.median(ordered), 2),
        "p90": round(ordered[math.ceil(0.9 * len(ordered)) - 1], 2),
        "min": round(ordered[0], 2),
        "max": round(ordered[-1], 2),
    }


def ratio(product: dict[str, float], floor: dict[str, float]) -> float:
    """Return how many times the floor a median is."""
    return round(product["median"] / floor["median"], 2)


def the_only(lists: Iterable[Sequence[str]]) -> list[str]:
    """Return what all runs have in common, since counts of calls do not vary; their order may.

    Raises:
        ValueError: when they do: then no figure of the flow means anything.
    """
    some = [list(one) for one in lists]
    distinct = {tuple(sorted(one)) for one in some}
    if len(distinct) != 1:
        raise ValueError(f"the runs of one flow made different calls: {sorted(distinct)}")
    return some[0]
