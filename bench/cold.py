"""Cold starts: a new process of the shipped package each time, whole or slowed to Lambda's share of a CPU."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from bench import events
from bench.container import ContainerError, Function
from bench.measuring import Measured, invoke, ratio, summary
from bench.servers import LATENCY_MS, FarSide
from bench.shares import share_of
from bench.shipped import BUTTON_CLICK
from bench.warm import REVOKE
from bench.world import Groups, World, bare_revert, pending

WHOLE_CPU: Final = 1769
SIZES: Final = (128, 256, 512, 1024, WHOLE_CPU)
OF_SIZES: Final = ("revert, caller a role session", "click, secrets in SSM as shipped")
"""Cases that are measured at every size: the ones that happen."""
_WARM: Final = 4

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A kind of cold start.

    Attributes:
        name: for the table.
        function: what starts.
        event: makes an event, given the address where Slack answers.
        ends: the request whose arrival ends the measurement; ``""``: the answer does.
        floor: the case it is compared with.
        by_reference: its secrets stand in SSM.
    """

    name: str
    function: Function
    event: Callable[[str], Any]
    ends: str
    floor: str = ""
    by_reference: bool = False


def cases(world: World) -> dict[str, Case]:
    """Return the kinds of cold start; floors first."""
    groups, requests = Groups(world), world.client("dynamodb")
    group_id = groups.make()[0]
    with world.start(world.shipped.functions["snapshotSecurityGroups"]) as snapshot:
        snapshot.invoke(events.scheduled())  # a group seen for the first time is not the usual case
    revert, click = world.shipped.functions["revertSecurityGroup"], world.shipped.functions[BUTTON_CLICK]
    floors = world.shipped.floors

    def clicked(url: str) -> Any:
        request = pending(requests)
        return events.clicked(request.request_id, request.digest, f"{url}/slack/response")

    some = [
        Case(
            name="floor of the revert",
            function=floors["revert"],
            event=lambda _: bare_revert(groups.open(group_id)),
            ends=REVOKE,
        ),
        Case(
            name="floor of the click",
            function=floors["click"],
            event=lambda _: events.bare_click(pending(requests).request_id),
            ends="",
        ),
        Case(
            name="revert, caller an IAM user",
            function=revert,
            event=lambda _: groups.open(group_id),
            ends=REVOKE,
            floor="floor of the revert",
        ),
        Case(
            name="revert, caller a role session",
            function=revert,
            event=lambda _: groups.open(group_id, identity=events.PERSON),
            ends=REVOKE,
            floor="floor of the revert",
        ),
        Case(name="click, secrets by value", function=click, event=clicked, ends="", floor="floor of the click"),
        Case(
            name="click, secrets in SSM as shipped",
            function=click,
            event=clicked,
            ends="",
            floor="floor of the click",
            by_reference=True,
        ),
    ]
    return {case.name: case for case in some}


def measure(world: World, runs: int) -> dict[str, Any]:
    """Return cold starts with a whole CPU and at the shipped size, all cases in turn; and the other sizes.

    Args:
        world: everything around.
        runs: processes of each case.
    """
    some = cases(world)
    started: dict[str, dict[str, list[Row]]] = {"whole": {}, "shipped": {}}
    for _ in range(runs):
        for kind, rows in started.items():
            for name, case in some.items():
                memory_mb = WHOLE_CPU if kind == "whole" else case.function.memory_mb
                warm = _WARM if name in OF_SIZES else 0
                rows.setdefault(name, []).append(start(world, case, world.far, memory_mb, warm=warm))
    sizes = {}
    for name in OF_SIZES:
        own = {WHOLE_CPU: started["whole"][name], some[name].function.memory_mb: started["shipped"][name]}
        others = {size: _at(world, some[name], size, runs) for size in SIZES if size not in own}
        sizes[name] = {str(size): _size_row(rows) for size, rows in sorted((own | others).items())}
    return {**{kind: _table(rows, some) for kind, rows in started.items()}, "sizes": sizes}


def _at(world: World, case: Case, memory_mb: int, runs: int) -> list[Row]:
    """Start containers of a size; small ones use so little of a CPU that several don't disturb each other."""

    def one(_: int) -> Row:
        # A far side of its own, so that calls of several containers are not mixed up.
        with FarSide(world.moto) as far:
            far.set_latency(LATENCY_MS)
            return start(world, case, far, memory_mb, warm=_WARM)

    with ThreadPoolExecutor(max(1, int(0.6 / share_of(memory_mb)))) as pool:
        return list(pool.map(one, range(runs)))


def _size_row(rows: list[Row]) -> Row:
    return {
        "cold": summary(row["ms"] for row in rows),
        "cold_billed_ms": summary(row["billed_ms"] for row in rows),
        "warm_ms": summary(ms for row in rows for ms in row["warm_ms"]),
        "peak_mb": max(row["peak_mb"] for row in rows),
    }


def start(world: World, case: Case, far: FarSide, memory_mb: int, *, warm: int = 0) -> Row:
    """Start one process and return how long it took."""
    environment = world.environment(far=far, by_reference=case.by_reference)
    event = case.event(far.url)
    far.take()
    with world.start(case.function, environment, event=event, share=share_of(memory_mb)) as container:
        calls = far.take()
        assert container.first is not None
        first = Measured(answer=container.first, calls=calls)
        if first.answer.error or first.answer.status not in (None, 200):
            raise ContainerError(f"{case.name}: {first.answer}\n{container.log()}")
        again = [invoke(container, case.event(far.url), far) for _ in range(warm)]
    # What a stand-in was late is taken off only while the handler waited for it: loading may not wait for its calls.
    in_handler = [call for call in calls if call.arrived >= container.ready]
    ended = 1000 * (first.answer.ended - container.started) - sum(call.late_ms for call in in_handler)
    before = first.calls_before(case.ends) if case.ends else len(first.operations)
    waited = sum(call.late_ms for call in calls[:before] if call in in_handler)
    return {
        "ms": first.arrival(case.ends, container.started) - waited if case.ends else ended,
        "init_ms": 1000 * (container.ready - container.started),
        "billed_ms": ended,
        "cpu_ms": container.init_cpu_ms + first.answer.cpu_ms,
        "calls": [call.operation for call in calls],
        "calls_before": before if case.ends else None,
        "peak_mb": round(max(one.answer.peak_kb for one in (first, *again)) / 1024, 1),
        # The first ones still load something.
        "warm_ms": [one.ms for one in again[1:]],
    }


def _table(rows: dict[str, list[Row]], some: dict[str, Case]) -> dict[str, Row]:
    table: dict[str, Row] = {}
    for name, case in some.items():
        own = rows[name]
        table[name] = {
            "ms": summary(row["ms"] for row in own),
            "init_ms": summary(row["init_ms"] for row in own),
            "billed_ms": summary(row["billed_ms"] for row in own),
            "cpu_ms": summary(row["cpu_ms"] for row in own),
            "peak_mb": max(row["peak_mb"] for row in own),
            "calls": own[0]["calls"],
            "calls_before": own[0]["calls_before"],
        }
        if case.floor:
            table[name]["ratio"] = ratio(table[name]["ms"], table[case.floor]["ms"])
    return table
