"""Calls of one group and their net change: each sentence of the design as an example.

The laws that hold for any calls stand in ``property/test_composition_laws.py``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.change import Change, Modification, diff, make_change
from shared.domain.composition import Composition, OneByOne, batch_digest, compose, one_by_one
from shared.domain.operations import Added, Described, Edited, Operation, Removed
from shared.domain.replay import MOST_PER_SECOND, Call
from shared.domain.rule import Rule, Tags, cidr, make_rule

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


def rule(port: int, description: str = "", rule_id: str | None = None, tags: Tags = ()) -> Rule:
    """A rule for one TCP port."""
    return make_rule(
        direction="ingress",
        protocol="tcp",
        from_port=port,
        source=cidr("10.0.0.0/8"),
        description=description,
        rule_id=rule_id,
        tags=tags,
    )


SSH = rule(22, "office", "sgr-22")
WEB = rule(443, "web", "sgr-443")


def call(request_id: str, second: int, *operations: Operation) -> Call:
    """A call so many seconds after noon."""
    return Call(request_id=request_id, event_time=NOON + timedelta(seconds=second), operations=operations)


def composed(approved: list[Rule], *calls: Call) -> Composition:
    """The composition of calls whose requests each ask for what the call alone comes to."""
    return compose(asking(approved, *calls), approved)


def asking(approved: list[Rule], *calls: Call) -> list[Call]:
    """The calls, each with the change that its request alone asks for."""
    return [replace(one, change=compose([one], approved).change) for one in calls]


def edit(before: Rule, after: Rule) -> Change:
    """One rule edited."""
    return make_change(modified=[Modification(before=before, after=after)])


# -- the net change ----------------------------------------------------------------------------------------------------


def test_no_calls_come_to_nothing() -> None:
    """An empty composition."""
    assert compose([], [SSH]) == Composition(
        request_ids=(), change=Change(), contributions={}, superseded=(), alone=(), approved=()
    )


def test_calls_that_do_not_touch_each_other_add_up() -> None:
    """An addition, a removal and an edit, in the order they were made, against the approved rules."""
    composition = composed(
        [SSH, WEB],
        call("b", 2, Removed(rule_id="sgr-22", rule=SSH)),
        call("a", 3, Edited(rule_id="sgr-443", after=rule(8443, "web"))),
        call("c", 1, Added(rule=rule(80))),
    )
    assert composition.request_ids == ("c", "b", "a")
    edited = Modification(before=WEB, after=rule(8443, "web"))
    assert composition.change == make_change(added=[rule(80)], removed=[SSH], modified=[edited])
    assert composition.contributions["c"] == make_change(added=[rule(80)])
    assert composition.contributions["b"] == make_change(removed=[SSH])
    assert composition.contributions["a"] == make_change(modified=[edited])
    assert (composition.superseded, composition.alone) == ((), ())


def test_calls_are_listed_by_time() -> None:
    """Also those of which some are related to each other and some are not, composed or alone."""
    first, between = Edited(rule_id="sgr-22", after=rule(1)), Edited(rule_id="sgr-443", after=rule(2))
    last = Edited(rule_id="sgr-22", after=rule(3))
    composition = composed([SSH, WEB], call("c", 0, first), call("b", 1, between), call("a", 2, last))
    assert composition.request_ids == ("c", "b", "a")
    twice = [
        call(f"{name}{number}", second, replace(one, after=replace(one.after, description=str(number))))
        for name, second, one in (("c", 0, first), ("b", 1, between), ("a", 2, last))
        for number in range(2)
    ]
    assert composed([SSH, WEB], *twice).alone == ("c0", "c1", "b0", "b1", "a0", "a1")


def test_the_approved_rules_at_the_touched_identities_are_given() -> None:
    """For the digest: None where no rule is approved."""
    composition = composed([SSH, WEB], call("a", 0, Edited(rule_id="sgr-22", after=rule(2222))))
    assert composition.approved == ((SSH.identity, SSH), (rule(2222).identity, None))


def test_terraforms_revoke_and_authorize_are_one_edit() -> None:
    """In-line rules with a new description, both calls in the same second, whatever their request ids."""
    authorize = Added(rule=rule(22, "the office", "sgr-new"))
    for names in (("a", "b"), ("b", "a")):
        revoke = call(names[0], 0, Removed(rule_id="sgr-22", rule=SSH))
        composition = composed([SSH], revoke, call(names[1], 0, authorize))
        assert composition.request_ids == names
        assert composition.change == edit(SSH, rule(22, "the office"))
        assert set(composition.contributions.values()) == {composition.change}
        assert (composition.superseded, composition.alone) == ((), ())


def test_an_edited_description_keeps_id_and_tags_of_the_approved_rule() -> None:
    """A rule that was removed and added again is edited in place when it is applied."""
    approved = rule(22, "office", "sgr-22", tags=(("team", "core"),))
    composition = composed(
        [approved], call("a", 0, Removed(rule=SSH)), call("b", 1, Added(rule=rule(22, "x", "sgr-1")))
    )
    after = composition.change.modified[0].after
    assert (after.rule_id, after.tags) == ("sgr-22", (("team", "core"),))


def test_a_chain_of_edits_is_one_edit() -> None:
    """A → B and B → C are A → C; both calls have a part in it."""
    composition = composed(
        [rule(1, rule_id="sgr-1")],
        call("a", 0, Edited(rule_id="sgr-1", after=rule(2))),
        call("b", 1, Edited(rule_id="sgr-1", after=rule(3))),
    )
    assert composition.change == edit(rule(1), rule(3))
    assert composition.contributions == {"a": edit(rule(1), rule(3)), "b": edit(rule(1), rule(3))}
    assert composition.superseded == ()


def test_a_chain_of_edits_without_ids_follows_the_values() -> None:
    """Old events have no rule ids."""
    composition = composed(
        [rule(1)], call("a", 0, Edited(rule=rule(1), after=rule(2))), call("b", 1, Edited(rule=rule(2), after=rule(3)))
    )
    assert composition.change == edit(rule(1), rule(3))


def test_a_chain_of_edits_in_one_second_without_ids_has_one_order() -> None:
    """EC2 would have refused the second edit before the first."""
    composition = composed(
        [rule(1)], call("b", 0, Edited(rule=rule(1), after=rule(2))), call("a", 0, Edited(rule=rule(2), after=rule(3)))
    )
    assert composition.request_ids == ("b", "a")
    assert composition.change == edit(rule(1), rule(3))


def test_an_edit_and_back_is_nothing() -> None:
    """Both requests are superseded."""
    composition = composed(
        [SSH],
        call("a", 0, Edited(rule_id="sgr-22", after=rule(2222, "office"))),
        call("b", 1, Edited(rule_id="sgr-22", after=SSH)),
    )
    assert composition.change.is_empty
    assert composition.superseded == ("a",)  # the second request alone asks nothing
    assert composition.approved == ()


def test_added_then_removed_is_nothing() -> None:
    """The first request is superseded; the second one alone asks nothing."""
    added = rule(80, rule_id="sgr-80")
    composition = composed([], call("a", 0, Added(rule=added)), call("b", 0, Removed(rule_id="sgr-80", rule=added)))
    assert composition.request_ids == ("a", "b")
    assert composition.change.is_empty
    assert composition.superseded == ("a",)


def test_removed_then_put_back_as_it_was_is_nothing() -> None:
    """Under a new id, which makes no other rule of it."""
    composition = composed(
        [SSH], call("a", 0, Removed(rule=SSH)), call("b", 0, Added(rule=rule(22, "office", "sgr-2")))
    )
    assert composition.change.is_empty
    assert composition.contributions == {"a": Change(), "b": Change()}
    assert composition.superseded == ("a",)


def test_added_then_edited_is_one_addition() -> None:
    """With the final values, and the tags that the rule was made with."""
    made = rule(80, "first", "sgr-80", tags=(("team", "core"),))
    composition = composed(
        [], call("b", 0, Added(rule=made)), call("a", 0, Edited(rule_id="sgr-80", after=rule(8080, "last")))
    )
    assert composition.change == make_change(added=[rule(8080, "last")])
    assert composition.change.added[0].tags == (("team", "core"),)
    assert composition.contributions["a"] == composition.contributions["b"] == composition.change


def test_an_edit_does_not_change_the_direction() -> None:
    """The event of an edit does not say it; the edited rule does."""
    outbound = replace(rule(80, rule_id="sgr-80"), direction="egress")
    composition = composed([outbound], call("a", 0, Edited(rule_id="sgr-80", after=rule(8080))))
    assert composition.change == edit(outbound, replace(rule(8080), direction="egress"))


def test_edited_then_removed_is_the_removal_of_the_approved_rule() -> None:
    """The rule that goes is the approved one, not the one it had become."""
    composition = composed(
        [SSH],
        call("a", 0, Edited(rule_id="sgr-22", after=rule(2222))),
        call("b", 1, Removed(rule_id="sgr-22", rule=rule(2222, rule_id="sgr-22"))),
    )
    assert composition.change == make_change(removed=[SSH])
    assert composition.superseded == ()


def test_a_new_description_leaves_an_earlier_edit_alone() -> None:
    """It changes nothing but the description, by id or by values."""
    for named in (Described(rule_id="sgr-22", description="new"), Described(rule=rule(2222), description="new")):
        composition = composed([SSH], call("a", 0, Edited(rule_id="sgr-22", after=rule(2222))), call("b", 1, named))
        assert composition.change == edit(SSH, rule(2222, "new"))


def test_edited_into_the_place_that_another_rule_left() -> None:
    """What is open afterwards: the place has the edited rule's description, and its own place is empty."""
    composition = composed(
        [SSH, WEB],
        call("b", 0, Removed(rule_id="sgr-443", rule=WEB)),
        call("a", 0, Edited(rule_id="sgr-22", after=rule(443, "office"))),
    )
    assert composition.request_ids == ("b", "a")
    web = Modification(before=WEB, after=rule(443, "office"))
    assert composition.change == make_change(removed=[SSH], modified=[web])
    assert composition.contributions == {"a": composition.change, "b": make_change(modified=[web])}


def test_added_in_the_place_that_an_edited_rule_left() -> None:
    """EC2 pairs rules by identity: the approved place has a new description, and the edited rule is an addition."""
    composition = composed(
        [SSH], call("a", 0, Edited(rule_id="sgr-22", after=rule(2222))), call("b", 0, Added(rule=rule(22, "new")))
    )
    described = Modification(before=SSH, after=rule(22, "new"))
    assert composition.change == make_change(added=[rule(2222)], modified=[described])
    assert composition.contributions == {"a": composition.change, "b": make_change(modified=[described])}


def test_two_rules_that_swap_places_are_nothing() -> None:
    """One call, or three with a place between; where descriptions stay at their places nothing has changed."""
    first, second = rule(1, rule_id="sgr-1"), rule(2, rule_id="sgr-2")
    to_second, to_first = Edited(rule_id="sgr-1", after=second), Edited(rule_id="sgr-2", after=first)
    assert composed([first, second], call("a", 0, to_second, to_first)).change.is_empty
    aside = Edited(rule_id="sgr-1", after=rule(3))
    calls = call("a", 0, aside), call("b", 1, to_first), call("c", 2, to_second)
    assert composed([first, second], *calls).change.is_empty


def test_swapped_descriptions_are_two_edits() -> None:
    """A rule takes its description along."""
    first, second = rule(1, "one", "sgr-1"), rule(2, "two", "sgr-2")
    swap = (Edited(rule=first, after=rule(2, "one")), Edited(rule=second, after=rule(1, "two")))
    change = composed([first, second], call("a", 0, *swap)).change
    assert change == diff([first, second], [rule(2, "one"), rule(1, "two")])
    assert len(change.modified) == 2


def test_a_cancelled_rule_has_no_part_in_what_takes_its_place() -> None:
    """Added and removed again; then an approved rule is edited into the same place."""
    composition = composed(
        [SSH],
        call("a", 0, Added(rule=rule(2222, rule_id="sgr-1"))),
        call("b", 1, Removed(rule_id="sgr-1")),
        call("c", 2, Edited(rule_id="sgr-22", after=rule(2222))),
    )
    assert composition.change == edit(SSH, rule(2222))
    assert composition.superseded == ("a",)


def test_a_request_that_is_cancelled_in_part_contributes_the_rest() -> None:
    """Two rules added, one of them removed again."""
    composition = composed(
        [],
        call("a", 0, Added(rule=rule(1, rule_id="sgr-1")), Added(rule=rule(2))),
        call("b", 1, Removed(rule_id="sgr-1")),
    )
    assert composition.change == make_change(added=[rule(2)])
    assert composition.contributions == {"a": make_change(added=[rule(2)]), "b": Change()}
    assert composition.superseded == ()


def test_a_request_without_operations_is_composed_by_its_change() -> None:
    """As after an event whose parameters CloudTrail left out."""
    by_change = Call(request_id="a", event_time=NOON, change=make_change(removed=[SSH]))
    assert compose([by_change], [SSH]).change == make_change(removed=[SSH])
    composition = compose([by_change, call("b", 1, Added(rule=rule(22, "new")))], [SSH])
    assert composition.change == edit(SSH, rule(22, "new"))


def test_a_call_that_is_delivered_twice_counts_once() -> None:
    """It is known by its request id."""
    once = call("a", 0, Added(rule=rule(80)))
    assert compose([once, once], []) == compose([once], [])


def test_rules_of_groups_and_prefix_lists_are_composed_by_identity() -> None:
    """No address is needed."""
    peer = make_rule(
        direction="ingress", protocol="-1", source=replace(SSH.source, kind="group", value="sg-1", account="1" * 12)
    )
    composition = composed(
        [peer], call("a", 0, Removed(rule=peer)), call("b", 0, Added(rule=replace(peer, description="x")))
    )
    assert composition.change == edit(peer, replace(peer, description="x"))


# -- calls made after a revert -----------------------------------------------------------------------------------------


def test_a_rule_removed_again_after_its_revert_is_one_removal() -> None:
    """The restored rule has a new id."""
    composition = composed(
        [SSH],
        call("a", 0, Removed(rule_id="sgr-22", rule=SSH)),
        call("b", 9, Removed(rule_id="sgr-9", rule=replace(SSH, rule_id="sgr-9")), Removed(rule=WEB)),
    )
    assert composition.change == make_change(removed=[SSH])
    assert composition.contributions["a"] == composition.contributions["b"] == composition.change


def test_a_removed_rule_that_is_edited_after_its_revert_is_edited() -> None:
    """Its requester no longer wants it removed, by values or by description."""
    removed = call("a", 0, Removed(rule_id="sgr-22", rule=SSH))
    edited = composed([SSH], removed, call("b", 9, Edited(rule_id="sgr-9", rule=SSH, after=rule(2222))))
    assert edited.change == edit(SSH, rule(2222))
    described = composed([SSH], removed, call("b", 9, Described(rule_id="sgr-9", rule=SSH, description="new")))
    assert described.change == edit(SSH, rule(22, "new"))


def test_an_edited_rule_that_is_removed_after_its_revert_is_removed() -> None:
    """The revert replaced it, so that it is named by another id and its approved values; from then on by that id."""
    composition = composed(
        [SSH],
        call("a", 0, Edited(rule_id="sgr-22", after=rule(2222))),
        call("b", 9, Described(rule_id="sgr-9", rule=SSH, description="new")),
        call("c", 19, Removed(rule_id="sgr-9")),
    )
    assert composition.change == make_change(removed=[SSH])


def test_what_a_revert_restored_is_the_approved_rule() -> None:
    """Edited away, another rule made and removed in its place; then the restored one is removed."""
    composition = composed(
        [SSH],
        call("a", 0, Edited(rule_id="sgr-22", after=rule(80))),
        call("b", 1, Added(rule=rule(22, "new", "sgr-2"))),
        call("c", 2, Removed(rule_id="sgr-2", rule=rule(22, "new"))),
        call("d", 9, Removed(rule_id="sgr-3", rule=SSH)),
    )
    assert composition.change == make_change(removed=[SSH])


def test_a_restored_rule_is_the_approved_one_though_another_was_edited_away_from_its_place() -> None:
    """Then the other one is still wanted where it went."""
    composition = composed(
        [SSH],
        call("a", 0, Edited(rule_id="sgr-22", after=rule(80))),
        call("b", 1, Added(rule=rule(22, "new", "sgr-2"))),
        call("c", 2, Edited(rule_id="sgr-2", rule=rule(22, "new"), after=rule(8080, "new"))),
        call("d", 9, Edited(rule_id="sgr-3", rule=SSH, after=rule(81))),
    )
    both = make_change(
        added=[rule(8080, "new", "sgr-2")], modified=[Modification(before=SSH, after=rule(81, rule_id="sgr-22"))]
    )
    assert composition.change == both


def test_a_rule_edited_then_removed_and_described_after_its_revert_is_wanted_where_it_is() -> None:
    """The edit had been given up with the removal."""
    composition = composed(
        [SSH],
        call("a", 0, Edited(rule_id="sgr-22", after=rule(80))),
        call("b", 1, Removed(rule_id="sgr-22")),
        call("c", 9, Described(rule_id="sgr-3", rule=SSH, description="new")),
    )
    assert composition.change == edit(SSH, rule(22, "new"))


def test_a_rule_added_again_after_its_revert_is_one_addition() -> None:
    """With the last description; alone, the first request would not be what is wanted any more."""
    calls = call("a", 0, Added(rule=rule(80, "one"))), call("b", 9, Added(rule=rule(80, "two", "sgr-2")))
    composition = composed([], *calls)
    assert composition.change == make_change(added=[rule(80, "two")])
    assert composition.contributions["a"] == composition.contributions["b"] == composition.change
    assert asked_one_by_one([], *calls) == OneByOne(singly=("b",), superseded=("a",), together=())
    assert composed([], *calls, call("c", 10, Removed(rule_id="sgr-2"))).superseded == ("a", "b")


def test_a_rule_added_where_another_was_edited_to_is_another_rule() -> None:
    """The edit had been reverted, so that EC2 took the addition: the edited rule is still not wanted as it was."""
    edited, added = call("a", 0, Edited(rule_id="sgr-22", after=rule(80))), call("b", 9, Added(rule=rule(80, "new")))
    both = make_change(added=[rule(80, "new")], removed=[SSH])
    assert composed([SSH], edited, added).change == both
    assert composed([SSH], edited, added, call("c", 19, Removed(rule_id="sgr-9", rule=SSH))).change == both
    again = call("c", 19, Edited(rule_id="sgr-9", rule=SSH, after=rule(443)))
    assert composed([SSH], edited, added, again).change == make_change(
        added=[rule(80, "new")], modified=[Modification(before=SSH, after=rule(443))]
    )
    described = call("c", 19, Described(rule_id="sgr-9", rule=SSH, description="x"))
    assert composed([SSH], edited, added, described).change == make_change(
        added=[rule(80, "new")], modified=[Modification(before=SSH, after=rule(22, "x"))]
    )


def test_a_rule_edited_to_where_another_was_added_replaces_it() -> None:
    """The addition had been reverted; the later request carries the rule."""
    calls = call("a", 0, Added(rule=rule(80))), call("b", 9, Edited(rule_id="sgr-22", after=rule(80, "new")))
    composition = composed([SSH], *calls)
    assert composition.change == edit(SSH, rule(80, "new"))
    assert composition.superseded == ("a",)


def test_an_edit_of_a_rule_nobody_knows_is_an_addition() -> None:
    """Its addition was denied before, or is not part of the batch; so the edit asks for a new rule."""
    composition = composed([], call("a", 0, Edited(rule_id="sgr-1", after=rule(80))))
    assert composition.change == make_change(added=[rule(80)])
    followed = composed(
        [], call("a", 0, Edited(rule_id="sgr-1", after=rule(80))), call("b", 1, Removed(rule_id="sgr-1"))
    )
    assert followed.change.is_empty


def test_an_edit_of_a_rule_that_was_gone_follows_the_call_that_made_it() -> None:
    """Its direction is a guess, so that alone it asks for nothing; the rule that was made says which it is."""
    gone = call("b", 0, Edited(rule_id="sgr-80", after=rule(81), was_gone=True))
    assert composed([SSH], gone).change.is_empty
    outbound = replace(rule(80, rule_id="sgr-80"), direction="egress")
    made = call("a", 0, Added(rule=outbound))
    assert composed([SSH], gone, made).change == make_change(added=[replace(rule(81), direction="egress")])


def test_other_operations_on_a_rule_nobody_knows_do_nothing() -> None:
    """There is nothing to remove or to describe."""
    unknown = (Removed(rule_id="sgr-1"), Described(rule_id="sgr-2", description="x"), Removed(rule=rule(1)))
    assert composed([SSH], call("a", 0, *unknown)).change.is_empty


# -- the order within a second -----------------------------------------------------------------------------------------


def test_rule_ids_decide_the_order_of_a_second() -> None:
    """A rule is made, then edited, then removed, whatever the request ids say."""
    made = rule(1, rule_id="sgr-1")
    composition = composed(
        [],
        call("c", 0, Added(rule=made)),
        call("b", 0, Edited(rule_id="sgr-1", after=rule(2))),
        call("a", 0, Removed(rule_id="sgr-1")),
    )
    assert composition.request_ids == ("c", "b", "a")
    assert composition.change.is_empty


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (Added(rule=rule(1, rule_id="sgr-1")), Removed(rule_id="sgr-1", rule=rule(1))),
        (Added(rule=rule(1, rule_id="sgr-1")), Edited(rule_id="sgr-1", after=rule(2))),
        (Edited(rule_id="sgr-22", after=rule(2)), Removed(rule_id="sgr-22", rule=SSH)),
        (Described(rule_id="sgr-22", description="new"), Removed(rule_id="sgr-22")),
    ],
)
def test_rule_ids_decide_where_ec2_could_have_accepted_no_order(first: Operation, then: Operation) -> None:
    """Another rule that a call removed was not there, so somebody else had a part in it."""
    unknown = Removed(rule=rule(99))
    assert composed([SSH], call("b", 0, first, unknown), call("a", 0, then)).request_ids == ("b", "a")


def test_without_ids_a_rule_was_described_before_it_was_removed() -> None:
    """EC2 would have refused it afterwards."""
    composition = composed(
        [rule(22)], call("b", 0, Described(rule=rule(22), description="new")), call("a", 0, Removed(rule=rule(22)))
    )
    assert composition.request_ids == ("b", "a")
    assert composition.change == make_change(removed=[rule(22)])


def test_a_rule_made_without_an_id_may_be_removed_by_one() -> None:
    """An old answer does not say the id of a new rule; it may be any."""
    removed = Removed(rule_id="sgr-80", rule=rule(80))
    composition = composed([], call("b", 0, Added(rule=rule(80))), call("a", 0, removed))
    assert composition.request_ids == ("b", "a")


def test_a_rule_named_by_values_was_not_edited_away_before() -> None:
    """Nor can it be edited once it is gone, so nobody can say what happened."""
    calls = call("a", 0, Edited(rule_id="sgr-22", after=rule(80))), call("b", 0, Removed(rule=rule(22, "office")))
    assert composed([SSH], *calls).alone == ("a", "b")


def test_fractions_of_a_second_do_not_decide() -> None:
    """CloudTrail writes whole seconds, so no order may depend on more."""
    early = replace(call("a", 0, Added(rule=rule(22, "new"))), event_time=NOON)
    late = replace(call("b", 0, Removed(rule=SSH)), event_time=NOON + timedelta(milliseconds=900))
    assert composed([SSH], early, late).request_ids == ("b", "a")


def test_two_edits_of_one_rule_within_a_second_are_asked_alone() -> None:
    """Nobody knows which came last; calls that have nothing to do with them are composed."""
    composition = composed(
        [SSH],
        call("c", 0, Added(rule=rule(80))),
        call("b", 0, Edited(rule_id="sgr-22", after=rule(1))),
        call("a", 0, Edited(rule_id="sgr-22", after=rule(2))),
    )
    assert composition.alone == ("a", "b")
    assert composition.request_ids == ("c",)
    assert composition.change == make_change(added=[rule(80)])


def test_two_orders_with_the_same_result_are_no_doubt() -> None:
    """Two edits of one rule within a second, and a later one."""
    edits = [call(str(port), 0, Edited(rule_id="sgr-22", after=rule(port))) for port in (1, 2)]
    composition = composed([SSH], *edits, call("3", 1, Edited(rule_id="sgr-22", after=rule(3))))
    assert composition.alone == ()
    assert composition.change == edit(SSH, rule(3))


def test_whatever_is_related_to_calls_without_an_order_is_asked_alone_too() -> None:
    """It means something else without them."""
    composition = composed(
        [SSH],
        call("a", 5, Edited(rule_id="sgr-22", after=rule(1)), Added(rule=rule(80, rule_id="sgr-80"))),
        call("b", 5, Edited(rule_id="sgr-22", after=rule(2))),
        call("c", 9, Edited(rule_id="sgr-80", after=rule(81))),
    )
    assert composition.alone == ("a", "b", "c")
    assert composition.change.is_empty


def test_after_a_revert_both_orders_may_be_possible() -> None:
    """The rule may have been there still, or not any more; without ids nobody can say what came last."""
    made = call("a", 0, Added(rule=rule(80, "one", "sgr-1")))
    again = call("b", 9, Added(rule=rule(80, "two")))
    composition = composed([], made, again, call("c", 9, Removed(rule=rule(80))))
    assert composition.alone == ("a", "b", "c")


def test_after_a_revert_rule_ids_still_decide() -> None:
    """The removed rule is the one of the first call, so it went before the second was made."""
    made = call("a", 0, Added(rule=rule(80, "one", "sgr-1")))
    again = call("b", 9, Added(rule=rule(80, "two", "sgr-2")))
    composition = composed([], made, again, call("c", 9, Removed(rule_id="sgr-1", rule=rule(80))))
    assert composition.request_ids == ("a", "c", "b")
    assert composition.change == make_change(added=[rule(80, "two")])


def test_an_order_that_fits_only_after_a_revert_is_found() -> None:
    """A rule was removed, restored, and within one second removed and added once more."""
    composition = composed(
        [SSH],
        call("a", 0, Removed(rule_id="sgr-22", rule=SSH)),
        call("b", 9, Added(rule=rule(22, "new", "sgr-9"))),
        call("c", 9, Removed(rule_id="sgr-8", rule=replace(SSH, rule_id="sgr-8"))),
    )
    assert composition.request_ids == ("a", "c", "b")
    assert composition.change == edit(SSH, rule(22, "new"))


def test_calls_that_ec2_could_not_have_accepted_in_any_order_have_none() -> None:
    """Something else happened in between: either may have been the last."""
    calls = call("a", 0, Added(rule=rule(80, "one"))), call("b", 0, Added(rule=rule(80, "two")))
    assert composed([], *calls).alone == ("a", "b")
    same = call("a", 0, Added(rule=rule(80))), call("b", 0, Added(rule=rule(80)))
    assert composed([], *same).change == make_change(added=[rule(80)])


def test_rule_ids_that_contradict_each_other_leave_no_order() -> None:
    """Each call names a rule that only the other one can have made."""
    calls = [
        call(name, 0, Added(rule=rule(port, rule_id=f"sgr-{name}")), Removed(rule_id=f"sgr-{other}", rule=rule(80)))
        for name, other, port in (("a", "b", 1), ("b", "a", 2))
    ]
    assert composed([], *calls).alone == ("a", "b")


def test_many_related_calls_of_one_second_are_asked_alone() -> None:
    """No search grows without bound; calls that are not related count for nothing."""
    calls = [call(f"{number:02}", 0, Removed(rule=SSH)) for number in range(MOST_PER_SECOND + 1)]
    other = [call(f"add {port}", 0, Added(rule=rule(port))) for port in range(100, 130)]
    composition = composed([SSH], *calls, *other)
    assert len(composition.alone) == MOST_PER_SECOND + 1
    assert composition.change == make_change(added=[rule(port) for port in range(100, 130)])
    assert composed([SSH], *calls[:-1]).change == make_change(removed=[SSH])


@pytest.mark.parametrize("number", [5, MOST_PER_SECOND])
def test_many_possible_results_are_asked_alone(number: int) -> None:
    """More ends than are followed, and more states on the way than are searched, even if a later call decides all."""
    edits = [call(str(port), 0, Edited(rule_id="sgr-22", after=rule(port))) for port in range(1, number + 1)]
    calls = *edits, call("last", 1, Edited(rule_id="sgr-22", after=rule(80)))
    assert len(composed([SSH], *calls).alone) == number + 1
    assert composed([SSH], *calls[:3], calls[-1]).change == edit(SSH, rule(80))


# -- one by one --------------------------------------------------------------------------------------------------------


def asked_one_by_one(approved: list[Rule], *calls: Call) -> OneByOne:
    """How requests that ask for what their call alone comes to are asked."""
    return one_by_one(asking(approved, *calls), approved)


def test_requests_that_do_not_touch_each_other_are_asked_singly() -> None:
    """One that asks nothing is not asked."""
    calls = call("a", 0, Added(rule=rule(80))), call("b", 1, Removed(rule=SSH)), call("c", 2, Removed(rule=rule(1)))
    assert asked_one_by_one([SSH], *calls) == OneByOne(singly=("a", "b"), superseded=(), together=())


def test_a_removal_whose_rule_was_put_back_is_never_asked() -> None:
    """The later request carries the edit; where the rule was put back as it was, nothing is left to ask."""
    removed = call("a", 0, Removed(rule_id="sgr-22", rule=SSH))
    edited = asked_one_by_one([SSH], removed, call("b", 0, Added(rule=rule(22, "new"))))
    assert edited == OneByOne(singly=("b",), superseded=("a",), together=())
    as_it_was = asked_one_by_one([SSH], removed, call("b", 5, Added(rule=rule(22, "office"))))
    assert as_it_was == OneByOne(singly=(), superseded=("a",), together=())


def test_an_edit_that_was_edited_again_is_never_asked() -> None:
    """Nor an addition that was edited: the later request carries all of it."""
    chain = [call(str(port), port, Edited(rule_id="sgr-22", after=rule(port))) for port in (1, 2, 3)]
    assert asked_one_by_one([SSH], *chain) == OneByOne(singly=("3",), superseded=("1", "2"), together=())
    added = call("a", 0, Added(rule=rule(80, rule_id="sgr-1")))
    edited = call("b", 1, Edited(rule_id="sgr-1", after=rule(81)))
    assert asked_one_by_one([], added, edited) == OneByOne(singly=("b",), superseded=("a",), together=())


def test_requests_overtaken_in_part_are_asked_together() -> None:
    """Two rules removed and one put back: neither request alone says what is wanted. Others are asked singly."""
    removed = call("a", 0, Removed(rule=SSH), Removed(rule=WEB))
    back = call("b", 1, Added(rule=rule(22, "new")))
    plan = asked_one_by_one([SSH, WEB], removed, back, call("c", 2, Added(rule=rule(80))))
    assert plan == OneByOne(singly=("c",), superseded=(), together=(("a", "b"),))


def test_a_request_is_superseded_where_others_carry_what_is_left_of_it() -> None:
    """Two rules removed, one put back as it was, the other one removed again after its revert."""
    removed = call("a", 0, Removed(rule=SSH), Removed(rule=WEB))
    back, again = call("b", 1, Added(rule=rule(22, "office"))), call("c", 9, Removed(rule=WEB))
    plan = asked_one_by_one([SSH, WEB], removed, back, again)
    assert plan == OneByOne(singly=("c",), superseded=("a",), together=())


def test_requests_that_only_fit_together_are_asked_together() -> None:
    """An edit into the place that another rule left: measured against the approved rules, that place is taken."""
    left = call("a", 0, Removed(rule=WEB))
    edited = call("b", 1, Edited(rule_id="sgr-22", after=rule(443, "office")))
    left, edited = (
        replace(left, change=make_change(removed=[WEB])),
        replace(edited, change=edit(SSH, rule(443, "office"))),
    )
    assert one_by_one([left, edited], [SSH, WEB]).together == (("a", "b"),)


def test_requests_without_an_order_are_asked_singly() -> None:
    """Whichever is approved second is refused by the group as it is then."""
    edits = [call(name, 0, Edited(rule_id="sgr-22", after=rule(22, name))) for name in ("a", "b")]
    assert asked_one_by_one([SSH], *edits) == OneByOne(singly=("a", "b"), superseded=(), together=())


# -- the digest of a batch ---------------------------------------------------------------------------------------------


ADDED = composed([], call("a", 0, Added(rule=rule(80))), call("b", 0, Added(rule=rule(81))))
DIGESTS = {"a": "aa", "b": "bb", "c": "cc"}


def test_equal_batches_have_equal_digests() -> None:
    """Whatever the order in which groups and digests are given, and whatever id an approved rule has now."""
    groups = {"sg-1": ADDED, "sg-2": composed([SSH], call("c", 0, Removed(rule=SSH)))}
    digest = batch_digest(groups, DIGESTS)
    assert len(digest) == 64
    restored = replace(SSH, rule_id="sgr-9")
    again = {"sg-2": composed([restored], call("c", 0, Removed(rule=SSH))), "sg-1": ADDED}
    assert batch_digest(again, dict(reversed(DIGESTS.items()))) == digest


@pytest.mark.parametrize(
    ("groups", "digests"),
    [
        ({"sg-2": ADDED}, DIGESTS),
        ({"sg-1": replace(ADDED, request_ids=("b", "a"))}, DIGESTS),
        ({"sg-1": replace(ADDED, request_ids=("a",))}, DIGESTS),
        ({"sg-1": replace(ADDED, change=make_change(added=[rule(80), rule(81, "x")]))}, DIGESTS),
        ({"sg-1": replace(ADDED, change=make_change(removed=[rule(80), rule(81)]))}, DIGESTS),
        ({"sg-1": replace(ADDED, approved=((rule(80).identity, rule(80)), ADDED.approved[1]))}, DIGESTS),
        ({"sg-1": ADDED}, DIGESTS | {"b": "other"}),
        ({"sg-1": ADDED, "sg-2": compose([], [])}, DIGESTS),
    ],
)
def test_another_batch_has_another_digest(groups: dict[str, Composition], digests: dict[str, str]) -> None:
    """Another group, order, request, net change, approved rule or request digest."""
    assert batch_digest(groups, digests) != batch_digest({"sg-1": ADDED}, DIGESTS)


def test_the_description_of_an_approved_rule_is_part_of_the_digest() -> None:
    """Somebody may have had it changed since the batch was shown."""
    shown = composed([SSH], call("a", 0, Edited(rule_id="sgr-22", after=rule(2222))))
    now = replace(shown, approved=tuple((one, held and replace(held, description="x")) for one, held in shown.approved))
    assert batch_digest({"sg-1": shown}, DIGESTS) != batch_digest({"sg-1": now}, DIGESTS)
