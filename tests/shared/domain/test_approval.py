"""Approved changes that get stuck: from wherever a plan stopped there is a way on, and a way back to the beginning."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from shared.domain.approval import is_in_force, obstacle, way_back, what_is_left
from shared.domain.change import Modification, by_identity, diff, make_change
from shared.domain.plan import make_plan
from shared.domain.rule import Rule, cidr, make_rule
from tests.support import strategies
from tests.support.group_model import GroupModel

States = tuple[tuple[Rule, ...], tuple[Rule, ...]]


@st.composite
def stuck(draw: st.DrawFn) -> tuple[States, GroupModel]:
    """A group before and as it should be after a change, and the group after some steps of the change's plan."""
    states = draw(strategies.before_and_after(with_id=True))
    plan = make_plan(diff(*states))
    group = GroupModel(states[0])
    group.run(plan[: draw(st.integers(0, len(plan)))])
    return states, group


@given(stuck())
def test_what_was_done_of_a_change_can_be_taken_back(case: tuple[States, GroupModel]) -> None:
    """Nothing is applied by halves: the way back leads to the rules from before, descriptions included."""
    (before, after), group = case
    change = diff(before, after)
    assert obstacle(change, before) is None
    group.run(make_plan(way_back(change, group.rules)))
    assert by_identity(group.rules) == by_identity(before)


def test_rules_that_moved_up_one_after_the_other_move_back() -> None:
    """Port 1 became 2 and 2 became 3: what stands at 2 now is not the rule from before."""
    one, two, three = (
        make_rule(direction="ingress", protocol="tcp", from_port=port, to_port=port, source=cidr("10.0.0.0/8"))
        for port in (1, 2, 3)
    )
    before = (replace(one, rule_id="sgr-1"), replace(two, rule_id="sgr-2"))
    change = make_change(
        modified=[Modification(before=before[0], after=two), Modification(before=before[1], after=three)]
    )
    group = GroupModel(before)
    group.run(make_plan(change))
    group.run(make_plan(way_back(change, group.rules)))
    assert [(one.identity, one.rule_id) for one in group.rules] == [(one.identity, one.rule_id) for one in before]


@given(stuck())
def test_a_change_that_was_begun_can_be_finished(case: tuple[States, GroupModel]) -> None:
    """What is left of it, done, gives the whole change; then nothing is left."""
    (before, after), group = case
    change = diff(before, after)
    left = what_is_left(change, group.rules)
    assume(obstacle(left, group.rules) is None)  # stopped between taking a rule away and making it anew: goes back
    group.run(make_plan(left))
    assert by_identity(group.rules) == by_identity(after)
    assert is_in_force(change, group.rules)


def test_an_edit_cannot_be_applied_into_a_place_that_is_taken() -> None:
    """The approver saw one rule change, not two become one; EC2's code says which obstacle it is."""
    one, two = (
        make_rule(direction="ingress", protocol="tcp", from_port=port, to_port=port, source=cidr("10.0.0.0/8"))
        for port in (1, 2)
    )
    change = make_change(modified=[Modification(before=one, after=two)])
    found = [obstacle(change, live) for live in ((one, two), (two,), (replace(one, description="else"),), (one,))]
    assert [one and one.code for one in found] == [
        "InvalidPermission.Duplicate",
        "InvalidPermission.NotFound",
        "InvalidPermission.NotFound",
        None,
    ]


def test_what_is_there_already_or_gone_already_is_an_obstacle() -> None:
    """An addition that exists and a removal that does not: told with EC2's own codes, and nothing is done."""
    one = make_rule(direction="ingress", protocol="tcp", from_port=1, to_port=1, source=cidr("10.0.0.0/8"))
    duplicate, missing = obstacle(make_change(added=[one]), (one,)), obstacle(make_change(removed=[one]), ())
    assert duplicate is not None
    assert missing is not None
    assert (duplicate.code, missing.code) == ("InvalidPermission.Duplicate", "InvalidPermission.NotFound")
