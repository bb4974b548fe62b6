"""What TLS adds: the same flows over ``https``, with the bundle of authorities that a client has to read."""

from __future__ import annotations

from typing import Any, Final

from bench.cold import Case, cases
from bench.container import Container
from bench.measuring import Measured, invoke, summary
from bench.world import World

_NAMES: Final = (
    "floor of the revert", "revert, caller an IAM user", "floor of the click", "click, secrets by value",
)  # fmt: skip
_WARM_UP: Final = 2


def measure(world: World, runs: int) -> dict[str, Any]:
    """Return cold and warm processor time with and without TLS.

    Args:
        world: everything around.
        runs: warm invocations of each.
    """
    some = cases(world)
    return {name: {kind: _row(world, some[name], kind == "tls", runs) for kind in ("plain", "tls")} for name in _NAMES}


def _row(world: World, case: Case, tls: bool, runs: int) -> dict[str, Any]:
    environment = world.environment(tls=tls)
    url = world.far.tls_url if tls else world.far.url
    event = case.event(url)
    world.far.take()
    with Container(case.function, environment, event=event) as container:
        assert container.first is not None
        first = Measured(answer=container.first, calls=world.far.take())
        some = [invoke(container, case.event(url), world.far) for _ in range(_WARM_UP + runs)][_WARM_UP:]
    if any(one.answer.status not in (None, 200) for one in (first, *some)) or first.answer.error:
        raise RuntimeError(f"{case.name} over {'TLS' if tls else 'HTTP'}: {first.answer}")
    return {
        "cold_cpu_ms": round(container.init_cpu_ms + first.answer.cpu_ms, 1),
        "warm_cpu_ms": summary(one.answer.cpu_ms for one in some),
        "warm_ms": summary(one.ms for one in some),
    }
