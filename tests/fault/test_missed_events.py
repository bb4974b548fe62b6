"""Changes whose events never arrive: the scheduled snapshot finds them, and nobody is named who was not seen."""

from __future__ import annotations

import pytest

from tests.fault import scenes
from tests.fault.accounts import POLICY, facts
from tests.fault.flows import APPROVED, PENDING, End, Story, ends
from tests.fault.judging import settle, violations
from tests.fault.scenes import BASE, HTTPS, MOVED, SSH, TELNET, WEB, guarded, only_request
from tests.fault.world import Begin, World

FAILED = Story(path=("pending", "approved", "error"), ledger="error", by="U061F7AUR")


def lose_events(world: World) -> None:
    """Let CloudTrail lose everything from now on."""
    world.passes = lambda _event: None


def snapshot_after(world: World, minutes: float) -> None:
    """Let time pass, and then the schedule fire."""
    world.wait(minutes=minutes)
    world.run_schedule("snapshotSecurityGroups")


def test_a_difference_is_reverted_and_asked_after_the_grace_period(begin: Begin) -> None:
    """A late event has fifteen minutes to come first; then the rules are closed, and a request without author asks."""
    world = begin()
    group = guarded(world)
    lose_events(world)
    scenes.adds(world, group)
    snapshot_after(world, 1)
    snapshot_after(world, 10)
    assert facts(world.accounts.ada.live(group)) == facts((*BASE, SSH, TELNET))
    assert world.accounts.records() == []
    snapshot_after(world, 10)
    assert facts(world.accounts.ada.live(group)) == facts(BASE)
    (record,) = world.accounts.records()
    request = record.request
    assert (request.origin, request.requester, request.event_name) == ("snapshot", None, "")
    assert "ada" not in "".join(post.text for post in (*world.approval, *world.monitoring))
    settle(world)
    assert violations(world, group, ends(BASE, PENDING)) == []


def test_an_event_that_comes_within_the_grace_period_is_the_only_one_to_ask(begin: Begin) -> None:
    """The snapshot saw the difference first, and leaves it to the event, which knows the author."""
    world = begin()
    group = guarded(world)
    scenes.adds(world, group)
    (late,) = world.hold("revertSecurityGroup")
    snapshot_after(world, 1)
    world.wait(minutes=10)
    world.deliver("revertSecurityGroup", late.event)
    world.drain()
    settle(world)
    (record,) = world.accounts.records()
    assert record.request.requester is not None
    assert record.request.requester.arn == world.accounts.ada.arn
    assert violations(world, group, ends(BASE, PENDING)) == []


def test_what_a_snapshot_found_can_be_approved(begin: Begin) -> None:
    """A request without author is one like all others: approved, it comes into force, and stays."""
    world = begin()
    group = guarded(world)
    lose_events(world)
    world.accounts.ada.opens(group, SSH)
    world.accounts.ada.edits(group, HTTPS, MOVED)
    snapshot_after(world, 1)
    snapshot_after(world, 20)
    world.passes = lambda event: event
    world.click(only_request(world), "approve")
    world.drain()
    settle(world)
    assert violations(world, group, ends((MOVED, WEB, SSH), APPROVED)) == []


def test_a_lost_change_of_an_exempt_principal_is_reverted_and_asked(begin: Begin) -> None:
    """Nobody knows who it was; so it is asked, without an author."""
    world = begin()
    group = guarded(world)
    lose_events(world)
    world.accounts.pipeline.closes(group, WEB)
    snapshot_after(world, 1)
    snapshot_after(world, 20)
    settle(world)
    (record,) = world.accounts.records()
    assert record.request.requester is None
    assert violations(world, group, ends(BASE, PENDING)) == []


def test_where_policy_says_report_a_difference_is_shown_once_and_left(begin: Begin) -> None:
    """Group and baseline stay as they are, and monitoring gets one message."""
    world = begin(policy='drift = "report"\n' + POLICY)
    group = guarded(world)
    lose_events(world)
    world.accounts.ada.opens(group, SSH)
    for _ in range(6):
        snapshot_after(world, 20)
    assert len(world.monitoring) == 1
    observed = Story(path=("observed",), ledger="observed")
    assert violations(world, group, ends((*BASE, SSH), observed, approved=BASE)) == []


def test_differences_of_several_groups_become_a_request_each(begin: Begin) -> None:
    """One snapshot finds them all; no group hides another."""
    world = begin()
    group = guarded(world)
    others = [world.accounts.new_group(name=f"other-{number}") for number in range(5)]
    world.drain()
    lose_events(world)
    for one in (group, *others):
        world.accounts.ada.opens(one, SSH)
    snapshot_after(world, 1)
    snapshot_after(world, 20)
    settle(world)
    assert {record.request.group_id for record in world.accounts.records()} == {group, *others}
    assert [one for one in others if world.accounts.ada.live(one)] == []
    assert violations(world, group, ends(BASE, *[PENDING] * 6)) == []


def test_a_change_made_again_after_it_was_found_is_a_request_of_its_own(begin: Begin) -> None:
    """The second loss of the same change is not taken for the first one."""
    world = begin()
    group = guarded(world)
    lose_events(world)
    for _ in range(2):
        world.accounts.ada.opens(group, SSH)
        snapshot_after(world, 1)
        snapshot_after(world, 20)
    settle(world)
    assert violations(world, group, ends(BASE, PENDING, PENDING)) == []


def test_the_rules_of_a_group_never_heard_of_are_part_of_the_picture_from_the_first_snapshot_on(begin: Begin) -> None:
    """Neither its making nor its rules were heard of: the first sight learns them, what comes later is asked."""
    world = begin()
    lose_events(world)
    group = world.accounts.new_group(world.accounts.ada)
    world.accounts.ada.opens(group, *BASE)
    snapshot_after(world, 1)
    world.passes = lambda event: event
    scenes.adds(world, group)
    world.drain()
    settle(world)
    assert violations(world, group, ends(BASE, PENDING)) == []


def test_a_group_whose_making_was_heard_of_starts_without_rules(begin: Begin) -> None:
    """The event of the making is the baseline: rules whose own event got lost are found as a difference from it."""
    world = begin()
    world.run_schedule("snapshotSecurityGroups")
    group = world.accounts.new_group(world.accounts.ada)
    world.drain()
    lose_events(world)
    world.accounts.ada.opens(group, SSH)
    snapshot_after(world, 1)
    snapshot_after(world, 20)
    settle(world)
    assert violations(world, group, ends((), PENDING)) == []


@pytest.mark.parametrize("is_heard", [True, False])
def test_a_request_about_a_group_that_was_deleted_ends_as_an_error_that_says_so(begin: Begin, is_heard: bool) -> None:
    """Whether or not the deletion was heard of: the approval finds no group, and both channels learn it."""
    world = begin()
    group = scenes.asked(scenes.adds)(world)
    if not is_heard:
        lose_events(world)
    world.accounts.ada.ec2.delete_security_group(GroupId=group)
    world.drain()
    snapshot_after(world, 10)
    world.click(only_request(world), "approve")
    world.drain()
    settle(world)
    (record,) = world.accounts.records()
    assert record.view.error_code == "InvalidGroup.NotFound"
    assert violations(world, group, End(rules=None, stories=(FAILED,), is_forgotten=is_heard)) == []
