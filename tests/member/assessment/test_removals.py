"""Findings of removals, one example each: approved rules that a Revoke call took away are put back, and no others."""

from __future__ import annotations

from member.chalicelib.assessment.assess import find
from tests.support.examples import GUARDED, LATER, call, learned, tcp


def test_an_approved_rule_that_was_removed_is_put_back() -> None:
    """Whether the event has EC2's answer or only what was asked."""
    for removal in (call("remove", resulting=(tcp(22, "sgr-1"),)), call("remove", requested=(tcp(22),))):
        finding = find(removal, learned(tcp(22, "sgr-1"), tcp(80)), (tcp(80),), GUARDED)
        assert (finding.change.removed, finding.undo.added, finding.reason) == ((tcp(22),), (tcp(22),), "")


def test_a_rule_that_was_removed_by_its_id_alone_is_put_back() -> None:
    """The baseline knows which rule had that id."""
    finding = find(call("remove", rule_ids=("sgr-1", "sgr-7")), learned(tcp(22, "sgr-1")), (), GUARDED)
    assert (finding.change.removed, finding.undo.added) == ((tcp(22),), (tcp(22),))


def test_a_removed_rule_that_nobody_had_approved_stays_away() -> None:
    """There is nothing to restore, and the reason says so."""
    finding = find(call("remove", resulting=(tcp(22, "sgr-9"),)), learned(), (), GUARDED)
    assert finding.undo.is_empty
    assert finding.reason == "the rules had not been approved, so there is nothing to restore"


def test_a_removal_whose_details_were_left_out_restores_what_is_missing() -> None:
    """Of the approved rules of its direction, those that are live have not been removed."""
    finding = find(call("remove", omitted=True), learned(tcp(22), tcp(80)), (tcp(80),), GUARDED)
    assert (finding.change.removed, finding.undo.added) == ((tcp(22),), (tcp(22),))


def test_what_was_removed_from_an_unknown_group_is_put_back_as_the_event_says() -> None:
    """Without a baseline, what the call names is taken for what it took away."""
    finding = find(call("remove", resulting=(tcp(22, "sgr-1"),)), None, (tcp(80),), GUARDED)
    assert (finding.change.removed, finding.undo.added, finding.is_unknown) == ((tcp(22),), (tcp(22),), False)


def test_a_removal_from_before_the_group_was_learned_restores_the_approved_and_reports_the_rest() -> None:
    """Nobody knows whether a rule that was gone before the baseline was learned had been approved; one that is back
    is not missing, whoever brought it."""
    late = learned(tcp(22), at=LATER)
    gone = (tcp(22, "sgr-1"), tcp(23, "sgr-2"), tcp(24, "sgr-3"))
    finding = find(call("remove", resulting=gone), late, (tcp(24, "sgr-8"),), GUARDED)
    assert (finding.undo.added, finding.remaining, finding.is_unknown) == ((tcp(22),), (tcp(23),), True)
    assert finding.change.removed == (tcp(22), tcp(23))
    settled = find(call("remove", resulting=gone[:1]), late, (), GUARDED)
    assert (settled.undo.added, settled.is_unknown) == ((tcp(22),), False)
