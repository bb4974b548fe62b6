"""Assessments of removals, one example each: a revoked approved rule is restored, no other is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from member.chalicelib.cloudtrail.call import CallKind
from member.chalicelib.state.baseline import Baseline
from member.chalicelib.state.doubt import Doubt
from tests.support.examples import BEFORE, LATER, NOON, adopted, assessed, call, ids, tcp


def test_an_approved_rule_that_was_removed_is_put_back() -> None:
    """Whether the event has EC2's answer or only what was asked."""
    for removal in (call("remove", resulting=(tcp(22, "sgr-1"),)), call("remove", requested=(tcp(22),))):
        found = assessed(removal, adopted(tcp(22, "sgr-1"), tcp(80)), (tcp(80),))
        assert (found.change.removed, found.undo.added, found.reason) == ((tcp(22),), (tcp(22),), "")


def test_a_rule_that_was_removed_by_its_id_alone_is_put_back() -> None:
    """The baseline knows which rule had that id."""
    found = assessed(call("remove", rule_ids=("sgr-1", "sgr-7")), adopted(tcp(22, "sgr-1")), ())
    assert (found.change.removed, found.undo.added) == ((tcp(22),), (tcp(22),))


def test_a_removed_rule_that_nobody_had_approved_stays_away() -> None:
    """There is nothing to restore, and the reason says so."""
    found = assessed(call("remove", resulting=(tcp(22, "sgr-9"),)), adopted(), ())
    assert found.undo.is_empty
    assert found.reason == "the rules had not been approved, so there is nothing to restore"


def test_a_removal_whose_details_were_left_out_restores_what_is_missing() -> None:
    """Of the approved rules of its direction, those that are live have not been removed."""
    found = assessed(call("remove", omitted=True), adopted(tcp(22), tcp(80)), (tcp(80),))
    assert (found.change.removed, found.undo.added) == ((tcp(22),), (tcp(22),))


EMPTY = Baseline(region="eu-west-1", group_id="sg-1")


def test_what_was_removed_before_the_adoption_is_put_back_as_the_event_says() -> None:
    """While nobody knows what is approved, what the call names is taken for what it took away."""
    found = assessed(call("remove", resulting=(tcp(22, "sgr-1"),)), EMPTY, (tcp(80),))
    assert (found.change.removed, found.undo.added, found.is_unknown) == ((tcp(22),), (tcp(22),), False)


@pytest.mark.parametrize("baseline", [None, replace(EMPTY, doubt=Doubt(unread_since=NOON))])
def test_what_may_have_been_added_unread_is_not_put_back(baseline: Baseline | None) -> None:
    """Neither where such calls cannot be remembered, nor after one."""
    found = assessed(call("remove", resulting=(tcp(22, "sgr-1"), tcp(80, "sgr-2"))), baseline, (tcp(80),))
    assert (found.undo.is_empty, found.is_unknown, found.remaining) == (True, True, (tcp(22),))
    assert found.change.removed == (tcp(22), tcp(80))
    assert "nobody can read" in found.reason


def test_of_a_removal_before_the_adoption_only_what_is_approved_is_put_back_after_an_unread_call() -> None:
    """The other rule may have come from that call."""
    late = replace(adopted(tcp(22, "sgr-1"), at=LATER), doubt=Doubt(unread_since=NOON))
    found = assessed(call("remove", resulting=(tcp(22, "sgr-1"), tcp(23, "sgr-2"))), late, ())
    assert (found.undo.added, found.remaining, found.is_unknown) == ((tcp(22),), (tcp(23),), True)
    assert found.change.removed == (tcp(22), tcp(23))


@pytest.mark.parametrize("kind", ["add", "modify"])
@pytest.mark.parametrize("is_adopted", [True, False])
def test_an_unread_call_closes_what_had_been_restored_since(kind: CallKind, is_adopted: bool) -> None:
    """It may have added that; what was restored of an older removal stays."""
    doubt = Doubt().with_restored([tcp(22)], NOON).with_restored([tcp(23)], BEFORE)
    before = replace(adopted(tcp(22), tcp(23), at=LATER) if is_adopted else EMPTY, doubt=doubt)
    found = assessed(call(kind, omitted=True), before, (tcp(22, "sgr-1"), tcp(23, "sgr-2")))
    assert ids(*found.undo.removed) == ids(tcp(22, "sgr-1"))
    assert ids(*found.change.added) == ids(tcp(22, "sgr-1"))


def test_a_removal_from_before_the_adoption_counts_as_of_an_approved_rule() -> None:
    """Nobody allowed it, so the rule is put back and its removal is asked about; one that is back is only noted."""
    late = adopted(tcp(22), at=LATER)
    gone = (tcp(22, "sgr-1"), tcp(23, "sgr-2"), tcp(24, "sgr-3"))
    found = assessed(call("remove", resulting=gone), late, (tcp(24, "sgr-8"),))
    assert found.change.removed == gone
    assert (found.undo.added, found.is_unknown) == ((tcp(22), tcp(23)), False)


def test_a_removal_that_revoked_nothing_restores_nothing() -> None:
    """EC2 answers with no rules where none of those named was there."""
    found = assessed(call("remove", requested=(tcp(22),), resulting=()), adopted(tcp(22)), ())
    assert (found.change.is_empty, found.undo.is_empty) == (True, True)


def test_a_removal_by_ids_from_an_unknown_group_is_unknown() -> None:
    """Neither the event nor a baseline says what was removed: it is reported, and nothing is opened."""
    found = assessed(call("remove", rule_ids=("sgr-1",)), None, ())
    assert (found.is_unknown, found.undo.is_empty) == (True, True)
    assert "nobody knows which rules of this group are approved" in found.reason


def test_what_is_missing_after_an_omitted_removal_remains() -> None:
    """Of a group that is not known, what the request names and is not live is missing."""
    made = call("remove", requested=(tcp(22), tcp(80)), omitted=True)
    found = assessed(made, None, (tcp(80, "sgr-2"),))
    assert (found.is_unknown, found.remaining) == (True, (tcp(22),))
