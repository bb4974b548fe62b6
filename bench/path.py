"""The whole approve path, function by function, as SNS would carry it on; and what runs when nothing happens."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any, Final

from bench import events
from bench.container import Container
from bench.measuring import Measured, invoke, summary, the_only
from bench.shipped import BUTTON_CLICK
from bench.world import Groups, World
from central.chalicelib.requests.table import TABLE as REQUESTS
from member.chalicelib.state.items import group_key, request_key
from member.chalicelib.state.table import TABLE as STATE
from shared.aws.attributes import from_attributes
from shared.domain.request import Request
from shared.wire.messages import RequestMessage, read_message

STEPS: Final = (
    ("revertSecurityGroup", "revertSecurityGroup"),
    ("securityGroupChange: question", "securityGroupChange"),
    ("buttonClick", BUTTON_CLICK),
    ("applySecurityGroupChange", "applySecurityGroupChange"),
    ("securityGroupChange: result", "securityGroupChange"),
)
"""The steps and their functions."""
Walk = tuple[dict[str, Measured], Request]
"""Each step, and the request it was about."""

_IDLE: Final = ("snapshotSecurityGroups", "sweepRequests")
IDLE_GROUPS: Final = 50
"""Groups of the region in which the quiet snapshot is measured."""


def measure(world: World, runs: int) -> dict[str, Any]:
    """Walk the path with warm functions, a group of its own each time.

    Args:
        world: everything around.
        runs: how often.
    """
    groups = Groups(world)
    warm_up = 2
    ids = groups.make(max(IDLE_GROUPS, runs + warm_up))
    with ExitStack() as stack:
        names = {function for _, function in STEPS} | set(_IDLE)
        containers = {name: stack.enter_context(world.start(world.shipped.functions[name])) for name in sorted(names)}
        # The snapshot learns the groups: what a group seen for the first time costs is not the usual case.
        invoke(containers["snapshotSecurityGroups"], events.scheduled(), world.far)
        done = [_walk(world, containers, groups, ids[number]) for number in range(warm_up + runs)][warm_up:]
        metrics = {name: custom_metrics(container.whole_log()) for name, container in containers.items()}
        idle = {name: [_idle(world, containers[name]) for _ in range(warm_up + runs)][warm_up:] for name in _IDLE}
    walks, requests = [walk for walk, _ in done], [request for _, request in done]
    return {
        "steps": {name: _row([walk[name] for walk in walks]) for name, _ in STEPS},
        "idle": {name: _row(some) for name, some in idle.items()},
        "whole_ms": summary(sum(one.ms for one in walk.values()) for walk in walks),
        "metrics": metrics,
        "item_bytes": _item_bytes(world, requests[-1]),
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


def _item_bytes(world: World, request: Request) -> dict[str, int]:
    """Return how large the items of a request are in the end, nearly as DynamoDB counts them.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    dynamodb = world.client("dynamodb")
    keys = {
        "request": (REQUESTS, {"requestId": {"S": request.request_id}}),
        "ledger": (STATE, {"id": {"S": request_key(request.request_id)}}),
        "baseline": (STATE, {"id": {"S": group_key(request.region, request.group_id)}}),
    }
    items = {name: dynamodb.get_item(TableName=table, Key=key)["Item"] for name, (table, key) in keys.items()}
    return {name: len(json.dumps(from_attributes(item), default=str)) for name, item in items.items()}


def _walk(world: World, containers: dict[str, Container], groups: Groups, group_id: str) -> Walk:
    def step(name: str, event: Any) -> Measured:
        found[name] = invoke(containers[dict(STEPS)[name]], event, world.far)
        return found[name]

    found: dict[str, Measured] = {}
    filed = _published(step("revertSecurityGroup", groups.open(group_id)))
    message = read_message(filed)
    assert isinstance(message, RequestMessage)
    request = message.request
    step("securityGroupChange: question", events.delivered("securityGroupChange", filed))
    click = events.clicked(request.request_id, request.digest, f"{world.far.url}/slack/response")
    approved = _published(step("buttonClick", click))
    applied = _published(step("applySecurityGroupChange", events.delivered("applySecurityGroupChange", approved)))
    step("securityGroupChange: result", events.delivered("securityGroupChange", applied))
    return found, request


def _idle(world: World, container: Container) -> Measured:
    return invoke(container, events.scheduled(), world.far)


def _published(measured: Measured) -> str:
    """Return the one message that an invocation published."""
    (message,) = [call.parameters["Message"] for call in measured.calls if call.operation == "Publish"]
    return message


def _row(some: list[Measured]) -> dict[str, Any]:
    return {
        "billed_ms": summary(one.billed_ms for one in some),
        "cpu_ms": summary(one.answer.cpu_ms for one in some),
        "calls": the_only(one.operations for one in some),
        "posts": max(one.posts for one in some),
        "log_bytes": summary(one.answer.log_bytes for one in some),
        "peak_mb": round(max(one.answer.peak_kb for one in some) / 1024, 1),
    }
