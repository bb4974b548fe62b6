"""Decisions that fit the risk, through both apps: approvals, hours, 0 approvals, denial by policy, asks, batches.

Each test plays one sentence of the contract from a recorded call to what is in force in the end, and presses buttons by
what stands on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from central.chalicelib.requests.record import Record
from shared.domain.rule import Rule
from tests.fault.accounts import POLICY, facts
from tests.fault.scenes import BASE, HTTPS, SSH, WEB, guarded, rule
from tests.fault.world import Begin, World, worlds

WORLD_SSH = rule(22, "for a moment", "0.0.0.0/0")
OWN = rule(443, "own network", "10.20.0.0/16")
TELNET = rule(23, "telnet", "0.0.0.0/0")
ADA, BOB, EVE = "U0ADA", "U0BOB", "U0EVE"

RULES = """
[[rules]]
match = { source = ["internet"], ports = ["22"], protocols = ["tcp"] }
approvals = 2
max_hours = 8

[[rules]]
match = { source = ["internet"], ports = ["23"] }
deny = "Telnet is never opened to the internet."

[[rules]]
match = { cidrs = ["10.20.0.0/16"], ports = ["443"], protocols = ["tcp"], kinds = ["add"] }
approvals = 0
"""
KEYS = "offer_hours = [2]\n"
BREAK_GLASS = """
[[rules]]
match = { cidrs = ["10.20.0.0/16"], ports = ["443"], protocols = ["tcp"], kinds = ["add"] }
approvals = 0
max_hours = 1
"""


@pytest.fixture(scope="module")
def begin() -> Iterator[Begin]:
    """Begins a run with a policy."""
    with worlds() as started:
        yield started


def opened(world: World, group: str, *rules: Rule) -> Record:
    """Ada opens ports in one call; the request that comes of it."""
    known = {one.request.request_id for one in world.accounts.records()}
    world.accounts.ada.opens(group, *rules)
    world.drain()
    (new,) = [one for one in world.accounts.records() if one.request.request_id not in known]
    return new


def record(world: World, request_id: str) -> Record:
    """The request as it is stored now."""
    return next(one for one in world.accounts.records() if one.request.request_id == request_id)


def live(world: World, group: str) -> frozenset[object]:
    """What is in force."""
    return frozenset(facts(world.accounts.ada.live(group)))


def test_two_people_open_ssh_to_the_world_for_eight_hours(begin: Begin) -> None:
    """One alone does not, nor twice the same; at its end the rule goes, and both channels hear of it."""
    world = begin(policy=KEYS + POLICY + RULES)
    group = guarded(world)
    asked = opened(world, group, WORLD_SSH)
    request_id = asked.request.request_id
    assert asked.status == "pending"
    assert world.labels(request_id) == ["Approve Add for 2 h", "Approve Add for 8 h", "Deny"]
    for _ in range(2):
        assert world.press(request_id, "Approve Add for 8 h", by=ADA) == 200
        world.drain()
    one = record(world, request_id)
    assert (one.status, [each.by for each in one.approvals]) == ("pending", [ADA])
    assert live(world, group) == facts(BASE)
    world.press(request_id, "Approve Add for 2 h", by=BOB)
    world.drain()
    done = record(world, request_id)
    assert (done.status, done.view.decided_by) == ("applied", BOB)
    assert live(world, group) == facts((*BASE, WORLD_SSH))
    assert done.valid_until is not None
    world.wait(hours=1)
    world.run_schedule("snapshotSecurityGroups")
    assert live(world, group) == facts((*BASE, WORLD_SSH))
    world.wait(hours=1, minutes=5)
    world.run_schedule("snapshotSecurityGroups")
    assert live(world, group) == facts(BASE)
    assert record(world, request_id).status == "ended"
    for channel in (world.accounts.slack.posts, world.monitoring):
        assert any(request_id in post.text and "nded" in post.text for post in channel)


def test_altered_hours_change_nothing_and_are_answered(begin: Begin) -> None:
    """For good, for longer than allowed, for what was not offered: the value alone decides nothing."""
    world = begin(policy=KEYS + POLICY + RULES)
    group = guarded(world)
    request_id = opened(world, group, WORLD_SSH).request.request_id
    (button, *_) = world.buttons(request_id)
    for hours in (9, 3, 8.5, "8", None, -1, True):
        value = {key: each for key, each in button.value.items() if key != "hours"}
        altered = value if hours is None else {**value, "hours": hours}
        world.press_button(replace(button, value=altered), by=ADA)
        world.drain()
    assert not record(world, request_id).approvals
    assert record(world, request_id).status == "pending"


def test_a_change_of_0_approvals_stays_and_is_told(begin: Begin) -> None:
    """It is never reverted, counts as approved, and monitoring hears of it; nobody is asked."""
    world = begin(policy=KEYS + POLICY + RULES)
    group = guarded(world)
    request = opened(world, group, OWN)
    assert (request.status, request.view.decided_by) == ("applied", "policy")
    assert live(world, group) == facts((*BASE, OWN))
    assert not [post for post in world.approval if request.request.request_id in post.text]
    assert [post for post in world.monitoring if request.request.request_id in post.text]
    world.wait(hours=1)
    world.run_schedule("snapshotSecurityGroups")
    assert live(world, group) == facts((*BASE, OWN))


def test_one_rule_outside_of_0_approvals_takes_the_whole_call_along(begin: Begin) -> None:
    """0 holds only if every rule of the call is inside."""
    world = begin(policy=KEYS + POLICY + RULES)
    group = guarded(world)
    assert opened(world, group, OWN, SSH).status == "pending"
    assert live(world, group) == facts(BASE)


def test_policy_denies_with_its_sentence(begin: Begin) -> None:
    """Nobody is asked; the sentence says why."""
    world = begin(policy=KEYS + POLICY + RULES)
    group = guarded(world)
    request = opened(world, group, TELNET)
    assert (request.status, request.view.decided_by) == ("denied", "policy")
    assert "Telnet is never opened to the internet." in request.request.reason
    assert live(world, group) == facts(BASE)


def test_break_glass_holds_for_its_time_and_is_asked_after_it(begin: Begin) -> None:
    """0 approvals and max_hours: open at once, closed at the end, then a question; no redelivery starts it again."""
    world = begin(policy=KEYS + POLICY + BREAK_GLASS)
    group = guarded(world)
    request = opened(world, group, OWN)
    request_id = request.request.request_id
    assert request.status == "applied"
    assert live(world, group) == facts((*BASE, OWN))
    world.wait(hours=1, minutes=5)
    world.run_schedule("snapshotSecurityGroups")
    assert live(world, group) == facts(BASE)
    assert record(world, request_id).status == "ended"
    again = record(world, f"{request_id}-ended")
    assert (again.status, again.request.origin) == ("pending", "ended")
    world.deliver("revertSecurityGroup", world.events_named("AuthorizeSecurityGroupIngress")[-1])
    world.drain()
    assert live(world, group) == facts(BASE)
    assert opened(world, group, replace(OWN, description="once more")).status == "pending"
    assert live(world, group) == facts(BASE)


ASKS = "ask_by_dry_run = true\n"


def test_a_dry_run_asks_and_is_made_once_approved(begin: Begin) -> None:
    """Nothing is open before, and never by the requester's own approval."""
    people = '[people]\n"arn:aws:iam::*:user/ada" = "U0ADA"\n'
    world = begin(policy=ASKS + KEYS + POLICY + people)
    group = guarded(world)
    world.accounts.ada.asks_for(group, SSH)
    world.drain()
    (request,) = world.accounts.records()
    assert (request.status, request.request.origin) == ("pending", "ask")
    assert live(world, group) == facts(BASE)
    world.press(request.request.request_id, "Approve Add", by=ADA)
    world.drain()
    assert record(world, request.request.request_id).status == "pending"
    world.press(request.request.request_id, "Approve Add", by=BOB)
    world.drain()
    assert record(world, request.request.request_id).status == "applied"
    assert live(world, group) == facts((*BASE, SSH))


GATHERED = POLICY.replace("gather_seconds = 0", "gather_seconds = 30")


def closed_batch(world: World) -> str:
    """Let the batch close and be asked; its id."""
    world.wait(seconds=61)
    world.run_schedule("sweepRequests")
    ids = [button.value["requestId"] for post in world.approval for button in world.buttons_of(post)]
    return next(one for one in reversed(ids) if one.startswith("batch#"))


def test_a_stack_of_calls_is_one_question(begin: Begin) -> None:
    """Fifty calls over three groups: at most four messages in each channel; all of it is applied."""
    world = begin(policy=GATHERED)
    groups = [guarded(world), world.accounts.new_group(name="second"), world.accounts.new_group(name="third")]
    world.drain()
    world.accounts.slack.posts.clear()
    rules = [rule(9000 + number, f"service {number}") for number in range(50)]
    for number, one in enumerate(rules):
        world.accounts.ada.opens(groups[number % 3], one)
    world.drain()
    batch = closed_batch(world)
    assert sorted(world.labels(batch)) == ["Approve All", "Ask One by One", "Deny All"]
    world.press(batch, "Approve All", by=BOB)
    world.drain()
    assert {one.status for one in world.accounts.records()} == {"applied"}
    for position, group in enumerate(groups):
        wanted = [one for number, one in enumerate(rules) if number % 3 == position]
        assert facts(wanted) <= live(world, group)
    world.wait(minutes=6)
    world.run_schedule("sweepRequests")
    for channel in (world.approval, world.monitoring):
        assert len([post for post in channel if "(part" not in post.text]) <= 4


def test_in_line_rules_of_terraform_are_one_edit(begin: Begin) -> None:
    """Revoke and Authorize with another description: one question, and approving it only describes the rule."""
    world = begin(policy=GATHERED)
    group = guarded(world)
    world.accounts.ada.closes_by_values(group, HTTPS)
    world.accounts.ada.opens(group, replace(HTTPS, description="described by terraform"))
    world.drain()
    batch = closed_batch(world)
    world.press(batch, "Approve All", by=BOB)
    world.drain()
    assert live(world, group) == facts((replace(HTTPS, description="described by terraform"), WEB))
    assert "error" not in {one.status for one in world.accounts.records()}


def test_what_cancels_out_asks_nothing(begin: Begin) -> None:
    """Opened and closed again: superseded, told with its rules in both channels, and nothing can be approved."""
    world = begin(policy=GATHERED)
    group = guarded(world)
    world.accounts.ada.closes_by_values(group, HTTPS)
    world.accounts.ada.opens(group, HTTPS)
    world.drain()
    world.wait(seconds=61)
    world.run_schedule("sweepRequests")
    records = world.accounts.records()
    assert {one.status for one in records} <= {"expired", "observed"}
    assert live(world, group) == facts(BASE)


def test_the_first_buttons_of_a_batch_change_nothing(begin: Begin) -> None:
    """From the second request on, Deny included; they say that a question for all replaces it."""
    world = begin(policy=GATHERED)
    group = guarded(world)
    first = opened(world, group, SSH)
    opened(world, group, rule(8080, "next"))
    for label in ("Approve Add", "Deny"):
        world.press(first.request.request_id, label, by=BOB)
        world.drain()
    assert {one.status for one in world.accounts.records()} == {"pending"}
    assert not any(one.approvals for one in world.accounts.records())
    assert any("asked by" in post.text for post in world.responses)


def test_deny_all_denies_each(begin: Begin) -> None:
    """With who did it."""
    world = begin(policy=GATHERED)
    group = guarded(world)
    opened(world, group, SSH)
    opened(world, group, rule(8080, "next"))
    world.press(closed_batch(world), "Deny All", by=BOB)
    world.drain()
    assert {(one.status, one.view.decided_by) for one in world.accounts.records()} == {("denied", BOB)}
    assert live(world, group) == facts(BASE)


def test_one_by_one_asks_each(begin: Begin) -> None:
    """Each has its own buttons then, and is applied alone."""
    world = begin(policy=GATHERED)
    group = guarded(world)
    first = opened(world, group, SSH)
    second = opened(world, group, rule(8080, "next"))
    world.press(closed_batch(world), "Ask One by One", by=BOB)
    world.drain()
    world.wait(minutes=2)
    world.run_schedule("sweepRequests")
    world.press(second.request.request_id, "Approve Add", by=BOB)
    world.press(first.request.request_id, "Deny", by=BOB)
    world.drain()
    statuses = {one.request.request_id: one.status for one in world.accounts.records()}
    assert statuses == {first.request.request_id: "denied", second.request.request_id: "applied"}
