"""Assessments of edits, one example each: an edited rule is edited back, wherever the approved one is by now."""

from __future__ import annotations

from dataclasses import replace

from member.chalicelib.cloudtrail.call import Call, RuleEdit
from shared.domain.rule import Rule
from tests.support.examples import GUARDED, LATER, adopted, assessed, call, ids, tcp


def edit(rule_id: str, after: Rule) -> Call:
    """Return the edit of one rule; the event says neither its direction nor its id among the new values."""
    return call("modify", edits=(RuleEdit(rule_id=rule_id, after=after, description=after.description),))


def test_an_edited_rule_is_edited_back() -> None:
    """In place, so that it keeps its id."""
    found = assessed(edit("sgr-1", tcp(80)), adopted(tcp(22, "sgr-1")), (tcp(80, "sgr-1"),))
    (change,), (undo,) = found.change.modified, found.undo.modified
    assert (change.before, change.after) == (undo.after, undo.before) == (tcp(22), tcp(80))
    assert undo.before.rule_id == "sgr-1"


def test_an_edit_of_a_rule_that_nobody_approved_counts_as_an_addition() -> None:
    """It was open without an approval before, and is closed with what became of it."""
    found = assessed(edit("sgr-9", tcp(80)), adopted(tcp(22)), (tcp(22), tcp(80, "sgr-9")))
    assert (found.change.added, found.change.modified) == ((tcp(80),), ())
    assert ids(*found.undo.removed) == [(tcp(80).identity, "sgr-9")]


def test_an_edit_in_a_group_that_is_not_known_is_removed() -> None:
    """Nobody knows what the rule was: it is revoked, and asked about as an addition."""
    found = assessed(edit("sgr-1", tcp(80)), None, (tcp(80, "sgr-1"),))
    assert (found.change.added, found.is_unknown) == ((tcp(80),), False)
    assert ids(*found.undo.removed) == ids(tcp(80, "sgr-1"))
    assert "Nobody knows what the edited rule was before" in found.reason


def test_an_edit_from_before_the_adoption_leaves_the_baseline() -> None:
    """Its new values were accepted as they were there, and nobody had allowed them."""
    found = assessed(edit("sgr-1", tcp(80)), adopted(tcp(80, "sgr-1"), at=LATER), (tcp(80, "sgr-1"),))
    assert (found.change.added, found.change.modified) == ((tcp(80),), ())
    assert ids(*found.undo.removed) == ids(tcp(80, "sgr-1"))


def test_an_edit_to_the_approved_values_changes_nothing() -> None:
    """Or the region was adopted while the edit was on its way, and the values from before are the approved ones."""
    live = (tcp(80, "sgr-1"),)
    found = assessed(edit("sgr-1", tcp(80)), adopted(*live), live)
    assert (found.undo.is_empty, found.reason) == (True, "the call changed nothing that is guarded")
    undo = assessed(edit("sgr-1", tcp(80)), adopted(tcp(22, "sgr-1"), at=LATER), live).undo
    assert [one.after for one in undo.modified] == [tcp(22)]


def test_an_edit_in_a_direction_that_is_not_adopted_is_removed() -> None:
    """It is guarded from now on, and nobody knows what the rule was."""
    live = (tcp(80, "sgr-1", direction="egress"),)
    found = assessed(edit("sgr-1", tcp(80)), adopted(), live, ("ingress", "egress"))
    assert (found.change.added, found.undo.removed) == (live, live)
    assert "Nobody knows what the edited rule was before" in found.reason


def test_an_edited_rule_that_is_gone_by_now_is_restored() -> None:
    """Somebody removed it afterwards; what it was is approved."""
    found = assessed(edit("sgr-1", tcp(80)), adopted(tcp(22, "sgr-1")), ())
    assert [(one.before, one.after) for one in found.change.modified] == [(tcp(22), tcp(80))]
    assert found.undo.added == (tcp(22),)


def test_an_edited_rule_that_is_gone_from_an_unknown_group_leaves_nothing_in_doubt() -> None:
    """Nothing of that edit is in force."""
    found = assessed(edit("sgr-1", tcp(80)), None, ())
    assert (found.is_unknown, found.undo.is_empty) == (False, True)
    assert "sgr-1 to tcp/80-80/ipv4/10.0.0.0/8 no longer exists" in found.reason


def test_an_approved_rule_is_known_under_an_id_that_no_snapshot_has_seen_yet() -> None:
    """It was made anew a moment ago; its values say which one it is."""
    described = call("describe", edits=(RuleEdit(rule_id="sgr-7", after=None, description="else"),))
    found = assessed(described, adopted(tcp(22, "sgr-1")), (tcp(22, "sgr-7", description="else"),))
    assert [(one.before.rule_id, one.after.description) for one in found.change.modified] == [("sgr-1", "else")]
    assert [one.after.description for one in found.undo.modified] == [""]


def test_edits_that_the_event_leaves_out_are_seen_in_the_group() -> None:
    """What it does tell counts once, and approved rules that are as they were have not been edited."""
    told = replace(edit("sgr-1", tcp(81)), omitted=True)
    baseline = adopted(tcp(21, "sgr-1"), tcp(22, "sgr-2"), tcp(23, "sgr-3"))
    live = (tcp(81, "sgr-1"), tcp(82, "sgr-2"), tcp(23, "sgr-3"))
    found = assessed(told, baseline, live)
    assert [(one.before, one.after) for one in found.change.modified] == [(tcp(21), tcp(81)), (tcp(22), tcp(82))]
    assert [one.after for one in found.undo.modified] == [tcp(21), tcp(22)]
    assert not found.is_unknown
    whole = assessed(replace(told, omitted=False), baseline, live)
    assert [one.before for one in whole.change.modified] == [tcp(21)]


def test_an_edit_of_a_rule_in_a_direction_that_is_not_guarded_is_left_alone() -> None:
    """The found says that this is all the call did."""
    live = (tcp(80, "sgr-1", direction="egress"),)
    found = assessed(edit("sgr-1", tcp(80)), adopted(tcp(22)), live)
    assert (found.is_unguarded, found.undo.is_empty) == (True, True)


def test_a_new_description_is_undone_by_id_and_by_values() -> None:
    """Both forms of UpdateSecurityGroupRuleDescriptions."""
    approved, live = tcp(22, "sgr-1", description="office"), tcp(22, "sgr-1", description="else")
    by_id = call("describe", edits=(RuleEdit(rule_id="sgr-1", after=None, description="else"),))
    for described in (by_id, call("describe", requested=(tcp(22, description="else"),))):
        found = assessed(described, adopted(approved), (live,))
        (change,), (undo,) = found.change.modified, found.undo.modified
        assert (change.before.description, change.after.description) == ("office", "else")
        assert (undo.before.description, undo.after.description) == ("else", "office")


def test_a_described_rule_that_is_gone_by_now_is_restored_as_it_was_approved() -> None:
    """Somebody removed it afterwards: approval would describe it, and meanwhile it has to be there."""
    found = assessed(
        call("describe", requested=(tcp(22, description="else"),)), adopted(tcp(22, description="office")), (), GUARDED
    )
    assert [one.after.description for one in found.change.modified] == ["else"]
    assert [one.description for one in found.undo.added] == ["office"]


def test_a_description_in_an_unknown_group_is_left() -> None:
    """It lets nobody in, and nobody knows the one from before; the reason says so."""
    found = assessed(call("describe", requested=(tcp(22, description="else"),)), None, (tcp(22, "sgr-1"),))
    assert (found.change.is_empty, found.undo.is_empty) == (True, True)
    assert found.reason == "Nobody knows the description from before, so the new one was left."


def test_an_edited_rule_is_closed_where_the_approved_one_is_in_force_under_another_id() -> None:
    """Somebody made it anew; the edited rule holds nothing approved, so there is no place to edit it back to."""
    live = (tcp(80, "sgr-1"), tcp(22, "sgr-3"))
    found = assessed(edit("sgr-1", tcp(80)), adopted(tcp(22, "sgr-1")), live)
    assert ids(*found.undo.removed) == [(tcp(80).identity, "sgr-1")]
    assert (found.undo.added, found.undo.modified) == ((), ())


def test_two_approved_rules_that_changed_places_are_left_there() -> None:
    """Everything approved is in force, if under other ids."""
    baseline = adopted(tcp(22, "sgr-1"), tcp(80, "sgr-2"))
    found = assessed(edit("sgr-1", tcp(80)), baseline, (tcp(80, "sgr-1"), tcp(22, "sgr-2")))
    assert found.undo.is_empty
    assert [(one.before, one.after) for one in found.change.modified] == [(tcp(22), tcp(80))]


def test_an_edited_rule_that_holds_another_approved_ones_place_brings_both_back() -> None:
    """Edited back alone, it would leave that place empty."""
    baseline = adopted(tcp(22, "sgr-1"), tcp(80, "sgr-2"))
    undo = assessed(edit("sgr-1", tcp(80)), baseline, (tcp(80, "sgr-1"),)).undo
    assert [(one.before, one.after) for one in undo.modified] == [(tcp(80), tcp(22))]
    assert (undo.added, undo.removed) == ((tcp(80),), ())


def test_an_edited_rule_whose_place_another_ones_id_holds_brings_that_one_back_too() -> None:
    """The id in the first one's place was edited out of its own, which would stay empty; both keep their tags."""
    baseline = adopted(tcp(22, "sgr-1"), tcp(80, "sgr-2"))
    undo = assessed(edit("sgr-1", tcp(443)), baseline, (tcp(443, "sgr-1"), tcp(22, "sgr-2"))).undo
    assert [(one.before, one.after) for one in undo.modified] == [(tcp(22), tcp(80)), (tcp(443), tcp(22))]
    assert (undo.added, undo.removed) == ((), ())


def test_edits_that_are_left_out_of_a_group_that_is_not_known_say_so() -> None:
    """Nobody knows what they were."""
    found = assessed(call("modify", omitted=True), None, (tcp(22, "sgr-1"),))
    assert (found.is_unknown, found.change.is_empty, found.undo.is_empty) == (True, True, True)


def test_a_call_names_one_rule_or_none() -> None:
    """By what it edits and removes, each counted once."""
    assert edit("sgr-1", tcp(80)).only_rule_id == "sgr-1"
    assert call("remove", rule_ids=("sgr-1", "sgr-2")).only_rule_id == ""
    assert call("add", requested=(tcp(80),)).only_rule_id == ""
    assert call("remove", rule_ids=("sgr-1",), resulting=(tcp(80, "sgr-1"),)).only_rule_id == ""


def test_an_edit_to_what_a_restored_removal_opened_removes_that() -> None:
    """Where nobody knows what is approved, the removal was heard first, and gave the rule another id."""
    found = assessed(edit("sgr-1", tcp(80)), None, (tcp(80, "sgr-7"),))
    assert ids(*found.undo.removed) == [(tcp(80).identity, "sgr-7")]
