"""Every defect that the fault tests found, each as the shortest story that showed it.

Those that other tests found have their names in docs/reliability.md.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fault.accounts import facts
from tests.fault.flows import PENDING, Story, ends
from tests.fault.judging import settle, violations
from tests.fault.scenes import BASE, HTTPS, MOVED, SSH, WEB, guarded, rule
from tests.fault.world import Begin


# Backwards, nobody knows the new rule when the edit of it comes: it is closed, and the snapshot puts it back.
@pytest.mark.parametrize(("is_backwards", "requests"), [(False, 1), (True, 2)])
def test_a_rule_the_pipeline_made_anew_survives_an_edit_of_it_within_the_same_second(
    begin: Begin, is_backwards: bool, requests: int
) -> None:
    """CloudTrail tells seconds apart, not less; but the new rule's id says that it was made after the old one went."""
    world = begin()
    group = guarded(world)
    world.clock.passed = float(int(world.clock.passed) + 1)
    renewed = replace(HTTPS, description="renewed")
    world.accounts.pipeline.closes(group, HTTPS)
    world.accounts.pipeline.opens(group, renewed)
    world.accounts.ada.edits(group, renewed, MOVED)
    assert len({event["detail"]["eventTime"] for event in world.events[-3:]}) == 1
    world.is_backwards = is_backwards
    world.drain()
    settle(world)
    assert violations(world, group, ends((renewed, WEB), *[PENDING] * requests)) == []


def test_a_lost_change_that_is_made_again_at_once_is_found_again(begin: Begin) -> None:
    """A difference that was reverted is over: the same one, seen by the next snapshot, is a new one."""
    world = begin()
    group = guarded(world)
    world.passes = lambda _event: None
    for _ in range(2):
        world.accounts.ada.opens(group, SSH)
        for _ in range(2):
            world.wait(minutes=20)
            world.run_schedule("snapshotSecurityGroups")
    settle(world)
    assert violations(world, group, ends(BASE, PENDING, PENDING)) == []


def test_an_event_redriven_days_later_still_gives_approvers_their_time(begin: Begin) -> None:
    """Its request expires 72 hours after it was stored, not after the change: it would have expired unseen."""
    world = begin()
    group = guarded(world)
    world.accounts.ada.opens(group, SSH)
    (late,) = world.hold("revertSecurityGroup")
    world.wait(hours=100)
    world.deliver("revertSecurityGroup", late.event)
    world.drain()
    settle(world)
    assert violations(world, group, ends(BASE, PENDING)) == []


def test_a_rule_restored_while_its_edit_was_on_the_way_does_not_keep_the_edited_one(begin: Begin) -> None:
    """The pipeline edits a rule twice; a no-op of Ada's on it, heard in between, restores it under another id."""
    world = begin()
    group = guarded(world)
    pipeline, ada = world.accounts.pipeline, world.accounts.ada
    ada.describes(group, HTTPS)
    world.wait(seconds=2)
    pipeline.edits(group, HTTPS, MOVED)
    world.drain()
    assert HTTPS in ada.live(group), "this is the story: it was missing, and approved as far as anybody had heard"
    world.wait(seconds=2)
    pipeline.edits(group, MOVED, SSH)
    world.drain()
    settle(world)
    assert facts(ada.live(group)) == facts((SSH, WEB))


def test_a_rule_whose_place_another_one_took_keeps_its_id_when_the_edit_is_heard(begin: Begin) -> None:
    """The pipeline moves a rule away and another into its place; a revert in between lends the newcomer's id to it."""
    world = begin()
    group = guarded(world)
    pipeline, ada, other = world.accounts.pipeline, world.accounts.ada, rule(25)
    pipeline.edits(group, HTTPS, SSH)
    world.wait(seconds=1)
    pipeline.opens(group, other)
    world.wait(seconds=1)
    pipeline.edits(group, other, rule(443))
    ada.closes(group, SSH)
    ada.edits(group, WEB, rule(80))
    world.deliver_next(len(world.waiting) - 1)
    world.drain()
    settle(world)
    assert facts(ada.live(group)) == facts((SSH, rule(443), WEB))


def test_an_approved_edit_does_not_take_the_approval_of_a_rule_whose_id_it_uses(begin: Begin) -> None:
    """One rule is edited away, another into its place, and the first edit is approved before the second is heard of."""
    world = begin()
    group = guarded(world)
    ada, grace = world.accounts.ada, world.accounts.grace
    ada.edits(group, HTTPS, MOVED)
    grace.edits(group, WEB, rule(443))
    first, late = world.hold("revertSecurityGroup")
    world.deliver("revertSecurityGroup", first.event)
    world.drain()
    (asked,) = world.accounts.records()
    world.click(asked.request.request_id, "approve")
    world.drain()
    world.deliver("revertSecurityGroup", late.event)
    world.drain()
    settle(world)
    assert facts(ada.live(group)) == facts((MOVED, WEB))


def test_what_the_pipeline_edits_and_makes_anew_is_approved_in_any_order(begin: Begin) -> None:
    """An edit that is heard of after its rule's place was taken again was lost, and its rule reverted as drift."""
    for is_backwards in (False, True):
        world = begin()
        group = guarded(world)
        pipeline = world.accounts.pipeline
        pipeline.edits(group, HTTPS, MOVED)
        world.wait(seconds=1)
        anew = replace(HTTPS, description="anew")
        pipeline.opens(group, anew)
        world.is_backwards = is_backwards
        world.drain()
        settle(world)
        assert violations(world, group, ends((anew, MOVED, WEB))) == []


def test_a_pipelines_new_rule_that_was_edited_into_a_removed_ones_place_does_not_replace_it(begin: Begin) -> None:
    """The revert of the removal finds the rule in force under the new rule's id, and has not heard of the new rule."""
    world = begin()
    group = guarded(world)
    ada, pipeline = world.accounts.ada, world.accounts.pipeline
    ada.closes(group, HTTPS)
    world.wait(seconds=1)
    pipeline.opens(group, SSH)
    ada.edits(group, SSH, rule(443))
    world.drain()
    settle(world)
    assert violations(world, group, ends((*BASE, SSH), PENDING, PENDING)) == []


def test_an_edit_of_a_rule_that_was_described_before_is_all_that_is_asked(begin: Begin) -> None:
    """Approved alone, the description would be what nobody wants any more: its question says that it was cancelled."""
    world = begin()
    group = guarded(world)
    described = replace(HTTPS, description="described")
    world.accounts.ada.describes(group, described)
    world.accounts.ada.edits(group, described, MOVED)
    world.drain()
    settle(world)
    first, second = sorted(world.accounts.records(), key=lambda one: one.request.event_time)
    assert (first.superseded_by, first.status, second.status) == (second.request.request_id, "expired", "pending")
    superseded = Story(path=("pending", "expired"), ledger="reverted", by="")
    assert violations(world, group, ends(BASE, PENDING, superseded)) == []
    world.click(second.request.request_id, "approve")
    world.drain()
    assert facts(world.accounts.ada.live(group)) == facts((MOVED, WEB))
