"""Assessments of additions, one example each: what an Authorize call opened is revoked, and no other rule."""

from __future__ import annotations

from dataclasses import replace

from member.chalicelib.rule_set import RuleSet
from member.chalicelib.state.baseline import Baseline, accept_call, with_ids_seen
from shared.domain.rule import Rule, group, group_by_name
from tests.support.examples import ACCOUNT, GUARDED, LATER, adopted, assessed, call, ids, tcp

WEB = group("sg-2", account="333333333333", peering="pcx-1")


def allowed(rule: Rule) -> Baseline:
    """A baseline with a rule that an allowed call added."""
    return accept_call(adopted(), call("add", resulting=(rule,)), RuleSet())


def test_a_rule_that_was_added_is_closed_by_the_id_of_the_answer() -> None:
    """The approved rule beside it stays; approval would add what was added."""
    found = assessed(call("add", resulting=(tcp(22, "sgr-9"),)), adopted(tcp(80)), (tcp(80), tcp(22, "sgr-9")))
    assert ids(*found.undo.removed) == [(tcp(22).identity, "sgr-9")]
    assert (found.change.added, found.undo.added, found.reason) == ((tcp(22),), (), "")


def test_a_rule_made_anew_by_somebody_else_is_not_closed_for_this_call() -> None:
    """The id of the answer is gone, so this call's rule is; the equal one has an event of its own."""
    found = assessed(call("add", resulting=(tcp(22, "sgr-1"),)), adopted(), (tcp(22, "sgr-2"),))
    assert found.change.added == (tcp(22),)
    assert found.undo.is_empty


def test_a_rule_made_before_its_group_was_adopted_is_closed_under_any_id() -> None:
    """It may have been restored unknowingly, under another id, while its event was on the way."""
    late = adopted(at=LATER)
    found = assessed(call("add", resulting=(tcp(22, "sgr-1"),)), late, (tcp(22, "sgr-2"),))
    assert ids(*found.undo.removed) == [(tcp(22).identity, "sgr-2")]


def test_an_addition_whose_answer_is_not_known_is_closed_by_its_values() -> None:
    """Old events have no answer."""
    found = assessed(call("add", requested=(tcp(22),)), adopted(), (tcp(22, "sgr-1"),))
    assert ids(*found.undo.removed) == [(tcp(22).identity, "sgr-1")]


def test_a_rule_that_the_answer_leaves_out_is_closed_as_well() -> None:
    """What was asked for and is live, and stands in no answer that is whole, was made by this call."""
    asked = call("add", requested=(tcp(22), tcp(80)), resulting=(tcp(22, "sgr-1"),))
    found = assessed(asked, adopted(), (tcp(22, "sgr-1"), tcp(80, "sgr-2")))
    assert ids(*found.undo.removed) == ids(tcp(22, "sgr-1"), tcp(80, "sgr-2"))


def test_an_addition_of_approved_rules_changes_nothing() -> None:
    """The reason says so, and the rule stays."""
    found = assessed(call("add", resulting=(tcp(22, "sgr-1"),)), adopted(tcp(22)), (tcp(22, "sgr-1"),))
    assert found.change.is_empty
    assert found.undo.is_empty
    assert found.reason == "the rules are approved already"


def test_an_approved_rule_that_was_added_with_another_description_gets_its_own_back() -> None:
    """The rule is approved, the text beside it is not: that is an edit of it."""
    made = tcp(22, "sgr-1", description="else")
    found = assessed(call("add", resulting=(made,)), adopted(tcp(22, description="office")), (made,))
    assert [(edit.before.description, edit.after.description) for edit in found.change.modified] == [("office", "else")]
    assert [edit.after.description for edit in found.undo.modified] == ["office"]
    assert not found.undo.removed


def test_an_approved_rule_that_became_another_is_restored_with_what_became_of_it() -> None:
    """The answer's id leads to an approved rule, which is missing by now: revoking the one has to restore the other."""
    live = (tcp(22, "sgr-1"),)
    found = assessed(call("add", resulting=live), allowed(tcp(80, "sgr-1")), live)
    assert (found.undo.removed, found.undo.added) == ((tcp(22),), (tcp(80),))


def test_an_added_rule_is_found_by_the_approved_rules_former_id() -> None:
    """An approved rule that was restored is known by the id it had before as well."""
    baseline = with_ids_seen(allowed(tcp(80, "sgr-1")), RuleSet([tcp(80, "sgr-2")]))
    found = assessed(call("add", resulting=(tcp(22, "sgr-1"),)), baseline, ())
    assert found.undo.added == (tcp(80),)


def test_what_was_added_to_a_group_that_is_not_known_is_closed() -> None:
    """Without a baseline the event itself says what is new."""
    found = assessed(call("add", resulting=(tcp(22, "sgr-1"),)), None, (tcp(22, "sgr-1"), tcp(80)))
    assert (found.change.added, found.undo.removed, found.is_unknown) == ((tcp(22),), (tcp(22),), False)


def test_an_addition_whose_details_were_left_out_closes_what_nobody_approved() -> None:
    """The live rules of the call's direction that are not approved are what it may have made."""
    live = (tcp(22, "sgr-1"), tcp(80), tcp(443, "sgr-3", direction="egress"))
    found = assessed(call("add", omitted=True), adopted(tcp(80)), live)
    assert (found.change.added, found.undo.removed) == ((tcp(22),), (tcp(22),))


def test_an_addition_whose_details_were_left_out_of_an_unknown_group_is_unknown() -> None:
    """What the event does say is closed; the found says that there may be more."""
    found = assessed(call("add", requested=(tcp(22),), omitted=True), None, (tcp(22, "sgr-1"), tcp(80)))
    assert found.is_unknown
    assert "nobody knows which rules of this group are approved" in found.reason
    assert (found.change.added, found.undo.removed) == ((tcp(22),), (tcp(22),))


def test_a_group_that_is_named_only_is_found_among_what_nobody_approved() -> None:
    """Only rules of the same ports that refer to a group can be meant; what is approved or of other ports cannot."""
    approved = tcp(22, source=group("sg-5", account=ACCOUNT))
    live = (approved, tcp(22, source=WEB), tcp(80, source=WEB), tcp(22))
    found = assessed(call("add", requested=(tcp(22, source=group_by_name("web")),)), adopted(approved), live)
    assert found.change.added == found.undo.removed == (tcp(22, source=WEB),)


def test_a_rule_beside_one_of_a_named_group_is_closed_once() -> None:
    """It is what the event spells out, and not what it leaves open."""
    told = tcp(22, source=WEB)
    asked = call("add", requested=(tcp(22, source=group_by_name("web")), told))
    found = assessed(asked, adopted(), (told, tcp(80)))
    assert found.change.added == found.undo.removed == (told,)


def test_the_owner_of_a_referenced_group_is_the_one_ec2_says() -> None:
    """Live, it is whose EC2 says; gone, it is the account of the call, unless the event says another."""
    unsaid = tcp(22, "sgr-1", source=group("sg-2"))
    (found,) = assessed(
        call("add", resulting=(unsaid,)), adopted(), (tcp(22, "sgr-1", source=WEB),), GUARDED
    ).change.added
    assert (found.source, found.source.peering) == (WEB, "pcx-1")
    (gone,) = assessed(call("add", resulting=(unsaid,)), adopted(), ()).change.added
    assert gone.source.account == ACCOUNT
    said = replace(unsaid, source=group("sg-2", account="111111111111"))
    (kept,) = assessed(call("add", resulting=(said,)), adopted(), ()).change.added
    assert kept.source.account == "111111111111"


def test_what_was_added_before_the_adoption_leaves_the_baseline() -> None:
    """It was accepted only because it was there; nobody had allowed it."""
    for made in (call("add", resulting=(tcp(22, "sgr-1"),)), call("add", requested=(tcp(22),))):
        found = assessed(made, adopted(tcp(22, "sgr-1"), tcp(80), at=LATER), (tcp(22, "sgr-1"), tcp(80)))
        assert found.change.added == found.undo.removed == (tcp(22),)
