"""What is read off one invocation, and how many of them become one figure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from bench.container import Answer, Container
from bench.fake_endpoints.calls import SLACK, Call
from bench.fake_endpoints.client import FakeEndpoints

REVOKE: Final = "RevokeSecurityGroupIngress"
WARM_UP: Final = 3
"""First invocations of a container, which do not count."""

Figure = TypeVar("Figure")
Row = dict[str, Any]
"""Figures by name, as they stand in the results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One invocation and the calls it made."""

    answer: Answer
    calls: Sequence[Call]

    @property
    def ms(self) -> float:
        """The handler's duration, had AWS and Slack answered exactly on time: what moto was late is subtracted."""
        return self.answer.ms - sum(call.late_ms for call in self.calls)

    @property
    def own_ms(self) -> float:
        """What the function itself took: its duration without the time of its calls."""
        return self.answer.ms - sum(1000 * (call.answered - call.arrived) for call in self.calls)

    @property
    def request_ms(self) -> float:
        """The time until its first revert request arrived."""
        return 1000 * (next(call for call in self.calls if call.operation == REVOKE).arrived - self.answer.begun)

    @property
    def calls_before(self) -> int:
        """How many calls it made before its first revert request."""
        return [call.operation for call in self.calls].index(REVOKE)

    @property
    def operations(self) -> list[str]:
        """The calls to AWS in their order."""
        return [call.operation for call in self.calls if call.service != SLACK]

    @property
    def posts(self) -> list[Call]:
        """The posts to Slack."""
        return [call for call in self.calls if call.service == SLACK]


def invoke(container: Container, event: Any, endpoints: FakeEndpoints) -> Measured:
    """Invoke a warm function and collect its calls."""
    endpoints.take()
    answer = container.invoke(event)
    return Measured(answer=answer, calls=endpoints.take())


def common(runs: Sequence[Measured]) -> Row:
    """Return the figures that every flow has."""
    return {
        "ms": summary(one.ms for one in runs),
        "own_ms": summary(one.own_ms for one in runs),
        "cpu_ms": summary(one.answer.cpu_ms for one in runs),
        "calls": the_only(Counter(one.operations) for one in runs),
        "log_bytes": summary(one.answer.log_bytes for one in runs),
        "posts": the_only(len(one.posts) for one in runs),
        "peak_mb": round(max(one.answer.peak_kb for one in runs) / 1024, 1),
    }


def reverts(runs: Sequence[Measured], floors: Sequence[Measured]) -> Row:
    """Return the figures of reverts and their floor."""
    request, floor = summary(one.request_ms for one in runs), summary(one.request_ms for one in floors)
    before = max(one.calls_before for one in runs)
    return {"request": request, "floor": floor, "ratio": ratio(request, floor), "calls_before": before, **common(runs)}


def summary(values: Iterable[float]) -> dict[str, float]:
    """Return the median, and the largest value."""
    some = list(values)
    return {"median": round(statistics.median(some), 2), "max": round(max(some), 2)}


def ratio(product: Mapping[str, float], floor: Mapping[str, float]) -> float:
    """Return how many times the floor a median is."""
    return round(product["median"] / floor["median"], 2)


def the_only(values: Iterable[Figure]) -> Figure:
    """Return what all runs have in common, since counts of calls do not vary.

    Raises:
        ValueError: when they do: then no figure of the flow means anything.
    """
    first, *others = values
    different = [other for other in others if other != first]
    if different:
        raise ValueError(f"the runs of one flow differ: {first} and {different[0]}")
    return first
