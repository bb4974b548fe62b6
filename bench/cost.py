"""What the product costs: the amounts of each thing that AWS bills, from what was measured, times their prices.

The assumptions stand here as constants, and ``documents/cost.md`` prints them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench import heartbeats
from bench.names import MEMBER_FUNCTIONS, REQUESTS_TABLE, STATE_TABLE
from bench.path import IDLE_GROUPS
from bench.prices import PRICES
from bench.shipped import WHOLE_CPU_MB
from bench.world import STEPS

HOURS_PER_MONTH: Final = 730
MANY_GROUPS: Final = 2000
LOG_OVERHEAD_BYTES: Final = 584
"""Of an invocation: Lambda's own START, END and REPORT lines, and 26 bytes for each of about nine records."""
LOG_MONTHS: Final = 3
"""Logs are kept 90 days."""
LOG_COMPRESSION: Final = 0.15
MONTHS_KEPT: Final = 13
"""So long ended requests are kept by default (``keep_days``, 400)."""
INDEX_WRITES: Final = 2
"""When an item's status changes, the index deletes one entry and writes another."""
KMS_PER_HOUR: Final = 12
"""DynamoDB asks for a table's key about every five minutes while it is used.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.howitworks.html
"""
EXAMPLES: Final = ((1, 1, 50), (10, 2, 50), (100, 4, 50), (100, 4, 1000))
"""Member accounts, regions of each, approved requests of each account and region in a month."""

Results = Mapping[str, Any]


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


def total(lines: Sequence[Line]) -> float:
    """Return what all of them cost."""
    return sum(line.usd for line in lines)


def per_request(results: Results, *, cold: bool, number: int = 1000) -> list[Line]:
    """Return what approved requests cost, in both accounts together.

    Args:
        results: what was measured.
        cold: every invocation finds no container; otherwise every one finds a warm one.
        number: of requests.
    """
    steps, sizes = results["path"]["steps"], results["path"]["item_bytes"]
    log_bytes = sum(step["log_bytes"]["median"] + LOG_OVERHEAD_BYTES for step in steps.values())
    reads = sum(step["calls"].get("GetItem", 0) for step in steps.values())
    traced = any(facts["traced"] for facts in results["package"].values())
    amounts = {
        "Lambda, arm64": sum(_gb_seconds(results, name, cold=cold) for name in steps),
        "Lambda, requests": len(steps),
        "X-Ray": len(steps) if traced else 0,
        "API Gateway, REST": 1,
        "EventBridge": 1,
        "SNS": sum(step["calls"].get("Publish", 0) for step in steps.values()),
        "DynamoDB, writes": sum(_write_units(STEPS[name], step["calls"], sizes) for name, step in steps.items()),
        "DynamoDB, reads": reads * math.ceil(max(sizes.values()) / 4096),
        "DynamoDB, storage and backup": MONTHS_KEPT * sum(sizes.values()) / 1e9,
        "Logs": log_bytes / 1e9,
        "Logs, storage": LOG_MONTHS * LOG_COMPRESSION * log_bytes / 1e9,
    }
    return [Line(what=what, amount=number * amount) for what, amount in amounts.items()]


def idle_month(results: Results, app: str, *, groups: int = IDLE_GROUPS) -> list[Line]:
    """Return what a month costs in which nothing happens; a member's heartbeats and probes are counted in.

    Args:
        results: what was measured.
        app: ``member``, for an account and region with few alarms; or ``central``, without the members' heartbeats.
        groups: security groups of the member's region.
    """
    facts = results["package"][app]
    ((name, minutes),) = facts["schedules_minutes"].items()
    runs = HOURS_PER_MONTH * 60 / minutes
    row = results["path"]["idle"][name]
    billed_ms, reads = row["ms"]["median"], 0.5 * row["calls"].get("Query", 0)  # of an index, and nothing is found
    if app == "member":
        billed_ms, reads = billed_ms + (groups - IDLE_GROUPS) * _ms_per_group(results), groups
    log_bytes = runs * (row["log_bytes"]["median"] + LOG_OVERHEAD_BYTES)
    hour = heartbeats.member_hour(facts["functions"]["revertSecurityGroup"]) if app == "member" else {}
    month = {what: HOURS_PER_MONTH * amount for what, amount in hour.items()}
    amounts = {
        "Lambda, arm64": runs * billed_ms / 1000 * facts["functions"][name] / 1024 + month.get("Lambda, arm64", 0),
        "Lambda, requests": runs + month.get("Lambda, requests", 0),
        "X-Ray": runs if facts["traced"] else 0,
        "SNS": month.get("SNS", 0),
        "DynamoDB, writes": month.get("DynamoDB, writes", 0),
        "DynamoDB, reads": runs * reads + month.get("DynamoDB, reads", 0),
        "KMS, requests": HOURS_PER_MONTH * KMS_PER_HOUR,
        "Logs": log_bytes / 1e9,
        "Logs, storage": LOG_MONTHS * LOG_COMPRESSION * log_bytes / 1e9,
        "Alarms": facts["alarm_metrics_few"],
        "Dashboards": facts["dashboards"],
    }
    return [Line(what=what, amount=amount) for what, amount in amounts.items()]


def idle_month_all_alarms(results: Results) -> float:
    """Return what an idle month of a member account and region costs with ``--alarms all``."""
    lines = idle_month(results, "member")
    every = Line(what="Alarms", amount=results["package"]["member"]["alarm_metrics"])
    return total([every if line.what == "Alarms" else line for line in lines])


def heartbeats_month(results: Results, members: int) -> float:
    """Return what the heartbeats of so many members cost the central account in a month."""
    hour = heartbeats.central_hour(members, memory_of(results)["securityGroupChange"])
    return total([Line(what=what, amount=HOURS_PER_MONTH * amount) for what, amount in hour.items()])


def metrics_month(results: Results, app: str) -> Line:
    """Return what the metrics of approved requests cost in a month in which every hour has one."""
    by_function = results["path"]["metrics"].items()
    names = {
        one for function, some in by_function for one in some if (function in MEMBER_FUNCTIONS) == (app == "member")
    }
    return Line(what="Custom metrics", amount=len(names))


def example(results: Results, accounts: int, regions: int, requests: int) -> dict[str, float]:
    """Return what a month costs with so many accounts, regions of each, and requests of each of those places."""
    places = accounts * regions
    # A metric is billed for the hours in which it is sent.
    member_hours, central_hours = (min(1.0, some / HOURS_PER_MONTH) for some in (requests, places * requests))
    member, central = (metrics_month(results, app).usd for app in ("member", "central"))
    costs = {
        "fixed": total(idle_month(results, "central"))
        + heartbeats_month(results, places)
        + places * total(idle_month(results, "member")),
        "metrics": central_hours * central + places * member_hours * member,
        "requests": total(per_request(results, cold=True, number=places * requests)),
    }
    month: float = sum(costs.values())
    return {**costs, "month": month, "per_place": month / places}


def memory_of(results: Results) -> dict[str, int]:
    """Return the shipped memory of each function."""
    return {name: size for facts in results["package"].values() for name, size in facts["functions"].items()}


def _gb_seconds(results: Results, step: str, *, cold: bool) -> float:
    billed_ms: int = math.ceil(results["path"]["steps"][step]["ms"]["median"])
    warm: float = billed_ms / 1000 * memory_of(results)[STEPS[step]] / 1024
    return warm + (_cold_gb_seconds(results, STEPS[step]) if cold else 0.0)


def _cold_gb_seconds(results: Results, function: str) -> float:
    """Return what a cold start adds, loading included, which Lambda bills too.

    Measured for revert and click with a whole CPU. The other functions of the same zip are assumed to be like them:
    loading is processor time, so that half the memory takes twice the time.
    """
    cold, warm = results["cold"], results["warm"]
    is_member = function in MEMBER_FUNCTIONS
    started, row = (cold["revert"], warm["reverts"]["one rule"]) if is_member else (cold["click"], warm["click"])
    more_ms: float = started["ms"]["median"] - row["ms"]["median"]
    return max(0.0, more_ms) / 1000 * WHOLE_CPU_MB / 1024


def _ms_per_group(results: Results) -> float:
    rows = {int(size): row["quiet"]["ms"]["median"] for size, row in results["growth"]["groups"].items()}
    least, most = min(rows), max(rows)
    more_ms: float = rows[most] - rows[least]
    return more_ms / (most - least)


def _write_units(function: str, calls: Mapping[str, int], sizes: Mapping[str, int]) -> int:
    """Return write units; all items of a table count as its largest one."""
    state = math.ceil(sizes[STATE_TABLE] / 1024)
    request = (1 + INDEX_WRITES) * math.ceil(sizes[REQUESTS_TABLE] / 1024)
    writes = calls.get("PutItem", 0) + calls.get("UpdateItem", 0)
    return writes * (state if function in MEMBER_FUNCTIONS else request)
