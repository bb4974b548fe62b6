"""The tables of ``docs/performance.md`` on what happens when there is more of something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.crowds import LIMITS, PAUSE_SECONDS
from bench.tables import calls, ms, number, table
from bench.warm import REVOKE

Figures = Mapping[str, Any]

_KINDS = ("first", "quiet", "changed")


def growth_texts(grown: Figures) -> dict[str, str]:
    """Return the tables of rules, groups and requests, and what is said beside them."""
    sizes = sorted(grown["rules"], key=int)
    groups = grown["groups"]
    most = max(groups, key=int)
    return {
        "growth_rules": _reverts(grown["rules"], "rules of the call", with_messages=True),
        "few": f"{int(sizes[-2]):,}",
        "many": f"{int(sizes[-1]):,}",
        "per_rule_few": number(_per_rule(grown["rules"], sizes[0], sizes[-2])),
        "per_rule_many": number(_per_rule(grown["rules"], sizes[0], sizes[-1])),
        "growth_baseline": _reverts(grown["baseline"], "approved rules", with_messages=False),
        "growth_groups": _snapshots(groups),
        "most_groups": f"{int(most):,}",
        "most_groups_calls": "; ".join(f"{kind}: {calls(groups[most][kind]['calls'])}" for kind in _KINDS),
        "growth_requests": _requests(grown["requests"]),
    }


def crowd_texts(found: Figures) -> dict[str, str]:
    """Return the table of many events at once, and what a throttled crowd did."""
    throttled = found["throttled"]
    at_once, per_second = LIMITS[REVOKE]
    return {
        "crowds": _crowds(found["crowds"]),
        "limit_at_once": f"{at_once:.0f}",
        "limit_per_second": f"{per_second:.0f}",
        "throttled": str(throttled["events"]),
        "deliveries": str(len(throttled["done_by_delivery"])),
        "done": ", ".join(map(str, throttled["done_by_delivery"])),
        "left": str(throttled["left"]),
        "closed_seconds": str(throttled["all_closed_seconds"]),
        "least_seconds": str(throttled["least_possible_seconds"]),
        "revokes": str(throttled["revokes_sent"]),
        "refused": str(throttled["refused"]),
        "pause": str(PAUSE_SECONDS),
    }


def _reverts(rows: Figures, what: str, *, with_messages: bool) -> str:
    lines = []
    for size, row in rows.items():
        line = [f"{int(size):,}", ms(row["request"]), ms(row["own_ms"]), ms(row["cpu_ms"])]
        line += [str(sum(row["calls"].values())), f"{row['peak_mb']} MB"]
        if with_messages:
            line += [f"{row['published']} ({row['published_bytes']:,} bytes)", str(row["slack_messages"])]
        lines.append(line)
    head = [what, "until the revert request", "handler's own", "processor", "AWS calls", "peak memory"]
    return table(head + (["SNS messages", "Slack messages per channel"] if with_messages else []), lines)


def _per_rule(rows: Figures, least: str, most: str) -> float:
    more: float = rows[most]["cpu_ms"]["median"] - rows[least]["cpu_ms"]["median"]
    return more / (int(most) - int(least))


def _snapshots(rows: Figures) -> str:
    lines = []
    for size, row in rows.items():
        kinds = (f"{sum(row[kind]['calls'].values()):,} calls, {number(row[kind]['ms'])} ms" for kind in _KINDS)
        lines.append((f"{int(size):,}", *kinds, f"{max(one['peak_mb'] for one in row.values())} MB"))
    return table(("groups", "first", "quiet", "ten changed", "peak memory"), lines)


def _requests(rows: Figures) -> str:
    lines = [(f"{int(size):,}", calls(row["calls"]), ms(row["ms"])) for size, row in rows.items()]
    return table(("requests in the table", "calls", "duration"), lines)


def _crowds(rows: Figures) -> str:
    lines = []
    for size, row in rows.items():
        times = ms(row["request"]), f"{row['request']['max']:,.0f} ms", f"{row['all_ms']:,} ms"
        counts = f"{row['calls_per_event']}", f"{row['failed']}"
        lines.append((f"{int(size):,}", *counts, *times, f"{row['cpu_ms_per_event']} ms"))
    head = ("events", "calls per event", "failed", "until the revert request", "until the last", "all done")
    return table((*head, "processor per event"), lines)
