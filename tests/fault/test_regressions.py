"""Every defect that the fault tests found, each as the shortest story that showed it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fault.flows import PENDING, ends
from tests.fault.judging import settle, violations
from tests.fault.scenes import BASE, HTTPS, MOVED, SSH, WEB, guarded
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
    """A difference that was taken back is over: the same one, seen by the next snapshot, is a new one."""
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
