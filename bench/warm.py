"""Warm flows: a container that has seen a few events, and its floor, invoked in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from bench import events
from bench.container import Container
from bench.measuring import Measured, invoke, ratio, summary, the_only
from bench.shipped import BUTTON_CLICK
from bench.world import Groups, World, bare_revert, pending

REVOKE: Final = "RevokeSecurityGroupIngress"
_WARM_UP: Final = 3
_CASES: Final = {"one rule": 0, "one group reference": 1, "60 group references": 60}

Row = dict[str, Any]


def measure(world: World, runs: int) -> dict[str, Any]:
    """Return the rows of the warm flows.

    Args:
        world: everything around.
        runs: measured invocations of each.
    """
    return {"reverts": _reverts(world, runs), "click": _clicks(world, runs)}


def _reverts(world: World, runs: int) -> dict[str, Row]:
    groups = Groups(world)
    group_id, *others = groups.make(61)
    rows = {}
    with (
        world.start(world.shipped.functions["revertSecurityGroup"]) as product,
        world.start(world.shipped.floors["revert"]) as floor,
    ):
        for name, references in _CASES.items():

            def event(references: int = references) -> Any:
                return groups.open(group_id, references=others[:references])

            pairs = _in_turn(world, product, floor, event, bare_revert, runs)
            rows[name] = _revert_row(pairs)
    return rows


def _in_turn(
    world: World,
    product: Container,
    floor: Container,
    event: Callable[[], Any],
    bare: Callable[[Mapping[str, Any]], Any],
    runs: int,
) -> list[tuple[Measured, Measured]]:
    """Invoke product and floor in turn, so that both see the same machine; a few first ones don't count."""
    pairs = []
    for number in range(_WARM_UP + runs):
        pair = invoke(product, event(), world.far), invoke(floor, bare(event()), world.far)
        if number >= _WARM_UP:
            pairs.append(pair)
    return pairs


def _revert_row(pairs: list[tuple[Measured, Measured]]) -> Row:
    products, floors = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    request = summary(one.arrival(REVOKE, one.answer.begun) for one in products)
    floor_request = summary(one.arrival(REVOKE, one.answer.begun) for one in floors)
    handler, floor_handler = summary(one.ms for one in products), summary(one.ms for one in floors)
    return {
        "request": {"product": request, "floor": floor_request, "ratio": ratio(request, floor_request)},
        "handler": {"product": handler, "floor": floor_handler, "ratio": ratio(handler, floor_handler)},
        "calls_before": max(one.calls_before(REVOKE) for one in products),
        **_common(products, floors),
    }


def _clicks(world: World, runs: int) -> Row:
    requests = world.client("dynamodb")
    with (
        world.start(world.shipped.functions[BUTTON_CLICK]) as product,
        world.start(world.shipped.floors["click"]) as floor,
    ):
        pairs = []
        for number in range(_WARM_UP + runs):
            request = pending(requests)
            click = events.clicked(request.request_id, request.digest, f"{world.far.url}/slack/response")
            pair = (
                invoke(product, click, world.far),
                invoke(floor, events.bare_click(request.request_id), world.far),
            )
            if any(one.answer.status != 200 for one in pair):
                raise RuntimeError(f"a click was answered with {[one.answer.status for one in pair]}")
            if number >= _WARM_UP:
                pairs.append(pair)
    products, floors = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    answer, floor_answer = summary(one.ms for one in products), summary(one.ms for one in floors)
    without = summary(one.ms - one.slack_ms for one in products)
    return {
        "answer": {"product": answer, "floor": floor_answer, "ratio": ratio(answer, floor_answer)},
        "without_slack": {"product": without, "floor": floor_answer, "ratio": ratio(without, floor_answer)},
        "posts": max(one.posts for one in products),
        **_common(products, floors),
    }


def _common(products: list[Measured], floors: list[Measured]) -> Row:
    return {
        "cpu_ms": {
            "product": summary(one.answer.cpu_ms for one in products),
            "floor": summary(one.answer.cpu_ms for one in floors),
        },
        "own_ms": {"product": summary(one.own_ms for one in products), "floor": summary(one.own_ms for one in floors)},
        "calls": the_only(one.operations for one in products),
        "peak_mb": round(max(one.answer.peak_kb for one in products) / 1024, 1),
        "late_ms": summary(call.late_ms for one in products for call in one.calls),
    }
