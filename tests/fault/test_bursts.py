"""Many changes at once: Slack takes one message a second, and reverts wait for none of it."""

from __future__ import annotations

import os
from dataclasses import replace

from central.chalicelib.requests.record import HistoryEntry, Record
from central.chalicelib.requests.table import RequestsTable
from shared.domain.request import Request, Status
from tests.fault import scenes
from tests.fault.accounts import CENTRAL, MEMBER, facts
from tests.fault.clock import Clock
from tests.fault.faults import Aim, Exchange, Kind
from tests.fault.judging import settle
from tests.fault.scenes import BASE, guarded
from tests.fault.world import Begin, World
from tests.support.central_account import make_request
from tests.support.slack_stand_in import Post

UNASKED = 200 if os.environ.get("THOROUGH") else 60
RULES = 50
TIMES = 21


class OneMessageASecond(Aim):
    """Slack's limit: what comes sooner after the last message of its channel is answered with 429."""

    def __init__(self) -> None:
        super().__init__()
        self.clock: Clock | None = None
        self.refused = 0
        self._taken: dict[str, float] = {}

    def judge(self, exchange: Exchange) -> Kind | None:
        """Refuse what comes too soon."""
        if exchange.service != "slack" or self.clock is None:
            return None
        if self.clock.passed - self._taken.get(exchange.action, -1.0) < 1:
            self.refused += 1
            return "throttled"
        self._taken[exchange.action] = self.clock.passed
        return None


def limited(begin: Begin) -> tuple[World, OneMessageASecond]:
    """Begin a world in which Slack has its limit."""
    aim = OneMessageASecond()
    world = begin(aim)
    aim.clock = world.clock
    return world, aim


def store_unasked(world: World, number: int, status: Status) -> Request:
    """Store a request of which nobody was told, as a function that died does."""
    request = make_request(f"r-{number:03}", account=MEMBER, group_id=f"sg-{number}", status=status, reason="because")
    now = world.clock.now
    record = Record(
        request=request,
        status=status,
        requested_at=now,
        tasks=(("ask", now), ("announce", now)),
        history=(HistoryEntry(at=now, status=status, previous="", by=MEMBER),),
    )
    RequestsTable(world.accounts._tables[CENTRAL], invocation="dead").store(record)
    world.wait(seconds=1)
    return request


def order_of(posts: list[Post], requests: list[Request]) -> list[str]:
    """Return the ids in the order in which their messages came."""
    known = [one.request_id for one in requests]
    return [name for post in posts for name in known if f"Request {name}." in post.payload["text"]]


def test_one_sweep_tells_of_many_requests_without_annoying_slack(begin: Begin) -> None:
    """After an outage: what is open comes first, then the questions from the oldest on, one message a second."""
    world, slack = limited(begin)
    waiting = [store_unasked(world, number, "pending") for number in range(UNASKED)]
    open_still = [store_unasked(world, UNASKED + number, "unreverted") for number in range(3)]
    world.wait(minutes=10)
    world.run_schedule("sweepRequests")
    expected = [one.request_id for one in (*open_still, *waiting)]
    for posts in (world.approval, world.monitoring):
        assert order_of(posts, [*waiting, *open_still]) == expected
    assert slack.refused == 0
    assert [record for record in world.accounts.records() if record.tasks] == []


def test_fifty_calls_are_all_reverted_before_anybody_is_asked(begin: Begin) -> None:
    """A stack adds fifty rules, a call each: reverts need nothing of what is said about them, and all are asked."""
    world, _ = limited(begin)
    group = guarded(world)
    for number in range(RULES):
        world.accounts.ada.opens(group, scenes.rule(1000 + number))
    while any(one.function == "revertSecurityGroup" for one in world.waiting):
        functions = [one.function for one in world.waiting]
        world.deliver_next(functions.index("revertSecurityGroup"))
    assert facts(world.accounts.ada.live(group)) == facts(BASE)
    assert (world.approval, world.monitoring) == ([], [])
    world.drain()
    settle(world)
    records = world.accounts.records()
    assert len(records) == RULES
    requests = [record.request for record in records]
    for posts in (world.approval, world.monitoring):
        assert sorted(order_of(posts, requests)) == sorted(one.request_id for one in requests)
    assert [record for record in records if record.tasks or record.duplicate_of] == []


def test_a_controller_that_puts_its_rule_back_is_one_question(begin: Begin) -> None:
    """Again and again, over hours: the rule goes each time, and both channels hear of it four times."""
    world = begin()
    group = guarded(world)
    controller = world.accounts.ada
    for _ in range(TIMES):
        controller.opens(group, replace(scenes.SSH, description="managed"))
        world.drain()
        assert facts(controller.live(group)) == facts(BASE)
        world.wait(minutes=4)
    assert len(world.accounts.records()) == TIMES
    assert (len(world.approval), len(world.monitoring)) == (4, 4)
    assert "made this change 20 times" in world.approval[-1].text
    first = world.accounts.records()[0].request.request_id
    world.click(first, "approve")
    world.drain()
    world.run_schedule("sweepRequests")
    statuses = [record.status for record in world.accounts.records()]
    assert statuses == ["applied", "pending", *["expired"] * (TIMES - 2)]
    assert facts(controller.live(group)) == facts((*BASE, replace(scenes.SSH, description="managed")))
