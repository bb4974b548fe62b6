"""Which memory size each function should have, by rules over measured figures.

Lambda gives CPU in proportion to memory, so a size is a choice of speed; what it costs is in ``cost.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from bench.cold import OF_SIZES, SIZES

REVERT_CASE, CLICK_CASE = OF_SIZES
WAITED_FOR_MS: Final = 1500
"""After a click, three functions may start cold one after the other before the channel sees the result."""
_GAIN: Final = 0.10
_ROOM: Final = 3

_WAITED_FOR: Final = {
    "securityGroupChange": CLICK_CASE,
    "denySecurityGroupChange": CLICK_CASE,
    "errorHandlerSecurityGroupChange": CLICK_CASE,
    "applySecurityGroupChange": REVERT_CASE,
}
"""Somebody waits for their result; the case of the same zip stands for their cold start."""
_BACKGROUND: Final = ("snapshotSecurityGroups", "sweepRequests")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A function's size, and the rule that led to it."""

    function: str
    memory_mb: int
    reason: str


def choose(results: Mapping[str, Any]) -> list[Choice]:
    """Return the size each function should have."""
    sizes = results["cold"]["sizes"]
    chosen = [
        Choice(
            function="revertSecurityGroup",
            memory_mb=_no_gain_beyond(sizes[REVERT_CASE]),
            reason=f"a port is open meanwhile: the size beyond which a cold start gets less than {_GAIN:.0%} faster",
        ),
        Choice(
            function="buttonClick",
            memory_mb=_no_gain_beyond(sizes[CLICK_CASE]),
            reason="somebody looks at the button, and Slack waits three seconds: the same; clicks are few",
        ),
    ]
    seconds = WAITED_FOR_MS / 1000
    chosen += [
        Choice(
            function=function,
            memory_mb=_within(sizes[case], WAITED_FOR_MS),
            reason=f"one of a chain that ends in the channel: the smallest with cold starts within {seconds:.1f} s",
        )
        for function, case in _WAITED_FOR.items()
    ]
    idle = [row["peak_mb"] for row in results["path"]["idle"].values()]
    peak = max(*idle, *(one["peak_mb"] for row in results["growth"]["groups"].values() for one in row.values()))
    roomy = next((size for size in SIZES if size >= _ROOM * peak), SIZES[-1])
    chosen += [
        Choice(
            function=function,
            memory_mb=roomy,
            reason=f"nobody waits: the smallest with {_ROOM} times the most it used ({peak:.0f} MB)",
        )
        for function in _BACKGROUND
    ]
    return chosen


def _no_gain_beyond(rows: Mapping[str, Any]) -> int:
    for smaller, larger in pairwise(SIZES):
        now, then = rows[str(smaller)]["cold"]["median"], rows[str(larger)]["cold"]["median"]
        if then > (1 - _GAIN) * now:
            return smaller
    return SIZES[-1]


def _within(rows: Mapping[str, Any], limit_ms: float) -> int:
    return next((size for size in SIZES if rows[str(size)]["cold"]["max"] <= limit_ms), SIZES[-1])
