"""Plans: run on a group, they lead to the target, closing before opening, in steps that EC2 takes."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from member.chalicelib.ec2.plan import Authorize, Describe, Modify, Revoke, make_plan, replacing_plan
from shared.domain.change import Change, Modification, apply, diff, make_change, undo
from shared.domain.rule import Rule, cidr, make_rule, prefix_list
from tests.support import strategies
from tests.support.group_model import GroupModel

Rules = tuple[Rule, ...]


def rule(port: int, **values: Any) -> Rule:
    """A rule for one port, TCP from 10.0.0.0/8 unless told otherwise."""
    given_values = {"direction": "ingress", "protocol": "tcp", "source": cidr("10.0.0.0/8"), **values}
    return make_rule(from_port=port, to_port=port, **given_values)


@given(strategies.before_and_after())
def test_running_the_plan_gives_the_target(states: tuple[Rules, Rules]) -> None:
    """make_plan(diff(a, b)) on a group with rules a ends with rules b, and EC2 refuses none of its steps."""
    before, after = states
    group = GroupModel(before)
    group.run(make_plan(diff(before, after)))
    assert group.rules == after


@given(strategies.before_and_after())
def test_running_the_plan_of_the_undo_gives_the_original(states: tuple[Rules, Rules]) -> None:
    """After any change the plan of its undo brings the group back: rules, descriptions, and tags of restored rules."""
    before, after = states
    change = diff(before, after)
    group = GroupModel(after)
    group.run(make_plan(undo(change)))
    assert group.rules == before
    restored = {one.identity: one for one in group.rules}
    assert all(restored[one.identity].tags == one.tags for one in change.removed)


@given(strategies.changes())
def test_any_change_that_fits_can_be_planned(change: Change) -> None:
    """Changes that no diff would make (chains and circles of edits) are carried out just the same."""
    before = [*change.removed, *(edit.before for edit in change.modified)]
    group = GroupModel(before)
    group.run(make_plan(change))
    assert group.rules == apply(change, before)


@given(strategies.before_and_after())
def test_a_plan_closes_before_it_opens(states: tuple[Rules, Rules]) -> None:
    """Revokes come first, then edits, then descriptions, then authorizes."""
    order = {Revoke: 0, Modify: 1, Describe: 2, Authorize: 3}
    ranks = [order[type(step)] for step in make_plan(diff(*states))]
    assert ranks == sorted(ranks)


@given(strategies.before_and_after(direction="ingress"))
def test_a_plan_takes_one_call_for_all_that_goes(states: tuple[Rules, Rules]) -> None:
    """However many rules are taken away, it is one revoke per direction: the exposure window is one call long."""
    steps = make_plan(diff(*states))
    assert sum(isinstance(step, Revoke) for step in steps) <= 1


def test_nothing_to_do_is_an_empty_plan() -> None:
    """An empty change needs no call."""
    assert make_plan(Change()) == ()


def test_rules_with_ids_are_revoked_by_id() -> None:
    """Where every rule has its id, EC2 is told ids: they cannot hit another rule."""
    (step,) = make_plan(make_change(removed=[rule(1, rule_id="sgr-1"), rule(2, rule_id="sgr-2")]))
    assert isinstance(step, Revoke)
    assert step.rule_ids == ("sgr-1", "sgr-2")


def test_one_unknown_id_means_revoking_by_permission() -> None:
    """Half a list of ids would leave the other half open."""
    (step,) = make_plan(make_change(removed=[rule(1, rule_id="sgr-1"), rule(2)]))
    assert isinstance(step, Revoke)
    assert step.rule_ids is None


def test_both_directions_are_revoked_apart() -> None:
    """EC2 has one action for each direction."""
    steps = make_plan(make_change(removed=[rule(1), rule(1, direction="egress")]))
    assert [step.direction for step in steps if isinstance(step, Revoke)] == ["egress", "ingress"]


def test_rules_with_other_tags_are_authorized_apart() -> None:
    """EC2 puts a call's tags on all of its rules."""
    steps = make_plan(make_change(added=[rule(1, tags=[("a", "1")]), rule(2), rule(3, tags=[("a", "1")])]))
    ports = [[one.from_port for one in step.rules] for step in steps if isinstance(step, Authorize)]
    assert ports == [[2], [1, 3]]


def test_an_edit_keeps_the_rule_id() -> None:
    """New ports of a rule with a known id are one edit in place, of the rule that is there now."""
    edit = Modification(before=rule(1, rule_id="sgr-1"), after=rule(2, rule_id="sgr-old"))
    assert make_plan(make_change(modified=[edit])) == (Modify(rule_id="sgr-1", edit=edit),)


def test_an_edit_without_rule_id_is_done_in_two_steps() -> None:
    """EC2 edits by id only."""
    edit = Modification(before=rule(1), after=rule(2))
    assert [type(step) for step in make_plan(make_change(modified=[edit]))] == [Revoke, Authorize]


def test_another_kind_of_source_or_direction_is_done_in_two_steps() -> None:
    """EC2 cannot change a rule's kind of source in place, nor its direction."""
    before = rule(1, rule_id="sgr-1")
    for after in (rule(1, source=prefix_list("pl-1")), rule(1, direction="egress")):
        edit = Modification(before=before, after=after)
        assert [type(step) for step in make_plan(make_change(modified=[edit]))] == [Revoke, Authorize]


def test_new_descriptions_are_set_in_one_call_per_direction() -> None:
    """They need no rule id."""
    edits = [Modification(before=rule(port), after=rule(port, description="new")) for port in (1, 2)]
    assert make_plan(make_change(modified=edits)) == (Describe(direction="ingress", edits=tuple(edits)),)


def test_an_edit_waits_for_the_place_it_moves_into() -> None:
    """Port 1 becomes 2 only after 2 became 3; EC2 would refuse two equal rules."""
    first = Modification(before=rule(1, rule_id="sgr-1"), after=rule(2))
    second = Modification(before=rule(2, rule_id="sgr-2"), after=rule(3))
    steps = make_plan(make_change(modified=[first, second]))
    assert [step.edit for step in steps if isinstance(step, Modify)] == [second, first]


def test_rules_that_swap_places_are_taken_away_first() -> None:
    """No order of edits in place works for a circle, so its rules are revoked and authorized."""
    swap = make_change(
        modified=[
            Modification(before=rule(1, rule_id="sgr-1"), after=rule(2)),
            Modification(before=rule(2, rule_id="sgr-2"), after=rule(1)),
        ]
    )
    steps = make_plan(swap)
    assert [type(step) for step in steps] == [Revoke, Authorize]
    group = GroupModel([rule(1, rule_id="sgr-1"), rule(2, rule_id="sgr-2")])
    group.run(steps)
    assert group.rules == (rule(1), rule(2))


def test_replacing_revokes_before_it_authorizes() -> None:
    """For edits that had no effect in place."""
    plan = replacing_plan([Modification(before=rule(1), after=rule(2))])
    assert plan == (Revoke(direction="ingress", rules=(rule(1),)), Authorize(direction="ingress", rules=(rule(2),)))
