"""Baselines: directions that come and go, and the ids of rules through time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from member.chalicelib.cloudtrail.call import Call
from member.chalicelib.state.baseline import (
    Baseline,
    learn,
    learn_direction,
    narrowed,
    shortfall,
    stamped,
    with_current_ids,
    with_current_tags,
    with_done,
    without_in_flight,
)
from member.chalicelib.state.history import Entry, Made, Moved
from shared.domain.rule import Direction, Rule, cidr, make_rule
from tests.support.examples import call, ids, learned, tcp

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


def rule(direction: Direction, rule_id: str) -> Rule:
    """A rule of one direction."""
    made = make_rule(direction=direction, protocol="tcp", from_port=443, to_port=443, source=cidr("10.0.0.0/8"))
    return replace(made, rule_id=rule_id)


def baseline(*rules: Rule) -> Baseline:
    """The baseline of a group whose inbound rules are guarded."""
    return learn(region="eu-west-1", group_id="sg-1", group_name="web", rules=rules, directions=["ingress"], at=NOON)


INBOUND, OUTBOUND = rule("ingress", "sgr-1"), rule("egress", "sgr-2")


def test_a_direction_that_is_guarded_from_now_on_is_learned_once() -> None:
    """Its rules are taken as they are; those of a direction known already are not."""
    both = learn_direction(baseline(INBOUND), "egress", (OUTBOUND, tcp(80)), NOON)
    assert both.directions == ("egress", "ingress")
    assert set(both.rules) == {INBOUND, OUTBOUND}
    assert learn_direction(both, "egress", (), NOON) is both


def test_only_guarded_directions_are_learned() -> None:
    """The rules of another one are not known, and no call is older than what was never learned."""
    known = baseline(INBOUND, OUTBOUND)
    assert (known.rules, known.knows("egress")) == ((INBOUND,), False)
    early = NOON - timedelta(hours=1)
    assert known.is_older_than_learned("ingress", early)
    assert not known.is_older_than_learned("egress", early)


def test_a_direction_that_is_no_longer_guarded_is_forgotten() -> None:
    """Nobody follows what happens there; guarded again, it is learned anew."""
    both = learn_direction(baseline(INBOUND), "egress", (OUTBOUND,), NOON)
    left = narrowed(both, ["ingress"])
    assert (left.directions, left.rules, dict(left.learned)) == (("ingress",), (INBOUND,), {"ingress": NOON})
    assert narrowed(left, ["ingress"]) is left


def test_the_ids_a_rule_had_are_remembered() -> None:
    """A restored rule is known by the id it has now and by the one it had first."""
    known = with_current_ids(baseline(INBOUND), (replace(INBOUND, rule_id="sgr-7"),), NOON)
    (now,) = known.rules
    assert now.rule_id == "sgr-7"
    assert known.by_id("sgr-1") == known.by_id("sgr-7") == INBOUND
    assert known.first_id(now) == "sgr-1"
    assert baseline(INBOUND).first_id(INBOUND) == "sgr-1"


def test_an_unchanged_baseline_is_the_same_also_in_ids() -> None:
    """Equality of rules leaves ids out; what is written to the table must not."""
    one = baseline(INBOUND)
    assert one.is_same_as(baseline(INBOUND))
    assert not one.is_same_as(baseline(replace(INBOUND, rule_id="sgr-9")))
    assert not one.is_same_as(replace(one, group_name="else"))


def test_an_id_stays_with_the_missing_rule_it_was_edited_away_from() -> None:
    """Edited into another approved rule, the id is still that of the first: edited back, it has to be known."""
    before = learned(tcp(22, "sgr-1"), tcp(80, "sgr-2"))
    assert ids(*with_current_ids(before, (tcp(80, "sgr-1"),), NOON).rules) == ids(tcp(22, "sgr-1"), tcp(80, "sgr-2"))


def test_approved_rules_that_changed_places_change_their_ids() -> None:
    """Both are there, so that neither id is kept for a missing one."""
    before = learned(tcp(22, "sgr-1"), tcp(80, "sgr-2"))
    after = with_current_ids(before, (tcp(22, "sgr-2"), tcp(80, "sgr-1")), NOON)
    assert ids(*after.rules) == ids(tcp(22, "sgr-2"), tcp(80, "sgr-1"))


def test_a_rule_that_is_missing_or_unchanged_keeps_its_id() -> None:
    """Only an id that was replaced is a former one; a rule learned without any gets its first."""
    before = learned(tcp(22, "sgr-1"), tcp(80, "sgr-2"), tcp(443))
    after = with_current_ids(before, (tcp(80, "sgr-2"), tcp(443, "sgr-3")), NOON)
    assert ids(*after.rules) == ids(tcp(22, "sgr-1"), tcp(443, "sgr-3"), tcp(80, "sgr-2"))
    assert after.by_id("sgr-3") == tcp(443)


def test_tags_are_taken_from_the_live_rule_of_the_same_id() -> None:
    """They may change without asking; a rule that is not live keeps those it had."""
    before = learned(replace(tcp(22, "sgr-1"), tags=(("a", "1"),)), replace(tcp(80, "sgr-2"), tags=(("b", "2"),)))
    after = with_current_tags(before, (replace(tcp(22, "sgr-1"), tags=(("a", "3"),)), tcp(443, "sgr-9")))
    assert [rule.tags for rule in after.rules] == [(("a", "3"),), (("b", "2"),)]


def test_what_was_done_changes_the_rules_and_is_stamped() -> None:
    """By ids and values of all that it names, with its own time; tags that changed since are kept."""
    before = learned(replace(tcp(22, "sgr-1"), tags=(("a", "1"),)), tcp(80, "sgr-2"))
    tagged = with_current_tags(before, (replace(tcp(22, "sgr-1"), tags=(("a", "2"),)),))
    deeds = (Moved(before=tcp(80, "sgr-2"), rule=tcp(81, "sgr-2")), Made(rule=tcp(443)))
    after = with_done(tagged, Entry(moment=NOON, deeds=deeds))
    assert ids(*after.rules) == ids(tcp(22, "sgr-1"), tcp(443), tcp(81, "sgr-2"))
    assert [rule.tags for rule in after.rules if rule == tcp(22)] == [(("a", "2"),)]
    assert dict(after.stamps) == dict.fromkeys(["sgr-2", tcp(80).identity, tcp(81).identity, tcp(443).identity], NOON)


def test_a_rule_is_no_longer_approved_under_an_id_that_is_not_there() -> None:
    """No id, or one that nobody ever heard of, leads to nothing."""
    assert learned(tcp(22)).by_id(None) is None
    assert learned(tcp(22)).by_id("sgr-1") is None


def test_what_is_done_to_a_direction_that_is_not_known_is_no_rule_of_the_baseline() -> None:
    """Guarded later on, the direction is learned as it is then."""
    known = with_done(baseline(INBOUND), Entry(moment=NOON, deeds=(Made(rule=OUTBOUND),)))
    assert known.rules == (INBOUND,)
    assert known.guarded(["egress"]) == ()
    assert known.guarded(["egress", "ingress"]) == (INBOUND,)
    assert learn_direction(known, "egress", (), NOON).rules == (INBOUND,)


def test_what_is_missing_and_what_is_described_otherwise_is_a_shortfall() -> None:
    """Each approved rule has to be there with its own description; other live rules are no matter."""
    live = (tcp(80, "sgr-2", description="else"), tcp(443, "sgr-3"), tcp(1))
    found = shortfall([tcp(22), tcp(80, description="web"), tcp(443)], live)
    assert (found.added, found.removed) == ((tcp(22),), ())
    ((before, after),) = [(edit.before, edit.after) for edit in found.modified]
    assert (before.rule_id, before.description, after.description) == ("sgr-2", "else", "web")


def test_the_newest_stamp_of_a_rule_counts_whatever_came_first() -> None:
    """By its id or by its values; events arrive in any order."""
    later = NOON + timedelta(minutes=1)
    touched = stamped(stamped(learned(tcp(22, "sgr-1")), ["sgr-1", None, ""], later), ["sgr-1"], NOON)
    assert touched.last_change(tcp(22, "sgr-1")) == later
    assert touched.last_change(tcp(22, "sgr-2")) is None
    by_values = stamped(touched, [tcp(22).identity], later + timedelta(minutes=1))
    assert by_values.last_change(tcp(22, "sgr-1")) == by_values.last_change(tcp(22)) == later + timedelta(minutes=1)
    assert set(dict(touched.stamps)) == {"sgr-1"}


def test_only_the_newest_stamps_are_kept() -> None:
    """Four hundred: enough for every event that is late, and a baseline that does not grow for ever."""
    full = learned()
    for number in range(401):
        full = stamped(full, [f"sgr-{number}"], NOON + timedelta(seconds=number))
    assert len(full.stamps) == 400
    assert full.last_change(tcp(22, "sgr-0")) is None
    assert full.last_change(tcp(22, "sgr-400")) == NOON + timedelta(seconds=400)


MADE = tcp(22, "sgr-1")
LEARNED_LATER = learned(MADE, tcp(80, "sgr-2"), at=NOON + timedelta(minutes=1))
RESTORED = with_current_ids(learned(MADE, at=NOON + timedelta(milliseconds=500)), (tcp(22, "sgr-9"),), NOON)


@pytest.mark.parametrize(
    "made",
    [call("add", resulting=(MADE,)), call("add", requested=(tcp(22),)), call("add", resulting=(tcp(22, "sgr-7"),))],
    ids=["by id", "by values", "under another id"],
)
def test_what_was_made_before_the_group_was_learned_is_not_approved(made: Call) -> None:
    """It stands in the baseline only because it happened to be live; what the call did not make stays."""
    assert without_in_flight(LEARNED_LATER, made).rules == (tcp(80),)


@pytest.mark.parametrize(
    ("baseline", "made"),
    [
        (LEARNED_LATER, call("remove", resulting=(MADE,))),
        (LEARNED_LATER, call("modify")),
        (LEARNED_LATER, call("add", direction=None, resulting=(MADE,))),
        (learned(MADE), call("add", resulting=(MADE,))),
        (LEARNED_LATER, call("add", resulting=(tcp(443, "sgr-8"),))),
        (stamped(LEARNED_LATER, ["sgr-1", "sgr-2"], NOON), call("add", resulting=(MADE,))),
    ],
    ids=["a removal", "an edit", "of no direction", "learned before", "not in it", "allowed since"],
)
def test_what_was_learned_or_allowed_stays_approved(baseline: Baseline, made: Call) -> None:
    """Only an addition from before the group was learned can have slipped in, and only if nobody allowed it since."""
    assert without_in_flight(baseline, made).rules == baseline.rules


def test_of_a_call_in_the_second_of_learning_the_id_says_whether_it_slipped_in() -> None:
    """CloudTrail writes whole seconds. A rule that had another id first was there before this call made its own."""
    again = call("add", resulting=(tcp(22, "sgr-9"),))
    assert without_in_flight(RESTORED, again).rules == (tcp(22),)
    assert without_in_flight(RESTORED, call("add", resulting=(MADE,))).rules == ()
    assert without_in_flight(RESTORED, call("add", requested=(tcp(22),))).rules == ()


def test_a_rule_that_was_edited_before_it_was_learned_slipped_in_as_well() -> None:
    """The answer's id leads to what became of it."""
    assert (
        without_in_flight(
            learned(tcp(80, "sgr-1"), at=NOON + timedelta(minutes=1)), call("add", resulting=(MADE,))
        ).rules
        == ()
    )
