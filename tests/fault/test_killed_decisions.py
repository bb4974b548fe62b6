"""Decisions whose steps die: of several people, of a batch, and at the end of a time; somebody presses again.

What does not belong here: single requests that one person decides (``test_matrix``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from shared.domain.request import Status
from shared.domain.rule import Rule
from tests.fault.accounts import POLICY, facts
from tests.fault.faults import Aim, Fault
from tests.fault.judging import settle
from tests.fault.scenes import BASE, HTTPS, MOVED, SSH, TELNET, WEB, adds, asked, guarded
from tests.fault.world import Begin, World

SHARE = 2
"""At how many calls of each decision it dies here, spread over all of them."""

ADA, BOB = "U0ADA", "U0BOB"
TWO = "offer_hours = [2]\n" + POLICY + "\n[[rules]]\nmatch = {}\napprovals = 2\n"
GATHERED = POLICY.replace("gather_seconds = 0", "gather_seconds = 30")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A decision, what comes before it, and what has to come of it."""

    name: str
    policy: str
    prepare: Callable[[World], str]
    play: Callable[[World], None]
    rules: tuple[Rule, ...]
    statuses: frozenset[Status]


def _press(world: World, subject: str, label: str, by: str) -> None:
    """Press a button; again where Slack shows that it went wrong."""
    for _ in range(5):
        labels = world.labels(subject)
        if label not in labels or world.press(subject, label, by=by) == 200:
            return
        world.wait(seconds=20)


def _only(world: World) -> str:
    (record,) = world.accounts.records()
    return record.request.request_id


def _approves(world: World, *people: str, label: str = "Approve Add") -> None:
    for one in people:
        _press(world, _only(world), label, one)
        world.drain()


def _in_force(world: World) -> str:
    group = asked(adds)(world)
    _approves(world, ADA, BOB, label="Approve Add for 2 h")
    assert facts(world.accounts.ada.live(group)) == facts((*BASE, SSH, TELNET))
    world.wait(hours=2, minutes=1)
    return group


def _batch(world: World) -> str:
    group = guarded(world)
    world.accounts.ada.opens(group, SSH)
    world.accounts.ada.opens(group, TELNET)
    world.accounts.ada.edits(group, HTTPS, MOVED)
    world.drain()
    world.wait(seconds=61)
    world.run_schedule("sweepRequests")
    return group


def _decides_all(label: str) -> Callable[[World], None]:
    def play(world: World) -> None:
        (batch,) = {one.asked_in for one in world.accounts.records()}
        _press(world, batch, label, BOB)
        world.drain()

    return play


DECISIONS = (
    Decision(
        name="the first of two",
        policy=TWO,
        prepare=asked(adds),
        play=lambda world: _approves(world, ADA),
        rules=BASE,
        statuses=frozenset({"pending"}),
    ),
    Decision(
        name="the second of two",
        policy=TWO,
        prepare=asked(adds),
        play=lambda world: _approves(world, ADA, BOB),
        rules=(*BASE, SSH, TELNET),
        statuses=frozenset({"applied"}),
    ),
    Decision(
        name="the end of a time",
        policy=TWO,
        prepare=_in_force,
        play=lambda world: world.run_schedule("snapshotSecurityGroups"),
        rules=BASE,
        statuses=frozenset({"ended"}),
    ),
    Decision(
        name="approve all",
        policy=GATHERED,
        prepare=_batch,
        play=_decides_all("Approve All"),
        rules=(MOVED, WEB, SSH, TELNET),
        statuses=frozenset({"applied"}),
    ),
    Decision(
        name="deny all",
        policy=GATHERED,
        prepare=_batch,
        play=_decides_all("Deny All"),
        rules=BASE,
        statuses=frozenset({"denied"}),
    ),
)


def run(begin: Begin, decision: Decision, fault: Fault | None = None) -> int:
    """Run a decision and judge it; return how many calls it made."""
    aim = Aim(fault)
    world = begin(aim, policy=decision.policy)
    group = decision.prepare(world)
    aim.is_recording = True
    decision.play(world)
    aim.is_recording = False
    assert aim.has_struck or fault is None
    settle(world)
    records = world.accounts.records()
    where = f"{decision.name}: {fault}"
    assert {one.status for one in records} == decision.statuses, where
    assert facts(world.accounts.ada.live(group)) == facts(decision.rules), where
    baselines, _ = world.accounts.state()
    assert facts(baselines[group].rules) == facts(decision.rules), where
    assert [one.tasks for one in records if one.tasks] == [], where
    assert world.dead == [], where
    if decision.name == "the first of two":
        assert [[each.by for each in one.approvals] for one in records] == [[ADA]], where
    return len(aim.seen)


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda one: one.name)
def test_a_decision_that_dies_between_two_calls_is_finished(begin: Begin, decision: Decision) -> None:
    """Rules, baseline and statuses are as without it, and nothing is left half done."""
    calls = run(begin, decision)
    for number in range(SHARE):
        run(begin, decision, Fault(kind="killed after", reach="call", at=(2 * number + 1) * calls // (2 * SHARE)))
