"""Many events at once: in Lambda each would have a container; here eight processes with threads stand for them.

Two questions: does an event cost more when others are at work, and what happens when EC2 throttles.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from bench.container import Answer, Container, Function
from bench.events import Json, scheduled
from bench.fake_endpoints.calls import Call
from bench.measuring import REVOKE, Row, summary
from bench.names import REVERT, SNAPSHOT
from bench.world import Opened, World

SIZES: Final = (1, 10, 100, 1000)
LIMITS: Final = {REVOKE: (50.0, 5.0), "DescribeSecurityGroupRules": (100.0, 20.0)}
"""Requests EC2 takes at once, and per second, of these operations.

https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
"""
THROTTLED: Final = 100
_PROCESSES: Final = 8
_GROUPS: Final = 200
"""moto takes a millisecond for each rule that it lists."""
_DELIVERIES: Final = 3
PAUSE_SECONDS: Final = 10
"""Between two deliveries; Lambda waits one minute and two."""


def measure(world: World, largest: int) -> Row:
    """Return what bursts of events cost, and what happens to a throttled one.

    Args:
        world: everything around.
        largest: no larger bursts than this.
    """
    ids = world.groups(_GROUPS)
    sizes = [number for number in SIZES if number <= largest]
    with ExitStack() as stack:
        floors = _containers(world, stack, world.shipped.floors["revert"])
        products = _containers(world, stack, world.shipped.functions[REVERT])
        with world.start(SNAPSHOT) as snapshot:
            snapshot.invoke(scheduled())  # so that no group is new
        for container in products:
            container.invoke(world.open(ids[0]).event)
        rows = {}
        for number in sizes:
            row = _burst(world, products, [one.event for one in _opened(world, ids, number)])
            rows[str(number)] = {
                **row,
                "floor": _burst(world, floors, [one.bare for one in _opened(world, ids, number)]),
            }
        waiting = [one.event for one in _opened(world, ids, min(THROTTLED, largest))]
        return {"bursts": rows, "throttled": _throttled(world, products, waiting)}


def _containers(world: World, stack: ExitStack, function: Function) -> list[Container]:
    return [stack.enter_context(world.start(function, pinned=False)) for _ in range(_PROCESSES)]


def _opened(world: World, ids: Sequence[str], number: int) -> list[Opened]:
    return [world.open(ids[index % _GROUPS]) for index in range(number)]


def _burst(world: World, containers: Sequence[Container], waiting: Sequence[Json]) -> Row:
    world.endpoints.take()
    answers = _deliver(containers, waiting)
    calls = world.endpoints.take()
    begun = min(answer.begun for answer in answers)
    return {
        "ms": round(1000 * (max(answer.ended for answer in answers) - begun)),
        "request": summary(1000 * (call.arrived - begun) for call in calls if call.operation == REVOKE),
        "cpu_ms_per_event": round(sum(answer.cpu_ms for answer in answers) / len(waiting), 1),
        "calls_per_event": round(len(calls) / len(waiting), 2),
        "failed": sum(bool(answer.error) for answer in answers),
    }


def _throttled(world: World, containers: Sequence[Container], waiting: Sequence[Json]) -> Row:
    """Deliver a burst while EC2 takes no more than it does of one account; what fails is delivered again."""
    number, left = len(waiting), list(waiting)
    world.endpoints.take()
    world.endpoints.ask("limits", **LIMITS)
    begun, calls, done = time.monotonic(), list[Call](), list[int]()
    while left and len(done) < _DELIVERIES:
        if done:
            time.sleep(PAUSE_SECONDS)
        answers = _deliver(containers, left)
        failed = [event for event, answer in zip(left, answers, strict=True) if answer.error]
        done.append(len(left) - len(failed))
        left = failed
        calls += world.endpoints.take()
    world.endpoints.ask("limits")
    closed = [call.arrived for call in calls if call.operation == REVOKE and call.status == 200]
    at_once, per_second = LIMITS[REVOKE]
    return {
        "events": number,
        "done_by_delivery": done,
        "left": len(left),
        "revokes": sum(call.operation == REVOKE for call in calls),
        "refused": sum(call.status == 503 for call in calls),
        "seconds": round(max(closed) - begun, 1),
        "least_seconds": round(max(0.0, (number - at_once) / per_second), 1),
    }


def _deliver(containers: Sequence[Container], waiting: Sequence[Json]) -> list[Answer]:
    """Deliver all at once; return their answers in the same order."""
    size = math.ceil(len(waiting) / len(containers))
    parts = [waiting[begin : begin + size] for begin in range(0, len(waiting), size)]
    busy = containers[: len(parts)]
    for container, part in zip(busy, parts, strict=True):
        container.send(part)
    return [answer for container in busy for answer in container.receive()]
