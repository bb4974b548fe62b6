"""What is remembered where nobody knows which rules are approved, one example each."""

from __future__ import annotations

from dataclasses import replace

from member.chalicelib.rule_set import RuleSet
from member.chalicelib.state.baseline import Baseline, with_unread, without_unapproved
from member.chalicelib.state.doubt import RESTORED_KEPT, Doubt, Restored
from tests.support.examples import BEFORE, LATER, NOON, adopted, call, tcp

EMPTY = Baseline(region="eu-west-1", group_id="sg-1")


def test_after_an_unread_call_a_removed_rule_is_in_doubt() -> None:
    """The earliest such call counts, in whatever order they are heard; one removed before it was there before it."""
    assert not Doubt().covers(NOON)
    for times in ((NOON, LATER), (LATER, NOON), (NOON, NOON)):
        doubt = Doubt()
        for one in times:
            doubt = doubt.with_unread(one)
        assert doubt.unread_since == NOON
        assert (doubt.covers(BEFORE), doubt.covers(NOON), doubt.covers(LATER)) == (False, True, True)
    assert Doubt().with_unread(None) == Doubt()


def test_what_is_restored_is_remembered_once_without_what_says_nothing() -> None:
    """Ids change when a rule is restored; the place does not."""
    doubt = Doubt().with_restored([tcp(22, "sgr-1", description="x")], NOON).with_restored([tcp(22, "sgr-2")], NOON)
    assert doubt.restored == (Restored(rule=tcp(22), at=NOON),)
    assert doubt.restored[0].rule.rule_id is None
    assert (doubt.restored_since(LATER), doubt.restored_since(NOON)) == ((), (tcp(22),))
    assert doubt.without_restored(NOON).restored == ()
    assert doubt.without_restored(LATER) == doubt


def test_no_more_is_restored_than_can_be_remembered() -> None:
    """What is not remembered could not be closed again."""
    doubt = Doubt().with_restored([tcp(number) for number in range(1, RESTORED_KEPT)], NOON)
    assert not doubt.covers(NOON)
    assert doubt.with_restored([tcp(999)], NOON).covers(NOON)


def test_an_unread_call_is_noted_only_where_it_was_not_known_what_is_approved() -> None:
    """Its group's, and that of no group: of a direction adopted before it, everything is known."""
    for kind in ("add", "modify"):
        noted = without_unapproved(EMPTY, call(kind, omitted=True), RuleSet())
        assert noted.doubt == Doubt(unread_since=NOON)
    for kind in ("remove", "describe"):
        assert without_unapproved(EMPTY, call(kind, omitted=True), RuleSet()) == EMPTY
    assert without_unapproved(adopted(), call("add", omitted=True), RuleSet()) == adopted()
    late = adopted(at=LATER)
    assert without_unapproved(late, call("add", omitted=True), RuleSet()).doubt == Doubt(unread_since=NOON)
    assert with_unread(late, NOON).doubt == with_unread(EMPTY, NOON).doubt == Doubt(unread_since=NOON)
    assert (with_unread(adopted(), NOON), with_unread(late, None)) == (adopted(), late)


def test_what_was_restored_and_adopted_is_not_approved_after_an_unread_call() -> None:
    """It leaves the baseline, and the note that it was restored."""
    late = replace(adopted(tcp(22), tcp(80), at=LATER), doubt=Doubt().with_restored([tcp(22)], NOON))
    after = without_unapproved(late, call("add", omitted=True), RuleSet([tcp(22, "sgr-7")]))
    assert list(after.rules) == [tcp(80)]
    assert after.doubt == Doubt(unread_since=NOON)
