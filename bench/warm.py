"""Warm flows: a container that has seen a few events, and its floor, invoked in turn."""

from __future__ import annotations

from typing import Final

from bench.events import bare_click
from bench.fake_endpoints.calls import SLACK
from bench.fake_endpoints.client import LATENCY_MS
from bench.measuring import WARM_UP, Row, common, invoke, ratio, reverts, summary
from bench.names import CLICK, REVERT
from bench.world import Story, World

CASES: Final = {"one rule": 0, "one group reference": 1, "60 group references": 60}
"""Reverts by name, with the groups that the opened port refers to; 0 is a CIDR block."""


def measure(world: World, runs: int) -> Row:
    """Return the figures of reverts and clicks.

    Args:
        world: everything around.
        runs: measured invocations of each.
    """
    return {"reverts": {name: _revert(world, runs, number) for name, number in CASES.items()}, **_click(world, runs)}


def _revert(world: World, runs: int, references: int) -> Row:
    group_id, *others = world.groups(1 + references)
    with world.start(REVERT) as product, world.start(world.shipped.floors["revert"]) as floor:
        pairs = []
        for _ in range(WARM_UP + runs):  # in turn, so that both see the same machine
            measured = invoke(product, world.open(group_id, references=others).event, world.endpoints)
            bare = world.open(group_id, references=others).bare
            pairs.append((measured, invoke(floor, bare, world.endpoints)))
    return reverts([pair[0] for pair in pairs[WARM_UP:]], [pair[1] for pair in pairs[WARM_UP:]])


def _click(world: World, runs: int) -> Row:
    (group_id,) = world.groups(1)
    with Story(world) as story, world.start(CLICK) as product, world.start(world.shipped.floors["click"]) as floor:
        pairs = []
        for _ in range(WARM_UP + runs):
            click, bare = story.pending(group_id).click, bare_click(story.pending(group_id).request_id)
            pairs.append((invoke(product, click, world.endpoints), invoke(floor, bare, world.endpoints)))
    products, floors = [pair[0] for pair in pairs[WARM_UP:]], [pair[1] for pair in pairs[WARM_UP:]]
    row, least = common(products), summary(one.ms for one in floors)
    without = summary(one.ms - LATENCY_MS[SLACK] * len(one.posts) for one in products)
    return {
        "click": {**row, "floor": least, "ratio": ratio(row["ms"], least)},
        "click_without_slack": {"ms": without, "ratio": ratio(without, least)},
    }
