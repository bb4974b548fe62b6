"""What the product costs, from what was measured: amounts of each thing AWS bills, and their prices.

Pure arithmetic over figures; which assumptions go in is written where they stand, and printed with the result.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bench.choosing import CLICK_CASE, REVERT_CASE
from bench.path import IDLE_GROUPS, STEPS
from bench.prices import PRICES

HOURS_PER_MONTH: Final = 730
PLATFORM_LOG_BYTES: Final = 350
"""Lambda's own START, END and REPORT lines of an invocation, with their time stamps."""
LOG_EVENT_BYTES: Final = 26
"""CloudWatch counts these for each log event beside its text."""
LOG_EVENTS: Final = 9
"""Log records of an invocation, about."""
LOG_MONTHS: Final = 3
"""Logs are kept 90 days."""
MONTHS_KEPT: Final = 12
"""Requests stay; a year of them is counted."""
LOG_COMPRESSION: Final = 0.15
INDEX_WRITES: Final = 2
"""Of an item whose status changes, the index deletes one entry and writes another."""
KMS_PER_HOUR: Final = 12
"""DynamoDB asks for a table's key about every five minutes while it is used.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html
"""

_MEMBER: Final = ("revertSecurityGroup", "applySecurityGroupChange", "snapshotSecurityGroups")

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An amount of something and what it costs.

    Attributes:
        what: key of the price.
        amount: how many units.
    """

    what: str
    amount: float

    @property
    def usd(self) -> float:
        """What it costs."""
        return self.amount * PRICES[self.what].usd


def total(lines: list[Line]) -> float:
    """Return what all of them cost."""
    return sum(line.usd for line in lines)


def per_request(results: Figures, *, cold: bool) -> list[Line]:
    """Return what one approved request costs, in both accounts together.

    Args:
        results: what was measured.
        cold: every invocation finds no container; otherwise every one finds a warm one.
    """
    memory = memory_of(results)
    steps = results["path"]["steps"]
    calls = [call for step in steps.values() for call in step["calls"]]
    gb_seconds = 0.0
    for name, function in STEPS:
        billed = steps[name]["billed_ms"]["median"] + (_cold_extra_ms(results, function) if cold else 0.0)
        gb_seconds += billed / 1000 * memory[function] / 1024
    log_bytes = sum(step["log_bytes"]["median"] for step in steps.values()) + len(STEPS) * _log_overhead()
    sizes = results["path"]["item_bytes"]
    return [
        Line(what="Lambda, arm64", amount=gb_seconds),
        Line(what="Lambda, requests", amount=len(STEPS)),
        Line(what="X-Ray", amount=len(STEPS) if _traced(results) else 0),
        Line(what="API Gateway, REST", amount=1),
        Line(what="EventBridge", amount=1),
        Line(what="SNS", amount=calls.count("Publish")),
        Line(what="DynamoDB, writes", amount=_written(steps, sizes)),
        Line(what="DynamoDB, reads", amount=_read(calls, sizes)),
        Line(what="DynamoDB, storage and backup", amount=MONTHS_KEPT * (sizes["request"] + sizes["ledger"]) / 1e9),
        Line(what="Logs", amount=log_bytes / 1e9),
        Line(what="Logs, storage", amount=LOG_MONTHS * LOG_COMPRESSION * log_bytes / 1e9),
    ]


def idle_month(results: Figures, app: str, *, groups: int = IDLE_GROUPS) -> list[Line]:
    """Return what a month costs in which nothing happens.

    Args:
        results: what was measured.
        app: ``member``, for an account and region; or ``central``.
        groups: security groups of the member's region.
    """
    facts = results["package"][app]
    name, minutes = next(iter(facts["schedules_minutes"].items()))
    runs = HOURS_PER_MONTH * 60 / minutes
    row = results["path"]["idle"][name]
    billed = row["billed_ms"]["median"] + (groups - IDLE_GROUPS) * _ms_per_group(results) * (app == "member")
    log_bytes = runs * (row["log_bytes"]["median"] + _log_overhead())
    # A baseline of a group is read consistently; a query of an index that finds nothing is half a unit.
    reads = groups if app == "member" else 0.5 * row["calls"].count("Query")
    return [
        Line(what="Lambda, arm64", amount=runs * billed / 1000 * facts["functions"][name] / 1024),
        Line(what="Lambda, requests", amount=runs),
        Line(what="X-Ray", amount=runs if facts["traced"] else 0),
        Line(what="DynamoDB, reads", amount=runs * reads),
        Line(what="KMS, requests", amount=HOURS_PER_MONTH * KMS_PER_HOUR),
        Line(what="Logs", amount=log_bytes / 1e9),
        Line(what="Logs, storage", amount=LOG_MONTHS * LOG_COMPRESSION * log_bytes / 1e9),
        Line(what="Alarms", amount=facts["alarm_metrics"]),
        Line(what="Dashboards", amount=facts["dashboards"]),
    ]


def metrics_month(results: Figures, app: str) -> list[Line]:
    """Return what the metrics of approved requests cost in a month in which every hour has one."""
    names = {
        metric
        for function, metrics in results["path"]["metrics"].items()
        for metric in metrics
        if (function in _MEMBER) == (app == "member")
    }
    return [Line(what="Custom metrics", amount=len(names))]


def lambda_usd(results: Figures, case: str, memory_mb: int, *, cold: bool) -> float:
    """Return what a thousand invocations of revert or click cost at a size, for the choice of sizes."""
    row = results["cold"]["sizes"][case][str(memory_mb)]
    billed: float = row["cold_billed_ms" if cold else "warm_ms"]["median"]
    seconds = 1000 * billed / 1000 * memory_mb / 1024
    return seconds * PRICES["Lambda, arm64"].usd + 1000 * PRICES["Lambda, requests"].usd


def memory_of(results: Figures) -> dict[str, int]:
    """Return the shipped memory of each function."""
    return {name: size for facts in results["package"].values() for name, size in facts["functions"].items()}


def _cold_extra_ms(results: Figures, function: str) -> float:
    """Return what a cold start adds, loading included: Lambda bills that too.

    Measured for revert and click; the other functions of the same zip are taken to be like them.
    """
    case = REVERT_CASE if function in _MEMBER else CLICK_CASE
    row = results["cold"]["sizes"][case]
    own = row.get(str(memory_of(results)[function])) or row[max(row, key=int)]
    extra: float = own["cold_billed_ms"]["median"] - own["warm_ms"]["median"]
    return max(0.0, extra)


def _ms_per_group(results: Figures) -> float:
    rows: dict[int, float] = {int(size): row["quiet"]["ms"] for size, row in results["growth"]["groups"].items()}
    least, most = min(rows), max(rows)
    return (rows[most] - rows[least]) / (most - least)


def _log_overhead() -> int:
    return PLATFORM_LOG_BYTES + LOG_EVENTS * LOG_EVENT_BYTES


def _traced(results: Figures) -> bool:
    return any(facts["traced"] for facts in results["package"].values())


def _written(steps: Figures, sizes: Figures) -> float:
    """Return the write units; which of a member's two items a call writes is not told, so the larger one counts."""
    state = math.ceil(max(sizes["ledger"], sizes["baseline"]) / 1024)
    request = (1 + INDEX_WRITES) * math.ceil(sizes["request"] / 1024)
    units = 0.0
    for name, function in STEPS:
        writes = sum(call in ("PutItem", "UpdateItem") for call in steps[name]["calls"])
        units += writes * (state if function in _MEMBER else request)
    return units


def _read(calls: list[str], sizes: Figures) -> float:
    largest: int = max(sizes.values())
    return calls.count("GetItem") * math.ceil(largest / 4096)
