"""Events and messages that come twice, in another order, after the decision, or a day later."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.fault import scenes
from tests.fault.accounts import facts
from tests.fault.flows import APPROVED, FLOWS, PENDING, Flow, ends
from tests.fault.judging import settle, violations
from tests.fault.scenes import BASE, SSH, TELNET, asked, guarded, only_request
from tests.fault.world import Begin, World
from tests.support.slack_stand_in import Post


def played(begin: Begin, flow: Flow, *, copies: int = 1, backwards: bool = False) -> tuple[World, str]:
    """Play a flow to its end in a world that delivers in its own way."""
    world = begin(policy=flow.policy)
    world.settings = flow.settings
    group = flow.prepare(world)
    world.copies, world.is_backwards = copies, backwards
    flow.play(world, group)
    settle(world)
    return world, group


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_everything_delivered_twice_ends_like_everything_delivered_once(begin: Begin, flow: Flow) -> None:
    """EventBridge and SNS deliver at least once: a second copy of each event and message changes nothing."""
    world, group = played(begin, flow, copies=2)
    assert violations(world, group, flow.end) == []


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_what_waits_together_may_be_delivered_in_any_order(begin: Begin, flow: Flow) -> None:
    """With two copies of everything and the newest delivered first, the end is the same."""
    world, group = played(begin, flow, copies=2, backwards=True)
    assert violations(world, group, flow.end) == []


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_everything_redriven_a_day_later_changes_nothing(begin: Begin, flow: Flow) -> None:
    """Every event and message of a flow, handed to its function once more on the next day, finds its work done."""
    world, group = played(begin, flow)
    told = len(about_changes(world))
    world.wait(hours=24)
    for delivery in list(world.delivered):
        world.deliver(delivery.function, delivery.event)
    world.drain()
    # A request may have been refused for good (it arrives after its end): that is a dead letter, and all it is.
    world.dead.clear()
    settle(world)
    wrong = [one for one in violations(world, group, flow.end) if not one.startswith("dead letter")]
    assert wrong == []
    reminders = sum(1 for story in flow.end.stories if story.status == "pending" and flow.name != "sweep reminds")
    assert len(about_changes(world)) <= told + reminders


def about_changes(world: World) -> list[Post]:
    """What both channels were told, but that the member was silent for a day."""
    return [post for post in world.accounts.slack.posts if "heartbeat" not in post.payload["text"]]


def test_an_event_delivered_again_after_the_approval_leaves_the_approved_rules_alone(begin: Begin) -> None:
    """The event of an addition that was approved meanwhile does not revert the addition."""
    world = begin()
    group = asked(scenes.adds)(world)
    (event,) = [event for event in world.events if event["detail"]["userIdentity"]["arn"] == world.accounts.ada.arn]
    world.click(only_request(world), "approve")
    world.drain()
    world.deliver("revertSecurityGroup", event)
    world.drain()
    settle(world)
    assert violations(world, group, ends((*BASE, SSH, TELNET), APPROVED)) == []


def test_an_event_that_comes_hours_late_is_reverted_and_asked(begin: Begin) -> None:
    """The snapshot was there first: it reverted the rules and asked; the late event asks under its own id."""
    world = begin()
    group = guarded(world)
    scenes.adds(world, group)
    (late,) = world.hold("revertSecurityGroup")
    for _ in range(3):
        world.run_schedule("snapshotSecurityGroups")
        world.wait(minutes=10)
    assert facts(world.accounts.ada.live(group)) == facts(BASE)
    world.wait(hours=3)
    world.deliver("revertSecurityGroup", late.event)
    world.drain()
    settle(world)
    assert violations(world, group, ends(BASE, PENDING, PENDING)) == []


def test_an_approval_redriven_a_day_later_is_carried_out(begin: Begin) -> None:
    """The member's function was broken when the approval came; repaired and redriven on the next day, it applies."""
    world = begin()
    group = asked(scenes.adds)(world)
    world.click(only_request(world), "approve")
    world.settings = {"centralAccountId": "none"}
    world.drain()
    assert [letter.function for letter in world.dead] == ["applySecurityGroupChange"]
    world.settings = {}
    world.wait(hours=24)
    world.redrive()
    world.drain()
    settle(world)
    assert violations(world, group, ends((*BASE, SSH, TELNET), APPROVED)) == []


def test_messages_that_overtake_each_other_end_in_the_newest_state(begin: Begin) -> None:
    """The outcome of an approval arrives while the announcement of its request is still being retried."""
    world = begin()
    group = asked(scenes.adds)(world)
    filed = [one for one in world.delivered if one.function == "securityGroupChange"]
    world.click(only_request(world), "approve")
    for one in filed:
        world.deliver(one.function, one.event, after=timedelta(seconds=10))
    world.drain()
    settle(world)
    assert violations(world, group, ends((*BASE, SSH, TELNET), APPROVED)) == []
