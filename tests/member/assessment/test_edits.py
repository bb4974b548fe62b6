"""Findings of edits, one example each: an edited rule is edited back, wherever the approved one is by now."""

from __future__ import annotations

from dataclasses import replace

from member.chalicelib.assessment.assess import find
from member.chalicelib.cloudtrail.call import Call, RuleEdit
from member.chalicelib.state.baseline import stamped
from shared.domain.rule import Rule
from tests.support.examples import GUARDED, LATER, NOON, call, ids, learned, tcp


def edit(rule_id: str, after: Rule) -> Call:
    """Return the edit of one rule; the event says neither its direction nor its id among the new values."""
    return call("modify", edits=(RuleEdit(rule_id=rule_id, after=after, description=after.description),))


def test_an_edited_rule_is_edited_back() -> None:
    """In place, so that it keeps its id."""
    finding = find(edit("sgr-1", tcp(80)), learned(tcp(22, "sgr-1")), (tcp(80, "sgr-1"),), GUARDED)
    (change,), (undo,) = finding.change.modified, finding.undo.modified
    assert (change.before, change.after) == (undo.after, undo.before) == (tcp(22), tcp(80))
    assert undo.before.rule_id == "sgr-1"


def test_an_edit_of_a_rule_that_nobody_approved_counts_as_an_addition() -> None:
    """It was open without an approval before, and is closed with what became of it."""
    finding = find(edit("sgr-9", tcp(80)), learned(tcp(22)), (tcp(22), tcp(80, "sgr-9")), GUARDED)
    assert (finding.change.added, finding.change.modified) == ((tcp(80),), ())
    assert ids(*finding.undo.removed) == [(tcp(80).identity, "sgr-9")]


def test_an_edit_in_a_group_that_is_not_known_cannot_be_taken_back() -> None:
    """Nobody knows what the rule was: it remains, and is reported."""
    finding = find(edit("sgr-1", tcp(80)), None, (tcp(80, "sgr-1"),), GUARDED)
    assert finding.is_unknown
    assert finding.remaining == (tcp(80),)
    assert finding.undo.is_empty
    assert "nobody knows what the rule was before" in finding.reason


def test_an_edit_from_before_its_group_was_learned_cannot_be_taken_back() -> None:
    """The new values were taken for the approved ones; what was there before, nobody wrote down."""
    finding = find(edit("sgr-1", tcp(80)), learned(tcp(80, "sgr-1"), at=LATER), (tcp(80, "sgr-1"),), GUARDED)
    assert (finding.is_unknown, finding.remaining) == (True, (tcp(80),))


def test_an_edit_whose_before_is_known_is_not_in_doubt() -> None:
    """Learned earlier, or allowed since, or learned with the values of before while the edit was under way."""
    approved, live = tcp(80, "sgr-1"), (tcp(80, "sgr-1"),)
    for baseline in (learned(approved), stamped(learned(approved, at=LATER), ["sgr-1"], NOON)):
        finding = find(edit("sgr-1", tcp(80)), baseline, live, GUARDED)
        assert (finding.is_unknown, finding.reason) == (False, "the call changed nothing that is guarded")
    undo = find(edit("sgr-1", tcp(80)), learned(tcp(22, "sgr-1"), at=LATER), live, GUARDED).undo
    assert [one.after for one in undo.modified] == [tcp(22)]


def test_an_edit_in_a_direction_that_is_not_learned_yet_is_reported() -> None:
    """It is guarded from now on, and nobody knows what the rule was."""
    live = (tcp(80, "sgr-1", direction="egress"),)
    finding = find(edit("sgr-1", tcp(80)), learned(), live, ("ingress", "egress"))
    assert (finding.is_unknown, finding.remaining) == (True, live)


def test_an_edited_rule_that_is_gone_by_now_is_restored() -> None:
    """Somebody removed it afterwards; what it was is approved."""
    finding = find(edit("sgr-1", tcp(80)), learned(tcp(22, "sgr-1")), (), GUARDED)
    assert [(one.before, one.after) for one in finding.change.modified] == [(tcp(22), tcp(80))]
    assert finding.undo.added == (tcp(22),)


def test_an_edited_rule_that_is_gone_from_an_unknown_group_leaves_nothing_in_doubt() -> None:
    """Nothing of that edit is in force."""
    finding = find(edit("sgr-1", tcp(80)), None, (), GUARDED)
    assert (finding.is_unknown, finding.undo.is_empty) == (False, True)
    assert "sgr-1 to tcp/80-80/ipv4/10.0.0.0/8 no longer exists" in finding.reason


def test_an_approved_rule_is_known_under_an_id_that_no_snapshot_has_seen_yet() -> None:
    """It was made anew a moment ago; its values say which one it is."""
    described = call("describe", edits=(RuleEdit(rule_id="sgr-7", after=None, description="else"),))
    finding = find(described, learned(tcp(22, "sgr-1")), (tcp(22, "sgr-7", description="else"),), GUARDED)
    assert [(one.before.rule_id, one.after.description) for one in finding.change.modified] == [("sgr-1", "else")]
    assert [one.after.description for one in finding.undo.modified] == [""]


def test_an_edit_of_an_unknown_group_of_which_nothing_is_told_is_unknown() -> None:
    """Its details were left out and there is no baseline to see them by."""
    finding = find(call("modify", omitted=True), None, (tcp(22),), GUARDED)
    assert (finding.is_unknown, finding.remaining) == (True, ())


def test_edits_that_the_event_leaves_out_are_seen_in_the_group() -> None:
    """What it does tell counts once, and approved rules that are as they were have not been edited."""
    told = replace(edit("sgr-1", tcp(81)), omitted=True)
    baseline = learned(tcp(21, "sgr-1"), tcp(22, "sgr-2"), tcp(23, "sgr-3"))
    live = (tcp(81, "sgr-1"), tcp(82, "sgr-2"), tcp(23, "sgr-3"))
    finding = find(told, baseline, live, GUARDED)
    assert [(one.before, one.after) for one in finding.change.modified] == [(tcp(21), tcp(81)), (tcp(22), tcp(82))]
    assert [one.after for one in finding.undo.modified] == [tcp(21), tcp(22)]
    assert not finding.is_unknown
    whole = find(replace(told, omitted=False), baseline, live, GUARDED)
    assert [one.before for one in whole.change.modified] == [tcp(21)]


def test_an_edit_of_a_rule_in_a_direction_that_is_not_guarded_is_left_alone() -> None:
    """The finding says that this is all the call did."""
    live = (tcp(80, "sgr-1", direction="egress"),)
    finding = find(edit("sgr-1", tcp(80)), learned(tcp(22)), live, GUARDED)
    assert (finding.is_unguarded, finding.undo.is_empty) == (True, True)


def test_a_new_description_is_taken_back_by_id_and_by_values() -> None:
    """Both forms of UpdateSecurityGroupRuleDescriptions."""
    approved, live = tcp(22, "sgr-1", description="office"), tcp(22, "sgr-1", description="else")
    by_id = call("describe", edits=(RuleEdit(rule_id="sgr-1", after=None, description="else"),))
    for described in (by_id, call("describe", requested=(tcp(22, description="else"),))):
        finding = find(described, learned(approved), (live,), GUARDED)
        (change,), (undo,) = finding.change.modified, finding.undo.modified
        assert (change.before.description, change.after.description) == ("office", "else")
        assert (undo.before.description, undo.after.description) == ("else", "office")


def test_a_described_rule_that_is_gone_by_now_is_restored_as_it_was_approved() -> None:
    """Somebody removed it afterwards: approval would describe it, and meanwhile it has to be there."""
    finding = find(
        call("describe", requested=(tcp(22, description="else"),)), learned(tcp(22, description="office")), (), GUARDED
    )
    assert [one.after.description for one in finding.change.modified] == ["else"]
    assert [one.description for one in finding.undo.added] == ["office"]


def test_a_description_of_a_rule_in_an_unknown_group_is_reported() -> None:
    """It may have had another one before."""
    finding = find(call("describe", requested=(tcp(22, description="else"),)), None, (tcp(22, "sgr-1"),), GUARDED)
    assert (finding.is_unknown, finding.remaining, finding.undo.is_empty) == (True, (tcp(22),), True)


def test_an_edited_rule_is_closed_where_the_approved_one_is_in_force_under_another_id() -> None:
    """Somebody made it anew; the edited rule holds nothing approved, so there is no place to edit it back to."""
    live = (tcp(80, "sgr-1"), tcp(22, "sgr-3"))
    finding = find(edit("sgr-1", tcp(80)), learned(tcp(22, "sgr-1")), live, GUARDED)
    assert ids(*finding.undo.removed) == [(tcp(80).identity, "sgr-1")]
    assert (finding.undo.added, finding.undo.modified) == ((), ())


def test_two_approved_rules_that_changed_places_are_left_there() -> None:
    """Everything approved is in force, if under other ids."""
    baseline = learned(tcp(22, "sgr-1"), tcp(80, "sgr-2"))
    finding = find(edit("sgr-1", tcp(80)), baseline, (tcp(80, "sgr-1"), tcp(22, "sgr-2")), GUARDED)
    assert finding.undo.is_empty
    assert [(one.before, one.after) for one in finding.change.modified] == [(tcp(22), tcp(80))]


def test_an_edited_rule_that_holds_another_approved_ones_place_brings_both_back() -> None:
    """Edited back alone, it would leave that place empty."""
    baseline = learned(tcp(22, "sgr-1"), tcp(80, "sgr-2"))
    undo = find(edit("sgr-1", tcp(80)), baseline, (tcp(80, "sgr-1"),), GUARDED).undo
    assert [(one.before, one.after) for one in undo.modified] == [(tcp(80), tcp(22))]
    assert (undo.added, undo.removed) == ((tcp(80),), ())
