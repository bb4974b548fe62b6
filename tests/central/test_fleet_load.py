"""A fleet of 400 members sends heartbeats: the calls are counted, and their cost stands in docs/cost.md."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime

from bench import cost, heartbeats, pages
from central.chalicelib.requests.members import write_heartbeat
from central.chalicelib.requests.table import RequestsTable
from shared.wire.heartbeat import Heartbeat
from shared.wire.messages import HeartbeatMessage
from tests.support.central_account import Central

MEMBERS = 400


def heartbeat(number: int) -> Heartbeat:
    """Return a heartbeat as large as one without problems is."""
    at = datetime.now(UTC)
    return Heartbeat(
        account=f"{number:012}",
        account_name="a name that is rather long for an account",
        region="ap-southeast-2",
        sent_at=at,
        version="10.10.10",
        policy_digest="0123456789abcdef",
        mode="enforce",
        adopted_at=(("egress", at), ("ingress", at)),
        groups=2000,
        dead_letters=0,
        rule="on",
        trail="on",
        probe="arrived",
        probe_ms=123456,
    )


def test_an_hour_of_400_members_takes_the_calls_that_are_billed(central: Central, calls: list[str]) -> None:
    """One write for each heartbeat, and one page of the index for each sweep, whatever the number of members."""
    calls.clear()
    central.deliver(HeartbeatMessage(heartbeat=heartbeat(0)))
    assert Counter(one.removeprefix("dynamodb.") for one in calls) == heartbeats.CENTRAL_HEARTBEAT
    table = RequestsTable(central.dynamodb, invocation="i")
    for number in range(1, MEMBERS):
        write_heartbeat(table, heartbeat(number), at=datetime.now(UTC))
    item = central.item("member#000000000007#ap-southeast-2")
    assert len(json.dumps(item)) <= heartbeats.ITEM_BYTES
    calls.clear()
    central.sweep()
    assert Counter(calls) == {"dynamodb.Query": 10}  # one for each status, of which one for all members
    assert central.monitoring == []


def test_400_members_cost_the_central_account_little() -> None:
    """Less than a cent a month for each; docs/cost.md says how much."""
    month = cost.heartbeats_month(pages.load(), MEMBERS)
    assert 0 < month < 0.01 * MEMBERS
    assert f"| a month of the heartbeats of 400 members, central account | {pages.usd(month)} |" in pages.render(
        "cost.md", pages.load()
    )


def test_an_idle_member_costs_at_most_35_cents_a_month() -> None:
    """As deployed by default; with every alarm it was four times as much."""
    results = pages.load()
    assert cost.total(cost.idle_month(results, "member")) <= 0.35
    assert cost.idle_month_all_alarms(results) > 1.0
