"""The whole approve path, function by function, as SNS would carry it on; and what runs when nothing happens."""

from __future__ import annotations

import json
from typing import Final

from bench import events
from bench.measuring import WARM_UP, Row, common
from bench.names import SNAPSHOT, SWEEP
from bench.world import Story, World

IDLE_GROUPS: Final = 50
"""Groups of the region in which the quiet snapshot is measured."""


def measure(world: World, runs: int) -> Row:
    """Return the figures of each step, a group of its own each time, and of the two schedules.

    Args:
        world: everything around.
        runs: how often.
    """
    ids = world.groups(max(IDLE_GROUPS, WARM_UP + runs))
    with Story(world) as story:
        story.step(SNAPSHOT, events.scheduled())  # a group seen for the first time is not the usual case
        walks = [story.approve(ids[number]) for number in range(WARM_UP + runs)][WARM_UP:]
        sizes = world.endpoints.ask("largest_items")
        idle = {
            name: [story.step(name, events.scheduled()) for _ in range(WARM_UP + runs)][WARM_UP:]
            for name in (SNAPSHOT, SWEEP)
        }
        logs = {name: container.log() for name, container in story.containers.items()}
    return {
        "steps": {name: common([walk[name] for walk in walks]) for name in walks[0]},
        "idle": {name: common(some) for name, some in idle.items()},
        "metrics": {name: custom_metrics(log) for name, log in logs.items()},
        "item_bytes": sizes,
    }


def custom_metrics(log: str) -> list[str]:
    """Return the distinct metrics that a log emits; each is billed by itself.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    found = set()
    for line in log.splitlines():
        record = json.loads(line) if '"_aws"' in line else {}
        for directive in record.get("_aws", {}).get("CloudWatchMetrics", []):
            for names in directive["Dimensions"]:
                values = " ".join(f"{name}={record[name]}" for name in sorted(names) if name != "service")
                found |= {f"{metric['Name']} {values}".strip() for metric in directive["Metrics"]}
    return sorted(found)
