"""How figures grow: rules of one change, rules of a group, groups of a region, requests of the table.

All of it against the far side's memory: moto allows sixty rules in a group and takes seconds for a thousand groups.
"""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final

from bench import events
from bench.container import Container
from bench.measuring import Measured, invoke, summary, the_only
from bench.warm import REVOKE
from bench.world import World, example_record
from central.chalicelib.requests.items import record_to_item
from central.chalicelib.requests.record import Record
from shared.aws.attributes import to_attributes
from shared.slack.messages import question
from shared.wire.messages import RequestMessage, read_message

RULES: Final = (1, 10, 60, 1000)
BASELINES: Final = (0, 10, 100, 1000)
REGIONS: Final = (10, 100, 500, 2000)
TABLES: Final = (100, 10_000, 100_000)
_RULES_PER_GROUP: Final = 5
_DRIFTED: Final = 10
_DAYS: Final = 365
_WARM_UP: Final = 2

Row = dict[str, Any]
_PORTS: Final = itertools.count(1024)


def measure(world: World, runs: int) -> dict[str, Any]:
    """Return how flows grow.

    Args:
        world: everything around.
        runs: invocations of each size.
    """
    grown = {
        "rules": rules(world, runs),
        "baseline": baselines(world, runs),
        "groups": snapshots(world),
        "requests": tables(world, runs),
    }
    world.memory.tell("forget")
    return grown


def rules(world: World, runs: int) -> dict[str, Row]:
    """Return reverts of one call that added so many rules."""
    rows = {}
    with _revert(world) as container:
        for number in RULES:
            group_id = f"sg-rules{number}"
            world.memory.tell("groups", ids=[group_id])
            some = [invoke(container, opened(world, group_id, number), world.memory) for _ in range(_WARM_UP + runs)]
            rows[str(number)] = _revert_row(some[_WARM_UP:]) | _messages(some[-1])
    return rows


def baselines(world: World, runs: int) -> dict[str, Row]:
    """Return reverts of one rule in a group that has so many approved ones."""
    rows = {}
    groups = {number: f"sg-baseline{number}" for number in BASELINES}
    world.memory.tell("groups", ids=list(groups.values()))
    for number, group_id in groups.items():
        world.memory.tell("rules", group=group_id, cidrs=_cidrs(number), port=443)
    _snapshot(world)
    with _revert(world) as container:
        for number, group_id in groups.items():
            some = [invoke(container, opened(world, group_id, 1), world.memory) for _ in range(_WARM_UP + runs)]
            rows[str(number)] = _revert_row(some[_WARM_UP:])
    return rows


def snapshots(world: World) -> dict[str, Row]:
    """Return snapshots of so many groups: the first one, a quiet one, and one that finds ten groups changed."""
    rows = {}
    for number in REGIONS:
        world.memory.tell("forget")
        ids = [f"sg-{index:017x}" for index in range(number)]
        world.memory.tell("groups", ids=ids)
        for group_id in ids:
            world.memory.tell("rules", group=group_id, cidrs=_cidrs(_RULES_PER_GROUP), port=443)
        with _container(world, "snapshotSecurityGroups") as container:
            first, quiet = (invoke(container, events.scheduled(), world.memory) for _ in range(2))
            for group_id in ids[:_DRIFTED]:
                world.memory.tell("rules", group=group_id, cidrs=["0.0.0.0/0"], port=22)
            changed = invoke(container, events.scheduled(), world.memory)
        rows[str(number)] = {
            name: _snapshot_row(one) for name, one in (("first", first), ("quiet", quiet), ("changed", changed))
        }
    return rows


def tables(world: World, runs: int) -> dict[str, Row]:
    """Return sweeps of a table with so many ended requests, spread over a year."""
    template = record_to_item(example_record("x")) | {"status": "applied", "tasks": {}}
    rows = {}
    for number in TABLES:
        world.memory.tell("requests", number=number, template=to_attributes(template), days=_DAYS)
        with _container(world, "sweepRequests") as container:
            some = [invoke(container, events.scheduled(), world.memory) for _ in range(1 + runs)][1:]
        rows[str(number)] = {
            "ms": summary(one.ms for one in some),
            "calls": dict(Counter(the_only(one.operations for one in some))),
        }
    return rows


def opened(world: World, group_id: str, number: int) -> Any:
    """Open a new port of a group to so many addresses, and return the event."""
    port = next(_PORTS)
    cidrs = _cidrs(number)
    ids = world.memory.tell("rules", group=group_id, cidrs=cidrs, port=port)
    common = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "Description": "bench"}
    rules = [
        {"SecurityGroupRuleId": rule_id, "CidrIpv4": cidr, **common} for rule_id, cidr in zip(ids, cidrs, strict=True)
    ]
    return events.opened(group_id, rules)


def _container(world: World, name: str) -> Container:
    return world.start(world.shipped.functions[name], world.environment(far=world.memory))


def _revert(world: World) -> Container:
    return _container(world, "revertSecurityGroup")


def _snapshot(world: World) -> None:
    with _container(world, "snapshotSecurityGroups") as container:
        invoke(container, events.scheduled(), world.memory)


def _revert_row(some: list[Measured]) -> Row:
    return {
        "request": summary(one.arrival(REVOKE, one.answer.begun) for one in some),
        "own_ms": summary(one.own_ms for one in some),
        "cpu_ms": summary(one.answer.cpu_ms for one in some),
        "calls": dict(Counter(the_only(one.operations for one in some))),
        "calls_before": max(one.calls_before(REVOKE) for one in some),
        "peak_mb": round(max(one.answer.peak_kb for one in some) / 1024, 1),
        "log_bytes": summary(one.answer.log_bytes for one in some),
    }


def _messages(measured: Measured) -> Row:
    """Say how large what was published is, and how many messages the approvers see."""
    published = [call for call in measured.calls if call.operation == "Publish"]
    parts = 0
    for call in published:
        message = read_message(call.parameters["Message"])
        assert isinstance(message, RequestMessage)
        now = datetime.now(UTC)
        record = Record(request=message.request, status=message.request.status, requested_at=now, history=())
        parts += len(question(record.view))
    return {
        "published": len(published),
        "published_bytes": sum(len(call.parameters["Message"]) for call in published),
        "slack_messages": parts,
    }


def _snapshot_row(measured: Measured) -> Row:
    return {
        "ms": round(measured.ms, 1),
        "own_ms": round(measured.own_ms, 1),
        "calls": dict(Counter(measured.operations)),
        "peak_mb": round(measured.answer.peak_kb / 1024, 1),
    }


def _cidrs(number: int) -> list[str]:
    return [f"10.{index // 250}.{index % 250}.0/24" for index in range(number)]
