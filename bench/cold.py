"""Cold starts: a new process each time, with a whole CPU, which revert and click have as they ship."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from bench.container import Function
from bench.events import Json, bare_click, scheduled
from bench.measuring import REVOKE, Measured, Row, ratio, summary
from bench.names import CLICK, REVERT, SNAPSHOT
from bench.world import Story, World

Case = tuple[Function, Callable[[], Json]]
"""What starts, and what makes its event."""


def measure(world: World, runs: int) -> Row:
    """Return the figures of cold reverts and clicks and of their floors, started in turn.

    Args:
        world: everything around.
        runs: processes of each.
    """
    (group_id,) = world.groups(1)
    functions, floors = world.shipped.functions, world.shipped.floors
    with Story(world) as story:
        story.step(SNAPSHOT, scheduled())  # a group seen for the first time is not the usual case
        cases: dict[str, Case] = {
            "revert": (functions[REVERT], lambda: world.open(group_id).event),
            "revert_floor": (floors["revert"], lambda: world.open(group_id).bare),
            "click": (functions[CLICK], lambda: story.pending(group_id).click),
            "click_floor": (floors["click"], lambda: bare_click(story.pending(group_id).request_id)),
        }
        started = defaultdict(list)
        for _ in range(runs):
            for name, (function, event) in cases.items():
                started[name].append(_start(world, function, event()))
    rows = {name: {key: summary(one[key] for one in some) for key in some[0]} for name, some in started.items()}
    for name, ends in (("revert", "request_ms"), ("click", "ms")):
        rows[name]["ratio"] = {"median": ratio(rows[name][ends], rows[f"{name}_floor"][ends])}
    return rows


def _start(world: World, function: Function, event: Json) -> dict[str, float]:
    """Start one process; times are counted from its start, Python's own included."""
    world.endpoints.take()
    with world.start(function, event=event) as container:
        calls = world.endpoints.take()
        assert container.first is not None
        answer = container.checked(container.first)
    # Loading need not wait for the calls it makes: only those of the handler are subtracted.
    waited = [call for call in calls if call.arrived >= container.ready]
    whole = 1000 * (answer.ended - container.started)
    row = {
        "ms": whole - sum(call.late_ms for call in waited),
        "own_ms": whole - sum(1000 * (call.answered - call.arrived) for call in waited),
        "loading_ms": 1000 * (container.ready - container.started),
        "cpu_ms": container.init_cpu_ms + answer.cpu_ms,
        "peak_mb": answer.peak_kb / 1024,
    }
    measured = Measured(answer=answer, calls=calls)
    if REVOKE in measured.operations:
        late = sum(call.late_ms for call in calls[: measured.calls_before] if call in waited)
        row["request_ms"] = measured.request_ms + 1000 * (answer.begun - container.started) - late
        row["calls_before"] = measured.calls_before
    return row
