"""Many events at once: in Lambda each would have a container; here eight processes with threads stand for them.

Two questions: does an event cost more calls when others are at work, and what happens when EC2 has had enough.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from contextlib import ExitStack
from typing import Any, Final

from bench.container import Answer, Container
from bench.growth import opened
from bench.measuring import summary
from bench.servers import Call
from bench.warm import REVOKE
from bench.world import World

CROWDS: Final = (1, 10, 100, 1000)
LIMITS: Final = {REVOKE: (50.0, 5.0), "DescribeSecurityGroupRules": (100.0, 20.0)}
"""Requests EC2 takes at once, and per second, of these operations.

https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
"""
THROTTLED: Final = 100
_PROCESSES: Final = 8
_GROUPS: Final = 20
_DELIVERIES: Final = 3
PAUSE_SECONDS: Final = 10
"""Between two deliveries; Lambda waits one minute and two."""


def measure(world: World, largest: int) -> dict[str, Any]:
    """Return what crowds of events cost, and what a throttled crowd does.

    Args:
        world: everything around.
        largest: no larger crowds than this.
    """
    ids = [f"sg-crowd{index}" for index in range(_GROUPS)]
    world.memory.tell("groups", ids=ids)
    environment = world.environment(far=world.memory)
    function = world.shipped.functions["revertSecurityGroup"]
    with ExitStack() as stack:
        some = [stack.enter_context(Container(function, environment)) for _ in range(_PROCESSES)]
        for container in some:
            container.invoke(opened(world, ids[0], 1))
        for group_id in ids:  # so that none is new
            some[0].invoke(opened(world, group_id, 1))
        crowds = {str(number): _crowd(world, some, ids, number) for number in CROWDS if number <= largest}
        throttled = _throttled(world, some, ids, min(THROTTLED, largest))
    world.memory.tell("forget")
    return {"crowds": crowds, "throttled": throttled}


def _crowd(world: World, some: list[Container], ids: list[str], number: int) -> dict[str, Any]:
    waiting = [opened(world, ids[index % _GROUPS], 1) for index in range(number)]
    world.memory.take()
    answers, cpu_ms = _deliver(some, waiting)
    calls = world.memory.take()
    begun = min(answer.begun for answer in answers)
    arrivals = [1000 * (call.arrived - begun) for call in calls if call.operation == REVOKE]
    return {
        "all_ms": round(1000 * (max(answer.ended for answer in answers) - begun)),
        "request": summary(arrivals),
        "cpu_ms_per_event": round(cpu_ms / number, 1),
        "calls_per_event": round(len(calls) / number, 2),
        "calls": dict(Counter(call.operation for call in calls)),
        "failed": sum(bool(answer.error) for answer in answers),
    }


def _throttled(world: World, some: list[Container], ids: list[str], number: int) -> dict[str, Any]:
    """Deliver a crowd while EC2 takes no more than it does of one account; what fails is delivered again."""
    left = [opened(world, ids[index % _GROUPS], 1) for index in range(number)]
    world.memory.take()
    world.memory.tell("limits", **LIMITS)
    begun, deliveries, calls, done = time.monotonic(), 0, list[Call](), list[int]()
    while left and deliveries < _DELIVERIES:
        if deliveries:
            time.sleep(PAUSE_SECONDS)
        deliveries += 1
        answers, _ = _deliver(some, left)
        failed = {index for index, answer in enumerate(answers) if answer.error}
        calls += world.memory.take()
        done.append(len(left) - len(failed))
        left = [event for index, event in enumerate(left) if index in failed]
    world.memory.tell("limits")
    refused = [call for call in calls if call.status == 503]
    closed = [call.arrived for call in calls if call.operation == REVOKE and call.status == 200]
    return {
        "events": number,
        "done_by_delivery": done,
        "left": len(left),
        "revokes_sent": sum(call.operation == REVOKE for call in calls),
        "refused": len(refused),
        "calls_per_event": round(len(calls) / number, 2),
        "all_closed_seconds": round(max(closed) - begun, 1),
        "least_possible_seconds": round(max(0.0, (number - LIMITS[REVOKE][0]) / LIMITS[REVOKE][1]), 1),
    }


def _deliver(some: list[Container], waiting: list[Any]) -> tuple[list[Answer], float]:
    """Deliver all at once; return their answers in the same order, and the processor time in ms."""
    share = math.ceil(len(waiting) / len(some))
    parts = [waiting[begin : begin + share] for begin in range(0, len(waiting), share)]
    for container, part in zip(some, parts, strict=False):
        container.send_at_once(part)
    answers: list[Answer] = []
    cpu_ms = 0.0
    for container, _ in zip(some, parts, strict=False):
        own, own_cpu_ms = container.answers_at_once()
        answers += own
        cpu_ms += own_cpu_ms
    return answers, cpu_ms
