"""The laws of changes: what ``diff``, ``apply`` and ``undo`` promise for any two states of a group."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.change import (
    Change,
    ChangeConflictError,
    Modification,
    apply,
    by_identity,
    diff,
    make_change,
    undo,
)
from shared.domain.rule import Rule, cidr, make_rule
from tests.support import strategies

Rules = tuple[Rule, ...]


def rule(port: int, description: str = "", *, rule_id: str | None = None) -> Rule:
    """A rule for one TCP port."""
    return make_rule(
        direction="ingress",
        protocol="tcp",
        from_port=port,
        to_port=port,
        source=cidr("10.0.0.0/8"),
        description=description,
        rule_id=rule_id,
    )


@given(strategies.rule_sets())
def test_nothing_differs_from_itself(rules: Rules) -> None:
    """diff(a, a) is empty."""
    assert diff(rules, rules) == Change()
    assert diff(rules, rules).is_empty


@given(strategies.before_and_after())
def test_a_difference_leads_from_one_state_to_the_other(states: tuple[Rules, Rules]) -> None:
    """apply(diff(a, b), a) == b, ids included where a rule was edited."""
    before, after = states
    assert apply(diff(before, after), before) == after


@given(strategies.before_and_after())
def test_a_change_and_its_undo_leave_the_group_as_it_was(states: tuple[Rules, Rules]) -> None:
    """Applying a change and then its undo gives the original: descriptions, tags and ids too."""
    before, after = states
    change = diff(before, after)
    restored = apply(undo(change), apply(change, before))
    assert restored == before
    assert [one.tags for one in restored] == [one.tags for one in before]


@given(strategies.changes())
def test_undoing_twice_is_doing(change: Change) -> None:
    """undo(undo(c)) == c."""
    assert undo(undo(change)) == change


@given(strategies.before_and_after())
def test_undo_of_a_difference_is_the_difference_backwards(states: tuple[Rules, Rules]) -> None:
    """undo(diff(a, b)) == diff(b, a): a revert can be computed from either side."""
    before, after = states
    assert undo(diff(before, after)) == diff(after, before)


@given(strategies.before_and_after(), st.randoms(use_true_random=False))
def test_the_order_of_rules_does_not_matter(states: tuple[Rules, Rules], chance: random.Random) -> None:
    """Shuffled rules give the same difference and the same result."""
    before, after = states
    shuffled = [chance.sample(side, len(side)) for side in states]
    assert diff(*shuffled) == diff(before, after)
    assert apply(diff(before, after), shuffled[0]) == after


@given(strategies.changes(), st.randoms(use_true_random=False))
def test_equal_changes_are_equal_values(change: Change, chance: random.Random) -> None:
    """The order in which a change is put together leaves no trace."""
    parts = {"added": change.added, "removed": change.removed, "modified": change.modified}
    assert make_change(**{name: chance.sample(part, len(part)) for name, part in parts.items()}) == change  # type: ignore[arg-type]  # parts of two types


@given(strategies.before_and_after())
def test_a_difference_speaks_of_each_rule_once(states: tuple[Rules, Rules]) -> None:
    """No rule is both added and removed, and rules left alone are not mentioned."""
    change = diff(*states)
    gone = [one.identity for one in change.removed] + [edit.before.identity for edit in change.modified]
    come = [one.identity for one in change.added] + [edit.after.identity for edit in change.modified]
    assert len(set(gone)) == len(gone)
    assert len(set(come)) == len(come)
    assert not {one.identity for one in change.added} & {one.identity for one in change.removed}
    assert len(change.rules) == len(gone) + len(come)


def test_a_new_description_is_an_edit() -> None:
    """The description is not part of the identity, so the rule is neither added nor removed."""
    change = diff([rule(22, "office")], [rule(22, "the office")])
    assert change.kind == "modify"
    assert change.modified == (Modification(before=rule(22, "office"), after=rule(22, "the office")),)


def test_new_ports_under_the_same_rule_id_are_an_edit() -> None:
    """What the console's "edit rule" does is shown as before and after."""
    change = diff([rule(22, rule_id="sgr-1")], [rule(23, rule_id="sgr-1")])
    assert change.kind == "modify"
    assert [(edit.before.from_port, edit.after.from_port) for edit in change.modified] == [(22, 23)]


def test_new_ports_without_rule_ids_are_a_removal_and_an_addition() -> None:
    """Without ids nobody can say that it is the same rule."""
    change = diff([rule(22)], [rule(23)])
    assert change.kind == "mixed"
    assert (change.added, change.removed) == ((rule(23),), (rule(22),))


def test_a_rule_that_came_back_with_another_id_is_no_change() -> None:
    """A restored rule has a new id; the traffic it lets pass is the same."""
    assert diff([rule(22, rule_id="sgr-1")], [rule(22, rule_id="sgr-2")]).is_empty


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (make_change(), "none"),
        (make_change(added=[rule(22)]), "add"),
        (make_change(removed=[rule(22)]), "remove"),
        (make_change(modified=[Modification(before=rule(22), after=rule(23))]), "modify"),
        (make_change(added=[rule(22)], removed=[rule(23)]), "mixed"),
        (make_change(removed=[rule(1)], modified=[Modification(before=rule(22), after=rule(23))]), "mixed"),
    ],
)
def test_a_change_names_its_kind(change: Change, kind: str) -> None:
    """The kind says which buttons and words a request gets."""
    assert change.kind == kind
    assert change.is_empty == (kind == "none")


def test_removing_a_rule_that_is_not_there_is_a_conflict() -> None:
    """The error names the rule."""
    with pytest.raises(ChangeConflictError, match=r"ingress/tcp/22-22/ipv4/10\.0\.0\.0/8 is not there"):
        apply(make_change(removed=[rule(22)]), [rule(23)])


def test_editing_a_rule_that_is_not_there_is_a_conflict() -> None:
    """An edit needs the rule it starts from."""
    with pytest.raises(ChangeConflictError, match=r"22-22.* is not there"):
        apply(make_change(modified=[Modification(before=rule(22), after=rule(23))]), [])


def test_adding_a_rule_that_is_there_is_a_conflict() -> None:
    """Also when only its description differs: EC2 calls that a duplicate."""
    with pytest.raises(ChangeConflictError, match=r"22-22.* is already there"):
        apply(make_change(added=[rule(22, "new")]), [rule(22, "old")])


def test_two_rules_can_swap_places_in_one_change() -> None:
    """All that goes is gone before anything comes."""
    swap = make_change(
        modified=[Modification(before=rule(1), after=rule(2)), Modification(before=rule(2), after=rule(1))]
    )
    assert apply(swap, [rule(1), rule(2)]) == (rule(1), rule(2))


def test_rules_are_found_by_identity() -> None:
    """The mapping's key is EC2's identity, so a new description does not hide a rule."""
    one = rule(22, "old")
    assert by_identity([one])[replace(one, description="new").identity] is one


def test_a_change_is_undone_part_by_part() -> None:
    """What came goes, what went comes, what was edited is edited back."""
    edit = Modification(before=rule(3), after=rule(4))
    change = make_change(added=[rule(1)], removed=[rule(2)], modified=[edit])
    back = make_change(added=[rule(2)], removed=[rule(1)], modified=[Modification(before=rule(4), after=rule(3))])
    assert undo(change) == back
