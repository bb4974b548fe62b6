"""Approved changes: what is left of one, what is in its way, and what undoes the part that was applied."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from member.chalicelib.assessment.conflicts import conflict, rollback, what_is_left
from member.chalicelib.ec2.plan import make_plan
from member.chalicelib.rule_set import RuleSet
from shared.domain.change import Modification, by_identity, diff, make_change
from shared.domain.rule import Rule, cidr, make_rule
from tests.support import strategies
from tests.support.examples import ids, tcp
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
def test_what_was_applied_of_a_change_can_be_rolled_back(case: tuple[States, GroupModel]) -> None:
    """Nothing is partially applied: the rollback leads to the rules from before, descriptions included."""
    (before, after), group = case
    change = diff(before, after)
    assert conflict(change, RuleSet(before)) is None
    group.run(make_plan(rollback(change, RuleSet(group.rules))))
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
    group.run(make_plan(rollback(change, RuleSet(group.rules))))
    assert [(one.identity, one.rule_id) for one in group.rules] == [(one.identity, one.rule_id) for one in before]


@given(stuck())
def test_a_change_that_was_begun_can_be_finished(case: tuple[States, GroupModel]) -> None:
    """What is left of it, done, gives the whole change; then nothing is left."""
    (before, after), group = case
    change = diff(before, after)
    left = what_is_left(change, RuleSet(group.rules))
    assume(conflict(left, RuleSet(group.rules)) is None)  # stopped while a rule was being replaced: it is rolled back
    group.run(make_plan(left))
    assert by_identity(group.rules) == by_identity(after)
    assert what_is_left(change, RuleSet(group.rules)).is_empty


def test_an_edit_cannot_be_applied_into_a_place_that_is_taken() -> None:
    """The approver saw one rule change, not two become one; EC2's code says which conflict it is."""
    one, two = (
        make_rule(direction="ingress", protocol="tcp", from_port=port, to_port=port, source=cidr("10.0.0.0/8"))
        for port in (1, 2)
    )
    change = make_change(modified=[Modification(before=one, after=two)])
    found = [
        conflict(change, RuleSet(live)) for live in ((one, two), (two,), (replace(one, description="else"),), (one,))
    ]
    assert [one and one.code for one in found] == [
        "InvalidPermission.Duplicate",
        "InvalidPermission.NotFound",
        "InvalidPermission.NotFound",
        None,
    ]


def test_what_is_there_or_gone_already_is_a_conflict() -> None:
    """An addition that exists and a removal that does not: both have EC2's own codes, and nothing is done."""
    one = make_rule(direction="ingress", protocol="tcp", from_port=1, to_port=1, source=cidr("10.0.0.0/8"))
    duplicate, missing = (
        conflict(make_change(added=[one]), RuleSet([one])),
        conflict(make_change(removed=[one]), RuleSet()),
    )
    assert duplicate is not None
    assert missing is not None
    assert (duplicate.code, missing.code) == ("InvalidPermission.Duplicate", "InvalidPermission.NotFound")


def test_what_is_not_in_force_yet_is_left_under_the_ids_of_now() -> None:
    """What is done already is not done again: EC2 would refuse it, and the whole call with it."""
    change = make_change(
        added=[tcp(1), tcp(2, description="web")],
        removed=[tcp(3, "sgr-3"), tcp(4, "sgr-4")],
        modified=[
            Modification(before=tcp(5, "sgr-5"), after=tcp(6)),
            Modification(before=tcp(7, "sgr-7"), after=tcp(8)),
        ],
    )
    left = what_is_left(change, RuleSet([tcp(2, "sgr-2"), tcp(4, "sgr-44"), tcp(6, "sgr-5"), tcp(7, "sgr-77")]))
    assert (left.added, ids(*left.removed)) == ((tcp(1),), ids(tcp(4, "sgr-44")))
    assert [(one.before.rule_id, one.after) for one in left.modified] == [("sgr-77", tcp(8))]


def test_a_new_description_is_left_until_the_rule_has_it() -> None:
    """Before and after stand in the same place, so that the text alone says whether it is done."""
    change = make_change(modified=[Modification(before=tcp(1), after=tcp(1, description="web"))])
    assert what_is_left(change, RuleSet([tcp(1)])) == change
    assert what_is_left(change, RuleSet([tcp(1, description="web")])).is_empty


def test_an_edit_is_done_though_another_one_of_the_change_took_its_old_place() -> None:
    """Port 1 became 2 and 2 became 3; a rule at 1 or an foreign one at 2 would say otherwise."""
    change = make_change(
        modified=[Modification(before=tcp(1), after=tcp(2)), Modification(before=tcp(2), after=tcp(3))]
    )
    assert what_is_left(change, RuleSet([tcp(2), tcp(3)])).is_empty
    assert not what_is_left(change, RuleSet([tcp(1), tcp(2), tcp(3)])).is_empty
    assert not what_is_left(change, RuleSet([tcp(2, description="else"), tcp(3)])).is_empty


def test_an_edit_of_a_rule_that_vanished_is_left_as_it_was_approved() -> None:
    """It cannot be done any more; the conflict says so."""
    change = make_change(modified=[Modification(before=tcp(1, "sgr-1"), after=tcp(2))])
    left = what_is_left(change, RuleSet())
    assert left == change
    found = conflict(left, RuleSet())
    assert found is not None
    assert "is no longer as it was shown" in found.reason


def test_the_rollback_undoes_what_was_done_and_nothing_else() -> None:
    """Additions that came go, removals that went come back, edits that were made are edited back."""
    change = make_change(
        added=[tcp(1), tcp(2)],
        removed=[tcp(3), tcp(4)],
        modified=[
            Modification(before=tcp(5, "sgr-5"), after=tcp(6)),
            Modification(before=tcp(7, "sgr-7"), after=tcp(8)),
        ],
    )
    back = rollback(change, RuleSet([tcp(2, "sgr-2"), tcp(4), tcp(6, "sgr-5"), tcp(7, "sgr-7")]))
    assert (back.added, ids(*back.removed)) == ((tcp(3),), ids(tcp(2, "sgr-2")))
    assert [(one.before.rule_id, one.after) for one in back.modified] == [("sgr-5", tcp(5))]


@pytest.mark.parametrize(("mine", "foreign"), [(None, None), ("sgr-1", "sgr-2")], ids=["no ids known", "another id"])
def test_somebody_elses_rule_in_the_new_place_of_an_edit_is_not_taken_for_it(
    mine: str | None, foreign: str | None
) -> None:
    """The rule to edit is still where it was: nothing has been done."""
    change = make_change(modified=[Modification(before=tcp(1, mine), after=tcp(2))])
    assert rollback(change, RuleSet([tcp(1, mine), tcp(2, foreign)])).is_empty


def test_a_new_description_that_was_set_is_rolled_back() -> None:
    """The rule stands where it was, so only its text says so."""
    change = make_change(modified=[Modification(before=tcp(1), after=tcp(1, description="web"))])
    back = rollback(change, RuleSet([tcp(1, "sgr-1", description="web")]))
    assert [(one.before.description, one.after.description) for one in back.modified] == [("web", "")]
    assert rollback(change, RuleSet([tcp(1, "sgr-1")])).is_empty


def test_an_foreign_rule_in_the_new_place_is_not_edited_back() -> None:
    """The edited rule is gone; what stands there has another text, so it is somebody else's."""
    change = make_change(modified=[Modification(before=tcp(1), after=tcp(2))])
    back = rollback(change, RuleSet([tcp(2, "sgr-9", description="else")]))
    assert (back.added, back.modified) == ((tcp(1),), ())


def test_a_rule_with_another_description_is_not_the_added_one() -> None:
    """What the approver saw is not in force; EC2 will say that there is one already."""
    change = make_change(added=[tcp(1, description="web")])
    live = RuleSet([tcp(1, description="else")])
    assert what_is_left(change, live) == change
    assert rollback(change, live).is_empty


def test_a_rule_removed_to_be_replaced_is_restored() -> None:
    """An edit in two steps that stopped after the first leaves neither the old rule nor the new one."""
    change = make_change(modified=[Modification(before=tcp(1), after=tcp(2))])
    assert rollback(change, RuleSet()).added == (tcp(1),)
    assert rollback(change, RuleSet([tcp(1, description="else")])).is_empty  # somebody else's edit is not ours to undo


def test_a_change_that_still_fits_meets_no_conflict() -> None:
    """What is to come is not there, what is to go or be edited is as it was shown."""
    change = make_change(
        added=[tcp(1), tcp(2)],
        removed=[tcp(3), tcp(4)],
        modified=[Modification(before=tcp(5), after=tcp(6)), Modification(before=tcp(7), after=tcp(8))],
    )
    assert conflict(change, RuleSet(tcp(port) for port in (3, 4, 5, 7))) is None


def test_an_edit_into_a_place_that_another_edit_leaves_meets_no_conflict() -> None:
    """Port 1 becomes 2 and 2 becomes 3."""
    change = make_change(
        modified=[Modification(before=tcp(1), after=tcp(2)), Modification(before=tcp(2), after=tcp(3))]
    )
    assert conflict(change, RuleSet([tcp(1), tcp(2)])) is None
