"""How figures grow: rules of one change, rules of a group, groups of a region, requests of the table."""

from __future__ import annotations

import math
from typing import Final

from bench import events
from bench.container import Container
from bench.measuring import WARM_UP, Measured, Row, common, invoke, reverts
from bench.names import REVERT, SNAPSHOT, SWEEP
from bench.world import Story, World, cidrs

RULES: Final = (1, 10, 60, 200, 1000)
APPROVED: Final = (0, 10, 100, 1000)
GROUPS: Final = (10, 100, 500, 2000)
REQUESTS: Final = (100, 10_000, 100_000)
_RULES_PER_GROUP: Final = 5
_CHANGED: Final = 10
_DAYS: Final = 365


def measure(world: World, runs: int) -> Row:
    """Return how flows grow.

    Args:
        world: everything around.
        runs: invocations of each size; where it is one, the region with the most groups is left out.
    """
    largest = GROUPS[-1] if runs > 1 else GROUPS[-2]
    return {
        "rules": _rules(world, runs),
        "approved": _approved(world, runs),
        "groups": {str(number): _snapshots(world, number) for number in GROUPS if number <= largest},
        "requests": _sweeps(world, runs),
    }


def _rules(world: World, runs: int) -> Row:
    """Return reverts of one call that added so many rules."""
    with world.start(REVERT) as product, world.start(world.shipped.floors["revert"]) as floor:
        return {str(number): _reverts(world, product, floor, world.groups(1)[0], number, runs) for number in RULES}


def _approved(world: World, runs: int) -> Row:
    """Return reverts of one rule in a group that has so many approved ones."""
    ids = {number: world.groups(1, cidrs=cidrs(number))[0] for number in APPROVED}
    with world.start(SNAPSHOT) as snapshot:
        snapshot.invoke(events.scheduled())
    with world.start(REVERT) as product, world.start(world.shipped.floors["revert"]) as floor:
        return {str(number): _reverts(world, product, floor, group_id, 1, runs) for number, group_id in ids.items()}


def _reverts(world: World, product: Container, floor: Container, group_id: str, number: int, runs: int) -> Row:
    some, floors = list[Measured](), list[Measured]()
    for _ in range(WARM_UP + runs):
        some.append(invoke(product, world.open(group_id, cidrs=cidrs(number)).event, world.endpoints))
        floors.append(invoke(floor, world.open(group_id, cidrs=cidrs(number)).bare, world.endpoints))
    published = max(len(call.message) for call in some[-1].calls if call.operation == "Publish")
    return {**reverts(some[WARM_UP:], floors[WARM_UP:]), "published_bytes": published}


def _snapshots(world: World, number: int) -> Row:
    """Return snapshots of so many groups: the first one, a quiet one, and one that finds ten groups changed."""
    world.forget()
    ids = world.groups(number, cidrs=cidrs(_RULES_PER_GROUP))
    with Story(world) as story:
        first, quiet = (story.step(SNAPSHOT, events.scheduled()) for _ in range(2))
        world.endpoints.ask("add_rules", group_ids=ids[:_CHANGED], cidrs=["0.0.0.0/0"], port=22)
        changed = story.step(SNAPSHOT, events.scheduled())
    rules = number * (_RULES_PER_GROUP + 1)  # with the outbound rule that each group has
    # EC2 has pages of a thousand, DynamoDB of a hundred.
    fewest = math.ceil(number / 1000) + math.ceil(rules / 1000) + math.ceil(number / 100)
    return {"first": common([first]), "quiet": common([quiet]), "changed": common([changed]), "fewest_calls": fewest}


def _sweeps(world: World, runs: int) -> Row:
    """Return sweeps of a table with so many ended requests, spread over a year."""
    world.forget()
    rows = {}
    with Story(world) as story:
        with world.endpoints.without_latency():
            story.approve(*world.groups(1))
        for number in REQUESTS:
            world.endpoints.ask("fill_requests", number=number, days=_DAYS)
            rows[str(number)] = common([story.step(SWEEP, events.scheduled()) for _ in range(1 + runs)][1:])
    return rows
