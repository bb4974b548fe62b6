"""What a call itself did, as its request carries it: one example each.

Where the change says the same, nothing is carried; ``steps`` shows what is composed then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from member.chalicelib.assessment.operations import operations_made
from member.chalicelib.cloudtrail.call import Call, RuleEdit
from member.chalicelib.rule_set import RuleSet
from member.chalicelib.state.baseline import Baseline
from shared.domain.operations import Added, Described, Edited, Operation, Removed, operations_of
from shared.domain.rule import Direction, Rule, group, group_by_name
from tests.support.examples import ACCOUNT, GUARDED, LATER, adopted, assessed, call, tcp

BOTH: tuple[Direction, ...] = ("ingress", "egress")
TAGS = (("team", "core"),)


def made_by(
    one: Call, baseline: Baseline | None, live: Iterable[Rule] = (), directions: tuple[Direction, ...] = GUARDED
) -> tuple[Operation, ...]:
    """What the request of a call carries."""
    change = assessed(one, baseline, live, directions).change
    return operations_made(one, change, baseline, RuleSet(live), directions)


def steps(one: Call, baseline: Baseline | None, live: Iterable[Rule] = ()) -> tuple[Operation, ...]:
    """What is composed of a call."""
    return made_by(one, baseline, live) or operations_of(assessed(one, baseline, live).change)


def edit(rule_id: str, after: Rule) -> Call:
    """The edit of one rule."""
    return call("modify", edits=(RuleEdit(rule_id=rule_id, after=after, description=after.description),))


def described(rule_id: str, text: str) -> Call:
    """A new description by rule id."""
    return call("describe", edits=(RuleEdit(rule_id=rule_id, after=None, description=text),))


# -- where the change says it all --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "approved", "step"),
    [
        (call("add", resulting=(tcp(80, "sgr-9"),)), (), Added(rule=tcp(80, "sgr-9"))),
        (
            call("remove", resulting=(tcp(22, "sgr-1"),)),
            (tcp(22, "sgr-1"),),
            Removed(rule_id="sgr-1", rule=tcp(22, "sgr-1")),
        ),
        (
            edit("sgr-1", tcp(80)),
            (tcp(22, "sgr-1"),),
            Edited(rule_id="sgr-1", rule=tcp(22, "sgr-1"), after=tcp(80, "sgr-1")),
        ),
    ],
)
def test_a_call_on_approved_rules_needs_no_operations(one: Call, approved: tuple[Rule, ...], step: Operation) -> None:
    """Its change has the rules with their ids already, so that large requests are not twice as large."""
    assert made_by(one, adopted(*approved), approved) == ()
    assert steps(one, adopted(*approved), approved) == (step,)


# -- on rules that are not approved ------------------------------------------------------------------------------------


def test_the_removal_of_an_unapproved_rule_is_told() -> None:
    """It asks nothing, and it says that its requester does not want the addition any more."""
    gone = replace(tcp(80, "sgr-9", description="mine"), tags=TAGS)
    (step,) = made_by(call("remove", resulting=(gone,)), adopted())
    assert step == Removed(rule_id="sgr-9", rule=tcp(80))
    assert (step.rule and step.rule.tags, step.rule and step.rule.rule_id) == ((), None)


def test_a_removal_by_id_alone_is_told() -> None:
    """An old event does not say the values: those approved, or those still there."""
    removal = call("remove", rule_ids=("sgr-1", "sgr-2", "sgr-3"))
    approved, live = adopted(tcp(22, "sgr-1")), (tcp(80, "sgr-2"),)
    assert set(made_by(removal, approved, live)) == {
        Removed(rule_id="sgr-1", rule=tcp(22)),
        Removed(rule_id="sgr-2", rule=tcp(80)),
        Removed(rule_id="sgr-3"),
    }


def test_a_removal_by_values_is_told() -> None:
    """Without EC2's answer and without an id."""
    removal = call("remove", requested=(tcp(22), tcp(80)))
    assert set(made_by(removal, adopted(tcp(22)))) == {Removed(rule=tcp(22)), Removed(rule=tcp(80))}


def test_a_removed_rule_is_named_by_its_own_id() -> None:
    """The approved one has been restored under another id meanwhile."""
    removal = call("remove", resulting=(tcp(22, "sgr-1"),))
    assert made_by(removal, adopted(tcp(22, "sgr-3"))) == (Removed(rule_id="sgr-1", rule=tcp(22)),)


def test_an_edit_of_a_live_rule_that_nobody_approved_is_told() -> None:
    """Measured against the approved rules it is an addition; it is an edit of what an earlier call made."""
    live = (replace(tcp(80, "sgr-9"), tags=TAGS),)
    (step,) = made_by(edit("sgr-9", tcp(80)), adopted(), live)
    assert step == Edited(rule_id="sgr-9", after=tcp(80))
    assert isinstance(step, Edited)
    assert step.after.tags == TAGS  # of the rule that would be added


def test_an_edit_of_a_rule_that_has_been_reverted_is_told() -> None:
    """It asks nothing, and its requester does not want the former values any more."""
    assert made_by(edit("sgr-9", tcp(80)), adopted()) == (Edited(rule_id="sgr-9", after=tcp(80), was_gone=True),)


def test_of_several_edits_each_is_told() -> None:
    """One of an approved rule, one of a rule that is gone, one new description; the change has the first alone."""
    one = replace(
        edit("sgr-1", tcp(80)),
        edits=(
            *edit("sgr-1", tcp(80)).edits,
            *edit("sgr-9", tcp(81)).edits,
            *described("sgr-8", "mine").edits,
        ),
    )
    approved = replace(tcp(22, "sgr-1", description="office"), tags=TAGS)
    made = made_by(one, adopted(approved), (tcp(80, "sgr-1"),))
    assert made == (
        Edited(rule_id="sgr-1", rule=tcp(22), after=tcp(80)),
        Edited(rule_id="sgr-9", after=tcp(81), was_gone=True),
        Described(rule_id="sgr-8", description="mine"),
    )
    assert isinstance(made[0], Edited)
    assert made[0].after.tags == ()  # an edit leaves them as they are


def test_an_edit_into_an_approved_place_names_what_is_approved_there() -> None:
    """So that it is found whichever of the two ids the composition knows."""
    moved = tcp(22, "sgr-9", description="mine")
    assert made_by(edit("sgr-9", moved), adopted(tcp(22, "sgr-1")), (moved,)) == (
        Edited(rule_id="sgr-9", rule=tcp(22), after=moved),
    )


def test_a_description_by_values_is_told() -> None:
    """As it names the rule, so that an earlier edit by the same requester stays."""
    wanted = call("describe", requested=(tcp(80, description="new"),))
    assert made_by(wanted, adopted(tcp(80))) == (Described(rule=tcp(80), description="new"),)


def test_who_describes_a_rule_that_nobody_approved_wants_it() -> None:
    """Alone it is an addition; after the call that made the rule, a new description and nothing else."""
    after = tcp(80, description="new")
    assert made_by(call("describe", requested=(after,)), adopted()) == (Edited(rule=tcp(80), after=after),)
    assert made_by(described("sgr-9", "new"), adopted(), (tcp(80, "sgr-9"),)) == (Edited(rule_id="sgr-9", after=after),)


def test_a_rule_that_was_put_back_as_it_was_is_told() -> None:
    """It asks nothing, and its requester does not want it removed any more."""
    again = tcp(22, "sgr-9", description="office")
    made = made_by(call("add", resulting=(again,)), adopted(tcp(22, "sgr-1", description="office")))
    assert made == (Added(rule=again),)


# -- completed ---------------------------------------------------------------------------------------------------------


def test_the_owner_of_a_group_is_the_approved_rules() -> None:
    """EC2's answer to a revoke leaves it out."""
    peer = tcp(22, "sgr-1", source=group("sg-9", account="333333333333"))
    bare = replace(peer, source=group("sg-9"))
    removal = call("remove", resulting=(replace(bare, rule_id="sgr-2"), tcp(80, "sgr-3")))
    assert made_by(removal, adopted(peer))[0] == Removed(rule_id="sgr-2", rule=peer)


def test_a_group_of_which_only_the_name_is_known_is_left_to_the_change() -> None:
    """Nobody knows its identity."""
    named = tcp(22, source=group_by_name("db", account=ACCOUNT))
    live = (tcp(22, "sgr-9", source=group("sg-9", account=ACCOUNT)),)
    assert made_by(call("add", requested=(named,)), adopted(), live) == ()


def test_rules_of_a_direction_that_is_not_guarded_are_left_out() -> None:
    """They are in force, and nobody is asked about them."""
    outbound = tcp(443, "sgr-2", direction="egress")
    one = replace(edit("sgr-2", tcp(444)), edits=(*edit("sgr-2", tcp(444)).edits, *edit("sgr-9", tcp(80)).edits))
    live = (replace(tcp(444, "sgr-2"), direction="egress"),)
    assert made_by(one, adopted(), live) == (Edited(rule_id="sgr-9", after=tcp(80), was_gone=True),)
    describing = replace(described("sgr-2", "x"), edits=described("sgr-2", "x").edits)
    assert made_by(describing, adopted(outbound, directions=BOTH), (outbound,)) == ()


# -- what the change alone tells ---------------------------------------------------------------------------------------


def test_of_an_event_that_does_not_say_all_nothing_is_told() -> None:
    """Parameters that CloudTrail left out, or that cannot be read."""
    assert made_by(call("add", requested=(tcp(80),), omitted=True), adopted(), (tcp(80, "sgr-9"),)) == ()
    assert made_by(replace(edit("sgr-1", tcp(80)), omitted=True), adopted(tcp(22, "sgr-1")), (tcp(80, "sgr-1"),)) == ()


def test_an_answer_says_all_that_a_call_added_or_removed() -> None:
    """Whatever is missing of what was sent."""
    removal = call("remove", resulting=(tcp(80, "sgr-9"),), omitted=True)
    assert made_by(removal, adopted()) == (Removed(rule_id="sgr-9", rule=tcp(80)),)


def test_operations_that_do_not_lead_to_the_change_are_left_out() -> None:
    """An answer without one of the rules that were sent and are there: the change has both."""
    live = (tcp(80, "sgr-8"), tcp(81, "sgr-9"))
    one = call("add", requested=(tcp(80), tcp(81)), resulting=(tcp(80, "sgr-8"),))
    assert len(assessed(one, adopted(), live).change.added) == 2
    assert made_by(one, adopted(), live) == ()


def test_in_a_group_that_is_not_known_a_removed_rule_counts_as_approved() -> None:
    """Its removal is asked about, so it has something to remove."""
    assert steps(call("remove", resulting=(tcp(22, "sgr-1"),)), None) == (
        Removed(rule_id="sgr-1", rule=tcp(22, "sgr-1")),
    )


def test_what_was_adopted_by_a_call_is_not_approved() -> None:
    """The call was made before the adoption, and its event came afterwards."""
    addition = call("add", resulting=(tcp(80, "sgr-9", description="x"),))
    late = adopted(tcp(80, "sgr-9", description="y"), at=LATER)
    assert steps(addition, late) == (Added(rule=tcp(80, "sgr-9", description="x")),)
